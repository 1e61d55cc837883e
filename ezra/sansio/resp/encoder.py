"""RESP values to bytes, for a peer that speaks RESP2 or RESP3.

Strategy: a list of the values that are still to be written, the next one last. A scalar is written
whole; an aggregate writes its first line and puts its elements on the list, so nothing recurses.
RESP2 has only six types; every other value has a stand-in among them, by the table in `values`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from types import NoneType
from typing import Any

from ezra.sansio.errors import LocalProtocolError
from ezra.sansio.resp.scalars import MAX_INTEGER, MIN_INTEGER, to_bytes
from ezra.sansio.resp.values import (
    Attribute,
    BigNumber,
    BulkError,
    Map,
    NullArray,
    Push,
    Set,
    SimpleError,
    SimpleString,
    Value,
    VerbatimString,
)


def encode(value: Value, protocol: int) -> bytes:
    """Return the bytes of a value in RESP 2 or 3.

    Raises:
        LocalProtocolError: the value, or one within it, is none of `Value`, or is an `int` of more
            than 64 bits.
    """
    parts: list[bytes] = []
    pending: list[Value] = [value]
    while pending:
        value = pending.pop()
        # Nearly all that EZRA sends is one of these two, so they go without a call.
        if isinstance(value, bytes):
            parts.append(b"$%d\r\n%b\r\n" % (len(value), value))
        elif isinstance(value, tuple):
            parts.append(b"*%d\r\n" % len(value))
            pending += value[::-1]
        else:
            parts.append(_encode_other(value, protocol, pending))
    return b"".join(parts)


def _encode_other(value: Value, protocol: int, pending: list[Value]) -> bytes:
    """Return the bytes that a value begins with; put what comes after them on the list."""
    kind = type(value)
    scalars, stand_ins = (_SCALARS_3, _NO_STAND_INS) if protocol == 3 else (_SCALARS_2, _STAND_INS)
    if kind in scalars:
        return scalars[kind](value)
    if kind in stand_ins:
        pending.append(stand_ins[kind](value))
        return b""
    marker, announced, elements = _open(value)
    pending += elements[::-1]
    return b"%b%d\r\n" % (marker, announced)


def _open(value: Value) -> tuple[bytes, int, tuple[Value, ...]]:
    """Return an aggregate's marker, its length as it is announced, and its elements."""
    match value:
        case Map(pairs):
            return b"%", len(pairs), _flat(pairs)
        case Set(members):
            return b"~", len(members), members
        case Push(items):
            return b">", len(items), items
        case Attribute(pairs, annotated):
            return b"|", len(pairs), (*_flat(pairs), annotated)
        case _:
            raise LocalProtocolError(f"not a RESP value: {value!r}")


def _flat(pairs: Iterable[tuple[Value, Value]]) -> tuple[Value, ...]:
    return tuple(chain.from_iterable(pairs))


def _bulk(marker: bytes, data: bytes) -> bytes:
    return b"%b%d\r\n%b\r\n" % (marker, len(data), data)


def _integer(number: int) -> bytes:
    if not MIN_INTEGER <= number <= MAX_INTEGER:
        raise LocalProtocolError(f"an integer of more than 64 bits: {number:#x}")
    return b":%d\r\n" % number


def _line(marker: bytes, text: str) -> bytes:
    # A line break in the text would end the line, and what follows it would be a reply of its own.
    return b"%b%b\r\n" % (marker, to_bytes(text).replace(b"\r", b" ").replace(b"\n", b" "))


def _decimal(number: float) -> bytes:
    return repr(number).encode()


_Encoders = Mapping[type, Callable[[Any], bytes]]

_SCALARS_2: _Encoders = {
    int: _integer,
    NoneType: lambda _: b"$-1\r\n",
    NullArray: lambda _: b"*-1\r\n",
    SimpleString: lambda value: _line(b"+", value.text),
    SimpleError: lambda value: _line(b"-", value.text),
}

_SCALARS_3: _Encoders = {
    **_SCALARS_2,
    NoneType: lambda _: b"_\r\n",
    NullArray: lambda _: b"_\r\n",
    bool: lambda value: b"#t\r\n" if value else b"#f\r\n",
    float: lambda value: b",%b\r\n" % _decimal(value),
    BigNumber: lambda value: b"(%d\r\n" % value.number,
    BulkError: lambda value: _bulk(b"!", to_bytes(value.text)),
    VerbatimString: lambda value: _bulk(b"=", to_bytes(f"{value.kind}:{value.text}")),
}

_STAND_INS: Mapping[type, Callable[[Any], Value]] = {
    bool: int,
    float: _decimal,
    BigNumber: lambda value: b"%d" % value.number,
    BulkError: lambda value: SimpleError(value.text),
    VerbatimString: lambda value: to_bytes(value.text),
    Set: lambda value: value.members,
    Map: lambda value: _flat(value.pairs),
    Push: lambda value: value.items,
    Attribute: lambda value: value.value,
}
"""What RESP2 gets instead of the types that only RESP3 has."""

_NO_STAND_INS: Mapping[type, Callable[[Any], Value]] = {}
