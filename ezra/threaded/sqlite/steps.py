"""Every operation but the claim, for as many calls at once as a batch brings.

What an operation does to a task is decided by the pure rules (`ezra.sansio.queue.changes`). Here
the tasks are found, each call is given its answer as if it had come alone and in this order, and
what has changed is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import Delivery, Status
from ezra.sansio.queue import changes
from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    ConfigureQueue,
    CreateQueue,
    Extend,
    Nack,
    Operation,
    Push,
    Release,
    Reread,
)
from ezra.sansio.queue.task import Task, admit_id
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.calls import Call
from ezra.threaded.sqlite.claims import claim
from ezra.threaded.sqlite.registry import Queue
from ezra.threaded.sqlite.transaction import Transaction

Tasks = dict[int, Task]
Step = Callable[[Transaction, Sequence[Call]], None]


def carry_out(tx: Transaction, kind: type[Operation], calls: Sequence[Call]) -> None:
    """Carry out calls of one kind, in this order, and fill in their outcomes."""
    STEPS[kind](tx, calls)


def create_queues(tx: Transaction, calls: Sequence[Call]) -> None:
    """Make queues and groups exist."""
    for call in calls:
        create: CreateQueue = _operation(call)
        if not create.create and tx.registry.find(create.queue) is None:
            call.outcome = CommandError(Text.XGROUP_NEEDS_QUEUE)
            continue
        queue = tx.registry.ensure(create.queue, tx.now)
        if create.group is not None:
            tx.connection.execute(statements.ADD_GROUP, (queue.id, create.group))


def configure_queues(tx: Transaction, calls: Sequence[Call]) -> None:
    """Replace queues' own settings."""
    for call in calls:
        configure: ConfigureQueue = _operation(call)
        tx.registry.configure(tx.registry.ensure(configure.queue, tx.now), configure.settings)


def push(tx: Transaction, calls: Sequence[Call]) -> None:
    """Add tasks."""
    admitted = []
    for call in calls:
        try:
            pushed = _admit(tx, _operation(call))
        except CommandError as error:
            call.outcome = error
            continue
        if pushed is not None:
            admitted.append(pushed)
            call.outcome = pushed[0].id
    tx.insert(admitted)


def _admit(tx: Transaction, push: Push) -> tuple[Task, Queue] | None:
    """Return the new task and its queue; None where the queue must not be made."""
    queue = tx.registry.find(push.queue)
    if queue is None and not push.create:
        return None
    task_id = admit_id(push.task.id, tx.registry.last_id, tx.now)
    queue = queue or tx.registry.ensure(push.queue, tx.now)
    tx.registry.last_id = task_id
    return changes.pushed(push.task, task_id, queue.name, queue.max_attempts, tx.now), queue


def ack(tx: Transaction, calls: Sequence[Call]) -> None:
    """Tasks are done."""

    def answer(tasks: Tasks, ack: Ack) -> tuple[int, list[Task]]:
        found = _of_queue(tasks, ack.queue, ack.ids)
        events = [(task, changes.ack_event(task)) for task in found]
        done = [changes.acked(task, event, tx.now) for task, event in events if event is not None]
        return len(done), done

    _change(tx, calls, answer)


def nack(tx: Transaction, calls: Sequence[Call]) -> None:
    """Tasks could not be done."""

    def answer(tasks: Tasks, nack: Nack) -> tuple[int, list[Task]]:
        held = [
            task
            for task in _of_queue(tasks, nack.queue, nack.ids)
            if _held(tx, task) and nack.attempt in (None, task.attempts)
        ]
        back = [changes.nacked(task, nack, tx.queue_of(task).retry_delay, tx.now) for task in held]
        return len(back), back

    _change(tx, calls, answer)


def extend(tx: Transaction, calls: Sequence[Call]) -> None:
    """Workers renew their leases."""

    def answer(tasks: Tasks, extend: Extend) -> tuple[tuple[int, ...], list[Task]]:
        held = [
            task
            for task in _of_queue(tasks, extend.queue, extend.ids)
            if _held(tx, task) and task.worker == extend.worker
        ]
        renewed = [changes.extended(task, tx.lease_until(task)) for task in held]
        return tuple(task.id for task in held), renewed

    _change(tx, calls, answer)


def release(tx: Transaction, calls: Sequence[Call]) -> None:
    """Claims whose answers could not be delivered never were."""

    def answer(tasks: Tasks, release: Release) -> tuple[int, list[Task]]:
        back: Tasks = {}
        for task_id, attempts in release.claims:
            task = tasks.get(task_id)
            if task and task_id not in back and _held(tx, task) and task.attempts == attempts:
                back[task_id] = changes.released(task, tx.now)
        return len(back), list(back.values())

    _change(tx, calls, answer)


def reread(tx: Transaction, calls: Sequence[Call]) -> None:
    """Workers ask for what they hold; one by one, for they are rare."""
    for call in calls:
        operation: Reread = _operation(call)
        deliveries = []
        left = operation.count
        for source, after in operation.sources:
            queue = tx.registry.find(source.queue)
            held = []
            if queue is not None and left > 0:
                values = (queue.id, operation.worker, after, source.dead, tx.now, left)
                held = tx.select(statements.HELD, *values)
            tx.save(changes.extended(task, tx.lease_until(task)) for task in held)
            deliveries.append(Delivery(source, tuple(map(changes.handed_out, held))))
            left -= len(held)
        call.outcome = tuple(deliveries)


STEPS: dict[type[Operation], Step] = {
    CreateQueue: create_queues,
    ConfigureQueue: configure_queues,
    Push: push,
    Ack: ack,
    Nack: nack,
    Release: release,
    Extend: extend,
    Reread: reread,
    Claim: claim,
}


def _change(
    tx: Transaction,
    calls: Sequence[Call],
    answer: Callable[[Tasks, Any], tuple[int | tuple[int, ...], list[Task]]],
) -> None:
    """Load the tasks that the calls name, have `answer` change them call by call, save them."""
    tasks = tx.load(task_id for call in calls for task_id in _named(call.operation))
    changed: Tasks = {}
    for call in calls:
        call.outcome, after = answer(tasks, call.operation)
        for task in after:
            tasks[task.id] = changed[task.id] = task
    tx.save(changed.values())


def _named(operation: Operation) -> Sequence[int]:
    """Return the ids of the tasks that an operation is about."""
    match operation:
        case Ack(ids=ids) | Nack(ids=ids) | Extend(ids=ids):
            return ids
        case Release(claims=claims):
            return [task_id for task_id, _ in claims]
        case _:
            raise TypeError(f"{operation} names no tasks")


def _of_queue(tasks: Tasks, queue: str, ids: Sequence[int]) -> list[Task]:
    """Return the tasks of this queue among the ids, each once, in the order given."""
    found = map(tasks.get, dict.fromkeys(ids))
    return [task for task in found if task is not None and task.queue == queue]


def _held(tx: Transaction, task: Task) -> bool:
    """Say whether a worker holds the task: a lease that lapsed may be waiting for its sweep."""
    return (
        task.status is Status.IN_FLIGHT
        and task.lease_until is not None
        and task.lease_until > tx.now
    )


def _operation(call: Call) -> Any:
    """Return the call's operation; what kind it is, `rounds` has seen to."""
    return call.operation
