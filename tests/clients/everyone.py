"""All the clients there are, and choosing among them."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from tests.clients.catalogue import Client
from tests.clients.node_clients import NODE
from tests.clients.other_languages import OTHERS
from tests.clients.python_clients import PYTHON

CLIENTS: tuple[Client, ...] = (*PYTHON, *NODE, *OTHERS)


def chosen(patterns: Sequence[str]) -> list[Client]:
    """Return the clients with a name like one of the patterns (`redis-py-*`); without any, all.

    Raises:
        ValueError: a pattern fits no client; the text names it and the clients there are.
    """
    for pattern in patterns:
        if not any(fnmatchcase(client.name, pattern) for client in CLIENTS):
            raise ValueError(f"no client is called {pattern}; there are: {_names()}")
    return [client for client in CLIENTS if _fits(client, patterns)]


def _fits(client: Client, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(client.name, pattern) for pattern in patterns)


def _names() -> str:
    return ", ".join(client.name for client in CLIENTS)
