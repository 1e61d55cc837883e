"""The commands that look at a queue without changing it: XLEN, XINFO STREAM."""

# ruff: noqa: ARG002 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import address
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.commands.fields import entry_fields
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import MILLISECOND, Address, Entry, QueueInfo, wire_id
from ezra.sansio.resp.values import Map, SimpleError, Value


@dataclass(frozen=True, slots=True)
class XLen(Command[int]):
    """How many tasks wait in the queue, or are dead in the dead-letter queue."""

    address: Address

    SPEC: ClassVar = CommandSpec(
        name="XLEN",
        arguments="queue",
        arity=2,
        summary="How many tasks wait, scheduled ones included; of queue::dead, the dead.",
        group="queue",
        replies=("integer: how many; 0 where there is no such queue",),
        flags=("readonly", "fast"),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """One key."""
        return cls(address(arguments[0]))

    def reply(self, result: int, protocol: int) -> Value:
        """The number of tasks."""
        return result


@dataclass(frozen=True, slots=True)
class XInfoStream(Command[tuple[QueueInfo, int] | None]):
    """A queue's books, and the present moment, which tells how long the oldest task waits."""

    address: Address

    SPEC: ClassVar = CommandSpec(
        name="XINFO STREAM",
        arguments="queue",
        arity=-3,
        summary="A queue's books: Redis' fields, then how many tasks stand where.",
        group="queue",
        replies=(
            "map (RESP3) or flat array (RESP2): length, radix-tree-keys, radix-tree-nodes, "
            "last-generated-id, max-deleted-entry-id, entries-added, recorded-first-entry-id, "
            "groups, first-entry, last-entry, available, scheduled, in-flight, done, dead, "
            "oldest-waiting-ms (null when no task is claimable)",
            Text.NO_SUCH_KEY,
            Text.NO_FULL,
        ),
        flags=("readonly",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """One key; Redis' FULL form is not there yet."""
        if arguments[1:]:
            full = arguments[1].upper() == b"FULL"
            wrong = Text.WRONG_SUBCOMMAND.format(name="STREAM", command="XINFO")
            raise CommandError(Text.NO_FULL if full else wrong)
        return cls(address(arguments[0]))

    def reply(self, result: tuple[QueueInfo, int] | None, protocol: int) -> Value:
        """Redis' ten fields in Redis' order, which clients read by position, then EZRA's."""
        if result is None:
            return SimpleError(Text.NO_SUCH_KEY)
        info, now = result
        return Map((*self._as_redis_has_it(info), *_where_tasks_stand(info, now)))

    def _as_redis_has_it(self, info: QueueInfo) -> tuple[tuple[Value, Value], ...]:
        # The dead-letter queue has its own length; what it does not have is live tasks.
        length = info.dead if self.address.dead else info.waiting
        first, last = (None, None) if self.address.dead else (info.first, info.last)
        return (
            (b"length", length),
            (b"radix-tree-keys", 1),  # as a small stream of Redis': EZRA has no such tree
            (b"radix-tree-nodes", 2),
            (b"last-generated-id", wire_id(info.last_id).encode()),
            (b"max-deleted-entry-id", b"0-0"),
            (b"entries-added", info.pushed),
            (b"recorded-first-entry-id", wire_id(first.id if first else 0).encode()),
            (b"groups", info.groups),
            (b"first-entry", _entry(first)),
            (b"last-entry", _entry(last)),
        )


def _where_tasks_stand(info: QueueInfo, now: int) -> tuple[tuple[Value, Value], ...]:
    since = info.oldest_waiting
    return (
        (b"available", info.ready),
        (b"scheduled", info.scheduled),
        (b"in-flight", info.in_flight),
        (b"done", info.done),
        (b"dead", info.dead),
        (b"oldest-waiting-ms", None if since is None else max(now - since, 0) // MILLISECOND),
    )


def _entry(entry: Entry | None) -> Value:
    return None if entry is None else (wire_id(entry.id).encode(), entry_fields(entry))
