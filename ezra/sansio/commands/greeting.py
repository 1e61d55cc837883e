"""The commands by which a client introduces itself: HELLO, AUTH."""

# ruff: noqa: ARG002 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

from ezra.sansio.commands.arguments import Words, integer, printable, shown
from ezra.sansio.commands.base import CommandSpec
from ezra.sansio.commands.connection import ConnectionCommand
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.resp.values import OK, Map, Value
from ezra.sansio.session import Session


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
    credentials: tuple[bytes, bytes] | None = field(default=None, repr=False)
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
            Text.HELLO_NO_AUTH,
        ),
        flags=("no_multi", "fast"),
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
        """Whoever is, or is logged in by it, gets the greeting. Nobody learns who answers."""
        if self.credentials is not None and not session.log_in(*self.credentials):
            return CommandError(Text.WRONG_CREDENTIALS)
        if not session.authenticated:
            return CommandError(Text.HELLO_NO_AUTH)
        if self.client_name is not None:
            session.name = self.client_name
        return Greeting(
            session.id,
            self.protocol or session.protocol,
            session.identity.redis_version,
            session.identity.module_version,
        )

    def take_effect(self, result: Greeting, session: Session) -> None:
        """The greeting is the first reply in the protocol that was chosen."""
        session.protocol = result.protocol

    def reply(self, result: Greeting, protocol: int) -> Value:
        """Redis' seven fields; EZRA itself is the module among them."""
        return Map(
            (
                (b"server", b"redis"),
                (b"version", result.redis_version.encode()),
                (b"proto", result.protocol),
                (b"id", result.session_id),
                (b"mode", b"standalone"),
                (b"role", b"master"),
                (b"modules", (module_of(result.module_version),)),
            )
        )


@dataclass(frozen=True, slots=True)
class Auth(ConnectionCommand[None]):
    """Log in. Where the server has no password, the default user's is as good as any."""

    user: bytes | None
    """None where only a password was given."""
    password: bytes = field(repr=False)

    SPEC: ClassVar = CommandSpec(
        name="AUTH",
        arguments="[user] password",
        arity=-2,
        summary="Log in with a password alone, or as default, push or work.",
        group="connection",
        replies=("OK", Text.AUTH_WITHOUT_NEED, Text.WRONG_CREDENTIALS),
        flags=("fast",),
    )

    @property
    def barrier(self) -> bool:
        """What comes after it may be another's to do."""
        return True

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """A password, or a user and a password."""
        if len(arguments) > 2:
            raise CommandError(Text.SYNTAX)
        *user, password = arguments
        return cls(user[0] if user else None, password)

    def answer(self, session: Session) -> CommandError | None:
        """A password where none is needed is a misunderstanding that its client should hear of."""
        if self.user is None and not session.access.needed:
            return CommandError(Text.AUTH_WITHOUT_NEED)
        if session.log_in(self.user, self.password):
            return None
        return CommandError(Text.WRONG_CREDENTIALS)

    def reply(self, result: None, protocol: int) -> Value:
        """OK."""
        return OK


def module_of(version: int) -> Map:
    """Return EZRA as one of Redis' modules."""
    return Map(((b"name", b"ezra"), (b"ver", version), (b"path", b""), (b"args", ())))


def _protocol(word: bytes) -> Literal[2, 3]:
    match integer(word, Text.NOT_A_PROTOCOL):
        case 2:
            return 2
        case 3:
            return 3
        case _:
            raise CommandError(Text.NO_PROTOCOL)
