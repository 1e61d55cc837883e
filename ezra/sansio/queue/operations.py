"""What can be asked of a queue: one frozen dataclass for each operation, and what it answers.

Every engine carries out these and nothing else, so the pure queue, the in-memory engine and the
SQLite engine can be driven by the same history and compared. An operation says *what*; the moment
at which it happens is an argument of whoever applies it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ezra.sansio.errors import EzraError
from ezra.sansio.model import Address, Delivery, NackMode, NewTask, QueueSettings


@dataclass(frozen=True, slots=True)
class CreateQueue:
    """Make the queue exist, and the group's name known in it. Answers None.

    Raises `CommandError` where `create` is False and there is no such queue.
    """

    queue: str
    group: str | None = None
    create: bool = True


@dataclass(frozen=True, slots=True)
class ConfigureQueue:
    """Replace the queue's own settings, creating the queue. Answers None."""

    queue: str
    settings: QueueSettings


@dataclass(frozen=True, slots=True)
class Push:
    """Add a task. Answers its id, or None where `create` is False and there is no such queue.

    Raises `CommandError` for a chosen id that is not above every id given out before.
    """

    queue: str
    task: NewTask
    create: bool = True


@dataclass(frozen=True, slots=True)
class Claim:
    """Take up to `count` tasks in all, from the sources in the order given.

    Answers a tuple of `Delivery`, one for each source that gave something, in that order. With
    nothing there it waits its turn until `deadline`, and answers `()` when that has come.
    """

    sources: tuple[Address, ...]
    worker: str
    count: int = 1
    deadline: int | None = None
    """None answers at once; `FOREVER` waits for ever."""
    done_at_once: bool = False
    """Redis' NOACK: the tasks are acked as they are claimed."""


@dataclass(frozen=True, slots=True)
class Reread:
    """The worker's own in-flight tasks above an id, leases renewed, attempts unchanged.

    Answers a tuple with one `Delivery` for each source, in the order given, empty ones included.
    `count` bounds the tasks in all.
    """

    sources: tuple[tuple[Address, int], ...]
    """Each with the id after which to look; 0 for all."""
    worker: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Ack:
    """The tasks are done. Answers how many became done.

    Counts for a task in flight, whoever holds it, and for one whose last lease lapsed and that
    nobody has claimed since. An id of another queue, or given twice, counts no further.
    """

    queue: str
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Nack:
    """The tasks could not be done. Answers how many of them were in flight."""

    queue: str
    ids: tuple[int, ...]
    mode: NackMode = NackMode.FAIL
    delay: int | None = None
    """Not claimable before this long from now; None follows the queue's retry delay (FAIL only)."""
    reason: str | None = None
    """Kept as the task's last_error."""
    attempt: int | None = None
    """Only the tasks that are on this attempt; the others are left alone and not counted."""
    attempts: int | None = None
    """Redis' RETRYCOUNT: the attempts to go on from; none left means dead."""


@dataclass(frozen=True, slots=True)
class Extend:
    """Renew the worker's leases (the heartbeat). Answers the ids it still holds, in that order."""

    queue: str
    worker: str
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """A claim's answer could not be delivered: it never counted. Answers how many were released.

    `claims` are (id, attempts) pairs; a task that has moved on since that claim is left alone.
    """

    claims: tuple[tuple[int, int], ...]


Operation = CreateQueue | ConfigureQueue | Push | Claim | Reread | Ack | Nack | Extend | Release

Result = int | None | tuple[int, ...] | tuple[Delivery, ...]
"""What an operation answers; the operation's own docstring says which of these."""

Outcome = Result | EzraError
"""A result, or why this operation alone could not be carried out."""
