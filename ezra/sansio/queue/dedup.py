"""The keys by which a repeated push is known, and the id that its first push was answered.

A key belongs to one producer in one queue, and is remembered until a moment that its first push
settles; a repeat before that moment answers the first id, adds nothing and prolongs nothing. What
becomes of the task meanwhile makes no difference. Besides time, a queue may bound how many of one
producer's `limited` keys are remembered: a push with such a key forgets those with the lowest ids.

Every remembered key has the id of a task of its own, so it is filed under that. Looking a key up is
O(1), remembering and forgetting one O(log n).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice

from ezra.sansio.model import FOREVER, Dedup
from ezra.sansio.queue.journal import Journal
from ezra.sansio.queue.ordered import Ordered
from ezra.sansio.queue.ranking import Ranking


@dataclass(frozen=True, slots=True)
class Remembered:
    """A key that is remembered."""

    id: int
    """What a repeat is answered."""
    queue: str
    dedup: Dedup
    until: int
    """From this moment on the key is forgotten."""


def remembered(dedup: Dedup, task_id: int, queue: str, window: int, now: int) -> Remembered | None:
    """Return what is remembered of a push at `now`; None if that would be over at once.

    Args:
        dedup: the push's key.
        task_id: the id it was answered.
        queue: where it went.
        window: the queue's `dedup_window`, in microseconds, for a push that sets no time itself.
        now: the moment of the push.
    """
    ttl = window if dedup.ttl is None else dedup.ttl
    return Remembered(task_id, queue, dedup, now + ttl) if ttl > 0 else None


class Ledger:
    """The remembered keys of all queues. `journal` is told how to undo each change."""

    __slots__ = ("_by_key", "_due", "_journal", "_kept", "_limited", "_of_queue")

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._kept: dict[int, Remembered] = {}
        self._by_key: dict[tuple[str, bytes, bytes], int] = {}
        self._limited: dict[tuple[str, bytes], Ordered[int]] = {}
        self._of_queue: dict[str, set[int]] = {}
        self._due = Ranking[int]()

    def find(self, queue: str, dedup: Dedup) -> int | None:
        """Return the id that a repeat of such a push is answered; None where it is none."""
        return self._by_key.get((queue, dedup.producer, dedup.key))

    def keep(self, new: Remembered, limit: int) -> None:
        """Remember a key that is not; if it is limited, only so many of its producer's stay."""
        self._journal.note(partial(self._drop, new))
        self._add(new)
        if new.dedup.limited:
            ids = self._limited[new.queue, new.dedup.producer]
            for task_id in list(islice(ids.ascending(), max(0, len(ids) - limit))):
                self._forget(task_id)

    def forget_queue(self, queue: str) -> None:
        """Forget all keys of a queue."""
        for task_id in sorted(self._of_queue.get(queue, ())):
            self._forget(task_id)

    def fall_due(self, now: int) -> None:
        """Forget the keys whose time is over by `now`."""
        for task_id in self._due.take_up_to(now):
            self._forget(task_id)

    def next_due(self) -> int:
        """Return the first moment at which a key is to be forgotten; `FOREVER` when none is."""
        moment = self._due.first_rank()
        return FOREVER if moment is None else moment

    def _forget(self, task_id: int) -> None:
        old = self._kept[task_id]
        self._journal.note(partial(self._add, old))
        self._drop(old)

    def _add(self, new: Remembered) -> None:
        producer = (new.queue, new.dedup.producer)
        self._kept[new.id] = new
        self._by_key[(*producer, new.dedup.key)] = new.id
        self._of_queue.setdefault(new.queue, set()).add(new.id)
        self._due.place(new.id, new.until)
        if new.dedup.limited:
            self._limited.setdefault(producer, Ordered()).add(new.id)

    def _drop(self, old: Remembered) -> None:
        producer = (old.queue, old.dedup.producer)
        del self._kept[old.id]
        del self._by_key[(*producer, old.dedup.key)]
        self._due.place(old.id, None)
        self._of_queue[old.queue].remove(old.id)
        if not self._of_queue[old.queue]:
            del self._of_queue[old.queue]
        if old.dedup.limited:
            self._limited[producer].remove(old.id)
            if not self._limited[producer]:
                del self._limited[producer]
