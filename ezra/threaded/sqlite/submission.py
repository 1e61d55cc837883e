"""What a caller holds while its operations are on their way through a `Committer`.

The committer's lock guards everything in it, and its condition is one of that lock. What a batch
writes into it is written before `turn` is released, and not changed after `answered`: who waits may
read it then without the lock.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ezra.sansio.errors import EngineError
from ezra.sansio.model import FOREVER
from ezra.sansio.queue.operations import Claim, Outcome
from ezra.threaded.engine import Submission
from ezra.threaded.sqlite.calls import Call

if TYPE_CHECKING:
    from ezra.threaded.sqlite.commit import Committer


class GroupSubmission(Submission):
    """Operations on their way through a `Committer`."""

    def __init__(self, committer: Committer, calls: list[Call], *, sweeps: bool) -> None:
        self.calls = calls
        self.sweeps = sweeps
        self.queued = True
        self.parked = False
        self.answered = False
        self.error: EngineError | None = None
        self.given_up = False
        self.turn = threading.Lock()
        """Held until there is news for who waits: that a batch was written which had this in it, or
        that it is time to lead the next. A bare lock, for it is the cheapest thing to wait on, and
        who is woken need not take the committer's lock to learn that all is done."""
        self.turn.acquire()
        self._called = False
        self._committer = committer
        self._changed: threading.Condition | None = None

    @property
    def changed(self) -> threading.Condition:
        """Notified when a parked claim is answered. Made by who waits. Needs the lock."""
        if self._changed is None:
            self._changed = threading.Condition(self._committer.lock)
        return self._changed

    def call(self) -> None:
        """Wake whoever waits: there is news. Needs the lock."""
        if not self._called:
            self._called = True
            self.turn.release()
        if self._changed is not None:
            self._changed.notify_all()

    def called(self) -> None:
        """Take note of having been called, so that the next call wakes again. Needs the lock."""
        self._called = False

    @property
    def written(self) -> bool:
        """Whether a batch that had this in it is through."""
        return self.answered or self.parked

    @property
    def last(self) -> Call | None:
        """The call at the end, the only one that may have to wait; a mere sweep has none."""
        return self.calls[-1] if self.calls else None

    @property
    def claim(self) -> Claim | None:
        """The claim at the end, if it is one."""
        operation = self.last and self.last.operation
        return operation if isinstance(operation, Claim) else None

    @property
    def deadline(self) -> int:
        """Until when its claim waits once it is parked."""
        claim = self.claim
        return FOREVER if claim is None or claim.deadline is None else claim.deadline

    def settle(self) -> bool:
        """Return once all is durable that need not wait for a task; False when a claim is parked.

        Raises:
            EngineError: nothing of the submission was done, or nobody knows (`OutcomeUnknown`).
        """
        self._committer.see_written(self)
        # Looked at before the error: that was written first, and while the claim is parked both may
        # still come. The other way round a task could be read whose COMMIT has failed.
        answered = self.answered
        if self.error is not None:
            # Each thread raises its own: an exception carries the traceback of who raised it.
            raise type(self.error)(*self.error.args) from self.error
        return answered

    def wait(self) -> list[Outcome]:
        """Return the outcome of each operation, once all of them are durable.

        Raises:
            EngineError: nothing of the submission was done, or nobody knows (`OutcomeUnknown`).
        """
        while not self.settle():
            self._committer.see_answered(self)
        return [call.outcome for call in self.calls]

    def cancel(self) -> None:
        """Give up waiting: a claim that is parked, or would be, answers `()` now."""
        with self._committer.lock:
            self._committer.give_up(self)
