"""The words that both halves of the core share: ids, tasks, queues.

The protocol half (`resp`, `commands`, `connection`) and the queue half (`queue`) do not know each
other. What they do share is this vocabulary: plain data, and the arithmetic of ids.

Units, here and in everything below `ezra`: a time is an int of Unix microseconds, a duration is an
int of microseconds. Seconds and milliseconds exist only at the edges, where a person or a Redis
client types them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

SECOND = 1_000_000
"""Microseconds in a second."""

MILLISECOND = 1_000
"""Microseconds in a millisecond."""

FOREVER = 2**63 - 1
"""The end of time: later than every moment, and the largest integer that SQLite stores."""

DEAD_SUFFIX = "::dead"
"""What turns a queue's name into the name of its dead-letter queue."""

# A task's id packs Redis' two halves into one integer, so that it can be SQLite's primary key.
# 20 bits count 1,048,576 ids within a millisecond; the 43 left reach into the year 2248.
SEQUENCE_BITS = 20
MAX_SEQUENCE = (1 << SEQUENCE_BITS) - 1
MAX_ID = FOREVER

NO_ID = -1
"""Stands for an id that is well formed on the wire and that no task can have."""


class Status(enum.StrEnum):
    """Where a task stands, in the words that the database stores."""

    ABSENT = "absent"
    """Not there: not yet pushed, or removed. Never stored."""
    AVAILABLE = "available"
    """Waits for a worker (or for its time: then it is *scheduled*)."""
    IN_FLIGHT = "in_flight"
    """With a worker, who holds a lease on it."""
    DONE = "done"
    """Acked."""
    DEAD = "dead"
    """Out of attempts: it waits in the dead-letter queue for a person."""


class NackMode(enum.StrEnum):
    """What a nack means, in the words of Redis 8.8's XNACK."""

    SILENT = "SILENT"
    """The attempt never counted."""
    FAIL = "FAIL"
    """The attempt failed; it is tried again while attempts are left."""
    FATAL = "FATAL"
    """It will never work: straight to dead."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a client calls a queue: the queue itself, or its dead-letter queue."""

    queue: str
    dead: bool = False

    @property
    def name(self) -> str:
        """The name as the client writes it."""
        return self.queue + DEAD_SUFFIX if self.dead else self.queue


@dataclass(frozen=True, slots=True)
class Dedup:
    """What tells a repeated push from a new one: the same key of the same producer, within a time.

    Repeats of a push answer the first one's id and push nothing, until the time is over.
    """

    producer: bytes
    """Empty for a key that is not any one producer's (the field `dedup_key`)."""
    key: bytes
    ttl: int | None = None
    """How long the key is remembered; None follows the queue's `dedup_window`."""
    limited: bool = False
    """Whether the queue's `dedup_limit` bounds how many keys of this producer are remembered."""


@dataclass(frozen=True, slots=True)
class NewTask:
    """What a push asks for. `payload` is None for an entry in some framework's own format."""

    payload: bytes | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """The other fields, in order; of a framework's entry, all of them."""
    id: int | None = None
    """An id of the producer's choice; None has the queue make one."""
    priority: int = 0
    """−128 … 127; higher is claimed first."""
    delay: int | None = None
    """Not claimable before this long after the push."""
    run_at: int | None = None
    """Not claimable before this moment."""
    ttl: int | None = None
    """Removed when the task has waited this long since the push."""
    max_attempts: int | None = None
    """Instead of the queue's."""
    visibility_timeout: int | None = None
    """Instead of the queue's."""
    dedup: Dedup | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A task as it is handed to a worker. `id` and `claim` together name this one claim."""

    id: int
    payload: bytes | None
    headers: tuple[tuple[bytes, bytes], ...]
    attempts: int
    """Counts this claim, too: 1 on the first delivery."""
    max_attempts: int
    claim: int
    """Which claim of the task this is, of all that there ever were. Attempts cannot tell: a claim
    from the dead-letter queue counts none, and one that was undone is counted again."""
    idle: int = 0
    """How long it had been idle with the worker from whom it was taken over; 0 from the queue."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The tasks that one claim took from one queue."""

    source: Address
    tasks: tuple[Claimed, ...]


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for every queue that sets nothing else. Durations in microseconds."""

    visibility_timeout: int = 30 * SECOND
    max_attempts: int = 3
    retry_delay: int = 0
    retention: int | None = None
    """A done task is removed this long after it finished; None keeps it."""
    dedup_window: int = 100 * SECOND
    """How long a key that tells repeated pushes is remembered, if the push does not say."""
    dedup_limit: int = 100
    """How many keys of one producer are remembered (of those that are limited)."""
    claim_size: int = 16 * 1024 * 1024
    """A claim takes no further task once those that it has take so many bytes of memory, whatever
    its count: all that one claim hands out is in memory at once."""
    answer_size: int = 256 * 1024 * 1024
    """A look, a take-over by ids or a transaction whose answer would weigh more bytes fails, and
    nothing of it is done: they have no place to stop early, as a claim has."""


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What one queue sets for itself; None leaves it to the server's `Defaults`."""

    visibility_timeout: int | None = None
    max_attempts: int | None = None
    retry_delay: int | None = None
    dedup_window: int | None = None
    dedup_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A task seen without claiming it."""

    id: int
    payload: bytes | None
    headers: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """A queue's books at one moment."""

    at: int
    """The moment."""
    name: str
    settings: QueueSettings
    ready: int
    """Claimable now."""
    scheduled: int
    """Waiting for their time."""
    in_flight: int
    done: int
    """Done and not yet removed."""
    dead: int
    """Damaged ones included."""
    damaged: int
    """Set aside, because what is stored of them is not what was pushed."""
    pushed: int
    """Ever pushed."""
    expired: int
    """Ever removed because their ttl was over."""
    groups: int
    last_id: int
    """The highest id ever pushed here; 0 before the first."""
    last_claimed: int
    """The highest id ever claimed here; 0 before the first."""
    oldest_waiting: int | None
    """Since when the oldest ready task has been claimable; None when nothing is ready."""
    first: Entry | None
    """The live task (waiting or in flight) with the lowest id."""
    last: Entry | None
    """The live task (waiting or in flight) with the highest id."""

    @property
    def waiting(self) -> int:
        """What XLEN answers: ready and scheduled tasks."""
        return self.ready + self.scheduled


@dataclass(frozen=True, slots=True)
class Held:
    """A task in flight, as somebody sees it who only looks."""

    id: int
    worker: str
    claimed_at: int
    """When it was claimed, or its lease last renewed: it has been idle since then."""
    idle: int
    """Since `claimed_at`, at the moment of looking."""
    attempts: int


@dataclass(frozen=True, slots=True)
class PendingSummary:
    """A queue's tasks in flight, counted."""

    count: int
    first: int
    """The lowest of their ids; 0 when there are none."""
    last: int
    """The highest of their ids; 0 when there are none."""
    workers: tuple[tuple[str, int], ...]
    """Each worker that holds any, by name, and how many."""


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """A group of a queue. It is a name only: what is pending is the queue's."""

    name: str
    workers: int
    """How many workers are known in it: those of `WorkerInfo`."""


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker of a group: it holds tasks of the queue, or has asked for some since the start."""

    name: str
    pending: int
    """How many of the queue's tasks it holds, whatever the group."""
    seen_at: int | None
    """When it last asked for tasks through this group; None if not since the start."""
    active_at: int | None
    """When it last got some through this group; None if not since the start."""


@dataclass(frozen=True, slots=True)
class GroupDetails:
    """A group with its workers."""

    name: str
    workers: tuple[WorkerInfo, ...]


@dataclass(frozen=True, slots=True)
class QueueDetails:
    """All that XINFO STREAM FULL tells of a queue."""

    info: QueueInfo
    entries: tuple[Entry, ...]
    """Live tasks (waiting or in flight) by id, as many as were asked for."""
    groups: tuple[GroupDetails, ...]
    """By name."""
    held: tuple[Held, ...]
    """Tasks in flight by id, as many as were asked for; the same for every group."""


@dataclass(frozen=True, slots=True)
class QueueName:
    """A queue as a list of queues shows it."""

    number: int
    """Counts the queues in the order in which they were made; never used again."""
    name: str
    dead: bool
    """Whether there is something in its dead-letter queue."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a search for idle tasks took over."""

    tasks: tuple[Claimed, ...]
    cursor: int
    """The id of the first task in flight that was not looked at; 0 when it saw the last one."""


def wire_id(task_id: int) -> str:
    """Return a task's id as Redis writes it: `<milliseconds>-<sequence>`.

    Example: `wire_id(1_700_000_000_000 << 20 | 5) == "1700000000000-5"`.
    """
    return f"{task_id >> SEQUENCE_BITS}-{task_id & MAX_SEQUENCE}"


def pack_id(milliseconds: int, sequence: int) -> int:
    """Return the integer of an id's two halves, or `NO_ID` where no task can have such an id."""
    packed = (milliseconds << SEQUENCE_BITS) | sequence
    if sequence > MAX_SEQUENCE or packed > MAX_ID:
        return NO_ID
    return packed


def next_id(last: int, now: int) -> int:
    """Return the id of a task pushed at `now`, above every id up to `last`.

    Strictly increasing whatever the clock does: when it stands still or steps back, the ids go on
    counting from the last one.
    """
    return max(last + 1, (now // MILLISECOND) << SEQUENCE_BITS)
