"""What can be asked of a queue: one frozen dataclass for each operation, and what it answers.

Every engine carries out these and nothing else, so the pure queue, the in-memory engine and the
SQLite engine can be driven by the same history and compared. An operation says *what*; the moment
at which it happens is an argument of whoever applies it. What only looks is in `looks`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ezra.sansio.errors import EzraError
from ezra.sansio.model import Address, Claimed, Delivery, NackMode, NewTask, Taken
from ezra.sansio.queue.looks import Answer, Look

# -- Queues, groups and workers --------------------------------------------------------------------


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
    """Change some of the queue's own settings; the others stay. Answers None.

    Raises `CommandError` where `create` is False and there is no such queue.
    """

    queue: str
    changes: tuple[tuple[str, int | None], ...]
    """Fields of `QueueSettings` and their new values; None leaves one to the server."""
    create: bool = True


@dataclass(frozen=True, slots=True)
class DeleteQueues:
    """Remove queues, with their settings, groups and done tasks. Answers how many there were.

    Raises `CommandError`, and removes none, while any of them has tasks that are not done.
    """

    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoveGroup:
    """Forget a group's name and its workers; no task changes. Answers whether it was known.

    Raises `CommandError` where there is no such queue.
    """

    queue: str
    group: str


@dataclass(frozen=True, slots=True)
class AddWorker:
    """Make a worker known in a group. Answers whether it was not.

    Raises `CommandError` where there is no such queue or group.
    """

    queue: str
    group: str
    worker: str


@dataclass(frozen=True, slots=True)
class RemoveWorker:
    """Forget a worker, and release what it holds of the queue: those claims never counted.

    Answers how many tasks were released. Raises `CommandError` where there is no such queue or
    group.
    """

    queue: str
    group: str
    worker: str
    most: int | None = None
    """Release at most so many, those with the lowest ids."""


# -- Tasks -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Push:
    """Add a task. Answers its id, or None where `create` is False and there is no such queue.

    A repeat of an earlier push (see `Dedup`) answers that one's id and adds nothing. Raises
    `CommandError` for a chosen id that is not above every id given out before.
    """

    queue: str
    task: NewTask
    create: bool = True


@dataclass(frozen=True, slots=True)
class Claim:
    """Take up to `count` tasks in all, from the sources in the order given.

    First, for each of `rereads`, the worker's own tasks in flight above that id, by id: leases
    renewed, attempts unchanged. Then, from each source, if `min_idle` is given, the tasks in flight
    that are idle for so long (see `TakeIdle`), and then those whose turn it is. It stops early with
    the task that makes it `Defaults.claim_size`.

    Answers a tuple of `Delivery`: one for each reread, empty ones included, then one for each
    source that gave something, in that order. With nothing there (and no rereads) it waits its turn
    until `deadline`, and answers `()` when that has come.
    """

    sources: tuple[Address, ...]
    worker: str
    count: int = 1
    deadline: int | None = None
    """None answers at once; `FOREVER` waits for ever."""
    done_at_once: bool = False
    """Redis' NOACK: the tasks whose turn it is are acked as they are claimed."""
    group: str | None = None
    """Known from now on in those of the queues that exist, and the worker in it."""
    rereads: tuple[tuple[Address, int], ...] = ()
    """Each with the id after which to look; 0 for all."""
    min_idle: int | None = None
    """Microseconds; never looked at again while the claim waits."""


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
    strict: bool = False
    """Raise `CommandError` if none was in flight."""
    counts_done: bool = False
    """Count those that are done, too; nothing happens to them."""
    claim: int | None = None
    """Only the tasks that are held by this claim (`Claimed.claim`): it names one claim of a task,
    where several may have the same attempt."""


@dataclass(frozen=True, slots=True)
class Extend:
    """Renew the worker's leases (the heartbeat). Answers the ids it still holds, in that order."""

    queue: str
    worker: str
    ids: tuple[int, ...]
    group: str | None = None
    """Where it is given it must be known: else, or without the queue, `CommandError`."""
    claim: int | None = None
    """Only the tasks that are held by this claim (`Claimed.claim`), for workers of one name."""


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Take tasks by their ids: one's own (leases renewed), and those of others that are idle.

    A task of another worker is taken over when it has been idle for `min_idle`, which must be above
    0. That counts an attempt; a task that has none left dies instead. Answers the tasks that the
    worker holds now, in the order of the ids, as a tuple of `Claimed`.

    Raises `CommandError` where there is no such queue or group, or where the answer would weigh
    more than `Defaults.answer_size`.
    """

    queue: str
    group: str
    worker: str
    min_idle: int
    """Microseconds since it was claimed or renewed."""
    ids: tuple[int, ...]
    attempts: int | None = None
    """Redis' RETRYCOUNT: what the attempts are now, whatever they were; at most max_attempts."""
    force: bool = False
    """Also claim those of the tasks that are claimable now, as if it were their turn."""


@dataclass(frozen=True, slots=True)
class TakeIdle:
    """Take over up to `count` tasks that have been idle for `min_idle`, by id from `start` on.

    With `min_idle` 0 only one's own, whose leases are renewed. Otherwise anybody's, one's own
    included: that counts an attempt, and a task that has none left dies instead. Answers `Taken`,
    and stops early as a `Claim` does.

    Raises `CommandError` where there is no such queue or group.
    """

    queue: str
    group: str
    worker: str
    min_idle: int
    start: int = 0
    count: int = 100
    renews: bool = False
    """One's own have their leases renewed, and count no attempt, also with a `min_idle`."""


@dataclass(frozen=True, slots=True)
class Release:
    """A claim's answer could not be delivered: it never counted. Answers how many were released.

    `claims` are pairs of `Claimed.id` and `Claimed.claim`; a task that has moved on since that
    claim is left alone, whoever claimed it since.
    """

    claims: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Erase:
    """Remove tasks that nobody holds. Answers, for each id in order, whether it was removed.

    With `acks`, instead: ack the tasks and remove those that became done by it. An id of another
    queue, or one given before, is not removed.
    """

    queue: str
    ids: tuple[int, ...]
    acks: bool = False


@dataclass(frozen=True, slots=True)
class Trim:
    """Remove done tasks, or dead ones through the dead-letter queue. Answers how many.

    Never touches tasks that wait or are in flight. The oldest go first: those that finished first,
    or dead ones with the lowest ids.
    """

    address: Address
    keep: int = 0
    """So many stay."""
    below: int | None = None
    """Only ids below this one."""
    most: int | None = None
    """At most so many."""


@dataclass(frozen=True, slots=True)
class Transact:
    """Carry out all the steps, in order, as one: nobody sees or claims anything in between.

    Answers a tuple with the answer of each step. If one of them raises `CommandError`, or if all of
    them weigh more than `Defaults.answer_size`, all of them are undone, and it is raised as
    `ROLLED_BACK`. No step may be a claim with a deadline, or another transaction. Who waits for
    what it made available is served when it is over.
    """

    steps: tuple[Operation | Look, ...]


Operation = (
    CreateQueue
    | ConfigureQueue
    | DeleteQueues
    | RemoveGroup
    | AddWorker
    | RemoveWorker
    | Push
    | Claim
    | Ack
    | Nack
    | Extend
    | TakeOver
    | TakeIdle
    | Release
    | Erase
    | Trim
    | Transact
)

Result = (
    int
    | None
    | Taken
    | tuple[int, ...]
    | tuple[Delivery, ...]
    | tuple[Claimed, ...]
    | tuple["Result | Answer", ...]
)
"""What an operation answers; the operation's own docstring says which of these. (A bool is an
int.)"""

Outcome = Result | Answer | EzraError
"""A result, or why this operation alone could not be carried out."""
