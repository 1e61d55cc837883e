"""Valkey GLIDE's synchronous client for Python.

A client is one connection that all threads share: who blocks needs a client of their own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from typing import Any

import glide_sync
from glide_sync import (
    Batch,
    GlideClient,
    GlideClientConfiguration,
    IdBound,
    MaxId,
    MinId,
    NodeAddress,
    ProtocolVersion,
    RequestError,
    StreamAddOptions,
    StreamGroupOptions,
    StreamReadGroupOptions,
)

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
Tasks = dict[bytes, dict[bytes, bytes]]
SPOKEN = ProtocolVersion.RESP3 if PROTOCOL == 3 else ProtocolVersion.RESP2

# [connect]
configuration = GlideClientConfiguration([NodeAddress(HOST, PORT)], protocol=SPOKEN)
client = GlideClient.create(configuration)
blocker = GlideClient.create(configuration)  # for the worker's blocking calls
# [/connect]


# [worker]
def work(
    client: Any, queue: str, handle: Callable[[bytes], None], stopped: threading.Event
) -> None:
    """Handle the queue's tasks one by one until `stopped` is set."""
    one = StreamReadGroupOptions(count=1, block_ms=5000)
    while not stopped.is_set():
        reply = client.xreadgroup({queue: ">"}, "workers", "worker-1", one)
        for task, fields in (reply or {}).get(queue.encode(), {}).items():
            try:
                handle(dict(fields)[b"payload"])
            except Exception:
                client.xdel(queue, [task])  # a nack: it is tried again, or dead at last
            else:
                client.xack(queue, "workers", [task])


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
            with suppress(glide_sync.ConnectionError):  # the next beat tries again
                if not client.xclaim_just_id(queue, "workers", worker, 0, [task]):
                    lost.set()

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield lost
    finally:
        done.set()
        thread.join()


# [/heartbeat]


def claim(
    queue: str, worker: str = "w1", count: int = 1, block: int | None = None, using: Any = client
) -> Tasks:
    """Return the tasks that this worker now has."""
    options = StreamReadGroupOptions(count=count, block_ms=block)
    reply = using.xreadgroup({queue: ">"}, "workers", worker, options) or {}
    return {task: dict(fields) for task, fields in reply.get(queue.encode(), {}).items()}


def push(queue: str, *fields: tuple[str, str | bytes]) -> Any:
    """Push a task; return its id."""
    return client.xadd(queue, list(fields))


def produce_and_work(queue: str) -> None:
    """A payload that is no text goes through unharmed; so does a header."""
    payload = b"\xff\x00\r\n\xfe"
    pushed = push(queue, ("payload", payload), ("lang", "en"))
    made = [client.xgroup_create(queue, "workers", "0", StreamGroupOptions(True)) for _ in "12"]
    same(made, ["OK", "OK"])
    [(task, fields)] = claim(queue).items()
    same(task, pushed)
    same((fields[b"payload"], fields[b"lang"], fields[b"attempts"]), (payload, b"en", b"1"))
    same(client.xack(queue, "workers", [task]), 1)
    same(worked_through(queue, b"hello"), b"hello")
    same(client.xlen(queue), 0)


def worked_through(queue: str, payload: bytes) -> bytes:
    """Push a task and let the worker of the documentation have it; return what it got."""
    got: list[bytes] = []
    stopped = threading.Event()

    def handle(found: bytes) -> None:
        got.append(found)
        stopped.set()

    push(queue, ("payload", payload))
    work(blocker, queue, handle, stopped)
    return got[0]


def order_and_batch(queue: str) -> None:
    """Five tasks come in the order in which they were pushed."""
    pushed = [push(queue, ("payload", str(number))) for number in range(5)]
    tasks = claim(queue, count=5)
    same(list(tasks), pushed)
    same([fields[b"payload"] for fields in tasks.values()], [b"0", b"1", b"2", b"3", b"4"])
    same(client.xack(queue, "workers", pushed), 5)
    nothing(client.xreadgroup({queue: ">"}, "workers", "w1"))


def retry(queue: str) -> None:
    """A task that was nacked comes back with its id, and counts its attempts."""
    push(queue, ("payload", "x"))
    [task] = claim(queue)
    same(client.xdel(queue, [task]), 1)
    [(again, fields)] = claim(queue).items()
    same((again, fields[b"attempts"]), (task, b"2"))
    same(client.xack(queue, "workers", [again]), 1)


def dead_letter(queue: str) -> None:
    """A task without attempts left is found in the queue's dead-letter queue."""
    dead = f"{queue}::dead"
    push(queue, ("payload", "x"), ("max_attempts", "1"))
    [task] = claim(queue)
    same(client.xdel(queue, [task]), 1)
    same(client.xlen(dead), 1)
    same(list(client.xrange(dead, MinId(), MaxId())), [task])
    same(list(claim(dead)), [task])
    same(client.xack(dead, "workers", [task]), 1)
    same(client.xlen(dead), 0)


def blocking(queue: str) -> None:
    """A blocked worker gets nothing when its time is over, and a task when there is one."""
    nothing(claim(queue, block=300))
    got: list[Tasks] = []
    worker = threading.Thread(target=lambda: got.append(claim(queue, block=10_000, using=blocker)))
    worker.start()
    pushed = push(queue, ("payload", "x"))
    worker.join()
    same(list(got[0]), [pushed])
    same(client.xack(queue, "workers", [pushed]), 1)


def keep_the_lease(queue: str) -> None:
    """A lease that is renewed outlives its timeout."""
    push(queue, ("payload", "x"), ("visibility_timeout", str(LEASE)))
    [task] = claim(queue)
    same(client.xclaim_just_id(queue, "workers", "w1", 0, [task]), [task])
    with heartbeat(client, queue, "w1", task, every=LEASE / 5) as lost:
        nothing(claim(queue, "w2", block=int(LEASE * 1500), using=blocker))
        same(lost.is_set(), False)
    same(client.xack(queue, "workers", [task]), 1)
    same(client.xclaim_just_id(queue, "workers", "w1", 0, [task]), [])


def pending(queue: str) -> None:
    """Who has which task can be seen, and another worker can take it over."""
    push(queue, ("payload", "x"))
    [task] = claim(queue)
    same(client.xpending(queue, "workers"), [1, task, task, [[b"w1", b"1"]]])
    same(claims_of(queue), [(task, b"w1", 1)])
    threading.Event().wait(0.01)  # it has to have been idle for the least time there is
    taken = client.xautoclaim(queue, "workers", "w2", 1, "0-0")[1]
    same(list(taken), [task])
    same(claims_of(queue), [(task, b"w2", 2)])
    same(client.xack(queue, "workers", [task]), 1)


def claims_of(queue: str) -> list[tuple[bytes, bytes, int]]:
    """Return id, worker and attempts of the claimed tasks."""
    rows = client.xpending_range(queue, "workers", MinId(), MaxId(), 10)
    return [(task, worker, attempts) for task, worker, _idle, attempts in rows]


def transaction(queue: str) -> None:
    """All of a transaction happens, across queues, or nothing of it."""
    first, second = f"{queue}:a", f"{queue}:b"
    push(queue, ("payload", "x"))
    [task] = claim(queue)
    batch = Batch(is_atomic=True)
    batch.xadd(first, [("payload", "1")]).xadd(second, [("payload", "2")]).xack(
        queue, "workers", [task]
    )
    results = client.exec(batch, raise_on_error=True)
    same((len(results), results[2]), (3, 1))
    same([client.xlen(name) for name in (queue, first, second)], [0, 1, 1])
    refused(first, second)
    same([client.xlen(name) for name in (first, second)], [1, 1])


def refused(first: str, second: str) -> None:
    """Run a transaction whose second command must fail."""
    batch = Batch(is_atomic=True)
    batch.xadd(first, [("payload", "3")])
    batch.xadd(second, [("x", "y")], StreamAddOptions(id="1-1"))
    try:
        results = client.exec(batch, raise_on_error=True)
    except RequestError:
        return
    raise AssertionError(f"got {results!r}, and not an error")


def inspect(queue: str) -> None:
    """What tells about a queue goes through the client's own parsers."""
    pushed = [push(queue, ("payload", str(number))) for number in range(3)]
    client.xgroup_create(queue, "workers", "0", StreamGroupOptions(True))
    claim(queue)
    about = client.xinfo_stream(queue)
    same((about[b"last-generated-id"], about[b"groups"]), (pushed[2], 1))
    same(about[b"first-entry"][0], pushed[0])
    [group] = client.xinfo_groups(queue)
    same((group[b"name"], group[b"pending"]), (b"workers", 1))
    [worker] = client.xinfo_consumers(queue, "workers")
    same((worker[b"name"], worker[b"pending"]), (b"w1", 1))
    same(list(client.xrange(queue, MinId(), IdBound(pushed[2].decode()))), pushed)
    same(list(client.xrevrange(queue, MaxId(), MinId(), count=1)), pushed[2:])


def reconnect(queue: str) -> None:
    """A client whose connection was cut goes on with a new one."""
    cut_off = GlideClient.create(configuration)
    cut(cut_off.client_id())
    pushed, tries = push_with_patience(cut_off, queue)
    waiting = cut_off.xlen(queue)
    if not 1 <= waiting <= tries:
        raise AssertionError(f"{waiting} tasks after {tries} attempts to push one")
    tasks = list(claim(queue, count=tries, using=cut_off))
    same(pushed in tasks, True)
    same(cut_off.xack(queue, "workers", tasks), waiting)
    cut_off.close()


def push_with_patience(cut_off: Any, queue: str) -> tuple[bytes, int]:
    """Push until it works; return the id, and how many attempts that took."""
    for attempt in range(1, ATTEMPTS_AT_RECONNECTING + 1):
        try:
            return cut_off.xadd(queue, [("payload", "x")]), attempt
        except glide_sync.ConnectionError:
            pass
    raise AssertionError("never connected again")


if __name__ == "__main__":
    report(
        version("valkey-glide-sync"),
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
