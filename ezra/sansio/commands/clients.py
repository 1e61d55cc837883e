"""The commands about all clients: CLIENT LIST, INFO, UNBLOCK, PAUSE, UNPAUSE."""

# ruff: noqa: ARG002, ARG003 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import Words, integer, shown
from ezra.sansio.commands.base import CommandSpec
from ezra.sansio.commands.fixed import FixedCommand, RefusedCommand
from ezra.sansio.commands.server import ServerCommand
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.host import Host
from ezra.sansio.model import SECOND
from ezra.sansio.resp.values import Value, VerbatimString
from ezra.sansio.session import Session

TYPES = frozenset({b"normal", b"master", b"replica", b"slave", b"pubsub"})
"""The types of clients that Redis tells apart; all of EZRA's are normal."""


def describe(client: Session, now: int) -> str:
    """Return a client's line in CLIENT LIST: Redis' fields in Redis' order.

    Its own thread may change the session meanwhile, so each field is read once.

    What EZRA does not count (buffers, memory) is 0 there, which is what a tool can do sums with.
    """
    tracking, queued = client.tracking, client.queued
    fields = {
        "id": client.id,
        "addr": client.address,
        "laddr": client.local_address,
        "fd": client.descriptor,
        "name": client.name,
        "age": max(now - client.connected_at, 0) // SECOND,
        "idle": max(now - client.active_at, 0) // SECOND,
        "flags": _flags(client),
        **dict.fromkeys(("db", "sub", "psub", "ssub"), 0),
        "multi": -1 if queued is None else queued,
        **dict.fromkeys(("qbuf", "qbuf-free", "argv-mem", "multi-mem", "rbs", "rbp"), 0),
        **dict.fromkeys(("obl", "oll", "omem", "tot-mem"), 0),
        "events": "r",
        "cmd": client.command.lower().replace(" ", "|") or "NULL",
        "user": client.role.value,
        "redir": tracking.redirect if tracking else -1,
        "resp": client.protocol,
        "lib-name": client.lib_name,
        "lib-ver": client.lib_ver,
    }
    return " ".join(f"{name}={value}" for name, value in fields.items()) + "\n"


def _flags(client: Session) -> str:
    """Return the letters of Redis: what the client is doing just now, and what it asked for."""
    tracking = client.tracking
    letters = {
        "x": client.queued is not None,
        "b": client.blocked,
        "t": tracking is not None,
        "B": tracking is not None and tracking.broadcast,
        "e": client.no_evict,
        "T": client.no_touch,
    }
    return "".join(letter for letter, on in letters.items() if on) or "N"


@dataclass(frozen=True, slots=True)
class ClientList(ServerCommand[str]):
    """Everybody who is connected, or some of them."""

    ids: frozenset[int] | None = None
    """Only these; None for all."""
    none: bool = False
    """Whether a type was asked for of which EZRA has no clients."""

    SPEC: ClassVar = CommandSpec(
        name="CLIENT LIST",
        arguments="[TYPE normal|master|replica|pubsub | ID id [id ...]]",
        arity=-2,
        summary="Who is connected, a line for each.",
        group="connection",
        replies=(
            "verbatim string (RESP3) or bulk string (RESP2): id=… addr=… name=… cmd=… …",
            Text.CLIENT_TYPE,
            Text.INVALID_CLIENT_ID,
        ),
        flags=("admin",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """At most one of the two."""
        words = Words(arguments)
        if not words.left:
            return cls()
        if words.left == 2 and words.take_if(b"TYPE"):
            return cls(none=not is_normal(words.take()))
        if words.left >= 2 and words.take_if(b"ID"):
            numbers = words.take_many(words.left)
            return cls(frozenset(integer(word, Text.INVALID_CLIENT_ID) for word in numbers))
        raise CommandError(Text.SYNTAX)

    def answer(self, host: Host, session: Session) -> str:
        """The lines, in the order in which the clients came."""
        now = host.now()
        return "".join(
            describe(client, now)
            for client in host.clients()
            if not self.none and (self.ids is None or client.id in self.ids)
        )

    def reply(self, result: str, protocol: int) -> Value:
        """A text for people, which tools parse."""
        return VerbatimString(result)


@dataclass(frozen=True, slots=True)
class ClientInfo(ServerCommand[str]):
    """This connection's own line of CLIENT LIST."""

    SPEC: ClassVar = CommandSpec(
        name="CLIENT INFO",
        arguments="",
        arity=2,
        summary="This connection's own line of CLIENT LIST.",
        group="connection",
        replies=("verbatim string (RESP3) or bulk string (RESP2): id=… addr=… name=… cmd=… …",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def answer(self, host: Host, session: Session) -> str:
        """The line."""
        return describe(session, host.now())

    def reply(self, result: str, protocol: int) -> Value:
        """A text for people, which tools parse."""
        return VerbatimString(result)


def is_normal(word: bytes) -> bool:
    """Tell whether a type of clients is that of EZRA's; one that Redis has not is an error."""
    kind = word.lower()
    if kind not in TYPES:
        raise CommandError(Text.CLIENT_TYPE.format(name=shown(word)))
    return kind == b"normal"


@dataclass(frozen=True, slots=True)
class ClientUnblock(ServerCommand[bool]):
    """End another client's wait for a task."""

    id: int
    error: bool = False

    SPEC: ClassVar = CommandSpec(
        name="CLIENT UNBLOCK",
        arguments="id [TIMEOUT|ERROR]",
        arity=-3,
        summary="End a client's wait for a task: with null, or with an error.",
        group="connection",
        replies=("integer: 1 if it waited, else 0", Text.UNBLOCK_REASON, Text.NOT_AN_INTEGER),
        flags=("admin",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """A client's number, and how to tell it."""
        if len(arguments) > 2:
            raise CommandError(Text.WRONG_SUBCOMMAND.format(name="UNBLOCK", command="CLIENT"))
        reason = arguments[1].upper() if len(arguments) == 2 else b"TIMEOUT"
        if reason not in (b"TIMEOUT", b"ERROR"):
            raise CommandError(Text.UNBLOCK_REASON)
        return cls(integer(arguments[0]), error=reason == b"ERROR")

    def answer(self, host: Host, session: Session) -> bool:
        """Whether it waited."""
        return any(
            host.unblock(client, error=self.error)
            for client in host.clients()
            if client.id == self.id
        )

    def reply(self, result: bool, protocol: int) -> Value:
        """1 or 0."""
        return int(result)


@dataclass(frozen=True, slots=True)
class ClientPause(RefusedCommand):
    """Redis' way to hold up all clients, which EZRA does not have."""

    REFUSAL: ClassVar = Text.NO_PAUSE
    SPEC: ClassVar = CommandSpec(
        name="CLIENT PAUSE",
        arguments="milliseconds [WRITE|ALL]",
        arity=-3,
        summary="Not supported: clients are never paused.",
        group="connection",
        replies=(Text.NO_PAUSE,),
        flags=("admin",),
    )


@dataclass(frozen=True, slots=True)
class ClientUnpause(FixedCommand):
    """End a pause, of which there is none."""

    SPEC: ClassVar = CommandSpec(
        name="CLIENT UNPAUSE",
        arguments="",
        arity=2,
        summary="Nothing to do: clients are never paused.",
        group="connection",
        replies=("OK",),
        flags=("admin",),
    )
