"""The bytes that have arrived and have not been read yet.

Strategy: what is being read is `data`, immutable bytes with a `position`, so that every slice of it
is a finished value. What arrives before `data` is read to its end goes to a tail, and the tail is
joined on only when what the reader waits for is whole: a line's end has been seen, or enough bytes
are there. So a byte is copied into the tail at most once and joined at most twice (when an element
before it is whole, and when its own is), its line end is looked for once, and nothing is ever moved
to make room: O(1) amortised a byte, however the network cut them. A chunk that finds the buffer
empty, the usual case, is not copied at all.
"""

from __future__ import annotations

import enum
from typing import Final

from ezra.sansio.errors import RemoteProtocolError, Text

CRLF = b"\r\n"


class NeedData(enum.Enum):
    """What a decoder answers when nothing whole is there. The one member is its own constant."""

    NEED_DATA = "need data"
    """Call again after `receive_data`."""


NEED_DATA: Final = NeedData.NEED_DATA


class Buffer:
    """Bytes in; lines and counted stretches of bytes out.

    A reader in a hurry may read `data` from `position` on, and say with `advance` how far it came.
    """

    __slots__ = ("_searched", "_tail", "data", "position")

    def __init__(self) -> None:
        self.data = b""
        self.position = 0
        self._tail = bytearray()
        self._searched = 0  # so many unread bytes are known to hold no line end

    def __len__(self) -> int:
        return len(self.data) - self.position + len(self._tail)

    def append(self, data: bytes) -> None:
        """Store what has arrived."""
        if self.data or self._tail:
            self._tail += data
        else:
            self.data = data

    def peek(self) -> int | None:
        """Return the next byte without taking it, or None where there is none."""
        if not self.data:
            self._join()
        return self.data[self.position] if self.data else None

    def take_line(self, limit: int, too_long: str) -> bytes | None:
        r"""Take everything up to the next \n, that included, or None while it is not there.

        Raises:
            RemoteProtocolError: with `too_long`; the line, its end included, exceeds the limit.
        """
        end = self._find_line_end()
        if end > limit or (end == 0 and len(self) >= limit):
            raise RemoteProtocolError(too_long)
        return self._take_to(self.position + end) if end else None

    def take_bulk(self, size: int) -> bytes | None:
        """Take so many bytes and the CRLF after them, or None while not all of it is there.

        Returns:
            The bytes without the CRLF.

        Raises:
            RemoteProtocolError: something else than CRLF comes after them.
        """
        if len(self.data) - self.position < size + 2:
            if len(self) < size + 2:
                return None
            self._join()
        bulk = self._take_to(self.position + size)
        if self._take_to(self.position + 2) != CRLF:
            raise RemoteProtocolError(Text.CRLF_EXPECTED)
        return bulk

    def skip(self, size: int) -> int:
        """Throw away up to so many bytes; return how many there were to throw away."""
        size = min(size, len(self))
        rest = size - (len(self.data) - self.position)
        if rest > 0:
            del self._tail[:rest]
        self.advance(min(self.position + size, len(self.data)))
        return size

    def advance(self, position: int) -> None:
        """Note that everything in `data` before `position` has been read."""
        self._searched = 0
        if position == len(self.data):
            # Let go of it: an idle connection must not hold the payload it sent last.
            self.data, position = b"", 0
        self.position = position

    def _find_line_end(self) -> int:
        """Return how long the next line is, its end included and joined on; 0: no end yet."""
        end = self.data.find(b"\n", self.position + self._searched)
        if end >= 0:
            return end + 1 - self.position
        unread = len(self.data) - self.position
        end = self._tail.find(b"\n", max(self._searched - unread, 0))
        if end >= 0:
            self._join()
            return unread + end + 1
        self._searched = len(self)
        return 0

    def _take_to(self, end: int) -> bytes:
        taken = self.data[self.position : end]
        self.advance(end)
        return taken

    def _join(self) -> None:
        self.data = b"".join((memoryview(self.data)[self.position :], self._tail))
        self.position = 0
        self._tail = bytearray()
