"""SAQ: one job, worked on in this process, and its result."""

# mypy: disable-error-code="import-not-found"
# SAQ is installed in an environment of its own.

from __future__ import annotations

import asyncio
import sys
from typing import Any

from saq import Queue, Worker


async def double(_: dict[str, Any], *, number: int) -> int:
    """Be the job."""
    return 2 * number


async def main(url: str) -> None:
    """Apply one job, which waits for its result, while a worker runs."""
    queue = Queue.from_url(url)
    await queue.connect()
    worker = Worker(queue, functions=[double], concurrency=1)
    working = asyncio.create_task(worker.process())
    try:
        assert await queue.apply("double", number=21, timeout=10) == 42
        await working
    finally:
        working.cancel()
        await queue.disconnect()


if __name__ == "__main__":
    asyncio.run(main(f"redis://{sys.argv[1]}:{sys.argv[2]}"))
