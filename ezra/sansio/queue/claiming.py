"""The operations by which workers get tasks: claims, rereads and take-overs.

A claim takes in the order of turns, in O(log n) for each task. Who asks for what has been idle
looks at the tasks in flight one by one, until there are enough. What a task becomes in a worker's
hands is decided in `changes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from ezra.sansio.model import Address, Claimed, Delivery, Status, Taken
from ezra.sansio.queue import changes
from ezra.sansio.queue.allowance import Allowance
from ezra.sansio.queue.lifecycle import Event
from ezra.sansio.queue.operations import Claim, TakeIdle, TakeOver
from ezra.sansio.queue.state import State
from ezra.sansio.queue.task import Task

Claiming = Claim | TakeOver | TakeIdle


def carry_out(
    state: State, operation: Claiming
) -> tuple[Delivery, ...] | tuple[Claimed, ...] | Taken:
    """Carry the operation out and return its answer; whether a claim waits is not decided here."""
    match operation:
        case Claim():
            return _claim(state, operation)
        case TakeOver():
            return _take_over(state, operation)
        case TakeIdle():
            return _take_idle(state, operation)
        case _:
            assert_never(operation)


def feed(state: State, claim: Claim) -> tuple[Delivery, ...]:
    """Give a parked claim what there is for it; `()` when there is nothing, and it waits on."""
    deliveries = _take(state, replace(claim, min_idle=None), _allowance(state, claim))
    _visit(state, claim, [each.source.queue for each in deliveries], deliveries)
    return deliveries


# -- Claims ----------------------------------------------------------------------------------------


def _claim(state: State, claim: Claim) -> tuple[Delivery, ...]:
    # Whoever waits has been served already: what is found here, nobody before it can take.
    left = _allowance(state, claim)
    again = _reread(state, claim, left)
    deliveries = again + _take(state, claim, left)
    sources = [source for source, _ in claim.rereads] + list(claim.sources)
    _visit(state, claim, [source.queue for source in sources], deliveries)
    return deliveries


def _allowance(state: State, claim: Claim) -> Allowance:
    return Allowance(claim.count, state.store.defaults.claim_size)


def _visit(state: State, claim: Claim, queues: list[str], deliveries: tuple[Delivery, ...]) -> None:
    """Make the claim's group known in those of the queues that exist, and its worker in it."""
    if claim.group is None:
        return
    giving = {each.source.queue for each in deliveries if each.tasks}
    for queue in dict.fromkeys(queues):
        shelf = state.store.shelf(queue)
        if shelf is not None:
            state.know_group(shelf, claim.group)
            active = queue in giving
            state.roster.see(queue, claim.group, claim.worker, state.now, active=active)


def _reread(state: State, claim: Claim, left: Allowance) -> tuple[Delivery, ...]:
    """Give the worker again what it holds, with new leases."""
    deliveries = []
    for source, after in claim.rereads:
        again = []
        for task in state.store.held(source, claim.worker, after):
            if left.spent:
                break
            left.take(task)
            state.put(changes.extended(task, state.lease_until(task), state.now))
            again.append(changes.handed_out(task))
        deliveries.append(Delivery(source, tuple(again)))
    return tuple(deliveries)


def _take(state: State, claim: Claim, left: Allowance) -> tuple[Delivery, ...]:
    """Take what is allowed from the claim's sources; `()` when there is nothing."""
    deliveries = []
    for source in claim.sources:
        lying = tuple(_lying_idle(state, source, claim, left))
        tasks = lying + tuple(_in_turn(state, source, claim, left))
        if tasks:
            deliveries.append(Delivery(source, tasks))
    return tuple(deliveries)


def _lying_idle(state: State, source: Address, claim: Claim, left: Allowance) -> Iterator[Claimed]:
    """Take, by id, what came from the source and has been idle long enough for the claim."""
    shelf = state.store.shelf(source.queue)
    if shelf is None or claim.min_idle is None:
        return
    for task_id in shelf.in_flight.ascending():
        if left.spent:
            return
        task = state.store[task_id]
        if task.from_dead == source.dead:
            taken = _take_if_idle(state, task, claim.worker, claim.min_idle)
            if taken is not None:
                left.take(task)
                yield taken


def _in_turn(state: State, source: Address, claim: Claim, left: Allowance) -> Iterator[Claimed]:
    """Take from the source the tasks whose turn it is."""
    while not left.spent:
        task = state.store.next_in_turn(source)
        if task is None:
            return
        held = changes.claimed(task, claim.worker, state.lease_until(task), state.now)
        state.put(changes.acked(held, Event.ACK, state.now) if claim.done_at_once else held)
        _count_claimed(state, held)
        left.take(task)
        yield changes.handed_out(held)


# -- Take-overs ------------------------------------------------------------------------------------


def _take_over(state: State, take: TakeOver) -> tuple[Claimed, ...]:
    state.read_through(take.queue, take.group)
    asked = [
        (task, changes.taken_by_id(task, take, state.lease_until(task), state.now))
        for task in state.of_queue(take.queue, take.ids)
    ]
    room = state.room_for_answer()
    for task, after in asked:
        if after is not None and after.status is Status.IN_FLIGHT:
            room.take(task)
    handed = [_hand_over(state, task, after) for task, after in asked if after is not None]
    taken = tuple(task for task in handed if task is not None)
    state.roster.see(take.queue, take.group, take.worker, state.now, active=bool(taken))
    return taken


def _take_idle(state: State, take: TakeIdle) -> Taken:
    shelf = state.read_through(take.queue, take.group)
    taken: list[Claimed] = []
    left = Allowance(take.count, state.store.defaults.claim_size)
    cursor = 0
    for task_id in shelf.in_flight.ascending(take.start):
        if left.spent:
            cursor = task_id
            break
        before = state.store[task_id]
        task = _take_if_idle(state, before, take.worker, take.min_idle, renews=take.renews)
        if task is not None:
            left.take(before)
            taken.append(task)
    state.roster.see(take.queue, take.group, take.worker, state.now, active=bool(taken))
    return Taken(tuple(taken), cursor)


def _take_if_idle(
    state: State, task: Task, worker: str, min_idle: int, *, renews: bool = False
) -> Claimed | None:
    until = state.lease_until(task)
    after = changes.taken_if_idle(task, worker, min_idle, until, state.now, renews=renews)
    return None if after is None else _hand_over(state, task, after)


def _hand_over(state: State, before: Task, after: Task) -> Claimed | None:
    """Keep what a worker's asking made of the task; None where that was its death."""
    state.put(after)
    if after.status is not Status.IN_FLIGHT:
        return None
    _count_claimed(state, after)
    lying = changes.idle(before, state.now) if before.status is Status.IN_FLIGHT else 0
    return changes.handed_out(after, lying)


def _count_claimed(state: State, task: Task) -> None:
    """Write into the queue's books that the task has been claimed."""
    shelf = state.store.shelf_of(task)
    if task.id > shelf.books.last_claimed:
        state.store.keep_books(shelf, replace(shelf.books, last_claimed=task.id))
