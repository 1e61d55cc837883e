"""How much one operation may hand out: so many tasks, and so many bytes of them.

A claim stops early. The task that uses up its bytes is still handed out, so every claim gets a task
where there is one, however large, nobody needs to know a task's size before it is read, and what
one claim makes the server hold is bounded by `Defaults.claim_size` and one task more. What must not
stop early, for half an answer would be a wrong one, fails instead, as soon as its answer weighs
more than `Defaults.answer_size`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import Claimed, Delivery, Entry, QueueDetails, QueueInfo, Taken

ENTRY = 192
"""Bytes that a task in an answer takes beside what its producer wrote, in this process's memory."""


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
        size: bytes of payloads and headers.
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
        self._use(_weight_of(task))

    def take_all(self, result: object) -> None:
        """Count the tasks in a result.

        Raises:
            CommandError: there is no room for them.
        """
        self._use(weight(result))

    def _use(self, size: int) -> None:
        self.size -= size
        if self.size < 0:
            raise CommandError(Text.NO_MEMORY_FOR_REPLY)


def size_of(task: Pushed) -> int:
    """Return the bytes of what the task's producer wrote, as far as it is loaded."""
    size = len(task.payload or b"")
    for name, value in task.headers:
        size += len(name) + len(value)
    return size


def weight(result: object) -> int:
    """Return the bytes of the tasks in a result, in a transaction's, too; of others 0."""
    if result is None or type(result) is int:
        return 0  # as most are
    return sum(map(_weight_of, _tasks_in(result)))


def _weight_of(task: Pushed) -> int:
    return size_of(task) + ENTRY


def _tasks_in(result: object) -> Iterator[Claimed | Entry]:
    pending: list[object] = [result]
    while pending:
        value = pending.pop()
        match value:
            case Claimed() | Entry():
                yield value
            case Delivery() | Taken():
                pending += value.tasks
            case QueueInfo():
                pending += [value.first, value.last]
            case QueueDetails():
                pending += [value.info, value.entries]
            case tuple() | list():
                pending += value
            case _:
                pass
