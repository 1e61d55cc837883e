"""The database's schema, as numbered upgrade steps, and which database may be opened at all.

`UPGRADES[n]` takes a database from version n to n + 1; the first step makes everything. To change
the schema, append a step: never edit one that was released, people have databases made by it.

Three things hold in every version:

- The books are kept by triggers. `queues` counts its tasks by where they stand, so XLEN and XINFO
  read one row; and since triggers run for everybody, rows edited by hand are counted, too. They
  take 1–2 µs a row, where a push takes 15.
- A person may edit. `UPDATE tasks SET status = 'available' WHERE …` is all that a redrive takes:
  `tasks_tidied` puts the other columns in order after any change of status. What makes no sense is
  refused by a CHECK. Triggers do not lean on the `foreign_keys` pragma, which is off in many tools.
- `scheduled` is 1 while an available task waits for its time; a sweep clears it when that has come.
  So the index of ready tasks holds nothing but ready ones, however many are delayed.
"""

from __future__ import annotations

import sqlite3

from ezra.sansio.errors import StartError
from ezra.threaded.sqlite import schema_step_1, schema_step_2, schema_step_3

APPLICATION_ID = 0x455A5241
"""`EZRA` in ASCII: what tells our files from other SQLite databases."""

OLDEST_SQLITE = (3, 37, 0)
"""The first version that knows STRICT tables."""

UPGRADES: tuple[tuple[str, ...], ...] = (
    schema_step_1.STATEMENTS,
    schema_step_2.STATEMENTS,
    schema_step_3.STATEMENTS,
)
"""The steps from an empty database to the present version, which is their number."""


def check_library() -> None:
    """Raise `StartError` if the SQLite that Python came with is too old."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise StartError(
            f"SQLite {sqlite3.sqlite_version} is too old: EZRA needs {oldest} or newer; "
            "use a Python that brings one"
        )


def check_identity(application_id: int, version: int, path: object) -> None:
    """Raise `StartError` unless a file with these numbers in its header is one of ours.

    To be called before anything is written to it.
    """
    if application_id != APPLICATION_ID:
        raise StartError(
            f"{path} is not EZRA's: it is some other SQLite database, and was left as it is; "
            "choose another data directory"
        )
    if version > len(UPGRADES):
        raise StartError(
            f"{path} was written by a newer EZRA (format {version}, this one knows up to "
            f"{len(UPGRADES)}) and was left as it is; start it with that version"
        )


def upgrade(connection: sqlite3.Connection, steps: tuple[tuple[str, ...], ...] = UPGRADES) -> int:
    """Bring the database to the present version: all missing steps, or none of them.

    Returns:
        The version from which it came.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == len(steps):
        return version
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in steps[version:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite rolls back by itself when the disk is full
            connection.execute("ROLLBACK")
        raise
    return version
