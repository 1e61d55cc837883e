"""Where clients live: each in a folder of its own under `.clients/`, which git ignores."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from scripts.system import ROOT, environment
from tests.clients.catalogue import Client
from tests.clients.node_runtime import search_path

CACHE = ROOT / ".clients"
PROGRAMS = ROOT / "tests" / "clients"


def home(client: Client) -> Path:
    """Return the client's folder."""
    return CACHE / client.home


def program(client: Client) -> Path:
    """Return its program."""
    return PROGRAMS / client.program


def filled(client: Client, words: Iterable[str]) -> list[str]:
    """Return the words with the client's own paths in place of `{home}` and the like."""
    paths = {"home": home(client), "program": program(client), "root": ROOT}
    return [word.format(**paths) for word in words]


def variables(client: Client) -> dict[str, str]:
    """Return the environment in which it is installed and run."""
    own = {name: filled(client, [text])[0] for name, text in client.environment}
    return environment() | {"PATH": search_path(CACHE)} | own
