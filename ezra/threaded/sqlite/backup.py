"""Backups of a database that goes on being written.

`VACUUM INTO` reads one state, beside the writer and without holding it up, and writes a database of
its own, without free pages. It is written under another name, fsynced, checked and only then given
its own, so that what is called a backup is one. The lock on its directory lets one be made at a
time; it goes away with the process, and what a crash has left is removed by the next.
"""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ezra.sansio.errors import CommandError, StartError, Text
from ezra.threaded.sqlite import faults, inspection, probe
from ezra.threaded.sqlite.keeping import sync_directory, sync_file
from ezra.threaded.sqlite.lock import OWNER_ONLY
from ezra.threaded.sqlite.pool import BUSY_TIMEOUT
from ezra.threaded.sqlite.probe import COMPANIONS

BACKUPS = "backups"
"""The directory in the data directory."""

UNFINISHED = ".unfinished"


def back_up(database: Path, target: Path, *, reserve: int) -> int:
    """Write a backup of the database's present state.

    Args:
        database: that of a running server, or of none.
        target: the backup's name; nothing may have it yet.
        reserve: bytes that must stay free on the disk.

    Returns:
        Its size in bytes.

    Raises:
        CommandError: it was not made, and nothing is left of it; the text says why.
    """
    try:
        with _directory_of(target), probe.reading(database, busy_timeout=BUSY_TIMEOUT) as source:
            if target.exists():
                raise CommandError(Text.BACKUP_EXISTS.format(name=target.name))
            _check_room(source, target.parent, reserve)
            return _write(database, target)
    except (OSError, sqlite3.Error, StartError) as error:
        if faults.is_full(error):
            raise CommandError(Text.BACKUP_FULL) from error
        reason = " ".join(str(error).split())
        raise CommandError(Text.BACKUP_FAILED.format(reason=reason)) from error


@contextmanager
def _directory_of(target: Path) -> Iterator[None]:
    """Hold the directory for backups; it is made if it belongs to the data directory."""
    directory = target.parent
    if directory.name == BACKUPS and not directory.exists():
        directory.mkdir(0o700, exist_ok=True)
        sync_directory(directory.parent)
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise CommandError(Text.BACKUP_RUNNING) from error
    finally:
        os.close(handle)


def _check_room(source: sqlite3.Connection, directory: Path, reserve: int) -> None:
    """Refuse what would fill the disk that pushes need."""
    pages, free, size = (
        source.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    needed = (pages - free) * size + reserve
    there_is = shutil.disk_usage(directory).free
    if there_is < needed:
        raise CommandError(Text.BACKUP_NO_ROOM.format(needed=needed, free=there_is))


def _write(database: Path, target: Path) -> int:
    _sweep(target)
    unfinished = target.with_name(target.name + UNFINISHED)
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
        _vacuum(database, unfinished)
        sync_file(unfinished)
        _verify(unfinished)
        unfinished.rename(target)
        sync_directory(target.parent)
        return target.stat().st_size
    finally:
        _sweep(target)


def _vacuum(database: Path, into: Path) -> None:
    """Have SQLite write what it reads.

    That takes a connection which may write. It does not; nor does it bring the log into the
    database when it is closed, because it is not the last: `back_up` has another one.
    """
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for pragma in (f"busy_timeout = {BUSY_TIMEOUT}", "temp_store = 2", "trusted_schema = 0"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
        connection.execute("VACUUM INTO ?", (os.fspath(into),))


def _verify(backup: Path) -> None:
    """See that it can be started on. Raises StartError or OSError where not."""
    inspection.read_header(backup)
    try:
        with inspection.malformed_is_damage(backup), probe.reading(backup) as connection:
            inspection.inspect_pages(connection, backup)
    except inspection.Damage as damage:
        raise OSError(str(damage)) from damage


def _sweep(target: Path) -> None:
    """Remove what was begun and not finished. Under the directory's lock.

    In the directory that is for backups only, also what another one has left.
    """
    begun = "*" if target.parent.name == BACKUPS else glob.escape(target.name)
    for suffix in ("", *COMPANIONS):
        for leftover in target.parent.glob(f"{begun}{UNFINISHED}{suffix}"):
            with suppress(OSError):
                leftover.unlink()
