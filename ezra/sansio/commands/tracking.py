"""Redis' client-side caching, as far as clients insist on it: CLIENT TRACKING and its like.

Some libraries (rueidis) refuse a server that knows no CLIENT TRACKING. EZRA takes it, checks it and
tells the same again, and never sends an invalidation: what a client keeps of a queue's state is old
as soon as it has it.
"""

# ruff: noqa: ARG002, ARG003 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import Words, integer
from ezra.sansio.commands.base import CommandSpec
from ezra.sansio.commands.connection import ConnectionCommand
from ezra.sansio.commands.server import ServerCommand
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.host import Host
from ezra.sansio.resp.values import OK, Map, Set, Value
from ezra.sansio.session import Session, Tracking

_SWITCHES = {
    b"BCAST": "broadcast",
    b"OPTIN": "opt_in",
    b"OPTOUT": "opt_out",
    b"NOLOOP": "no_loop",
}


@dataclass(frozen=True, slots=True)
class ClientTracking(ServerCommand[None]):
    """Note what the client wants to be told; None for nothing."""

    wanted: Tracking | None

    SPEC: ClassVar = CommandSpec(
        name="CLIENT TRACKING",
        arguments="ON|OFF [REDIRECT id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] "
        "[OPTOUT] [NOLOOP]",
        arity=-3,
        summary="Noted, for libraries that insist; no invalidation is ever sent, so cache nothing.",
        group="connection",
        replies=(
            "OK",
            Text.TRACKING_TWO_MODES,
            Text.TRACKING_BROADCAST,
            Text.TRACKING_PREFIX,
            Text.TRACKING_REDIRECT,
            Text.TRACKING_SWITCH,
        ),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """The switch first, then the options in any order."""
        words = Words(arguments)
        on = _choice(words.take(), b"ON", b"OFF")
        options: dict[str, bool] = {}
        redirect, prefixes = 0, []
        while words.left:
            option = words.take().upper()
            if option == b"REDIRECT":
                redirect = integer(words.take())
            elif option == b"PREFIX":
                prefixes.append(words.take())
            elif option in _SWITCHES:
                options[_SWITCHES[option]] = True
            else:
                raise CommandError(Text.SYNTAX)
        wanted = Tracking(**options, redirect=redirect, prefixes=tuple(prefixes))
        return cls(wanted if on else None)

    def answer(self, host: Host, session: Session) -> CommandError | None:
        """Note it, if it makes sense and is no change of mode."""
        wanted = self.wanted
        if wanted and wanted.redirect:
            known = {client.id for client in host.clients()}
            if wanted.redirect not in known:
                return CommandError(Text.TRACKING_REDIRECT)
        trouble = wanted and (_contradiction(wanted) or _switched(session.tracking, wanted))
        if trouble:
            return CommandError(trouble)
        session.tracking = wanted
        return None

    def reply(self, result: None, protocol: int) -> Value:
        """OK."""
        return OK


def _contradiction(wanted: Tracking) -> str | None:
    if wanted.prefixes and not wanted.broadcast:
        return Text.TRACKING_PREFIX
    if wanted.opt_in and wanted.opt_out:
        return Text.TRACKING_TWO_MODES
    if wanted.broadcast and (wanted.opt_in or wanted.opt_out):
        return Text.TRACKING_BROADCAST
    return None


def _switched(old: Tracking | None, wanted: Tracking) -> str | None:
    if old is None:
        return None
    if old.broadcast != wanted.broadcast:
        return Text.TRACKING_SWITCH.format(modes="BCAST", change=" on/off")
    if (old.opt_in and wanted.opt_out) or (old.opt_out and wanted.opt_in):
        return Text.TRACKING_SWITCH.format(modes="OPTIN/OPTOUT", change="")
    return None


@dataclass(frozen=True, slots=True)
class ClientTrackingInfo(ConnectionCommand[Tracking | None]):
    """What was noted."""

    SPEC: ClassVar = CommandSpec(
        name="CLIENT TRACKINGINFO",
        arguments="",
        arity=2,
        summary="What this connection said by CLIENT TRACKING.",
        group="connection",
        replies=("map (RESP3) or flat array (RESP2): flags, redirect, prefixes",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def answer(self, session: Session) -> Tracking | None:
        """It, or None while tracking is off."""
        return session.tracking

    def reply(self, result: Tracking | None, protocol: int) -> Value:
        """Redis' three fields."""
        return Map(
            (
                (b"flags", Set(tuple(_flags(result)))),
                (b"redirect", result.redirect if result else -1),
                (b"prefixes", result.prefixes if result else ()),
            )
        )


def _flags(tracking: Tracking | None) -> list[bytes]:
    if tracking is None:
        return [b"off"]
    flags = {
        b"bcast": tracking.broadcast,
        b"optin": tracking.opt_in,
        b"optout": tracking.opt_out,
        b"noloop": tracking.no_loop,
    }
    return [b"on", *[flag for flag, on in flags.items() if on]]


@dataclass(frozen=True, slots=True)
class ClientGetRedir(ConnectionCommand[int]):
    """Which client is to be told instead."""

    SPEC: ClassVar = CommandSpec(
        name="CLIENT GETREDIR",
        arguments="",
        arity=2,
        summary="The client named by CLIENT TRACKING's REDIRECT.",
        group="connection",
        replies=("integer: its number; 0 for none, -1 while tracking is off",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def answer(self, session: Session) -> int:
        """Its number."""
        return session.tracking.redirect if session.tracking else -1

    def reply(self, result: int, protocol: int) -> Value:
        """The number."""
        return result


@dataclass(frozen=True, slots=True)
class ClientCaching(ConnectionCommand[None]):
    """Say whether the next command's keys are to be tracked."""

    yes: bool

    SPEC: ClassVar = CommandSpec(
        name="CLIENT CACHING",
        arguments="YES|NO",
        arity=3,
        summary="Whether the next command's keys are to be tracked; checked, and without effect.",
        group="connection",
        replies=("OK", Text.NOT_CACHING, Text.CACHING_MODE),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """YES or NO."""
        return cls(_choice(arguments[0], b"YES", b"NO"))

    def answer(self, session: Session) -> CommandError | None:
        """YES belongs to OPTIN, NO to OPTOUT."""
        tracking = session.tracking
        if tracking is None:
            return CommandError(Text.NOT_CACHING)
        if tracking.opt_in if self.yes else tracking.opt_out:
            return None
        answer, mode = ("YES", "OPTIN") if self.yes else ("NO", "OPTOUT")
        return CommandError(Text.CACHING_MODE.format(answer=answer, mode=mode))

    def reply(self, result: None, protocol: int) -> Value:
        """OK."""
        return OK


def _choice(word: bytes, yes: bytes, no: bytes) -> bool:
    """Return which of the two words it is."""
    if word.upper() not in (yes, no):
        raise CommandError(Text.SYNTAX)
    return word.upper() == yes
