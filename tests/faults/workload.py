"""The load under which campaigns put a server: producers and workers that do a bit of everything.

Whatever breaks, they go on: each connects anew and does something else. They end when they are told
to; the workers only once every queue is empty (`drain`).
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ezra.sansio.model import MILLISECOND
from tests.faults.recorder import Recorder, identity
from tests.faults.records import Deed, Delivery, Left, Remnant
from tests.integration.raw_client import RawClient

QUEUES = ("a", "b", "urgent")

PAUSE = 0.02
"""Seconds before a client that could not connect tries again."""

DRAINING = 60.0
"""Seconds within which everything must be done once the faults have stopped."""


def produce(recorder: Recorder, chance: random.Random, stop: threading.Event) -> None:
    """Push tasks of every kind until told to stop."""
    persistently(recorder, stop, lambda: push_something(recorder, chance, stop))


def work(recorder: Recorder, chance: random.Random, stop: threading.Event) -> None:
    """Claim tasks and do with them what workers do, until told to stop."""
    persistently(recorder, stop, lambda: work_once(recorder, chance))


def persistently(recorder: Recorder, stop: threading.Event, step: Callable[[], None]) -> None:
    """Repeat the step; when the connection is gone, on a new one."""
    while not stop.is_set():
        try:
            step()
        except OSError:
            stop.wait(PAUSE)
    recorder.close()


def push_something(recorder: Recorder, chance: random.Random, stop: threading.Event) -> None:
    """Push one task, a pair in one transaction, or one until the server says that it has it."""
    kind, queue, key = chance.random(), chance.choice(QUEUES), recorder.new_key()
    if kind < 0.1:
        recorder.push_pair(QUEUES[:2], [key, recorder.new_key()])
    elif kind < 0.2:
        insist(lambda: recorder.push_once(queue, key), stop)
    else:
        recorder.push(
            queue,
            key,
            size=chance.choice([0, 10, 300, 5_000, 70_000 if kind > 0.95 else 0]),
            priority=chance.choice([0, 5, -3]) if queue == "urgent" else 0,
            delay=chance.choice([0, 0, 0, 50, 300]) * MILLISECOND,
        )


def insist(step: Callable[[], None], stop: threading.Event) -> None:
    """Repeat the step until it succeeds."""
    while not stop.is_set():
        with suppress(OSError):
            return step()
        stop.wait(PAUSE)
    return None


def work_once(recorder: Recorder, chance: random.Random) -> None:
    """Claim from one queue, and deal with each task."""
    queue = chance.choice(QUEUES)
    block = chance.choice([None, 20, 100])
    for task in recorder.claim(queue, count=chance.choice([1, 1, 4]), block=block):
        deal_with(recorder, chance, queue, task)


def deal_with(recorder: Recorder, chance: random.Random, queue: str, task: Delivery) -> None:
    """Ack it, mostly."""
    kind = chance.random()
    if kind < 0.05:
        return  # walk away: its lease lapses
    if kind < 0.1:
        recorder.act(Deed.NACK, queue, task, delay=chance.choice([0, 40 * MILLISECOND]))
    elif kind < 0.13:
        recorder.act(Deed.RELEASE, queue, task)
    elif kind < 0.2:
        recorder.hand_on(queue, task, chance.choice(QUEUES), recorder.new_key())
    else:
        if kind < 0.3:
            recorder.act(Deed.EXTEND, queue, task)
        recorder.act(Deed.ACK, queue, task)


# -- The end ---------------------------------------------------------------------------------------


def drain(connect: Callable[[], RawClient]) -> None:
    """Wait until nothing waits or is held; workers must be at work.

    Raises:
        AssertionError: something never comes to an end.
    """
    deadline = time.monotonic() + DRAINING
    pause = threading.Event()
    with connect() as client:
        while left := unfinished(client):
            assert time.monotonic() < deadline, f"so many are never done: {left}"
            pause.wait(0.02)


def unfinished(client: RawClient) -> int:
    """Return how many tasks wait or are held, in all queues at one moment.

    One queue after the other would miss what is handed on from one to another meanwhile.
    """
    counts = books(client)
    return counts["available"] + counts["scheduled"] + counts["in_flight"]


def done(client: RawClient) -> int:
    """Return how many tasks of all queues are done."""
    return books(client)["done"]


def books(client: RawClient) -> Counter[str]:
    """Return what the server counts of all queues together."""
    total: Counter[str] = Counter()
    for info in client.call("EZRA.QUEUE", "LIST"):
        pairs = zip(info[::2], info[1::2], strict=True)
        total.update({name.decode(): value for name, value in pairs if isinstance(value, int)})
    return total


def remnants(client: RawClient) -> list[Remnant]:
    """Return what is left in all queues; what is in flight counts as waiting."""
    return [
        Remnant(number, key, left)
        for queue in QUEUES
        for name, left in ((queue, Left.WAITING), (f"{queue}::dead", Left.DEAD))
        for number, key in entries(client, name)
    ]


def entries(client: RawClient, name: str) -> list[tuple[int, str]]:
    """Return id and key of every live task under that name, asked for a page at a time."""
    found: list[tuple[int, str]] = []
    start = "-"
    while True:
        page: list[Any] = client.call("XRANGE", name, start, "+", "COUNT", 200)
        if not page:
            return found
        found += [identity(number, fields) for number, fields in page]
        start = "(" + page[-1][0].decode()
