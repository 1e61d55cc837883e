"""One queue's tasks, in every order in which somebody looks for them, and its books.

The records themselves are in the `Store`; a shelf keeps ids. `place` says for each order whether
the task belongs there now, so the orders cannot drift apart: they all follow from one record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ezra.sansio.model import Defaults, Entry, QueueInfo, QueueSettings, Status
from ezra.sansio.queue.ranking import Ranking
from ezra.sansio.queue.task import Task


class Shelf:
    """One queue: its settings, its groups' names, its counters, and the ids of its tasks."""

    __slots__ = (
        "_counts",
        "_defaults",
        "_held",
        "_newest",
        "_oldest",
        "_waiting_since",
        "dead",
        "expired",
        "groups",
        "last_id",
        "name",
        "pushed",
        "ready",
        "settings",
    )

    def __init__(self, name: str, defaults: Defaults) -> None:
        self.name = name
        self._defaults = defaults
        self.settings = QueueSettings()
        self.groups: set[str] = set()
        self.pushed = 0
        self.expired = 0
        self.last_id = 0
        # Whose turn it is: the rank is (−priority, available_at).
        self.ready = Ranking[tuple[int, int]]()
        self.dead = Ranking[tuple[int, int]]()
        # What the books ask for.
        self._waiting_since = Ranking[int]()
        self._oldest = Ranking[int]()
        self._newest = Ranking[int]()
        self._counts: Counter[Status] = Counter()
        self._held: dict[str, set[int]] = {}

    def place(self, task: Task, before: Task | None, now: int) -> None:
        """Put the task where it belongs as it is now; `before` is its record until now."""
        waits = task.status is Status.AVAILABLE
        ready = waits and task.available_at <= now
        live = waits or task.status is Status.IN_FLIGHT
        turn = (-task.priority, task.available_at)
        self.ready.place(task.id, turn if ready else None)
        self.dead.place(task.id, turn if task.status is Status.DEAD else None)
        self._waiting_since.place(task.id, task.available_at if ready else None)
        self._oldest.place(task.id, task.id if live else None)
        self._newest.place(task.id, -task.id if live else None)
        self._count(task, before)
        self._hold(task, before)

    def held_by(self, worker: str, after: int) -> list[int]:
        """Return the tasks in flight with the worker whose ids are above `after`, by id."""
        return sorted(held for held in self._held.get(worker, ()) if held > after)

    @property
    def visibility_timeout(self) -> int:
        """How long a lease lasts here: the queue's own setting, or the server's."""
        own = self.settings.visibility_timeout
        return self._defaults.visibility_timeout if own is None else own

    @property
    def max_attempts(self) -> int:
        """How many attempts a task pushed here gets: the queue's own setting, or the server's."""
        own = self.settings.max_attempts
        return self._defaults.max_attempts if own is None else own

    @property
    def retry_delay(self) -> int:
        """How long a failed task waits here: the queue's own setting, or the server's."""
        own = self.settings.retry_delay
        return self._defaults.retry_delay if own is None else own

    @property
    def waiting(self) -> int:
        """How many tasks are available, scheduled ones included."""
        return self._counts[Status.AVAILABLE]

    def info(self, tasks: Mapping[int, Task]) -> QueueInfo:
        """Return the queue's books; `tasks` finds the records."""
        return QueueInfo(
            name=self.name,
            settings=self.settings,
            ready=len(self.ready),
            scheduled=self.waiting - len(self.ready),
            in_flight=self._counts[Status.IN_FLIGHT],
            done=self._counts[Status.DONE],
            dead=len(self.dead),
            pushed=self.pushed,
            expired=self.expired,
            groups=len(self.groups),
            last_id=self.last_id,
            oldest_waiting=self._waiting_since.first_rank(),
            first=_entry(tasks, self._oldest.first()),
            last=_entry(tasks, self._newest.first()),
        )

    def _count(self, task: Task, before: Task | None) -> None:
        if before is not None:
            self._counts[before.status] -= 1
        self._counts[task.status] += 1

    def _hold(self, task: Task, before: Task | None) -> None:
        """Keep the list of what each worker holds."""
        if before is not None and before.status is Status.IN_FLIGHT and before.worker is not None:
            held = self._held[before.worker]
            held.discard(task.id)
            if not held:
                del self._held[before.worker]
        if task.status is Status.IN_FLIGHT and task.worker is not None:
            self._held.setdefault(task.worker, set()).add(task.id)


def _entry(tasks: Mapping[int, Task], task_id: int | None) -> Entry | None:
    """Return the task as it is seen without being claimed; None for no task."""
    if task_id is None:
        return None
    task = tasks[task_id]
    return Entry(task.id, task.payload, task.headers)
