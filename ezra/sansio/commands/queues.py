"""The commands about a queue's settings: XCFGSET as in Redis, and EZRA's own for all of them.

EZRA's own are in the style of a Redis module's: EZRA.QUEUE LIST, GET, SET.
"""

# ruff: noqa: ARG002, ARG003 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import (
    MAX_ATTEMPTS,
    Seconds,
    Whole,
    Words,
    address,
    integer,
    queue_name,
    shown,
)
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import SECOND, Address, QueueInfo
from ezra.sansio.resp.values import OK, Map, Value

MAX_DEDUP_LIMIT = 10_000
"""The most keys of one producer that a queue remembers, Redis' own bound: beyond it each push has
more to look through."""

SETTINGS: dict[str, Seconds | Whole] = {
    setting.name: setting
    for setting in (
        Seconds("visibility_timeout", least=1),
        Whole("max_attempts", 1, MAX_ATTEMPTS),
        Seconds("retry_delay"),
        Seconds("dedup_window", least=1),
        Whole("dedup_limit", 1, MAX_DEDUP_LIMIT),
    )
}
"""What a queue can set for itself, by the names of the fields of `QueueSettings`."""

_BY_WORD = {name.encode(): setting for name, setting in SETTINGS.items()}

DEFAULT = b"default"
"""The value that gives a setting back to the server."""

_FIELDS = (
    "name, visibility_timeout, max_attempts, retry_delay, dedup_window (seconds), dedup_limit "
    "(null where a setting follows the server's), "
    "available, scheduled, in_flight, done, dead, damaged, pushed, expired"
)


@dataclass(frozen=True, slots=True)
class QueueList(Command[Sequence[QueueInfo]]):
    """The books of every queue, by name."""

    SPEC: ClassVar = CommandSpec(
        name="EZRA.QUEUE LIST",
        arguments="",
        arity=2,
        summary="Every queue with its settings and counts.",
        group="ezra",
        replies=(f"array of maps (RESP3) or of flat arrays (RESP2): {_FIELDS}",),
        flags=("readonly",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def reply(self, result: Sequence[QueueInfo], protocol: int) -> Value:
        """One map a queue."""
        return tuple(_books(info) for info in result)


@dataclass(frozen=True, slots=True)
class QueueGet(Command[QueueInfo]):
    """The books of one queue."""

    queue: str

    SPEC: ClassVar = CommandSpec(
        name="EZRA.QUEUE GET",
        arguments="queue",
        arity=3,
        summary="One queue's settings and counts.",
        group="ezra",
        replies=(
            f"map (RESP3) or flat array (RESP2): {_FIELDS}",
            Text.NO_SUCH_KEY,
            Text.DEAD_IS_NO_QUEUE,
        ),
        flags=("readonly",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """One queue's name."""
        return cls(queue_name(arguments[0]))

    def reply(self, result: QueueInfo, protocol: int) -> Value:
        """One map."""
        return _books(result)


@dataclass(frozen=True, slots=True)
class QueueSet(Command[None]):
    """Change some of a queue's settings, creating the queue; the others stay as they are."""

    queue: str
    changes: tuple[tuple[str, int | None], ...]
    """By name; durations in microseconds. None gives the setting back to the server."""

    SPEC: ClassVar = CommandSpec(
        name="EZRA.QUEUE SET",
        arguments="queue name value|default [name value|default ...]",
        arity=-5,
        summary="Change a queue's settings, those of EZRA.QUEUE GET, creating the queue.",
        group="ezra",
        replies=(
            "OK",
            Text.DEAD_IS_NO_QUEUE,
            "ERR invalid <name>: the setting is malformed, unknown or given twice",
        ),
        flags=("write",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Pairs of name and value; one that is wrong changes nothing at all."""
        if len(arguments) % 2 == 0:
            raise CommandError(Text.WRONG_ARITY.format(name="ezra.queue|set"))
        changes: dict[str, int | None] = {}
        for word, value in zip(arguments[1::2], arguments[2::2], strict=True):
            setting = _setting(word)
            if setting.name in changes:
                raise CommandError(Text.SETTING_TWICE.format(name=setting.name))
            default = value.lower() == DEFAULT
            changes[setting.name] = None if default else setting.parse(value)
        return cls(queue_name(arguments[0]), tuple(changes.items()))

    def reply(self, result: None, protocol: int) -> Value:
        """OK."""
        return OK


def _setting(word: bytes) -> Seconds | Whole:
    setting = _BY_WORD.get(word.lower())
    if setting is None:
        known = ", ".join(SETTINGS)
        raise CommandError(Text.UNKNOWN_SETTING.format(name=shown(word), known=known))
    return setting


def _books(info: QueueInfo) -> Map:
    settings = info.settings
    return Map(
        (
            (b"name", info.name.encode()),
            (b"visibility_timeout", _in_seconds(settings.visibility_timeout)),
            (b"max_attempts", settings.max_attempts),
            (b"retry_delay", _in_seconds(settings.retry_delay)),
            (b"dedup_window", _in_seconds(settings.dedup_window)),
            (b"dedup_limit", settings.dedup_limit),
            (b"available", info.ready),
            (b"scheduled", info.scheduled),
            (b"in_flight", info.in_flight),
            (b"done", info.done),
            (b"dead", info.dead),
            (b"damaged", info.damaged),
            (b"pushed", info.pushed),
            (b"expired", info.expired),
        )
    )


def _in_seconds(duration: int | None) -> float | None:
    return None if duration is None else duration / SECOND


@dataclass(frozen=True, slots=True)
class XCfgSet(Command[None]):
    """Change how a queue tells repeated pushes."""

    address: Address
    changes: tuple[tuple[str, int | None], ...]
    """As of `QueueSet`."""

    SPEC: ClassVar = CommandSpec(
        name="XCFGSET",
        arguments="queue [IDMP-DURATION seconds] [IDMP-MAXSIZE count]",
        arity=-2,
        summary="Change a queue's dedup_window and dedup_limit in Redis' words. What is remembered "
        "already stays remembered.",
        group="queue",
        replies=(
            "OK",
            Text.NO_SUCH_KEY,
            Text.NO_PARAMETER,
            Text.PARAMETER_RANGE,
            Text.NOT_AN_INTEGER,
        ),
        flags=("write", "fast"),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """At least one option; of one given twice the last holds."""
        words, changes = Words(arguments[1:]), dict[str, int | None]()
        while words.left:
            if words.take_if(b"IDMP-DURATION"):
                seconds = _within(words.take(), "IDMP-DURATION", 86_400, "seconds")
                changes["dedup_window"] = seconds * SECOND
            elif words.take_if(b"IDMP-MAXSIZE"):
                limit = _within(words.take(), "IDMP-MAXSIZE", MAX_DEDUP_LIMIT, "entries")
                changes["dedup_limit"] = limit
            else:
                raise CommandError(Text.SYNTAX)
        if not changes:
            raise CommandError(Text.NO_PARAMETER)
        return cls(address(arguments[0]), tuple(changes.items()))

    def reply(self, result: None, protocol: int) -> Value:
        """OK."""
        return OK


def _within(word: bytes, name: str, most: int, unit: str) -> int:
    number = integer(word)
    if not 1 <= number <= most:
        raise CommandError(Text.PARAMETER_RANGE.format(name=name, least=1, most=most, unit=unit))
    return number
