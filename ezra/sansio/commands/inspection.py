"""The commands that look at a queue without changing it: XLEN and XINFO.

Clients read these replies by position as often as by name, so Redis' fields come first, all of them
and in Redis' order; EZRA's own stand behind them.
"""

# ruff: noqa: ARG002 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import Words, address, integer, text
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.commands.books import full_books, short_books, where_tasks_stand
from ezra.sansio.commands.fixed import HelpCommand
from ezra.sansio.commands.ranges import MAX_RANGE, bounded
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import (
    MILLISECOND,
    Address,
    GroupInfo,
    QueueDetails,
    QueueInfo,
    WorkerInfo,
    wire_id,
)
from ezra.sansio.resp.values import Map, SimpleError, Value
from ezra.sansio.session import Session


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


_STANDING = (
    "available, scheduled, in-flight, done, dead, "
    "oldest-waiting-ms (null when no task is claimable)"
)


@dataclass(frozen=True, slots=True)
class XInfoStream(Command[QueueInfo | QueueDetails | int]):
    """A queue's books; in full, with its tasks, groups and workers.

    Where something is wrong with it, it only asks whether there is such a queue, which is what
    Redis looks for before it reads on.
    """

    address: Address
    count: int | None = None
    """FULL: how many tasks, and how many in flight, to show; None without FULL."""
    wrong: str = ""
    """The error for a queue that exists; empty when all is well."""
    plain: bool = False
    """Whether to leave out EZRA's own fields."""

    SPEC: ClassVar = CommandSpec(
        name="XINFO STREAM",
        arguments="queue [FULL [COUNT count]]",
        arity=-3,
        summary="A queue's books: Redis' fields, then how many tasks stand where. FULL shows tasks "
        "(10 by default, with COUNT 0 up to 10000), groups and workers, too.",
        group="queue",
        replies=(
            "map (RESP3) or flat array (RESP2): length, radix-tree-keys, radix-tree-nodes, "
            "last-generated-id, max-deleted-entry-id, entries-added, recorded-first-entry-id, "
            f"groups, first-entry, last-entry, {_STANDING}",
            "map or flat array, with FULL: the same up to recorded-first-entry-id, then entries, "
            f"groups, {_STANDING}",
            Text.NO_SUCH_KEY,
            Text.NOT_AN_INTEGER,
            Text.WRONG_SUBCOMMAND,
        ),
        flags=("readonly",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """One key, alone or with FULL and perhaps its COUNT."""
        key, *options = arguments
        queue = address(key)
        try:
            return cls(queue, _full_count(Words(options)) if options else None)
        except CommandError as error:
            return cls(queue, wrong=str(error))

    def reply(self, result: QueueInfo | QueueDetails | int, protocol: int) -> Value:
        """The books of the queue, or of its dead-letter queue."""
        if isinstance(result, int):
            return SimpleError(self.wrong if result else Text.NO_SUCH_KEY)
        if isinstance(result, QueueDetails):
            books, info = full_books(result, dead=self.address.dead), result.info
        else:
            books, info = short_books(result, dead=self.address.dead), result
        return Map(books if self.plain else (*books, *where_tasks_stand(info)))

    def adapted(self, session: Session) -> Self:
        """Without EZRA's own fields for those who would refuse them."""
        return replace(self, plain=True) if session.strict else self


def _full_count(words: Words) -> int:
    full, count = words.take_if(b"FULL"), _FULL_COUNT
    if full and words.left == 2 and words.take_if(b"COUNT"):
        count = integer(words.take())
    if not full or words.left:
        raise CommandError(Text.WRONG_SUBCOMMAND.format(name="STREAM", command="XINFO"))
    if count < 0:
        return _FULL_COUNT
    return bounded(count) or MAX_RANGE


_FULL_COUNT = 10  # as in Redis, where 0 is all


@dataclass(frozen=True, slots=True)
class XInfoGroups(Command[tuple[QueueInfo, tuple[GroupInfo, ...]]]):
    """The queue's groups. All of them share one queue, so all have the same figures."""

    address: Address

    SPEC: ClassVar = CommandSpec(
        name="XINFO GROUPS",
        arguments="queue",
        arity=3,
        summary="The queue's groups; pending, entries-read and lag are the queue's for each.",
        group="queue",
        replies=(
            "array of maps (RESP3) or of flat arrays (RESP2): name, consumers, "
            "pending (in flight), last-delivered-id (the highest ever claimed), "
            "entries-read (pushed and not waiting), lag (claimable now)",
            Text.NO_SUCH_KEY,
        ),
        flags=("readonly",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """One key."""
        return cls(address(arguments[0]))

    def reply(self, result: tuple[QueueInfo, tuple[GroupInfo, ...]], protocol: int) -> Value:
        """One map a group, by name."""
        info, groups = result
        return tuple(
            [
                Map(
                    (
                        (b"name", group.name.encode()),
                        (b"consumers", group.workers),
                        (b"pending", info.in_flight),
                        (b"last-delivered-id", wire_id(info.last_claimed).encode()),
                        (b"entries-read", info.pushed - info.waiting),
                        (b"lag", info.ready),
                    )
                )
                for group in groups
            ]
        )


@dataclass(frozen=True, slots=True)
class XInfoConsumers(Command[tuple[int, tuple[WorkerInfo, ...]]]):
    """A group's workers, as of the moment that comes with them."""

    address: Address
    group: str

    SPEC: ClassVar = CommandSpec(
        name="XINFO CONSUMERS",
        arguments="queue group",
        arity=4,
        summary="The group's workers, and all others who hold tasks of the queue.",
        group="queue",
        replies=(
            "array of maps (RESP3) or of flat arrays (RESP2): name, pending (in flight with it), "
            "idle (milliseconds since it last asked; 0 if not since the server started), "
            "inactive (milliseconds since it last got a task; -1 if not since the server started)",
            Text.NO_SUCH_KEY,
            Text.NO_SUCH_GROUP,
        ),
        flags=("readonly",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """A queue and a group."""
        return cls(address(arguments[0]), text("group", arguments[1]))

    def reply(self, result: tuple[int, tuple[WorkerInfo, ...]], protocol: int) -> Value:
        """One map a worker, by name."""
        now, workers = result
        return tuple(
            [
                Map(
                    (
                        (b"name", worker.name.encode()),
                        (b"pending", worker.pending),
                        (b"idle", _since(worker.seen_at, now, 0)),
                        (b"inactive", _since(worker.active_at, now, -1)),
                    )
                )
                for worker in workers
            ]
        )


def _since(moment: int | None, now: int, never: int) -> int:
    return never if moment is None else max(now - moment, 0) // MILLISECOND


@dataclass(frozen=True, slots=True)
class XInfoHelp(HelpCommand):
    """The subcommands of XINFO."""

    COMMANDS: ClassVar = (XInfoStream, XInfoGroups, XInfoConsumers)
    SPEC: ClassVar = CommandSpec(
        name="XINFO HELP",
        arguments="",
        arity=2,
        summary="The subcommands of XINFO.",
        group="queue",
        replies=("array: lines of text",),
    )
