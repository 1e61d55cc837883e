"""What time does: leases lapse, ttls run out, delays and keys fall due, done tasks were kept.

One sweep does a bounded amount, in the transaction of whatever comes next; what is left is due
still, and the timer comes again at once. Until it is done no operation sees a difference: what is
asked for by its id is loaded as if it had been swept, a claim skips what has expired, and before it
takes anything it has what is due in its queue brought in, as much as could be its turn. Whatever
counts or lists tasks has sweeps done before, until nothing is due (`SqliteEngine._catch_up`).
"""

from __future__ import annotations

from collections import Counter

from ezra.sansio.model import FOREVER, Address, Status
from ezra.sansio.queue import changes
from ezra.sansio.queue.lifecycle import LAPSED, RESTARTED, Event
from ezra.sansio.queue.task import Task
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.registry import Queue
from ezra.threaded.sqlite.transaction import Transaction

ABOVE_ALL = 128
"""A priority above every task's."""


def sweep(tx: Transaction) -> None:
    """Do what is due: leases, then ttls, then delays, then retention and keys."""
    most = statements.SWEEP_ROWS
    cut = cut_leases(tx, tx.now, LAPSED)
    expired = tx.remove(statements.EXPIRED, (tx.now, most), Event.EXPIRE)
    for queue_id, count in Counter(expired).items():
        tx.connection.execute(statements.COUNT_EXPIRED, (count, queue_id))
    promoted = tx.connection.execute(statements.PROMOTE, (tx.now, most)).fetchall()
    for (queue_id,) in promoted:
        tx.freed[Address(tx.registry.get(queue_id).name)] += 1
    tx.behind = len(cut) == most or len(promoted) == most
    if tx.retention is not None and len(expired) < most:  # else one of these may have expired
        tx.remove(statements.FINISHED, (tx.now - tx.retention, most), Event.DELETE)
    tx.connection.execute(statements.FORGET_KEYS, (tx.now, most))


def catch_up(tx: Transaction) -> None:
    """Do what is due because of what the transaction itself has done, if anything is."""
    if tx.due <= tx.now:
        sweep(tx)
        tx.due, tx.swept_until = FOREVER, next_due(tx)


def bring_in(tx: Transaction, queue: Queue, *, dead: bool, wanted: int) -> None:
    """Do what is due in one queue, as far as it matters to who takes `wanted` tasks next.

    To be called while the transaction is `behind`. Those whose turn comes first are done first, so
    what is left due could be none of the `wanted`, whatever else is claimable there.

    Args:
        tx: the transaction.
        queue: where they take.
        dead: whether from its dead-letter queue.
        wanted: how many.
    """
    came = 0
    while came < wanted:
        lapsed = tx.select(statements.LAPSED_IN_TURN, queue.id, tx.now, statements.SWEEP_ROWS)
        came += sum(_came(task, tx.now, dead=dead) for task in _cut(tx, lapsed, LAPSED))
        if len(lapsed) < statements.SWEEP_ROWS:
            break
    if not dead:
        _promote_in_turn(tx, queue, wanted)


def next_due(tx: Transaction) -> int:
    """Return the first moment at which `sweep` will have something to do; `FOREVER` when none."""
    moments = list(tx.connection.execute(statements.NEXT_DUE).fetchone())
    if tx.retention is not None:
        finished = tx.connection.execute(statements.FIRST_FINISHED).fetchone()[0]
        moments.append(tx.kept_until(finished))
    return min((moment for moment in moments if moment is not None), default=FOREVER)


def restart(tx: Transaction) -> Counter[Status]:
    """Cut every lease there is: whoever held one may be gone.

    Returns:
        How many tasks wait again, and how many died.
    """
    outcome: Counter[Status] = Counter()
    while back := cut_leases(tx, FOREVER, RESTARTED):
        outcome.update(task.status for task in back)
    return outcome


def cut_leases(tx: Transaction, until: int, reason: str) -> list[Task]:
    """Cut up to `SWEEP_ROWS` leases that end by `until`; return their tasks as they are now."""
    return _cut(tx, tx.select(statements.LAPSED, until, statements.SWEEP_ROWS), reason)


def _cut(tx: Transaction, lapsed: list[Task], reason: str) -> list[Task]:
    """Cut the leases of these tasks, and return the tasks as they are now."""
    back = [changes.failed(task, reason, tx.rules_of(task).retry_delay, tx.now) for task in lapsed]
    tx.save(back)
    return back


def _came(task: Task, now: int, *, dead: bool) -> bool:
    """Say whether a task whose lease was cut is claimable, from the queue or its dead letters."""
    if dead:
        return task.status is Status.DEAD
    in_time = task.expires_at is None or task.expires_at > now
    return task.status is Status.AVAILABLE and task.available_at <= now and in_time


def _promote_in_turn(tx: Transaction, queue: Queue, most: int) -> None:
    """Make ready what has waited for its time, those first whose turn comes first."""
    priority = ABOVE_ALL
    while most > 0:
        row = tx.connection.execute(statements.NEXT_PRIORITY, (queue.id, priority)).fetchone()
        priority = row[0]
        if priority is None:
            return
        values = (queue.id, priority, tx.now, tx.now, most)
        most -= tx.connection.execute(statements.PROMOTE_IN_TURN, values).rowcount
