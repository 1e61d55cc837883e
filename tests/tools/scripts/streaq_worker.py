"""streaQ: one task, a worker in burst mode, the task's result."""

# mypy: disable-error-code="import-not-found, untyped-decorator"
# streaQ is installed in an environment of its own.

from __future__ import annotations

import asyncio
import sys

import anyio
from streaq import Worker

PATIENCE = 10
"""Seconds within which the result must be there."""


async def main(url: str) -> None:
    """Enqueue one task, work until the queue is empty, read the result."""
    worker = Worker(redis_url=url, handle_signals=False)

    @worker.task
    async def double(number: int) -> int:
        return 2 * number

    async with asyncio.timeout(PATIENCE), anyio.create_task_group() as group:
        await group.start(worker.run_async)
        task = await double.enqueue(21)
        assert (await task.result()).result == 42
        group.cancel_scope.cancel()


if __name__ == "__main__":
    asyncio.run(main(f"redis://{sys.argv[1]}:{sys.argv[2]}"))
