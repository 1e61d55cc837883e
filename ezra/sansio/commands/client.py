"""The commands about the client's own connection: CLIENT SETNAME, ID, SETINFO, REPLY and others."""

# ruff: noqa: ARG002, ARG003 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from ezra.sansio.commands.arguments import printable, shown
from ezra.sansio.commands.base import CommandSpec
from ezra.sansio.commands.connection import ConnectionCommand
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.resp.values import OK, Value
from ezra.sansio.session import Replies, Session


@dataclass(frozen=True, slots=True)
class ClientSetName(ConnectionCommand[None]):
    """Give this connection a name; the empty one takes it away."""

    name: str

    SPEC: ClassVar = CommandSpec(
        name="CLIENT SETNAME",
        arguments="name",
        arity=3,
        summary="Give this connection a name.",
        group="connection",
        replies=("OK", Text.CLIENT_NAME),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Printable ASCII without spaces."""
        return cls(printable(arguments[0], Text.CLIENT_NAME))

    def answer(self, session: Session) -> None:
        """Note the name."""
        session.name = self.name

    def reply(self, result: None, protocol: int) -> Value:
        """OK."""
        return OK


@dataclass(frozen=True, slots=True)
class ClientGetName(ConnectionCommand[str]):
    """Ask for this connection's name."""

    SPEC: ClassVar = CommandSpec(
        name="CLIENT GETNAME",
        arguments="",
        arity=2,
        summary="This connection's name.",
        group="connection",
        replies=("bulk string: the name", "null: it has none"),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def answer(self, session: Session) -> str:
        """The name, empty where it has none."""
        return session.name

    def reply(self, result: str, protocol: int) -> Value:
        """The name, or null."""
        return result.encode() if result else None


@dataclass(frozen=True, slots=True)
class ClientId(ConnectionCommand[int]):
    """Ask for this connection's number."""

    SPEC: ClassVar = CommandSpec(
        name="CLIENT ID",
        arguments="",
        arity=2,
        summary="This connection's number, unique in the life of the server.",
        group="connection",
        replies=("integer: the number",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def answer(self, session: Session) -> int:
        """The session's id."""
        return session.id

    def reply(self, result: int, protocol: int) -> Value:
        """The number."""
        return result


Attribute = Literal["lib-name", "lib-ver"]

_ATTRIBUTES: dict[bytes, Attribute] = {b"lib-name": "lib-name", b"lib-ver": "lib-ver"}


@dataclass(frozen=True, slots=True)
class ClientSetInfo(ConnectionCommand[None]):
    """Say which client library this is."""

    attribute: Attribute
    value: str

    SPEC: ClassVar = CommandSpec(
        name="CLIENT SETINFO",
        arguments="LIB-NAME name | LIB-VER version",
        arity=4,
        summary="Say which client library this is.",
        group="connection",
        replies=("OK", Text.CLIENT_INFO, Text.CLIENT_INFO_OPTION),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """A known attribute, and printable ASCII without spaces."""
        word, value = arguments
        attribute = _ATTRIBUTES.get(word.lower())
        if attribute is None:
            raise CommandError(Text.CLIENT_INFO_OPTION.format(name=shown(word)))
        return cls(attribute, printable(value, Text.CLIENT_INFO.format(name=shown(word))))

    def answer(self, session: Session) -> None:
        """Note it."""
        if self.attribute == "lib-name":
            session.lib_name = self.value
        else:
            session.lib_ver = self.value

    def reply(self, result: None, protocol: int) -> Value:
        """OK."""
        return OK


_REPLIES = {mode.value.encode(): mode for mode in Replies}


@dataclass(frozen=True, slots=True)
class ClientReply(ConnectionCommand[None]):
    """Choose which replies to hear: all, none, or all but the next."""

    mode: Replies

    SPEC: ClassVar = CommandSpec(
        name="CLIENT REPLY",
        arguments="ON|OFF|SKIP",
        arity=3,
        summary="Hear all replies, none from now on, or not the next one.",
        group="connection",
        replies=("OK: to ON; OFF and SKIP are not answered",),
        flags=("no_multi",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """One of the three words."""
        mode = _REPLIES.get(arguments[0].lower())
        if mode is None:
            raise CommandError(Text.SYNTAX)
        return cls(mode)

    def answer(self, session: Session) -> None:
        """Nothing yet: the commands before it are still to be answered."""

    def take_effect(self, result: None, session: Session) -> None:
        """From here on; who hears nothing anyway has nothing to skip."""
        if self.mode is not Replies.SKIP or session.replies is Replies.ON:
            session.replies = self.mode

    def reply(self, result: None, protocol: int) -> Value:
        """OK, if it is heard."""
        return OK


def _switch(word: bytes) -> bool:
    """Return what ON or OFF says."""
    match word.upper():
        case b"ON":
            return True
        case b"OFF":
            return False
        case _:
            raise CommandError(Text.SYNTAX)


@dataclass(frozen=True, slots=True)
class _Switch(ConnectionCommand[None]):
    """Something that a client turns on or off."""

    on: bool

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """ON or OFF."""
        return cls(_switch(arguments[0]))

    def reply(self, result: None, protocol: int) -> Value:
        """OK."""
        return OK


@dataclass(frozen=True, slots=True)
class ClientNoEvict(_Switch):
    """Noted for CLIENT LIST, and without effect: EZRA never ends a client for want of memory."""

    SPEC: ClassVar = CommandSpec(
        name="CLIENT NO-EVICT",
        arguments="ON|OFF",
        arity=3,
        summary="Noted, and without effect: no client is ever evicted.",
        group="connection",
        replies=("OK",),
    )

    def answer(self, session: Session) -> None:
        """Note it."""
        session.no_evict = self.on


@dataclass(frozen=True, slots=True)
class ClientNoTouch(_Switch):
    """Noted for CLIENT LIST, and without effect: no queue remembers when it was last looked at."""

    SPEC: ClassVar = CommandSpec(
        name="CLIENT NO-TOUCH",
        arguments="ON|OFF",
        arity=3,
        summary="Noted, and without effect: looking at a queue leaves no trace.",
        group="connection",
        replies=("OK",),
    )

    def answer(self, session: Session) -> None:
        """Note it."""
        session.no_touch = self.on
