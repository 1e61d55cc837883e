"""The index of a write-ahead log (`-shm`), read as bytes: how many frames it says are committed.

The format is SQLite's, https://sqlite.org/walformat.html#the_wal_index_file_format. The index is
shared memory: a crash leaves it as it was in the log's last moment, a power loss as any moment
before has left it on disk, and the first program that opens the database makes it anew.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ezra.threaded.sqlite.wal import Sums, checksum

_COPY = 48
"""It begins with two copies of a header of so many bytes."""
_SUMMED = 40
_FRAMES_AT = 16
_SALTS_AT = 32
_BROUGHT_IN_AT = 96
_SIZE = 100


@dataclass(frozen=True, slots=True)
class Index:
    """What an index says of its log."""

    frames: int
    """The last committed frame."""
    brought_in: int
    """Up to which frame the database has them, for certain."""
    salts: bytes
    """Those of the log's header."""

    @property
    def unwritten(self) -> int:
        """How many committed frames are in the log alone."""
        return max(0, self.frames - self.brought_in)


def read_index(path: Path) -> Index | None:
    """Read an index; None where there is none that its two copies and its checksum confirm."""
    try:
        with path.open("rb") as file:
            content = file.read(_SIZE)
    except FileNotFoundError:
        return None
    header = content[:_COPY]
    if len(content) < _SIZE or header != content[_COPY : 2 * _COPY]:
        return None
    sums: Sums = (_native(header, _SUMMED), _native(header, _SUMMED + 4))
    if checksum(header[:_SUMMED], (0, 0), big_endian=sys.byteorder == "big") != sums:
        return None
    return Index(
        _native(header, _FRAMES_AT),
        _native(content, _BROUGHT_IN_AT),
        header[_SALTS_AT : _SALTS_AT + 8],
    )


def sync_index(path: Path) -> None:
    """Have the index on disk say what it says in memory.

    Through a descriptor that SQLite has: to close another one would drop the locks of this process.

    Raises:
        OSError: the disk fails.
    """
    try:
        wanted = path.stat()
    except FileNotFoundError:
        return
    for name in os.listdir("/dev/fd"):
        try:
            found = os.fstat(int(name))
        except OSError:
            continue  # the one by which they were listed, or of a client that has gone
        if os.path.samestat(found, wanted):
            os.fsync(int(name))
            return


def _native(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 4], sys.byteorder)
