"""Several commands as one: MULTI, EXEC, DISCARD, and the WATCH that EZRA does not have.

What stands between MULTI and EXEC is kept by the connection (`ezra.sansio.transaction`), which
answers `Queued` for each of them and fills EXEC with them. EXEC's result is the tuple of theirs.
"""

# ruff: noqa: ARG003 - parsers have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, Self

from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.commands.fixed import FixedCommand, RefusedCommand
from ezra.sansio.errors import EzraError, Text
from ezra.sansio.model import Delivery
from ezra.sansio.resp.values import SimpleError, SimpleString, Value


@dataclass(frozen=True, slots=True)
class Multi(FixedCommand):
    """Begin a transaction: what follows is kept until EXEC."""

    SPEC: ClassVar = CommandSpec(
        name="MULTI",
        arguments="",
        arity=1,
        summary="Begin a transaction: what follows is queued until EXEC.",
        group="transactions",
        replies=("OK", Text.NESTED_MULTI, Text.TOO_LONG_TRANSACTION, Text.TOO_MANY_OTHERS),
        flags=("fast",),
    )


@dataclass(frozen=True, slots=True)
class Queued(FixedCommand):
    """Stands for a command that is kept until EXEC: it is answered QUEUED. Never on the wire."""

    REPLY: ClassVar = SimpleString("QUEUED")
    SPEC: ClassVar = Multi.SPEC


@dataclass(frozen=True, slots=True)
class Exec(Command[tuple[object, ...]]):
    """Carry out what was queued since MULTI, as one.

    The result has, for each of the commands, what its own `reply` takes, or the `EzraError` that
    takes its place. That is for those about the connection or the server alone: where a command
    on a queue fails, all of them are undone, and the error is the result of EXEC itself.
    """

    commands: tuple[Command[Any], ...] = ()

    SPEC: ClassVar = CommandSpec(
        name="EXEC",
        arguments="",
        arity=1,
        summary="Carry out what was queued since MULTI: all of it, or nothing.",
        group="transactions",
        replies=(
            "array: the reply to each command",
            Text.EXEC_WITHOUT_MULTI,
            Text.EXEC_ABORT,
            Text.EXEC_ARITY,
            Text.ROLLED_BACK,
        ),
        flags=("write",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments; the connection adds the commands."""
        return cls()

    def handed_out(self, result: tuple[object, ...]) -> tuple[Delivery, ...]:
        """What its commands hand out, together."""
        return tuple(
            chain.from_iterable(
                command.handed_out(item)
                for command, item in zip(self.commands, result, strict=True)
                if not isinstance(item, EzraError)
            )
        )

    def reply(self, result: tuple[object, ...], protocol: int) -> Value:
        """One reply for each command."""
        pairs = zip(self.commands, result, strict=True)
        return tuple([_reply(command, item, protocol) for command, item in pairs])


def _reply(command: Command[Any], result: object, protocol: int) -> Value:
    if isinstance(result, EzraError):
        return SimpleError(str(result))
    return command.reply(result, protocol)


@dataclass(frozen=True, slots=True)
class Discard(FixedCommand):
    """Give up what was queued since MULTI."""

    SPEC: ClassVar = CommandSpec(
        name="DISCARD",
        arguments="",
        arity=1,
        summary="Give up what was queued since MULTI.",
        group="transactions",
        replies=("OK", Text.DISCARD_WITHOUT_MULTI),
        flags=("fast",),
    )


@dataclass(frozen=True, slots=True)
class Watch(RefusedCommand):
    """Redis' optimistic lock, which EZRA does not have."""

    REFUSAL: ClassVar = Text.NO_WATCH
    SPEC: ClassVar = CommandSpec(
        name="WATCH",
        arguments="key [key ...]",
        arity=-2,
        summary="Not supported: a transaction of EZRA's never depends on what was read before it.",
        group="transactions",
        replies=(Text.NO_WATCH, Text.WATCH_INSIDE_MULTI),
        flags=("fast",),
    )


@dataclass(frozen=True, slots=True)
class Unwatch(FixedCommand):
    """Watch nothing any more, as before."""

    SPEC: ClassVar = CommandSpec(
        name="UNWATCH",
        arguments="",
        arity=1,
        summary="Watch nothing, as ever.",
        group="transactions",
        replies=("OK",),
        flags=("fast",),
    )
