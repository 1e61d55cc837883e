"""EZRA.BACKUP: a copy of the database, made while it goes on being written."""

# ruff: noqa: ARG002 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.base import CommandSpec
from ezra.sansio.commands.server import ServerCommand
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.host import Host
from ezra.sansio.resp.scalars import to_bytes, to_text
from ezra.sansio.resp.values import Value
from ezra.sansio.session import Session

MAX_BACKUP_NAME = 100
"""Bytes: with what is added to it while it is written, well below what file systems take."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_RESERVED = re.compile(r"\.unfinished|-(wal|shm|journal)$", re.IGNORECASE)
"""What EZRA, or SQLite, takes for a part of another file by its name."""


def backup_name(word: str) -> str:
    """Return the name if a backup may have it: one file, in the one directory for backups.

    Raises:
        CommandError: it has a separator, a leading dot or dash, or is meant for something else.
    """
    fits = len(word) <= MAX_BACKUP_NAME and _NAME.fullmatch(word)
    if not fits or _RESERVED.search(word):
        raise CommandError(Text.BACKUP_NAME.format(most=MAX_BACKUP_NAME))
    return word


@dataclass(frozen=True, slots=True)
class Backup(ServerCommand[tuple[str, int]]):
    """Back the database up; the result is the backup's path and its size in bytes."""

    name: str

    SPEC: ClassVar = CommandSpec(
        name="EZRA.BACKUP",
        arguments="name",
        arity=2,
        summary="Back the database up, into the directory backups in the data directory.",
        group="server",
        replies=(
            "array: the path of the backup, which is complete and on disk, and its bytes",
            Text.BACKUP_NAME,
            Text.BACKUP_EXISTS,
            Text.BACKUP_RUNNING,
            Text.BACKUP_NO_ROOM,
            Text.BACKUP_FULL,
            Text.BACKUP_FAILED,
            Text.BACKUP_OF_MEMORY,
        ),
        flags=("admin",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """One name."""
        return cls(backup_name(to_text(arguments[0])))

    def answer(self, host: Host, session: Session) -> tuple[str, int] | CommandError:
        """Where it is, when it is there; pushes go on meanwhile."""
        return host.back_up(self.name)

    def reply(self, result: tuple[str, int], protocol: int) -> Value:
        """Path and size."""
        path, size = result
        return to_bytes(path), size
