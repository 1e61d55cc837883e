"""What a server reads: requests, each a list of words.

A request is an array of bulk strings, or one inline line. Texts of errors, and what is ignored or
refused, are Redis' own; beyond Redis, every CRLF is verified.

Strategy: most requests are whole in the buffer and made of short words, so `_take_ready_words` runs
over these with nothing but local names. Where it meets anything else (a word that is not whole, or
long, or wrong) it leaves that to `_take_word`, which knows every case, one word at a time, and can
stop anywhere. Words that have been read are kept and never read again.
"""

from __future__ import annotations

from dataclasses import dataclass

from ezra.sansio.errors import RemoteProtocolError, Text
from ezra.sansio.resp.buffer import CRLF, NEED_DATA, Buffer, NeedData
from ezra.sansio.resp.inline import split_inline
from ezra.sansio.resp.limits import (
    DEFAULT_LIMITS,
    STRANGERS_MAX_BULK,
    STRANGERS_MAX_WORDS,
    Limits,
)
from ezra.sansio.resp.scalars import strict_integer, to_text

WORD_COST = 64
"""Bytes that Python takes for a word beside its own."""

_SHORT = 1024  # a word below this many bytes is taken by the fast path
_SIZES = {b"$%d\r\n" % size: size for size in range(_SHORT)}  # reading a number, but faster


@dataclass(frozen=True, slots=True)
class Oversized:
    """A well-formed request that exceeded a limit and was thrown away as it came in.

    It wants an error reply that says so; the connection goes on.
    """

    size: int
    """Bytes of what did not fit: the first word too large, or the request up to there."""
    limit: int
    """How many it may have."""


class RequestDecoder:
    """Bytes in, requests out: `receive_data`, then `next_request` until it answers NEED_DATA."""

    __slots__ = (
        "_buffer",
        "_error",
        "_granted",
        "_limits",
        "_missing",
        "_oversized",
        "_room",
        "_size",
        "_words",
        "stranger",
    )

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.stranger = False
        """Whether the peer has yet to say a password, and may send little until then. It may be
        changed between two requests, and holds for what has arrived already, too."""
        self._limits = limits
        self._buffer = Buffer()
        self._error: str | None = None  # what the peer did wrong; nothing is read after that
        self._words: list[bytes] = []  # of the request being read
        self._missing = 0  # words that are still to come
        self._size: int | None = None  # of the word being read, once its length has been
        self._room = 0  # bytes that are left to the request
        self._granted = 0  # bytes that it had in the beginning
        self._oversized: Oversized | None = None  # set: what is left of the request is thrown away

    def receive_data(self, data: bytes) -> None:
        """Store what has arrived. Nothing is decoded before `next_request`."""
        self._buffer.append(data)

    @property
    def held(self) -> int:
        """How many bytes are kept of what has arrived, `WORD_COST` for each word included."""
        if not self._missing or self._oversized is not None:
            return len(self._buffer)
        announced = self._size or 0  # and charged, but not there yet
        words = self._granted - self._room - announced
        return words + WORD_COST * len(self._words) + len(self._buffer)

    def next_request(self) -> list[bytes] | Oversized | NeedData:
        """Return the next whole request, of one word at least; NEED_DATA while there is none.

        Raises:
            RemoteProtocolError: the peer sent what is no request. The text is the error reply.
                Every later call raises it again.
        """
        if self._error is not None:
            raise RemoteProtocolError(self._error)
        try:
            return self._decode()
        except RemoteProtocolError as error:
            self._error = str(error)
            raise

    def _decode(self) -> list[bytes] | Oversized | NeedData:
        if not self._missing:
            answer = self._start()
            if answer is not None:
                return answer
            self._take_ready_words()
        while self._missing:
            if not self._take_word():
                return NEED_DATA
            self._take_ready_words()
        words, self._words = self._words, []
        return words if self._oversized is None else self._oversized

    def _start(self) -> list[bytes] | NeedData | None:
        """Return an inline request, or None where an array of words has begun."""
        while not self._missing:
            line = self._take_first_line()
            if line is None:
                return NEED_DATA
            if line.startswith(b"*"):
                self._begin(line)
            elif words := split_inline(line):
                return words
        return None

    def _take_first_line(self) -> bytes | None:
        inline = self._buffer.peek() != ord("*")
        too_long = Text.BIG_INLINE_REQUEST if inline else Text.BIG_MULTIBULK_COUNT
        return self._buffer.take_line(self._limits.max_line, too_long)

    def _begin(self, line: bytes) -> None:
        """Begin an array; one without words is over with that, and was no request."""
        count = _length(line)
        if self.stranger and count is not None and count > STRANGERS_MAX_WORDS:
            raise RemoteProtocolError(Text.STRANGERS_MULTIBULK)
        if count is None or count > self._limits.max_words:
            raise RemoteProtocolError(Text.INVALID_MULTIBULK_LENGTH)
        self._missing = max(count, 0)
        self._room = self._granted = self._limits.max_request
        self._oversized = None

    def _take_ready_words(self) -> None:
        """Take short words that are whole for as long as there are; the server's hot path."""
        data, position, missing = self._buffer.data, self._buffer.position, self._missing
        if len(data) - position > self._room or self._limits.max_bulk < _SHORT or self._oversized:
            return  # a limit may be met: leave it to the path that keeps count
        start = position
        find, words = data.find, self._words
        while missing:
            end = find(b"\n", position) + 1
            size = _SIZES.get(data[position:end])
            if size is None:
                break
            stop = end + size
            if data[stop : stop + 2] != CRLF:
                break
            words.append(data[end:stop])
            position = stop + 2
            missing -= 1
        self._missing = missing
        self._room -= position - start
        self._buffer.advance(position)

    def _take_word(self) -> bool:
        """Take one word of any kind; return whether it was all there."""
        if self._size is None:
            self._size = self._take_size()
            if self._size is None:
                return False
        if self._oversized is not None:
            self._size -= self._buffer.skip(self._size)
        word = self._buffer.take_bulk(self._size)
        if word is None:
            return False
        if self._oversized is None:
            self._words.append(word)
        self._size = None
        self._missing -= 1
        return True

    def _take_size(self) -> int | None:
        """Take the line in front of a word; return the length it announces, None: not there yet."""
        line = self._buffer.take_line(self._limits.max_line, Text.BIG_BULK_COUNT)
        if line is None:
            return None
        if not line.startswith(b"$"):
            raise RemoteProtocolError(Text.BULK_EXPECTED.format(byte=to_text(line[:1])))
        size = _length(line)
        if size is None or not 0 <= size <= self._limits.max_announced_bulk:
            raise RemoteProtocolError(Text.INVALID_BULK_LENGTH)
        if self.stranger and size > STRANGERS_MAX_BULK:
            raise RemoteProtocolError(Text.STRANGERS_BULK)
        self._admit(size, len(line) + size + len(CRLF))
        return size

    def _admit(self, size: int, cost: int) -> None:
        """Count a word of this size against the limits; what exceeds them is thrown away."""
        self._room -= cost
        if size > self._limits.max_bulk:
            self._refuse(size, self._limits.max_bulk)
        elif self._room < 0:
            self._refuse(self._limits.max_request - self._room, self._limits.max_request)

    def _refuse(self, size: int, limit: int) -> None:
        if self._oversized is None:
            self._oversized = Oversized(size, limit)
            self._words = []


def _length(line: bytes) -> int | None:
    """Return the length that a line announces behind its first byte; None: it is malformed."""
    return strict_integer(line[1:-2]) if line.endswith(CRLF) else None
