"""Keys in ascending order, from any of them on, while others come and go.

A sorted list cut into pieces: finding a piece and the place in it are binary searches, and only one
piece is moved when a key comes or goes. So every operation is O(log n) but for moving at most
`MOST` keys within a piece and the pieces' own list, both of which are single copies of memory.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", int, tuple[int, int])

MOST = 1_000
"""Keys in one piece; one that is longer is cut in two."""


class Ordered(Generic[KeyT]):
    """A sorted set of keys."""

    __slots__ = ("_length", "_pieces")

    def __init__(self) -> None:
        # No piece is empty, and all keys of one are below those of the next.
        self._pieces: list[list[KeyT]] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, key: KeyT) -> None:
        """Add a key that is not there."""
        self._length += 1
        if not self._pieces:
            self._pieces.append([key])
            return
        at = min(bisect_left(self._pieces, key, key=_last_of), len(self._pieces) - 1)
        piece = self._pieces[at]
        insort(piece, key)
        if len(piece) > MOST:
            half = len(piece) // 2
            self._pieces[at : at + 1] = [piece[:half], piece[half:]]

    def remove(self, key: KeyT) -> None:
        """Remove a key that is there."""
        self._length -= 1
        at = bisect_left(self._pieces, key, key=_last_of)
        piece = self._pieces[at]
        del piece[bisect_left(piece, key)]
        if not piece:
            del self._pieces[at]

    def move(self, before: KeyT | None, after: KeyT | None) -> None:
        """Let the one key take the other's place; None stands for no key."""
        if before == after:
            return
        if before is not None:
            self.remove(before)
        if after is not None:
            self.add(after)

    def first(self) -> KeyT | None:
        """Return the lowest key; None when there is none."""
        return self._pieces[0][0] if self._pieces else None

    def last(self) -> KeyT | None:
        """Return the highest key; None when there is none."""
        return self._pieces[-1][-1] if self._pieces else None

    def ascending(self, start: KeyT | None = None) -> Iterator[KeyT]:
        """Yield the keys from `start` on, upwards. Keys may come and go between two of them."""
        key = self.first() if start is None else self._up_from(start, itself=True)
        while key is not None:
            yield key
            key = self._up_from(key, itself=False)

    def descending(self, start: KeyT) -> Iterator[KeyT]:
        """Yield the keys from `start` on, downwards. Keys may come and go between two of them."""
        key = self._down_from(start, itself=True)
        while key is not None:
            yield key
            key = self._down_from(key, itself=False)

    def _up_from(self, key: KeyT, *, itself: bool) -> KeyT | None:
        """Return the lowest key above this one, or this one if `itself` and it is there."""
        bisect = bisect_left if itself else bisect_right
        at = bisect(self._pieces, key, key=_last_of)
        if at == len(self._pieces):
            return None
        piece = self._pieces[at]
        return piece[bisect(piece, key)]

    def _down_from(self, key: KeyT, *, itself: bool) -> KeyT | None:
        """Return the highest key below this one, or this one if `itself` and it is there."""
        bisect = bisect_right if itself else bisect_left
        at = bisect(self._pieces, key, key=_first_of)
        if at == 0:
            return None
        piece = self._pieces[at - 1]
        return piece[bisect(piece, key) - 1]


def _first_of(piece: list[KeyT]) -> KeyT:
    return piece[0]


def _last_of(piece: list[KeyT]) -> KeyT:
    return piece[-1]
