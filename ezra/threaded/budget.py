"""The memory that all clients together may take: what they sent, and what they are to be sent.

Strategy: every connection has an `Account` and says now and then what it holds. A connection that
holds little, as nearly all do at any moment, is not counted, which costs it two comparisons and no
lock; the limit of clients bounds these. What is more goes through one lock into one sum.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from ezra.sansio.resp.limits import Limits
from ezra.threaded.settings import Settings

UNCOUNTED = 16 * 1024
"""Bytes that a connection may hold without being counted."""

PART_OF_MEMORY = 4
"""By default one such part of the machine's memory is for requests and replies on their way: Python
may hold what came twice while it is put together, and the database's cache wants its part, too."""

LEAST = 64 * 1024 * 1024
"""And no less than this, however small the machine: a few payloads of the default limit."""

PART_OF_BUDGET = 4
"""One connection may hold one such part of it, so that no single client takes the whole."""

CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Where Linux says how much memory a container may have, in its two ways; no number is no limit."""


class Budget:
    """Counts bytes against a limit. Any thread may use it.

    Args:
        limit: of all connections together.
        largest_request: which one connection may hold in any case.
    """

    def __init__(self, limit: int, largest_request: int) -> None:
        self.limit = limit
        self.share = max(limit // PART_OF_BUDGET, largest_request)
        self._lock = threading.Lock()
        self._used = 0

    @property
    def used(self) -> int:
        """How much is counted just now."""
        return self._used

    def change(self, before: int, after: int) -> bool:
        """Count what one connection holds now instead of what it held; False: there is no room.

        What is less than before always fits.
        """
        more = after - before
        with self._lock:
            if more > 0 and (after > self.share or self._used + more > self.limit):
                return False
            self._used += more
            return True


class Account:
    """What one connection holds. Only its own thread uses it."""

    __slots__ = ("_budget", "_counted", "_size")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._size = 0
        self._counted = 0

    def hold(self, size: int) -> bool:
        """Say how many bytes the connection holds now; False: it must not, and it is as before."""
        counted = size if size > UNCOUNTED else 0
        if counted != self._counted:
            if not self._budget.change(self._counted, counted):
                return False
            self._counted = counted
        self._size = size
        return True

    def add(self, size: int) -> bool:
        """Say that it holds so much more, until the next `hold` says what then."""
        return self.hold(self._size + size)


def budget_of(settings: Settings) -> Budget:
    """Return the budget that the settings ask for, with nothing counted."""
    given = settings.max_buffer_bytes
    limit = default_limit() if given is None else given
    return Budget(limit, Limits(max_bulk=settings.max_payload_bytes).max_request)


def default_limit() -> int:
    """Return how much there is for requests and replies where nobody has said."""
    return max(_memory_of_machine() // PART_OF_MEMORY, LEAST)


def _memory_of_machine() -> int:
    """Return the bytes of memory that this process can have at the most."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in CGROUP_LIMITS:
        try:
            limits.append(int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue
    return min(limits)
