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
from ezra.threaded.sqlite import schema_step_1, schema_step_2, schema_step_3, schema_step_4

APPLICATION_ID = 0x455A5241
"""`EZRA` in ASCII: what tells our files from other SQLite databases."""

OLDEST_SQLITE = (3, 37, 0)
"""The first version that knows STRICT tables."""

_WAL_RESET_CORRECTED = (
    ((3, 44, 6), (3, 45, 0)),
    ((3, 50, 7), (3, 51, 0)),
    ((3, 51, 3), None),
)
"""From which version on, and up to which, SQLite is without that bug."""

UPGRADES: tuple[tuple[str, ...], ...] = (
    schema_step_1.STATEMENTS,
    schema_step_2.STATEMENTS,
    schema_step_3.STATEMENTS,
    schema_step_4.STATEMENTS,
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


def library_warning() -> str | None:
    """Return what a person should know of the SQLite that Python came with; None for nothing.

    Versions 3.7.0 to 3.51.2 can damage a database when one connection checkpoints while another
    commits (https://sqlite.org/wal.html#walresetbug). Two older lines have the correction, too.
    """
    version = sqlite3.sqlite_version_info
    corrected = any(
        oldest <= version and (following is None or version < following)
        for oldest, following in _WAL_RESET_CORRECTED
    )
    if corrected:
        return None
    return (
        f"SQLite {sqlite3.sqlite_version} has the WAL-reset bug: this server alone is safe, one "
        "connection of it makes all writes and checkpoints; a second program that writes to "
        "ezra.db, or checkpoints it, while the server runs could damage it; reading is safe"
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
    if version < 1:
        raise StartError(
            f"{path} says that it has format {version}, which no EZRA writes, and was left as it "
            "is. Was its user_version set by hand? Set it back to the format that it had (this "
            f"EZRA's is {len(UPGRADES)}), or put a backup in its place"
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
