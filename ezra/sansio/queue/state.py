"""What the queue machine consists of at one moment, and what all its operations need of it.

The operations are functions on this state (`on_queues`, `on_tasks`, `claiming`, and for looks
`viewing`); the machine moves the clock and decides who is served when. Whatever a roll-back must
restore is changed through the parts that keep the journal: the store, the ledger and the roster.
"""

from __future__ import annotations

from dataclasses import replace

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import Defaults
from ezra.sansio.queue.allowance import Room
from ezra.sansio.queue.dedup import Ledger
from ezra.sansio.queue.journal import Journal
from ezra.sansio.queue.roster import Roster
from ezra.sansio.queue.shelf import Shelf
from ezra.sansio.queue.store import Store
from ezra.sansio.queue.task import Task
from ezra.sansio.queue.waiters import Waiters


class State:
    """Tasks, queues, remembered keys, workers seen, and parked claims."""

    __slots__ = ("journal", "last_id", "ledger", "now", "room", "roster", "store", "waiters")

    def __init__(self, defaults: Defaults) -> None:
        self.now = 0
        # Never taken back, not even by a roll-back: an id is not given out twice.
        self.last_id = 0
        self.journal = Journal()
        self.store = Store(defaults, self.journal)
        self.ledger = Ledger(self.journal)
        self.roster = Roster(self.journal)
        self.waiters = Waiters()
        self.room: Room | None = None
        """What the answers of a transaction's steps share, while one is carried out."""

    def room_for_answer(self) -> Room:
        """Return what an answer may weigh that fails where it is too much."""
        return Room(self.store.defaults.answer_size) if self.room is None else self.room

    def put(self, task: Task) -> None:
        """Keep the task's new record, and note who may be waiting for it."""
        address = self.store.put(task, self.now)
        if address is not None:
            self.waiters.stir(address)

    def of_queue(self, queue: str, ids: tuple[int, ...]) -> list[Task]:
        """Return the tasks of this queue among the ids, each once, in the order given."""
        tasks = map(self.store.get, dict.fromkeys(ids))
        return [task for task in tasks if task is not None and task.queue == queue]

    def lease_until(self, task: Task) -> int:
        """Return when a lease on the task lapses that begins now."""
        timeout = task.visibility_timeout
        if timeout is None:
            timeout = self.store.shelf_of(task).books.in_force.visibility_timeout
        return self.now + timeout

    def existing(self, queue: str, missing: str) -> Shelf:
        """Return the queue; where there is none, raise `CommandError` with that text."""
        shelf = self.store.shelf(queue)
        if shelf is None:
            raise CommandError(missing)
        return shelf

    def with_group(self, queue: str, group: str, missing: str) -> Shelf:
        """Return the queue, in which the group must be known.

        Raises:
            CommandError: there is no such queue (with the text `missing`), or no such group.
        """
        shelf = self.existing(queue, missing)
        if group not in shelf.books.groups:
            raise CommandError(Text.NO_SUCH_GROUP.format(queue=queue, group=group))
        return shelf

    def read_through(self, queue: str, group: str) -> Shelf:
        """Return the queue, in which the group must be known; the text is that of the readers.

        Raises:
            CommandError: there is no such queue, or no such group in it.
        """
        missing = Text.NO_GROUP.format(queue=queue, group=group)
        shelf = self.existing(queue, missing)
        if group not in shelf.books.groups:
            raise CommandError(missing)
        return shelf

    def know_group(self, shelf: Shelf, group: str) -> None:
        """Make a group's name known in the queue, if it is not."""
        books = shelf.books
        if group not in books.groups:
            self.store.keep_books(shelf, replace(books, groups=books.groups | {group}))
