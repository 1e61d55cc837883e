"""One transaction: tasks are loaded, changed by the pure rules, and written back here.

Everything that must not be believed before COMMIT is kept in the transaction itself: what it made
claimable, what will fall due, who was served and who parked. `calls.Call.outcome` is filled in as
it goes, and whoever calls commits, or throws the transaction away and starts over.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TypeVar

from ezra.sansio.model import FOREVER, Address, Defaults, Status, wire_id
from ezra.sansio.queue import changes
from ezra.sansio.queue.allowance import Room, size_of
from ezra.sansio.queue.lifecycle import LAPSED, Event, transition
from ezra.sansio.queue.operations import Claim
from ezra.sansio.queue.task import Task
from ezra.threaded.sqlite import faults, statements
from ezra.threaded.sqlite.calls import Call
from ezra.threaded.sqlite.parking import Parking
from ezra.threaded.sqlite.registry import Queue, Registry
from ezra.threaded.sqlite.rows import (
    QUEUE_ID,
    Damaged,
    Row,
    changed_row,
    new_row,
    payload_row,
    to_task,
    unpack,
)

ANY_NUMBER = 2**31
"""Stands for how many tasks are claimable where nobody has counted."""

log = logging.getLogger(__name__)

ItemT = TypeVar("ItemT")


class Transaction:
    """The work of one BEGIN IMMEDIATE … COMMIT, all of it at one moment.

    Args:
        connection: the writer, in a transaction.
        registry: the queues.
        parking: who waits.
        defaults: the server's settings for every queue.
        now: the moment.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        registry: Registry,
        parking: Parking,
        defaults: Defaults,
        now: int,
    ) -> None:
        self.connection = connection
        self.registry = registry
        self.parking = parking
        self.now = now
        self.retention = defaults.retention
        self.claim_size = defaults.claim_size
        self.answer_size = defaults.answer_size
        self.due = FOREVER
        """The first moment at which something falls due because of what was done here."""
        self.swept_until: int | None = None
        """If there was a sweep, the first moment that it left due."""
        self.behind = False
        """Whether a sweep here left leases or delays due: there are more than one sweep does."""
        self.freed: Counter[Address] = Counter()
        """Where tasks have become claimable, and at most how many, that nobody was offered yet."""
        self.refusal: str | None = None
        """The error that a push is answered, where there is no room for new tasks."""
        self.indivisible = False
        """Whether the call that is being carried out comes to nothing with any of its steps."""
        self.room: Room | None = None
        """What the answers of its steps share meanwhile."""
        self.findings: dict[int, str] = {}
        """Tasks that were read to be handed out and are not what was pushed, by id, and why."""
        self.set_aside: dict[int, Task] = {}
        """Those of them whose turn it was."""
        self.newcomers: dict[Call, Claim] = {}
        """Claims that parked here."""
        self.served: dict[Call, Claim] = {}
        """Claims that were parked, here or before, and are answered now."""

    def room_for_answer(self) -> Room:
        """Return what an answer may weigh that fails where it is too much."""
        return Room(self.answer_size) if self.room is None else self.room

    # -- Tasks -------------------------------------------------------------------------------------

    def load(self, ids: Iterable[int]) -> dict[int, Task]:
        """Return those of the tasks that exist, by id, as they are once everything due is done.

        They come without their payloads.
        """
        tasks: dict[int, Task] = {}
        for chunk in chunks(list(dict.fromkeys(ids))):
            rows = self.connection.execute(statements.load_tasks(len(chunk)), chunk).fetchall()
            loaded = (self._as_if_swept(self.task(row)) for row in rows)
            tasks.update((task.id, task) for task in loaded if task is not None)
        return tasks

    def load_whole(self, ids: Sequence[int], room: Room) -> dict[int, Task]:
        """Return tasks that exist with their payloads, by id, otherwise as they are stored.

        Raises:
            CommandError: there is no room for them. No more than there is room for are read.
        """
        tasks: dict[int, Task] = {}
        for chunk in chunks(ids):
            statement = statements.load_whole_tasks(len(chunk))
            with closing(self.connection.execute(statement, chunk)) as cursor:
                for row in cursor:
                    task = tasks[row[0]] = self.task(row)
                    room.take(task)
        return tasks

    def _as_if_swept(self, task: Task) -> Task | None:
        """Return the task as a sweep would leave it, which may have more to do than it can."""
        if task.lease_until is not None and task.lease_until <= self.now:
            task = changes.failed(task, LAPSED, self.rules_of(task).retry_delay, self.now)
        if task.status not in (Status.AVAILABLE, Status.DONE):
            return task
        until = (task.expires_at, self.kept_until(task.finished_at))
        over = any(moment is not None and moment <= self.now for moment in until)
        return None if over else task

    def select(self, statement: str, *values: object) -> list[Task]:
        """Return the tasks that a statement finds, with their payloads where it reads them."""
        return [self.task(row) for row in self.connection.execute(statement, values).fetchall()]

    def select_some(self, statement: str, *values: object) -> tuple[list[Task], bool]:
        """Return the first of the tasks that a statement finds, and whether these are all.

        No more are read once they make a claim's size: there may be gigabytes of them.
        """
        tasks = []
        room = self.claim_size
        cursor = self.connection.execute(statement, values)
        for row in cursor:
            task = self.task(row)
            tasks.append(task)
            room -= size_of(task)
            if room <= 0:
                cursor.close()
                return tasks, False
        return tasks, True

    def task(self, row: Row) -> Task:
        """Return the task in a row of `rows.LOADED`, and its payload where that comes along.

        One that is not what was pushed comes without it, and is among the `findings`: it must not
        be handed out, but `quarantined`.
        """
        queue = self.registry.get(row[QUEUE_ID]).name
        pushed = row[QUEUE_ID + 1 :]
        if not pushed:
            return to_task(row, queue)
        try:
            return to_task(row, queue, *unpack(row[0], *pushed))
        except Damaged as error:
            self.findings[row[0]] = str(error)
            return to_task(row, queue)

    def quarantined(self, task: Task) -> Task:
        """Return a task with a finding as it is set aside, to be saved instead of handed out."""
        aside = changes.quarantined(task, self.findings[task.id], self.now)
        self.set_aside[task.id] = aside
        return aside

    def insert(self, tasks: Sequence[tuple[Task, Queue]]) -> None:
        """Write new tasks."""
        rows = [new_row(task, queue.id, self.now) for task, queue in tasks]
        self.run(statements.insert_tasks, rows)
        self.run(statements.insert_payloads, [payload_row(task) for task, _ in tasks])
        for task, _ in tasks:
            self._note(task)

    def save(self, tasks: Iterable[Task]) -> None:
        """Write changed tasks back, and remove those that have left."""
        tasks = list(tasks)
        staying = [task for task in tasks if task.status is not Status.ABSENT]
        self.run(statements.update_tasks, [changed_row(task, self.now) for task in staying])
        if len(staying) < len(tasks):
            self.delete([task.id for task in tasks if task.status is Status.ABSENT])
        damaged = [(task.id,) for task in staying if task.damaged]
        if damaged:  # hardly ever, and this is on every task's way
            self.run(statements.set_aside, damaged)
        for task in staying:
            self._note(task)

    def remove(self, statement: str, values: Row, event: Event) -> list[int]:
        """Remove what a statement finds: id, queue and status; return the queue of each."""
        rows = self.connection.execute(statement, values).fetchall()
        leaving = [row for row in rows if transition(Status(row[2]), event) is Status.ABSENT]
        self.delete([task_id for task_id, _, _ in leaving])
        return [queue_id for _, queue_id, _ in leaving]

    def delete(self, ids: Sequence[int]) -> None:
        """Remove tasks."""
        self.run(statements.delete_tasks, [(task_id,) for task_id in ids])

    def run(self, statement: Callable[[int], str], rows: Sequence[Row]) -> None:
        """Run a statement that takes any number of rows."""
        for chunk in chunks(rows):
            values = [value for row in chunk for value in row]
            self.connection.execute(statement(len(chunk)), values)

    def rules_of(self, task: Task) -> Defaults:
        """Return what holds in the task's queue."""
        queue = self.registry.find(task.queue)
        assert queue is not None  # noqa: S101 - its task was read in this transaction
        return queue.in_force

    def lease_until(self, task: Task) -> int:
        """Return when a lease on the task lapses that begins now."""
        own = task.visibility_timeout
        return self.now + (self.rules_of(task).visibility_timeout if own is None else own)

    def _note(self, task: Task) -> None:
        """Note what follows from a task as it was just written."""
        match task.status:
            case Status.AVAILABLE if task.available_at > self.now:
                self.fall_due(task.available_at)
                self.fall_due(task.expires_at)
            case Status.AVAILABLE:
                self.freed[Address(task.queue)] += 1
                self.fall_due(task.expires_at)
            case Status.IN_FLIGHT:
                self.fall_due(task.lease_until)
            case Status.DEAD if task.damaged:
                pass  # nobody gets it
            case Status.DEAD:
                self.freed[Address(task.queue, dead=True)] += 1
            case Status.DONE:
                self.fall_due(task.expires_at)
                self.fall_due(self.kept_until(task.finished_at))
            case Status.ABSENT:
                raise ValueError("a task that is not there cannot be written")

    def fall_due(self, moment: int | None) -> None:
        """Note that there is something to do at that moment."""
        if moment is not None and moment < self.due:
            self.due = moment

    def kept_until(self, finished_at: int | None) -> int | None:
        """Return when a task that finished then is removed; None when it is kept."""
        if self.retention is None or finished_at is None:
            return None
        return finished_at + self.retention

    # -- Waiting claims ----------------------------------------------------------------------------

    def next_in_line(self, *, late: bool) -> list[Call]:
        """Return the parked claims that can be served with what was freed, in order of arrival.

        Args:
            late: whether also those whose deadline has come.
        """
        if not self.freed:  # asked for several times in every transaction
            return []
        left, self.freed = self.freed, Counter()
        if self.behind:
            # Whoever is offered something may find more that is due elsewhere, before who waits
            # there and was offered nothing: what hangs together is offered as one.
            left = Counter(dict.fromkeys(self.parking.reach(left), ANY_NUMBER))
        chosen = []
        for call in self.parking.waiting_for(left):
            claim = call.operation
            assert isinstance(claim, Claim)  # noqa: S101 - nothing else parks
            overdue = claim.deadline is not None and claim.deadline <= self.now
            if call not in self.served and (late or not overdue) and _reserve(left, claim):
                chosen.append(call)
            if not left:
                break
        return chosen

    def park(self, call: Call, claim: Claim) -> None:
        """Let the claim wait, unless it does already."""
        if not call.ticket:
            self.parking.park(call, claim)
            self.newcomers[call] = claim

    def serve(self, call: Call, claim: Claim) -> None:
        """Note that the claim, if it was parked, is answered."""
        if call.ticket:
            self.served[call] = claim

    def settle(self) -> None:
        """After COMMIT: who was served waits no more, and what was set aside is told."""
        for call, claim in self.served.items():
            self.parking.leave(call, claim)
        for task in self.set_aside.values():
            log.error("task %s of %r is dead: %s", wire_id(task.id), task.queue, task.last_error)

    def undo(self) -> None:
        """After ROLLBACK: nobody has parked here, and nobody was served."""
        for call, claim in self.newcomers.items():
            self.parking.leave(call, claim)
        self.registry.forget()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo all that was done inside, and nothing else, if something there fails alone."""
        due, swept_until, freed = self.due, self.swept_until, self.freed.copy()
        behind, set_aside = self.behind, self.set_aside.copy()
        self.connection.execute(statements.SAVE)
        try:
            with self.registry.journal.transaction():
                yield
        except Exception as error:
            if faults.verdict(error) is None:
                self.connection.execute(statements.UNDO)
                self.connection.execute(statements.KEEP)
                self.registry.forget()
                self.due, self.swept_until, self.freed = due, swept_until, freed
                self.behind, self.set_aside = behind, set_aside
            raise
        self.connection.execute(statements.KEEP)


def chunks(items: Sequence[ItemT]) -> Iterator[Sequence[ItemT]]:
    """Cut into pieces of at most `MOST_ROWS`."""
    for start in range(0, len(items), statements.MOST_ROWS):
        yield items[start : start + statements.MOST_ROWS]


def _reserve(left: Counter[Address], claim: Claim) -> bool:
    """Take from what is left as many as the claim can use; say whether there were any."""
    wanted = claim.count
    for source in claim.sources:
        taken = min(wanted, left[source])
        wanted -= taken
        left[source] -= taken
        if not left[source]:
            del left[source]
    return wanted < claim.count
