"""The pure queue: many tasks, several queues, waiting workers and an explicit clock.

This is a whole task queue without I/O, clock or thread. It is the model that the engines are tested
against, and it is an engine itself: of `MemoryEngine`, and of whoever embeds it in a server of
their own. Whoever drives it does three things:

    answer = machine.apply(operation, now)   # a result, or Waiting(ticket) for a parked claim
    answer = machine.look(look, now)         # the same for a question that changes nothing
    machine.advance(now)                     # no later than machine.next_due()
    for woken in machine.woken(): ...        # after either of them: parked claims now answered

How it works. Every operation is a step at a moment: first everything that is due by then happens,
then the operation, then whoever waits for what it made available is served. Within a step each
change makes a new record (`changes`, by way of the lifecycle's table) and puts it into the store,
which keeps all the orders in which tasks are looked for. What a step costs is O(log n) for each
task that it touches, whatever else is there. It is not safe for use from several threads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from ezra.sansio.errors import CommandError, LocalProtocolError, Text
from ezra.sansio.model import Defaults, Status
from ezra.sansio.queue import changes, claiming, on_queues, on_tasks, pushing, viewing
from ezra.sansio.queue.allowance import Room
from ezra.sansio.queue.lifecycle import LAPSED, RESTARTED, Event
from ezra.sansio.queue.looks import Answer, Look
from ezra.sansio.queue.operations import (
    Ack,
    AddWorker,
    Claim,
    ConfigureQueue,
    CreateQueue,
    DeleteQueues,
    Erase,
    Extend,
    Nack,
    Operation,
    Push,
    Release,
    RemoveGroup,
    RemoveWorker,
    Result,
    TakeIdle,
    TakeOver,
    Transact,
    Trim,
)
from ezra.sansio.queue.state import State
from ezra.sansio.queue.task import Task
from ezra.sansio.queue.waiters import Waiting, Woken

__all__ = ["QueueMachine", "Waiting", "Woken"]

_DEFAULTS = Defaults()


class QueueMachine:
    """Queues of tasks, moved on by `apply`, `look` and `advance`. Times are Unix microseconds.

    Time never goes back in it: a `now` before the last one counts as the last one.
    """

    def __init__(self, defaults: Defaults = _DEFAULTS) -> None:
        self._state = State(defaults)
        self._woken: list[Woken] = []

    # -- The steps ---------------------------------------------------------------------------------

    def apply(self, operation: Operation, now: int) -> Result | Waiting:
        """Carry out the operation at `now`, and serve those who waited for what it made available.

        Returns:
            The operation's result, or `Waiting` for a claim that is parked.

        Raises:
            CommandError: the operation cannot be carried out and has changed nothing.
            LocalProtocolError: a transaction holds a step that it must not; nothing has changed.
        """
        self.advance(now)
        answer = self._carry_out(operation)
        self._serve()
        if answer == () and isinstance(operation, Claim) and self._may_wait(operation):
            # What its search for idle tasks found dying may have come to one of its own sources.
            fed = claiming.feed(self._state, operation)
            return fed or Waiting(self._state.waiters.park(operation))
        return answer

    def look(self, look: Look, now: int) -> Answer:
        """Answer the look as of `now`, once everything due by then has happened.

        Raises:
            CommandError: the look itself raises it.
        """
        self.advance(now)
        return viewing.answer(self._state, look)

    def advance(self, now: int) -> None:
        """Let everything happen that is due by `now`."""
        self._set_clock(now)
        self._fall_due()
        self._serve()
        self._dismiss_late()

    def restart(self, now: int) -> None:
        """Cut every lease and forget who was seen, as a start of the server does; then advance."""
        self._set_clock(now)
        for task in self.tasks():
            if task.status is Status.IN_FLIGHT:
                self._cut_lease(task, RESTARTED)
        self._state.roster.clear()
        self.advance(now)

    def cancel(self, ticket: int) -> None:
        """Forget a parked claim; a ticket that is not parked (any more) is ignored."""
        self._state.waiters.leave(ticket)

    # -- What came of them -------------------------------------------------------------------------

    def woken(self) -> list[Woken]:
        """Return the parked claims that were answered since the last call, in that order."""
        woken, self._woken = self._woken, []
        return woken

    def next_due(self) -> int:
        """Return the next moment at which `advance` has something to do; `FOREVER` when none."""
        state = self._state
        return min(
            state.store.timetable.next_due(),
            state.ledger.next_due(),
            state.waiters.next_deadline(),
        )

    def tasks(self) -> list[Task]:
        """Return every task there is, by id."""
        return self._state.store.tasks()

    # -- What time does ----------------------------------------------------------------------------

    def _set_clock(self, now: int) -> None:
        self._state.now = max(self._state.now, now)

    def _fall_due(self) -> None:
        """Let everything happen that is due, but for waiters being served or dismissed."""
        store, now = self._state.store, self._state.now
        for task in store.due(store.timetable.leases, now):
            self._cut_lease(task, LAPSED)
        for task in store.due(store.timetable.ttls, now):
            self._expire(task)
        for task in store.due(store.timetable.delays, now):
            # The record stays as it is; what changes is where it belongs at this moment.
            self._state.put(task)
        for task in store.due(store.timetable.finished, now):
            self._state.put(changes.removed(task, Event.DELETE))
        self._state.ledger.fall_due(now)

    def _cut_lease(self, task: Task, reason: str) -> None:
        delay = self._state.store.shelf_of(task).books.in_force.retry_delay
        self._state.put(changes.failed(task, reason, delay, self._state.now))

    def _expire(self, task: Task) -> None:
        self._state.put(changes.removed(task, Event.EXPIRE))
        shelf = self._state.store.shelf_of(task)
        books = replace(shelf.books, expired=shelf.books.expired + 1)
        self._state.store.keep_books(shelf, books)

    def _serve(self) -> None:
        """Give the waiters what they can take, in the order in which they came."""
        waiters = self._state.waiters
        for ticket, claim in waiters.stirred():
            deliveries = claiming.feed(self._state, claim)
            if deliveries:
                waiters.leave(ticket)
                self._woken.append(Woken(ticket, deliveries))
                for source in claim.sources:
                    waiters.stir(source)

    def _dismiss_late(self) -> None:
        """Answer the waiters whose deadline has come with nothing."""
        for ticket in self._state.waiters.late(self._state.now):
            self._woken.append(Woken(ticket, ()))

    # -- The operations ----------------------------------------------------------------------------

    def _may_wait(self, claim: Claim) -> bool:
        return claim.deadline is not None and claim.deadline > self._state.now

    def _carry_out(self, operation: Operation) -> Result:
        match operation:
            case Push():
                return pushing.push(self._state, operation)
            case Claim() | TakeOver() | TakeIdle():
                return claiming.carry_out(self._state, operation)
            case Ack() | Nack() | Extend() | Release() | Erase() | Trim():
                return on_tasks.carry_out(self._state, operation)
            case CreateQueue() | ConfigureQueue() | DeleteQueues():
                return on_queues.carry_out(self._state, operation)
            case RemoveGroup() | AddWorker() | RemoveWorker():
                return on_queues.carry_out(self._state, operation)
            case Transact():
                return self._transact(operation)
            case _:
                assert_never(operation)

    def _transact(self, transact: Transact) -> Result:
        check_steps(transact.steps)
        self._state.room = room = self._state.room_for_answer()
        try:
            with self._state.journal.transaction():
                return tuple(self._step(step, room) for step in transact.steps)
        except CommandError as error:
            raise CommandError(Text.ROLLED_BACK.format(error=error)) from error
        finally:
            self._state.room = None

    def _step(self, step: Operation | Look, room: Room) -> Result | Answer:
        """Carry out one step of a transaction, after what the steps before it made due."""
        self._fall_due()
        if isinstance(step, Look):
            return viewing.answer(self._state, step)
        answer = self._carry_out(step)
        if not isinstance(step, TakeOver):  # which, like a look, has counted what it answers
            room.take_all(answer)
        return answer


def check_steps(steps: Iterable[Operation | Look]) -> None:
    """Raise `LocalProtocolError` where one of the steps cannot be part of a transaction."""
    for step in steps:
        if isinstance(step, Transact) or (isinstance(step, Claim) and step.deadline is not None):
            raise LocalProtocolError("a transaction holds no other one, and no claim that waits")
