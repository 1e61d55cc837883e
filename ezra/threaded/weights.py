"""How many bytes a result takes as a reply, as far as that can be much: payloads, headers."""

from __future__ import annotations

from collections.abc import Iterator

from ezra.sansio.model import Claimed, Delivery, Entry

ENTRY = 64
"""Bytes of a task's reply beside what its producer wrote."""


def weight(result: object) -> int:
    """Return the bytes of the tasks in a result, in a transaction's, too; of others 0."""
    if type(result) is not tuple:
        return 0
    return sum([_weight_of(task) for task in _tasks_in(result)])


def _tasks_in(result: object) -> Iterator[Claimed | Entry]:
    pending: list[object] = [result]
    while pending:
        value = pending.pop()
        if isinstance(value, Claimed | Entry):
            yield value
        elif isinstance(value, Delivery):
            pending += value.tasks
        elif isinstance(value, tuple | list):
            pending += value


def _weight_of(task: Claimed | Entry) -> int:
    headers = sum([len(name) + len(value) for name, value in task.headers])
    return len(task.payload or b"") + headers + ENTRY
