"""The pure queue under random histories: what must hold after every step.

The test keeps books of its own: what was pushed, which keys are remembered, who waits. What a step
should answer is worked out by `oracle`, which scans and sorts. Transactions have their own
histories in `test_journal`, looks in `test_viewing`, and each single promise has its story in the
files beside this one.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ezra.sansio.errors import CommandError
from ezra.sansio.model import (
    FOREVER,
    SECOND,
    Address,
    Delivery,
    Status,
    Taken,
)
from ezra.sansio.queue.lifecycle import RESTARTED
from ezra.sansio.queue.looks import Infos
from ezra.sansio.queue.machine import QueueMachine, Waiting, Woken
from ezra.sansio.queue.operations import (
    Claim,
    CreateQueue,
    DeleteQueues,
    Erase,
    Operation,
    Push,
    Result,
    TakeIdle,
    TakeOver,
    Trim,
)
from ezra.sansio.queue.task import Task
from tests.property.fake_clock import START
from tests.property.operations import (
    DEFAULTS,
    GROUPS,
    QUEUES,
    claims,
    new_tasks,
    queues,
    steps,
    time_steps,
)
from tests.property.queue import oracle
from tests.property.queue.books import Books
from tests.property.queue.story import books, remembered_keys


class QueueHistories(RuleBasedStateMachine):
    """Drives a machine through any history and keeps independent books of it."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = QueueMachine(DEFAULTS)
        self.now = START
        self.books = Books()
        self.alive: dict[int, Task] = {}
        self.parked: dict[int, Claim] = {}

    # -- The steps ---------------------------------------------------------------------------------

    @initialize(known=st.sampled_from([(), QUEUES]))
    def some_queues_exist(self, known: tuple[str, ...]) -> None:
        """Begin with nothing, or with queues and a group."""
        for queue in known:
            self.carry_out(CreateQueue(queue, GROUPS[0]), self.now)

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
        operation = data.draw(steps(self.machine.tasks(), self.now, may_wait=True))
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
        self.books.workers.clear()
        woken = self.take_woken()
        handed_out = {claimed.id for each in woken for d in each.deliveries for claimed in d.tasks}
        for task in self.machine.tasks():
            was = before[task.id]
            if was.status is Status.IN_FLIGHT:
                assert task.status is not Status.IN_FLIGHT or task.id in handed_out
                assert task.last_error == (was.last_error if was.from_dead else RESTARTED)
        self.balance(set())

    # -- Carrying out and checking -----------------------------------------------------------------

    def move_to(self, moment: int) -> None:
        """Let time pass up to the moment; no lease ends before its own."""
        held = [task for task in self.machine.tasks() if task.status is Status.IN_FLIGHT]
        self.now = moment
        self.machine.advance(moment)
        there = {task.id: task for task in self.machine.tasks()}
        for task in held:
            if task.lease_until is None or task.lease_until > moment:
                assert there[task.id] == task
        self.books.fall_due(moment)
        self.take_woken()
        self.balance(set())

    def carry_out(self, operation: Operation, said: int) -> None:
        """Apply the operation and compare the answer with the one worked out beforehand."""
        self.move_to(self.now)
        before = self.machine.tasks()
        refusal = self.books.refusal(operation, before, self.now)
        try:
            answer = self.machine.apply(operation, said)
        except CommandError as error:
            self.check_refusal(error, refusal, before)
            return
        assert refusal is None
        self.check_answer(operation, before, answer)
        self.check_leases(operation, before)
        self.take_woken()
        self.balance(self.removed(operation, before))

    def check_refusal(self, error: CommandError, text: str | None, before: list[Task]) -> None:
        """What is refused is refused for a reason, and has changed nothing."""
        assert str(error) == text
        assert self.machine.tasks() == before
        assert self.machine.woken() == []

    def check_answer(
        self, operation: Operation, before: list[Task], answer: Result | Waiting
    ) -> None:
        """Check the answer against the oracle's, and write it into the books."""
        match operation:
            case Push():
                self.check_push(operation, answer)
            case Claim():
                self.check_claim(operation, before, answer)
            case TakeOver():
                assert isinstance(answer, tuple)
                taken = [task.id for task in cast(tuple[Task, ...], answer)]
                assert taken == oracle.taken_over_ids(before, operation, self.now)
            case TakeIdle():
                assert isinstance(answer, Taken)
                ids, cursor = oracle.taken_ids(before, operation, self.now)
                assert [task.id for task in answer.tasks] == ids
                assert answer.cursor == cursor
            case _:
                assert answer == self.books.expected(operation, before)
        self.books.write_down(operation)

    def check_push(self, push: Push, answer: Result | Waiting) -> None:
        """Check that a push gave a new, higher id, unless it is a repeat or needs the queue."""
        expected = self.books.expected_of_push(push)
        if expected != "new":
            assert answer == expected
            return
        assert isinstance(answer, int)
        assert push.task.id in (None, answer)
        self.books.write_down_push(push, answer, self.now)
        self.alive[answer] = next(task for task in self.machine.tasks() if task.id == answer)

    def check_claim(self, claim: Claim, before: list[Task], answer: Result | Waiting) -> None:
        """Check that a claim gave what it should, or waits because that is nothing."""
        self.books.visited(claim, claim_queues(claim))
        expected = oracle.claim_ids(before, claim, self.now)
        may_wait = claim.deadline is not None and claim.deadline > self.now
        if isinstance(answer, Waiting):
            assert expected == []
            assert may_wait
            assert answer.ticket > max(self.parked, default=0), "tickets count up"
            self.parked[answer.ticket] = claim
            return
        given = oracle.delivered_ids(deliveries(answer))
        if expected or not may_wait:
            assert given == expected
        else:
            self.check_fed(claim, before, given)
        again = len(claim.rereads)
        self.hand_out(claim, deliveries(answer)[again:])

    def check_fed(
        self, claim: Claim, before: list[Task], given: list[tuple[Address, list[int]]]
    ) -> None:
        """A claim that found nothing still gets what has just died of its search."""
        died = {
            task.id
            for task in before
            if oracle.dies(task, claim.worker, renews=claim.min_idle == 0)
        }
        assert given
        assert all(source.dead and died.issuperset(ids) for source, ids in given)

    def hand_out(self, claim: Claim, given: tuple[Delivery, ...]) -> None:
        """Check the records of what a claim took."""
        there = {task.id: task for task in self.machine.tasks()}
        for claimed in (claimed for delivery in given for claimed in delivery.tasks):
            task = there[claimed.id]
            assert task.worker == claim.worker
            assert task.attempts == claimed.attempts
            if task.status is Status.IN_FLIGHT:
                own = self.books.settings[task.queue]
                assert task.lease_until == self.now + oracle.lease(task, own, DEFAULTS)
            else:
                assert claim.done_at_once
                assert task.status is Status.DONE

    def check_leases(self, operation: Operation, before: list[Task]) -> None:
        """Nobody loses a lease but by an operation that may end it; attempts are never too many."""
        there = {task.id: task for task in self.machine.tasks()}
        for task in before:
            if task.status is Status.IN_FLIGHT and not oracle.may_end(operation, task, self.now):
                assert there.get(task.id) == task

    def removed(self, operation: Operation, before: list[Task]) -> set[int]:
        """Return the tasks that an explicit command should have removed."""
        match operation:
            case Erase():
                answers = zip(operation.ids, oracle.erased(before, operation), strict=True)
                return {task_id for task_id, gone in answers if gone}
            case Trim():
                return set(oracle.trimmed(before, operation))
            case DeleteQueues():
                return {task.id for task in before if task.queue in operation.queues}
            case _:
                return set()

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
                fed = [delivery.source.queue for delivery in each.deliveries]
                self.books.visited(claim, fed)
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

    def balance(self, removed: set[int]) -> None:
        """Nothing disappears but by its ttl, retention or a command; nothing comes from nowhere."""
        there = {task.id: task for task in self.machine.tasks()}
        assert list(there) == sorted(there), "tasks come by id"
        assert there.keys() <= self.alive.keys()
        assert not removed & there.keys()
        for task_id in self.alive.keys() - there.keys() - removed:
            gone = self.alive[task_id]
            if gone.expires_at is not None and gone.expires_at <= self.now:
                assert gone.status is not Status.DEAD
                self.books.expired[gone.queue] += 1
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
        for task in self.machine.tasks():
            oracle.check_record(task, self.now)
        infos = books(self.machine, self.now)
        self.books.check(infos, self.machine.tasks(), self.now)
        together = self.machine.look(Infos(), self.now)
        assert together == tuple(replace(info, first=None, last=None) for info in infos)
        kept = remembered_keys(self.machine)
        assert [(each.queue, each.dedup, each.id, each.until) for each in kept] == self.books.keys
        self.the_next_due_moment_is_exact()

    def nobody_waits_for_what_is_there(self) -> None:
        """Nobody is parked while anything that they could take is ready."""
        tasks = self.machine.tasks()
        for claim in self.parked.values():
            assert oracle.claim_ids(tasks, replace(claim, min_idle=None), self.now) == []

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


def claim_queues(claim: Claim) -> list[str]:
    """Return the queues that a claim names."""
    return [source.queue for source in (*(each for each, _ in claim.rereads), *claim.sources)]


def everything(machine: QueueMachine, moment: int) -> object:
    """Return all that can be seen of the machine at the moment, but for the moment itself."""
    infos = [replace(info, at=0) for info in books(machine, moment)]
    return infos, machine.tasks(), machine.woken(), remembered_keys(machine)


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


TestQueueHistories = pytest.mark.unmeasured(pytest.mark.timeout(110)(QueueHistories.TestCase))
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
