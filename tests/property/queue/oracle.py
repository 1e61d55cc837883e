"""What a queue should answer, worked out the slow and obvious way from the list of its tasks.

Written from the specification, not from the implementation: everything here scans and sorts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ezra.sansio.model import Address, Defaults, Delivery, Entry, QueueInfo, QueueSettings, Status
from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    Erase,
    Extend,
    Nack,
    Operation,
    Release,
    RemoveWorker,
    TakeIdle,
    TakeOver,
    Trim,
)
from ezra.sansio.queue.task import Task

ByIds = Ack | Nack | Extend | Release | Erase | Trim


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
    """Return what the claim should give: its rereads, and each source that gives something."""
    world = {task.id: task for task in tasks}
    given: list[tuple[Address, list[int]]] = []
    left = claim.count
    for source, after in claim.rereads:
        own = [task.id for task in in_flight(tasks, source) if task.worker == claim.worker]
        ids = [task_id for task_id in own if task_id > after][:left]
        left -= len(ids)
        given.append((source, ids))
        world |= {task_id: renewed(world[task_id], now) for task_id in ids}
    for source in claim.sources:
        ids = lying_ids(world, claim, source, left, now)
        ids += [task.id for task in claimable(world.values(), source, now)][: left - len(ids)]
        left -= len(ids)
        for task_id in ids:
            del world[task_id]
        if ids:
            given.append((source, ids))
    return given


def lying_ids(
    world: dict[int, Task], claim: Claim, source: Address, left: int, now: int
) -> list[int]:
    """Return what the claim should take over there; in the world, kill what dies of it."""
    ids: list[int] = []
    if claim.min_idle is None:
        return ids
    for task in in_flight(world.values(), source):
        if len(ids) < left and obtainable(task, claim.worker, claim.min_idle, now):
            if dies(task, claim.worker, renews=claim.min_idle == 0):
                world[task.id] = replace(task, status=Status.DEAD)
            else:
                ids.append(task.id)
    return ids


def taken_ids(tasks: Sequence[Task], take: TakeIdle, now: int) -> tuple[list[int], int]:
    """Return what the search should take, and where it should stop."""
    ids: list[int] = []
    renews = take.renews or take.min_idle == 0
    held = [task for task in tasks if task.status is Status.IN_FLIGHT and task.queue == take.queue]
    for task in held:
        if task.id < take.start:
            continue
        if len(ids) == take.count:
            return ids, task.id
        lying = obtainable(task, take.worker, take.min_idle, now)
        if lying and not dies(task, take.worker, renews=renews):
            ids.append(task.id)
    return ids, 0


def taken_over_ids(tasks: Sequence[Task], take: TakeOver, now: int) -> list[int]:
    """Return which of the tasks the worker should hold then."""
    ids: list[int] = []
    for task in named(tasks, take.queue, take.ids):
        if task.status is Status.IN_FLIGHT:
            own = task.worker == take.worker
            lying = own or obtainable(task, take.worker, take.min_idle, now)
            if lying and not dies(task, take.worker, renews=True):
                ids.append(task.id)
        elif take.force and task in claimable(tasks, Address(take.queue), now):
            ids.append(task.id)
    return ids


def in_flight(tasks: Iterable[Task], source: Address) -> list[Task]:
    """Return the tasks in flight that were claimed from there, by id."""
    here = [task for task in tasks if task.queue == source.queue]
    held = [task for task in here if task.status is Status.IN_FLIGHT]
    from_there = [task for task in held if (task.dead_at is not None) == source.dead]
    return sorted(from_there, key=lambda task: task.id)


def obtainable(task: Task, worker: str, min_idle: int, now: int) -> bool:
    """Say whether a search for what is idle may touch the task in flight."""
    since = task.claimed_at if task.renewed_at is None else task.renewed_at
    assert since is not None
    return now - since >= min_idle and (min_idle > 0 or task.worker == worker)


def dies(task: Task, worker: str, *, renews: bool) -> bool:
    """Say whether the task in flight dies when this worker takes it, or `renews` its own."""
    out_of_attempts = task.attempts >= task.max_attempts or task.dead_at is not None
    return out_of_attempts and not (renews and task.worker == worker)


def renewed(task: Task, now: int) -> Task:
    """Return the task as its worker's heartbeat leaves it."""
    return replace(task, renewed_at=now)


def erased(tasks: Sequence[Task], erase: Erase) -> list[bool]:
    """Return for each id whether it should be removed."""
    answer: list[bool] = []
    for place, task_id in enumerate(erase.ids):
        found = [] if task_id in erase.ids[:place] else named(tasks, erase.queue, (task_id,))
        if erase.acks:
            answer.append(ack_count(found, Ack(erase.queue, erase.ids)) == 1)
        else:
            answer.append(bool(found) and found[0].status is not Status.IN_FLIGHT)
    return answer


def trimmed(tasks: Sequence[Task], trim: Trim) -> list[int]:
    """Return which tasks should be removed."""
    status = Status.DEAD if trim.address.dead else Status.DONE
    here = [task for task in tasks if task.queue == trim.address.queue and task.status is status]
    if status is Status.DONE:
        here.sort(key=lambda task: (task.finished_at or 0, task.id))
    most = max(0, len(here) - trim.keep)
    ids = [task.id for task in here if trim.below is None or task.id < trim.below][:most]
    return ids if trim.most is None else ids[: trim.most]


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
    """Return how many tasks the nack should count: those it takes from their workers, and done."""
    counted = [Status.DONE] if nack.counts_done else []
    return sum(
        task.status in counted
        or (
            task.status is Status.IN_FLIGHT
            and nack.attempt in (None, task.attempts)
            and nack.claim in (None, task.claims)
        )
        for task in named(tasks, nack.queue, nack.ids)
    )


def extended_ids(tasks: Sequence[Task], extend: Extend) -> tuple[int, ...]:
    """Return the ids whose leases the heartbeat should renew."""
    return tuple(
        task.id
        for task in named(tasks, extend.queue, extend.ids)
        if task.status is Status.IN_FLIGHT
        and task.worker == extend.worker
        and extend.claim in (None, task.claims)
    )


def answer(tasks: Sequence[Task], operation: ByIds) -> int | tuple[int, ...]:
    """Return what an operation on tasks should answer."""
    match operation:
        case Ack():
            return ack_count(tasks, operation)
        case Nack():
            return nack_count(tasks, operation)
        case Extend():
            return extended_ids(tasks, operation)
        case Release():
            held = [task for task in tasks if task.status is Status.IN_FLIGHT]
            return len({(task.id, task.claims) for task in held} & set(operation.claims))
        case Erase():
            return tuple(erased(tasks, operation))
        case Trim():
            return len(trimmed(tasks, operation))


def may_end(operation: Operation, task: Task, now: int) -> bool:
    """Say whether the operation may change what is in a worker's hands."""
    match operation:
        case Ack(queue=queue, ids=ids) | Nack(queue=queue, ids=ids):
            return task.queue == queue and task.id in ids
        case Erase(queue=queue, ids=ids, acks=acks):
            return acks and task.queue == queue and task.id in ids
        case Release(claims=claims):
            return (task.id, task.claims) in claims
        case Extend(queue=queue, ids=ids, worker=worker):
            return task.queue == queue and task.id in ids and task.worker == worker
        case RemoveWorker(queue=queue, worker=worker):
            return task.queue == queue and task.worker == worker
        case _:
            return may_take(operation, task, now)


def may_take(operation: Operation, task: Task, now: int) -> bool:
    """Say whether the operation may take what is in a worker's hands, or renew it."""
    match operation:
        case TakeOver(queue=queue, ids=ids, worker=worker, min_idle=least):
            lying = task.worker == worker or obtainable(task, worker, least, now)
            return task.queue == queue and task.id in ids and lying
        case TakeIdle(queue=queue, worker=worker, min_idle=least):
            return task.queue == queue and obtainable(task, worker, least, now)
        case Claim(worker=worker, min_idle=least):
            again = bool(operation.rereads) and task.worker == worker
            return again or (least is not None and obtainable(task, worker, least, now))
        case _:
            return False


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
    assert info.at == now
    assert info.oldest_waiting == min((task.available_at for task in ready), default=None)
    assert info.first == (_entry(live[0]) if live else None)
    assert info.last == (_entry(live[-1]) if live else None)
    assert info.last_id >= max((task.id for task in here), default=0)


def check_record(task: Task, now: int) -> None:
    """Check that a task's fields fit its status, once everything due by `now` has happened."""
    in_flight = task.status is Status.IN_FLIGHT
    waiting = task.status is Status.AVAILABLE
    assert 0 <= task.attempts <= task.max_attempts
    assert task.claims > 0 or not in_flight
    assert (task.lease_until is not None) == in_flight
    assert task.renewed_at is None or in_flight
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
