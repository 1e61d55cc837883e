"""How much one operation may hand out: so many tasks, and so many bytes of them and of all else.

A claim stops early. The task that uses up its bytes is still handed out, so every claim gets a task
where there is one, however large, nobody needs to know a task's size before it is read, and what
one claim makes the server hold is bounded by `Defaults.claim_size` and one task more. What must not
stop early, for half an answer would be a wrong one, fails instead, as soon as its answer weighs
more than `Defaults.answer_size`: whatever it is made of is counted as it is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import (
    Claimed,
    Delivery,
    Entry,
    GroupDetails,
    GroupInfo,
    Held,
    PendingSummary,
    QueueDetails,
    QueueInfo,
    QueueName,
    Taken,
    WorkerInfo,
)

RowT = TypeVar("RowT")

# What an answer takes in this process's memory at the most, which is while its reply is put
# together: measured (`test_allowance.py`), in bytes, with empty names and payloads.

ENTRY = 1_600
"""Of a task, beside its headers and what its producer wrote."""

HEADER = 400
"""Of one of its headers, beside the name and the value."""

HELD = 1_050
"""Of a task in flight as XPENDING lists it. In full, XINFO STREAM shows it twice for each group."""

WORKER = 2_050
GROUP = 2_750
BOOKS = 5_700
KEY = 300
"""Of the name of a queue, or of its dead-letter queue, in a list of names."""

HOLDER = 400
"""Of a worker whose tasks XPENDING counts; their number comes on top."""

NUMBER = 220
"""Of an id or a number, in a list."""

COPIES = 3
"""How often a name is there: as it is kept, in the reply's value and on its way into the bytes."""


class Pushed(Protocol):
    """A task in any form, with what its producer wrote."""

    @property
    def payload(self) -> bytes | None:
        """What the task is about."""

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Names and values."""


class Allowance:
    """Counts down what a claim takes.

    Args:
        count: tasks.
        size: bytes, as `size_of` tells them.
    """

    __slots__ = ("count", "size")

    def __init__(self, count: int, size: int) -> None:
        self.count = count
        self.size = size

    @property
    def spent(self) -> bool:
        """Whether the claim takes no more."""
        return self.count <= 0 or self.size <= 0

    def take(self, task: Pushed) -> None:
        """Count a task that is handed out."""
        self.count -= 1
        self.size -= size_of(task)


class Room:
    """Counts down what an answer may weigh.

    Args:
        size: bytes, as `weight` tells them.
    """

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        self.size = size

    def take(self, task: Pushed) -> None:
        """Count a task.

        Raises:
            CommandError: there is no room for it.
        """
        self._use(size_of(task))

    def take_all(self, result: object) -> None:
        """Count what is in a result.

        Raises:
            CommandError: there is no room for it.
        """
        self._use(weight(result))

    def admit(self, rows: Iterable[RowT], times: int = 1) -> tuple[RowT, ...]:
        """Return the rows, each of which is counted, so many times, before the next is made.

        Raises:
            CommandError: there is no room for one of them.
        """
        admitted = []
        for row in rows:
            self._use(weight(row) * times)
            admitted.append(row)
        return tuple(admitted)

    def _use(self, size: int) -> None:
        self.size -= size
        if self.size < 0:
            raise CommandError(Text.NO_MEMORY_FOR_REPLY)


def size_of(task: Pushed) -> int:
    """Return the bytes that a task takes in an answer, as far as it is loaded."""
    size = ENTRY + len(task.payload or b"")
    for name, value in task.headers:
        size += HEADER + len(name) + len(value)
    return size


def showings(groups: int) -> int:
    """Return how often a queue's details show a task in flight, if it has so many groups."""
    return max(1, 2 * groups)


def weight(result: object) -> int:
    """Return the bytes that a result takes, a transaction's, too; a number alone, or an error, 0.

    Flags weigh nothing: each answers a longer word of the request.
    """
    if result is None or type(result) is int:
        return 0  # as most are
    return _weight_of(result)


def _weight_of(value: object) -> int:
    return _WEIGHTS.get(type(value), _nothing)(value)


def _nothing(_: object) -> int:
    return 0


def _together(values: Iterable[object]) -> int:
    return sum(map(_weight_of, values))


def _name(text: str) -> int:
    return COPIES * len(text.encode())


def _details(details: QueueDetails) -> int:
    held = _together(details.held) * showings(len(details.groups))
    return _together((details.info, details.entries, details.groups)) + held


_WEIGHTS: Mapping[type, Callable[[Any], int]] = {
    tuple: _together,
    list: _together,
    Claimed: size_of,
    Entry: size_of,
    Delivery: lambda delivery: _together(delivery.tasks),
    Taken: lambda taken: _together(taken.tasks),
    int: lambda _: NUMBER,
    Held: lambda held: HELD + _name(held.worker),
    PendingSummary: lambda pending: _together(pending.workers),
    str: lambda worker: HOLDER + _name(worker),
    WorkerInfo: lambda worker: WORKER + _name(worker.name),
    GroupInfo: lambda group: GROUP + _name(group.name),
    GroupDetails: lambda group: GROUP + _name(group.name) + _together(group.workers),
    QueueName: lambda queue: (1 + queue.dead) * (KEY + _name(queue.name)),
    QueueInfo: lambda info: BOOKS + _name(info.name) + _together((info.first, info.last)),
    QueueDetails: _details,
}
"""What each kind of value weighs, with all that is in it."""
