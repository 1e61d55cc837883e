"""Any value of RESP2 or RESP3, from bytes that come in pieces.

Strategy: a value is a sequence of elements, each of them a line, or a line and counted bytes. The
loop reads one element at a time and never goes back. Half-read aggregates wait on a stack of frames
of its own, so nothing recurses, however deep the peer nests, and nothing is read twice, however the
network cuts. An element is placed in the topmost frame; a frame that is full is itself an element.

RESP3's streamed forms are read, too: `$?` with its `;` chunks is a bulk string; `*?`, `~?` and `%?`
up to `.` are an array, a set, a map. A server reads requests with `requests.RequestDecoder`, which
knows fewer forms and is faster.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from ezra.sansio.errors import RemoteProtocolError, Text
from ezra.sansio.resp.aggregates import AGGREGATES, STREAMED_STRING, Aggregate
from ezra.sansio.resp.buffer import CRLF, NEED_DATA, Buffer, NeedData
from ezra.sansio.resp.limits import DEFAULT_LIMITS, Limits
from ezra.sansio.resp.scalars import BULKS, SCALARS, read_with, strict_integer, to_text
from ezra.sansio.resp.values import NULL_ARRAY, Value

_STREAMED = -1  # the missing elements of a streamed frame: counting down from it never meets 0


class _Step(enum.Enum):
    """What stands for a value that is not there yet though its bytes have been read."""

    READ_ON = "read on"


@dataclass(slots=True)
class _Frame:
    """A half-read aggregate."""

    kind: Aggregate
    missing: int
    items: list[Value] = field(default_factory=list)


class Decoder:
    """Bytes in, values out: `receive_data`, then `next_value` until it answers NEED_DATA."""

    __slots__ = ("_buffer", "_bulk", "_elements", "_error", "_frames", "_limits", "_room")

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._buffer = Buffer()
        self._error: str | None = None  # what the peer did wrong; nothing is read after that
        self._frames: list[_Frame] = []
        self._bulk: tuple[bytes, int] | None = None  # marker and size of the bulk that is awaited
        self._elements = 0  # in the value being read, so far
        self._room = limits.max_request  # bytes that are left to that value

    def receive_data(self, data: bytes) -> None:
        """Store what has arrived. Nothing is decoded before `next_value`."""
        self._buffer.append(data)

    def next_value(self) -> Value | NeedData:
        """Return the next whole value; NEED_DATA (a member of `NeedData`) while there is none.

        Raises:
            RemoteProtocolError: the bytes are not RESP or exceed a limit. Every later call raises
                it again.
        """
        if self._error is not None:
            raise RemoteProtocolError(self._error)
        try:
            return self._decode()
        except RemoteProtocolError as error:
            self._error = str(error)
            raise

    def _decode(self) -> Value | NeedData:
        value: Value | NeedData | _Step = _Step.READ_ON
        while isinstance(value, _Step):
            value = self._read_line() if self._bulk is None else self._read_bulk(*self._bulk)
            if not isinstance(value, NeedData | _Step):
                value = self._place(value)
        if value is not NEED_DATA:
            self._elements, self._room = 0, self._limits.max_request
        return value

    def _place(self, value: Value) -> Value | _Step:
        """Put a value where it belongs; return it when that is nowhere: then it is the result."""
        while self._frames:
            frame = self._frames[-1]
            frame.items.append(value)
            frame.missing -= 1
            self._count_element()
            if frame.missing:
                return _Step.READ_ON
            value = self._close_frame()
        return value

    def _read_line(self) -> Value | NeedData | _Step:
        line = self._buffer.take_line(self._limits.max_line, Text.LINE_TOO_LONG)
        if line is None:
            return NEED_DATA
        self._charge(len(line))
        marker, body = line[:1], line[1:-2]
        if not line.endswith(CRLF):
            raise RemoteProtocolError(Text.INVALID_VALUE.format(byte=to_text(marker)))
        self._check_place(marker)
        return self._read_element(marker, body)

    def _read_element(self, marker: bytes, body: bytes) -> Value | NeedData | _Step:
        if marker in BULKS:
            return self._open_bulk(marker, body)
        if marker in SCALARS:
            return read_with(SCALARS, marker, body)
        if marker in AGGREGATES:
            return self._open_aggregate(marker, body)
        if marker == b".":
            return self._end_stream(body)
        raise RemoteProtocolError(Text.UNKNOWN_TYPE.format(byte=to_text(marker)))

    def _open_bulk(self, marker: bytes, body: bytes) -> Value | NeedData | _Step:
        if marker == b"$" and body == b"?":
            return self._open_frame(STREAMED_STRING, _STREAMED)
        size = strict_integer(body)
        if marker == b"$" and size == -1:
            return None
        if marker == b";" and size == 0:
            return self._close_frame()
        if size is None or not 0 <= size <= self._limits.max_bulk:
            raise RemoteProtocolError(Text.INVALID_BULK_LENGTH)
        self._charge(size + len(CRLF))
        return self._read_bulk(marker, size)

    def _read_bulk(self, marker: bytes, size: int) -> Value | NeedData:
        data = self._buffer.take_bulk(size)
        if data is None:
            self._bulk = marker, size
            return NEED_DATA
        self._bulk = None
        return read_with(BULKS, marker, data)

    def _open_aggregate(self, marker: bytes, body: bytes) -> Value | _Step:
        kind = AGGREGATES[marker]
        if body == b"?" and kind.streamable:
            return self._open_frame(kind, _STREAMED)
        count = strict_integer(body)
        if marker == b"*" and count == -1:
            return NULL_ARRAY
        if count is None or not 0 <= count <= self._limits.max_words:
            raise RemoteProtocolError(Text.INVALID_MULTIBULK_LENGTH)
        elements = count * kind.width + kind.extra
        return self._open_frame(kind, elements) if elements else kind.make([])

    def _open_frame(self, kind: Aggregate, missing: int) -> _Step:
        if len(self._frames) >= self._limits.max_depth:
            raise RemoteProtocolError(Text.TOO_DEEP)
        self._frames.append(_Frame(kind, missing))
        return _Step.READ_ON

    def _close_frame(self) -> Value:
        frame = self._frames.pop()
        return frame.kind.make(frame.items)

    def _end_stream(self, body: bytes) -> Value:
        frame = self._frames[-1] if self._frames else None
        if body or frame is None or frame.missing >= 0 or len(frame.items) % frame.kind.width:
            raise RemoteProtocolError(Text.OUT_OF_PLACE.format(byte="."))
        return self._close_frame()

    def _check_place(self, marker: bytes) -> None:
        """Refuse a chunk outside of a streamed string, and anything else within one."""
        within = bool(self._frames) and self._frames[-1].kind is STREAMED_STRING
        if within != (marker == b";"):
            raise RemoteProtocolError(Text.OUT_OF_PLACE.format(byte=to_text(marker)))

    def _count_element(self) -> None:
        self._elements += 1
        if self._elements > self._limits.max_words:
            raise RemoteProtocolError(Text.TOO_LARGE)

    def _charge(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise RemoteProtocolError(Text.TOO_LARGE)
