"""CLIENT KILL: ending the connections to which every filter applies; and CLIENT HELP."""

# ruff: noqa: ARG002 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from ezra.sansio.access import USERS, Role
from ezra.sansio.commands import client, clients, tracking
from ezra.sansio.commands.arguments import integer, shown
from ezra.sansio.commands.base import CommandSpec
from ezra.sansio.commands.clients import is_normal
from ezra.sansio.commands.fixed import HelpCommand
from ezra.sansio.commands.server import ServerCommand
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.host import Host
from ezra.sansio.model import SECOND
from ezra.sansio.resp.scalars import to_text
from ezra.sansio.resp.values import OK, Value
from ezra.sansio.session import Session


def _client_id(word: bytes) -> int:
    return _at_least_one(word, Text.NOT_A_CLIENT_ID, Text.NOT_A_CLIENT_ID)


def _age(word: bytes) -> int:
    return _at_least_one(word, Text.NOT_AN_AGE, Text.AGE_TOO_LOW)


def _at_least_one(word: bytes, no_number: str, too_low: str) -> int:
    number = integer(word, no_number)
    if number < 1:
        raise CommandError(too_low)
    return number


def _user(word: bytes) -> Role:
    if word not in USERS:
        raise CommandError(Text.NO_SUCH_USER.format(name=shown(word)))
    return USERS[word]


def _yes(word: bytes) -> bool:
    if word.lower() not in (b"yes", b"no"):
        raise CommandError(Text.SYNTAX)
    return word.lower() == b"yes"


FILTERS: dict[bytes, tuple[str, Callable[[bytes], int | str | bool | Role]]] = {
    b"ID": ("id", _client_id),
    b"ADDR": ("address", to_text),
    b"LADDR": ("local_address", to_text),
    b"TYPE": ("normal", is_normal),
    b"USER": ("user", _user),
    b"SKIPME": ("skip_me", _yes),
    b"MAXAGE": ("max_age", _age),
}
"""For each filter the field of `ClientKill` that it sets, and the parser of its value."""


@dataclass(frozen=True, slots=True)
class ClientKill(ServerCommand[int]):
    """End connections: those to which every filter applies."""

    id: int | None = None
    address: str | None = None
    local_address: str | None = None
    normal: bool = True
    """Whether the type is the one that EZRA has clients of."""
    user: Role | None = None
    """Whose; None for everybody's."""
    skip_me: bool = True
    max_age: int = 0
    """Only who has been connected for so many seconds."""
    one: bool = False
    """The old form, by address alone, which answers OK or an error."""

    SPEC: ClassVar = CommandSpec(
        name="CLIENT KILL",
        arguments="ip:port | [ID id] [ADDR ip:port] [LADDR ip:port] [TYPE type] [USER name] "
        "[SKIPME yes|no] [MAXAGE seconds]",
        arity=-3,
        summary="End the connections to which every filter applies; what a worker holds stays its "
        "own until the lease is over.",
        group="connection",
        replies=(
            "integer: how many",
            "OK: to the form with an address alone",
            Text.NO_SUCH_CLIENT,
            Text.NOT_A_CLIENT_ID,
            Text.CLIENT_TYPE,
            Text.NO_SUCH_USER,
            Text.NOT_AN_AGE,
            Text.AGE_TOO_LOW,
        ),
        flags=("admin",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """An address alone, or pairs of filter and value; of one given twice the last counts."""
        if len(arguments) == 1:
            return cls(address=to_text(arguments[0]), skip_me=False, one=True)
        if len(arguments) % 2:
            raise CommandError(Text.SYNTAX)
        filters: dict[str, Any] = {}
        for name, value in zip(arguments[::2], arguments[1::2], strict=True):
            if name.upper() not in FILTERS:
                raise CommandError(Text.SYNTAX)
            field, parse = FILTERS[name.upper()]
            filters[field] = parse(value)
        return cls(**filters)

    def answer(self, host: Host, session: Session) -> int | CommandError:
        """End them, oneself at last."""
        now = host.now()
        doomed = [client for client in host.clients() if self._applies(client, session, now)]
        if self.one and not doomed:
            return CommandError(Text.NO_SUCH_CLIENT)
        for one in doomed:
            host.kill(one)
        return len(doomed)

    def _applies(self, client: Session, session: Session, now: int) -> bool:
        return not (
            not self.normal
            or (self.skip_me and client.id == session.id)
            or (self.user is not None and client.role is not self.user)
            or (self.id is not None and client.id != self.id)
            or (self.address is not None and client.address != self.address)
            or (self.local_address is not None and client.local_address != self.local_address)
            or now - client.connected_at < self.max_age * SECOND
        )

    def reply(self, result: int, protocol: int) -> Value:
        """How many, or OK."""
        return OK if self.one else result


@dataclass(frozen=True, slots=True)
class ClientHelp(HelpCommand):
    """The subcommands of CLIENT."""

    COMMANDS: ClassVar = (
        tracking.ClientCaching,
        tracking.ClientGetRedir,
        client.ClientGetName,
        client.ClientId,
        clients.ClientInfo,
        ClientKill,
        clients.ClientList,
        client.ClientNoEvict,
        client.ClientNoTouch,
        clients.ClientPause,
        client.ClientReply,
        client.ClientSetInfo,
        client.ClientSetName,
        tracking.ClientTracking,
        tracking.ClientTrackingInfo,
        clients.ClientUnblock,
        clients.ClientUnpause,
    )
    SPEC: ClassVar = CommandSpec(
        name="CLIENT HELP",
        arguments="",
        arity=2,
        summary="The subcommands of CLIENT.",
        group="connection",
        replies=("array: lines of text",),
    )
