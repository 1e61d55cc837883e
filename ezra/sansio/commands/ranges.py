"""The commands that look at tasks by their ids without claiming them: XRANGE and XREVRANGE."""

# ruff: noqa: ARG002 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import Words, address, integer, interval
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.commands.fields import entry_fields
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import Address, Entry, wire_id
from ezra.sansio.resp.values import NULL_ARRAY, Value

MAX_RANGE = 10_000
"""The most tasks, or workers' holdings, that one command shows, what "all" means, too: one reply
must hold them. Who wants more asks on from the last id."""

_REPLIES = (
    "array: [[id, [field, value, ...]], ...], at most 10000: ask on from (the last id",
    "null: COUNT is 0 or less",
    Text.INVALID_ID,
    Text.INVALID_START,
    Text.INVALID_END,
    Text.NOT_AN_INTEGER,
)


@dataclass(frozen=True, slots=True)
class XRange(Command[tuple[Entry, ...] | int]):
    """Look at tasks by id: those that wait or are in flight; of `queue::dead` the dead.

    Answers the entries; where `count` is 0, whether there is such a queue, which decides between
    Redis' two ways to say that there is nothing.
    """

    address: Address
    first: int
    last: int
    count: int = MAX_RANGE
    """0 … MAX_RANGE."""

    SPEC: ClassVar = CommandSpec(
        name="XRANGE",
        arguments="queue start end [COUNT count]",
        arity=-4,
        summary="Look at tasks, waiting or in flight, by id: - and + are the ends, (id excludes. "
        "Of queue::dead, the dead.",
        group="queue",
        replies=_REPLIES,
        flags=("readonly",),
    )

    @property
    def backwards(self) -> bool:
        """Whether to start from the last id."""
        return False

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Start and end, then any number of COUNTs, the last of which holds."""
        start, end, *options = arguments[1:]
        return cls(address(arguments[0]), *interval(start, end), _count(Words(options)))

    def reply(self, result: tuple[Entry, ...] | int, protocol: int) -> Value:
        """The entries in the order asked for."""
        if isinstance(result, tuple):
            return entries(result)
        return NULL_ARRAY if result else ()


@dataclass(frozen=True, slots=True)
class XRevRange(XRange):
    """The same from the last id to the first."""

    SPEC: ClassVar = CommandSpec(
        name="XREVRANGE",
        arguments="queue end start [COUNT count]",
        arity=-4,
        summary="XRANGE from the end to the start.",
        group="queue",
        replies=_REPLIES,
        flags=("readonly",),
    )

    @property
    def backwards(self) -> bool:
        """Always."""
        return True

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """End and start change places."""
        end, start, *options = arguments[1:]
        return cls(address(arguments[0]), *interval(start, end), _count(Words(options)))


def _count(words: Words) -> int:
    count = MAX_RANGE
    while words.left:
        if not words.take_if(b"COUNT"):
            raise CommandError(Text.SYNTAX)
        count = integer(words.take())
    return bounded(count)


def bounded(count: int) -> int:
    """Return a COUNT as what can be shown at most: 0 … MAX_RANGE."""
    return min(max(count, 0), MAX_RANGE)


def entries(found: Sequence[Entry]) -> Value:
    """Return the entries as an array of pairs of id and fields."""
    return tuple([(wire_id(entry.id).encode(), entry_fields(entry)) for entry in found])
