"""Write-ahead logs that SQLite itself has written, with what was committed when, to be damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ezra.threaded.sqlite.inspection import inspect_tail
from ezra.threaded.sqlite.probe import companion, frames_read, reading, size_of
from ezra.threaded.sqlite.schema import APPLICATION_ID
from ezra.threaded.sqlite.tail import Findings
from ezra.threaded.sqlite.wal import FRAME_HEADER_SIZE, HEADER_SIZE

SECTOR = 512


@dataclass
class History:
    """A database that was never closed, and its log after each commit."""

    directory: Path
    page_size: int = 512
    logs: list[bytes] = field(default_factory=list)
    """The log as it was fsynced with each commit of its present run, the first being before any."""
    ends: list[int] = field(default_factory=list)
    """Where the last frame of each ends."""
    befores: list[bytes] = field(default_factory=list)
    """The log when each was begun: what was rolled back since the one before may be in it."""

    def __post_init__(self) -> None:
        self._connection = sqlite3.connect(self.path, isolation_level=None)
        execute = self._connection.execute
        execute(f"PRAGMA page_size = {self.page_size}")
        execute(f"PRAGMA application_id = {APPLICATION_ID}")
        execute("PRAGMA user_version = 1")
        execute("PRAGMA journal_mode = wal").fetchall()
        execute("PRAGMA wal_autocheckpoint = 0").fetchall()
        execute("PRAGMA synchronous = full")
        execute("CREATE TABLE commits (n INTEGER PRIMARY KEY, filler BLOB)")
        execute("CREATE TABLE pages (n INTEGER PRIMARY KEY, filler BLOB)")
        self.restart()

    @property
    def path(self) -> Path:
        """The database."""
        return self.directory / "ezra.db"

    @property
    def log(self) -> bytes:
        """The log as it is."""
        return companion(self.path, "-wal").read_bytes()

    @property
    def end(self) -> int:
        """Where the last committed frame ends."""
        frames = frames_read(self._connection, self.path)
        return HEADER_SIZE + frames * (FRAME_HEADER_SIZE + self.page_size)

    def commit(self, size: int = 0, content: str = "randomblob") -> None:
        """Commit a transaction that writes about so many bytes beside its mark."""
        n = len(self.logs)
        self.befores.append(self.log)
        self._connection.execute("BEGIN")
        self._connection.execute("INSERT INTO commits VALUES (?, x'')", (n,))
        self._connection.execute(f"INSERT INTO pages (filler) VALUES ({content}(?))", (size,))
        self._connection.execute("COMMIT")
        self.logs.append(self.log)
        self.ends.append(self.end)

    def roll_back(self, size: int) -> None:
        """Write frames that are never committed, as a large transaction does that is undone."""
        self._connection.execute("PRAGMA cache_size = 2")
        self._connection.execute("BEGIN")
        for _ in range(4):
            self._connection.execute("INSERT INTO pages (filler) VALUES (randomblob(?))", (size,))
        self._connection.execute("ROLLBACK")
        self._connection.execute("PRAGMA cache_size = 2000")

    def restart(self) -> None:
        """Have the next commit begin at the front of the log; old frames stay behind it."""
        self._connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        self._connection.execute("DELETE FROM commits")
        self._connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        # A first commit, so that the log has the header of its new run.
        self._connection.execute("UPDATE pages SET filler = filler WHERE n = 0")
        self._connection.execute("CREATE TABLE begun (x)")
        self._connection.execute("DROP TABLE begun")
        self.logs = [self.log]
        self.ends = [self.end]
        self.befores = [b""]

    def crash(self, directory: Path) -> Crashed:
        """Return what there is on disk now, in another directory."""
        return Crashed(directory, self.path.read_bytes(), self.logs, self.befores, self.ends)

    def close(self) -> None:
        """End it."""
        self._connection.close()


@dataclass
class Crashed:
    """A database whose log can be made any other, again and again."""

    directory: Path
    database: bytes
    logs: list[bytes]
    befores: list[bytes]
    ends: list[int]

    @property
    def path(self) -> Path:
        """The database."""
        return self.directory / "ezra.db"

    @property
    def commits(self) -> int:
        """How many commits were answered."""
        return len(self.logs) - 1

    def put(self, log: bytes) -> None:
        """Make the directory as a crash leaves it with this log."""
        companion(self.path, "-shm").unlink(missing_ok=True)
        if size_of(self.path) == 0:
            self.path.write_bytes(self.database)
        companion(self.path, "-wal").write_bytes(log)

    def look(self, log: bytes, *, fsynced: bool = True) -> tuple[Findings, int]:
        """Return what is found in this log, and how many commits SQLite reads.

        Raises:
            Damage: as `inspect_tail`.
        """
        self.put(log)
        with reading(self.path) as connection:
            findings = inspect_tail(connection, self.path, None, fsynced=fsynced)
            return findings, connection.execute("SELECT count(*) FROM commits").fetchone()[0]


def torn(old: bytes, new: bytes, kept: Iterable[bool], size: int) -> bytes:
    """Return a log of which some sectors of the last write are on disk and some are not.

    Args:
        old: as it was when it was last fsynced.
        new: as it should have become.
        kept: for each sector that differs, whether it is on disk.
        size: the length of the file; what was never written of it is zeros.
    """
    content = bytearray(max(len(new), len(old)))
    content[: len(old)] = old
    choices = iter(kept)
    for at in range(0, len(new), SECTOR):
        sector = new[at : at + SECTOR]
        if content[at : at + SECTOR] != sector and next(choices, True):
            content[at : at + len(sector)] = sector
    return bytes(content[:size])


def recovered(crashed: Crashed, log: bytes, size: int) -> list[bytes]:
    """Have SQLite recover a log and commit once more behind it, with no checkpoint between.

    Returns:
        The log when it was recovered, and after that commit.
    """
    crashed.put(log)
    with closing(sqlite3.connect(crashed.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
        connection.execute("SELECT count(*) FROM commits").fetchall()
        before = companion(crashed.path, "-wal").read_bytes()
        connection.execute("BEGIN")
        connection.execute("INSERT INTO commits VALUES (1000, x'')")
        connection.execute("INSERT INTO pages (filler) VALUES (randomblob(?))", (size,))
        connection.execute("COMMIT")
        after = companion(crashed.path, "-wal").read_bytes()
    crashed.path.unlink()  # closing has changed it
    return [before, after]
