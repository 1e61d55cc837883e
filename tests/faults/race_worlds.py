"""What the scenarios of `races.py` are played in: a small engine, and the books of what came of it.

A `World` is the part of an engine that threads race for, over a queue that can be inspected
afterwards: the real `Committer` and `Writer` on a database in memory, or `MemoryEngine`. Books are
kept by `Books`: what was answered to whom, to be held against what the queue has in the end.
"""

from __future__ import annotations

import functools
import sqlite3
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ezra.sansio.errors import EngineError, OutcomeUnknown
from ezra.sansio.model import FOREVER, SECOND, Address, Claimed, Defaults, Delivery, NewTask, Status
from ezra.sansio.queue.operations import Ack, Claim, Operation, Outcome, Push
from ezra.threaded.engine import Submission
from ezra.threaded.memory_engine import MemoryEngine
from ezra.threaded.sqlite.checkpoints import Checkpoints
from ezra.threaded.sqlite.commit import Committer
from ezra.threaded.sqlite.schema import upgrade
from ezra.threaded.sqlite.space import FreeSpace
from ezra.threaded.sqlite.writer import Writer
from tests.faults.scheduler import Scheduler
from tests.property.fake_clock import FakeClock
from tests.property.sqlite_worlds import Faulty

Q = Address("q")

DEFAULTS = Defaults(visibility_timeout=3_600 * SECOND, max_attempts=99)
"""Leases outlive every scenario, so that a task given to two workers is a fault."""


class World(ABC):
    """An engine as the scenarios need it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.failures: list[EngineError] = []
        """What the engine told its owner about its storage."""

    @abstractmethod
    def release(self) -> None:
        """Let go of what the operating system gave, when the schedule is over."""

    @abstractmethod
    def submit(self, operations: Sequence[Operation]) -> Submission:
        """As `Engine.submit`."""

    @abstractmethod
    def drain(self) -> None:
        """As `Engine.drain`."""

    @abstractmethod
    def close(self) -> None:
        """As `Engine.close`, but that the tasks can still be looked at."""

    @abstractmethod
    def stored(self) -> dict[int, Status]:
        """Return every task and its status; when nobody works any more."""

    @abstractmethod
    def parked(self) -> int:
        """Return how many claims wait; when nobody works any more."""

    def execute(self, operation: Operation) -> Outcome:
        """Submit one operation and wait for its outcome."""
        (outcome,) = self.submit([operation]).wait()
        return outcome


class OnSqlite(World):
    """The group commit over a database in memory."""

    committer_class: Callable[..., Committer] = Committer

    def __init__(self) -> None:
        super().__init__()
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        _template().backup(self.connection)
        self.faulty = Faulty(self.connection)
        nowhere = Path("a database in memory")
        checkpoints = Checkpoints(nowhere)
        self.writer = Writer(
            self.faulty,  # type: ignore[arg-type]  # stands in
            DEFAULTS,
            self.clock,
            FreeSpace(nowhere, 0, checkpoints.size),
            checkpoints,
        )
        self.committer = self.committer_class(self.writer, self.clock, self.failures.append)

    def release(self) -> None:
        """Close the database."""
        self.connection.close()

    def submit(self, operations: Sequence[Operation]) -> Submission:
        """Hand over operations."""
        return self.committer.submit(operations)

    def drain(self) -> None:
        """Answer every parked claim."""
        self.committer.drain()

    def close(self) -> None:
        """Accept nothing more."""
        self.committer.close()

    def stored(self) -> dict[int, Status]:
        """Read every task's row."""
        rows = self.connection.execute("SELECT id, status FROM tasks").fetchall()
        return {task_id: Status(status) for task_id, status in rows}

    def parked(self) -> int:
        """Count those in the committer's books, which must agree with the parking's."""
        tickets = [call.ticket for call in self.committer._parked]
        assert all(tickets), "a claim is parked and has no place in line"
        places = {ticket for line in self.writer.parking._lines.values() for ticket in line}
        assert places == set(tickets), (places, tickets)
        return len(tickets)


class InMemory(World):
    """The in-memory engine, with its timer's thread."""

    engine_class: Callable[..., MemoryEngine] = MemoryEngine

    def __init__(self) -> None:
        super().__init__()
        self.engine = self.engine_class(DEFAULTS, self.clock)

    def release(self) -> None:
        """Do nothing: it is all in memory."""

    def submit(self, operations: Sequence[Operation]) -> Submission:
        """Hand over operations."""
        return self.engine.submit(operations)

    def drain(self) -> None:
        """Answer every parked claim."""
        self.engine.drain()

    def close(self) -> None:
        """Accept nothing more."""
        self.engine.close()

    def stored(self) -> dict[int, Status]:
        """Ask the pure queue."""
        return {task.id: task.status for task in self.engine._machine.tasks()}

    def parked(self) -> int:
        """Count those in the engine's books."""
        return len(self.engine._parked)


@functools.cache
def _template() -> sqlite3.Connection:
    """Return a database with nothing in it but the schema, to be copied."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    upgrade(connection)
    return connection


@dataclass
class Books:
    """What each thread was told."""

    world: World
    pushed: list[int] = field(default_factory=list)
    """Ids that were answered."""
    unknown: int = 0
    """Pushes that were answered with `OutcomeUnknown`."""
    refused: int = 0
    """Pushes that were refused for good: nothing of them may be there."""
    held: list[Claimed] = field(default_factory=list)
    """What claims were given, in the order in which their threads learned of it."""
    acked: list[int] = field(default_factory=list)

    def push(self) -> int | EngineError:
        """Push a task and note what is said."""
        try:
            outcome = self.world.execute(Push("q", NewTask(b"p")))
        except OutcomeUnknown as error:
            self.unknown += 1
            return error
        except EngineError as error:
            self.refused += 1
            return error
        assert isinstance(outcome, int), outcome
        self.pushed.append(outcome)
        return outcome

    def claim(self, worker: str, deadline: int = FOREVER) -> tuple[int, ...] | EngineError:
        """Claim a task, wait for it, and note what was given."""
        try:
            return self.take(self.world.submit([claim_of(worker, deadline)]))
        except EngineError as error:
            return error

    def take(self, submission: Submission) -> tuple[int, ...]:
        """Wait for a claim and note what was given.

        Raises:
            EngineError: as `Submission.wait`.
        """
        (outcome,) = submission.wait()
        tasks = tasks_in(outcome)
        self.held += tasks
        return tuple(task.id for task in tasks)

    def ack(self, ids: Iterable[int]) -> None:
        """Ack tasks that are held: none of them may be gone."""
        ids = tuple(ids)
        try:
            outcome = self.world.execute(Ack("q", ids))
        except EngineError:
            return
        assert outcome == len(ids), f"an ack of {ids} answered {outcome}"
        self.acked += ids

    def balance(self) -> None:
        """Hold what was answered against what is there. Nobody may be at work any more.

        Raises:
            AssertionError: a task is lost, from nowhere, or was with two workers.
        """
        stored = self.world.stored()
        twice = [
            task for task, times in Counter(task.id for task in self.held).items() if times > 1
        ]
        assert not twice, f"with two workers: {twice}"
        assert len(set(self.pushed)) == len(self.pushed), f"an id was given twice: {self.pushed}"
        held = {task.id for task in self.held}
        lost = set(self.pushed) - set(stored)
        assert not lost, f"answered and not there: {lost}"
        extra = set(stored) - set(self.pushed)
        assert len(extra) <= self.unknown, f"from nowhere: {extra}"
        in_flight = {task for task, status in stored.items() if status is Status.IN_FLIGHT}
        done = {task for task, status in stored.items() if status is Status.DONE}
        if not self.world.failures:
            assert done == set(self.acked), (done, self.acked)
            assert in_flight == held - done, f"in flight: {in_flight}, held: {held - done}"


def claim_of(worker: str, deadline: int | None = FOREVER) -> Claim:
    """Return a claim of one task that may wait."""
    return Claim((Q,), worker, 1, deadline=deadline)


def tasks_in(outcome: Outcome) -> list[Claimed]:
    """Return the tasks that a claim was given; whatever else it was told is a fault."""
    assert isinstance(outcome, tuple), f"a claim was told {outcome!r}"
    tasks: list[Claimed] = []
    for delivery in outcome:
        assert isinstance(delivery, Delivery)
        tasks += delivery.tasks
    return tasks


def together(scheduler: Scheduler, *works: Callable[[], object]) -> None:
    """Have threads do these, and return when all are done."""
    named = [(f"{work.__name__} {number}", work) for number, work in enumerate(works)]
    threads = [scheduler.spawn(name, work) for name, work in named]
    for thread in threads:
        scheduler.join(thread)
