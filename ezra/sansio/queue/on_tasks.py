"""The operations on tasks that are there: acks, nacks, heartbeats, and removing them.

How they come is in `pushing`, how workers get them in `claiming`. What each operation
writes into a record is decided in `changes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import assert_never

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.queue import changes
from ezra.sansio.queue.lifecycle import Event
from ezra.sansio.queue.operations import Ack, Erase, Extend, Nack, Release, Trim
from ezra.sansio.queue.shelf import Shelf
from ezra.sansio.queue.state import State
from ezra.sansio.queue.task import Task

OnTasks = Ack | Nack | Extend | Release | Erase | Trim


def carry_out(state: State, operation: OnTasks) -> int | tuple[int, ...]:
    """Carry the operation out and return its answer."""
    match operation:
        case Ack():
            return _ack(state, operation)
        case Nack():
            return _nack(state, operation)
        case Extend():
            return _extend(state, operation)
        case Release():
            return _release(state, operation)
        case Erase():
            return _erase(state, operation)
        case Trim():
            return _trim(state, operation)
        case _:
            assert_never(operation)


def _ack(state: State, ack: Ack) -> int:
    acked = 0
    for task in state.of_queue(ack.queue, ack.ids):
        event = changes.ack_event(task)
        if event is not None:
            state.put(changes.acked(task, event, state.now))
            acked += 1
    return acked


def _nack(state: State, nack: Nack) -> int:
    found = list(state.of_queue(nack.queue, nack.ids))
    held = [task for task in found if changes.is_nacked(task, nack)]
    if nack.strict and not held:
        raise CommandError(Text.NOT_IN_FLIGHT)
    for task in held:
        delay = state.store.shelf_of(task).books.in_force.retry_delay
        state.put(changes.nacked(task, nack, delay, state.now))
    return sum(changes.counts_for(task, nack) for task in found)


def _extend(state: State, extend: Extend) -> tuple[int, ...]:
    queue, group, worker = extend.queue, extend.group, extend.worker
    if group is not None:
        state.read_through(queue, group)
    held = [task for task in state.of_queue(queue, extend.ids) if changes.is_extended(task, extend)]
    for task in held:
        state.put(changes.extended(task, state.lease_until(task), state.now))
    if group is not None:
        state.roster.see(queue, group, worker, state.now, active=bool(held))
    return tuple(task.id for task in held)


def _release(state: State, release: Release) -> int:
    count = 0
    for task_id, claim in release.claims:
        task = state.store.get(task_id)
        if task and changes.is_released(task, claim):
            state.put(changes.released(task, state.now))
            count += 1
    return count


def _erase(state: State, erase: Erase) -> tuple[bool, ...]:
    return tuple(_erase_one(state, erase, task_id) for task_id in erase.ids)


def _erase_one(state: State, erase: Erase, task_id: int) -> bool:
    task = state.store.get(task_id)
    if task is None or task.queue != erase.queue:
        return False
    gone = changes.erased(task, acks=erase.acks, now=state.now)
    if gone is not None:
        state.put(gone)
    return gone is not None


def _trim(state: State, trim: Trim) -> int:
    shelf = state.store.shelf(trim.address.queue)
    if shelf is None:
        return 0
    total = len(shelf.dead) if trim.address.dead else len(shelf.done)
    most = max(0, total - trim.keep)
    if trim.most is not None:
        most = min(most, trim.most)
    leaving = list(islice(_trimmable(state, shelf, trim), most))
    for task in leaving:
        state.put(changes.removed(task, Event.DELETE))
    return len(leaving)


def _trimmable(state: State, shelf: Shelf, trim: Trim) -> Iterator[Task]:
    """Yield the tasks that may be trimmed, the oldest first."""
    done = (task_id for _, task_id in shelf.done.ascending())
    ids = shelf.dead.ascending() if trim.address.dead else done
    return (state.store[each] for each in ids if trim.below is None or each < trim.below)
