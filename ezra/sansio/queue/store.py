"""All tasks of all queues: the records by id, and the orders that follow from them.

A record never changes; it is replaced. `put` is the only way in and out, and keeps the queue's
shelf and the timetable in step with the record, so whoever changes a task thinks of its record
alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from ezra.sansio.model import Address, Defaults, QueueInfo, Status
from ezra.sansio.queue.ranking import Ranking
from ezra.sansio.queue.shelf import Shelf
from ezra.sansio.queue.task import Task
from ezra.sansio.queue.timetable import Timetable


class Store:
    """Records, shelves and timetable."""

    __slots__ = ("_defaults", "_shelves", "_tasks", "timetable")

    def __init__(self, defaults: Defaults) -> None:
        self._defaults = defaults
        # Ids only ever grow, and a replaced record keeps its place: the dict is in order of id.
        self._tasks: dict[int, Task] = {}
        self._shelves: dict[str, Shelf] = {}
        self.timetable = Timetable(defaults.retention)

    def put(self, task: Task, now: int) -> Address | None:
        """Keep the task's new record, or drop the task when its status is ABSENT.

        Returns:
            The address through which it can be claimed now; None where it cannot.
        """
        shelf = self._shelves[task.queue]
        shelf.place(task, self._tasks.get(task.id), now)
        self.timetable.place(task, now)
        if task.status is Status.ABSENT:
            del self._tasks[task.id]
        else:
            self._tasks[task.id] = task
        dead = task.status is Status.DEAD
        ready = task.status is Status.AVAILABLE and task.available_at <= now
        return Address(task.queue, dead=dead) if dead or ready else None

    def get(self, task_id: int) -> Task | None:
        """Return the task, or None where there is no such task."""
        return self._tasks.get(task_id)

    def due(self, ranking: Ranking[int], now: int) -> Iterator[Task]:
        """Take out of one of the timetable's rankings what is due by `now`, task by task."""
        return (self._tasks[task_id] for task_id in ranking.take_up_to(now))

    def next_in_turn(self, source: Address) -> Task | None:
        """Return the task that a claim from there takes next, or None when nothing is ready."""
        shelf = self._shelves.get(source.queue)
        if shelf is None:
            return None
        first = shelf.dead.first() if source.dead else shelf.ready.first()
        return None if first is None else self._tasks[first]

    def held(self, source: Address, worker: str, after: int) -> list[Task]:
        """Return the worker's in-flight tasks that came from there, ids above `after`, by id."""
        shelf = self._shelves.get(source.queue)
        ids = [] if shelf is None else shelf.held_by(worker, after)
        tasks = [self._tasks[task_id] for task_id in ids]
        return [task for task in tasks if task.from_dead == source.dead]

    def in_flight(self) -> list[Task]:
        """Return every task in flight, by id. Scans: for a restart only."""
        return [task for task in self._tasks.values() if task.status is Status.IN_FLIGHT]

    def tasks(self) -> list[Task]:
        """Return every task, by id."""
        return list(self._tasks.values())

    def shelf(self, queue: str) -> Shelf | None:
        """Return the queue, or None where there is no such queue."""
        return self._shelves.get(queue)

    def ensure_shelf(self, queue: str) -> Shelf:
        """Return the queue, made now where there was none."""
        shelf = self._shelves.get(queue)
        if shelf is None:
            shelf = self._shelves[queue] = Shelf(queue, self._defaults)
        return shelf

    def shelf_of(self, task: Task) -> Shelf:
        """Return the task's queue."""
        return self._shelves[task.queue]

    def info(self, queue: str) -> QueueInfo | None:
        """Return the queue's books, or None where there is no such queue."""
        shelf = self._shelves.get(queue)
        return None if shelf is None else shelf.info(self._tasks)

    def queues(self) -> list[QueueInfo]:
        """Return the books of all queues, by name."""
        return [self._shelves[name].info(self._tasks) for name in sorted(self._shelves)]
