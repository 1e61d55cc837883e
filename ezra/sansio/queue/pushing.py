"""The push: a task gets its id and comes into its queue, unless it is a repeat."""

from __future__ import annotations

from dataclasses import replace

from ezra.sansio.model import Dedup
from ezra.sansio.queue import changes
from ezra.sansio.queue.dedup import remembered
from ezra.sansio.queue.operations import Push
from ezra.sansio.queue.state import State
from ezra.sansio.queue.task import admit_id


def push(state: State, push: Push) -> int | None:
    """Carry the push out and return its answer; a repeat is known before its id is looked at."""
    if not push.create and state.store.shelf(push.queue) is None:
        return None
    dedup = push.task.dedup
    first = None if dedup is None else state.ledger.find(push.queue, dedup)
    if first is not None:
        return first
    task_id = admit_id(push.task.id, state.last_id, state.now)
    _add(state, push, task_id)
    if dedup is not None:
        _remember(state, push.queue, dedup, task_id)
    return task_id


def _add(state: State, push: Push, task_id: int) -> None:
    """Add the task under its id."""
    shelf = state.store.ensure_shelf(push.queue)
    books = shelf.books
    most = books.in_force.max_attempts
    state.put(changes.pushed(push.task, task_id, push.queue, most, state.now))
    state.store.keep_books(shelf, replace(books, pushed=books.pushed + 1, last_id=task_id))
    state.last_id = task_id


def _remember(state: State, queue: str, dedup: Dedup, task_id: int) -> None:
    """Remember the key of the push that was answered this id."""
    rules = state.store.ensure_shelf(queue).books.in_force
    new = remembered(dedup, task_id, queue, rules.dedup_window, state.now)
    if new is not None:
        state.ledger.keep(new, rules.dedup_limit)
