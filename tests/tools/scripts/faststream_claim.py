"""FastStream with claim_min_idle_time: one subscriber reads new tasks and takes over idle ones.

It reads with XREADGROUP … CLAIM, which Redis has had since 8.4. The task that its first attempt
leaves comes again, to the same worker, and is counted.
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
    """Publish a task that fails once and one that does not."""
    broker = RedisBroker(url, logger=None)
    attempts: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

    @broker.subscriber(
        stream=StreamSub(
            "orders", group="workers", consumer="only", claim_min_idle_time=100, polling_interval=50
        ),
        ack_policy=AckPolicy.MANUAL,
    )
    async def work(body: str, message: RedisStreamMessage) -> None:
        earlier = message.raw_message["delivery_counts"][0]
        await attempts.put((body, earlier))
        if body == "good" or earlier > 0:
            await message.ack()

    async with broker:
        await broker.start()
        for body in ("bad", "good"):
            await broker.publish(body, stream="orders")
        seen = [await asyncio.wait_for(attempts.get(), PATIENCE) for _ in range(3)]
    assert seen == [("bad", 0), ("good", 0), ("bad", 1)], seen
    assert attempts.empty(), "a task was delivered once too often"


if __name__ == "__main__":
    asyncio.run(main(f"redis://{sys.argv[1]}:{sys.argv[2]}"))
