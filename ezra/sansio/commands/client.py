"""The commands about who the client is: CLIENT SETNAME, GETNAME, ID, SETINFO."""

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
from ezra.sansio.session import Session


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
