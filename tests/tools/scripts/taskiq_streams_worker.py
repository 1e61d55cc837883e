"""taskiq with taskiq-redis-streams: two tasks, one after the other.

A worker shows that it is alive by a key (SET with a time to live) and takes over by Lua scripts.
"""

# mypy: disable-error-code="import-not-found, untyped-decorator"
# taskiq is installed in an environment of its own.

from __future__ import annotations

import asyncio
import sys

from taskiq.api import run_receiver_task
from taskiq_redis_streams import RedisStreamsBroker

PATIENCE = 10
"""Seconds within which every task must have come."""


async def main(url: str) -> None:
    """Work on two tasks, one after the other."""
    broker = RedisStreamsBroker(url, queue_name="orders", namespace="test")
    done: asyncio.Queue[int] = asyncio.Queue()

    @broker.task
    async def work(number: int) -> None:
        await done.put(number)

    await broker.startup()
    worker = asyncio.create_task(run_receiver_task(broker))
    try:
        for number in (1, 2):
            await work.kiq(number)
            assert await asyncio.wait_for(done.get(), PATIENCE) == number
    finally:
        worker.cancel()
        await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main(f"redis://{sys.argv[1]}:{sys.argv[2]}"))
