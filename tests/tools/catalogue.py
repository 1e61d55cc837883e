"""What there is to say about a tool: a row of the table, how to get it and what to run.

The words of a command may hold `{home}`, the tool's folder under `.tools/`, `{script}`, the path of
its script, and `{name}`, the script's name; host and port of the server are appended. It runs in
`{home}`, which is its HOME, too. A script ends with code 0 if all that it looked at was right.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.clients.catalogue import Apt, Npm, Pip


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Unpack these packages of Debian 12 into `{home}`, as `{home}/usr/…`.

    Nothing is installed: a package that brings a service would start it.
    """

    packages: tuple[str, ...]


Package = Pip | Npm | Apt | Unpacked


@dataclass(frozen=True, slots=True)
class Tool:
    """A framework or tool, at one version, and what it is made to do."""

    name: str
    """What the table and `--only` call it; no other has this name."""

    package: Package
    """Where it comes from. The first of these packages is the tool itself."""

    script: str
    """The script's name in `scripts/`, as the command wants it."""

    does: str
    """What it is made to do, in a few words."""

    command: tuple[str, ...] = ("{home}/bin/python", "{script}")

    stopped_by: tuple[str, ...] = ()
    """Commands that it cannot do without and EZRA does not have; one of them must be seen to be
    refused. Empty for a tool that has to work."""

    because: str = ""
    """What it uses them for, if there are any."""

    leaves: int = 0
    """How many tasks are still there, waiting or in flight, once it has done all of it."""

    newer_than_debian: bool = False
    """Whether it asks for a Redis newer than Debian's, so that only EZRA can be tried."""

    quick: bool = False
    """Whether the test suite runs it: cheap to install, and telling."""

    @property
    def works(self) -> bool:
        """Say whether it has to work with EZRA."""
        return not self.stopped_by


@dataclass(frozen=True, slots=True)
class Absent:
    """A tool that no registry gives us."""

    name: str
    because: str
