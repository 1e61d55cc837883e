"""One tool's script, run against a server of its own, and what came of it.

The server is a process on an empty data directory; the tool meets it through the recorder. A script
that falls silent is killed, with all that it has started.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.raw_client import RawClient
from tests.integration.redis_process import RedisProcess
from tests.integration.server_process import ServerProcess
from tests.tools.catalogue import Tool
from tests.tools.installing import command, home, variables
from tests.tools.recorder import Exchange, Recorder
from tests.tools.scripts.from_outside import free_port

TIME_LIMIT = 60.0
"""Seconds that a script has: most of them need two."""

LACKING = re.compile(r"ERR (unknown (sub)?command|EZRA runs no scripts|\w+ is not supported)")
"""What EZRA says when it does not have a command."""

ERROR = re.compile(r"PHP Fatal error: |Error: |[\w.]+(Error|Exception)\b")
"""What the line begins with in which Python, PHP and Node say what went wrong."""

Connect = Callable[[], socket.socket]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one trial."""

    tool: Tool
    failure: str
    """What the script complained of last; empty if it was content."""

    left: int
    """How many tasks were waiting or in flight at the end."""

    exchanges: tuple[Exchange, ...]

    @property
    def refused(self) -> tuple[Exchange, ...]:
        """The commands that the server does not have, each name once."""
        first: dict[str, Exchange] = {}
        for exchange in self.exchanges:
            if LACKING.match(exchange.refusal or ""):
                first.setdefault(exchange.name, exchange)
        return tuple(first.values())

    @property
    def stopper(self) -> Exchange | None:
        """The refused command that the tool cannot do without; None if none was."""
        names = self.tool.stopped_by
        return next((one for one in self.refused if one.name.split()[0] in names), None)

    @property
    def expected(self) -> bool:
        """Say whether what has to work did, and what cannot was stopped by what we say."""
        if self.tool.works:
            return not self.failure and self.left == self.tool.leaves
        return bool(self.failure) and self.stopper is not None


def try_with_ezra(tool: Tool) -> Outcome:
    """Run an installed tool's script against EZRA, and count what is left afterwards."""
    with tempfile.TemporaryDirectory() as folder, ServerProcess(folder) as server:
        failure, exchanges = _run(tool, lambda: socket.create_connection(server.address))
        return Outcome(tool, failure, _left(server.address), exchanges)


def try_with_redis(tool: Tool) -> Outcome:
    """Run the same against Debian's Redis: it must be content, also with what EZRA has not."""
    # By TCP: redis_exporter tells of clients only if they have a host and a port.
    address = "127.0.0.1", free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        RedisProcess(Path(folder), "--port", str(address[1])),
    ):
        failure, exchanges = _run(tool, lambda: socket.create_connection(address))
        return Outcome(tool, failure, tool.leaves, exchanges)


def _run(tool: Tool, connect: Connect) -> tuple[str, tuple[Exchange, ...]]:
    with tempfile.TemporaryFile("w+") as said, Recorder(connect) as recorder:
        words = [*command(tool), "127.0.0.1", str(recorder.port)]
        with _started(tool, words, said.fileno()) as process:
            try:
                code = process.wait(TIME_LIMIT)
            except subprocess.TimeoutExpired:
                return f"nothing came of it in {TIME_LIMIT:g} s", tuple(recorder.exchanges)
        said.seek(0)
        failure = _complaint(said.read(), code) if code else ""
        return failure, tuple(recorder.exchanges)


@contextmanager
def _started(tool: Tool, words: list[str], output: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start a script in a process group of its own, which does not outlive the block."""
    process = subprocess.Popen(
        words,
        cwd=home(tool),
        env=variables(tool),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _complaint(text: str, code: int) -> str:
    """Return the line that tells most: the last one that names an error, or else the last one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if ERROR.match(line)]
    return [f"exit code {code}", *lines[-1:], *telling[-1:]][-1]


def _left(address: tuple[str, int]) -> int:
    """Return how many tasks are waiting, scheduled, in flight or dead, in all queues."""
    with RawClient(address, protocol=3) as client:
        books = client.call("EZRA.QUEUE", "LIST")
    counted = (b"available", b"scheduled", b"in_flight", b"dead")
    return sum(queue[count] for queue in books for count in counted)
