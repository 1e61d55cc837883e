"""The commands that say a task could not be done: XDEL and XNACK."""

# ruff: noqa: ARG002 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import (
    MAX_ATTEMPTS,
    MAX_REASON,
    Seconds,
    Whole,
    Words,
    address,
    counted_ids,
    task_ids,
    text,
)
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import Address, NackMode
from ezra.sansio.resp.scalars import MAX_INTEGER
from ezra.sansio.resp.values import OK, Value


@dataclass(frozen=True, slots=True)
class XDel(Command[int]):
    """Nack the tasks; nothing is ever deleted. Answers how many were in flight, or are done.

    What is done stays done. It counts because frameworks finish a task by XACK and then XDEL, and
    take an answer of 0 for a failure (Symfony Messenger does).
    """

    address: Address
    ids: tuple[int, ...]

    SPEC: ClassVar = CommandSpec(
        name="XDEL",
        arguments="queue id [id ...]",
        arity=-3,
        summary="Nack: tasks in flight are tried again, or die. Never deletes.",
        group="queue",
        replies=("integer: how many were in flight, or are done already", Text.INVALID_ID),
        flags=("write", "fast"),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """One malformed id makes the whole command an error: none is nacked."""
        return cls(address(arguments[0]), task_ids(arguments[1:]))

    def reply(self, result: int, protocol: int) -> Value:
        """The number of tasks that were in flight."""
        return result


@dataclass(frozen=True, slots=True)
class XNack(Command[int]):
    """The tasks could not be done. Answers how many of them were in flight."""

    address: Address
    group: str
    ids: tuple[int, ...]
    mode: NackMode = NackMode.FAIL
    delay: int | None = None
    """Microseconds; None follows the queue's retry delay."""
    reason: str | None = None
    attempt: int | None = None
    """Only tasks on this attempt."""
    attempts: int | None = None
    """Redis' RETRYCOUNT: the attempts to go on from."""
    short: bool = False
    """EZRA's short form, answered with OK; that none was in flight is an error."""

    SPEC: ClassVar = CommandSpec(
        name="XNACK",
        arguments="queue group id [id ...] | queue group SILENT|FAIL|FATAL IDS numids id [id ...] "
        "[RETRYCOUNT count] [FORCE] [DELAY seconds] [REASON text] [ATTEMPT number]",
        arity=-4,
        summary="Nack: SILENT never counted, FAIL is tried again, FATAL is dead at once.",
        group="queue",
        replies=(
            "integer: how many were in flight (the form with a mode)",
            "OK: at least one was in flight (the short form)",
            Text.NOT_IN_FLIGHT,
            Text.INVALID_ID,
            Text.NUMBER_OF_IDS,
            Text.IDS_DO_NOT_MATCH,
            Text.UNKNOWN_MODE,
            "ERR invalid <name>: the option is malformed or given twice",
        ),
        flags=("write", "fast"),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """A mode in place of the first id makes it Redis' form, else it is EZRA's short one."""
        queue, group = address(arguments[0]), text("group", arguments[1])
        mode = _MODES.get(arguments[2].upper())
        if mode is None:
            _check_short(arguments[3:])
            return cls(queue, group, task_ids(arguments[2:]), short=True)
        ids, reason, numbers = _nack_options(Words(arguments[3:]))
        return cls(queue, group, ids, mode, reason=reason, short=False, **numbers)

    def reply(self, result: int, protocol: int) -> Value:
        """The number of tasks that were in flight; the short form says only that any was."""
        return OK if self.short else result


_MODES = {mode.value.encode(): mode for mode in NackMode}
_NUMBERS: dict[bytes, tuple[str, Seconds | Whole]] = {
    b"DELAY": ("delay", Seconds("delay")),
    b"ATTEMPT": ("attempt", Whole("attempt", 1, MAX_ATTEMPTS)),
    b"RETRYCOUNT": ("attempts", Whole("retrycount", 0, MAX_INTEGER)),
}
"""XNACK's options that take a number: the field it goes to, and how it is read."""


def _check_short(words: Sequence[bytes]) -> None:
    """Refuse what is Redis' form with a misspelled mode: in the short form there is no IDS."""
    if b"IDS" in [word.upper() for word in words]:
        known = ", ".join(mode.value for mode in NackMode)
        raise CommandError(Text.UNKNOWN_MODE.format(known=known))


def _nack_options(words: Words) -> tuple[tuple[int, ...], str | None, dict[str, int]]:
    """Take what follows the mode: return the ids, the reason and the numbers by field."""
    seen: set[bytes] = set()
    ids: tuple[int, ...] = ()
    reason: str | None = None
    numbers: dict[str, int] = {}
    while words.left:
        option = words.take().upper()
        if option in seen:
            raise CommandError(Text.NACK_OPTION_TWICE.format(name=option.decode().lower()))
        seen.add(option)
        if option == b"IDS":
            ids = counted_ids(words)
        elif option == b"REASON":
            reason = text("reason", words.take(), MAX_REASON)
        elif option in _NUMBERS:
            field, parser = _NUMBERS[option]
            numbers[field] = parser.parse(words.take())
        elif option != b"FORCE":  # accepted: only what is in flight can be nacked
            raise CommandError(Text.SYNTAX)
    if not ids:
        raise CommandError(Text.SYNTAX)
    return ids, reason, numbers
