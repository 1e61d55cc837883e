"""All tasks of all queues: the records by id, and the orders that follow from them.

A record never changes; it is replaced. `put` is the only way in and out, and keeps the queue's
shelf and the timetable in step with the record, so whoever changes a task thinks of its record
alone. The same holds for queues: `ensure_shelf`, `keep_books` and `drop` are the only ways. Each of
these four tells the journal how it is undone.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ezra.sansio.model import Address, Defaults, Status
from ezra.sansio.queue.journal import Journal
from ezra.sansio.queue.ordered import Ordered
from ezra.sansio.queue.ranking import Ranking
from ezra.sansio.queue.shelf import Books, Shelf
from ezra.sansio.queue.task import Task
from ezra.sansio.queue.timetable import Timetable


class Store:
    """Records, shelves and timetable."""

    __slots__ = (
        "_by_number",
        "_journal",
        "_last_number",
        "_numbers",
        "_shelves",
        "_tasks",
        "defaults",
        "timetable",
    )

    def __init__(self, defaults: Defaults, journal: Journal) -> None:
        self.defaults = defaults
        self._journal = journal
        self._tasks: dict[int, Task] = {}
        self._shelves: dict[str, Shelf] = {}
        self._by_number: dict[int, Shelf] = {}
        self._numbers = Ordered[int]()
        self._last_number = 0
        self.timetable = Timetable(defaults.retention)

    # -- Tasks -------------------------------------------------------------------------------------

    def put(self, task: Task, now: int) -> Address | None:
        """Keep the task's new record, or drop the task when its status is ABSENT.

        Returns:
            The address through which it can be claimed now; None where it cannot.
        """
        before = self._tasks.get(task.id)
        after = None if task.status is Status.ABSENT else task
        shelf = self._shelves[task.queue]
        self._journal.note(partial(self._replace, shelf, task.id, after, before, now))
        self._replace(shelf, task.id, before, after, now)
        dead = task.status is Status.DEAD and not task.damaged
        ready = task.status is Status.AVAILABLE and task.available_at <= now
        return Address(task.queue, dead=dead) if dead or ready else None

    def get(self, task_id: int) -> Task | None:
        """Return the task, or None where there is no such task."""
        return self._tasks.get(task_id)

    def __getitem__(self, task_id: int) -> Task:
        """Return a task that is there."""
        return self._tasks[task_id]

    def due(self, ranking: Ranking[int], now: int) -> Iterator[Task]:
        """Take out of one of the timetable's rankings what is due by `now`, task by task."""
        return (self._tasks[task_id] for task_id in ranking.take_up_to(now))

    def next_in_turn(self, source: Address) -> Task | None:
        """Return the task that a claim from there takes next, or None when nothing is ready."""
        shelf = self._shelves.get(source.queue)
        if shelf is None:
            return None
        first = shelf.dead_turns.first() if source.dead else shelf.ready.first()
        return None if first is None else self._tasks[first]

    def held(self, source: Address, worker: str, after: int) -> list[Task]:
        """Return the worker's in-flight tasks that came from there, ids above `after`, by id."""
        shelf = self._shelves.get(source.queue)
        ids = [] if shelf is None else shelf.held_by(worker, after)
        tasks = [self._tasks[task_id] for task_id in ids]
        return [task for task in tasks if task.from_dead == source.dead]

    def tasks(self) -> list[Task]:
        """Return every task, by id."""
        return [self._tasks[task_id] for task_id in sorted(self._tasks)]

    # -- Queues ------------------------------------------------------------------------------------

    def shelf(self, queue: str) -> Shelf | None:
        """Return the queue, or None where there is no such queue."""
        return self._shelves.get(queue)

    def shelf_of(self, task: Task) -> Shelf:
        """Return the task's queue."""
        return self._shelves[task.queue]

    def shelves(self) -> list[Shelf]:
        """Return all queues, by name."""
        return [self._shelves[name] for name in sorted(self._shelves)]

    def shelves_after(self, number: int) -> Iterator[Shelf]:
        """Yield the queues made after the one with that number, in the order of their making."""
        return (self._by_number[each] for each in self._numbers.ascending(number + 1))

    def ensure_shelf(self, queue: str) -> Shelf:
        """Return the queue, made now where there was none."""
        shelf = self._shelves.get(queue)
        if shelf is None:
            shelf = Shelf(queue, self._last_number + 1, Books(in_force=self.defaults))
            self._journal.note(partial(self._unmake, shelf))
            self._last_number = shelf.number
            self._set_up(shelf)
        return shelf

    def keep_books(self, shelf: Shelf, books: Books) -> None:
        """Give the queue these books instead of those that it has."""
        self._journal.note(partial(setattr, shelf, "books", shelf.books))
        shelf.books = books

    def drop(self, shelf: Shelf) -> None:
        """Take away a queue without tasks. Its number is not used again."""
        self._journal.note(partial(self._set_up, shelf))
        self._take_down(shelf)

    # -- What is noted, and done again backwards ---------------------------------------------------

    def _replace(
        self, shelf: Shelf, task_id: int, before: Task | None, after: Task | None, now: int
    ) -> None:
        shelf.place(task_id, before, after, now)
        self.timetable.place(task_id, after, now)
        if after is None:
            del self._tasks[task_id]
        else:
            self._tasks[task_id] = after

    def _set_up(self, shelf: Shelf) -> None:
        self._shelves[shelf.name] = self._by_number[shelf.number] = shelf
        self._numbers.add(shelf.number)

    def _take_down(self, shelf: Shelf) -> None:
        del self._shelves[shelf.name]
        del self._by_number[shelf.number]
        self._numbers.remove(shelf.number)

    def _unmake(self, shelf: Shelf) -> None:
        self._take_down(shelf)
        self._last_number = shelf.number - 1
