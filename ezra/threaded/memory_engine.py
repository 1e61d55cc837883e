"""The in-memory engine: the pure queue under one lock.

Nothing of what a queue does is decided here; this file gives `QueueMachine` what it leaves to its
driver: threads, a clock and somebody who lets time pass. An operation is carried out by the thread
that submits it. A claim that finds nothing parks in the machine, and its thread sleeps on a
condition of its own, so that a push wakes exactly the worker it serves, however many wait. One
timer thread sleeps until something is due; it also sends those away whose deadline has come.

Lock discipline: `_lock` guards everything here, machine and submissions included, and every
condition (the timer's, and that of each parked submission) is one of this same lock. Nothing is
called under it that could wait for anything but the clock. The methods that say "holds the lock"
rely on their caller for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from ezra.sansio.errors import CommandError, EngineClosed, Text
from ezra.sansio.model import FOREVER, SECOND, Defaults, Delivery
from ezra.sansio.queue.looks import Answer, Look
from ezra.sansio.queue.machine import QueueMachine, Waiting
from ezra.sansio.queue.operations import Claim, Operation, Outcome
from ezra.threaded.clock import Clock
from ezra.threaded.engine import Engine, Submission


class MemoryEngine(Engine):
    """An engine whose tasks live as long as it does.

    Args:
        defaults: what holds for queues that set nothing else.
        clock: tells the time and waits for it.
        scheduler: the longest pause between two sweeps, in microseconds.
    """

    def __init__(self, defaults: Defaults, clock: Clock, *, scheduler: int = 5 * SECOND) -> None:
        self._clock = clock
        self._scheduler = scheduler
        self._machine = QueueMachine(defaults)
        self._lock = threading.Lock()
        self._parked: dict[int, _MemorySubmission] = {}
        self._draining = False
        self._closed = False
        self._alarm = threading.Condition(self._lock)
        self._alarm_at = FOREVER
        self._timer = threading.Thread(target=self._run_timer, name="ezra-timer", daemon=True)
        self._timer.start()

    def submit(self, operations: Sequence[Operation]) -> Submission:
        """Carry the operations out; a claim at the end may still be parked when this returns."""
        with self._lock:
            self._check_open()
            submission = _MemorySubmission(self._lock, self._give_up)
            for operation in operations:
                self._carry_out(operation, submission)
            self._settle()
            return submission

    def look(self, look: Look) -> Answer:
        """Return what the look asks for, as of now."""
        with self._lock:
            self._check_open()
            try:
                return self._machine.look(look, self._clock.now())
            finally:
                # To look lets time pass, whether or not the look itself finds what it asks for.
                self._settle()

    def sweep(self) -> None:
        """Do now what is due now."""
        with self._lock:
            self._check_open()
            self._machine.advance(self._clock.now())
            self._settle()

    def drain(self) -> None:
        """Answer every parked claim with `()`, and let none park from now on."""
        with self._lock:
            self._draining = True
            for submission in list(self._parked.values()):
                self._give_up(submission)

    def close(self) -> None:
        """Drain, and end the timer's thread; the tasks are gone with the engine."""
        self.drain()
        with self._lock:
            self._closed = True
            self._alarm.notify()
        self._timer.join()

    def _check_open(self) -> None:
        if self._closed:
            raise EngineClosed(Text.SHUTTING_DOWN)

    def _carry_out(self, operation: Operation, submission: _MemorySubmission) -> None:
        """Apply one operation and add its outcome to the submission. Holds the lock."""
        if self._draining and isinstance(operation, Claim):
            operation = replace(operation, deadline=None)
        try:
            answer = self._machine.apply(operation, self._clock.now())
        except CommandError as error:
            submission.outcomes.append(error.as_answer())
            return
        if isinstance(answer, Waiting):
            submission.ticket = answer.ticket
            self._parked[answer.ticket] = submission
        else:
            submission.outcomes.append(answer)

    def _settle(self) -> None:
        """Wake whom the last step answered, and the timer if it would sleep too long.

        Holds the lock. To be called after whatever moves the machine.
        """
        self._check_locked()
        for woken in self._machine.woken():
            self._parked.pop(woken.ticket).answer(woken.deliveries)
        if self._machine.next_due() < self._alarm_at:
            self._alarm.notify()

    def _give_up(self, submission: _MemorySubmission) -> None:
        """Answer the submission's claim with `()` if it is parked. Holds the lock."""
        self._check_locked()
        if submission.ticket is not None:
            self._machine.cancel(submission.ticket)
            del self._parked[submission.ticket]
            submission.answer(())

    def _run_timer(self) -> None:
        with self._lock:
            while not self._closed:
                now = self._clock.now()
                self._machine.advance(now)
                self._settle()
                self._alarm_at = min(self._machine.next_due(), now + self._scheduler)
                self._clock.wait(self._alarm, self._alarm_at)

    def _check_locked(self) -> None:
        if not self._lock.locked():
            raise RuntimeError("the engine's lock must be held here")


class _MemorySubmission(Submission):
    """A submission that has been carried out, but for a claim at its end that may be parked.

    Everything in it is guarded by the engine's lock; `give_up` is called with the lock held.
    """

    def __init__(self, lock: threading.Lock, give_up: Callable[[_MemorySubmission], None]) -> None:
        self.outcomes: list[Outcome] = []
        self.ticket: int | None = None
        """The ticket of its claim while that is parked."""
        self._answered = threading.Condition(lock)
        self._give_up = give_up

    def settle(self) -> bool:
        """Say whether every outcome is there; False while a claim is parked."""
        with self._answered:
            return self.ticket is None

    def wait(self) -> list[Outcome]:
        """Return the outcome of each operation, in order."""
        with self._answered:
            while self.ticket is not None:
                self._answered.wait()
            return self.outcomes

    def cancel(self) -> None:
        """Answer a parked claim with `()`."""
        with self._answered:
            self._give_up(self)

    def answer(self, deliveries: tuple[Delivery, ...]) -> None:
        """Give the parked claim its outcome, and wake its thread. The caller holds the lock."""
        self.ticket = None
        self.outcomes.append(deliveries)
        self._answered.notify()
