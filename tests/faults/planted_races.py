"""Races planted on purpose: the scheduler has to find each of them, or it would find none in EZRA.

Two are textbook cases; the others are the real group commit and the real in-memory engine with one
thing left out, as a careless change might leave it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ezra.sansio.errors import EngineClosed
from ezra.sansio.queue.operations import Operation
from ezra.threaded.engine import Submission
from ezra.threaded.memory_engine import MemoryEngine, _MemorySubmission
from ezra.threaded.sqlite.calls import Call, Request
from ezra.threaded.sqlite.commit import Committer
from ezra.threaded.sqlite.submission import GroupSubmission
from tests.faults import playing, races
from tests.faults.race_worlds import InMemory, OnSqlite, World, together
from tests.faults.scheduler import TRACED, Scheduler
from tests.faults.stand_in import StandIn

TRACED_HERE = (*TRACED, __file__)
"""The planted code is traced as EZRA's own is."""


# -- Textbook cases --------------------------------------------------------------------------------


def double_claim(scheduler: Scheduler) -> None:
    """Two workers look for a task, then take it: both may have seen the same."""
    tasks = ["first", "second"]
    taken = []

    def worker() -> None:
        task = tasks[0]
        taken.append(task)
        tasks.remove(task)

    together(scheduler, worker, worker)
    assert len(set(taken)) == len(taken), f"with two workers: {taken}"


def lost_wakeup(scheduler: Scheduler) -> None:
    """A waiter looks at its flag before it takes the lock: the only notification may be over."""
    changed = StandIn(scheduler).Condition()
    ready: list[bool] = []

    def waiter() -> None:
        if not ready:
            with changed:
                changed.wait()

    def notifier() -> None:
        ready.append(True)
        with changed:
            changed.notify_all()

    together(scheduler, waiter, notifier)


def deadly_embrace(scheduler: Scheduler) -> None:
    """Two threads take the same two locks, each in its own order."""
    one, other = StandIn(scheduler).Lock(), StandIn(scheduler).Lock()

    def forwards() -> None:
        with one, other:
            pass

    def backwards() -> None:
        with other, one:
            pass

    together(scheduler, forwards, backwards)


# -- The group commit with something left out ------------------------------------------------------


class AppendsUnlocked(Committer):
    """Submits to the list that there was, which a leader may just have swapped for another."""

    def submit(self, operations: Sequence[Request], *, sweeps: bool = False) -> GroupSubmission:
        """Hand over operations without the lock."""
        submission = GroupSubmission(self, [Call(one) for one in operations], sweeps=sweeps)
        if self.closed:
            raise EngineClosed
        queue = self._queue
        queue.append(submission)
        return submission


class PublishesUnlocked(Committer):
    """Answers everybody, and only then takes the lock again."""

    def _publish(self, *arguments: object) -> None:
        self.lock.release()
        try:
            super()._publish(*arguments)  # type: ignore[arg-type]  # handed on
        finally:
            self.lock.acquire()

    def _check_locked(self) -> None:
        """Say nothing: the assertion would be too easy a way to find it."""


class LeadsTwice(Committer):
    """Looks whether somebody leads before it has the lock."""

    def _take_turn(self, submission: GroupSubmission) -> None:
        if submission.queued and not self._leading:
            with self.lock:
                if submission.queued:
                    self._lead()
            return
        super()._take_turn(submission)


class HandsOverNothing(Committer):
    """Wakes nobody to lead what arrived while a batch was written."""

    def _hand_over(self) -> None:
        self._idle.notify_all()


class ForgetsWhoGaveUp(Committer):
    """Sends a cancelled claim away at once, whoever leads meanwhile."""

    def give_up(self, submission: GroupSubmission) -> None:
        """Answer it, though the parking is in the leader's hands."""
        submission.given_up = True
        self._send_away(submission)


class LooksTwice(GroupSubmission):
    """Looks for an error first and for the answer then: both may come in between."""

    def settle(self) -> bool:
        """Return whether it is answered."""
        self._committer.see_written(self)
        if self.error is not None:
            raise type(self.error)(*self.error.args)
        return self.answered


class AnswersTwice(Committer):
    """Makes submissions that look twice."""

    def submit(self, operations: Sequence[Request], *, sweeps: bool = False) -> GroupSubmission:
        """Hand over operations."""
        submission = super().submit(operations, sweeps=sweeps)
        submission.__class__ = LooksTwice
        return submission


class SubmitsUnlocked(MemoryEngine):
    """The in-memory engine without its lock around an operation."""

    def submit(self, operations: Sequence[Operation]) -> Submission:
        """Carry the operations out."""
        submission = _MemorySubmission(self._lock, self._give_up)
        for operation in operations:
            self._carry_out(operation, submission)
        with self._lock:
            self._settle()
        return submission


def _with(committer: type[Committer]) -> Callable[[], World]:
    def world() -> World:
        class Planted(OnSqlite):
            committer_class = committer

        return Planted()

    return world


def _in_memory() -> World:
    class Planted(InMemory):
        engine_class = SubmitsUnlocked

    return Planted()


PLANTED: Mapping[str, playing.Played] = {
    "a textbook double claim": (double_claim, TRACED_HERE),
    "a lost wake-up": (lost_wakeup, TRACED_HERE),
    "two locks in two orders": (deadly_embrace, TRACED_HERE),
    "submits to a swapped list": (
        races.on(_with(AppendsUnlocked), races.working),
        TRACED_HERE,
    ),
    "publishes without the lock": (
        races.on(_with(PublishesUnlocked), races.working),
        TRACED_HERE,
    ),
    "two leaders": (races.on(_with(LeadsTwice), races.working), TRACED_HERE),
    "hands over nothing": (races.on(_with(HandsOverNothing), races.working), TRACED_HERE),
    "parks and leaves at once": (
        races.on(_with(ForgetsWhoGaveUp), races.cancelling),
        TRACED_HERE,
    ),
    "looks for the error first": (
        races.on(_with(AnswersTwice), races.failing_line),
        TRACED_HERE,
    ),
    "the pure queue without its lock": (
        races.on(_in_memory, races.working),
        (*races.WITH_THE_CORE, __file__),
    ),
}
"""What has to be found."""


def find(name: str, seeds: range) -> int:
    """Return how many schedules it took to find what was planted; 0 when all seeds missed it."""
    scenario, traced = PLANTED[name]
    for number, seed in enumerate(seeds, start=1):
        try:
            playing.play(scenario, seed, traced, name)
        except playing.Found:
            return number
    return 0
