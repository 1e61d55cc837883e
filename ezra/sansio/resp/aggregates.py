"""The values that hold other values: how many each holds, and how it is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ezra.sansio.resp.values import Attribute, Map, Push, Set, Value


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One kind of aggregate."""

    make: Callable[[list[Value]], Value]
    """Makes the value of its elements, when all of them are there."""
    width: int = 1
    """Elements for each one that is announced."""
    extra: int = 0
    """Elements beside those."""
    streamable: bool = False
    """Whether it may come without its length."""


def _pairs(items: list[Value]) -> tuple[tuple[Value, Value], ...]:
    return tuple(zip(items[::2], items[1::2], strict=True))


def _attribute(items: list[Value]) -> Attribute:
    *pairs, value = items
    return Attribute(_pairs(pairs), value)


def _joined(chunks: list[Value]) -> bytes:
    return b"".join(chunk for chunk in chunks if isinstance(chunk, bytes))


AGGREGATES: Mapping[bytes, Aggregate] = {
    b"*": Aggregate(tuple, streamable=True),
    b"~": Aggregate(lambda items: Set(tuple(items)), streamable=True),
    b"%": Aggregate(lambda items: Map(_pairs(items)), width=2, streamable=True),
    b">": Aggregate(lambda items: Push(tuple(items))),
    b"|": Aggregate(_attribute, width=2, extra=1),
}
"""By the first byte. An attribute's last element is the value that it belongs to."""

STREAMED_STRING = Aggregate(_joined, streamable=True)
"""A bulk string that comes in chunks; these are all that it holds."""
