"""Claims: from the ready tasks of a queue, or the dead ones, to their workers.

All claims of a batch are served together: a `Stock` reads from each address as many tasks as they
can use in one statement, deals them out in memory, claim by claim in the order of arrival, and
writes everything that was dealt at the end.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence

from ezra.sansio.model import Address, Claimed, Delivery
from ezra.sansio.queue import changes
from ezra.sansio.queue.lifecycle import Event
from ezra.sansio.queue.operations import Claim
from ezra.sansio.queue.task import Task
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.calls import Call
from ezra.threaded.sqlite.transaction import Transaction

MOST_READ = 1_000
"""Tasks that one statement reads: what a claim of any COUNT takes comes in pieces of this size."""


def claim(tx: Transaction, calls: Sequence[Call]) -> None:
    """Serve claims in this order, parked ones included; who finds nothing may park."""
    claims = [(call, call.operation) for call in calls if isinstance(call.operation, Claim)]
    stock = Stock(tx, [operation for _, operation in claims])
    for call, operation in claims:
        call.outcome = stock.take(operation)
        if call.outcome:
            tx.serve(call, operation)
        elif operation.deadline is not None and operation.deadline > tx.now:
            tx.park(call, operation)
    stock.write()


class Stock:
    """The tasks that the claims of one batch can have.

    Args:
        tx: the transaction; nothing else may change tasks in it until `write`.
        claims: who will take, so that it is known how much to read at once.
    """

    def __init__(self, tx: Transaction, claims: Sequence[Claim]) -> None:
        self._tx = tx
        self._wanted: Counter[Address] = Counter()
        for operation in claims:
            for source in operation.sources:
                self._wanted[source] += operation.count
        self._read: dict[Address, deque[Task]] = {}
        self._offsets: Counter[Address] = Counter()
        self._exhausted: set[Address] = set()
        self._taken: list[Task] = []

    def take(self, operation: Claim) -> tuple[Delivery, ...]:
        """Give the claim what there is for it, up to its count; `()` when there is nothing."""
        deliveries = []
        left = operation.count
        for source in operation.sources:
            tasks = tuple(self._take_from(source, operation, left))
            self._wanted[source] -= operation.count
            if tasks:
                deliveries.append(Delivery(source, tasks))
                left -= len(tasks)
        return tuple(deliveries)

    def write(self) -> None:
        """Write every task that was taken."""
        self._tx.save(self._taken)

    def _take_from(self, source: Address, operation: Claim, limit: int) -> Iterator[Claimed]:
        for _ in range(limit):
            task = self._next(source)
            if task is None:
                return
            held = changes.claimed(task, operation.worker, self._tx.lease_until(task), self._tx.now)
            done = changes.acked(held, Event.ACK, self._tx.now) if operation.done_at_once else held
            self._taken.append(done)
            yield changes.handed_out(held)

    def _next(self, source: Address) -> Task | None:
        """Return whose turn it is there, or None when nothing is left."""
        read = self._read.get(source)
        if not read and source not in self._exhausted:
            read = self._read[source] = self._fetch(source)
        return read.popleft() if read else None

    def _fetch(self, source: Address) -> deque[Task]:
        """Read on where the last statement stopped: what was taken is not written yet."""
        size = min(max(self._wanted[source], 1), MOST_READ)
        tasks = self._select(source, size, self._offsets[source])
        self._offsets[source] += len(tasks)
        if len(tasks) < size:
            self._exhausted.add(source)
        return deque(tasks)

    def _select(self, source: Address, size: int, offset: int) -> list[Task]:
        queue = self._tx.registry.find(source.queue)
        if queue is None:
            return []
        if source.dead:
            return self._tx.select(statements.DEAD, queue.id, size, offset)
        return self._tx.select(statements.READY, queue.id, self._tx.now, size, offset)
