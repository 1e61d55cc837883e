"""The operations on queues, groups and workers."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import assert_never

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import Defaults, QueueSettings
from ezra.sansio.queue import changes
from ezra.sansio.queue.lifecycle import Event
from ezra.sansio.queue.operations import (
    AddWorker,
    ConfigureQueue,
    CreateQueue,
    DeleteQueues,
    RemoveGroup,
    RemoveWorker,
)
from ezra.sansio.queue.shelf import Shelf
from ezra.sansio.queue.state import State

OnQueues = CreateQueue | ConfigureQueue | DeleteQueues | RemoveGroup | AddWorker | RemoveWorker


def carry_out(state: State, operation: OnQueues) -> int | None:
    """Carry the operation out and return its answer."""
    match operation:
        case CreateQueue():
            _create(state, operation)
            return None
        case ConfigureQueue():
            _configure(state, operation)
            return None
        case DeleteQueues():
            return _delete(state, operation)
        case RemoveGroup():
            return _remove_group(state, operation)
        case AddWorker():
            return _add_worker(state, operation)
        case RemoveWorker():
            return _remove_worker(state, operation)
        case _:
            assert_never(operation)


def settings_in_force(own: QueueSettings, defaults: Defaults) -> Defaults:
    """Return what holds in a queue with these settings: its own, else the server's."""
    chosen = {field.name: getattr(own, field.name) for field in fields(own)}
    return replace(defaults, **{name: it for name, it in chosen.items() if it is not None})


def _create(state: State, create: CreateQueue) -> None:
    if not create.create:
        state.existing(create.queue, Text.XGROUP_NEEDS_QUEUE)
    shelf = state.store.ensure_shelf(create.queue)
    if create.group is not None:
        state.know_group(shelf, create.group)


def _configure(state: State, configure: ConfigureQueue) -> None:
    if not configure.create:
        state.existing(configure.queue, Text.NO_SUCH_KEY)
    shelf = state.store.ensure_shelf(configure.queue)
    own = replace(shelf.books.settings, **dict(configure.changes))
    in_force = settings_in_force(own, state.store.defaults)
    state.store.keep_books(shelf, replace(shelf.books, settings=own, in_force=in_force))


def _delete(state: State, delete: DeleteQueues) -> int:
    found = map(state.store.shelf, dict.fromkeys(delete.queues))
    shelves = [shelf for shelf in found if shelf is not None]
    for shelf in shelves:
        _check_finished(shelf)
    for shelf in shelves:
        _remove(state, shelf)
    return len(shelves)


def _check_finished(shelf: Shelf) -> None:
    """Raise `CommandError` while the queue has tasks that are not done."""
    if shelf.live or shelf.dead:
        text = Text.UNFINISHED.format(
            queue=shelf.name,
            waiting=shelf.waiting,
            in_flight=len(shelf.in_flight),
            dead=len(shelf.dead),
        )
        raise CommandError(text)


def _remove(state: State, shelf: Shelf) -> None:
    """Take the queue away with all that belongs to it."""
    for _, task_id in shelf.done.ascending():
        state.put(changes.removed(state.store[task_id], Event.DELETE))
    state.ledger.forget_queue(shelf.name)
    state.roster.forget_queue(shelf.name)
    state.store.drop(shelf)


def _remove_group(state: State, remove: RemoveGroup) -> bool:
    shelf = state.existing(remove.queue, Text.XGROUP_NEEDS_QUEUE)
    books = shelf.books
    known = remove.group in books.groups
    state.store.keep_books(shelf, replace(books, groups=books.groups - {remove.group}))
    state.roster.forget_group(remove.queue, remove.group)
    return known


def _add_worker(state: State, add: AddWorker) -> bool:
    shelf = state.with_group(add.queue, add.group, Text.XGROUP_NEEDS_QUEUE)
    known = state.roster.knows(add.queue, add.group, add.worker) or shelf.held_by(add.worker)
    state.roster.see(add.queue, add.group, add.worker, state.now)
    return not known


def _remove_worker(state: State, remove: RemoveWorker) -> int:
    shelf = state.with_group(remove.queue, remove.group, Text.XGROUP_NEEDS_QUEUE)
    held = shelf.held_by(remove.worker)[: remove.most]
    for task_id in held:
        state.put(changes.released(state.store[task_id], state.now))
    state.roster.forget_worker(remove.queue, remove.group, remove.worker)
    return len(held)
