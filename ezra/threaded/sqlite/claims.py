"""Claims: from the ready tasks of a queue, or the dead ones, to their workers.

The plain claims of a batch are served together: a `Stock` reads from each address as many tasks as
they can use in one statement, deals them out in memory, claim by claim in the order of arrival, and
writes everything that was dealt at the end. What turns out to be damaged when its turn has come is
dealt to nobody, and written as dead. A claim that also asks for tasks in flight, its own or
idle ones, is served alone.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ezra.sansio.model import Address, Claimed, Delivery
from ezra.sansio.queue import changes
from ezra.sansio.queue.allowance import Allowance
from ezra.sansio.queue.lifecycle import Event
from ezra.sansio.queue.operations import Claim
from ezra.sansio.queue.task import Task
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.calls import Call, looks_back
from ezra.threaded.sqlite.idle import Search, take_idle
from ezra.threaded.sqlite.registry import Queue
from ezra.threaded.sqlite.sweep import bring_in
from ezra.threaded.sqlite.transaction import Transaction

MOST_READ = 1_000
"""Tasks that one statement reads: what a claim of any COUNT takes comes in pieces of this size."""


def claim(tx: Transaction, calls: Sequence[Call]) -> None:
    """Serve claims in this order, parked ones included; who finds nothing may park."""
    for alone, run in groupby(calls, looks_back):
        claims = [(call, call.operation) for call in run if isinstance(call.operation, Claim)]
        if alone:
            for call, operation in claims:
                _answer(tx, call, operation, _serve_alone(tx, operation))
        else:
            stock = Stock(tx, [operation for _, operation in claims])
            for call, operation in claims:
                _answer(tx, call, operation, stock.take(operation))
            stock.write()


def _answer(
    tx: Transaction, call: Call, operation: Claim, deliveries: tuple[Delivery, ...]
) -> None:
    """Fill in the claim's outcome, or park it; its group and its worker are known from now on."""
    call.outcome = deliveries
    if operation.group is not None:
        _visit(tx, operation, operation.group, deliveries, fed=bool(call.ticket))
    if deliveries:
        tx.serve(call, operation)
    elif operation.deadline is not None and operation.deadline > tx.now:
        tx.park(call, operation)


def _visit(
    tx: Transaction, claim: Claim, group: str, deliveries: tuple[Delivery, ...], *, fed: bool
) -> None:
    """Make the group known in those of the queues that exist, and the worker in it.

    A claim that had waited is `fed` by some of its queues, and visits only those.
    """
    giving = {each.source.queue for each in deliveries if each.tasks}
    named = [source.queue for source, _ in claim.rereads] + [each.queue for each in claim.sources]
    for name in dict.fromkeys(named):
        queue = tx.registry.find(name)
        if queue is not None and (name in giving or not fed):
            tx.registry.add_group(queue, group)
            tx.registry.roster.see(name, group, claim.worker, tx.now, active=name in giving)


# -- Together --------------------------------------------------------------------------------------


class Stock:
    """The tasks that the claims of one batch can have.

    Args:
        tx: the transaction; nothing else may change tasks in it until `write`.
        claims: who will take, so that it is known how much to read at once.
    """

    def __init__(self, tx: Transaction, claims: Iterable[Claim]) -> None:
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
        left = Allowance(operation.count, self._tx.claim_size)
        for source in operation.sources:
            tasks = tuple(self.take_from(source, operation, left))
            self._wanted[source] -= operation.count
            if tasks:
                deliveries.append(Delivery(source, tasks))
        _leave(self._tx, operation, left)
        return tuple(deliveries)

    def take_from(self, source: Address, operation: Claim, left: Allowance) -> Iterator[Claimed]:
        """Give the claim what is allowed from one of its sources."""
        while not left.spent:
            task = self._next(source)
            if task is None:
                return
            held = changes.claimed(task, operation.worker, self._tx.lease_until(task), self._tx.now)
            done = changes.acked(held, Event.ACK, self._tx.now) if operation.done_at_once else held
            self._taken.append(done)
            left.take(task)
            yield changes.handed_out(held)

    def write(self) -> None:
        """Write every task that was taken, or set aside."""
        self._tx.save(self._taken)

    def _next(self, source: Address) -> Task | None:
        """Return whose turn it is there, or None when nobody's; set aside what is damaged."""
        while read := self._in_stock(source):
            task = read.popleft()
            if task.id not in self._tx.findings:
                return task
            self._taken.append(self._tx.quarantined(task))
        return None

    def _in_stock(self, source: Address) -> deque[Task] | None:
        """Return what is read of the source and not taken, after reading on where that is empty."""
        read = self._read.get(source)
        if not read and source not in self._exhausted:
            read = self._read[source] = self._fetch(source)
        return read

    def _fetch(self, source: Address) -> deque[Task]:
        """Read on where the last statement stopped: what was taken is not written yet."""
        size = min(max(self._wanted[source], 1), MOST_READ)
        tasks, all_of_them = self._select(source, size, self._offsets[source])
        self._offsets[source] += len(tasks)
        if all_of_them and len(tasks) < size:
            self._exhausted.add(source)
        return deque(tasks)

    def _select(self, source: Address, size: int, offset: int) -> tuple[list[Task], bool]:
        queue = self._tx.registry.find(source.queue)
        if queue is None:
            return [], True
        if self._tx.behind:
            bring_in(self._tx, queue, dead=source.dead, wanted=size)
        if source.dead:
            return self._tx.select_some(statements.DEAD, queue.id, size, offset)
        return self._tx.select_some(statements.READY, queue.id, self._tx.now, size, offset)


# -- Alone -----------------------------------------------------------------------------------------


def _serve_alone(tx: Transaction, claim: Claim) -> tuple[Delivery, ...]:
    """Serve a claim that asks for tasks in flight, too: first its own, then source by source."""
    left = Allowance(claim.count, tx.claim_size)
    deliveries = list(_reread(tx, claim, left))
    for source in claim.sources:
        lying = _lying_idle(tx, source, claim, left)
        # A stock of its own: what died of the above may have come to its address.
        stock = Stock(tx, [claim])
        tasks = lying + tuple(stock.take_from(source, claim, left))
        stock.write()
        if tasks:
            deliveries.append(Delivery(source, tasks))
    _leave(tx, claim, left)
    return tuple(deliveries)


def _leave(tx: Transaction, claim: Claim, left: Allowance) -> None:
    """Offer to others what a claim was to have and leaves, as it has enough bytes."""
    if left.size <= 0 < left.count:
        for source in claim.sources:
            tx.freed[source] += left.count


def _reread(tx: Transaction, claim: Claim, left: Allowance) -> Iterator[Delivery]:
    """Give the worker again what it holds, with new leases."""
    for source, after in claim.rereads:
        queue = tx.registry.find(source.queue)
        held = (
            [] if queue is None else list(_held_whole(tx, queue, claim.worker, source, after, left))
        )
        tx.save(changes.extended(task, tx.lease_until(task), tx.now) for task in held)
        yield Delivery(source, tuple(map(changes.handed_out, held)))


def _held_whole(
    tx: Transaction, queue: Queue, worker: str, source: Address, after: int, left: Allowance
) -> Iterator[Task]:
    """Yield what is allowed of the tasks that the worker holds, and set aside what is damaged."""
    while not left.spent:
        size = min(left.count, MOST_READ)
        values = (queue.id, worker, after, tx.now, source.dead, size)
        found, all_of_them = tx.select_some(statements.HELD, *values)
        tx.save([tx.quarantined(task) for task in found if task.id in tx.findings])
        for task in found:
            if not left.spent and task.id not in tx.findings:
                left.take(task)
                yield task
        if all_of_them and len(found) < size:
            return
        after = found[-1].id


def _lying_idle(
    tx: Transaction, source: Address, claim: Claim, left: Allowance
) -> tuple[Claimed, ...]:
    """Take what came from the source and has been idle long enough for the claim."""
    queue = tx.registry.find(source.queue)
    if queue is None or claim.min_idle is None:
        return ()
    search = Search(queue, claim.worker, claim.min_idle, source.dead)
    taken, _ = take_idle(tx, search, left)
    return taken
