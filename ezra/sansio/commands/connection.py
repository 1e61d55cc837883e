"""The commands about the connection itself: they are answered from the session, without a queue."""

# ruff: noqa: ARG002, ARG003 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, Self, TypeVar

from ezra.sansio.commands.arguments import Words, integer, printable, shown
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.resp.values import OK, Map, SimpleString, Value
from ezra.sansio.session import Session

ResultT = TypeVar("ResultT")

DEFAULT_USER = b"default"
"""Redis' name for the user that a client is until it names another."""


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
class Greeting:
    """What HELLO answers. The connection speaks `protocol` from this reply on."""

    session_id: int
    protocol: Literal[2, 3]
    redis_version: str
    module_version: int


@dataclass(frozen=True, slots=True)
class Hello(ConnectionCommand[Greeting]):
    """Choose the protocol, say who one is, learn who answers."""

    protocol: Literal[2, 3] | None = None
    """None keeps the one that is spoken."""
    credentials: tuple[bytes, bytes] | None = None
    """User and password."""
    client_name: str | None = None

    SPEC: ClassVar = CommandSpec(
        name="HELLO",
        arguments="[2|3 [AUTH user password] [SETNAME name]]",
        arity=-1,
        summary="Choose RESP2 or RESP3 and learn who answers.",
        group="connection",
        replies=(
            "map (RESP3) or flat array (RESP2): server, version, proto, id, mode, role, modules",
            Text.NOT_A_PROTOCOL,
            Text.NO_PROTOCOL,
            Text.HELLO_OPTION,
            Text.CLIENT_NAME,
            Text.WRONG_CREDENTIALS,
        ),
        flags=("fast",),
    )

    @property
    def barrier(self) -> bool:
        """What comes after it may be answered in another protocol."""
        return True

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """The version first, then the options in any order."""
        words = Words(arguments)
        protocol = _protocol(words.take()) if words.left else None
        credentials: tuple[bytes, bytes] | None = None
        name: str | None = None
        while words.left:
            option = words.take()
            match option.upper():
                case b"AUTH" if words.left >= 2:
                    credentials = words.take(), words.take()
                case b"SETNAME" if words.left:
                    name = printable(words.take(), Text.CLIENT_NAME)
                case _:
                    raise CommandError(Text.HELLO_OPTION.format(name=shown(option)))
        return cls(protocol, credentials, name)

    def answer(self, session: Session) -> Greeting | CommandError:
        """Without a password on the server, the default user's is as good as any."""
        if self.credentials is not None and self.credentials[0] != DEFAULT_USER:
            return CommandError(Text.WRONG_CREDENTIALS)
        if self.client_name is not None:
            session.name = self.client_name
        return Greeting(
            session.id,
            self.protocol or session.protocol,
            session.identity.redis_version,
            session.identity.module_version,
        )

    def reply(self, result: Greeting, protocol: int) -> Value:
        """Redis' seven fields; EZRA itself is the module among them."""
        module = Map(
            (
                (b"name", b"ezra"),
                (b"ver", result.module_version),
                (b"path", b""),
                (b"args", ()),
            )
        )
        return Map(
            (
                (b"server", b"redis"),
                (b"version", result.redis_version.encode()),
                (b"proto", result.protocol),
                (b"id", result.session_id),
                (b"mode", b"standalone"),
                (b"role", b"master"),
                (b"modules", (module,)),
            )
        )


def _protocol(word: bytes) -> Literal[2, 3]:
    match integer(word, Text.NOT_A_PROTOCOL):
        case 2:
            return 2
        case 3:
            return 3
        case _:
            raise CommandError(Text.NO_PROTOCOL)


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
