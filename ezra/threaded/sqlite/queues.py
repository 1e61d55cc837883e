"""The operations on queues, groups and workers, and trimming; one by one, for they are rare."""

from __future__ import annotations

from typing import assert_never

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import MAX_ID
from ezra.sansio.queue import changes
from ezra.sansio.queue.lifecycle import Event
from ezra.sansio.queue.operations import (
    AddWorker,
    ConfigureQueue,
    CreateQueue,
    DeleteQueues,
    RemoveGroup,
    RemoveWorker,
    Trim,
)
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.registry import Queue
from ezra.threaded.sqlite.transaction import Transaction

OnQueues = (
    CreateQueue | ConfigureQueue | DeleteQueues | RemoveGroup | AddWorker | RemoveWorker | Trim
)


def carry_out(tx: Transaction, operation: OnQueues) -> int | None:
    """Carry the operation out and return its answer.

    Raises:
        CommandError: it cannot be carried out, and has changed nothing.
    """
    match operation:
        case CreateQueue() | ConfigureQueue():
            _make(tx, operation)
            return None
        case DeleteQueues():
            return _delete(tx, operation)
        case RemoveGroup():
            return _remove_group(tx, operation)
        case AddWorker():
            return _add_worker(tx, operation)
        case RemoveWorker():
            return _remove_worker(tx, operation)
        case Trim():
            return _trim(tx, operation)
        case _:
            assert_never(operation)


def _make(tx: Transaction, operation: CreateQueue | ConfigureQueue) -> None:
    """Make a queue exist, and its group known, or its settings others."""
    configures = isinstance(operation, ConfigureQueue)
    if not operation.create:
        missing = Text.NO_SUCH_KEY if configures else Text.XGROUP_NEEDS_QUEUE
        tx.registry.existing(operation.queue, missing)
    queue = tx.registry.ensure(operation.queue, tx.now)
    if isinstance(operation, ConfigureQueue):
        tx.registry.configure(queue, operation.changes)
    elif operation.group is not None:
        tx.registry.add_group(queue, operation.group)


def _delete(tx: Transaction, delete: DeleteQueues) -> int:
    found = map(tx.registry.find, dict.fromkeys(delete.queues))
    queues = [queue for queue in found if queue is not None]
    for queue in queues:
        _check_finished(tx, queue)
    for queue in queues:
        tx.registry.remove(queue)
        tx.registry.roster.forget_queue(queue.name)
    return len(queues)


def _check_finished(tx: Transaction, queue: Queue) -> None:
    """Raise `CommandError` while the queue has tasks that are not done."""
    waiting, in_flight, _, dead = _counted(tx, queue)
    if waiting or in_flight or dead:
        text = Text.UNFINISHED.format(
            queue=queue.name, waiting=waiting, in_flight=in_flight, dead=dead
        )
        raise CommandError(text)


def _remove_group(tx: Transaction, remove: RemoveGroup) -> bool:
    queue = tx.registry.existing(remove.queue, Text.XGROUP_NEEDS_QUEUE)
    tx.registry.roster.forget_group(remove.queue, remove.group)
    return tx.registry.remove_group(queue, remove.group)


def _add_worker(tx: Transaction, add: AddWorker) -> bool:
    queue = tx.registry.with_group(add.queue, add.group, Text.XGROUP_NEEDS_QUEUE)
    roster = tx.registry.roster
    holds = tx.connection.execute(statements.HOLDS, (queue.id, add.worker)).fetchone()
    known = roster.knows(add.queue, add.group, add.worker) or holds is not None
    roster.see(add.queue, add.group, add.worker, tx.now)
    return not known


def _remove_worker(tx: Transaction, remove: RemoveWorker) -> int:
    queue = tx.registry.with_group(remove.queue, remove.group, Text.XGROUP_NEEDS_QUEUE)
    tx.registry.roster.forget_worker(remove.queue, remove.group, remove.worker)
    most = -1 if remove.most is None else remove.most
    held = tx.select(statements.ALL_HELD, queue.id, remove.worker, 0, tx.now, most)
    tx.save(changes.released(task, tx.now) for task in held)
    return len(held)


def _trim(tx: Transaction, trim: Trim) -> int:
    queue = tx.registry.find(trim.address.queue)
    if queue is None:
        return 0
    _, _, done, dead = _counted(tx, queue)
    most = max(0, (dead if trim.address.dead else done) - trim.keep)
    if trim.most is not None:
        most = min(most, trim.most)
    statement = statements.OLDEST_DEAD if trim.address.dead else statements.OLDEST_DONE
    # Ids end at MAX_ID, which is also the largest number that SQLite knows.
    last = MAX_ID if trim.below is None else min(trim.below - 1, MAX_ID)
    return len(tx.remove(statement, (queue.id, last, most), Event.DELETE))


def _counted(tx: Transaction, queue: Queue) -> tuple[int, int, int, int]:
    """Return how many of the queue's tasks wait, are in flight, are done and are dead."""
    row: tuple[int, int, int, int]
    row = tx.connection.execute(statements.COUNTED, (queue.id,)).fetchone()
    return row
