"""Group commit: many threads hand over operations, one of them at a time commits for all.

A thread submits its operations and waits. Whoever waits and finds nobody committing becomes the
*leader*: it takes everything that was submitted, its own included, writes it in one transaction,
and answers everybody. What arrived meanwhile is the next batch, and the first of those who brought
it leads it. So a lone caller commits by itself without any other thread, every other is woken
once, with its answer or to lead, and the longer a commit takes the more the next one holds.

A claim that found nothing and may wait is *parked*: its submission is answered by the batch that
gives it tasks, or with `()` when it gives up (its deadline, `cancel`, `drain`).

Lock discipline. `Committer.lock` guards everything in this file, and every condition here is one
of this same lock. It is held for moments only: never while SQLite works. The writer, and who is
parked in it, belong to the leader; while nobody leads, to whoever holds the lock. Methods whose
docstring says so need the lock to be held by their caller, and those that change who leads or who
is parked check it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from ezra.sansio.errors import CommandError, EngineClosed, EngineError, OutcomeUnknown, Text
from ezra.sansio.model import FOREVER
from ezra.threaded.clock import Clock
from ezra.threaded.sqlite.calls import Call, Request
from ezra.threaded.sqlite.submission import GroupSubmission
from ezra.threaded.sqlite.transaction import Transaction
from ezra.threaded.sqlite.writer import Writer

log = logging.getLogger(__name__)

GATHER = 0.0005
"""Seconds that a leader waits, at the most, for those whom the last batch answered to come again.

Otherwise two halves of the callers take turns, each waiting for the other's fsync: gathering them
made up to a quarter more cycles with 16 clients. A lone caller never waits."""


class Committer:
    """Takes operations from any number of threads and has the writer commit them together.

    Args:
        writer: does the work of a batch.
        clock: tells when a parked claim has waited long enough.
        failed: called once, in whatever thread was leading, when the storage has failed; everybody
            has been told by then, and nothing is accepted any more.
    """

    def __init__(self, writer: Writer, clock: Clock, failed: Callable[[EngineError], None]) -> None:
        self.lock = threading.Lock()
        self.alarm = threading.Condition(self.lock)
        """Notified when something falls due earlier than `alarm_at`, and at the end."""
        self.alarm_at = FOREVER
        self.closed = False
        self._writer = writer
        self._clock = clock
        self._failed = failed
        self._failure: EngineError | None = None
        self._queue: list[GroupSubmission] = []
        self._leading = False
        self._expected = 0
        self._arrived = threading.Condition(self.lock)
        self._idle = threading.Condition(self.lock)
        self._parked: dict[Call, GroupSubmission] = {}
        self._giving_up: list[GroupSubmission] = []
        self._draining = False

    @property
    def failed(self) -> bool:
        """Whether the storage has failed: nobody knows what is on disk."""
        return self._failure is not None

    @property
    def running(self) -> bool:
        """Whether a sweep still makes sense: neither closed nor failed. Needs the lock."""
        return not self.closed and self._failure is None

    @property
    def due(self) -> int:
        """The first moment at which a sweep has something to do; behind while somebody leads."""
        return self._writer.due

    def submit(self, operations: Sequence[Request], *, sweeps: bool = False) -> GroupSubmission:
        """Hand over operations; `wait` of what is returned must be called.

        Args:
            operations: in their order.
            sweeps: have what is due looked for first, even if nothing is known to be.

        Raises:
            EngineClosed: after `close`.
            OutcomeUnknown: after the storage has failed.
        """
        submission = GroupSubmission(self, [Call(one) for one in operations], sweeps=sweeps)
        with self.lock:
            if self._failure is not None:
                raise OutcomeUnknown(Text.OUTCOME_UNKNOWN)
            if self.closed:
                raise EngineClosed(Text.SHUTTING_DOWN)
            self._queue.append(submission)
            if self._leading and len(self._queue) == self._expected:
                self._arrived.notify()
        return submission

    def see_written(self, submission: GroupSubmission) -> None:
        """Return when a batch was written that had the submission in it; lead it if nobody does."""
        try:
            while not submission.written:
                self._take_turn(submission)
        except BaseException:
            # Ctrl-C while it waited: nobody will be there for what it would be given, and nobody to
            # lead, should it be its turn.
            with self.lock:
                self.give_up(submission)
                if submission.queued:
                    self._withdraw(submission)
                    self._hand_over()
            raise

    def see_answered(self, submission: GroupSubmission) -> None:
        """Return when the submission's parked claim is answered."""
        with self.lock:
            try:
                while not submission.answered:
                    self._sleep(submission)
            except BaseException:
                self.give_up(submission)
                raise

    def give_up(self, submission: GroupSubmission) -> None:
        """Have the submission's claim wait no longer. Needs the lock."""
        self._check_locked()
        submission.given_up = True
        if self._leading:
            self._giving_up.append(submission)
        else:
            self._send_away(submission)

    def drain(self) -> None:
        """Answer every parked claim with `()`, and let none park from now on."""
        with self.lock:
            self._draining = True
            for submission in list(self._parked.values()):
                self.give_up(submission)

    def close(self) -> None:
        """Accept nothing more, and finish what was submitted."""
        self.drain()
        with self.lock:
            self.closed = True
            self.alarm.notify_all()
            while self._leading or self._queue:
                if self._leading:
                    self._idle.wait()
                else:
                    self._lead()

    # -- Waiting -----------------------------------------------------------------------------------

    def _take_turn(self, submission: GroupSubmission) -> None:
        """Lead, or wait until somebody who does calls."""
        with self.lock:
            if submission.queued and not self._leading:
                self._lead()
                return
        submission.turn.acquire()
        if not submission.written:
            with self.lock:
                submission.called()

    def _sleep(self, submission: GroupSubmission) -> None:
        """Wait for news of the parked submission, or for its deadline. Needs the lock."""
        if submission.given_up:
            submission.changed.wait()
            return
        deadline = submission.deadline
        self._clock.wait(submission.changed, deadline)
        if self._clock.now() < deadline:
            return
        # What falls due by the deadline still comes in time, however many sweeps it takes.
        while not (self._leading or submission.answered) and self.due <= deadline:
            if not self._lead():
                break
        if not submission.answered:
            self.give_up(submission)

    # -- Leading -----------------------------------------------------------------------------------

    def _lead(self) -> bool:
        """Commit everything that was submitted. Needs the lock, and lets go of it meanwhile.

        Returns:
            Whether the batch was written.
        """
        self._check_locked()
        self._leading = True
        batch = self._gather()
        # What holds if not even an error comes out of it, but Ctrl-C.
        done: Transaction | None = None
        error: EngineError | None = OutcomeUnknown(Text.OUTCOME_UNKNOWN)
        self.lock.release()
        try:
            done, error = self._write(batch)
        finally:
            interrupted = self._take_lock_again()
            self._leading = False
            try:
                self._publish(batch, done, error)
                self._hand_over()
            except Exception as surprise:
                error = self._give_up_on(batch, surprise)
            if isinstance(error, OutcomeUnknown):
                self._report(error)
        if interrupted is not None:
            raise interrupted
        return error is None

    def _take_lock_again(self) -> BaseException | None:
        """Take the lock, whatever comes meanwhile; return that, such as Ctrl-C, to be raised later.

        Who leads must say that it has ended, or nobody would ever lead again.
        """
        interrupted: BaseException | None = None
        while True:
            try:
                self.lock.acquire()
            except (Exception, KeyboardInterrupt, SystemExit) as error:  # of a signal's handler
                interrupted = error
            else:
                return interrupted

    def _gather(self) -> list[GroupSubmission]:
        """Take everything that was submitted. Needs the lock, and may let go of it for a moment."""
        if len(self._queue) < self._expected:
            try:
                self._arrived.wait(GATHER)
            except BaseException:
                self._leading = False
                raise
        batch, self._queue = self._queue, []
        for submission in batch:
            submission.queued = False
        return batch

    def _write(self, batch: list[GroupSubmission]) -> tuple[Transaction | None, EngineError | None]:
        """Have the batch written; return its transaction, or why there is none."""
        lines = [submission.calls for submission in batch]
        swept = any(submission.sweeps for submission in batch)
        if self._failure is not None:
            return None, OutcomeUnknown(Text.OUTCOME_UNKNOWN)
        try:
            return self._writer.write(lines, swept=swept), None
        except EngineError as error:
            if isinstance(error, OutcomeUnknown):
                log.critical("a batch came to an unknown end: %r", error.__cause__ or error)
            return None, error
        except Exception as error:
            log.critical("a batch came to an unknown end", exc_info=True)
            return None, _unknown(error)

    def fail(self, error: EngineError) -> None:
        """Acknowledge nothing from now on, and tell the owner: somebody saw the storage fail."""
        with self.lock:
            self._stop(error)
            self._report(error)

    def _give_up_on(self, batch: list[GroupSubmission], surprise: Exception) -> OutcomeUnknown:
        """Answer those of the batch who are not answered yet that nobody knows. Needs the lock."""
        log.critical("a batch could not be answered", exc_info=True)
        error = _unknown(surprise)
        for submission in batch:
            if not submission.answered:
                self._answer(submission, error)
        self._stop(error)
        self._hand_over()
        return error

    def _publish(
        self,
        batch: list[GroupSubmission],
        done: Transaction | None,
        error: EngineError | None,
    ) -> None:
        """Answer everybody whom the batch has answered. Needs the lock."""
        self._check_locked()
        if self._failure is not None:
            # Somebody saw the storage fail meanwhile: from then on nothing is acknowledged.
            done, error = None, self._failure
        parked = {} if done is None else done.newcomers
        for submission in batch:
            if submission.last in parked:
                self._parked[submission.last] = submission
                submission.parked = True
                submission.call()
            else:
                self._answer(submission, error)
        for call in () if done is None else done.served:
            self._answer(self._parked.pop(call), None)
        # Those who were answered may come again at once, those who came meanwhile are here.
        self._expected = len(self._queue) + len(batch)
        self._send_away_late(batch)
        if isinstance(error, OutcomeUnknown):
            self._stop(error)

    def _send_away_late(self, batch: list[GroupSubmission]) -> None:
        """Answer those who gave up while a leader was at work. Needs the lock."""
        leaving, self._giving_up = self._giving_up, []
        for submission in leaving:
            self._send_away(submission)
        for submission in batch:
            if submission.given_up or self._draining:
                self._send_away(submission)

    def _withdraw(self, submission: GroupSubmission) -> None:
        """Answer a submission that no batch has taken: nothing of it was done. Needs the lock."""
        self._check_locked()
        self._queue.remove(submission)
        submission.queued = False
        for call in submission.calls:
            nothing = call.operation is submission.claim
            call.outcome = () if nothing else CommandError(Text.WITHDRAWN)
        self._answer(submission, None)

    def _send_away(self, submission: GroupSubmission) -> None:
        """Answer the submission's claim with `()` if it is parked. Needs the lock."""
        self._check_locked()
        call = submission.last
        if call is not None and self._parked.pop(call, None) is not None:
            assert submission.claim is not None  # noqa: S101 - nothing else parks
            self._writer.parking.leave(call, submission.claim)
            call.outcome = ()
            self._answer(submission, None)

    def _answer(self, submission: GroupSubmission, error: EngineError | None) -> None:
        submission.error = error
        submission.answered = True  # last: who waits may look without the lock
        submission.call()

    def _hand_over(self) -> None:
        """Wake the next leader, and the timer if it would sleep too long. Needs the lock."""
        if self._queue:
            self._queue[0].call()
        self._idle.notify_all()
        if self.due < self.alarm_at:
            self.alarm.notify_all()

    def _stop(self, error: EngineError) -> None:
        """Acknowledge nothing more: nobody knows what is on disk. Needs the lock."""
        self._check_locked()
        self._failure = self._failure or error
        for submission in self._parked.values():
            self._answer(submission, error)
        self._parked.clear()
        self.alarm.notify_all()

    def _report(self, error: EngineError) -> None:
        """Tell the owner, once, that the storage has failed. Needs the lock, and lets go of it."""
        failed, self._failed = self._failed, lambda _: None
        self.lock.release()
        try:
            failed(error)
        finally:
            interrupted = self._take_lock_again()
        if interrupted is not None:
            raise interrupted

    def _check_locked(self) -> None:
        if not self.lock.locked():
            raise RuntimeError("the committer's lock must be held here")


def _unknown(cause: Exception) -> OutcomeUnknown:
    """Return the error for everybody whose outcome nobody knows, because of this one."""
    error = OutcomeUnknown(Text.OUTCOME_UNKNOWN)
    error.__cause__ = cause
    return error
