"""The database file: made whole or not at all, and never touched when it is not ours.

A new database is built under another name and renamed when it is complete, so that a crash leaves
no half of one. An existing one is looked at first (`inspection`), without changing anything;
what is damaged is refused, with a copy kept and a way on.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path

from ezra.sansio.errors import StartError
from ezra.threaded.sqlite import faults, statements
from ezra.threaded.sqlite.checkpoints import make_empty
from ezra.threaded.sqlite.inspection import (
    Damage,
    count_lost,
    inspect_pages,
    inspected,
    way_on,
)
from ezra.threaded.sqlite.keeping import keep_copy, sync_directory
from ezra.threaded.sqlite.lock import OWNER_ONLY
from ezra.threaded.sqlite.place import check_regular, check_writable
from ezra.threaded.sqlite.pool import BUSY_TIMEOUT, Synchronous, let_go, open_writer
from ezra.threaded.sqlite.probe import COMPANIONS, companion
from ezra.threaded.sqlite.schema import UPGRADES, check_library, upgrade
from ezra.threaded.sqlite.tail import Tail

log = logging.getLogger(__name__)

DATABASE_FILE = "ezra.db"

_LAYOUT = (
    # 4 KiB is what disks and kernels write at once. Every page that a commit touches goes to the
    # WAL as a whole, and a push alone touches five: larger pages only make each fsync longer.
    "PRAGMA page_size = 4096",
    # Space that retention frees is used again; giving it back to the file system would cost
    # bookkeeping pages in every commit. A person can VACUUM while the server is down.
    "PRAGMA auto_vacuum = 0",
    "PRAGMA journal_mode = wal",
)


def open_database(path: Path, synchronous: Synchronous) -> tuple[sqlite3.Connection, int]:
    """Open the database for writing; it is made, or upgraded, as needed.

    Its write-ahead log is empty then, unless the disk has no room for what is in it.

    Returns:
        The connection and the version from which it was upgraded; 0 for a new database.

    Raises:
        StartError: it is not ours, newer than this program, damaged, or SQLite cannot use it.
    """
    check_library()
    try:
        check_regular(path)
        came_from = len(UPGRADES)
        if not path.exists() or path.stat().st_size == 0:
            _create(path)
            came_from = 0
        torn = _inspect(path, synchronous)
        connection = open_writer(path, synchronous)
        return connection, min(came_from, _begin(connection, path, torn=torn))
    except (OSError, sqlite3.Error) as error:
        raise StartError(faults.cannot_start(path, error)) from error


def _inspect(path: Path, synchronous: Synchronous) -> bool:
    """Look at what is there, before anything is changed; say whether the log's end is torn.

    Raises:
        StartError: it cannot be used. What is damaged was copied aside, if there was room.
    """
    check_writable(path)
    fsynced = synchronous == "full"
    try:
        with inspected(path, fsynced=fsynced, busy_timeout=BUSY_TIMEOUT) as (connection, findings):
            inspect_pages(connection, path)
    except Damage as damage:
        kept = keep_copy(damage.path, "damaged")
        raise StartError(
            f"{damage}. Nothing was changed; {kept}. To go on, {way_on(damage, path.parent)}"
        ) from damage
    if findings.tail is not Tail.TORN:
        return False
    wal = companion(path, "-wal")
    log.warning(
        "%s ends in the middle of a transaction, as a power loss leaves it: %s from frame %d on "
        "are left out; %s",
        *(wal, count_lost(findings), findings.bad, keep_copy(wal, "torn")),
    )
    return True


def _begin(connection: sqlite3.Connection, path: Path, *, torn: bool) -> int:
    """Begin with an empty log and the present schema; return the version that was there.

    What a torn transaction has left in the log must be gone before a new one is written: behind
    that, it would look like damage.
    """
    try:
        empty_wal(connection, path, must=torn)
        return upgrade(connection)
    except BaseException as error:
        let_go(connection, error)
        raise


def empty_wal(connection: sqlite3.Connection, path: Path, *, must: bool = False) -> None:
    """Bring the whole log into the database, if the disk has room for it; it is safe where it is.

    Args:
        connection: one that writes.
        path: the database.
        must: not even a full disk, or another program that reads, is a reason to leave it.

    Raises:
        sqlite3.Error, OSError: it could not be brought in.
        StartError: another program holds it up.
    """
    try:
        done = make_empty(connection, path)
    except sqlite3.OperationalError as error:
        if must or not faults.is_full(error):
            raise
    else:
        if must and not done:
            raise StartError("another program reads the database: end it and start again")


def _create(path: Path) -> None:
    """Make an empty database of the present version, durably."""
    for suffix in ("-wal", "-journal"):
        orphan = companion(path, suffix)
        if orphan.exists() and orphan.stat().st_size > 0:
            raise StartError(
                f"{orphan} is there without its {path.name} and was left as it is: bring the "
                "database back, or move that file away to begin with an empty one"
            )
    unfinished = path.with_name(path.name + ".new")
    for suffix in ("", *COMPANIONS):
        companion(unfinished, suffix).unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
    connection = sqlite3.connect(unfinished, isolation_level=None)
    try:
        for pragma in _LAYOUT:
            connection.execute(pragma).fetchall()
        upgrade(connection)
        # Only the file itself is renamed. Closing would bring everything into it, too, but does not
        # say so when it fails.
        connection.execute(statements.CHECKPOINT).fetchall()
    finally:
        connection.close()
    unfinished.rename(path)
    sync_directory(path.parent)
