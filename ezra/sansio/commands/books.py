"""A queue's books as XINFO STREAM shows them, short and in full.

Everything of Redis is there, in Redis' order, also what EZRA has no use for: clients fail without
it. Groups share one queue, so in full each of them shows the same tasks in flight.
"""

from __future__ import annotations

from ezra.sansio.commands.fields import entry_fields
from ezra.sansio.commands.ranges import entries
from ezra.sansio.model import (
    MILLISECOND,
    Entry,
    GroupDetails,
    Held,
    QueueDetails,
    QueueInfo,
    WorkerInfo,
    wire_id,
)
from ezra.sansio.resp.values import Map, Value

Pairs = tuple[tuple[Value, Value], ...]

_NEVER = -1
"""What Redis says of a worker that never got anything."""


def short_books(info: QueueInfo, *, dead: bool) -> Pairs:
    """Return Redis' ten fields for a queue, or for its dead-letter queue."""
    first, last = (None, None) if dead else (info.first, info.last)
    return (
        *_common_books(info, dead=dead),
        (b"groups", info.groups),
        (b"first-entry", _entry(first)),
        (b"last-entry", _entry(last)),
    )


def full_books(details: QueueDetails, *, dead: bool) -> Pairs:
    """Return Redis' nine fields with FULL, for a queue or for its dead-letter queue."""
    shown = () if dead else details.entries
    return (
        *_common_books(details.info, dead=dead),
        (b"entries", entries(shown)),
        (b"groups", tuple([_group(details, group) for group in details.groups])),
    )


def where_tasks_stand(info: QueueInfo) -> Pairs:
    """Return EZRA's own fields."""
    since = info.oldest_waiting
    return (
        (b"available", info.ready),
        (b"scheduled", info.scheduled),
        (b"in-flight", info.in_flight),
        (b"done", info.done),
        (b"dead", info.dead),
        (b"oldest-waiting-ms", None if since is None else max(info.at - since, 0) // MILLISECOND),
    )


def _common_books(info: QueueInfo, *, dead: bool) -> Pairs:
    # The dead-letter queue has its own length; what it does not have is live tasks.
    length = info.dead if dead else info.waiting
    first = 0 if dead or info.first is None else info.first.id
    return (
        (b"length", length),
        (b"radix-tree-keys", 1),  # as a small stream of Redis': EZRA has no such tree
        (b"radix-tree-nodes", 2),
        (b"last-generated-id", _id(info.last_id)),
        (b"max-deleted-entry-id", b"0-0"),
        (b"entries-added", info.pushed),
        (b"recorded-first-entry-id", _id(first)),
    )


def _group(details: QueueDetails, group: GroupDetails) -> Map:
    info = details.info
    return Map(
        (
            (b"name", group.name.encode()),
            (b"last-delivered-id", _id(info.last_claimed)),
            (b"entries-read", info.pushed - info.waiting),
            (b"lag", info.ready),
            (b"pel-count", info.in_flight),
            (b"pending", tuple([_pending(held, held.worker) for held in details.held])),
            (b"consumers", tuple([_worker(details, worker) for worker in group.workers])),
        )
    )


def _worker(details: QueueDetails, worker: WorkerInfo) -> Map:
    seen = details.info.at if worker.seen_at is None else worker.seen_at
    active = worker.active_at
    own = [_pending(held) for held in details.held if held.worker == worker.name]
    return Map(
        (
            (b"name", worker.name.encode()),
            (b"seen-time", seen // MILLISECOND),
            (b"active-time", _NEVER if active is None else active // MILLISECOND),
            (b"pel-count", worker.pending),
            (b"pending", tuple(own)),
        )
    )


def _pending(held: Held, *worker: str) -> Value:
    """Return a task in flight: id, the worker where it is not plain, since when, attempts."""
    names = [name.encode() for name in worker]
    return _id(held.id), *names, held.claimed_at // MILLISECOND, held.attempts


def _entry(entry: Entry | None) -> Value:
    return None if entry is None else (_id(entry.id), entry_fields(entry))


def _id(task: int) -> bytes:
    return wire_id(task).encode()
