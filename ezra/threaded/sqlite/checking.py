"""What `python -m ezra check` looks at: everything that can be told from the file alone.

First the log and the pages, then what EZRA promises of the rows: the books, statuses and the
columns that belong to them, ids, payloads and their checksums (`statements_of_checks`). Nothing is
written, and whatever is found, the rest is looked at, too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from ezra.sansio.errors import StartError
from ezra.sansio.model import wire_id
from ezra.threaded.sqlite import faults, inspection, probe
from ezra.threaded.sqlite.index import Index
from ezra.threaded.sqlite.pool import BUSY_TIMEOUT
from ezra.threaded.sqlite.rows import checksum
from ezra.threaded.sqlite.schema import UPGRADES, check_identity
from ezra.threaded.sqlite.statements_of_checks import (
    FIND_COLUMN,
    FOREIGN_KEYS,
    INTEGRITY,
    NOTHING_LOST,
    PROMISES,
    QUEUES,
    STATUSES,
    WRONG_CHECKSUMS,
    Promise,
)
from ezra.threaded.sqlite.tail import Tail

MOST_PROBLEMS = 20
"""Lines that SQLite's own checks may say each."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something that was found."""

    text: str
    sound: bool = True


def check(path: Path, *, live: bool = False, checksums: bool = True) -> Iterator[Line]:
    """Look through a database; yield what is found, also what is well.

    Args:
        path: the file.
        live: whether a server is running on it. Its log cannot be scanned then.
        checksums: whether tasks are to be what was pushed. A database can be served without that:
            one that is not is set aside when its turn comes.

    Raises:
        StartError: it is out of reach, which says nothing of what is in it.
    """
    try:
        header = inspection.read_header(path)
        yield Line(f"{path}: EZRA's, format {header.version} of {len(UPGRADES)}")
        around = nullcontext() if live else probe.left_as_found(path)
        looks, promised = yield from _check_wal_header(path, header, live=live)
        with around, probe.reading(path, busy_timeout=BUSY_TIMEOUT) as connection:
            connection.execute("BEGIN")
            if looks:
                yield from _check_wal(connection, path, promised)
            yield from _check_content(connection, path)
            if checksums:
                yield from _check_promise(connection, NOTHING_LOST)
                yield from _check_checksums(connection)
            yield _count(connection)
    except (OSError, sqlite3.Error, StartError) as error:
        if faults.out_of_reach(error):
            raise StartError(f"{path} cannot be looked at: {error}") from error
        yield Line(f"{path}: {error}", sound=False)


def _check_wal_header(
    path: Path, header: inspection.Header, *, live: bool
) -> Generator[Line, None, tuple[bool, Index | None]]:
    """Return whether the log is to be looked at, and the index that tells what it must have."""
    if live:
        yield Line(
            "log: in use by a running server, not scanned; what it has committed is looked at"
        )
        return False, None
    try:
        return True, inspection.inspect_files(path, header)
    except (inspection.Damage, StartError) as error:
        yield Line(f"log: {error}", sound=False)
        return False, None


def _check_wal(
    connection: sqlite3.Connection, path: Path, promised: Index | None
) -> Iterator[Line]:
    """Hold the log against what SQLite reads of it."""
    try:
        findings = inspection.inspect_tail(connection, path, promised, fsynced=True)
    except inspection.Damage as damage:
        yield Line(f"log: {damage}", sound=False)
        return
    if findings.tail is Tail.TORN:
        yield Line(
            f"log: torn at frame {findings.bad}, as a power loss leaves it: SQLite leaves out "
            + inspection.count_lost(findings)
        )
    else:
        yield Line(f"log: {probe.frames_read(connection, path)} frames, nothing left out")


def _check_content(connection: sqlite3.Connection, path: Path) -> Iterator[Line]:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    check_identity(application_id, version, path)
    found = connection.execute(INTEGRITY).fetchmany(MOST_PROBLEMS)
    whole = found == [("ok",)]
    for (text,) in [] if whole else found:
        yield Line(f"pages: {' '.join(text.split())}", sound=False)
    if whole:
        yield Line("pages, indexes and constraints: sound")
    yield from _check_references(connection)
    for promise in PROMISES:
        if promise.since <= version:
            yield from _check_promise(connection, promise)


def _check_references(connection: sqlite3.Connection) -> Iterator[Line]:
    broken = connection.execute(FOREIGN_KEYS).fetchmany(MOST_PROBLEMS)
    for table, row, parent, _ in broken:
        yield Line(f"{table}: row {row} refers to a row of {parent} that is not there", sound=False)
    if not broken:
        yield Line("references between tables: sound")


def _check_promise(connection: sqlite3.Connection, promise: Promise) -> Iterator[Line]:
    has_renewed = _has_column(connection, "tasks", "renewed_at")
    statement = promise.select.format(renewed_at="renewed_at" if has_renewed else "NULL")
    count, first = connection.execute(statement).fetchone()
    if count:
        yield Line(f"{promise.what}: {promise.wrong.format(count=count, first=first)}", sound=False)
    else:
        yield Line(f"{promise.what}: sound")


def _check_checksums(connection: sqlite3.Connection) -> Iterator[Line]:
    if not _has_column(connection, "payloads", "checksum"):
        yield Line("checksums: this format keeps none")
        return
    connection.create_function("checksum_of", 3, checksum, deterministic=True)
    wrong = connection.execute(WRONG_CHECKSUMS).fetchmany(MOST_PROBLEMS)
    for (task,) in wrong:
        yield Line(f"checksums: task {wire_id(task)} is not what was pushed", sound=False)
    if not wrong:
        yield Line("checksums: every task is what was pushed")


def _count(connection: sqlite3.Connection) -> Line:
    """Say what is in the file."""
    queues = connection.execute(QUEUES).fetchone()[0]
    counts = dict(connection.execute(STATUSES))
    named = ("available", "in_flight", "done", "dead")
    tasks = ", ".join(f"{counts.get(name, 0)} {name.replace('_', ' ')}" for name in named)
    return Line(f"{queues} queues; tasks: {tasks}")


def _has_column(connection: sqlite3.Connection, table: str, column: str) -> bool:
    return bool(connection.execute(FIND_COLUMN, (table, column)).fetchone()[0])
