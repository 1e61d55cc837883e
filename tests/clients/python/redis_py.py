"""redis-py and its fork valkey-py, which differ by name only: the synchronous client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

try:
    import redis
except ImportError:
    import valkey as redis  # type: ignore[no-redef]  # a fork: the same names

from tests.clients.python.reporting import (
    ATTEMPTS_AT_RECONNECTING,
    LEASE,
    arguments,
    cut,
    nothing,
    report,
    same,
)

HOST, PORT, PREFIX, PROTOCOL = arguments()
Tasks = list[tuple[bytes, dict[bytes, bytes]]]

client: Any
"""A pool of connections, which threads may share."""

if redis.__version__ < "5":  # it speaks RESP2, and has no word for that
    client = redis.Redis(HOST, PORT, socket_timeout=None)
else:
    # [connect]
    client = redis.Redis(HOST, PORT, protocol=PROTOCOL, socket_timeout=None)
    # [/connect]


# [worker]
def work(
    client: Any, queue: str, handle: Callable[[bytes], None], stopped: threading.Event
) -> None:
    """Handle the queue's tasks one by one until `stopped` is set.

    The client's socket_timeout has to be None, or longer than BLOCK: redis-py 8 has 5 s by default.
    """
    while not stopped.is_set():
        reply = client.xreadgroup("workers", "worker-1", {queue: ">"}, count=1, block=5000)
        for task, fields in tasks_in(reply):
            try:
                handle(fields[b"payload"])
            except Exception:
                client.xdel(queue, task)  # a nack: it is tried again, or dead at last
            else:
                client.xack(queue, "workers", task)


def tasks_in(reply: Any) -> Tasks:
    """Return the tasks of a reply; redis-py 5 to 7 answer a dict when protocol=3."""
    if isinstance(reply, dict):
        return [task for lists in reply.values() for tasks in lists for task in tasks]
    return [task for _queue, tasks in reply for task in tasks]


# [/worker]


# [heartbeat]
@contextmanager
def heartbeat(
    client: Any, queue: str, worker: str, task: bytes, every: float = 10.0
) -> Iterator[threading.Event]:
    """Renew a task's lease every so many seconds while the block runs.

    Yields an event that is set when the lease is lost: then somebody else may have the task.
    """
    lost, done = threading.Event(), threading.Event()

    def beat() -> None:
        while not lost.is_set() and not done.wait(every):
            with suppress(redis.ConnectionError):  # the next beat tries again
                if not client.xclaim(queue, "workers", worker, 0, [task], justid=True):
                    lost.set()

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield lost
    finally:
        done.set()
        thread.join()


# [/heartbeat]


def claim(queue: str, worker: str = "w1", count: int = 1, block: int | None = None) -> Tasks:
    """Return the tasks that this worker now has."""
    return tasks_in(client.xreadgroup("workers", worker, {queue: ">"}, count=count, block=block))


def produce_and_work(queue: str) -> None:
    """A payload that is no text goes through unharmed; so does a header."""
    payload = b"\xff\x00\r\n\xfe"
    pushed = client.xadd(queue, {"payload": payload, "lang": "en"})
    same(
        [bool(client.xgroup_create(queue, "workers", "0", mkstream=True)) for _ in "12"],
        [True, True],
    )
    [(task, fields)] = claim(queue)
    same(task, pushed)
    same((fields[b"payload"], fields[b"lang"], fields[b"attempts"]), (payload, b"en", b"1"))
    same(client.xack(queue, "workers", task), 1)
    same(worked_through(queue, b"hello"), b"hello")
    same(client.xlen(queue), 0)


def worked_through(queue: str, payload: bytes) -> bytes:
    """Push a task and let the worker of the documentation have it; return what it got."""
    got: list[bytes] = []
    stopped = threading.Event()

    def handle(found: bytes) -> None:
        got.append(found)
        stopped.set()

    client.xadd(queue, {"payload": payload})
    work(client, queue, handle, stopped)
    return got[0]


def order_and_batch(queue: str) -> None:
    """Five tasks come in the order in which they were pushed."""
    pushed = [client.xadd(queue, {"payload": str(number)}) for number in range(5)]
    tasks = claim(queue, count=5)
    same([task for task, _ in tasks], pushed)
    same([fields[b"payload"] for _, fields in tasks], [b"0", b"1", b"2", b"3", b"4"])
    same(client.xack(queue, "workers", *pushed), 5)
    nothing(client.xreadgroup("workers", "w1", {queue: ">"}))


def retry(queue: str) -> None:
    """A task that was nacked comes back with its id, and counts its attempts."""
    client.xadd(queue, {"payload": "x"})
    [(task, _)] = claim(queue)
    same(client.xdel(queue, task), 1)
    [(again, fields)] = claim(queue)
    same((again, fields[b"attempts"]), (task, b"2"))
    same(client.xack(queue, "workers", again), 1)


def dead_letter(queue: str) -> None:
    """A task without attempts left is found in the queue's dead-letter queue."""
    dead = f"{queue}::dead"
    client.xadd(queue, {"payload": "x", "max_attempts": 1})
    [(task, _)] = claim(queue)
    same(client.xdel(queue, task), 1)
    same(client.xlen(dead), 1)
    same([found for found, _ in client.xrange(dead)], [task])
    same([found for found, _ in claim(dead)], [task])
    same(client.xack(dead, "workers", task), 1)
    same(client.xlen(dead), 0)


def blocking(queue: str) -> None:
    """A blocked worker gets nothing when its time is over, and a task when there is one."""
    nothing(claim(queue, block=300))
    got: list[Tasks] = []
    worker = threading.Thread(target=lambda: got.append(claim(queue, block=10_000)))
    worker.start()
    pushed = client.xadd(queue, {"payload": "x"})
    worker.join()
    same([task for task, _ in got[0]], [pushed])
    same(client.xack(queue, "workers", pushed), 1)


def keep_the_lease(queue: str) -> None:
    """A lease that is renewed outlives its timeout."""
    client.xadd(queue, {"payload": "x", "visibility_timeout": str(LEASE)})
    [(task, _)] = claim(queue)
    same(client.xclaim(queue, "workers", "w1", 0, [task], justid=True), [task])
    with heartbeat(client, queue, "w1", task, every=LEASE / 5) as lost:
        nothing(claim(queue, "w2", block=int(LEASE * 1500)))
        same(lost.is_set(), False)
    same(client.xack(queue, "workers", task), 1)
    same(client.xclaim(queue, "workers", "w1", 0, [task], justid=True), [])


def pending(queue: str) -> None:
    """Who has which task can be seen, and another worker can take it over."""
    client.xadd(queue, {"payload": "x"})
    [(task, _)] = claim(queue)
    summary = client.xpending(queue, "workers")
    same((summary["pending"], summary["min"], summary["max"]), (1, task, task))
    same(summary["consumers"], [{"name": b"w1", "pending": 1}])
    same(claims_of(queue), [(task, b"w1", 1)])
    threading.Event().wait(0.01)  # it has to have been idle for the least time there is
    taken = client.xautoclaim(queue, "workers", "w2", 1)[1]
    same([found for found, _ in taken], [task])
    same(claims_of(queue), [(task, b"w2", 2)])
    same(client.xack(queue, "workers", task), 1)


def claims_of(queue: str) -> list[tuple[bytes, bytes, int]]:
    """Return id, worker and attempts of the claimed tasks."""
    rows = client.xpending_range(queue, "workers", "-", "+", 10)
    return [(row["message_id"], row["consumer"], row["times_delivered"]) for row in rows]


def transaction(queue: str) -> None:
    """All of a transaction happens, across queues, or nothing of it."""
    first, second = f"{queue}:a", f"{queue}:b"
    client.xadd(queue, {"payload": "x"})
    [(task, _)] = claim(queue)
    with client.pipeline(transaction=True) as pipe:
        pipe.xadd(first, {"payload": "1"}).xadd(second, {"payload": "2"}).xack(
            queue, "workers", task
        )
        results = pipe.execute()
    same((len(results), results[2]), (3, 1))
    same([client.xlen(name) for name in (queue, first, second)], [0, 1, 1])
    refused(first, second)
    same([client.xlen(name) for name in (first, second)], [1, 1])


def refused(first: str, second: str) -> None:
    """Run a transaction whose second command must fail."""
    with client.pipeline(transaction=True) as pipe:
        pipe.xadd(first, {"payload": "3"}).xadd(second, {"x": "y"}, id="1-1")
        try:
            results = pipe.execute()
        except redis.ResponseError:
            return
    raise AssertionError(f"got {results!r}, and not an error")


def inspect(queue: str) -> None:
    """What tells about a queue goes through the client's own parsers."""
    pushed = [client.xadd(queue, {"payload": str(number)}) for number in range(3)]
    client.xgroup_create(queue, "workers", "0", mkstream=True)
    claim(queue)
    about = client.xinfo_stream(queue)
    same((about["last-generated-id"], about["groups"]), (pushed[2], 1))
    same(about["first-entry"][0], pushed[0])
    [group] = client.xinfo_groups(queue)
    same((group["name"], group["pending"]), (b"workers", 1))
    [worker] = client.xinfo_consumers(queue, "workers")
    same((worker["name"], worker["pending"]), (b"w1", 1))
    same([task for task, _ in client.xrange(queue)], pushed)
    same([task for task, _ in client.xrevrange(queue, count=1)], pushed[2:])


def reconnect(queue: str) -> None:
    """A client whose connection was cut goes on with a new one."""
    cut(client.client_id())
    pushed, tries = push_with_patience(queue)
    waiting = client.xlen(queue)
    if not 1 <= waiting <= tries:
        raise AssertionError(f"{waiting} tasks after {tries} attempts to push one")
    tasks = [task for task, _ in claim(queue, count=tries)]
    same(pushed in tasks, True)
    same(client.xack(queue, "workers", *tasks), waiting)


def push_with_patience(queue: str) -> tuple[bytes, int]:
    """Push until it works; return the id, and how many attempts that took."""
    for attempt in range(1, ATTEMPTS_AT_RECONNECTING + 1):
        try:
            return client.xadd(queue, {"payload": "x"}), attempt
        except redis.ConnectionError:
            pass
    raise AssertionError("never connected again")


if __name__ == "__main__":
    report(
        redis.__version__,
        {
            "produce-and-work": produce_and_work,
            "order-and-batch": order_and_batch,
            "retry": retry,
            "dead-letter": dead_letter,
            "blocking": blocking,
            "heartbeat": keep_the_lease,
            "pending": pending,
            "transaction": transaction,
            "inspect": inspect,
            "reconnect": reconnect,
        },
    )
