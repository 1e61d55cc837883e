"""FastStream's Redis broker: publish, consume, ack, nack, take over what is idle, count, delete.

Subscribers of a stream with a consumer group, as FastStream's documentation of Redis Streams shows
them, with acknowledgement by hand. A task that one subscriber leaves (nack) comes to another one
that takes over what is idle.
"""

# mypy: disable-error-code="import-not-found, untyped-decorator"
# FastStream is installed in an environment of its own.

from __future__ import annotations

import asyncio
import sys

from faststream import AckPolicy
from faststream.redis import RedisBroker, RedisStreamMessage, StreamSub

PATIENCE = 10
"""Seconds within which every task must have come."""


async def main(url: str) -> None:
    """Publish three tasks: one is acked, one deleted after its ack, one left and taken over."""
    broker = RedisBroker(url, logger=None)
    first: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
    second: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

    @broker.subscriber(
        stream=StreamSub("orders", group="workers", consumer="first", polling_interval=100),
        ack_policy=AckPolicy.MANUAL,
    )
    async def work(body: str, message: RedisStreamMessage) -> None:
        await first.put((body, await message.get_delivery_count()))
        if body == "leave":
            await message.nack()
            return
        await message.ack()
        if body == "delete":
            await message.delete()

    @broker.subscriber(
        stream=StreamSub(
            "orders", group="workers", consumer="second", min_idle_time=1000, polling_interval=50
        ),
        ack_policy=AckPolicy.MANUAL,
    )
    async def take_over(body: str, message: RedisStreamMessage) -> None:
        await second.put((body, await message.get_delivery_count()))
        await message.ack()

    async with broker:
        await broker.start()
        for body in ("ack", "delete", "leave"):
            await broker.publish(body, stream="orders")
        assert [await _next(first) for _ in range(3)] == [("ack", 1), ("delete", 1), ("leave", 1)]
        assert await _next(second) == ("leave", 2)
        await broker.publish("last", stream="orders", maxlen=1000)
        assert await _next(first) == ("last", 1)
    assert first.empty(), "a task was delivered twice"
    assert second.empty(), "a finished task was taken over"


async def _next(arrived: asyncio.Queue[tuple[str, int]]) -> tuple[str, int]:
    return await asyncio.wait_for(arrived.get(), PATIENCE)


if __name__ == "__main__":
    asyncio.run(main(f"redis://{sys.argv[1]}:{sys.argv[2]}"))
