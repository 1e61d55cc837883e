"""Time: the one place that asks the operating system for it."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from ezra.sansio.model import FOREVER, SECOND


class Clock(Protocol):
    """Tells the time and waits for it. Times are Unix microseconds."""

    def now(self) -> int:
        """Return the present moment; never less than it returned before."""

    def wait(self, condition: threading.Condition, until: int) -> None:
        """Wait on the condition, which the caller holds, at most until that moment.

        Like `Condition.wait` it may return early: call it as `while not predicate: wait`.
        """


class SystemClock:
    """The wall clock as it stood at the start, carried on by the monotonic clock.

    A wall clock that is set while the server runs moves no lease and no delay.
    """

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        """Return the present moment."""
        return (time.monotonic_ns() + self._offset) // 1_000

    def wait(self, condition: threading.Condition, until: int) -> None:
        """Wait on the condition, at most until that moment."""
        if until == FOREVER:
            condition.wait()
            return
        remaining = (until - self.now()) / SECOND
        if remaining > 0:
            # A longer wait than the platform can express returns early, which is allowed.
            condition.wait(min(remaining, threading.TIMEOUT_MAX))
