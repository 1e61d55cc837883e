"""What a look sees: one moment of the database, and no more of it than there is room for."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from ezra.sansio.model import Entry
from ezra.sansio.queue import changes
from ezra.sansio.queue.allowance import Room
from ezra.sansio.queue.roster import Roster
from ezra.threaded.sqlite.rows import Damaged, Row, unpack

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class View:
    """What a look sees."""

    connection: sqlite3.Connection
    now: int
    """The moment at which it looks, in Unix microseconds."""
    room: Room
    """For what it answers."""
    roster: Roster | None = None
    """Who has been seen in which group, for the looks that need it."""

    def entries(self, statement: str, *values: object) -> tuple[Entry, ...]:
        """Return the tasks that a statement finds, as they are seen without being claimed.

        Raises:
            CommandError: as `all`.
        """
        return self.all(_entry, statement, *values)

    def all(
        self, make: Callable[[Row], RowT], statement: str, *values: object, times: int = 1
    ) -> tuple[RowT, ...]:
        """Return what is made of each row that a statement finds; the answer shows it `times`.

        Raises:
            CommandError: there is no room for them. No more than there is room for are read.
        """
        with closing(self.connection.execute(statement, values)) as cursor:
            return self.room.admit(map(make, cursor), times)

    def rows(self, statement: str, *values: object) -> list[Row]:
        """Return what a statement finds that finds one row at the most."""
        return self.connection.execute(statement, values).fetchall()


def _entry(row: Row) -> Entry:
    """Return a task as it is seen; one that is not what was pushed shows what is wrong instead."""
    try:
        return Entry(row[0], *unpack(*row))
    except Damaged as error:
        return changes.seen_damaged(row[0], str(error))
