"""The commands at either end of a task's life: XADD pushes it, XACK says that it is done.

Between them stand those of `claims` and `nacks`.
"""

# ruff: noqa: ARG002 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import (
    MAX_NAME,
    Bytes,
    Words,
    address,
    id_halves,
    task_ids,
    text,
)
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.commands.fields import new_task
from ezra.sansio.commands.trimming import Trimming
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import (
    MAX_SEQUENCE,
    NO_ID,
    Address,
    Dedup,
    NewTask,
    pack_id,
    wire_id,
)
from ezra.sansio.resp.values import Value

_STAND_IN = NewTask(None, ((b"", b""),), 1)
"""The entry `0-1` with an empty field. Clients (walrus) add it and delete it at once, only to have
an empty stream: see `XAdd.creates_only`."""


@dataclass(frozen=True, slots=True)
class XAdd(Command[int | None]):
    """Push a task. Answers its id, or None where `create` is False and there is no such queue."""

    address: Address
    """Never a dead-letter queue."""
    task: NewTask
    create: bool = True

    SPEC: ClassVar = CommandSpec(
        name="XADD",
        arguments="queue [NOMKSTREAM] [KEEPREF|DELREF|ACKED] [IDMP producer id|IDMPAUTO producer] "
        "[MAXLEN|MINID [=|~] threshold [LIMIT count]] *|id field value [field value ...]",
        arity=-5,
        summary="Push a task. A repeat within the queue's dedup_window (the same IDMP, the same "
        "content with IDMPAUTO, the same field dedup_key) pushes nothing. "
        "MAXLEN and MINID are accepted and never drop a task.",
        group="queue",
        replies=(
            "bulk string: the task's id; of a repeat, the first push's",
            "null: NOMKSTREAM was given and there is no such queue; nothing was pushed",
            Text.ID_TOO_SMALL,
            Text.ID_ZERO,
            Text.ID_TOO_FAR,
            Text.ID_SEQUENCE,
            Text.ID_HALF_MADE,
            Text.INVALID_ID,
            Text.PUSH_TO_DEAD,
            Text.IDEMPOTENCE_TWICE,
            Text.IDEMPOTENCE_CHOSEN_ID,
            Text.NO_PRODUCER,
            Text.NO_IDEMPOTENT_ID,
            Text.INVALID_BYTES,
            Text.NEGATIVE_MAXLEN,
            Text.NEGATIVE_LIMIT,
            Text.TWO_TRIMS,
            Text.LIMIT_NEEDS_APPROXIMATE,
            Text.LIMIT_NEEDS_TRIM,
            Text.NOT_AN_INTEGER,
            "ERR invalid <name>: an option field is malformed, unknown or given twice",
        ),
        flags=("write", "fast"),
    )

    @property
    def creates_only(self) -> bool:
        """Whether it is meant to create an empty queue, and pushes nothing.

        The task would never be wanted: whoever sends it deletes it with the next command, which is
        a nack here. The id is answered as if it had been pushed.
        """
        return self.task.id == _STAND_IN.id and self.create and self.task == _STAND_IN

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Options stand before the id, in any order; everything after it is fields."""
        words = Words(arguments)
        queue = _queue_to_push_to(words.take())
        options = _Options(words)
        if words.left < 2 or words.left % 2:
            raise CommandError(Text.WRONG_ARITY.format(name="xadd"))
        fields = words.take_many(words.left)
        return cls(queue, new_task(fields, options.id(), options.dedup(fields)), options.create)

    def reply(self, result: int | None, protocol: int) -> Value:
        """The id, or null."""
        if self.creates_only:
            result = self.task.id
        return None if result is None else wire_id(result).encode()


def _queue_to_push_to(word: bytes) -> Address:
    key = address(word)
    if key.dead:
        raise CommandError(Text.PUSH_TO_DEAD.format(name=key.name, queue=key.queue))
    return key


class _Options:
    """What stands between XADD's key and its fields: options in any order, then the id."""

    __slots__ = ("_halves", "_idempotent_id", "_producer", "create")

    def __init__(self, words: Words) -> None:
        self.create = True
        self._halves: tuple[int, int] | None = None
        self._producer: bytes | None = None
        self._idempotent_id: bytes | None = None  # None has the fields be it
        trimming = Trimming()
        while (word := words.take()) != b"*":
            option = word.upper()
            if option == b"NOMKSTREAM":
                self.create = False
            elif option in (b"IDMP", b"IDMPAUTO"):
                self._take_idempotence(option, words)
            elif not trimming.take(option, words):
                self._halves = _chosen_halves(word)
                break
        if self._halves is not None and self._producer is not None:
            raise CommandError(Text.IDEMPOTENCE_CHOSEN_ID)
        trimming.check()

    def id(self) -> int | None:
        """Return the id that the producer chose, if any.

        Raises:
            CommandError: no task can have it.
        """
        return None if self._halves is None else _usable_id(*self._halves)

    def dedup(self, fields: Sequence[bytes]) -> Dedup | None:
        """Return what IDMP or IDMPAUTO say of a push of these fields."""
        if self._producer is None:
            return None
        return Dedup(self._producer, self._idempotent_id or _digest(fields), limited=True)

    def _take_idempotence(self, option: bytes, words: Words) -> None:
        if self._producer is not None:
            raise CommandError(Text.IDEMPOTENCE_TWICE)
        self._producer = _PRODUCER.parse(words.take())
        if not self._producer:
            raise CommandError(Text.NO_PRODUCER.format(option=option.decode()))
        if option == b"IDMP":
            self._idempotent_id = _IDEMPOTENT_ID.parse(words.take())
            if not self._idempotent_id:
                raise CommandError(Text.NO_IDEMPOTENT_ID)


_PRODUCER = Bytes("producer", 0, MAX_NAME)  # that it is not empty is said in Redis' words
_IDEMPOTENT_ID = Bytes("idempotent id", 0, MAX_NAME)


def _digest(fields: Sequence[bytes]) -> bytes:
    """Return what stands for an entry's whole content, in order: 32 bytes."""
    digest = hashlib.sha256()
    for field in fields:
        digest.update(b"%d:" % len(field))  # where one ends and the next begins
        digest.update(field)
    return digest.digest()


def _chosen_halves(word: bytes) -> tuple[int, int]:
    if word.endswith(b"-*"):
        id_halves(word[:-1] + b"0")
        raise CommandError(Text.ID_HALF_MADE)
    return id_halves(word)


def _usable_id(milliseconds: int, sequence: int) -> int:
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
