"""What a caller holds while its operations are on their way through a `Committer`.

The committer's lock guards everything in it, and its condition is one of that lock.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ezra.sansio.errors import EngineError
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
        self.answered = False
        self.error: EngineError | None = None
        self.given_up = False
        self._committer = committer
        self._changed: threading.Condition | None = None

    @property
    def changed(self) -> threading.Condition:
        """Notified when there is news. Made by who waits, for who leads its own batch never does.

        Needs the lock.
        """
        if self._changed is None:
            self._changed = threading.Condition(self._committer.lock)
        return self._changed

    def notify(self) -> None:
        """Tell whoever waits that there is news. Needs the lock."""
        if self._changed is not None:
            self._changed.notify_all()

    @property
    def claim(self) -> Claim | None:
        """The claim at the end, which may have to wait."""
        operation = self.calls[-1].operation if self.calls else None
        return operation if isinstance(operation, Claim) else None

    def wait(self) -> list[Outcome]:
        """Return the outcome of each operation, once all of them are durable.

        Raises:
            EngineError: nothing of the submission was done, or nobody knows (`OutcomeUnknown`).
        """
        self._committer.see_through(self)
        if self.error is not None:
            # Each thread raises its own: an exception carries the traceback of who raised it.
            raise type(self.error)(*self.error.args) from self.error
        return [call.outcome for call in self.calls]

    def cancel(self) -> None:
        """Give up waiting: a claim that is parked, or would be, answers `()` now."""
        with self._committer.lock:
            self._committer.give_up(self)
