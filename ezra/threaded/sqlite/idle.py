"""Taking over tasks in flight that their workers have let lie idle.

The candidates are found by SQL, in pieces and by id; what becomes of each is decided in `changes`.
A damaged one that would be handed out is set aside instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from ezra.sansio.model import Claimed, Status, Taken
from ezra.sansio.queue import changes
from ezra.sansio.queue.operations import TakeIdle
from ezra.sansio.queue.task import Task
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.registry import Queue
from ezra.threaded.sqlite.transaction import Transaction

MOST_LOOKED_AT = 1_000
"""Candidates that one statement reads, with their payloads."""


@dataclass(frozen=True, slots=True)
class Search:
    """Who asks for tasks in flight of a queue, and for which."""

    queue: Queue
    worker: str
    min_idle: int
    """Microseconds since the claim, or since the lease was renewed; 0 for the worker's own only."""
    dead: bool | None = None
    """Only what came from the dead-letter queue, or only what did not; None for both."""
    renews: bool = False
    """Whether the worker's own only have their leases renewed."""


def take(tx: Transaction, take: TakeIdle) -> Taken:
    """Carry the operation out, and note that its worker was there.

    Raises:
        CommandError: there is no such queue or group.
    """
    queue = tx.registry.read_through(take.queue, take.group)
    search = Search(queue, take.worker, take.min_idle, renews=take.renews)
    taken, last = take_idle(tx, search, limit=take.count, start=take.start)
    tx.registry.roster.see(take.queue, take.group, take.worker, tx.now, active=bool(taken))
    if len(taken) < take.count:
        return Taken(taken, 0)
    return Taken(taken, _next_in_flight(tx, queue, last))


def take_idle(
    tx: Transaction, search: Search, *, limit: int, start: int = 0
) -> tuple[tuple[Claimed, ...], int]:
    """Have a worker take over what the search finds, by id.

    Args:
        tx: the transaction.
        search: for what, and who takes it.
        limit: at most so many; what dies instead does not count.
        start: the first id to look at.

    Returns:
        What the worker holds now, and the last id that was looked at, if `limit` was reached.
    """
    taken: list[Claimed] = []
    last = start - 1
    while len(taken) < limit:
        piece = min(limit - len(taken), MOST_LOOKED_AT)
        found = _find(tx, search, last, piece)
        taken += _take_over(tx, search, found)
        if len(found) < piece:
            break
        last = found[-1].id
    return tuple(taken), last


def _find(tx: Transaction, search: Search, after: int, limit: int) -> list[Task]:
    """Return the first of the tasks in flight that the search is for, by id."""
    whence = () if search.dead is None else (search.dead,)
    if search.min_idle == 0:
        own = statements.ALL_HELD if search.dead is None else statements.HELD
        return tx.select(own, search.queue.id, search.worker, after, tx.now, *whence, limit)
    idle = statements.ALL_IDLE if search.dead is None else statements.IDLE
    moment = (tx.now, tx.now, search.min_idle)
    return tx.select(idle, search.queue.id, after, *moment, *whence, limit)


def _take_over(tx: Transaction, search: Search, found: list[Task]) -> list[Claimed]:
    """Write what the worker's asking makes of the tasks; return those that it holds now."""
    taken = []
    for task in found:
        until, renews = tx.lease_until(task), search.renews
        after = changes.taken_if_idle(
            task, search.worker, search.min_idle, until, tx.now, renews=renews
        )
        if after is not None:
            taken.append((task, tx.quarantined(task) if task.id in tx.findings else after))
    tx.save(after for _, after in taken)
    return [
        changes.handed_out(after, changes.idle(before, tx.now))
        for before, after in taken
        if after.status is Status.IN_FLIGHT
    ]


def _next_in_flight(tx: Transaction, queue: Queue, last: int) -> int:
    """Return the first task in flight after an id; 0 where there is none."""
    row = tx.connection.execute(statements.NEXT_IN_FLIGHT, (queue.id, last, tx.now)).fetchone()
    return row[0] or 0
