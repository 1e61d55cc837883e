"""What there is to say about a client: a row of the table, and how to get it and run it.

The words of commands and the values of variables may hold `{home}`, the client's folder under
`.clients/`, `{program}`, the path of its program, and `{root}`, the checkout. Everything runs with
`{home}` as the current directory. What a program has to do stands in README.md, beside this file.
"""

from __future__ import annotations

from dataclasses import dataclass

SCENARIOS = (
    "produce-and-work",
    "order-and-batch",
    "retry",
    "dead-letter",
    "blocking",
    "heartbeat",
    "pending",
    "transaction",
    "inspect",
    "reconnect",
)
"""What a program reports on, in this order."""


@dataclass(frozen=True, slots=True)
class Pip:
    """Make a virtual environment of `{home}`, holding these (`name==version`) from PyPI.

    What else pip takes on its command line may stand here, too.
    """

    requirements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Npm:
    """Put these (`name@version`) from npm into `{home}/node_modules`.

    The folder of the program is linked to `{home}/programs`, where its imports find them.
    """

    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Apt:
    """Have these Debian packages on the system, whichever version Debian has."""

    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Build:
    """Run this command: a compiler, or another registry's own installer.

    It runs again when the command or a file in the program's folder has changed.
    """

    command: tuple[str, ...]


Step = Pip | Npm | Apt | Build


@dataclass(frozen=True, slots=True)
class Client:
    """A client library, at one version, used in one way."""

    name: str
    """What the table and `--only` call it; no other has this name."""

    version: str
    """Its version, which its program has to report: exact where the registry keeps it for ever,
    with `*` in it where Debian brings whichever it has."""

    language: str

    program: str
    """The program's path below tests/clients, such as `python/redis_py.py`."""

    command: tuple[str, ...]
    """What starts the program; its arguments (`host port prefix protocol`) are appended."""

    install: tuple[Step, ...]
    """What makes it ready, in this order."""

    protocols: tuple[int, ...] = (2, 3)
    """The versions of RESP it can speak; it is run once with each."""

    folder: str = ""
    """Its folder under `.clients/`: its name unless given. Clients that name the same one share
    what is installed there, and so have the same `install`."""

    environment: tuple[tuple[str, str], ...] = ()
    """Variables for its installation and its run, beside those of the caller."""

    quick: bool = False
    """Whether the test suite runs it: cheap to install, and telling for its language."""

    missing: str = ""
    """Why it cannot be had here, if it cannot: then it is listed, not run."""

    @property
    def home(self) -> str:
        """Its folder's name under `.clients/`."""
        return self.folder or self.name
