"""Which workers have been seen in which group, and when: what XINFO CONSUMERS shows.

A group is a name only, and which worker holds a task is in the task's record; so this is no part of
the books. It is kept in memory, begins empty at every start, and is bounded: whoever has not been
seen for longest is forgotten first. Every operation is O(1), but for forgetting a group or a queue,
which is O(those forgotten). It is not safe for use from several threads.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from ezra.sansio.model import WorkerInfo
from ezra.sansio.queue.journal import Journal

MOST_KNOWN = 10_000
"""Workers remembered over all groups. Clients invent names: one per process, or per connection."""


class _Times(NamedTuple):
    """A worker's last visits to a group, in Unix microseconds."""

    seen_at: int
    active_at: int | None


_Key = tuple[str, str, str]
"""Queue, group, worker."""


class Roster:
    """The workers of all groups, with the moments at which they were last seen and last active.

    Args:
        journal: is told how to undo each change.
        most: how many workers are remembered.
    """

    __slots__ = ("_groups", "_journal", "_most", "_seen")

    def __init__(self, journal: Journal, most: int = MOST_KNOWN) -> None:
        self._journal = journal
        self._most = most
        # In the order in which they were last seen: the first one is forgotten first.
        self._seen: OrderedDict[_Key, _Times] = OrderedDict()
        # By queue, then by group: the names of the workers in `_seen`.
        self._groups: dict[str, dict[str, dict[str, None]]] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def see(self, queue: str, group: str, worker: str, now: int, *, active: bool = False) -> None:
        """Note that the worker asked for tasks through the group; `active`: and got some."""
        key = (queue, group, worker)
        before = self._seen.get(key)
        active_at = now if active else before and before.active_at
        self._change(key, _Times(now, active_at))
        if len(self._seen) > self._most:
            self._change(next(iter(self._seen)), None)

    def knows(self, queue: str, group: str, worker: str) -> bool:
        """Say whether the worker is remembered in the group."""
        return (queue, group, worker) in self._seen

    def forget_worker(self, queue: str, group: str, worker: str) -> None:
        """Forget a worker of a group; an unknown one is ignored."""
        if self.knows(queue, group, worker):
            self._change((queue, group, worker), None)

    def forget_group(self, queue: str, group: str) -> None:
        """Forget all workers of a group."""
        for worker in list(self._groups.get(queue, {}).get(group, ())):
            self._change((queue, group, worker), None)

    def forget_queue(self, queue: str) -> None:
        """Forget all workers of all groups of a queue."""
        for group in list(self._groups.get(queue, ())):
            self.forget_group(queue, group)

    def clear(self) -> None:
        """Forget everybody, as a restart does. Not to be used inside a transaction."""
        self._seen.clear()
        self._groups.clear()

    def workers(self, queue: str, group: str, holding: Mapping[str, int]) -> Iterator[WorkerInfo]:
        """Return the group's workers by name: those remembered, and those who hold tasks.

        Args:
            queue: the group's queue.
            group: the group.
            holding: how many of the queue's tasks each worker holds, whatever the group.
        """
        known = self._groups.get(queue, {}).get(group, {})
        return (
            self._worker((queue, group, name), holding.get(name, 0))
            for name in sorted(known.keys() | holding.keys())
        )

    def count(self, queue: str, group: str, holders: Iterable[str]) -> int:
        """Return how many `workers` the group has; `holders` names each who holds tasks once."""
        known = self._groups.get(queue, {}).get(group, {})
        return len(known) + sum([name not in known for name in holders])

    def _worker(self, key: _Key, pending: int) -> WorkerInfo:
        seen_at, active_at = self._seen.get(key, (None, None))
        return WorkerInfo(key[2], pending, seen_at, active_at)

    def _change(self, key: _Key, times: _Times | None) -> None:
        """Remember this of the worker, as the one seen last, or nothing, and note how to undo it.

        Undone, a worker counts as seen last: only whom a full roster forgets first may differ.
        """
        self._journal.note(partial(self._write, key, self._seen.get(key)))
        self._write(key, times)

    def _write(self, key: _Key, times: _Times | None) -> None:
        queue, group, worker = key
        if times is None:
            del self._seen[key]
            self._leave(queue, group, worker)
            return
        self._seen[key] = times
        self._seen.move_to_end(key)
        self._groups.setdefault(queue, {}).setdefault(group, {})[worker] = None

    def _leave(self, queue: str, group: str, worker: str) -> None:
        """Take the worker out of its group, and what has become empty with it."""
        groups = self._groups[queue]
        del groups[group][worker]
        if not groups[group]:
            del groups[group]
        if not groups:
            del self._groups[queue]
