"""Install and run many clients against one server, several side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

from scripts.system import SetUpFailed, say
from tests.clients.catalogue import Client
from tests.clients.installing import install
from tests.clients.outcome import Outcome
from tests.clients.running import Address, run_program

AT_ONCE = 3
"""Programs that run side by side: they wait more than they work."""

Run = tuple[Client, int]
"""A client and the version of RESP that it is to speak."""


def runs_of(clients: Sequence[Client]) -> list[Run]:
    """Return the runs that the clients promise; those that cannot be had promise none."""
    return [
        (client, protocol)
        for client in clients
        if not client.missing
        for protocol in client.protocols
    ]


def outcomes(runs: Sequence[Run], address: Address) -> Iterator[Outcome]:
    """Do these runs, and yield what came of each, in their order.

    What a client needs is installed first. If that fails, it is what came of the client's runs.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(_outcome, runs, repeat(address))


def _outcome(run: Run, address: Address) -> Outcome:
    client, protocol = run
    try:
        install(client)
    except SetUpFailed as failure:
        return Outcome(client, protocol, failures=[str(failure)])
    say(f"running {client.name} with RESP{protocol}")
    return run_program(client, protocol, address)
