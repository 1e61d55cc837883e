"""What tools ask about speed, of which EZRA notes nothing: SLOWLOG, LATENCY.

Answered as by a Redis that has just been started, so that exporters and browsers go on.
"""

# ruff: noqa: ARG002 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import integer, shown
from ezra.sansio.commands.base import CommandSpec
from ezra.sansio.commands.connection import ConnectionCommand
from ezra.sansio.commands.fixed import FixedCommand, HelpCommand
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.resp.values import Map, Value, VerbatimString
from ezra.sansio.session import Session


@dataclass(frozen=True, slots=True)
class SlowLogLen(FixedCommand):
    """How many slow commands were noted: none is."""

    REPLY: ClassVar = 0
    SPEC: ClassVar = CommandSpec(
        name="SLOWLOG LEN",
        arguments="",
        arity=2,
        summary="How many slow commands were noted: EZRA notes none.",
        group="server",
        replies=("integer: 0",),
    )


@dataclass(frozen=True, slots=True)
class SlowLogGet(FixedCommand):
    """The slow commands: none is noted."""

    REPLY: ClassVar = ()
    SPEC: ClassVar = CommandSpec(
        name="SLOWLOG GET",
        arguments="[count]",
        arity=-2,
        summary="The slow commands that were noted: EZRA notes none.",
        group="server",
        replies=("array: empty", Text.SLOWLOG_COUNT),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """At most one number, -1 for all."""
        if len(arguments) > 1:
            raise CommandError(Text.WRONG_SUBCOMMAND.format(name="GET", command="SLOWLOG"))
        if arguments and integer(arguments[0], Text.SLOWLOG_COUNT) < -1:
            raise CommandError(Text.SLOWLOG_COUNT)
        return cls()


@dataclass(frozen=True, slots=True)
class SlowLogReset(FixedCommand):
    """Forget the slow commands: none is noted."""

    SPEC: ClassVar = CommandSpec(
        name="SLOWLOG RESET",
        arguments="",
        arity=2,
        summary="Nothing to do: no slow commands are noted.",
        group="server",
        replies=("OK",),
    )


@dataclass(frozen=True, slots=True)
class SlowLogHelp(HelpCommand):
    """The subcommands of SLOWLOG."""

    COMMANDS: ClassVar = (SlowLogGet, SlowLogLen, SlowLogReset)
    SPEC: ClassVar = CommandSpec(
        name="SLOWLOG HELP",
        arguments="",
        arity=2,
        summary="The subcommands of SLOWLOG.",
        group="server",
        replies=("array: lines of text",),
    )


@dataclass(frozen=True, slots=True)
class LatencyLatest(FixedCommand):
    """The latest slow events: none is noted."""

    REPLY: ClassVar = ()
    SPEC: ClassVar = CommandSpec(
        name="LATENCY LATEST",
        arguments="",
        arity=2,
        summary="The latest slow events: EZRA notes none.",
        group="server",
        replies=("array: empty",),
    )


@dataclass(frozen=True, slots=True)
class LatencyHistory(FixedCommand):
    """An event's latencies: none is noted."""

    REPLY: ClassVar = ()
    SPEC: ClassVar = CommandSpec(
        name="LATENCY HISTORY",
        arguments="event",
        arity=3,
        summary="An event's latencies: EZRA notes none.",
        group="server",
        replies=("array: empty",),
    )


@dataclass(frozen=True, slots=True)
class LatencyGraph(ConnectionCommand[None]):
    """A drawing of an event's latencies: none is noted."""

    event: str

    SPEC: ClassVar = CommandSpec(
        name="LATENCY GRAPH",
        arguments="event",
        arity=3,
        summary="A drawing of an event's latencies: EZRA notes none.",
        group="server",
        replies=(Text.NO_SAMPLES,),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """The event."""
        return cls(shown(arguments[0]))

    def answer(self, session: Session) -> CommandError:
        """There is nothing to draw."""
        return CommandError(Text.NO_SAMPLES.format(name=self.event))

    def reply(self, result: None, protocol: int) -> Value:
        """Never asked for."""
        raise AssertionError("LATENCY GRAPH is always answered with an error")


@dataclass(frozen=True, slots=True)
class LatencyReset(FixedCommand):
    """Forget events: none is noted."""

    REPLY: ClassVar = 0
    SPEC: ClassVar = CommandSpec(
        name="LATENCY RESET",
        arguments="[event ...]",
        arity=-2,
        summary="Nothing to do: no events are noted.",
        group="server",
        replies=("integer: 0",),
    )


@dataclass(frozen=True, slots=True)
class LatencyHistogram(FixedCommand):
    """How long commands took: it is not measured."""

    REPLY: ClassVar = Map(())
    SPEC: ClassVar = CommandSpec(
        name="LATENCY HISTOGRAM",
        arguments="[command ...]",
        arity=-2,
        summary="How long commands took: it is not measured.",
        group="server",
        replies=("map (RESP3) or flat array (RESP2): empty",),
    )


@dataclass(frozen=True, slots=True)
class LatencyDoctor(FixedCommand):
    """A person's advice about latencies."""

    REPLY: ClassVar = VerbatimString(
        "EZRA notes no latencies. What a push costs is mostly the disk's fsync: "
        "measure it with `make bench`.\n"
    )
    SPEC: ClassVar = CommandSpec(
        name="LATENCY DOCTOR",
        arguments="",
        arity=2,
        summary="Advice about latencies: EZRA notes none.",
        group="server",
        replies=("verbatim string (RESP3) or bulk string (RESP2): a text",),
    )


@dataclass(frozen=True, slots=True)
class LatencyHelp(HelpCommand):
    """The subcommands of LATENCY."""

    COMMANDS: ClassVar = (
        LatencyDoctor,
        LatencyGraph,
        LatencyHistogram,
        LatencyHistory,
        LatencyLatest,
        LatencyReset,
    )
    SPEC: ClassVar = CommandSpec(
        name="LATENCY HELP",
        arguments="",
        arity=2,
        summary="The subcommands of LATENCY.",
        group="server",
        replies=("array: lines of text",),
    )
