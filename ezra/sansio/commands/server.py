"""The commands about the server that are answered by its driver: TIME, WAIT, WAITAOF, ROLE."""

# ruff: noqa: ARG002, ARG003 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Self, TypeVar

from ezra.sansio.commands.arguments import integer
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.commands.connection import PlainCommand
from ezra.sansio.commands.fixed import FixedCommand
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.host import Host
from ezra.sansio.model import SECOND
from ezra.sansio.resp.values import Value
from ezra.sansio.session import Session

ResultT = TypeVar("ResultT")


class ServerCommand(Command[ResultT], Generic[ResultT]):
    """A command that needs to know something of the driver that serves it, and no single queue."""

    __slots__ = ()

    @abstractmethod
    def answer(self, host: Host, session: Session) -> ResultT | CommandError:
        """Carry the command out; return what to give to `Connection.send`.

        Raises:
            EngineError: as `Host.queues`.
        """


@dataclass(frozen=True, slots=True)
class Time(ServerCommand[int]):
    """The server's clock; the result is in Unix microseconds."""

    SPEC: ClassVar = CommandSpec(
        name="TIME",
        arguments="",
        arity=1,
        summary="The server's clock.",
        group="server",
        replies=("array: Unix seconds, and the microseconds in the second, as bulk strings",),
        flags=("fast",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def answer(self, host: Host, session: Session) -> int:
        """The present moment."""
        return host.now()

    def reply(self, result: int, protocol: int) -> Value:
        """Two texts, as Redis has it."""
        return tuple(b"%d" % part for part in divmod(result, SECOND))


@dataclass(frozen=True, slots=True)
class Wait(PlainCommand):
    """How many replicas have the writes: EZRA has none."""

    SPEC: ClassVar = CommandSpec(
        name="WAIT",
        arguments="replicas milliseconds",
        arity=3,
        summary="How many replicas have this connection's writes: there are none, at once.",
        group="server",
        replies=("integer: 0", Text.NOT_AN_INTEGER, Text.NOT_A_TIMEOUT, Text.NEGATIVE_TIMEOUT),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """A number and a timeout."""
        integer(arguments[0])
        _check_timeout(arguments[1])
        return cls()

    def reply(self, result: None, protocol: int) -> Value:
        """None."""
        return 0


@dataclass(frozen=True, slots=True)
class WaitAof(ServerCommand[bool]):
    """Whether this connection's writes are on disk. They are before they are answered, or never."""

    SPEC: ClassVar = CommandSpec(
        name="WAITAOF",
        arguments="local replicas milliseconds",
        arity=4,
        summary="Whether this connection's writes are fsynced here, and on how many replicas.",
        group="server",
        replies=(
            "array: 1 with --synchronous full, else 0; and 0 replicas",
            Text.NOT_AN_INTEGER,
            Text.ZERO_OR_ONE,
            Text.NOT_POSITIVE,
            Text.NOT_A_TIMEOUT,
            Text.NEGATIVE_TIMEOUT,
        ),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """0 or 1, a number, and a timeout."""
        local, replicas, timeout = arguments
        if integer(local) not in (0, 1):
            raise CommandError(Text.ZERO_OR_ONE)
        if integer(replicas) < 0:
            raise CommandError(Text.NOT_POSITIVE)
        _check_timeout(timeout)
        return cls()

    def answer(self, host: Host, session: Session) -> bool:
        """Whether an answered write is on disk."""
        return host.facts.synchronous == "full"

    def reply(self, result: bool, protocol: int) -> Value:
        """How many fsynced it here, and elsewhere."""
        return int(result), 0


@dataclass(frozen=True, slots=True)
class Role(FixedCommand):
    """What the server is among others: the only one."""

    REPLY: ClassVar = (b"master", 0, ())
    SPEC: ClassVar = CommandSpec(
        name="ROLE",
        arguments="",
        arity=1,
        summary="What the server is among others: a master without replicas.",
        group="server",
        replies=("array: master, 0, an empty array",),
        flags=("fast",),
    )


def _check_timeout(word: bytes) -> None:
    """Refuse what is no timeout; nothing here takes time."""
    if integer(word, Text.NOT_A_TIMEOUT) < 0:
        raise CommandError(Text.NEGATIVE_TIMEOUT)
