"""Connections to the database: the one that writes, and a few that read beside it.

All writes and all checkpoints are made by the one writer: SQLite before 3.51.3 can corrupt a
database when one connection checkpoints while another commits. Readers cannot write at all. In WAL
mode they see the last commit and wait for nobody; none of them stays in a transaction, for the WAL
could not start over while one did.
"""

from __future__ import annotations

import ctypes
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from ezra.sansio.errors import EngineClosed, StartError, Text
from ezra.threaded.sqlite import faults

Synchronous = Literal["full", "normal"]

BUSY_TIMEOUT = 5_000
"""Milliseconds to wait for a person who holds the database's write lock in some other tool."""

_EVERYWHERE: Mapping[str, int] = {
    "busy_timeout": BUSY_TIMEOUT,
    "foreign_keys": 1,
    "temp_store": 2,  # memory: no temporary files beside the database
    "trusted_schema": 0,  # a schema that somebody else wrote cannot call what it should not
}

_WRITER: Mapping[str, int] = {
    **_EVERYWHERE,
    # Checkpoints are `checkpoints`' business: SQLite's own swallow a disk's errors. They leave the
    # WAL's file as long as it is.
    "wal_autocheckpoint": 0,
    "journal_size_limit": -1,
    # 64 MiB: the upper pages of every index, and what was written since the last checkpoint.
    "cache_size": -65_536,
    # Read calls, not a mapping: a disk error is then an error code, not a SIGBUS for the server.
    "mmap_size": 0,
    # Some builds overwrite deleted content with zeros, which would write a payload a second time.
    "secure_delete": 0,
}

_READER: Mapping[str, int] = {**_EVERYWHERE, "query_only": 1, "wal_autocheckpoint": 0}

_SYNCHRONOUS: Mapping[Synchronous, int] = {"normal": 1, "full": 2}

STATEMENTS_KEPT = 512
"""Prepared statements for each connection; one for each number of rows in a statement."""


def open_writer(path: Path, synchronous: Synchronous) -> sqlite3.Connection:
    """Open the connection that writes.

    Raises:
        StartError: SQLite does not do what a pragma asks of it.
    """
    connection = _open(path)
    with closed_on_failure(connection):
        mode = connection.execute("PRAGMA journal_mode = wal").fetchone()[0]
        if mode != "wal":
            raise StartError(f"{path} cannot be used in WAL mode: SQLite answers {mode}")
        _set(connection, {**_WRITER, "synchronous": _SYNCHRONOUS[synchronous]})
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a connection that only reads."""
    connection = _open(path)
    with closed_on_failure(connection):
        _set(connection, _READER)
    return connection


def abandon(connection: sqlite3.Connection) -> None:
    """Let a connection be, for as long as the process lives, after its storage has failed.

    Closing the last one would bring the WAL into the database as the page cache has it, which may
    not be what is on the disk. The next process reads it anew and compares its checksums.
    """
    with suppress(sqlite3.Error):
        connection.rollback()  # lets the locks go
    # Nor must the end of the interpreter close it.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def let_go(connection: sqlite3.Connection, error: BaseException) -> None:
    """End with a connection that could not be used, because of that error."""
    if faults.storage_failed(error):
        abandon(connection)
    else:
        connection.close()


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path,
        isolation_level=None,  # every BEGIN is ours
        check_same_thread=False,  # who may use it is a matter of our locks
        cached_statements=STATEMENTS_KEPT,
    )


@contextmanager
def closed_on_failure(connection: sqlite3.Connection) -> Iterator[None]:
    """Close the connection if it cannot be set up.

    Left to the garbage collector it would be closed at any later time, and closing the last
    connection to a file removes the WAL *by its name*: by then perhaps that of another database.
    """
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _set(connection: sqlite3.Connection, pragmas: Mapping[str, int]) -> None:
    """Set each pragma and read it back: SQLite ignores what it does not know."""
    for name, wanted in pragmas.items():
        connection.execute(f"PRAGMA {name} = {wanted}").fetchall()
        answer = connection.execute(f"PRAGMA {name}").fetchone()
        if answer is not None and answer[0] != wanted:
            raise StartError(f"this SQLite refuses PRAGMA {name} = {wanted}: it says {answer[0]}")


class ReaderPool:
    """Read-only connections, lent to one thread at a time.

    `_returned` guards the list of idle connections, the number of open ones, and whether all is
    over; it is held for neither opening nor reading.

    Args:
        path: the database.
        size: the most connections that are open at once; who comes then waits for one.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self._idle: list[sqlite3.Connection] = []
        self._open = 0
        self._closed = False
        self._returned = threading.Condition(threading.Lock())

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that sees one moment of the database from begin to end. Be quick.

        Raises:
            EngineClosed: after `close`.
        """
        connection = self._take()
        try:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                # After some errors SQLite has ended it by itself; it is those that must be seen.
                if connection.in_transaction:
                    connection.execute("COMMIT")
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """Close every connection, once all are back; none is opened after that."""
        with self._returned:
            self._closed = True
            self._returned.wait_for(lambda: len(self._idle) == self._open)
            for connection in self._idle:
                connection.close()
            self._idle.clear()
            self._open = 0

    def _take(self) -> sqlite3.Connection:
        with self._returned:
            self._returned.wait_for(lambda: self._closed or self._idle or self._open < self._size)
            if self._closed:
                raise EngineClosed(Text.SHUTTING_DOWN)
            if self._idle:
                return self._idle.pop()
            self._open += 1
        try:
            return open_reader(self._path)
        except BaseException:
            with self._returned:
                self._open -= 1
                self._returned.notify_all()
            raise

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._returned:
            if connection.in_transaction:  # Ctrl-C, say: nobody could begin another one on it
                connection.close()
                self._open -= 1
            else:
                self._idle.append(connection)
            # Not just one: whoever closes the pool waits here, too.
            self._returned.notify_all()
