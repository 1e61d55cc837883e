"""The pure queue: many tasks, several queues, waiting workers and an explicit clock.

This is a whole task queue without I/O, clock or thread. It is the model that the engines are tested
against, and it is an engine itself: of `MemoryEngine`, and of whoever embeds it in a server of
their own. Whoever drives it does three things:

    answer = machine.apply(operation, now)   # a result, or Waiting(ticket) for a parked claim
    machine.advance(now)                     # no later than machine.next_due()
    for woken in machine.woken(): ...        # after either of them: parked claims now answered

How it works. Every operation is a step at a moment: first everything that is due by then happens,
then the operation, then whoever waits for what it made available is served. Within a step each
change makes a new record (`changes`, by way of the lifecycle's table) and puts it into the store,
which keeps all the orders in which tasks are looked for. What a step costs is O(log n) for each
task that it touches, whatever else is there. It is not safe for use from several threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import Address, Claimed, Defaults, Delivery, QueueInfo, Status
from ezra.sansio.queue import changes
from ezra.sansio.queue.lifecycle import LAPSED, RESTARTED, Event
from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    ConfigureQueue,
    CreateQueue,
    Extend,
    Nack,
    Operation,
    Push,
    Release,
    Reread,
    Result,
)
from ezra.sansio.queue.store import Store
from ezra.sansio.queue.task import Task, admit_id
from ezra.sansio.queue.waiters import Waiters, Waiting, Woken

__all__ = ["QueueMachine", "Waiting", "Woken"]

_DEFAULTS = Defaults()


class QueueMachine:
    """Queues of tasks, moved on by `apply` and `advance`. Times are Unix microseconds.

    Time never goes back in it: a `now` before the last one counts as the last one.
    """

    def __init__(self, defaults: Defaults = _DEFAULTS) -> None:
        self._now = 0
        self._last_id = 0
        self._store = Store(defaults)
        self._waiters = Waiters()
        self._woken: list[Woken] = []

    # -- The steps ---------------------------------------------------------------------------------

    def apply(self, operation: Operation, now: int) -> Result | Waiting:
        """Carry out the operation at `now`, and serve those who waited for what it made available.

        Returns:
            The operation's result, or `Waiting` for a claim that is parked.

        Raises:
            CommandError: the operation cannot be carried out and has changed nothing.
        """
        self.advance(now)
        answer = self._carry_out(operation)
        self._serve()
        return answer

    def advance(self, now: int) -> None:
        """Let everything happen that is due by `now`."""
        self._now = max(self._now, now)
        self._cut_lapsed_leases()
        self._remove_expired()
        self._ready_delayed()
        self._remove_finished()
        self._serve()
        self._dismiss_late()

    def restart(self, now: int) -> None:
        """Cut every lease, as a server does when it starts; then let happen what is due."""
        self._now = max(self._now, now)
        for task in self._store.in_flight():
            self._cut_lease(task, RESTARTED)
        self.advance(now)

    def cancel(self, ticket: int) -> None:
        """Forget a parked claim; a ticket that is not parked (any more) is ignored."""
        self._waiters.leave(ticket)

    # -- What came of them -------------------------------------------------------------------------

    def woken(self) -> list[Woken]:
        """Return the parked claims that were answered since the last call, in that order."""
        woken, self._woken = self._woken, []
        return woken

    def next_due(self) -> int:
        """Return the next moment at which `advance` has something to do; `FOREVER` when none."""
        return min(self._store.timetable.next_due(), self._waiters.next_deadline())

    def length(self, queue: str, *, dead: bool = False) -> int:
        """Return how many tasks wait in the queue (scheduled ones included), or are dead in it."""
        shelf = self._store.shelf(queue)
        if shelf is None:
            return 0
        return len(shelf.dead) if dead else shelf.waiting

    def info(self, queue: str, now: int) -> QueueInfo | None:
        """Return the queue's books at `now`, once everything due by then has happened."""
        self.advance(now)
        return self._store.info(queue)

    def queues(self, now: int) -> list[QueueInfo]:
        """Return the books of all queues at `now`, by name."""
        self.advance(now)
        return self._store.queues()

    def tasks(self) -> list[Task]:
        """Return every task there is, by id."""
        return self._store.tasks()

    # -- What time does ----------------------------------------------------------------------------

    def _cut_lapsed_leases(self) -> None:
        for task in self._store.due(self._store.timetable.leases, self._now):
            self._cut_lease(task, LAPSED)

    def _cut_lease(self, task: Task, reason: str) -> None:
        delay = self._store.shelf_of(task).retry_delay
        self._put(changes.failed(task, reason, delay, self._now))

    def _remove_expired(self) -> None:
        for task in self._store.due(self._store.timetable.ttls, self._now):
            self._put(changes.removed(task, Event.EXPIRE))
            self._store.shelf_of(task).expired += 1

    def _ready_delayed(self) -> None:
        # The record stays as it is; what changes is where it belongs at this moment.
        for task in self._store.due(self._store.timetable.delays, self._now):
            self._put(task)

    def _remove_finished(self) -> None:
        for task in self._store.due(self._store.timetable.finished, self._now):
            self._put(changes.removed(task, Event.DELETE))

    def _serve(self) -> None:
        """Give the waiters what they can take, in the order in which they came."""
        for ticket, claim in self._waiters.stirred():
            deliveries = self._take(claim)
            if deliveries:
                self._waiters.leave(ticket)
                self._woken.append(Woken(ticket, deliveries))
                for source in claim.sources:
                    self._waiters.stir(source)

    def _dismiss_late(self) -> None:
        """Answer the waiters whose deadline has come with nothing."""
        for ticket in self._waiters.late(self._now):
            self._woken.append(Woken(ticket, ()))

    # -- The operations ----------------------------------------------------------------------------

    def _carry_out(self, operation: Operation) -> Result | Waiting:
        answer: Result | Waiting = None
        match operation:
            case Push():
                answer = self._push(operation)
            case Claim():
                answer = self._claim(operation)
            case Ack():
                answer = self._ack(operation)
            case Nack():
                answer = self._nack(operation)
            case Extend():
                answer = self._extend(operation)
            case Release():
                answer = self._release(operation)
            case Reread():
                answer = self._reread(operation)
            case CreateQueue():
                self._create_queue(operation)
            case ConfigureQueue():
                self._configure_queue(operation)
            case _:
                assert_never(operation)
        return answer

    def _push(self, push: Push) -> int | None:
        if not push.create and self._store.shelf(push.queue) is None:
            return None
        task_id = admit_id(push.task.id, self._last_id, self._now)
        shelf = self._store.ensure_shelf(push.queue)
        self._put(changes.pushed(push.task, task_id, push.queue, shelf.max_attempts, self._now))
        shelf.pushed += 1
        shelf.last_id = self._last_id = task_id
        return task_id

    def _claim(self, claim: Claim) -> tuple[Delivery, ...] | Waiting:
        # Whoever waits has been served already: what is found here, nobody before it can take.
        deliveries = self._take(claim)
        if deliveries or claim.deadline is None or claim.deadline <= self._now:
            return deliveries
        return Waiting(self._waiters.park(claim))

    def _ack(self, ack: Ack) -> int:
        acked = 0
        for task in self._of_queue(ack.queue, ack.ids):
            event = changes.ack_event(task)
            if event is not None:
                self._put(changes.acked(task, event, self._now))
                acked += 1
        return acked

    def _nack(self, nack: Nack) -> int:
        held = [
            task
            for task in self._of_queue(nack.queue, nack.ids)
            if task.status is Status.IN_FLIGHT and nack.attempt in (None, task.attempts)
        ]
        for task in held:
            delay = self._store.shelf_of(task).retry_delay
            self._put(changes.nacked(task, nack, delay, self._now))
        return len(held)

    def _extend(self, extend: Extend) -> tuple[int, ...]:
        held = [
            task
            for task in self._of_queue(extend.queue, extend.ids)
            if task.status is Status.IN_FLIGHT and task.worker == extend.worker
        ]
        self._renew(held)
        return tuple(task.id for task in held)

    def _release(self, release: Release) -> int:
        count = 0
        for task_id, attempts in release.claims:
            task = self._store.get(task_id)
            if task and task.status is Status.IN_FLIGHT and task.attempts == attempts:
                self._put(changes.released(task, self._now))
                count += 1
        return count

    def _reread(self, reread: Reread) -> tuple[Delivery, ...]:
        deliveries = []
        left = reread.count
        for source, after in reread.sources:
            held = self._store.held(source, reread.worker, after)[:left]
            self._renew(held)
            deliveries.append(Delivery(source, tuple(map(changes.handed_out, held))))
            left -= len(held)
        return tuple(deliveries)

    def _create_queue(self, create: CreateQueue) -> None:
        if not create.create and self._store.shelf(create.queue) is None:
            raise CommandError(Text.XGROUP_NEEDS_QUEUE)
        shelf = self._store.ensure_shelf(create.queue)
        if create.group is not None:
            shelf.groups.add(create.group)

    def _configure_queue(self, configure: ConfigureQueue) -> None:
        self._store.ensure_shelf(configure.queue).settings = configure.settings

    # -- What the operations share -----------------------------------------------------------------

    def _take(self, claim: Claim) -> tuple[Delivery, ...]:
        """Claim what there is for it, up to its count; `()` when there is nothing."""
        deliveries = []
        left = claim.count
        for source in claim.sources:
            tasks = tuple(self._take_from(source, claim, left))
            if tasks:
                deliveries.append(Delivery(source, tasks))
                left -= len(tasks)
        return tuple(deliveries)

    def _take_from(self, source: Address, claim: Claim, limit: int) -> Iterator[Claimed]:
        for _ in range(limit):
            task = self._store.next_in_turn(source)
            if task is None:
                return
            held = changes.claimed(task, claim.worker, self._lease_until(task), self._now)
            self._put(changes.acked(held, Event.ACK, self._now) if claim.done_at_once else held)
            yield changes.handed_out(held)

    def _put(self, task: Task) -> None:
        """Keep the task's new record, and note who may be waiting for it."""
        address = self._store.put(task, self._now)
        if address is not None:
            self._waiters.stir(address)

    def _of_queue(self, queue: str, ids: tuple[int, ...]) -> list[Task]:
        """Return the tasks of this queue among the ids, each once, in the order given."""
        tasks = map(self._store.get, dict.fromkeys(ids))
        return [task for task in tasks if task is not None and task.queue == queue]

    def _renew(self, tasks: list[Task]) -> None:
        for task in tasks:
            self._put(changes.extended(task, self._lease_until(task)))

    def _lease_until(self, task: Task) -> int:
        """Return when a lease lapses that begins now."""
        timeout = task.visibility_timeout
        if timeout is None:
            timeout = self._store.shelf_of(task).visibility_timeout
        return self._now + timeout
