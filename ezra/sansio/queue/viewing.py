"""What each look answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice, takewhile
from typing import assert_never

from ezra.sansio.errors import Text
from ezra.sansio.model import (
    Address,
    Entry,
    GroupDetails,
    GroupInfo,
    Held,
    PendingSummary,
    QueueDetails,
    QueueInfo,
    QueueName,
    WorkerInfo,
)
from ezra.sansio.queue import changes
from ezra.sansio.queue.allowance import Room, showings
from ezra.sansio.queue.looks import (
    Answer,
    Details,
    Exists,
    FindGroup,
    Groups,
    Info,
    Infos,
    Length,
    Look,
    Names,
    Pending,
    PendingTasks,
    Range,
    Workers,
)
from ezra.sansio.queue.shelf import Shelf
from ezra.sansio.queue.state import State

OnQueues = Length | Exists | Names | Info | Infos
OnTasks = Range | Pending | PendingTasks
OnGroups = Details | Groups | Workers | FindGroup


def answer(state: State, look: Look) -> Answer:
    """Answer the look; its own docstring says how, and what it raises."""
    room = state.room_for_answer()
    match look:
        case Length() | Exists() | Names() | Info() | Infos():
            return _of_queues(state, look, room)
        case Range() | Pending() | PendingTasks():
            return _of_tasks(state, look, room)
        case Details() | Groups() | Workers() | FindGroup():
            return _of_groups(state, look, room)
        case _:
            assert_never(look)


# -- Queues ----------------------------------------------------------------------------------------


def _of_queues(state: State, look: OnQueues, room: Room) -> Answer:
    match look:
        case Length():
            return _length(state, look)
        case Exists():
            return look.answer(sum(_exists(state, address) for address in look.addresses))
        case Names():
            return room.admit(_names(state, look))
        case Info():
            return _info(state, state.existing(look.queue, Text.NO_SUCH_KEY), room)
        case Infos():
            shelves = (shelf for shelf in state.store.shelves() if shelf.name > look.after)
            return room.admit(_books(state, shelf) for shelf in islice(shelves, look.count))
        case _:
            assert_never(look)


def _length(state: State, look: Length) -> int:
    shelf = state.store.shelf(look.address.queue)
    if shelf is None:
        return 0
    return len(shelf.dead) if look.address.dead else shelf.waiting


def _exists(state: State, address: Address) -> bool:
    shelf = state.store.shelf(address.queue)
    return shelf is not None and (not address.dead or len(shelf.dead) > 0)


def _names(state: State, look: Names) -> Iterator[QueueName]:
    shelves = islice(state.store.shelves_after(look.after), look.count)
    return (QueueName(each.number, each.name, len(each.dead) > 0) for each in shelves)


def _info(state: State, shelf: Shelf, room: Room) -> QueueInfo:
    first, last = _entry(state, shelf.live.first()), _entry(state, shelf.live.last())
    (info,) = room.admit([replace(_books(state, shelf), first=first, last=last)])
    return info


def _books(state: State, shelf: Shelf) -> QueueInfo:
    books = shelf.books
    return QueueInfo(
        at=state.now,
        name=shelf.name,
        settings=books.settings,
        ready=len(shelf.ready),
        scheduled=shelf.waiting - len(shelf.ready),
        in_flight=len(shelf.in_flight),
        done=len(shelf.done),
        dead=len(shelf.dead),
        damaged=len(shelf.damaged),
        pushed=books.pushed,
        expired=books.expired,
        groups=len(books.groups),
        last_id=books.last_id,
        last_claimed=books.last_claimed,
        oldest_waiting=shelf.waiting_since.first_rank(),
        first=None,
        last=None,
    )


# -- Tasks -----------------------------------------------------------------------------------------


def _of_tasks(state: State, look: OnTasks, room: Room) -> Answer:
    match look:
        case Range():
            return room.admit(_range(state, look))
        case Pending():
            return _pending(state, look, room)
        case PendingTasks():
            return room.admit(_pending_tasks(state, look))
        case _:
            assert_never(look)


def _range(state: State, look: Range) -> Iterator[Entry]:
    shelf = state.store.shelf(look.address.queue)
    if shelf is None:
        return iter(())
    order = shelf.dead if look.address.dead else shelf.live
    ids = order.descending(look.last) if look.backwards else order.ascending(look.first)
    inside = takewhile(lambda task_id: look.first <= task_id <= look.last, ids)
    return _entries(state, inside, look.count)


def _pending(state: State, look: Pending, room: Room) -> PendingSummary:
    shelf = state.read_through(look.queue, look.group)
    ids = shelf.in_flight
    workers = room.admit(sorted(shelf.holding().items()))
    return PendingSummary(len(ids), ids.first() or 0, ids.last() or 0, workers)


def _pending_tasks(state: State, look: PendingTasks) -> Iterator[Held]:
    shelf = state.read_through(look.queue, look.group)
    if look.worker is None:
        ids = shelf.in_flight.ascending(look.first)
    else:
        ids = iter(shelf.held_by(look.worker, look.first - 1))
    inside = takewhile(lambda task_id: task_id <= look.last, ids)
    held = _held(state, inside)
    return islice((each for each in held if each.idle >= look.min_idle), look.count)


def _entries(state: State, ids: Iterable[int], count: int | None) -> Iterator[Entry]:
    """Return the tasks with these ids as they are seen without being claimed, at most `count`."""
    return (changes.seen(state.store[task_id]) for task_id in islice(ids, count))


def _held(state: State, ids: Iterable[int]) -> Iterator[Held]:
    """Return the tasks with these ids, which are in flight, as they are seen."""
    return (changes.held(state.store[task_id], state.now) for task_id in ids)


def _entry(state: State, task_id: int | None) -> Entry | None:
    """Return the task as it is seen without being claimed; None for no task."""
    return None if task_id is None else changes.seen(state.store[task_id])


# -- Groups and workers ----------------------------------------------------------------------------


def _of_groups(state: State, look: OnGroups, room: Room) -> Answer:
    match look:
        case Details():
            return _details(state, look, room)
        case Groups():
            return _groups(state, look, room)
        case Workers():
            shelf = state.with_group(look.queue, look.group, Text.NO_SUCH_KEY)
            return state.now, room.admit(_workers(state, shelf, look.group))
        case FindGroup():
            state.with_group(look.queue, look.group, Text.XGROUP_NEEDS_QUEUE)
            return None
        case _:
            assert_never(look)


def _details(state: State, look: Details, room: Room) -> QueueDetails:
    shelf = state.existing(look.queue, Text.NO_SUCH_KEY)
    groups = sorted(shelf.books.groups)
    held = _held(state, islice(shelf.in_flight.ascending(), look.count))
    return QueueDetails(
        _info(state, shelf, room),
        room.admit(_entries(state, shelf.live.ascending(), look.count)),
        tuple(_group(state, shelf, group, room) for group in groups),
        room.admit(held, showings(len(groups))),
    )


def _group(state: State, shelf: Shelf, name: str, room: Room) -> GroupDetails:
    (group,) = room.admit([GroupDetails(name, ())])
    return replace(group, workers=room.admit(_workers(state, shelf, name)))


def _groups(state: State, look: Groups, room: Room) -> tuple[QueueInfo, tuple[GroupInfo, ...]]:
    shelf = state.existing(look.queue, Text.NO_SUCH_KEY)
    groups = (
        GroupInfo(group, state.roster.count(shelf.name, group, shelf.holding()))
        for group in sorted(shelf.books.groups)
    )
    return _info(state, shelf, room), room.admit(groups)


def _workers(state: State, shelf: Shelf, group: str) -> Iterator[WorkerInfo]:
    return state.roster.workers(shelf.name, group, shelf.holding())
