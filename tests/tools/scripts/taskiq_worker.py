"""taskiq with taskiq-redis' stream broker: two tasks, one after the other.

After each batch the broker looks for abandoned tasks, under a lock (SET NX, a Lua script).
"""

# mypy: disable-error-code="import-not-found, untyped-decorator"
# taskiq is installed in an environment of its own.

from __future__ import annotations

import asyncio
import sys

from taskiq.receiver import Receiver
from taskiq_redis import RedisStreamBroker

PATIENCE = 10
"""Seconds within which all must be done."""


async def main(url: str) -> None:
    """Listen as taskiq's worker process does, which ends when listening fails."""
    broker = RedisStreamBroker(url, xread_block=100)
    broker.is_worker_process = True
    done: asyncio.Queue[int] = asyncio.Queue()

    @broker.task
    async def work(number: int) -> None:
        await done.put(number)

    await broker.startup()
    finish = asyncio.Event()

    async def produce() -> None:
        for number in (1, 2):
            await work.kiq(number)
            assert await done.get() == number
        finish.set()

    try:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            group.create_task(Receiver(broker, run_startup=False).listen(finish))
            group.create_task(produce())
    finally:
        await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main(f"redis://{sys.argv[1]}:{sys.argv[2]}"))
