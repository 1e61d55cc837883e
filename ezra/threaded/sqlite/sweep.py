"""What time does: leases lapse, ttls run out, delays and keys fall due, done tasks were kept.

One sweep does a bounded amount, in the transaction of whatever comes next; what is left is due
still, and the timer comes again at once. Until it is done nobody sees a difference: a claim skips
what has expired, and a lease that has lapsed is not held any more.
"""

from __future__ import annotations

from collections import Counter

from ezra.sansio.model import FOREVER, Address, Status
from ezra.sansio.queue import changes
from ezra.sansio.queue.lifecycle import LAPSED, RESTARTED, Event
from ezra.sansio.queue.task import Task
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.transaction import Transaction


def sweep(tx: Transaction) -> None:
    """Do what is due: leases, then ttls, then delays, then retention and keys."""
    cut_leases(tx, tx.now, LAPSED)
    expired = Counter(tx.remove(statements.EXPIRED, (tx.now,), Event.EXPIRE))
    for queue_id, count in expired.items():
        tx.connection.execute(statements.COUNT_EXPIRED, (count, queue_id))
    for (queue_id,) in tx.connection.execute(statements.PROMOTE, (tx.now,)).fetchall():
        tx.freed[Address(tx.registry.get(queue_id).name)] += 1
    if tx.retention is not None:
        tx.remove(statements.FINISHED, (tx.now - tx.retention,), Event.DELETE)
    tx.connection.execute(statements.FORGET_KEYS, (tx.now,))


def catch_up(tx: Transaction) -> None:
    """Do what is due because of what the transaction itself has done, if anything is."""
    if tx.due <= tx.now:
        sweep(tx)
        tx.due, tx.swept_until = FOREVER, next_due(tx)


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
    lapsed = tx.select(statements.LAPSED, until)
    back = [changes.failed(task, reason, tx.rules_of(task).retry_delay, tx.now) for task in lapsed]
    tx.save(back)
    return back
