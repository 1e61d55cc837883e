"""The pure queue under random histories: what must hold after every step.

The test keeps books of its own: what was pushed, who holds which lease, who waits. What a step
should answer is worked out by `oracle`, which scans and sorts. Each single promise has its story in
the files beside this one.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import FOREVER, SECOND, Address, Delivery, QueueSettings, Status
from ezra.sansio.queue.lifecycle import RESTARTED
from ezra.sansio.queue.machine import QueueMachine, Waiting, Woken
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
from ezra.sansio.queue.task import Task
from tests.property.fake_clock import START
from tests.property.operations import (
    DEFAULTS,
    claims,
    new_tasks,
    operations,
    queues,
    time_steps,
)
from tests.property.queue import oracle


class QueueHistories(RuleBasedStateMachine):
    """Drives a machine through any history and keeps independent books of it."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = QueueMachine(DEFAULTS)
        self.now = START
        self.last_id = 0
        self.settings: dict[str, QueueSettings] = {}
        self.groups: dict[str, set[str]] = {}
        self.pushed: dict[str, int] = {}
        self.expired: dict[str, int] = {}
        self.alive: dict[int, Task] = {}
        self.leases: dict[int, int] = {}
        self.parked: dict[int, Claim] = {}

    # -- The steps ---------------------------------------------------------------------------------

    @rule(step=time_steps)
    def time_passes(self, step: int) -> None:
        """Move the clock on; nobody asks for anything."""
        self.move_to(self.now + step)

    @precondition(lambda self: self.machine.next_due() < FOREVER)
    @rule()
    def the_next_thing_falls_due(self) -> None:
        """Move the clock on exactly to the next due moment."""
        self.move_to(self.machine.next_due())

    @rule(data=st.data(), back=st.sampled_from([0, 0, 0, 1, SECOND]))
    def somebody_asks_for_something(self, data: st.DataObject, back: int) -> None:
        """Any operation, by a caller whose clock may be behind."""
        operation = data.draw(operations(self.machine.tasks(), self.now, may_wait=True))
        self.carry_out(operation, self.now - back)

    @rule(data=st.data())
    def some_wait(self, data: st.DataObject) -> None:
        """Claim a few times, and wait for ever where there is nothing."""
        for claim in data.draw(st.lists(claims(self.now), min_size=1, max_size=4)):
            self.carry_out(replace(claim, deadline=FOREVER), self.now)

    @rule(queue=queues, data=st.data())
    def a_worker_takes_a_task_and_stops(self, queue: str, data: st.DataObject) -> None:
        """Push, claim and silence: what lapses and dies in the end."""
        self.carry_out(Push(queue, data.draw(new_tasks(self.now))), self.now)
        self.carry_out(Claim((Address(queue),), "ann"), self.now)

    @precondition(lambda self: self.parked)
    @rule(data=st.data())
    def somebody_gives_up(self, data: st.DataObject) -> None:
        """Cancel a parked claim, and once more, which is nothing."""
        ticket = data.draw(st.sampled_from(sorted(self.parked)))
        self.machine.cancel(ticket)
        self.machine.cancel(ticket)
        del self.parked[ticket]

    @rule()
    def the_server_restarts(self) -> None:
        """Every lease is cut; a task that was dead before keeps its error."""
        before = {task.id: task for task in self.machine.tasks()}
        self.machine.restart(self.now)
        self.leases.clear()
        woken = self.take_woken()
        handed_out = {claimed.id for each in woken for d in each.deliveries for claimed in d.tasks}
        for task in self.machine.tasks():
            was = before[task.id]
            if was.status is Status.IN_FLIGHT:
                assert task.status is not Status.IN_FLIGHT or task.id in handed_out
                assert task.last_error == (was.last_error if was.from_dead else RESTARTED)
        self.balance()

    # -- Carrying out and checking -----------------------------------------------------------------

    def move_to(self, moment: int) -> None:
        """Let time pass up to the moment."""
        self.now = moment
        self.machine.advance(moment)
        self.leases = {key: until for key, until in self.leases.items() if until > moment}
        self.take_woken()
        self.balance()

    def carry_out(self, operation: Operation, said: int) -> None:
        """Apply the operation and compare the answer with the one worked out beforehand."""
        self.move_to(self.now)
        before = self.machine.tasks()
        try:
            answer = self.machine.apply(operation, said)
        except CommandError as error:
            self.check_refusal(operation, str(error))
            assert self.machine.tasks() == before
            assert self.machine.woken() == []
            return
        self.check_answer(operation, before, answer)
        self.take_woken()
        self.balance()

    def check_refusal(self, operation: Operation, text: str) -> None:
        """Only these two can be refused, and only for these reasons."""
        if isinstance(operation, CreateQueue):
            assert text == Text.XGROUP_NEEDS_QUEUE
            assert not operation.create
            assert operation.queue not in self.settings
        else:
            assert isinstance(operation, Push)
            assert operation.task.id is not None
            too_small = operation.task.id <= self.last_id
            assert text == (Text.ID_TOO_SMALL if too_small else Text.ID_TOO_FAR)

    def check_answer(
        self, operation: Operation, before: list[Task], answer: Result | Waiting
    ) -> None:
        """Check the answer against the oracle's, and write it into the books."""
        match operation:
            case Push():
                self.check_push(operation, answer)
            case Claim():
                self.check_claim(operation, before, answer)
            case Ack():
                assert answer == oracle.ack_count(before, operation)
                self.let_go(operation.ids)
            case Nack():
                assert answer == oracle.nack_count(before, operation)
                self.let_go(operation.ids)
            case Extend():
                assert answer == oracle.extended_ids(before, operation)
                self.renew(oracle.extended_ids(before, operation))
            case Reread():
                assert isinstance(answer, tuple)
                expected = oracle.reread_ids(before, operation)
                assert [(d.source, [t.id for t in d.tasks]) for d in deliveries(answer)] == expected
                self.renew(tuple(task_id for _, ids in expected for task_id in ids))
            case Release():
                self.check_release(operation, before, answer)
            case CreateQueue():
                self.settings.setdefault(operation.queue, QueueSettings())
                names = self.groups.setdefault(operation.queue, set())
                names |= {operation.group} if operation.group else set()
            case ConfigureQueue():
                self.settings[operation.queue] = operation.settings

    def check_push(self, push: Push, answer: Result | Waiting) -> None:
        """Check that a push gave a new, higher id, unless it must not create the queue."""
        if answer is None:
            assert not push.create
            assert push.queue not in self.settings
            return
        assert isinstance(answer, int)
        assert answer > self.last_id
        assert push.task.id in (None, answer)
        self.last_id = answer
        self.settings.setdefault(push.queue, QueueSettings())
        self.pushed[push.queue] = self.pushed.get(push.queue, 0) + 1
        self.alive[answer] = next(task for task in self.machine.tasks() if task.id == answer)

    def check_claim(self, claim: Claim, before: list[Task], answer: Result | Waiting) -> None:
        """Check that it took what is first in order, and waits only if there was nothing."""
        expected = oracle.claim_ids(before, claim, self.now)
        if isinstance(answer, Waiting):
            assert expected == []
            assert claim.deadline is not None
            assert claim.deadline > self.now
            assert answer.ticket > max(self.parked, default=0), "tickets count up"
            self.parked[answer.ticket] = claim
            return
        assert oracle.delivered_ids(deliveries(answer)) == expected
        assert expected or claim.deadline is None or claim.deadline <= self.now
        self.hand_out(claim, deliveries(answer))

    def check_release(self, release: Release, before: list[Task], answer: object) -> None:
        """Only the very claims that are named are undone."""
        in_flight = {(task.id, task.attempts) for task in before if task.status is Status.IN_FLIGHT}
        released = in_flight & set(release.claims)
        assert answer == len(released)
        self.let_go(tuple(task_id for task_id, _ in released))

    def hand_out(self, claim: Claim, given: tuple[Delivery, ...]) -> None:
        """Write down who holds what; nobody else may hold it within its lease."""
        now_there = {task.id: task for task in self.machine.tasks()}
        for delivery in given:
            for claimed in delivery.tasks:
                assert claimed.id not in self.leases, "two holders within a lease"
                task = now_there[claimed.id]
                assert task.worker == claim.worker
                assert task.attempts == claimed.attempts
                assert (task.status is Status.DONE) == claim.done_at_once
                if not claim.done_at_once:
                    self.leases[claimed.id] = self.now + self.lease_of(task)
                    assert task.lease_until == self.leases[claimed.id]

    def lease_of(self, task: Task) -> int:
        """Return how long a lease on the task lasts now."""
        return oracle.lease(task, self.settings[task.queue], DEFAULTS)

    def renew(self, ids: tuple[int, ...]) -> None:
        """Write down the new leases."""
        by_id = {task.id: task for task in self.machine.tasks()}
        for task_id in ids:
            assert task_id in self.leases
            self.leases[task_id] = self.now + self.lease_of(by_id[task_id])
            assert by_id[task_id].lease_until == self.leases[task_id]

    def let_go(self, ids: tuple[int, ...]) -> None:
        """Forget the leases of these tasks, unless they were left alone."""
        parked = {task.id for task in self.machine.tasks() if task.status is Status.IN_FLIGHT}
        given = {
            claimed.id
            for woken in self.machine._woken
            for delivery in woken.deliveries
            for claimed in delivery.tasks
        }
        for task_id in ids:
            if task_id not in parked or task_id in given:
                self.leases.pop(task_id, None)

    def take_woken(self) -> list[Woken]:
        """Check that those who were answered came first, and got what is first in order."""
        woken = self.machine.woken()
        assert self.machine.woken() == []
        served = [each for each in woken if each.deliveries]
        assert [each.ticket for each in served] == sorted(each.ticket for each in served)
        for each in woken:
            claim = self.parked.pop(each.ticket)
            if each.deliveries:
                count = sum(len(delivery.tasks) for delivery in each.deliveries)
                assert 1 <= count <= claim.count
                self.hand_out(claim, each.deliveries)
            else:
                assert claim.deadline is not None
                assert claim.deadline <= self.now
        self.check_order_of(served)
        self.check_nobody_was_passed_over(served)
        return woken

    def check_order_of(self, served: list[Woken]) -> None:
        """Check that what one step gave out of a queue is in order, and before what is left."""
        by_id = {task.id: task for task in self.machine.tasks()}
        given: dict[Address, list[Task]] = {}
        for each in served:
            for delivery in each.deliveries:
                tasks = [by_id[claimed.id] for claimed in delivery.tasks]
                given.setdefault(delivery.source, []).extend(tasks)
        for source, tasks in given.items():
            left = oracle.claimable(by_id.values(), source, self.now)
            turns = [oracle.turn(task) for task in tasks + left[:1]]
            assert turns == sorted(turns)

    def check_nobody_was_passed_over(self, served: list[Woken]) -> None:
        """Check that nobody who waits on came before one who was served from the same source."""
        for each in served:
            given = {delivery.source for delivery in each.deliveries}
            before = [claim for ticket, claim in self.parked.items() if ticket < each.ticket]
            assert not any(given & set(claim.sources) for claim in before)

    def balance(self) -> None:
        """Nothing disappears but by its ttl or by retention, and nothing comes from nowhere."""
        there = {task.id: task for task in self.machine.tasks()}
        assert list(there) == sorted(there), "tasks come by id"
        assert there.keys() <= self.alive.keys()
        for task_id in self.alive.keys() - there.keys():
            gone = self.alive[task_id]
            if gone.expires_at is not None and gone.expires_at <= self.now:
                assert gone.status is not Status.DEAD
                self.expired[gone.queue] = self.expired.get(gone.queue, 0) + 1
            else:
                assert gone.finished_at is not None
                assert gone.finished_at + (DEFAULTS.retention or 0) <= self.now
        for task_id, task in there.items():
            assert unchanging(task) == unchanging(self.alive[task_id])
        self.alive = there

    # -- What holds after every step ---------------------------------------------------------------

    @invariant()
    def the_laws_hold(self) -> None:
        """Check all of them, the first as the step left things, the others with all due done."""
        self.nobody_waits_for_what_is_there()
        self.move_to(self.now)
        self.the_records_are_sound()
        self.the_books_balance()
        self.the_next_due_moment_is_exact()

    def nobody_waits_for_what_is_there(self) -> None:
        """Nobody is parked while anything that they could take is ready."""
        tasks = self.machine.tasks()
        for claim in self.parked.values():
            assert oracle.claim_ids(tasks, claim, self.now) == []

    def the_records_are_sound(self) -> None:
        """Fields fit the status; leases in flight are exactly those that were handed out."""
        for task in self.machine.tasks():
            oracle.check_record(task, self.now)
        in_flight = [task for task in self.machine.tasks() if task.status is Status.IN_FLIGHT]
        assert {task.id: task.lease_until for task in in_flight} == self.leases

    def the_books_balance(self) -> None:
        """Each queue's books are what counting its tasks gives."""
        tasks = self.machine.tasks()
        books = self.machine.queues(self.now)
        assert [info.name for info in books] == sorted(self.settings)
        for info in books:
            oracle.check_books(info, tasks, self.now)
            assert info == self.machine.info(info.name, self.now)
            assert info.settings == self.settings[info.name]
            assert info.groups == len(self.groups.get(info.name, ()))
            assert info.pushed == self.pushed.get(info.name, 0)
            assert info.expired == self.expired.get(info.name, 0)
            assert self.machine.length(info.name) == info.waiting
            assert self.machine.length(info.name, dead=True) == info.dead

    def the_next_due_moment_is_exact(self) -> None:
        """Until just before it nothing changes, and at it something does."""
        due = self.machine.next_due()
        assert due > self.now
        if due == FOREVER:
            return
        twin = copy.deepcopy(self.machine)
        present = everything(twin, self.now)
        assert everything(twin, due - 1) == present
        assert everything(twin, due) != present


def everything(machine: QueueMachine, moment: int) -> object:
    """Return all that can be seen of the machine at the moment."""
    books = machine.queues(moment)
    return books, machine.tasks(), machine.woken()


def unchanging(task: Task) -> tuple[object, ...]:
    """Return what no event may change."""
    return (
        task.id,
        task.queue,
        task.payload,
        task.headers,
        task.priority,
        task.max_attempts,
        task.visibility_timeout,
        task.created_at,
        task.expires_at,
    )


def deliveries(answer: object) -> tuple[Delivery, ...]:
    """Return the answer as what a claim answers."""
    assert isinstance(answer, tuple)
    assert all(isinstance(each, Delivery) for each in answer)
    return answer


TestQueueHistories = pytest.mark.timeout(110)(QueueHistories.TestCase)
TestQueueHistories.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_what_is_no_operation_is_refused() -> None:
    """Loudly: it is the driver's mistake."""
    with pytest.raises(AssertionError):
        QueueMachine(DEFAULTS).apply(cast(Operation, "push"), START)
