"""Taking over tasks in flight that their workers have let lie idle.

The candidates are found by SQL, in pieces and by id; what becomes of each is decided in `changes`.
A damaged one that would be handed out is set aside instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from ezra.sansio.model import Claimed, Status, Taken
from ezra.sansio.queue import changes
from ezra.sansio.queue.allowance import Allowance
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
    left = Allowance(take.count, tx.claim_size)
    taken, last = take_idle(tx, search, left, start=take.start)
    tx.registry.roster.see(take.queue, take.group, take.worker, tx.now, active=bool(taken))
    if not left.spent:
        return Taken(taken, 0)
    return Taken(taken, _next_in_flight(tx, queue, last))


def take_idle(
    tx: Transaction, search: Search, left: Allowance, *, start: int = 0
) -> tuple[tuple[Claimed, ...], int]:
    """Have a worker take over what the search finds, by id.

    Args:
        tx: the transaction.
        search: for what, and who takes it.
        left: no more than this; what dies instead does not count.
        start: the first id to look at.

    Returns:
        What the worker holds now, and the last id that was looked at, if `left` is spent.
    """
    taken: list[Claimed] = []
    last = start - 1
    while not left.spent:
        piece = min(left.count, MOST_LOOKED_AT)
        found, all_of_them = _find(tx, search, last, piece)
        held, looked_at = _take_over(tx, search, found, left)
        taken += held
        if looked_at == len(found) and all_of_them and len(found) < piece:
            break
        last = found[looked_at - 1].id
    return tuple(taken), last


def _find(tx: Transaction, search: Search, after: int, limit: int) -> tuple[list[Task], bool]:
    """Return the first of the tasks in flight that the search is for, by id; whether all."""
    whence = () if search.dead is None else (search.dead,)
    if search.min_idle == 0:
        own = statements.ALL_HELD if search.dead is None else statements.HELD
        return tx.select_some(own, search.queue.id, search.worker, after, tx.now, *whence, limit)
    idle = statements.ALL_IDLE if search.dead is None else statements.IDLE
    moment = (tx.now, tx.now, search.min_idle)
    return tx.select_some(idle, search.queue.id, after, *moment, *whence, limit)


def _take_over(
    tx: Transaction, search: Search, found: list[Task], left: Allowance
) -> tuple[list[Claimed], int]:
    """Write what the worker's asking makes of the tasks, as far as is allowed.

    Returns:
        Those that it holds now, and how many were looked at.
    """
    taken = []
    looked_at = 0
    for task in found:
        if left.spent:
            break
        looked_at += 1
        until, renews = tx.lease_until(task), search.renews
        after = changes.taken_if_idle(
            task, search.worker, search.min_idle, until, tx.now, renews=renews
        )
        if after is not None:
            after = tx.quarantined(task) if task.id in tx.findings else after
            taken.append((task, after))
            if after.status is Status.IN_FLIGHT:
                left.take(after)
    tx.save(after for _, after in taken)
    held = [
        changes.handed_out(after, changes.idle(before, tx.now))
        for before, after in taken
        if after.status is Status.IN_FLIGHT
    ]
    return held, looked_at


def _next_in_flight(tx: Transaction, queue: Queue, last: int) -> int:
    """Return the first task in flight after an id; 0 where there is none."""
    row = tx.connection.execute(statements.NEXT_IN_FLIGHT, (queue.id, last, tx.now)).fetchone()
    return row[0] or 0
