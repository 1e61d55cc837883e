"""The loads: what the connections do, and what one run of each measured.

Each takes the server's address and a duration in seconds, uses a queue of its own, and returns one
`Run` after its books were verified. Producers push until the time is over; a run of cycles ends
with the ack of the last task, so the backlog that the producers built up is part of the figure.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from time import perf_counter

from bench.client import Address, BenchError, Link, Script, command, drive
from bench.ledger import Ledger

PAYLOAD = b"x" * 100
_GROUP = b"workers"
_BLOCK = b"60000"
"""Milliseconds: longer than the client's patience, so that a lost task shows as a stall."""
_SETTLE = 0.002
"""How long, in seconds, an idle server is left alone before a latency is taken."""

_serial = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did. Times are seconds."""

    operations: int
    seconds: float
    latencies: tuple[float, ...] = ()

    @property
    def rate(self) -> float:
        """Operations per second."""
        return self.operations / self.seconds


Workload = Callable[[Address, float], Run]


def pushes(connections: int, depth: int = 1) -> Workload:
    """Push from that many connections, each with `depth` pushes under way."""

    def run(address: Address, seconds: float) -> Run:
        queue, ledger = new_queue(address), Ledger(connections)
        began = perf_counter()
        push = push_command(queue)
        scripts = [producer(ledger, push, depth, began + seconds) for _ in range(connections)]
        drive(address, scripts, ledger.all_pushed)
        took = perf_counter() - began
        ledger.verify_pushed()
        _verify_length(address, queue, len(ledger.pushed))
        return Run(len(ledger.pushed), took)

    return run


def cycles(producers: int, workers: int, count: int, queue: bytes | None = None) -> Workload:
    """Push, claim up to `count` at a time (blocking while there is nothing), ack.

    A `queue` that is named must exist and have nothing claimable in it.
    """

    def run(address: Address, seconds: float) -> Run:
        name, ledger = queue or new_queue(address), Ledger(producers)
        began = perf_counter()
        push = push_command(name)
        scripts = [producer(ledger, push, 1, began + seconds) for _ in range(producers)]
        scripts += [worker(ledger, name, b"worker-%d" % n, count) for n in range(workers)]
        drive(address, scripts, ledger.all_acked)
        took = perf_counter() - began
        ledger.verify()
        return Run(ledger.acked, took)

    return run


def latency(address: Address, seconds: float) -> Run:
    """Measure, on an idle server, from sending a push to the blocked worker's having its task."""
    queue, ledger = new_queue(address), Ledger()
    claim, push = claim_command(queue, b"worker", 1), push_command(queue)
    latencies = []
    with closing(Link(address)) as worker, closing(Link(address)) as producer:
        began = perf_counter()
        while perf_counter() < began + seconds:
            worker.send(claim)
            time.sleep(_SETTLE)
            sent = perf_counter()
            producer.send(push)
            ids = claimed_ids(worker.receive())
            latencies.append(perf_counter() - sent)
            ledger.pushed.append(producer.receive())
            ledger.note_claimed(ids)
            ledger.note_acked(worker.ask(ack_command(queue, ids)), len(ids))
        took = perf_counter() - began
    ledger.verify()
    return Run(len(latencies), took, tuple(latencies))


def producer(ledger: Ledger, push: bytes, depth: int, deadline: float) -> Script:
    """Push until the deadline, `depth` at a time, each batch once the one before was answered."""
    batch, note = push * depth, ledger.pushed.append
    while perf_counter() < deadline:
        note((yield batch))
        for _ in range(depth - 1):
            note((yield b""))
    ledger.producing -= 1


def worker(ledger: Ledger, queue: bytes, name: bytes, count: int) -> Script:
    """Claim and ack for as long as it is let."""
    claim = claim_command(queue, name, count)
    while True:
        ids = claimed_ids((yield claim))
        if ids:
            ledger.note_claimed(ids)
            ledger.note_acked((yield ack_command(queue, ids)), len(ids))


def new_queue(address: Address) -> bytes:
    """Make a queue that no run has used and return its name."""
    queue = b"bench-%d" % next(_serial)
    with closing(Link(address)) as link:
        link.ask(command(b"XGROUP", b"CREATE", queue, _GROUP, b"0", b"MKSTREAM"))
    return queue


def push_command(queue: bytes, *fields: bytes) -> bytes:
    """Encode a push of the standard payload, with more fields after it."""
    return command(b"XADD", queue, b"*", b"payload", PAYLOAD, *fields)


def claim_command(queue: bytes, worker: bytes, count: int, *options: bytes) -> bytes:
    """Encode a blocking claim, with more options if there are any."""
    who = (b"XREADGROUP", b"GROUP", _GROUP, worker)
    how = (b"COUNT", b"%d" % count, b"BLOCK", _BLOCK, *options)
    return command(*who, *how, b"STREAMS", queue, b">")


def ack_command(queue: bytes, ids: list[bytes]) -> bytes:
    """Encode an ack of all these ids."""
    return command(b"XACK", queue, _GROUP, *ids)


def claimed_ids(reply: object) -> list[bytes]:
    """Return the ids of the tasks in a claim's reply; none when it timed out.

    Raises:
        BenchError: the reply has another shape, or a payload is not the one that was pushed.
    """
    match reply:
        case None:
            return []
        case [[_, list(entries)]]:
            return [_task_id(entry) for entry in entries]
        case _:
            raise BenchError(f"a claim was answered {reply!r}")


def _task_id(entry: object) -> bytes:
    match entry:
        case [bytes(task_id), [b"payload", payload, *_]] if payload == PAYLOAD:
            return task_id
        case _:
            raise BenchError(f"a claim brought {entry!r}, which nobody pushed")


def _verify_length(address: Address, queue: bytes, expected: int) -> None:
    with closing(Link(address)) as link:
        length = link.ask(command(b"XLEN", queue))
    if length != expected:
        raise BenchError(f"{expected} pushes were answered, but the queue holds {length!r} tasks")
