"""When the write-ahead log has grown long enough, it is brought into the database, and seen to be.

SQLite would do that by itself, at the end of a COMMIT, but it throws the outcome away: a disk that
fails there would go unnoticed until the log is needed. So its own checkpoints are off, and the
writer asks every few commits whether one is due. That takes two small reads of the log: the frame
that makes it long enough belongs to the log as it is now exactly if its salt is that of the header.
(SQLite's locks are on other files, so this one may be opened beside it.)

A checkpoint leaves the log's file as long as it is: SQLite begins anew at its front, in space that
the disk has given already. What cannot be brought in yet, because somebody else reads what was
before it, stays, and the log grows; so a person is told when it is far too long. Only `make_empty`
cuts the file off.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path

from ezra.sansio.errors import StorageFull
from ezra.threaded import failpoints
from ezra.threaded.sqlite import faults, statements
from ezra.threaded.sqlite.index import sync_index
from ezra.threaded.sqlite.pool import BUSY_TIMEOUT
from ezra.threaded.sqlite.probe import companion

log = logging.getLogger(__name__)

PAGES = 4_096
"""Frames after which a checkpoint is due: 16 MiB. A checkpoint writes each page once, however often
it changed, so fewer are better; and the log begins anew in the space that it has, which makes
fdatasync twice as fast as on a file that grows."""

EVERY = 8
"""Commits between two looks whether one is due: the log gets a little longer than it has to, and
most commits do without the reads."""

AGAIN = 1_024
"""Frames after which one is tried again that could not bring everything in."""

TOO_LONG = 256 * 1024 * 1024
"""Bytes of the log beyond which something is wrong: sixteen times what it should be."""

_HEADER, _FRAME_HEADER = 32, 24
"""Bytes of the log's header and of each frame's, from SQLite's description of its format."""


class Checkpoints:
    """Belongs to whoever leads the commit.

    Args:
        database: whose log it is.
    """

    def __init__(self, database: Path) -> None:
        self.pages, self.every, self.again = PAGES, EVERY, AGAIN
        """As the constants of these names; a test may have checkpoints oftener."""
        self._database = database
        self._path = companion(database, "-wal")
        self._file: int | None = None
        self._salt = b""
        self._due_at = PAGES
        self._commits = 0
        self._warned = False
        self._held_up = False

    def due(self) -> bool:
        """Say whether the log has grown so long that it should be brought in."""
        file = self._open()
        if file is None:
            return False
        header = os.pread(file, _HEADER, 0)
        page, salt = int.from_bytes(header[8:12], "big"), header[16:24]
        if salt != self._salt:
            self._salt, self._due_at = salt, self.pages
        frame = os.pread(file, 16, _HEADER + (self._due_at - 1) * (_FRAME_HEADER + page))
        return len(salt) == 8 and frame[8:16] == salt

    def run(self, connection: sqlite3.Connection) -> None:
        """Bring into the database what can be brought in without waiting for anybody.

        Raises:
            EngineError: there is no room for it (`StorageFull`), or the storage has failed.
        """
        self._due_at += self.again
        try:
            failpoints.passing("before_checkpoint")
            _, frames, brought_in = connection.execute(statements.BRING_IN).fetchone()
            self._due_at = max(self.pages, frames) + self.again
            self._watch_length(connection, complete=frames == brought_in)
        except (sqlite3.Error, OSError, MemoryError) as error:
            raise faults.at_commit(error) from error

    def run_if_due(self, connection: sqlite3.Connection, *, at_once: bool) -> None:
        """After a commit: bring the log in, if it is time. A full disk only makes it longer.

        Raises:
            OutcomeUnknown: the storage has failed.
        """
        self._commits += 1
        if not (at_once or (self._commits % self.every == 0 and self.due())):
            return
        try:
            self.run(connection)
            self._held_up = False
        except StorageFull:
            if not self._held_up:
                log.warning("no room to bring %s into the database: it grows", self._path)
            self._held_up = True

    def size(self) -> int:
        """Return how many bytes the log's file has."""
        file = self._open()
        return 0 if file is None else os.fstat(file).st_size

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int | None:
        """Return the log's file, once there is one."""
        if self._file is None and self._path.exists():
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        return self._file

    def _watch_length(self, connection: sqlite3.Connection, *, complete: bool) -> None:
        """Tell a person, once, that the log is too long; make it short when that is over."""
        size = self.size()
        if size <= TOO_LONG:
            return
        if complete:
            # Not even for a moment is anybody waited for who still reads from it.
            connection.execute("PRAGMA busy_timeout = 0").fetchall()
            make_empty(connection, self._database)
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}").fetchall()
            self._warned = self._warned and self.size() > TOO_LONG
        elif not self._warned:
            self._warned = True
            log.warning(
                "%s has %d bytes and grows: some program keeps a read transaction open on the "
                "database, end it",
                self._path, size,
            )  # fmt: skip


def make_empty(connection: sqlite3.Connection, database: Path) -> bool:
    """Bring the whole log into the database, and cut it off; say whether that was done.

    In two steps, with the index fsynced between them: a power loss must not leave an empty log
    beside an index that tells of frames in it, for a start takes those for lost.

    Args:
        connection: one that writes.
        database: what it writes to.

    Raises:
        sqlite3.Error: it could not be brought in.
        OSError: the index could not be fsynced.
    """
    busy, frames, brought_in = connection.execute(statements.BRING_ALL_IN).fetchone()
    if busy or brought_in < frames:
        return False
    sync_index(companion(database, "-shm"))
    busy = connection.execute(statements.CHECKPOINT).fetchone()[0]
    return not busy
