"""A clock that stands still until a test moves it, also under engines that have threads.

A thread that waits through it sleeps on its own condition, without any timeout; moving the clock
notifies every condition on which somebody sleeps. So nothing in a test depends on how long anything
takes: it happens when the test says so, or never.
"""

from __future__ import annotations

import threading
from collections import Counter

START = 1_700_000_000_000_000
"""The moment at which a fake clock starts unless it is told another: 14 November 2023."""


class FakeClock:
    """A `Clock` for tests. Times are Unix microseconds, durations microseconds."""

    def __init__(self, now: int = START) -> None:
        self._now = now
        # Guards everything here. Taken inside a waiter's condition, never around one.
        self._changed = threading.Condition()
        self._waiting: Counter[threading.Condition] = Counter()

    def now(self) -> int:
        """Return the present moment."""
        with self._changed:
            return self._now

    def wait(self, condition: threading.Condition, until: int) -> None:
        """Wait on the condition, which the caller holds, until it is notified or the clock moves.

        Returns at once where that moment has come already.
        """
        with self._changed:
            if until <= self._now:
                return
            self._waiting[condition] += 1
            self._changed.notify_all()
        try:
            condition.wait()
        finally:
            with self._changed:
                self._waiting[condition] -= 1

    def advance(self, microseconds: int) -> int:
        """Move the clock on, wake whoever waits through it, and return the new moment.

        The caller must hold none of the conditions on which threads wait.
        """
        with self._changed:
            moment = self._now + microseconds
        return self.set(moment)

    def set(self, moment: int) -> int:
        """Move the clock to a moment, wake whoever waits through it, and return that moment."""
        with self._changed:
            self._now = moment
            conditions = list(+self._waiting)
        # A thread that has registered holds its condition until it sleeps, so it cannot miss this.
        for condition in conditions:
            with condition:
                condition.notify_all()
        return moment

    def until_waiting(self, threads: int) -> None:
        """Return once at least so many threads sleep through this clock."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting.total() >= threads)
