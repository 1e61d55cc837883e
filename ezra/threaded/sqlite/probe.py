"""Looking into a database without changing it: neither the file nor its write-ahead log.

A connection that may write, when it is closed as the last one, brings the log into the database and
removes it, also when the program has just found that the database is not for it. One that may not,
on the other hand, ignores CHECK constraints. So there are two here: one that may write and is told
to read only, and a guard that may not and is closed last.

SQLite still makes an index of the log (`-shm`) beside the file, and where there is no log an empty
one; what was not there before is removed again. Where a crash has left an index it makes it anew.
The old one may prove that the log has lost its end, so `left_as_found` puts that back.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from ezra.threaded.sqlite.index import read_index
from ezra.threaded.sqlite.keeping import sync_file
from ezra.threaded.sqlite.pool import closed_on_failure

_CACHE = -16_384
"""KiB, as SQLite wants them: negative."""

_SHARED_FIRST, _SHARED_SIZE = 0x4000_0002, 510
"""The bytes of a database on which SQLite's locks are, https://sqlite.org/src/file/src/os.h."""

COMPANIONS = ("-wal", "-shm", "-journal")
"""What the names of the files end in that SQLite keeps beside a database."""


def companion(path: Path, suffix: str) -> Path:
    """Return one of those files; with no suffix, the database itself."""
    return path.with_name(path.name + suffix)


@contextmanager
def reading(path: Path, *, busy_timeout: int = 0) -> Iterator[sqlite3.Connection]:
    """Open a connection that reads only, and leave the directory as it was.

    Args:
        path: the database. That no server of this process has it open is the caller's business.
        busy_timeout: milliseconds to wait for another program's lock.
    """
    beside = [companion(path, suffix) for suffix in ("-shm", "-wal")]
    made = [each for each in beside if not each.exists()]
    try:
        with closing(_connect(path, "ro", busy_timeout)) as guard:
            # A rollback journal is played back by a connection that may write, or by none.
            if not size_of(companion(path, "-journal")):
                guard.execute("PRAGMA user_version").fetchall()
            with closing(_connect(path, "rw", busy_timeout)) as connection:
                connection.execute("PRAGMA query_only = on").fetchall()
                yield connection
    finally:
        if made:
            _remove(path, made)


def _connect(path: Path, mode: str, busy_timeout: int) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(os.fspath(path.absolute()))}?mode={mode}", uri=True, isolation_level=None
    )
    with closed_on_failure(connection):  # a malformed file shows here already
        for pragma in (
            f"busy_timeout = {busy_timeout}",
            "temp_store = 2",
            "trusted_schema = 0",
            "mmap_size = 0",
            "wal_autocheckpoint = 0",
            f"cache_size = {_CACHE}",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def frames_read(connection: sqlite3.Connection, path: Path) -> int:
    """Return how many frames of the log SQLite takes for committed.

    It has just made that index, if no other program has the database open; in it stands how far it
    has come.
    """
    connection.execute("PRAGMA user_version").fetchall()  # so that it reads the log
    index = read_index(companion(path, "-shm"))
    return 0 if index is None else index.frames


def size_of(path: Path) -> int:
    """Return a file's size in bytes; 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def left_as_found(path: Path) -> Iterator[None]:
    """Have the log's index be afterwards what it was, unless another program uses it.

    And the log on disk what it is in memory: the end of it may come from a process that was killed
    before its fsync, and no index must tell of frames that a power loss can still take away.

    Args:
        path: the database. No engine of any process has it open, and none opens it meanwhile.

    Raises:
        OSError: the log cannot be fsynced.
    """
    log, index = companion(path, "-wal"), companion(path, "-shm")
    if size_of(log):
        sync_file(log)
    before = _stamp(log)
    found: bytes | None = None
    with suppress(OSError), _unused(path):
        found = index.read_bytes()
    try:
        yield
    finally:
        with suppress(OSError), _unused(path):
            if found is not None and index.exists() and _stamp(log) == before:
                index.write_bytes(found)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _remove(path: Path, made: Sequence[Path]) -> None:
    """Remove what SQLite has made, unless another program has opened the database meanwhile."""
    with suppress(OSError), _unused(path):
        for each in made:
            if each.name.endswith("-shm") or size_of(each) == 0:
                each.unlink(missing_ok=True)


@contextmanager
def _unused(path: Path) -> Iterator[None]:
    """Keep other programs from opening a database. Raises OSError if one has it open.

    Under the lock that SQLite takes for the same: who has the database open in WAL mode holds a
    part of it. Closing the file drops this process' locks on it; it has none that matter.
    """
    handle = os.open(path, os.O_RDWR)
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        yield
    finally:
        os.close(handle)
