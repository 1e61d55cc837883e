"""The values that hold no other values, and the numbers that announce how long the others are.

Strategy: a pattern first says whether the text is what the protocol allows, only then is it
converted; Python's own `int` and `float` are more generous (`1_0`, ` +7 `, `Infinity`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ezra.sansio.errors import RemoteProtocolError, Text
from ezra.sansio.resp.limits import MAX_NUMBER
from ezra.sansio.resp.values import (
    BigNumber,
    BulkError,
    SimpleError,
    SimpleString,
    Value,
    VerbatimString,
)

MAX_INTEGER = 2**63 - 1
MIN_INTEGER = -(2**63)

_STRICT_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
_INTEGER = re.compile(rb"[+-]?[0-9]+")
_DOUBLE = re.compile(rb"[+-]?(?:[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|inf|nan)")


def to_text(data: bytes) -> str:
    """Return the text of these bytes; those that are not UTF-8 become surrogate escapes."""
    return data.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    """Return the bytes of a text; undoes `to_text`."""
    return text.encode("utf-8", "surrogateescape")


def strict_integer(text: bytes) -> int | None:
    """Return the number that the digits say, or None where it is not written as Redis wants it.

    As strict as Redis: no sign but a minus, no leading zero, 19 digits at most. So it may exceed
    64 bits a little: every caller has bounds of its own.
    """
    return int(text) if _STRICT_INTEGER.fullmatch(text) else None


def read_with(
    readers: Mapping[bytes, Callable[[bytes], Value]], marker: bytes, body: bytes
) -> Value:
    """Return the value of the body, read as its marker, a key of `readers`, says.

    Raises:
        RemoteProtocolError: the body is not what the marker announces.
    """
    try:
        return readers[marker](body)
    except ValueError:
        raise RemoteProtocolError(Text.INVALID_VALUE.format(byte=to_text(marker))) from None


def _simple_string(body: bytes) -> SimpleString:
    return SimpleString(_single_line(body))


def _simple_error(body: bytes) -> SimpleError:
    return SimpleError(_single_line(body))


def _single_line(body: bytes) -> str:
    if b"\r" in body:
        raise ValueError
    return to_text(body)


def _integer(body: bytes) -> int:
    number = _any_integer(body)
    if not MIN_INTEGER <= number <= MAX_INTEGER:
        raise ValueError
    return number


def _big_number(body: bytes) -> BigNumber:
    return BigNumber(_any_integer(body))


def _any_integer(body: bytes) -> int:
    if len(body) > MAX_NUMBER or not _INTEGER.fullmatch(body):
        raise ValueError
    return int(body)


def _double(body: bytes) -> float:
    if len(body) > MAX_NUMBER or not _DOUBLE.fullmatch(body):
        raise ValueError
    return float(body)


def _boolean(body: bytes) -> bool:
    if body not in (b"t", b"f"):
        raise ValueError
    return body == b"t"


def _null(body: bytes) -> None:
    if body:
        raise ValueError


def _bulk_error(body: bytes) -> BulkError:
    return BulkError(to_text(body))


def _verbatim_string(body: bytes) -> VerbatimString:
    """Return the text behind its kind: `txt:Some text`."""
    if body[3:4] != b":":
        raise ValueError
    return VerbatimString(to_text(body[4:]), to_text(body[:3]))


SCALARS: Mapping[bytes, Callable[[bytes], Value]] = {
    b"+": _simple_string,
    b"-": _simple_error,
    b":": _integer,
    b"(": _big_number,
    b",": _double,
    b"#": _boolean,
    b"_": _null,
}
"""How to read what follows the first byte of a line, by that byte."""

BULKS: Mapping[bytes, Callable[[bytes], Value]] = {
    b"$": bytes,
    b";": bytes,
    b"!": _bulk_error,
    b"=": _verbatim_string,
}
"""How to read counted bytes, by the first byte of the line that counts them; `;` is a chunk."""
