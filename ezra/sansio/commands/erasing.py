"""The commands that remove tasks: XDELEX, XACKDEL, XTRIM. None of them takes one from a worker."""

# ruff: noqa: ARG002 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import Words, address, counted_ids, text
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.commands.trimming import REFERENCES, Trimming
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import Address
from ezra.sansio.resp.values import Value

_ID_ERRORS = (Text.INVALID_ID, Text.NUMBER_OF_IDS, Text.IDS_DO_NOT_MATCH)


@dataclass(frozen=True, slots=True)
class XDelEx(Command[tuple[int, ...]]):
    """Delete tasks that nobody holds. Answers whether each was."""

    address: Address
    ids: tuple[int, ...]

    SPEC: ClassVar = CommandSpec(
        name="XDELEX",
        arguments="queue [KEEPREF|DELREF|ACKED] IDS numids id [id ...]",
        arity=-5,
        summary="Delete (cancel) tasks that nobody holds: waiting, done or dead ones.",
        group="queue",
        replies=(
            "array: for each id 1 if it was deleted, -1 if there is none or a worker holds it",
            *_ID_ERRORS,
        ),
        flags=("write", "fast"),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Options and IDS come in any order."""
        return cls(address(arguments[0]), _ids(Words(arguments[1:])))

    def reply(self, result: tuple[int, ...], protocol: int) -> Value:
        """1 or −1 for each id."""
        return _one_or_minus_one(result)


@dataclass(frozen=True, slots=True)
class XAckDel(Command[tuple[int, ...]]):
    """Ack tasks and delete those that became done. Answers which did."""

    address: Address
    group: str
    ids: tuple[int, ...]

    SPEC: ClassVar = CommandSpec(
        name="XACKDEL",
        arguments="queue group [KEEPREF|DELREF|ACKED] IDS numids id [id ...]",
        arity=-6,
        summary="Ack tasks and delete them at once, whatever the retention.",
        group="queue",
        replies=(
            "array: for each id 1 if it became done and was deleted, else -1",
            *_ID_ERRORS,
        ),
        flags=("write", "fast"),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Options and IDS come in any order."""
        queue, group = address(arguments[0]), text("group", arguments[1])
        return cls(queue, group, _ids(Words(arguments[2:])))

    def reply(self, result: tuple[int, ...], protocol: int) -> Value:
        """1 or −1 for each id."""
        return _one_or_minus_one(result)


def _ids(words: Words) -> tuple[int, ...]:
    ids: tuple[int, ...] = ()
    while words.left:
        if not ids and words.take_if(b"IDS"):
            ids = counted_ids(words)
        elif not words.take_if(*REFERENCES):
            raise CommandError(Text.SYNTAX)
    if not ids:
        raise CommandError(Text.SYNTAX)
    return ids


def _one_or_minus_one(removed: Sequence[int]) -> Value:
    return tuple([1 if one else -1 for one in removed])


@dataclass(frozen=True, slots=True)
class XTrim(Command[int]):
    """Remove done tasks of a queue, or the dead in its dead-letter queue. Answers how many."""

    address: Address
    keep: int = 0
    """So many stay."""
    below: int | None = None
    """Only ids below this one."""
    most: int | None = None
    """At most so many; None for all."""

    SPEC: ClassVar = CommandSpec(
        name="XTRIM",
        arguments="queue MAXLEN|MINID [=|~] threshold [LIMIT count] [KEEPREF|DELREF|ACKED]",
        arity=-4,
        summary="Purge done tasks, or of queue::dead the dead: MAXLEN keeps so many, MINID those "
        "from an id on. Never touches a task that waits or is in flight.",
        group="queue",
        replies=(
            "integer: how many were removed",
            Text.NEGATIVE_MAXLEN,
            Text.NEGATIVE_LIMIT,
            Text.TWO_TRIMS,
            Text.LIMIT_NEEDS_APPROXIMATE,
            Text.LIMIT_NEEDS_TRIM,
            Text.INVALID_ID,
            Text.NOT_AN_INTEGER,
            Text.DONE_IN_PART,
        ),
        flags=("write",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """A threshold is a must; what else there is comes in any order."""
        words, trimming = Words(arguments[1:]), Trimming()
        while words.left:
            if not trimming.take(words.take().upper(), words):
                raise CommandError(Text.SYNTAX)
        trimming.check()
        if not trimming.given:
            raise CommandError(Text.SYNTAX)
        return cls(address(arguments[0]), trimming.keep or 0, trimming.below, trimming.most)

    def reply(self, result: int, protocol: int) -> Value:
        """The number of tasks."""
        return result
