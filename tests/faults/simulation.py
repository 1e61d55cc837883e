"""Legal histories: clients of the pure queue, under a clock that is only a number.

The queue does each thing at one moment; what a client notes begins a little before and ends a
little after it, so that the histories overlap as those of real clients do. Some answers are lost,
some workers walk away from what they have, and now and then the server starts anew.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from ezra.sansio.model import MILLISECOND, Address, Claimed, Defaults, NackMode, NewTask, Status
from ezra.sansio.queue import operations as ops
from ezra.sansio.queue.machine import QueueMachine
from tests.faults.records import (
    Act,
    Claim,
    Deed,
    Delivery,
    Left,
    Push,
    Record,
    Remnant,
    Restart,
    Rules,
)

QUEUES = ("a", "b")
LEASE = 400 * MILLISECOND
RULES = Rules(max_attempts=4, aftermath=0)
START = 1_700_000_000_000_000
LATENCY = 20 * MILLISECOND
"""The longest that a command is under way before, and its answer after, the queue does it."""


@dataclass
class Client:
    """A producer and worker that does one thing at a time."""

    name: str
    free: int = 0
    """When it has had the answer to its last command."""
    has: list[tuple[str, int, int]] = field(default_factory=list)
    """Queue, id and attempt of what it is working on."""


class Simulation:
    """Some clients of one queue.

    Args:
        seed: decides everything.
        clients: how many there are.
        lossy: whether answers are lost and the server starts anew.
    """

    def __init__(self, seed: int, *, clients: int = 4, lossy: bool = True) -> None:
        self.chance = random.Random(seed)
        self.machine = QueueMachine(Defaults(LEASE, max_attempts=RULES.max_attempts))
        self.clients = [Client(f"w{number}") for number in range(clients)]
        self.lossy = lossy
        self.now = 0
        self.pushed = 0
        self.history: list[Record] = []

    def run(self, steps: int) -> tuple[list[Record], list[Remnant]]:
        """Take so many steps, then work until everything is done or dead; return what was noted."""
        self.take(steps)
        while any(task.status in LIVE for task in self.machine.tasks()):
            self._pass_time()
            self._step(self._free_client(), self._work)
        return self.history, self._remnants()

    def take(self, steps: int) -> list[Record]:
        """Take so many steps and return what was noted up to then."""
        for _ in range(steps):
            self._pass_time()
            if self.lossy and self.chance.random() < 0.005:
                self._restart()
            else:
                self._step(self._free_client(), self._any_step)
        return self.history

    # -- Time --------------------------------------------------------------------------------------

    def _pass_time(self) -> None:
        long = 2 * LEASE if self.chance.random() < 0.01 else 5 * MILLISECOND
        self.now += self.chance.randrange(1, long)

    def _free_client(self) -> Client:
        free = [client for client in self.clients if client.free < self.now]
        if not free:
            self.now = min(client.free for client in self.clients) + 1
            return self._free_client()
        return self.chance.choice(free)

    def _step(self, client: Client, step: Callable[[Client, int, int], None]) -> None:
        """Have the client do something around now."""
        begun = self.now - self.chance.randrange(min(self.now - client.free, LATENCY))
        client.free = self.now + self.chance.randrange(LATENCY)
        step(client, begun, client.free)

    def _restart(self) -> None:
        self.machine.restart(START + self.now)
        ended = self.now + self.chance.randrange(LATENCY)
        self.history.append(Restart(self.now - self.chance.randrange(5), ended))

    # -- What clients do ---------------------------------------------------------------------------

    def _any_step(self, client: Client, begun: int, ended: int) -> None:
        step = self._push if self.chance.random() < 0.3 else self._work
        step(client, begun, ended)

    def _work(self, client: Client, begun: int, ended: int) -> None:
        step = self._act if client.has else self._claim
        step(client, begun, ended)

    def _push(self, _: Client, begun: int, ended: int) -> None:
        queue, key = self.chance.choice(QUEUES), f"k{self.pushed}"
        self.pushed += 1
        priority = self.chance.choice([0, 0, 0, 5])
        delay = self.chance.choice([0, 0, 0, LEASE // 3])
        new = NewTask(key.encode(), priority=priority, delay=delay or None)
        lost = self._is_lost()
        if not lost or self.chance.random() < 0.5:
            answer = self._do(ops.Push(queue, new))
        number = answer if not lost and isinstance(answer, int) else None
        self.history.append(Push(key, queue, begun, ended, number, priority, delay))

    def _claim(self, client: Client, begun: int, ended: int) -> None:
        queue = self.chance.choice(QUEUES)
        lost = self._is_lost()
        claimed: list[Claimed] = []
        if not lost or self.chance.random() < 0.5:
            claim = ops.Claim((Address(queue),), client.name, self.chance.choice([1, 1, 3]))
            deliveries = self._do(claim)
            assert isinstance(deliveries, tuple)
            claimed = [task for delivery in deliveries for task in delivery.tasks]
        if lost and self.chance.random() < 0.5:
            self._do(ops.Release(tuple((task.id, task.claim) for task in claimed)))
        tasks = [Delivery(one.id, (one.payload or b"").decode(), one.attempts) for one in claimed]
        if not lost:
            client.has = [(queue, one.id, one.attempt) for one in tasks]
        self.history.append(
            Claim(queue, client.name, begun, ended, LEASE, None if lost else tuple(tasks))
        )

    def _act(self, client: Client, begun: int, ended: int) -> None:
        queue, number, _ = client.has[0]
        deed = self.chance.choice([Deed.ACK] * 12 + [*Deed, None])
        if deed is None:  # it walks away, and the lease lapses
            client.has.pop(0)
            return
        if deed is not Deed.EXTEND:
            client.has.pop(0)
        delay = self.chance.choice([0, LEASE // 4]) if deed is Deed.NACK else 0
        lost = self._is_lost()
        answer: object = None
        if not lost or self.chance.random() < 0.5:
            answer = self._do(operation(deed, queue, number, client.name, delay))
        counted = None if lost else bool(answer)
        lease = LEASE if deed is Deed.EXTEND else 0
        act = Act(deed, number, client.name, begun, ended, counted, delay, lease)
        self.history.append(act)

    def _is_lost(self) -> bool:
        """Decide whether the answer is lost; the command may have been carried out all the same."""
        return self.lossy and self.chance.random() < 0.02

    def _do(self, operation: ops.Operation) -> object:
        return self.machine.apply(operation, START + self.now)

    def _remnants(self) -> list[Remnant]:
        return [
            Remnant(task.id, (task.payload or b"").decode(), Left(task.status.value))
            for task in self.machine.tasks()
            if task.status is not Status.DONE
        ]


LIVE = (Status.AVAILABLE, Status.IN_FLIGHT)


def operation(deed: Deed, queue: str, number: int, worker: str, delay: int) -> ops.Operation:
    """Return what the deed asks of the queue."""
    match deed:
        case Deed.ACK:
            return ops.Ack(queue, (number,))
        case Deed.NACK:
            return ops.Nack(queue, (number,), delay=delay or None)
        case Deed.RELEASE:
            return ops.Nack(queue, (number,), mode=NackMode.SILENT)
        case Deed.EXTEND:
            return ops.Extend(queue, worker, (number,))
