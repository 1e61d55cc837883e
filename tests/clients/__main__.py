"""Run every Redis client that can be had here against a server of this checkout.

    python -m tests.clients [--only NAME ...] [--server HOST:PORT]

Installs what is missing, prints one table, and ends with code 1 if anything failed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.clients.campaign import outcomes, runs_of
from tests.clients.everyone import chosen
from tests.clients.running import Address
from tests.clients.table import table
from tests.integration.server_process import ServerProcess


def main(words: Sequence[str]) -> int:
    """Do what the command line says; return the exit code."""
    arguments = _parser().parse_args(words)
    try:
        clients = chosen(arguments.only)
    except ValueError as error:
        sys.exit(str(error))
    with _server(arguments.server) as address:
        done = list(outcomes(runs_of(clients), address))
    print(table(done, [client for client in clients if client.missing]))
    return 0 if all(outcome.good for outcome in done) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.clients", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these, * allowed")
    parser.add_argument("--server", type=_address, help="a server that runs already")
    return parser


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


@contextmanager
def _server(address: Address | None) -> Iterator[Address]:
    """Serve from this checkout, unless there is a server to be used."""
    if address:
        yield address
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess(folder, "--max-attempts", "3") as server,
    ):
        yield server.address


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
