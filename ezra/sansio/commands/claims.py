"""The command that hands tasks to a worker: XREADGROUP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import (
    MAX_SECONDS,
    Words,
    address,
    id_after,
    idle_time,
    integer,
    text,
)
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.commands.fields import claimed_fields
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import FOREVER, MILLISECOND, SECOND, Address, Claimed, Delivery, wire_id
from ezra.sansio.resp.values import NULL_ARRAY, Map, Value

MAX_CLAIM = 10_000
"""The most tasks that one claim hands out, what "no limit" (COUNT 0) means, too: all of them are
leased from the same moment, and one commit and one reply must hold them."""

MAX_SOURCES = 1_000
"""The most queues that one XREADGROUP reads: a waiting claim looks through all of its queues each
time that one of them stirs, so a list without a bound would slow down everybody."""

_DEFAULT_COUNT = 1


@dataclass(frozen=True, slots=True)
class XReadGroup(Command[tuple[Delivery, ...]]):
    """Claim tasks, or read this worker's own again.

    Answers a tuple of `Delivery`: first one for each source in `rereads`, empty ones included, then
    one for each source in `claims` that gave something.
    """

    group: str
    worker: str
    sources: tuple[tuple[Address, int | None], ...]
    """None stands for `>`; an id, for this worker's own tasks in flight after it."""
    count: int = _DEFAULT_COUNT
    """In all; at most `MAX_CLAIM`, which is also the default where no source is read with `>`."""
    block: int | None = None
    """Microseconds to wait; None does not wait, FOREVER is BLOCK 0. None if any source has an id:
    reading one's own tasks never waits."""
    no_ack: bool = False
    min_idle: int | None = None
    """CLAIM, in microseconds: first take over tasks that have been idle for so long; with 0, only
    one's own. Each entry then says how long it was idle and how often it was delivered before."""

    SPEC: ClassVar = CommandSpec(
        name="XREADGROUP",
        arguments="GROUP group worker [COUNT count] [BLOCK milliseconds] "
        "[CLAIM min-idle-time] [NOACK] STREAMS queue [queue ...] id [id ...]",
        arity=-7,
        summary="Claim up to COUNT (default 1) tasks in all, queues in the order given. "
        "With an id for >, read one's own again (default: all). CLAIM takes over, before new ones, "
        "tasks that lie idle; MAXCOUNT bounds like COUNT.",
        group="queue",
        replies=(
            "map (RESP3) or array of pairs (RESP2): queue -> [[id, [field, value, ...]], ...]; "
            "with CLAIM each entry also has the milliseconds it lay idle and how often it had been "
            "delivered before (0 and 0 for one that is new)",
            "null: nothing there, at once or after BLOCK milliseconds",
            Text.UNBALANCED,
            Text.TOO_MANY_SOURCES,
            Text.MISSING_GROUP,
            Text.DOLLAR_ID,
            Text.NOT_A_TIMEOUT,
            Text.NEGATIVE_TIMEOUT,
            Text.NOT_AN_IDLE_TIME,
            Text.NEGATIVE_IDLE_TIME,
            Text.NO_MAXSIZE,
            Text.NOT_AN_INTEGER,
            Text.INVALID_ID,
        ),
        flags=("write", "blocking", "movablekeys"),
    )

    @property
    def barrier(self) -> bool:
        """What comes after a claim that may wait is looked at when it has been answered."""
        return self.block is not None

    @property
    def claims(self) -> tuple[Address, ...]:
        """The sources read with `>`, in order."""
        return tuple([address for address, after in self.sources if after is None])

    @property
    def rereads(self) -> tuple[tuple[Address, int], ...]:
        """The sources read with an id, in order."""
        return tuple([(address, after) for address, after in self.sources if after is not None])

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Options stand before STREAMS, in any order."""
        words = Words(arguments)
        options = _Options(words)
        sources = _sources(words)
        if options.names is None:
            raise CommandError(Text.MISSING_GROUP)
        rereads = any(after is not None for _, after in sources)
        block = None if rereads else options.block
        count = _default_count(sources) if options.count is None else options.count
        return cls(*options.names, sources, count, block, options.no_ack, options.min_idle)

    def reply(self, result: tuple[Delivery, ...], protocol: int) -> Value:
        """The entries of each queue, or null when there is no queue to name."""
        if not result:
            return NULL_ARRAY
        entry = _entry if self.min_idle is None else _claimed_entry
        pairs = tuple(
            [
                (delivery.source.name.encode(), tuple([entry(task) for task in delivery.tasks]))
                for delivery in result
            ]
        )
        return pairs if protocol == 2 else Map(pairs)

    def handed_out(self, result: tuple[Delivery, ...]) -> tuple[Delivery, ...]:
        """What was claimed now: not what is done at once, nor what some worker had before.

        A task that was taken over keeps its lease and comes back when that lapses: it may have been
        the worker's own, who may be at it.
        """
        if self.no_ack:
            return ()
        claimed = result[len(self.rereads) :]
        return claimed if self.min_idle is None else tuple(map(_new_ones, claimed))


class _Options:
    """What stands before STREAMS."""

    __slots__ = ("block", "count", "min_idle", "names", "no_ack")

    def __init__(self, words: Words) -> None:
        self.names: tuple[str, str] | None = None
        self.count: int | None = None
        self.block: int | None = None
        self.min_idle: int | None = None
        self.no_ack = False
        while (option := words.take().upper()) != b"STREAMS":
            self._take(option, words)

    def _take(self, option: bytes, words: Words) -> None:
        match option:
            case b"GROUP":
                self.names = text("group", words.take()), text("worker", words.take())
            case b"COUNT" | b"MAXCOUNT":
                # Redis' COUNT is per stream and MAXCOUNT for all; here both are for all.
                count = _count(words.take())
                self.count = count if self.count is None else min(count, self.count)
            case b"BLOCK":
                self.block = _timeout(words.take())
            case b"CLAIM":
                self.min_idle = _min_idle(words.take())
            case b"NOACK":
                self.no_ack = True
            case _:
                raise CommandError(Text.NO_MAXSIZE if option == b"MAXSIZE" else Text.SYNTAX)


def _count(word: bytes) -> int:
    count = integer(word)
    return min(count, MAX_CLAIM) if count > 0 else MAX_CLAIM


def _default_count(sources: Sequence[tuple[Address, int | None]]) -> int:
    """Return the COUNT of a command without one: whoever only reads his own wants all of them."""
    claims = any(after is None for _, after in sources)
    return _DEFAULT_COUNT if claims else MAX_CLAIM


def _timeout(word: bytes) -> int:
    milliseconds = integer(word, Text.NOT_A_TIMEOUT)
    if milliseconds < 0:
        raise CommandError(Text.NEGATIVE_TIMEOUT)
    timeout = milliseconds * MILLISECOND
    return timeout if 0 < timeout <= MAX_SECONDS * SECOND else FOREVER


def _min_idle(word: bytes) -> int:
    if integer(word, Text.NOT_AN_IDLE_TIME) < 0:
        raise CommandError(Text.NEGATIVE_IDLE_TIME)
    return idle_time(word, Text.NOT_AN_IDLE_TIME)


def _sources(words: Words) -> tuple[tuple[Address, int | None], ...]:
    """Take the queues and as many ids: the first id belongs to the first queue, and so on."""
    if words.left % 2:
        raise CommandError(Text.UNBALANCED)
    if not words.left:
        raise CommandError(Text.SYNTAX)
    if words.left // 2 > MAX_SOURCES:
        raise CommandError(Text.TOO_MANY_SOURCES.format(most=MAX_SOURCES))
    queues = words.take_many(words.left // 2)
    ids = words.take_many(words.left)
    return tuple([(address(queue), _after(word)) for queue, word in zip(queues, ids, strict=True)])


def _after(word: bytes) -> int | None:
    if word == b">":
        return None
    if word == b"$":
        raise CommandError(Text.DOLLAR_ID)
    return id_after(word)


def _entry(task: Claimed) -> tuple[Value, ...]:
    return wire_id(task.id).encode(), claimed_fields(task)


def _claimed_entry(task: Claimed) -> tuple[Value, ...]:
    """Return an entry of a reply to CLAIM, with its idle time and earlier deliveries."""
    return *_entry(task), task.idle // MILLISECOND, task.attempts - 1


def _new_ones(delivery: Delivery) -> Delivery:
    """Return the delivery without what was in flight before: that had been idle."""
    return Delivery(delivery.source, tuple([task for task in delivery.tasks if not task.idle]))
