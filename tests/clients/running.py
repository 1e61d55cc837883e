"""Run one client's program against a server, and gather what it reports.

The program prints a line for each scenario. When it wants its connection to be cut it says
`cut <client id>`; we have the server kill that connection, then answer with an empty line.
A program that does not come to its end is killed, with all that it has started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from tests.clients.catalogue import Client
from tests.clients.outcome import Outcome
from tests.clients.places import filled, home, variables
from tests.integration.raw_client import RawClient

TIME_LIMIT = 60.0
"""Seconds that a program has: most of them need three."""

Address = tuple[str, int]
Process = subprocess.Popen[str]


def run_program(client: Client, protocol: int, address: Address) -> Outcome:
    """Run a client that is installed, through all scenarios."""
    outcome = Outcome(client, protocol)
    with tempfile.TemporaryFile("w+") as errors:
        with _started(outcome, address, errors) as process, _time_limit(process, outcome):
            _follow(process, outcome, address)
            code = process.wait()
        if code:
            outcome.failures.append(f"exit code {code}: {_last_line(errors)}")
    outcome.close()
    return outcome


@contextmanager
def _started(outcome: Outcome, address: Address, errors: IO[str]) -> Iterator[Process]:
    """Start the program in a process group of its own, which does not outlive the block."""
    client = outcome.client
    with subprocess.Popen(
        [*filled(client, client.command), *_arguments(outcome, address)],
        cwd=home(client),
        env=variables(client),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            _kill_group(process)


def _arguments(outcome: Outcome, address: Address) -> list[str]:
    """Return what the program is told. No run meets the tasks of another: its prefix is its own."""
    host, port = address
    prefix = f"{outcome.client.name}:{outcome.protocol}:{time.monotonic_ns()}"
    return [host, str(port), prefix, str(outcome.protocol)]


@contextmanager
def _time_limit(process: Process, outcome: Outcome) -> Iterator[None]:
    """Kill the program when its time is up and the block is not left; its output ends with it."""

    def end() -> None:
        outcome.failures.append(f"not at its end after {TIME_LIMIT:g} s")
        _kill_group(process)

    alarm = threading.Timer(TIME_LIMIT, end)
    alarm.start()
    try:
        yield
    finally:
        alarm.cancel()


def _kill_group(process: Process) -> None:
    """End the program, and whatever it has started that is still there."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _follow(process: Process, outcome: Outcome, address: Address) -> None:
    """Take in what the program says, until the end of its output."""
    assert process.stdout is not None
    for line in process.stdout:
        word, _, rest = line.strip().partition(" ")
        if word == "cut":
            _cut(rest, process, outcome, address)
        else:
            outcome.take_in(line.rstrip("\n"))


def _cut(client_id: str, process: Process, outcome: Outcome, address: Address) -> None:
    """Have the server close a connection, and say so."""
    with RawClient(address) as killer:
        killed = killer.call("CLIENT", "KILL", "ID", client_id)
    if killed != 1:
        outcome.failures.append(f"CLIENT KILL ID {client_id} was answered with {killed}")
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it did not wait for the answer
        process.stdin.write("\n")
        process.stdin.flush()


def _last_line(errors: IO[str]) -> str:
    errors.seek(0)
    lines = errors.read().strip().splitlines()
    return lines[-1] if lines else "it said nothing"
