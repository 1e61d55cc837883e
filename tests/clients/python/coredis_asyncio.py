"""coredis: an asyncio client that speaks RESP3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import coredis

from tests.clients.python.reporting import (
    ATTEMPTS_AT_RECONNECTING,
    LEASE,
    arguments,
    cut,
    nothing,
    report_async,
    same,
)

HOST, PORT, PREFIX, _PROTOCOL = arguments()
Tasks = tuple[Any, ...]
"""Entries: each has `identifier` and `field_values`."""

# [connect]
client: Any = coredis.Redis(host=HOST, port=PORT)
# [/connect]


# [worker]
async def work(
    client: Any, queue: str, handle: Callable[[bytes], Awaitable[None]], stopped: asyncio.Event
) -> None:
    """Handle the queue's tasks one by one until `stopped` is set."""
    while not stopped.is_set():
        reply = await client.xreadgroup("workers", "worker-1", {queue: ">"}, count=1, block=5000)
        for task in (reply or {}).get(queue.encode(), ()):
            try:
                await handle(task.field_values[b"payload"])
            except Exception:
                await client.xdel(queue, [task.identifier])  # a nack: tried again, or dead at last
            else:
                await client.xack(queue, "workers", [task.identifier])


# [/worker]


# [heartbeat]
@asynccontextmanager
async def heartbeat(
    client: Any, queue: str, worker: str, task: bytes, every: float = 10.0
) -> AsyncIterator[asyncio.Event]:
    """Renew a task's lease every so many seconds while the block runs.

    Yields an event that is set when the lease is lost: then somebody else may have the task.
    """
    lost = asyncio.Event()

    async def beat() -> None:
        while not lost.is_set():
            await asyncio.sleep(every)
            with suppress(coredis.exceptions.ConnectionError):  # the next beat tries again
                if not await client.xclaim(queue, "workers", worker, 0, [task], justid=True):
                    lost.set()

    beating = asyncio.create_task(beat())
    try:
        yield lost
    finally:
        beating.cancel()


# [/heartbeat]


async def claim(queue: str, worker: str = "w1", count: int = 1, block: int | None = None) -> Tasks:
    """Return the tasks that this worker now has."""
    reply = await client.xreadgroup("workers", worker, {queue: ">"}, count=count, block=block)
    return tuple((reply or {}).get(queue.encode(), ()))


def identifiers(tasks: Tasks) -> list[bytes]:
    """Return the tasks' ids."""
    return [task.identifier for task in tasks]


async def lengths(*queues: str) -> list[int]:
    """Return how many tasks wait in each queue."""
    return [await client.xlen(queue) for queue in queues]


async def produce_and_work(queue: str) -> None:
    """A payload that is no text goes through unharmed; so does a header."""
    payload = b"\xff\x00\r\n\xfe"
    pushed = await client.xadd(queue, {"payload": payload, "lang": "en"})
    for _ in "12":
        same(bool(await client.xgroup_create(queue, "workers", "0", mkstream=True)), True)
    [(task, fields, *_)] = await claim(queue)
    same(task, pushed)
    same((fields[b"payload"], fields[b"lang"], fields[b"attempts"]), (payload, b"en", b"1"))
    same(await client.xack(queue, "workers", [task]), 1)
    same(await worked_through(queue, b"hello"), b"hello")
    same(await client.xlen(queue), 0)


async def worked_through(queue: str, payload: bytes) -> bytes:
    """Push a task and let the worker of the documentation have it; return what it got."""
    got: list[bytes] = []
    stopped = asyncio.Event()

    async def handle(found: bytes) -> None:
        got.append(found)
        stopped.set()

    await client.xadd(queue, {"payload": payload})
    await work(client, queue, handle, stopped)
    return got[0]


async def order_and_batch(queue: str) -> None:
    """Five tasks come in the order in which they were pushed."""
    pushed = [await client.xadd(queue, {"payload": str(number)}) for number in range(5)]
    tasks = await claim(queue, count=5)
    same(identifiers(tasks), pushed)
    same([task.field_values[b"payload"] for task in tasks], [b"0", b"1", b"2", b"3", b"4"])
    same(await client.xack(queue, "workers", pushed), 5)
    nothing(await client.xreadgroup("workers", "w1", {queue: ">"}))


async def retry(queue: str) -> None:
    """A task that was nacked comes back with its id, and counts its attempts."""
    await client.xadd(queue, {"payload": "x"})
    [task] = identifiers(await claim(queue))
    same(await client.xdel(queue, [task]), 1)
    [(again, fields, *_)] = await claim(queue)
    same((again, fields[b"attempts"]), (task, b"2"))
    same(await client.xack(queue, "workers", [again]), 1)


async def dead_letter(queue: str) -> None:
    """A task without attempts left is found in the queue's dead-letter queue."""
    dead = f"{queue}::dead"
    await client.xadd(queue, {"payload": "x", "max_attempts": 1})
    [task] = identifiers(await claim(queue))
    same(await client.xdel(queue, [task]), 1)
    same(await client.xlen(dead), 1)
    same(identifiers(await client.xrange(dead)), [task])
    same(identifiers(await claim(dead)), [task])
    same(await client.xack(dead, "workers", [task]), 1)
    same(await client.xlen(dead), 0)


async def blocking(queue: str) -> None:
    """A blocked worker gets nothing when its time is over, and a task when there is one."""
    nothing(await claim(queue, block=300))
    worker = asyncio.create_task(claim(queue, block=10_000))
    await asyncio.sleep(0)  # the worker goes first
    pushed = await client.xadd(queue, {"payload": "x"})
    same(identifiers(await worker), [pushed])
    same(await client.xack(queue, "workers", [pushed]), 1)


async def keep_the_lease(queue: str) -> None:
    """A lease that is renewed outlives its timeout."""
    await client.xadd(queue, {"payload": "x", "visibility_timeout": str(LEASE)})
    [task] = identifiers(await claim(queue))
    same(await client.xclaim(queue, "workers", "w1", 0, [task], justid=True), (task,))
    async with heartbeat(client, queue, "w1", task, every=LEASE / 5) as lost:
        nothing(await claim(queue, "w2", block=int(LEASE * 1500)))
        same(lost.is_set(), False)
    same(await client.xack(queue, "workers", [task]), 1)
    same(await client.xclaim(queue, "workers", "w1", 0, [task], justid=True), ())


async def pending(queue: str) -> None:
    """Who has which task can be seen, and another worker can take it over."""
    await client.xadd(queue, {"payload": "x"})
    [task] = identifiers(await claim(queue))
    summary = await client.xpending(queue, "workers")
    same(summary[:3], (1, task, task))
    same(summary.consumers, {b"w1": 1})
    same(await claims_of(queue), [(task, b"w1", 1)])
    await asyncio.sleep(0.01)  # it has to have been idle for the least time there is
    taken = (await client.xautoclaim(queue, "workers", "w2", 1, "0-0"))[1]
    same(identifiers(taken), [task])
    same(await claims_of(queue), [(task, b"w2", 2)])
    same(await client.xack(queue, "workers", [task]), 1)


async def claims_of(queue: str) -> list[tuple[bytes, bytes, int]]:
    """Return id, worker and attempts of the claimed tasks."""
    rows = await client.xpending(queue, "workers", "-", "+", 10)
    return [(row.identifier, row.consumer, row.delivered) for row in rows]


async def transaction(queue: str) -> None:
    """All of a transaction happens, across queues, or nothing of it."""
    first, second = f"{queue}:a", f"{queue}:b"
    await client.xadd(queue, {"payload": "x"})
    [task] = identifiers(await claim(queue))
    async with client.pipeline(transaction=True) as pipe:
        pipe.xadd(first, {"payload": "1"})
        pipe.xadd(second, {"payload": "2"})
        acked = pipe.xack(queue, "workers", [task])
    same((len(pipe.results), await acked), (3, 1))
    same(await lengths(queue, first, second), [0, 1, 1])
    await refused(first, second)
    same(await lengths(first, second), [1, 1])


async def refused(first: str, second: str) -> None:
    """Run a transaction whose second command must fail."""
    try:
        async with client.pipeline(transaction=True) as pipe:
            pipe.xadd(first, {"payload": "3"})
            pipe.xadd(second, {"x": "y"}, identifier="1-1")
    except coredis.exceptions.ResponseError:
        return
    raise AssertionError(f"got {pipe.results!r}, and not an error")


async def inspect(queue: str) -> None:
    """What tells about a queue goes through the client's own parsers."""
    pushed = [await client.xadd(queue, {"payload": str(number)}) for number in range(3)]
    await client.xgroup_create(queue, "workers", "0", mkstream=True)
    await claim(queue)
    about = await client.xinfo_stream(queue)
    same((about["last-generated-id"], about["groups"]), (pushed[2], 1))
    same(about["first-entry"].identifier, pushed[0])
    [group] = await client.xinfo_groups(queue)
    same((group[b"name"], group[b"pending"]), (b"workers", 1))
    [worker] = await client.xinfo_consumers(queue, "workers")
    same((worker[b"name"], worker[b"pending"]), (b"w1", 1))
    same(identifiers(await client.xrange(queue)), pushed)
    same(identifiers(await client.xrevrange(queue, count=1)), pushed[2:])


async def reconnect(queue: str) -> None:
    """A client whose connection was cut goes on with a new one."""
    async with coredis.Redis(host=HOST, port=PORT) as cut_off:
        cut(await cut_off.client_id())
        pushed, tries = await push_with_patience(cut_off, queue)
        waiting = await cut_off.xlen(queue)
        if not 1 <= waiting <= tries:
            raise AssertionError(f"{waiting} tasks after {tries} attempts to push one")
        tasks = identifiers(await claim(queue, count=tries))
        same(pushed in tasks, True)
        same(await cut_off.xack(queue, "workers", tasks), waiting)


async def push_with_patience(cut_off: Any, queue: str) -> tuple[bytes, int]:
    """Push until it works; return the id, and how many attempts that took."""
    for attempt in range(1, ATTEMPTS_AT_RECONNECTING + 1):
        try:
            return await cut_off.xadd(queue, {"payload": "x"}), attempt
        except coredis.exceptions.ConnectionError:
            pass
    raise AssertionError("never connected again")


async def main() -> None:
    """Run the scenarios."""
    async with client:
        await report_async(
            coredis.__version__,
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


if __name__ == "__main__":
    asyncio.run(main())
