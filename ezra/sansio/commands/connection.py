"""The commands about the connection itself: they are answered from the session, without a queue."""

# ruff: noqa: ARG002, ARG003 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Self, TypeVar

from ezra.sansio.commands.arguments import integer
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.resp.values import OK, SimpleString, Value
from ezra.sansio.session import Session

ResultT = TypeVar("ResultT")


class ConnectionCommand(Command[ResultT], Generic[ResultT]):
    """A command that needs nothing but its own session, so that every driver answers it alike."""

    __slots__ = ()

    @abstractmethod
    def answer(self, session: Session) -> ResultT | CommandError:
        """Carry the command out, changing the session; return what to give to `Connection.send`.

        An error is returned, not raised: then nothing has changed.
        """


class PlainCommand(ConnectionCommand[None]):
    """A command whose reply follows from its own arguments."""

    __slots__ = ()

    def answer(self, session: Session) -> None:
        """Do nothing: the session is neither read nor changed."""


@dataclass(frozen=True, slots=True)
class Ping(PlainCommand):
    """Ask whether the server is there."""

    message: bytes | None = None

    SPEC: ClassVar = CommandSpec(
        name="PING",
        arguments="[message]",
        arity=-1,
        summary="Ask whether the server is there.",
        group="connection",
        replies=("PONG: without a message", "bulk string: the message"),
        flags=("fast",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """At most one message."""
        if len(arguments) > 1:
            raise CommandError(Text.WRONG_ARITY.format(name="ping"))
        return cls(*arguments)

    def reply(self, result: None, protocol: int) -> Value:
        """PONG, or the message."""
        return SimpleString("PONG") if self.message is None else self.message


@dataclass(frozen=True, slots=True)
class Echo(PlainCommand):
    """Hear the message again."""

    message: bytes

    SPEC: ClassVar = CommandSpec(
        name="ECHO",
        arguments="message",
        arity=2,
        summary="Hear the message again.",
        group="connection",
        replies=("bulk string: the message",),
        flags=("fast",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """One message."""
        return cls(arguments[0])

    def reply(self, result: None, protocol: int) -> Value:
        """The message."""
        return self.message


@dataclass(frozen=True, slots=True)
class Select(PlainCommand):
    """Choose a database, of which there is one: number 0."""

    database: int

    SPEC: ClassVar = CommandSpec(
        name="SELECT",
        arguments="0",
        arity=2,
        summary="Choose the database; there is one, number 0.",
        group="connection",
        replies=("OK", Text.DATABASE, Text.NOT_AN_INTEGER),
        flags=("fast",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """A number; any but 0 is an error."""
        database = integer(arguments[0])
        if database != 0:
            raise CommandError(Text.DATABASE)
        return cls(database)

    def reply(self, result: None, protocol: int) -> Value:
        """OK."""
        return OK


@dataclass(frozen=True, slots=True)
class Quit(PlainCommand):
    """Say goodbye: the reply is the last thing sent, and nothing after it is read."""

    SPEC: ClassVar = CommandSpec(
        name="QUIT",
        arguments="",
        arity=-1,
        summary="Close the connection once everything is answered.",
        group="connection",
        replies=("OK",),
        flags=("fast",),
    )

    @property
    def barrier(self) -> bool:
        """Nothing comes after it."""
        return True

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Whatever follows the name is ignored, as in Redis."""
        return cls()

    def reply(self, result: None, protocol: int) -> Value:
        """OK."""
        return OK


@dataclass(frozen=True, slots=True)
class Reset(PlainCommand):
    """Begin anew: RESP2, no name, no transaction, as if the connection had just been made."""

    SPEC: ClassVar = CommandSpec(
        name="RESET",
        arguments="",
        arity=1,
        summary="Begin anew, as if the connection had just been made; gives up a transaction.",
        group="connection",
        replies=("RESET",),
        flags=("fast",),
    )

    @property
    def barrier(self) -> bool:
        """What comes after it may be answered in another protocol."""
        return True

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def take_effect(self, result: None, session: Session) -> None:
        """What came before it is answered as the client wanted it then."""
        session.reset()

    def reply(self, result: None, protocol: int) -> Value:
        """RESET, which both protocols write alike."""
        return SimpleString("RESET")
