"""redis-py's asyncio client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import redis
import redis.asyncio

from tests.clients.python.reporting import (
    ATTEMPTS_AT_RECONNECTING,
    LEASE,
    arguments,
    cut,
    nothing,
    report_async,
    same,
)

HOST, PORT, PREFIX, PROTOCOL = arguments()
Tasks = list[tuple[bytes, dict[bytes, bytes]]]

client: Any
"""A pool of connections, which the tasks of one event loop may share."""

if redis.__version__ < "5":  # it speaks RESP2, and has no word for that
    client = redis.asyncio.Redis(host=HOST, port=PORT, socket_timeout=None)
else:
    # [connect]
    client = redis.asyncio.Redis(host=HOST, port=PORT, protocol=PROTOCOL, socket_timeout=None)
    # [/connect]


# [worker]
async def work(
    client: Any, queue: str, handle: Callable[[bytes], Awaitable[None]], stopped: asyncio.Event
) -> None:
    """Handle the queue's tasks one by one until `stopped` is set.

    The client's socket_timeout has to be None, or longer than BLOCK: redis-py 8 has 5 s by default.
    """
    while not stopped.is_set():
        reply = await client.xreadgroup("workers", "worker-1", {queue: ">"}, count=1, block=5000)
        for task, fields in tasks_in(reply):
            try:
                await handle(fields[b"payload"])
            except Exception:
                await client.xdel(queue, task)  # a nack: it is tried again, or dead at last
            else:
                await client.xack(queue, "workers", task)


def tasks_in(reply: Any) -> Tasks:
    """Return the tasks of a reply; redis-py 5 to 7 answer a dict when protocol=3."""
    if isinstance(reply, dict):
        return [task for lists in reply.values() for tasks in lists for task in tasks]
    return [task for _queue, tasks in reply for task in tasks]


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
            with suppress(redis.ConnectionError):  # the next beat tries again
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
    return tasks_in(reply)


async def lengths(*queues: str) -> list[int]:
    """Return how many tasks wait in each queue."""
    return [await client.xlen(queue) for queue in queues]


async def produce_and_work(queue: str) -> None:
    """A payload that is no text goes through unharmed; so does a header."""
    payload = b"\xff\x00\r\n\xfe"
    pushed = await client.xadd(queue, {"payload": payload, "lang": "en"})
    for _ in "12":
        same(bool(await client.xgroup_create(queue, "workers", "0", mkstream=True)), True)
    [(task, fields)] = await claim(queue)
    same(task, pushed)
    same((fields[b"payload"], fields[b"lang"], fields[b"attempts"]), (payload, b"en", b"1"))
    same(await client.xack(queue, "workers", task), 1)
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
    same([task for task, _ in tasks], pushed)
    same([fields[b"payload"] for _, fields in tasks], [b"0", b"1", b"2", b"3", b"4"])
    same(await client.xack(queue, "workers", *pushed), 5)
    nothing(await client.xreadgroup("workers", "w1", {queue: ">"}))


async def retry(queue: str) -> None:
    """A task that was nacked comes back with its id, and counts its attempts."""
    await client.xadd(queue, {"payload": "x"})
    [(task, _)] = await claim(queue)
    same(await client.xdel(queue, task), 1)
    [(again, fields)] = await claim(queue)
    same((again, fields[b"attempts"]), (task, b"2"))
    same(await client.xack(queue, "workers", again), 1)


async def dead_letter(queue: str) -> None:
    """A task without attempts left is found in the queue's dead-letter queue."""
    dead = f"{queue}::dead"
    await client.xadd(queue, {"payload": "x", "max_attempts": 1})
    [(task, _)] = await claim(queue)
    same(await client.xdel(queue, task), 1)
    same(await client.xlen(dead), 1)
    same([found for found, _ in await client.xrange(dead)], [task])
    same([found for found, _ in await claim(dead)], [task])
    same(await client.xack(dead, "workers", task), 1)
    same(await client.xlen(dead), 0)


async def blocking(queue: str) -> None:
    """A blocked worker gets nothing when its time is over, and a task when there is one."""
    nothing(await claim(queue, block=300))
    worker = asyncio.create_task(claim(queue, block=10_000))
    await asyncio.sleep(0)  # the worker goes first
    pushed = await client.xadd(queue, {"payload": "x"})
    same([task for task, _ in await worker], [pushed])
    same(await client.xack(queue, "workers", pushed), 1)


async def keep_the_lease(queue: str) -> None:
    """A lease that is renewed outlives its timeout."""
    await client.xadd(queue, {"payload": "x", "visibility_timeout": str(LEASE)})
    [(task, _)] = await claim(queue)
    same(await client.xclaim(queue, "workers", "w1", 0, [task], justid=True), [task])
    async with heartbeat(client, queue, "w1", task, every=LEASE / 5) as lost:
        nothing(await claim(queue, "w2", block=int(LEASE * 1500)))
        same(lost.is_set(), False)
    same(await client.xack(queue, "workers", task), 1)
    same(await client.xclaim(queue, "workers", "w1", 0, [task], justid=True), [])


async def pending(queue: str) -> None:
    """Who has which task can be seen, and another worker can take it over."""
    await client.xadd(queue, {"payload": "x"})
    [(task, _)] = await claim(queue)
    summary = await client.xpending(queue, "workers")
    same((summary["pending"], summary["min"], summary["max"]), (1, task, task))
    same(summary["consumers"], [{"name": b"w1", "pending": 1}])
    same(await claims_of(queue), [(task, b"w1", 1)])
    await asyncio.sleep(0.01)  # it has to have been idle for the least time there is
    taken = (await client.xautoclaim(queue, "workers", "w2", 1))[1]
    same([found for found, _ in taken], [task])
    same(await claims_of(queue), [(task, b"w2", 2)])
    same(await client.xack(queue, "workers", task), 1)


async def claims_of(queue: str) -> list[tuple[bytes, bytes, int]]:
    """Return id, worker and attempts of the claimed tasks."""
    rows = await client.xpending_range(queue, "workers", "-", "+", 10)
    return [(row["message_id"], row["consumer"], row["times_delivered"]) for row in rows]


async def transaction(queue: str) -> None:
    """All of a transaction happens, across queues, or nothing of it."""
    first, second = f"{queue}:a", f"{queue}:b"
    await client.xadd(queue, {"payload": "x"})
    [(task, _)] = await claim(queue)
    async with client.pipeline(transaction=True) as pipe:
        pipe.xadd(first, {"payload": "1"}).xadd(second, {"payload": "2"}).xack(
            queue, "workers", task
        )
        results = await pipe.execute()
    same((len(results), results[2]), (3, 1))
    same(await lengths(queue, first, second), [0, 1, 1])
    await refused(first, second)
    same(await lengths(first, second), [1, 1])


async def refused(first: str, second: str) -> None:
    """Run a transaction whose second command must fail."""
    async with client.pipeline(transaction=True) as pipe:
        pipe.xadd(first, {"payload": "3"}).xadd(second, {"x": "y"}, id="1-1")
        try:
            results = await pipe.execute()
        except redis.ResponseError:
            return
    raise AssertionError(f"got {results!r}, and not an error")


async def inspect(queue: str) -> None:
    """What tells about a queue goes through the client's own parsers."""
    pushed = [await client.xadd(queue, {"payload": str(number)}) for number in range(3)]
    await client.xgroup_create(queue, "workers", "0", mkstream=True)
    await claim(queue)
    about = await client.xinfo_stream(queue)
    same((about["last-generated-id"], about["groups"]), (pushed[2], 1))
    same(about["first-entry"][0], pushed[0])
    [group] = await client.xinfo_groups(queue)
    same((group["name"], group["pending"]), (b"workers", 1))
    [worker] = await client.xinfo_consumers(queue, "workers")
    same((worker["name"], worker["pending"]), (b"w1", 1))
    same([task for task, _ in await client.xrange(queue)], pushed)
    same([task for task, _ in await client.xrevrange(queue, count=1)], pushed[2:])


async def reconnect(queue: str) -> None:
    """A client whose connection was cut goes on with a new one."""
    cut(await client.client_id())
    pushed, tries = await push_with_patience(queue)
    waiting = await client.xlen(queue)
    if not 1 <= waiting <= tries:
        raise AssertionError(f"{waiting} tasks after {tries} attempts to push one")
    tasks = [task for task, _ in await claim(queue, count=tries)]
    same(pushed in tasks, True)
    same(await client.xack(queue, "workers", *tasks), waiting)


async def push_with_patience(queue: str) -> tuple[bytes, int]:
    """Push until it works; return the id, and how many attempts that took."""
    for attempt in range(1, ATTEMPTS_AT_RECONNECTING + 1):
        try:
            return await client.xadd(queue, {"payload": "x"}), attempt
        except redis.ConnectionError:
            pass
    raise AssertionError("never connected again")


async def main() -> None:
    """Run the scenarios."""
    async with client:
        await report_async(
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


if __name__ == "__main__":
    asyncio.run(main())
