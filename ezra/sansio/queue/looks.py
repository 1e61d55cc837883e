"""What can be asked about queues without changing them: one frozen dataclass for each question.

A look sees what every operation before it did, and everything that is due. Engines answer looks
from a moment's snapshot, beside whatever is being written; as a step of a `Transact` it sees what
the steps before it did. One whose answer would weigh more than `Defaults.answer_size` raises
`CommandError`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ezra.sansio.errors import CommandError
from ezra.sansio.model import (
    MAX_ID,
    Address,
    Entry,
    GroupInfo,
    Held,
    PendingSummary,
    QueueDetails,
    QueueInfo,
    QueueName,
    WorkerInfo,
)


@dataclass(frozen=True, slots=True)
class Length:
    """How many tasks wait, scheduled ones included, or are dead. Answers 0 for no such queue."""

    address: Address


@dataclass(frozen=True, slots=True)
class Exists:
    """How many of these there are: queues, and dead-letter queues with something in them.

    One that is named twice counts twice.
    """

    addresses: tuple[Address, ...]
    refusal: str = ""
    """The text of the `CommandError` to raise if there are any; empty raises none."""

    def answer(self, found: int) -> int:
        """Return how many there are; raises the `CommandError` if there must not be any."""
        if found and self.refusal:
            raise CommandError(self.refusal)
        return found


@dataclass(frozen=True, slots=True)
class Names:
    """The queues made after the one with the number `after`, in that order: tuple of QueueName."""

    after: int = 0
    count: int | None = None
    """At most so many; None for all."""


@dataclass(frozen=True, slots=True)
class Info:
    """A queue's books: `QueueInfo`. Raises `CommandError` where there is no such queue."""

    queue: str


@dataclass(frozen=True, slots=True)
class Infos:
    """The books of all queues, by name: tuple of `QueueInfo`, without first and last tasks."""

    after: str = ""
    """Only of those whose names come after this one."""
    count: int | None = None
    """At most so many; None for all."""


@dataclass(frozen=True, slots=True)
class Details:
    """Books, tasks, groups and workers: `QueueDetails`. Raises `CommandError` without the queue."""

    queue: str
    count: int | None = 10
    """How many entries and how many held tasks to show at most; None for all."""


@dataclass(frozen=True, slots=True)
class Range:
    """Tasks by id, not claimed: live ones (waiting or in flight), or dead ones. Tuple of `Entry`.

    Answers `()` where there is no such queue.
    """

    address: Address
    first: int = 0
    last: int = MAX_ID
    count: int | None = None
    """At most so many; None for all."""
    backwards: bool = False
    """From `last` down to `first`."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A queue's tasks in flight, counted: `PendingSummary`.

    Raises `CommandError` where there is no such queue or group.
    """

    queue: str
    group: str


@dataclass(frozen=True, slots=True)
class PendingTasks:
    """A queue's tasks in flight, by id: tuple of `Held`.

    Raises `CommandError` where there is no such queue or group.
    """

    queue: str
    group: str
    first: int = 0
    last: int = MAX_ID
    count: int = 10
    worker: str | None = None
    """Only this worker's."""
    min_idle: int = 0
    """Only those that have been idle for so long, in microseconds."""


@dataclass(frozen=True, slots=True)
class Groups:
    """A queue's groups, by name: tuple of `GroupInfo`, with the queue's books: `(info, groups)`.

    Raises `CommandError` where there is no such queue.
    """

    queue: str


@dataclass(frozen=True, slots=True)
class Workers:
    """A group's workers, by name: `(now, tuple of WorkerInfo)`.

    Raises `CommandError` where there is no such queue or group.
    """

    queue: str
    group: str


@dataclass(frozen=True, slots=True)
class FindGroup:
    """Answers None if the group is known; raises `CommandError` if it, or the queue, is not."""

    queue: str
    group: str


Look = (
    Length
    | Exists
    | Names
    | Info
    | Infos
    | Details
    | Range
    | Pending
    | PendingTasks
    | Groups
    | Workers
    | FindGroup
)

Answer = (
    int
    | None
    | QueueInfo
    | QueueDetails
    | PendingSummary
    | tuple[QueueName, ...]
    | tuple[QueueInfo, ...]
    | tuple[Entry, ...]
    | tuple[Held, ...]
    | tuple[QueueInfo, tuple[GroupInfo, ...]]
    | tuple[int, tuple[WorkerInfo, ...]]
)
"""What a look answers; its own docstring says which of these."""
