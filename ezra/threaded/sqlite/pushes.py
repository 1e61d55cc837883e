"""Pushes: new tasks, all of a batch in one statement, and the keys that tell repeated ones."""

from __future__ import annotations

from collections.abc import Sequence

from ezra.sansio.errors import CommandError
from ezra.sansio.model import Dedup
from ezra.sansio.queue import changes
from ezra.sansio.queue.dedup import remembered
from ezra.sansio.queue.operations import Push
from ezra.sansio.queue.task import Task, admit_id
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.calls import Call
from ezra.threaded.sqlite.registry import Queue
from ezra.threaded.sqlite.transaction import Transaction

Admitted = list[tuple[Task, Queue]]
"""New tasks with their queues, to be written together."""


def push(tx: Transaction, calls: Sequence[Call]) -> None:
    """Add tasks."""
    admitted: Admitted = []
    for call in calls:
        operation = call.operation
        assert isinstance(operation, Push)  # noqa: S101 - `rounds` has seen to it
        try:
            call.outcome = _admit(tx, operation, admitted)
        except CommandError as error:
            call.outcome = error.as_answer()
            if tx.indivisible:
                break  # so that those behind it use up no ids
    tx.insert(admitted)


def _admit(tx: Transaction, push: Push, admitted: Admitted) -> int | None:
    """Admit the new task, unless it is a repeat or the queue must not be made; return the id."""
    queue = tx.registry.find(push.queue)
    if queue is None and not push.create:
        return None
    dedup = push.task.dedup
    first = None if dedup is None or queue is None else _first_push(tx, queue, dedup)
    if first is not None:
        return first
    if tx.refusal is not None:
        raise CommandError(tx.refusal)
    task_id = admit_id(push.task.id, tx.registry.last_id, tx.now)
    queue = queue or tx.registry.ensure(push.queue, tx.now)
    tx.registry.last_id = task_id
    most = queue.in_force.max_attempts
    admitted.append((changes.pushed(push.task, task_id, queue.name, most, tx.now), queue))
    if dedup is not None:
        _remember(tx, queue, dedup, task_id)
    return task_id


def _first_push(tx: Transaction, queue: Queue, dedup: Dedup) -> int | None:
    """Return the id that a repeat of such a push is answered; None where it is none."""
    values = (queue.id, dedup.producer, dedup.key, tx.now)
    row = tx.connection.execute(statements.FIND_KEY, values).fetchone()
    return None if row is None else int(row[0])


def _remember(tx: Transaction, queue: Queue, dedup: Dedup, task_id: int) -> None:
    """Remember the key of the push that was answered this id."""
    rules = queue.in_force
    new = remembered(dedup, task_id, queue.name, rules.dedup_window, tx.now)
    if new is None:
        return
    values = (task_id, queue.id, dedup.producer, dedup.key, dedup.limited, new.until)
    tx.connection.execute(statements.KEEP_KEY, values)
    tx.fall_due(new.until)
    if dedup.limited:
        whose = (queue.id, dedup.producer, tx.now, rules.dedup_limit)
        tx.connection.execute(statements.LIMIT_KEYS, whose)
