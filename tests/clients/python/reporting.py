"""How the Python programs report: the scenarios' names, a line for each, and what they expect."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

LEASE = 1.0
"""The visibility timeout, in seconds, of a task whose worker is to need a heartbeat."""

ATTEMPTS_AT_RECONNECTING = 5
"""How often a program tries to push again after its connection was cut."""


class Arguments(NamedTuple):
    """What a program is told."""

    host: str
    port: int
    prefix: str
    protocol: int


def arguments() -> Arguments:
    """Return the command line."""
    host, port, prefix, protocol = sys.argv[1:]
    return Arguments(host, int(port), prefix, int(protocol))


def report(version: str, scenarios: Mapping[str, Callable[[str], None]]) -> None:
    """Run the scenarios, each with a queue's name of its own, and say how they went."""
    _say(f"version {version}")
    for name, scenario in scenarios.items():
        try:
            scenario(_queue(name))
        except Exception as error:  # whatever it is, it is the scenario's outcome
            _say(_failure(name, error))
        else:
            _say(f"ok {name}")


async def report_async(
    version: str, scenarios: Mapping[str, Callable[[str], Awaitable[None]]]
) -> None:
    """Do the same with coroutines."""
    _say(f"version {version}")
    for name, scenario in scenarios.items():
        try:
            await scenario(_queue(name))
        except Exception as error:  # as above
            _say(_failure(name, error))
        else:
            _say(f"ok {name}")


def same(got: object, wanted: object) -> None:
    """Raise AssertionError unless the two are equal."""
    if got != wanted:
        raise AssertionError(f"got {got!r}, and not {wanted!r}")


def nothing(got: object) -> None:
    """Raise AssertionError unless this is the client's way of saying that there is no task."""
    if got:
        raise AssertionError(f"got {got!r}, and not nothing")


def cut(client_id: int) -> None:
    """Have the connection of this id cut from outside; return when that is done."""
    _say(f"cut {client_id}")
    sys.stdin.readline()


def _queue(scenario: str) -> str:
    return f"{arguments().prefix}:{scenario}"


def _failure(scenario: str, error: Exception) -> str:
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return f"FAIL {scenario}: {reason}"


def _say(line: str) -> None:
    print(line, flush=True)
