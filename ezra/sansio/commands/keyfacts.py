"""The commands that say one thing about one key: its type, when it expires, how it is stored.

Tools that browse keys ask for all of them. Nothing of it but the type is a question that EZRA has
an answer of its own to, so each answers what a stream that never expires would in Redis.
"""

# ruff: noqa: ARG002 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import Words, address, integer
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.commands.fixed import HelpCommand
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import Address
from ezra.sansio.resp.values import SimpleString, Value


@dataclass(frozen=True, slots=True)
class KeyFact(Command[int]):
    """Something about one key. Answers whether it exists: the rest follows from that."""

    address: Address

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """One key."""
        return cls(address(arguments[0]))

    @abstractmethod
    def reply(self, result: int, protocol: int) -> Value:
        """What Redis says of a stream, or of a key that is not there."""


@dataclass(frozen=True, slots=True)
class Type(KeyFact):
    """A key's type."""

    SPEC: ClassVar = CommandSpec(
        name="TYPE",
        arguments="queue",
        arity=2,
        summary="stream for a queue, and for a dead-letter queue with something in it.",
        group="keys",
        replies=("stream: it exists", "none: it does not"),
        flags=("readonly", "fast"),
    )

    def reply(self, result: int, protocol: int) -> Value:
        """A status."""
        return SimpleString("stream" if result else "none")


@dataclass(frozen=True, slots=True)
class Ttl(KeyFact):
    """When a key expires: a queue never does."""

    SPEC: ClassVar = CommandSpec(
        name="TTL",
        arguments="queue",
        arity=2,
        summary="Seconds until a key expires: a queue never does.",
        group="keys",
        replies=("integer: -1 for a queue, -2 if it does not exist",),
        flags=("readonly", "fast"),
    )

    def reply(self, result: int, protocol: int) -> Value:
        """Never, or no such key."""
        return -1 if result else -2


@dataclass(frozen=True, slots=True)
class PTtl(Ttl):
    """The same in milliseconds."""

    SPEC: ClassVar = CommandSpec(
        name="PTTL",
        arguments="queue",
        arity=2,
        summary="TTL in milliseconds.",
        group="keys",
        replies=Ttl.SPEC.replies,
        flags=Ttl.SPEC.flags,
    )


@dataclass(frozen=True, slots=True)
class ExpireTime(Ttl):
    """The same as a moment."""

    SPEC: ClassVar = CommandSpec(
        name="EXPIRETIME",
        arguments="queue",
        arity=2,
        summary="TTL as a moment in Unix seconds.",
        group="keys",
        replies=Ttl.SPEC.replies,
        flags=Ttl.SPEC.flags,
    )


@dataclass(frozen=True, slots=True)
class PExpireTime(Ttl):
    """The same as a moment in milliseconds."""

    SPEC: ClassVar = CommandSpec(
        name="PEXPIRETIME",
        arguments="queue",
        arity=2,
        summary="TTL as a moment in Unix milliseconds.",
        group="keys",
        replies=Ttl.SPEC.replies,
        flags=Ttl.SPEC.flags,
    )


@dataclass(frozen=True, slots=True)
class ObjectEncoding(KeyFact):
    """How a key is stored."""

    SPEC: ClassVar = CommandSpec(
        name="OBJECT ENCODING",
        arguments="queue",
        arity=3,
        summary="How Redis would store a queue: as a stream.",
        group="keys",
        replies=("bulk string: stream", "null: it does not exist"),
        flags=("readonly",),
    )

    def reply(self, result: int, protocol: int) -> Value:
        """A stream has one encoding."""
        return b"stream" if result else None


@dataclass(frozen=True, slots=True)
class ObjectIdleTime(KeyFact):
    """Since when nobody has looked at a key, which is not kept."""

    SPEC: ClassVar = CommandSpec(
        name="OBJECT IDLETIME",
        arguments="queue",
        arity=3,
        summary="0: EZRA does not keep when a queue was last looked at.",
        group="keys",
        replies=("integer: 0", "null: it does not exist"),
        flags=("readonly",),
    )

    def reply(self, result: int, protocol: int) -> Value:
        """No time at all."""
        return 0 if result else None


@dataclass(frozen=True, slots=True)
class ObjectHelp(HelpCommand):
    """The subcommands of OBJECT."""

    COMMANDS: ClassVar = (ObjectEncoding, ObjectIdleTime)
    SPEC: ClassVar = CommandSpec(
        name="OBJECT HELP",
        arguments="",
        arity=2,
        summary="The subcommands of OBJECT.",
        group="keys",
        replies=("array: lines of text",),
    )


@dataclass(frozen=True, slots=True)
class MemoryUsage(KeyFact):
    """How much memory a key takes."""

    SPEC: ClassVar = CommandSpec(
        name="MEMORY USAGE",
        arguments="queue [SAMPLES count]",
        arity=-3,
        summary="Unknown: tasks are on disk, and what is cached of them belongs to no queue.",
        group="keys",
        replies=("null", Text.NOT_AN_INTEGER),
        flags=("readonly",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """One key; SAMPLES must be well formed."""
        words = Words(arguments[1:])
        while words.left:
            if not words.take_if(b"SAMPLES") or integer(words.take()) < 0:
                raise CommandError(Text.SYNTAX)
        return cls(address(arguments[0]))

    def reply(self, result: int, protocol: int) -> Value:
        """Nothing that would be true."""
        return None


@dataclass(frozen=True, slots=True)
class ZCount(KeyFact):
    """How many members a sorted set has. There are none here, and a queue is none."""

    SPEC: ClassVar = CommandSpec(
        name="ZCOUNT",
        arguments="key min max",
        arity=4,
        summary="0: there are no sorted sets. Symfony Messenger asks whether it has delayed any.",
        group="keys",
        replies=("integer: 0", Text.WRONG_TYPE, Text.NOT_A_FLOAT),
        flags=("readonly", "fast"),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """The bounds must be numbers, `(` before them excludes."""
        for bound in arguments[1:]:
            if not _BOUND.fullmatch(bound):
                raise CommandError(Text.NOT_A_FLOAT)
        return cls(address(arguments[0]))

    def reply(self, result: int, protocol: int) -> Value:
        """None: that a queue is something else was an error."""
        return 0


_BOUND = re.compile(rb"\(?[+-]?(inf|(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)", re.IGNORECASE)
