"""The commands at either end of a task's life: XADD pushes it, XACK says that it is done.

Between them stand those of `claims` and `nacks`.
"""

# ruff: noqa: ARG002 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import Words, address, id_halves, integer, task_ids, text
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.commands.fields import new_task
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import MAX_SEQUENCE, NO_ID, Address, NewTask, pack_id, wire_id
from ezra.sansio.resp.values import Value


@dataclass(frozen=True, slots=True)
class XAdd(Command[int | None]):
    """Push a task. Answers its id, or None where `create` is False and there is no such queue."""

    address: Address
    """Never a dead-letter queue."""
    task: NewTask
    create: bool = True

    SPEC: ClassVar = CommandSpec(
        name="XADD",
        arguments="queue [NOMKSTREAM] [KEEPREF|DELREF|ACKED] "
        "[MAXLEN|MINID [=|~] threshold [LIMIT count]] *|id field value [field value ...]",
        arity=-5,
        summary="Push a task. MAXLEN and MINID are accepted and never drop a task.",
        group="queue",
        replies=(
            "bulk string: the task's id",
            "null: NOMKSTREAM was given and there is no such queue; nothing was pushed",
            Text.ID_TOO_SMALL,
            Text.ID_ZERO,
            Text.ID_TOO_FAR,
            Text.PUSH_TO_DEAD,
            "ERR invalid <name>: an option field is malformed, unknown or given twice",
        ),
        flags=("write", "fast"),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Options stand before the id, in any order; everything after it is fields."""
        words = Words(arguments)
        queue = _queue_to_push_to(words.take())
        create, halves = _options_and_id(words)
        if words.left < 2 or words.left % 2:
            raise CommandError(Text.WRONG_ARITY.format(name="xadd"))
        chosen = None if halves is None else _chosen_id(*halves)
        return cls(queue, new_task(words.take_many(words.left), chosen), create)

    def reply(self, result: int | None, protocol: int) -> Value:
        """The id, or null."""
        return None if result is None else wire_id(result).encode()


def _queue_to_push_to(word: bytes) -> Address:
    key = address(word)
    if key.dead:
        raise CommandError(Text.PUSH_TO_DEAD.format(name=key.name, queue=key.queue))
    return key


def _options_and_id(words: Words) -> tuple[bool, tuple[int, int] | None]:
    """Take XADD's options and its id; return whether to create the queue, and a chosen id."""
    create, halves = True, None
    trimmed = approximate = limited = False
    while (word := words.take()) != b"*":
        option = word.upper()
        if option in _TRIMS:
            if trimmed:
                raise CommandError(Text.TWO_TRIMS)
            trimmed, approximate = True, _take_threshold(words, _TRIMS[option])
        elif option == b"LIMIT":
            limited = True
            _check_not_negative(words.take(), Text.NEGATIVE_LIMIT)
        elif option == b"NOMKSTREAM":
            create = False
        elif option in _IDEMPOTENCE:
            raise CommandError(Text.NO_IDEMPOTENCE)
        elif option not in _REFERENCES:
            halves = id_halves(word)
            break
    _check_limit(trimmed=trimmed, approximate=approximate, limited=limited)
    return create, halves


def _take_threshold(words: Words, check: Callable[[bytes], object]) -> bool:
    """Take what follows MAXLEN or MINID; return whether it was meant approximately."""
    approximate = words.take_if(b"~")
    if not approximate:
        words.take_if(b"=")
    check(words.take())
    return approximate


def _check_not_negative(word: bytes, error: str) -> None:
    if integer(word) < 0:
        raise CommandError(error)


def _check_maxlen(word: bytes) -> None:
    _check_not_negative(word, Text.NEGATIVE_MAXLEN)


def _check_limit(*, trimmed: bool, approximate: bool, limited: bool) -> None:
    if limited and not approximate:
        raise CommandError(Text.LIMIT_NEEDS_APPROXIMATE if trimmed else Text.LIMIT_NEEDS_TRIM)


_TRIMS: dict[bytes, Callable[[bytes], object]] = {b"MAXLEN": _check_maxlen, b"MINID": id_halves}
_REFERENCES = frozenset((b"KEEPREF", b"DELREF", b"ACKED"))
_IDEMPOTENCE = frozenset((b"IDMP", b"IDMPAUTO"))


def _chosen_id(milliseconds: int, sequence: int) -> int:
    if not milliseconds and not sequence:
        raise CommandError(Text.ID_ZERO)
    if sequence > MAX_SEQUENCE:
        raise CommandError(Text.ID_SEQUENCE.format(most=MAX_SEQUENCE))
    chosen = pack_id(milliseconds, sequence)
    if chosen == NO_ID:
        raise CommandError(Text.ID_TOO_FAR)
    return chosen


@dataclass(frozen=True, slots=True)
class XAck(Command[int]):
    """The tasks are done. Answers how many became done."""

    address: Address
    group: str
    ids: tuple[int, ...]

    SPEC: ClassVar = CommandSpec(
        name="XACK",
        arguments="queue group id [id ...]",
        arity=-4,
        summary="Ack: the tasks are done.",
        group="queue",
        replies=(
            "integer: how many became done; 0 for another queue's or an unknown id",
            Text.INVALID_ID,
        ),
        flags=("write", "fast"),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """One malformed id makes the whole command an error: none is acked."""
        return cls(address(arguments[0]), text("group", arguments[1]), task_ids(arguments[2:]))

    def reply(self, result: int, protocol: int) -> Value:
        """The number of tasks that became done."""
        return result
