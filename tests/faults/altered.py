"""A server that is worse than EZRA on purpose: what the checkers have to catch.

    ALTERED="synchronous=0 checkpoint_pages=30 early_reply=1" python -m tests.faults.altered …

runs the real server with the real engine, and changes only what reaches SQLite:

- `early_reply` carries out each COMMIT of the writer when the next transaction begins, so that the
  reply goes out before it;
- `checkpoint_pages` is how long the WAL gets before it is brought into the database;
- any other name is a pragma of the writer, which is set to another value than the one that EZRA
  asks for. Who asks for the value is told what it wanted to hear. Readers are left alone.
"""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from typing import Any, ClassVar

from ezra.cli import main
from ezra.threaded.sqlite import checkpoints

VARIABLE = "ALTERED"


PRAGMA = re.compile(r"PRAGMA (?P<name>\w+)(?: = (?P<value>-?\d+))?")


class Altered(sqlite3.Connection):
    """A connection that does not do what it says."""

    settings: ClassVar[dict[str, int]] = {}
    """What to change, by name."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._asked: dict[str, int] = {}
        self._owes_commit = False

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Carry out another statement in place of some."""
        if pragma := PRAGMA.fullmatch(sql):
            return super().execute(self._pragma(sql, pragma["name"], pragma["value"]), *values)
        if sql == "COMMIT" and self._writes and self.settings.get("early_reply"):
            self._owes_commit = True
            return super().execute("SELECT 1")
        if self._owes_commit:
            self._owes_commit = False
            super().execute("COMMIT")
        return super().execute(sql, *values)

    @property
    def _writes(self) -> bool:
        return not self._asked.get("query_only")

    def _pragma(self, sql: str, name: str, value: str | None) -> str:
        """Return what to carry out in place of a pragma."""
        if value is not None:
            self._asked[name] = int(value)
        if name not in self.settings or not self._writes:
            return sql
        if value is None:
            return f"SELECT {self._asked[name]}" if name in self._asked else sql
        return f"PRAGMA {name} = {self.settings[name]}"


def alter() -> None:
    """Have every connection that is opened from now on be an altered one."""
    pairs = (word.split("=") for word in os.environ[VARIABLE].split())
    Altered.settings = {name: int(value) for name, value in pairs}
    if pages := Altered.settings.pop("checkpoint_pages", 0):
        checkpoints.PAGES = pages
    connect = sqlite3.connect

    def connect_altered(*arguments: Any, **named: Any) -> sqlite3.Connection:
        return connect(*arguments, factory=Altered, **named)

    sqlite3.connect = connect_altered  # type: ignore[assignment]  # it has many signatures


if __name__ == "__main__":
    alter()
    sys.exit(main())
