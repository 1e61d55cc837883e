"""The commands about keys, for tools that list what there is: here each key is a queue.

A dead-letter queue is a key of its own as long as there is something in it.
"""

# ruff: noqa: ARG002, ARG003 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import Words, address, integer
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.commands.glob import check_pattern, matcher
from ezra.sansio.commands.ranges import MAX_RANGE
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import FOREVER, Address, QueueName
from ezra.sansio.resp.values import Value

KIND = b"stream"
"""What every key is."""

ANY_NAME = b"*"
SCAN_COUNT = 10  # by default, as in Redis


@dataclass(frozen=True, slots=True)
class Del(Command[int]):
    """Remove queues that have no unfinished tasks. Answers how many there were.

    A dead-letter queue is not removed by itself. Where it is named beside its queue, that is what
    decides; where nothing but dead-letter queues is named, the answer is how many have something in
    them, and more than none is an error.
    """

    queues: tuple[str, ...]
    """Empty where only dead-letter queues are named."""
    dead: tuple[Address, ...] = ()
    """Dead-letter queues that are named without their queue; none beside `queues`."""

    SPEC: ClassVar = CommandSpec(
        name="DEL",
        arguments="queue [queue ...]",
        arity=-2,
        summary="Remove queues with their settings, groups and done tasks. "
        "Refused, for all of them, while one has unfinished tasks.",
        group="keys",
        replies=(
            "integer: how many there were",
            Text.UNFINISHED,
            Text.DELETE_DEAD,
            Text.DONE_IN_PART,
        ),
        flags=("write",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Any number of keys."""
        keys = [address(word) for word in arguments]
        queues = tuple([key.queue for key in keys if not key.dead])
        dead = tuple([key for key in keys if key.dead and key.queue not in queues])
        if queues and dead:
            raise CommandError(_refusal(dead[0]))
        return cls(queues, dead)

    @property
    def refusal(self) -> str:
        """Why dead-letter queues with something in them are not removed by themselves."""
        return _refusal(self.dead[0])

    def reply(self, result: int, protocol: int) -> Value:
        """The number of queues."""
        return result


def _refusal(key: Address) -> str:
    return Text.DELETE_DEAD.format(name=key.name, queue=key.queue)


@dataclass(frozen=True, slots=True)
class Unlink(Del):
    """The same: removing a queue holds nobody up."""

    SPEC: ClassVar = CommandSpec(
        name="UNLINK",
        arguments=Del.SPEC.arguments,
        arity=-2,
        summary="DEL.",
        group="keys",
        replies=Del.SPEC.replies,
        flags=("write", "fast"),
    )


@dataclass(frozen=True, slots=True)
class Exists(Command[int]):
    """How many of the keys there are; one that is named twice counts twice."""

    addresses: tuple[Address, ...]

    SPEC: ClassVar = CommandSpec(
        name="EXISTS",
        arguments="queue [queue ...]",
        arity=-2,
        summary="How many of these there are.",
        group="keys",
        replies=("integer: how many",),
        flags=("readonly", "fast"),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Any number of keys."""
        return cls(tuple([address(word) for word in arguments]))

    def reply(self, result: int, protocol: int) -> Value:
        """Their number."""
        return result


@dataclass(frozen=True, slots=True)
class Keys(Command[tuple[QueueName, ...]]):
    """The keys that fit a pattern."""

    pattern: bytes

    SPEC: ClassVar = CommandSpec(
        name="KEYS",
        arguments="pattern",
        arity=2,
        summary="The queues, and dead-letter queues with something in them, that fit a pattern: "
        "* ? [a-z] [^a], and \\ before a byte.",
        group="keys",
        replies=("array: their names", Text.INVALID_BYTES),
        flags=("readonly",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """One pattern."""
        return cls(check_pattern(arguments[0]))

    def reply(self, result: tuple[QueueName, ...], protocol: int) -> Value:
        """Their names, in the order in which the queues were made."""
        return _fitting(result, self.pattern)


def _fitting(queues: Sequence[QueueName], pattern: bytes) -> tuple[bytes, ...]:
    fits = matcher(pattern)
    return tuple([name for name in _keys(queues) if fits(name)])


def _keys(queues: Sequence[QueueName]) -> list[bytes]:
    """Return the keys that the queues stand for: themselves, and their dead-letter queues."""
    return [
        Address(queue.name, dead).name.encode()
        for queue in queues
        for dead in ((False, True) if queue.dead else (False,))
    ]


@dataclass(frozen=True, slots=True)
class Scan(Command[tuple[QueueName, ...]]):
    """The keys of the next few queues. Answers these queues."""

    after: int = 0
    """The number of the last queue seen: queues that come and go meanwhile shift nothing."""
    pattern: bytes = ANY_NAME
    count: int = SCAN_COUNT
    """So many queues; the keys may be more, or fewer."""
    kind: bytes = KIND

    SPEC: ClassVar = CommandSpec(
        name="SCAN",
        arguments="cursor [MATCH pattern] [COUNT count] [TYPE type]",
        arity=-2,
        summary="Go through all queues, a few at a time, from cursor 0 until it is 0 again.",
        group="keys",
        replies=(
            "array of two: the cursor to go on with, an array of names",
            Text.INVALID_CURSOR,
            Text.NOT_AN_INTEGER,
            Text.INVALID_BYTES,
        ),
        flags=("readonly",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """The cursor, then options in any order."""
        words = Words(arguments[1:])
        after, pattern, count, kind = _cursor(arguments[0]), ANY_NAME, SCAN_COUNT, KIND
        while words.left:
            if words.take_if(b"MATCH"):
                pattern = check_pattern(words.take())
            elif words.take_if(b"COUNT"):
                count = _positive(words.take())
            elif words.take_if(b"TYPE"):
                kind = words.take().lower()
            else:
                raise CommandError(Text.SYNTAX)
        return cls(after, pattern, min(count, MAX_RANGE), kind)

    def reply(self, result: tuple[QueueName, ...], protocol: int) -> Value:
        """The next cursor; 0 when these were the last queues. The names may well be none."""
        cursor = result[-1].number if len(result) == self.count else 0
        return b"%d" % cursor, _fitting(result, self.pattern) if self.kind == KIND else ()


def _cursor(word: bytes) -> int:
    if not (word.isdigit() and int(word[:_CURSOR_DIGITS]) < 2**64 and len(word) <= _CURSOR_DIGITS):
        raise CommandError(Text.INVALID_CURSOR)
    return min(int(word), FOREVER)


_CURSOR_DIGITS = 20  # of the largest number of 64 bits


def _positive(word: bytes) -> int:
    number = integer(word)
    if number < 1:
        raise CommandError(Text.SYNTAX)
    return number


@dataclass(frozen=True, slots=True)
class RandomKey(Command[tuple[QueueName, ...]]):
    """Some queue: the oldest one."""

    SPEC: ClassVar = CommandSpec(
        name="RANDOMKEY",
        arguments="",
        arity=1,
        summary="The name of a queue; always the oldest one's.",
        group="keys",
        replies=("bulk string: the name", "null: there is no queue"),
        flags=("readonly",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def reply(self, result: tuple[QueueName, ...], protocol: int) -> Value:
        """Its name, or null."""
        return result[0].name.encode() if result else None


@dataclass(frozen=True, slots=True)
class DbSize(Command[tuple[QueueName, ...]]):
    """How many keys there are."""

    SPEC: ClassVar = CommandSpec(
        name="DBSIZE",
        arguments="",
        arity=1,
        summary="How many queues there are, and dead-letter queues with something in them.",
        group="keys",
        replies=("integer: how many",),
        flags=("readonly", "fast"),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def reply(self, result: tuple[QueueName, ...], protocol: int) -> Value:
        """Their number."""
        return len(_keys(result))
