"""The pure queue, the in-memory engine and the SQLite engine agree, whatever is asked of them.

One machine drives all three with the same operations under the same clock, and after every step
compares every answer, every field of every task, and every queue's books. Among the steps are
batches of several submissions at once, parked claims, claims that give up, and closing and
reopening the file.

No thread waits here: a submission parks when somebody else's `wait` takes it along in a batch, and
its own `wait` is called only when the model says that it has been answered.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ezra.sansio.errors import CommandError
from ezra.sansio.model import MILLISECOND, Address, NewTask
from ezra.sansio.queue import changes
from ezra.sansio.queue.lifecycle import CHECKSUM_WRONG
from ezra.sansio.queue.looks import Answer, Details, Infos, Look, Names
from ezra.sansio.queue.machine import QueueMachine, Waiting
from ezra.sansio.queue.operations import Claim, CreateQueue, Operation, Outcome, Push
from ezra.threaded.engine import Submission
from ezra.threaded.memory_engine import MemoryEngine
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.calls import Call, minds_the_rest, rounds
from ezra.threaded.sqlite.engine import SqliteEngine
from ezra.threaded.sqlite.writer import TAKERS
from tests.property.fake_clock import FakeClock
from tests.property.operations import (
    GROUPS,
    QUEUES,
    SMALL,
    WORKERS,
    looks,
    operations,
    time_steps,
)
from tests.property.queue.story import remembered_keys
from tests.property.sqlite_worlds import (
    by_hand,
    counted_books,
    stored_groups,
    stored_keys,
    stored_tasks,
)

FAR = 10**15
"""A scheduler's pause that is never over: what falls due has to be known, not looked for."""


class Model(QueueMachine):
    """The pure queue, which can be told to serve those who wait only when it is told to."""

    patient = False

    def _serve(self) -> None:
        if not self.patient:
            super()._serve()

    def serve(self) -> None:
        """Serve those who wait now."""
        super()._serve()

    def next_in_turn(self, address: Address) -> int | None:
        """Return the task that the next claim takes there; None where there is none."""
        task = self._state.store.next_in_turn(address)
        return None if task is None else task.id

    def set_aside(self, task_id: int, now: int) -> None:
        """Do at once what an engine does that is to hand the task out and finds it damaged."""
        task = self._state.store[task_id]
        self._state.put(changes.quarantined(task, CHECKSUM_WRONG, now))


@dataclass
class Parked:
    """A claim that waits, in all three."""

    before: list[Outcome]
    """The outcomes of what was submitted with it."""
    submission: Submission
    in_memory: Submission | None
    ticket: int

    def answered(self, deliveries: Outcome) -> None:
        """Assert that it has been answered in the engines."""
        expected = plain([*self.before, deliveries])
        assert plain(self.submission.wait()) == expected
        if self.in_memory is not None:
            assert plain(self.in_memory.wait()) == expected


class Agreement(RuleBasedStateMachine):
    """Drives the three side by side."""

    @initialize(empty=st.booleans())
    def start(self, empty: bool) -> None:
        """Everything begins at the same moment, empty or with work under way."""
        self.directory = Path(tempfile.mkdtemp(prefix="ezra-agreement-"))
        self.clock = FakeClock()
        self.model = Model(SMALL)
        self.memory = MemoryEngine(SMALL, self.clock, scheduler=FAR)
        self.open()
        self.parked: list[Parked] = []
        self.apart = False
        if not empty:
            self.begin()

    def begin(self) -> None:
        """Make groups, and tasks of which some are in flight."""
        for queue in QUEUES:
            self.batch([[CreateQueue(queue, GROUPS[0])]])
            for _ in range(3):
                self.batch([[Push(queue, NewTask(b"p"))]])
            self.batch([[Claim((Address(queue),), WORKERS[0], 2, group=GROUPS[0])]])

    def open(self) -> None:
        """Open the file."""
        # No power is lost here, so nothing is gained by waiting for the disk.
        self.engine = SqliteEngine(
            self.directory, SMALL, self.clock, synchronous="normal", scheduler=FAR
        )

    def teardown(self) -> None:
        """Close everything; whoever still waits is answered."""
        if hasattr(self, "engine"):
            self.engine.close()
            self.memory.close()
            for parked in self.parked:
                parked.answered(())
            shutil.rmtree(self.directory)

    # -- Steps -------------------------------------------------------------------------------------

    @rule(data=st.data())
    def one_operation(self, data: st.DataObject) -> None:
        """One operation alone; a claim may wait."""
        now = self.clock.now()
        operation = data.draw(operations(self.model.tasks(), now, may_wait=True))
        self.batch([[operation]])

    @rule(data=st.data(), lines=st.integers(1, 4))
    def several_submissions(self, data: st.DataObject, lines: int) -> None:
        """Several submissions in one batch, of several operations each; the last may wait."""
        tasks, now = self.model.tasks(), self.clock.now()
        before = st.lists(operations(tasks, now), max_size=3)
        last = operations(tasks, now, may_wait=True).map(lambda operation: [operation])
        line = st.tuples(before, last).map(lambda parts: parts[0] + parts[1])
        self.batch([data.draw(line) for _ in range(lines)])

    @rule(data=st.data())
    def one_look(self, data: st.DataObject) -> None:
        """Any question."""
        self.time_passes(0)
        self.compare_look(data.draw(looks(self.model.tasks())))

    @rule(step=time_steps)
    def time_passes(self, step: int) -> None:
        """Move the clock on, and have what has fallen due happen."""
        now = self.clock.advance(step)
        self.engine.sweep()
        if not self.apart:
            self.memory.sweep()
        self.model.advance(now)
        self.compare_woken()

    @rule(step=time_steps)
    def time_passes_unseen(self, step: int) -> None:
        """Move the clock on; what has fallen due happens by itself, or before what comes next."""
        self.clock.advance(step)

    @rule(queue=st.sampled_from(QUEUES), dead=st.booleans())
    def one_is_damaged(self, queue: str, *, dead: bool) -> None:
        """What is stored of the task whose turn it is changes: it is set aside, the next is taken.

        Nothing but a disk does this, so the in-memory engine is left out from here on.
        """
        self.time_passes(0)
        address = Address(queue, dead)
        first = self.model.next_in_turn(address)
        if first is None:
            return
        self.forget_memory()
        with by_hand(self.directory) as connection:
            damage = "UPDATE payloads SET checksum = coalesce(checksum, 0) + 1 WHERE task_id = ?"
            connection.execute(damage, (first,))
        self.model.set_aside(first, self.clock.now())
        self.batch([[Claim((address,), WORKERS[0])]])

    @precondition(lambda self: self.parked)
    @rule(data=st.data())
    def one_gives_up(self, data: st.DataObject) -> None:
        """Cancel a claim that waits, after what is due by then."""
        self.time_passes(0)
        if self.parked:
            leaving = data.draw(st.sampled_from(self.parked))
            self.parked.remove(leaving)
            self.model.cancel(leaving.ticket)
            leaving.submission.cancel()
            if leaving.in_memory is not None:
                leaving.in_memory.cancel()
            leaving.answered(())

    @rule(step=time_steps)
    def reopen(self, step: int) -> None:
        """Close the file and open it again; whoever waited is sent away."""
        self.time_passes(0)
        self.engine.close()
        self.forget_memory()
        for parked in self.parked:
            self.model.cancel(parked.ticket)
            parked.answered(())
        self.parked = []
        # No restart is quicker. The ids of a transaction that was rolled back are not in the file:
        # nobody was answered one, and within this very millisecond they could come again. Then a
        # producer may choose one of them, too.
        self.clock.advance(max(step, MILLISECOND))
        self.model.restart(self.clock.now())
        self.open()
        self.model._state.last_id = self.engine._writer._registry.last_id

    def forget_memory(self) -> None:
        """From now on the in-memory engine cannot do the same: leave it out."""
        self.memory.close()
        for parked in self.parked:
            parked.in_memory = None
        self.apart = True

    # -- Comparing ---------------------------------------------------------------------------------

    @invariant()
    def contents_agree(self) -> None:
        """Every field of every task, every queue's books, and the counters in the file."""
        if not hasattr(self, "engine"):
            return
        now = self.clock.now()
        self.engine.sweep()
        self.model.advance(now)
        self.compare_woken()
        assert stored_tasks(self.directory) == self.model.tasks()
        state = self.model._state
        kept = remembered_keys(self.model)
        keys = [replace(key, dedup=replace(key.dedup, ttl=None)) for key in kept]
        assert stored_keys(self.directory) == keys
        groups = {shelf.name: set(shelf.books.groups) for shelf in state.store.shelves()}
        assert stored_groups(self.directory) == groups
        noted, counted = counted_books(self.directory)
        assert noted == counted
        self.compare_look(Names())
        self.compare_look(Infos())
        for queue in groups:
            self.compare_look(Details(queue, None))

    def compare_look(self, look: Look) -> None:
        """All three answer a look alike."""
        expected = answered(lambda: self.model.look(look, self.clock.now()))
        assert answered(lambda: self.engine.look(look)) == expected
        if not self.apart:
            assert answered(lambda: self.memory.look(look)) == expected

    def batch(self, lines: Sequence[Sequence[Operation]]) -> None:
        """Submit the lines so that one batch takes them all, and let the model do the same.

        In a batch the SQLite engine sorts operations of different submissions by kind, and serves
        who waits when it comes to those who take, and at its end. The model is told to do so, too.
        """
        now = self.clock.now()
        self.model.advance(now)
        if len(lines) > 1 and any(minds_the_rest(one) for line in lines for one in line):
            self.engine.sweep()  # or the engine would have what came before taken along by a sweep
        submissions = [self.engine.submit(line) for line in lines]
        in_memory = self.in_memory(lines)
        self.engine.sweep()
        self.compare_woken()
        expected = self.in_the_model(lines, now)
        for submission, outcomes, memory in zip(submissions, expected, in_memory, strict=True):
            if isinstance(outcomes[-1], Waiting):
                parked = Parked(outcomes[:-1], submission, memory, outcomes[-1].ticket)
                self.parked.append(parked)
                continue
            assert plain(submission.wait()) == plain(outcomes)
            if memory is not None:
                assert plain(memory.wait()) == plain(outcomes)
        self.parked.sort(key=lambda parked: parked.ticket)
        self.compare_woken()

    def in_memory(self, lines: Sequence[Sequence[Operation]]) -> list[Submission | None]:
        """Have the in-memory engine do the same, as long as its order can be the same.

        It carries operations out as they come and has no restart, so it is compared in histories of
        one operation at a time and without reopening; the model is its twin in all others.
        """
        if len(lines) > 1 or len(lines[0]) > 1:
            self.forget_memory()
        if self.apart:
            return [None for _ in lines]
        return [self.memory.submit(lines[0])]

    def in_the_model(self, lines: Sequence[Sequence[Operation]], now: int) -> list[list[Any]]:
        """Return what each operation of each line is answered; a claim may be `Waiting`."""
        calls = [[Call(operation) for operation in line] for line in lines]
        answers: dict[Call, object] = {}
        self.model.patient = True
        for kind, run in rounds(calls):
            if kind in TAKERS:
                self.model.serve()
            for call in run:
                answers[call] = self.applied(call.operation, now)
        self.model.serve()
        self.model.patient = False
        return [[answers[call] for call in line] for line in calls]

    def applied(self, operation: Operation | Look, now: int) -> object:
        """Return what the model answers to an operation."""
        assert isinstance(operation, Operation)
        try:
            return self.model.apply(operation, now)
        except CommandError as error:
            return error

    def compare_woken(self) -> None:
        """Whoever was answered in the model by the passing of time is answered in the engines."""
        for woken in self.model.woken():
            (parked,) = [one for one in self.parked if one.ticket == woken.ticket]
            self.parked.remove(parked)
            parked.answered(woken.deliveries)


def plain(outcomes: list[Outcome]) -> list[object]:
    """Return outcomes that can be compared: errors by their kind and text."""
    return [(type(one), str(one)) if isinstance(one, Exception) else one for one in outcomes]


def answered(look: Callable[[], Answer]) -> object:
    """Return what a look answers, or its error in a form that can be compared."""
    try:
        return look()
    except CommandError as error:
        return str(error)


@pytest.mark.unmeasured
@pytest.mark.parametrize("most", [statements.SWEEP_ROWS, 1, 2])
def test_the_engines_agree_with_the_pure_queue(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """After every step of any history, all answers and all contents are the same.

    However many more things fall due at once than one commit sweeps.
    """
    monkeypatch.setattr(statements, "SWEEP_ROWS", most)
    run_state_machine_as_test(
        Agreement,
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
