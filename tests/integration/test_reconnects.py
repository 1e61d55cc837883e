"""Workers whose client library gives up waiting, closes, and asks again on a new connection.

That is what redis-py 8 does by default every five seconds, and with it every framework on top.
"""

from __future__ import annotations

import random
import select
import threading
import time
from typing import Any

import pytest
import redis

from tests.integration.local_server import LocalServer
from tests.integration.raw_client import RawClient
from tests.integration.waiting import until


def answered(worker: RawClient) -> bool:
    """Tell whether something has come for the worker."""
    return bool(select.select([worker.socket], [], [], 0)[0])


def ask_and_leave(server: LocalServer, rounds: int) -> None:
    """Ask, close and ask again, with pushes before, between and right behind the closing."""
    chance = random.Random(rounds)
    producer = server.client()
    pushed: list[bytes] = []
    received: list[bytes] = []
    for _ in range(rounds):
        with RawClient(server.address) as worker:
            worker.send_pop("q")
            until(lambda: server.blocked or answered(worker), "the claim to wait or to be served")
            if chance.random() < 0.3 and not answered(worker):
                pushed.append(producer.push("q", len(pushed)))
            # What was pushed comes to whoever waits, perhaps only once the server has noticed that
            # the one before has gone. Who left now might leave a reply unread.
            if len(received) < len(pushed):
                received.append(take(worker))
        if chance.random() < 0.5:
            pushed.append(producer.push("q", len(pushed)))
    until(lambda: server.blocked == 0, "every waiter to be gone")
    with RawClient(server.address) as last:
        while len(received) < len(pushed):
            last.send_pop("q")
            received.append(take(last))
        assert last.pop("q") is None
    assert sorted(received) == sorted(pushed)
    assert len(set(received)) == len(pushed)
    assert server.blocked == 0


def take(worker: RawClient) -> bytes:
    """Ack the task that is on its way to the worker, which must be its first attempt."""
    task = worker.popped()
    assert task is not None
    assert task["attempts"] == b"1"
    assert worker.call("XACK", "q", "g", task.id) == 1
    return task.id


def test_who_closes_and_asks_again_loses_nothing(server: LocalServer) -> None:
    """Every task comes once, on its first attempt, and no waiter is left behind."""
    ask_and_leave(server, 100)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_the_same_for_a_long_time(server: LocalServer) -> None:
    """As many times as a worker does it in hours."""
    ask_and_leave(server, 5_000)


MINUTE = 60.0
"""Seconds: a dozen of redis-py's time-outs, and once its patience with all of them."""


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_redis_py_as_it_comes_for_a_minute(server: LocalServer) -> None:
    """redis-py 8 with its own five seconds and BLOCK 0: every task once, and no waiter left."""
    received: list[tuple[bytes, bytes]] = []

    def work() -> None:
        client = redis.Redis(*server.address)
        while True:
            try:
                reply: Any = client.xreadgroup("g", "w", {"q": ">"}, block=0)
            except redis.TimeoutError:
                continue  # it has asked eleven times
            [(_, [(number, fields)])] = reply
            assert client.xack("q", "g", number) == 1
            if fields[b"payload"] == b"end":
                return
            received.append((number, fields[b"attempts"]))

    worker = threading.Thread(target=work)
    worker.start()
    chance = random.Random(8)
    producer = server.client()
    pushed: list[bytes] = []
    pause = threading.Event()
    end = time.monotonic() + MINUTE
    while time.monotonic() < end:
        pause.wait(chance.uniform(0, 9))  # the load itself: now and then a wait of over 5 s
        pushed.append(producer.push("q", len(pushed)))
    producer.push("q", "end")
    worker.join(MINUTE)
    assert not worker.is_alive()
    assert received == [(number, b"1") for number in pushed]
    until(lambda: server.blocked == 0, "every waiter to be gone")
    assert producer.call("XLEN", "q") == 0
