"""Keys in the order of their ranks: a heap with lazy deletion.

The machine asks for the first of many in a dozen orders (whose turn, whose lease, whose deadline),
and every step moves a task from some of them to others. A heap finds the first in O(log n) but
cannot delete from its middle, so deleting only forgets the rank: an entry whose rank is no longer
the key's own is stale, and is skipped when it comes to the top. When more than half of the heap is
stale it is built anew, which costs less than the deletions that led to it; so every operation
here is O(log n), amortised, and memory is O(live keys).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Generic, TypeVar

RankT = TypeVar("RankT", int, tuple[int, int])

SLACK = 64
"""Stale entries that are not worth building a heap anew for."""


class Ranking(Generic[RankT]):
    """A set of int keys, each with a rank; equal ranks go by key."""

    __slots__ = ("_heap", "_ranks")

    def __init__(self) -> None:
        self._ranks: dict[int, RankT] = {}
        self._heap: list[tuple[RankT, int]] = []

    def __len__(self) -> int:
        return len(self._ranks)

    def place(self, key: int, rank: RankT | None) -> None:
        """Give the key this rank, instead of the one it has; None takes it out."""
        if self._ranks.get(key) == rank:
            return
        if rank is None:
            del self._ranks[key]
        else:
            self._ranks[key] = rank
            heapq.heappush(self._heap, (rank, key))
        if len(self._heap) > 2 * len(self._ranks) + SLACK:
            self._rebuild()

    def first(self) -> int | None:
        """Return the key that comes first, or None when there is none."""
        entry = self._top()
        return None if entry is None else entry[1]

    def first_rank(self) -> RankT | None:
        """Return the rank of the key that comes first, or None when there is none."""
        entry = self._top()
        return None if entry is None else entry[0]

    def take_up_to(self, limit: RankT) -> Iterator[int]:
        """Take out the keys whose rank is at most `limit`, one by one, and yield them in order."""
        while (entry := self._top()) is not None and entry[0] <= limit:
            self.place(entry[1], None)
            yield entry[1]

    def _top(self) -> tuple[RankT, int] | None:
        """Return the first live entry; drops the stale ones before it."""
        heap = self._heap
        while heap:
            rank, key = heap[0]
            if self._ranks.get(key) == rank:
                return heap[0]
            heapq.heappop(heap)
        return None

    def _rebuild(self) -> None:
        self._heap = [(rank, key) for key, rank in self._ranks.items()]
        heapq.heapify(self._heap)
