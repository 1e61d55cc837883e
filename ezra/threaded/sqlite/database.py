"""The database file: made whole or not at all, and never touched when it is not ours.

A new database is built under another name and renamed when it is complete, so that a crash leaves
no half of one. Of an existing file the header is read first, as plain bytes: SQLite itself would
write beside a file by merely opening it.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from ezra.sansio.errors import StartError
from ezra.threaded.sqlite import faults
from ezra.threaded.sqlite.lock import OWNER_ONLY
from ezra.threaded.sqlite.pool import Synchronous, open_writer
from ezra.threaded.sqlite.schema import UPGRADES, check_identity, check_library, upgrade
from ezra.threaded.sqlite.statements import CHECKPOINT

DATABASE_FILE = "ezra.db"

_MAGIC = b"SQLite format 3\0"
_HEADER_SIZE = 100
_VERSION_AT = 60
_APPLICATION_AT = 68

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

    Returns:
        The connection and the version from which it was upgraded; 0 for a new database.

    Raises:
        StartError: it is not ours, newer than this program, or SQLite cannot use it.
    """
    check_library()
    try:
        came_from = len(UPGRADES)
        if not path.exists() or path.stat().st_size == 0:
            _create(path)
            came_from = 0
        _check_header(path)
        connection = open_writer(path, synchronous)
        return connection, min(came_from, _upgrade(connection, path))
    except (OSError, sqlite3.Error) as error:
        raise StartError(faults.cannot_start(path, error)) from error


def _upgrade(connection: sqlite3.Connection, path: Path) -> int:
    try:
        # Once more: what was written last may stand in the WAL only.
        application_id = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        check_identity(application_id, version, path)
        return upgrade(connection)
    except BaseException:
        connection.close()
        raise


def _check_header(path: Path) -> None:
    with path.open("rb") as file:
        header = file.read(_HEADER_SIZE)
    if len(header) < _HEADER_SIZE or not header.startswith(_MAGIC):
        raise StartError(
            f"{path} is not an SQLite database and was left as it is; "
            "choose another data directory, or move that file away"
        )
    application_id = int.from_bytes(header[_APPLICATION_AT : _APPLICATION_AT + 4], "big")
    version = int.from_bytes(header[_VERSION_AT : _VERSION_AT + 4], "big")
    check_identity(application_id, version, path)


def _create(path: Path) -> None:
    """Make an empty database of the present version, durably."""
    for suffix in ("-wal", "-journal"):
        orphan = path.with_name(path.name + suffix)
        if orphan.exists() and orphan.stat().st_size > 0:
            raise StartError(
                f"{orphan} is there without its {path.name} and was left as it is: bring the "
                "database back, or move that file away to begin with an empty one"
            )
    unfinished = path.with_name(path.name + ".new")
    for leftover in (unfinished, *_companions(unfinished)):
        leftover.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
    connection = sqlite3.connect(unfinished, isolation_level=None)
    try:
        for pragma in _LAYOUT:
            connection.execute(pragma).fetchall()
        upgrade(connection)
        # Only the file itself is renamed. Closing would bring everything into it, too, but does not
        # say so when it fails.
        connection.execute(CHECKPOINT).fetchall()
    finally:
        connection.close()
    unfinished.rename(path)
    _sync_directory(path.parent)


def _companions(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal"))


def _sync_directory(directory: Path) -> None:
    """Make a rename in the directory survive a power loss."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
