"""One queue's tasks, in every order in which somebody looks for them, and its books.

The records themselves are in the `Store`; a shelf keeps ids. `place` says for each order whether
the task belongs there now, so the orders cannot drift apart: they all follow from one record.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ezra.sansio.model import Defaults, QueueSettings, Status
from ezra.sansio.queue.ordered import Ordered
from ezra.sansio.queue.ranking import Ranking
from ezra.sansio.queue.task import Task


@dataclass(frozen=True, slots=True)
class Books:
    """What is known of a queue beside its tasks. Never changes; it is replaced."""

    in_force: Defaults
    """What holds in this queue: its own settings, and the server's where it has none."""
    settings: QueueSettings = field(default_factory=QueueSettings)
    """Its own."""
    groups: frozenset[str] = frozenset()
    pushed: int = 0
    expired: int = 0
    last_id: int = 0
    last_claimed: int = 0
    """The last four as in `QueueInfo`."""


class Shelf:
    """One queue: its name and number, its books, and the ids of its tasks."""

    __slots__ = (
        "_held",
        "books",
        "damaged",
        "dead",
        "dead_turns",
        "done",
        "in_flight",
        "live",
        "name",
        "number",
        "ready",
        "waiting_since",
    )

    def __init__(self, name: str, number: int, books: Books) -> None:
        self.name = name
        self.number = number
        self.books = books
        # Whose turn it is: the rank is (−priority, available_at).
        self.ready = Ranking[tuple[int, int]]()
        self.dead_turns = Ranking[tuple[int, int]]()
        self.waiting_since = Ranking[int]()
        # By id.
        self.live = Ordered[int]()
        self.in_flight = Ordered[int]()
        self.dead = Ordered[int]()
        self.damaged = Ordered[int]()
        # By (finished_at, id).
        self.done = Ordered[tuple[int, int]]()
        self._held: dict[str, set[int]] = {}

    @property
    def waiting(self) -> int:
        """How many tasks are available, scheduled ones included."""
        return len(self.live) - len(self.in_flight)

    def place(self, task_id: int, before: Task | None, after: Task | None, now: int) -> None:
        """Put a task where it belongs at `now`; each record is None where there is no task."""
        ready = _turn(after, Status.AVAILABLE)
        damaged = _is_damaged(after)
        if after is not None and after.available_at > now:
            ready = None
        self.ready.place(task_id, ready)
        self.waiting_since.place(task_id, None if ready is None else ready[1])
        self.dead_turns.place(task_id, _turn(None if damaged else after, Status.DEAD))
        self.damaged.move(*(task_id if _is_damaged(each) else None for each in (before, after)))
        self.live.move(*(_id(each, _LIVE) for each in (before, after)))
        self.in_flight.move(*(_id(each, _IN_FLIGHT) for each in (before, after)))
        self.dead.move(*(_id(each, _DEAD) for each in (before, after)))
        self.done.move(_finished(before), _finished(after))
        self._let_go(before)
        self._hold(after)

    def held_by(self, worker: str, after: int = -1) -> list[int]:
        """Return the tasks in flight with the worker whose ids are above `after`, by id."""
        return sorted(held for held in self._held.get(worker, ()) if held > after)

    def holding(self) -> dict[str, int]:
        """Return how many tasks each worker holds that holds any."""
        return {worker: len(held) for worker, held in self._held.items()}

    def _hold(self, task: Task | None) -> None:
        """Note who holds the task as it is now."""
        if task is not None and task.status is Status.IN_FLIGHT and task.worker is not None:
            self._held.setdefault(task.worker, set()).add(task.id)

    def _let_go(self, task: Task | None) -> None:
        """Forget who held the task as it was."""
        if task is not None and task.status is Status.IN_FLIGHT and task.worker is not None:
            held = self._held[task.worker]
            held.remove(task.id)
            if not held:
                del self._held[task.worker]


_LIVE = (Status.AVAILABLE, Status.IN_FLIGHT)
_IN_FLIGHT = (Status.IN_FLIGHT,)
_DEAD = (Status.DEAD,)


def _id(task: Task | None, statuses: tuple[Status, ...]) -> int | None:
    """Return the task's place in an order by id: none unless it has one of these statuses."""
    return task.id if task is not None and task.status in statuses else None


def _turn(task: Task | None, status: Status) -> tuple[int, int] | None:
    """Return when it is the task's turn among those of this status: never if it has another."""
    if task is None or task.status is not status:
        return None
    return -task.priority, task.available_at


def _is_damaged(task: Task | None) -> bool:
    """Say whether the task is set aside, so that it is nobody's turn ever."""
    return task is not None and task.damaged


def _finished(task: Task | None) -> tuple[int, int] | None:
    """Return the task's place among the done ones."""
    if task is None or task.status is not Status.DONE:
        return None
    return task.finished_at or 0, task.id
