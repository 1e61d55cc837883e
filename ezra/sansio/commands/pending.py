"""The commands about tasks in flight: XPENDING looks at them, XCLAIM and XAUTOCLAIM take them over.

XCLAIM with JUSTID and a min-idle-time of 0 is the heartbeat: a worker renews its own leases with
it, and an id that is missing from the answer is a lease that it has lost.
"""

# ruff: noqa: ARG002 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import (
    Words,
    address,
    id_halves,
    idle_time,
    integer,
    interval,
    shown,
    start_id,
    task_id,
    text,
)
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.commands.claims import MAX_CLAIM
from ezra.sansio.commands.fields import claimed_fields
from ezra.sansio.commands.ranges import bounded
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import (
    MILLISECOND,
    Address,
    Claimed,
    Held,
    PendingSummary,
    Taken,
    wire_id,
)
from ezra.sansio.resp.values import NULL_ARRAY, SimpleError, Value

AUTOCLAIM_COUNT = 100  # by default, as in Redis


@dataclass(frozen=True, slots=True)
class PendingRange:
    """Which tasks in flight XPENDING is to list."""

    first: int
    last: int
    count: int
    worker: str | None = None
    """Only this worker's."""
    min_idle: int = 0
    """Only those idle for so many microseconds."""


@dataclass(frozen=True, slots=True)
class XPending(Command[PendingSummary | tuple[Held, ...]]):
    """The queue's tasks in flight, counted, or listed if a range is given."""

    address: Address
    group: str
    range: PendingRange | None = None

    SPEC: ClassVar = CommandSpec(
        name="XPENDING",
        arguments="queue group [[IDLE min-idle-time] start end count [worker]]",
        arity=-3,
        summary="The queue's tasks in flight, whichever group claimed them: counted, or listed.",
        group="queue",
        replies=(
            "array of four: how many, the first id, the last id, [[worker, how many], ...]; "
            "with none in flight 0 and three nulls (without a range)",
            "array: [[id, worker, milliseconds since claimed or renewed, attempts], ...], "
            "at most 10000 (with a range)",
            Text.NO_GROUP,
            Text.INVALID_ID,
            Text.INVALID_START,
            Text.INVALID_END,
            Text.NOT_AN_INTEGER,
        ),
        flags=("readonly",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """A range needs its count, and nothing may follow the worker."""
        queue, group = address(arguments[0]), text("group", arguments[1])
        return cls(queue, group, _range(Words(arguments[2:])) if arguments[2:] else None)

    def reply(self, result: PendingSummary | tuple[Held, ...], protocol: int) -> Value:
        """Four items in all, or four for each task."""
        if isinstance(result, PendingSummary):
            return _summary(result)
        return tuple(
            [
                (_id(held.id), held.worker.encode(), held.idle // MILLISECOND, held.attempts)
                for held in result
            ]
        )


def _range(words: Words) -> PendingRange:
    min_idle = 0
    if words.take_if(b"IDLE"):
        min_idle = idle_time(words.take(), Text.NOT_AN_INTEGER)
    start, end, count = words.take(), words.take(), integer(words.take())
    worker = text("worker", words.take()) if words.left else None
    if words.left:
        raise CommandError(Text.SYNTAX)
    return PendingRange(*interval(start, end), bounded(count), worker, min_idle)


def _summary(pending: PendingSummary) -> Value:
    if not pending.count:
        return 0, None, None, NULL_ARRAY
    # The counts are bulk strings, and clients rely on it.
    workers = tuple([(name.encode(), b"%d" % count) for name, count in pending.workers])
    return pending.count, _id(pending.first), _id(pending.last), workers


def _id(task: int) -> bytes:
    return wire_id(task).encode()


@dataclass(frozen=True, slots=True)
class XClaim(Command[tuple[Claimed, ...] | tuple[int, ...] | PendingSummary]):
    """Take tasks over, or renew one's own leases.

    Answers the tasks that the worker holds now; the heartbeat, their ids. Where something is wrong
    with it, it only asks for the group, which Redis looks for before it reads on.
    """

    address: Address
    group: str
    worker: str
    min_idle: int = 0
    """Microseconds; with 0 only one's own."""
    ids: tuple[int, ...] = ()
    attempts: int | None = None
    """RETRYCOUNT."""
    force: bool = False
    just_ids: bool = False
    wrong: str = ""
    """The error for a group that is known; empty when all is well."""

    SPEC: ClassVar = CommandSpec(
        name="XCLAIM",
        arguments="queue group worker min-idle-time id [id ...] [IDLE ms] [TIME unix-ms] "
        "[RETRYCOUNT count] [FORCE] [JUSTID] [LASTID id]",
        arity=-6,
        summary="With 0 … JUSTID, the heartbeat: renew one's own leases; an id missing from the "
        "answer is lost. Above 0, also take over others' tasks that lie idle: counts an attempt. "
        "IDLE, TIME and LASTID change nothing.",
        group="queue",
        replies=(
            "array: [[id, [field, value, ...]], ...] of the tasks that the worker holds now",
            "array: their ids (with JUSTID)",
            Text.NO_GROUP,
            Text.INVALID_MIN_IDLE.format(command="XCLAIM"),
            Text.CLAIM_OPTION,
            Text.CLAIM_ARGUMENT,
            Text.INVALID_ID,
        ),
        flags=("write", "fast"),
    )

    @property
    def heartbeat(self) -> bool:
        """Whether it only renews leases, and says which."""
        return self.just_ids and not (self.min_idle or self.force) and self.attempts is None

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Ids come first; the first word that is none begins the options, as in Redis."""
        names = address(arguments[0]), text("group", arguments[1]), text("worker", arguments[2])
        try:
            min_idle = idle_time(arguments[3], Text.INVALID_MIN_IDLE.format(command="XCLAIM"))
            ids = _leading_ids(arguments[4:])
            options = _ClaimOptions(Words(arguments[4 + len(ids) :]))
        except CommandError as error:
            return cls(*names, wrong=str(error))
        return cls(*names, min_idle, ids, options.attempts, options.force, options.just_ids)

    def reply(
        self, result: tuple[Claimed, ...] | tuple[int, ...] | PendingSummary, protocol: int
    ) -> Value:
        """The tasks in the order of the ids given."""
        if isinstance(result, PendingSummary):
            return SimpleError(self.wrong)
        return _taken(result, just_ids=self.just_ids)


def _leading_ids(words: Sequence[bytes]) -> tuple[int, ...]:
    ids = []
    for word in words:
        try:
            ids.append(task_id(word))
        except CommandError:
            break
    return tuple(ids)


class _ClaimOptions:
    """What stands behind XCLAIM's ids."""

    __slots__ = ("attempts", "force", "just_ids")

    def __init__(self, words: Words) -> None:
        self.attempts: int | None = None
        self.force = False
        self.just_ids = False
        while words.left:
            self._take(words.take(), words)

    def _take(self, word: bytes, words: Words) -> None:
        option = word.upper()
        if option == b"FORCE":
            self.force = True
        elif option == b"JUSTID":
            self.just_ids = True
        elif option not in _CLAIM_ARGUMENTS or not words.left:
            raise CommandError(Text.CLAIM_OPTION.format(name=shown(word)))
        elif option == b"LASTID":
            id_halves(words.take())
        else:
            name = option.decode()
            number = integer(words.take(), Text.CLAIM_ARGUMENT.format(name=name))
            if option == b"RETRYCOUNT":
                self.attempts = max(number, 0)


_CLAIM_ARGUMENTS = frozenset((b"IDLE", b"TIME", b"RETRYCOUNT", b"LASTID"))


def _taken(tasks: Sequence[Claimed | int], *, just_ids: bool) -> Value:
    if just_ids:
        return tuple([_id(task if isinstance(task, int) else task.id) for task in tasks])
    return tuple(
        [(_id(task.id), claimed_fields(task)) for task in tasks if isinstance(task, Claimed)]
    )


@dataclass(frozen=True, slots=True)
class XAutoClaim(Command[Taken]):
    """Take over tasks that lie idle. Answers them, and where to look next."""

    address: Address
    group: str
    worker: str
    min_idle: int
    """Microseconds; with 0 only one's own."""
    start: int
    count: int = AUTOCLAIM_COUNT
    """At most MAX_CLAIM."""
    just_ids: bool = False

    SPEC: ClassVar = CommandSpec(
        name="XAUTOCLAIM",
        arguments="queue group worker min-idle-time start [COUNT count] [JUSTID]",
        arity=-6,
        summary="Take over up to COUNT (default 100) tasks that lie idle, by id from start on; "
        "each counts an attempt; with JUSTID one's own only renew their leases. "
        "Never needed to get lost tasks back: their leases lapse.",
        group="queue",
        replies=(
            "array of three: the id to go on from, 0-0 at the end; [[id, [field, value, ...]], "
            "...], or with JUSTID the ids; ids of deleted entries, of which there are none",
            Text.NO_GROUP,
            Text.INVALID_MIN_IDLE.format(command="XAUTOCLAIM"),
            Text.INVALID_ID,
            Text.INVALID_START,
            Text.COUNT_TOO_LOW,
        ),
        flags=("write", "fast"),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """The start is written as in XRANGE."""
        queue, group, worker = arguments[:3]
        min_idle = idle_time(arguments[3], Text.INVALID_MIN_IDLE.format(command="XAUTOCLAIM"))
        start = start_id(arguments[4])
        count, just_ids, words = AUTOCLAIM_COUNT, False, Words(arguments[5:])
        while words.left:
            if words.take_if(b"JUSTID"):
                just_ids = True
            elif words.take_if(b"COUNT"):
                count = _count(words.take())
            else:
                raise CommandError(Text.SYNTAX)
        names = text("group", group), text("worker", worker)
        return cls(address(queue), *names, min_idle, start, count, just_ids)

    def reply(self, result: Taken, protocol: int) -> Value:
        """The cursor, the tasks, and no deleted ids: what was deleted is not in flight."""
        return _id(result.cursor), _taken(result.tasks, just_ids=self.just_ids), ()


def _count(word: bytes) -> int:
    count = integer(word, Text.COUNT_TOO_LOW)
    if count < 1:
        raise CommandError(Text.COUNT_TOO_LOW)
    return min(count, MAX_CLAIM)
