"""What a queue should answer, worked out the slow and obvious way from the list of its tasks.

Written from the specification, not from the implementation: everything here scans and sorts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ezra.sansio.model import Address, Defaults, Delivery, Entry, QueueInfo, QueueSettings, Status
from ezra.sansio.queue.operations import Ack, Claim, Extend, Nack, Reread
from ezra.sansio.queue.task import Task


def turn(task: Task) -> tuple[int, int, int]:
    """Return what tasks are claimed in the order of: priority, scheduled time, id."""
    return (-task.priority, task.available_at, task.id)


def claimable(tasks: Iterable[Task], source: Address, now: int) -> list[Task]:
    """Return what a claim from there could take at `now`, in the order it is taken."""
    here = [task for task in tasks if task.queue == source.queue]
    if source.dead:
        return sorted((task for task in here if task.status is Status.DEAD), key=turn)
    ready = (task for task in here if task.status is Status.AVAILABLE and task.available_at <= now)
    return sorted(ready, key=turn)


def claim_ids(tasks: Sequence[Task], claim: Claim, now: int) -> list[tuple[Address, list[int]]]:
    """Return what the claim should take: each source that gives something, with the ids."""
    taken: list[tuple[Address, list[int]]] = []
    left = claim.count
    for source in claim.sources:
        ids = [task.id for task in claimable(tasks, source, now)][:left]
        left -= len(ids)
        if ids:
            taken.append((source, ids))
    return taken


def delivered_ids(deliveries: Iterable[Delivery]) -> list[tuple[Address, list[int]]]:
    """Return the same of what a claim did take."""
    return [(each.source, [task.id for task in each.tasks]) for each in deliveries]


def named(tasks: Iterable[Task], queue: str, ids: Sequence[int]) -> list[Task]:
    """Return the queue's tasks that are named, each once, in the order of the ids."""
    by_id = {task.id: task for task in tasks if task.queue == queue}
    found: list[Task] = []
    for task_id in ids:
        if task_id in by_id and by_id[task_id] not in found:
            found.append(by_id[task_id])
    return found


def ack_count(tasks: Sequence[Task], ack: Ack) -> int:
    """Return how many tasks the ack should make done."""
    late = (Status.AVAILABLE, Status.DEAD)
    return sum(
        task.status is Status.IN_FLIGHT or (task.lapsed and task.status in late)
        for task in named(tasks, ack.queue, ack.ids)
    )


def nack_count(tasks: Sequence[Task], nack: Nack) -> int:
    """Return how many tasks the nack should take from their workers."""
    return sum(
        task.status is Status.IN_FLIGHT and (nack.attempt is None or nack.attempt == task.attempts)
        for task in named(tasks, nack.queue, nack.ids)
    )


def extended_ids(tasks: Sequence[Task], extend: Extend) -> tuple[int, ...]:
    """Return the ids whose leases the heartbeat should renew."""
    return tuple(
        task.id
        for task in named(tasks, extend.queue, extend.ids)
        if task.status is Status.IN_FLIGHT and task.worker == extend.worker
    )


def reread_ids(tasks: Sequence[Task], reread: Reread) -> list[tuple[Address, list[int]]]:
    """Return what the worker should read again, source by source."""
    found: list[tuple[Address, list[int]]] = []
    left = reread.count
    for source, after in reread.sources:
        ids = sorted(
            task.id
            for task in tasks
            if task.queue == source.queue
            and task.status is Status.IN_FLIGHT
            and task.worker == reread.worker
            and (task.dead_at is not None) == source.dead
            and task.id > after
        )[:left]
        left -= len(ids)
        found.append((source, ids))
    return found


def lease(task: Task, settings: QueueSettings, defaults: Defaults) -> int:
    """Return how long a lease on the task lasts: its own timeout, its queue's or the server's."""
    for timeout in (task.visibility_timeout, settings.visibility_timeout):
        if timeout is not None:
            return timeout
    return defaults.visibility_timeout


def check_books(info: QueueInfo, tasks: Sequence[Task], now: int) -> None:
    """Check a queue's books against its tasks, counted one by one."""
    here = [task for task in tasks if task.queue == info.name]
    waiting = [task for task in here if task.status is Status.AVAILABLE]
    ready = [task for task in waiting if task.available_at <= now]
    live = [task for task in here if task.status in (Status.AVAILABLE, Status.IN_FLIGHT)]
    live.sort(key=lambda task: task.id)
    assert info.ready == len(ready)
    assert info.scheduled == len(waiting) - len(ready)
    assert info.waiting == len(waiting)
    assert info.in_flight == sum(task.status is Status.IN_FLIGHT for task in here)
    assert info.done == sum(task.status is Status.DONE for task in here)
    assert info.dead == sum(task.status is Status.DEAD for task in here)
    assert info.oldest_waiting == min((task.available_at for task in ready), default=None)
    assert info.first == (_entry(live[0]) if live else None)
    assert info.last == (_entry(live[-1]) if live else None)
    assert info.last_id >= max((task.id for task in here), default=0)


def check_record(task: Task, now: int) -> None:
    """Check that a task's fields fit its status, once everything due by `now` has happened."""
    in_flight = task.status is Status.IN_FLIGHT
    waiting = task.status is Status.AVAILABLE
    assert 0 <= task.attempts <= task.max_attempts
    assert (task.lease_until is not None) == in_flight
    assert task.lease_until is None or task.lease_until > now, "its lease has lapsed"
    assert (task.finished_at is not None) == (task.status is Status.DONE)
    assert task.dead_at is not None or task.status is not Status.DEAD
    assert task.dead_at is None or not waiting
    assert not task.lapsed or task.status in (Status.AVAILABLE, Status.DEAD)
    if in_flight:
        assert task.worker is not None
        assert task.claimed_at is not None
    elif task.status is not Status.DONE:
        assert task.worker is None
        assert task.claimed_at is None
    if waiting or task.status is Status.DONE:
        assert task.expires_at is None or task.expires_at > now, "its ttl is over"


def _entry(task: Task) -> Entry:
    return Entry(task.id, task.payload, task.headers)
