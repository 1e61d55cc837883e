"""ARQ: one job, a worker in burst mode, the job's result."""

# mypy: disable-error-code="import-not-found"
# ARQ is installed in an environment of its own.

from __future__ import annotations

import asyncio
import sys
from typing import Any

from arq import Worker, create_pool
from arq.connections import RedisSettings


async def double(_: dict[str, Any], number: int) -> int:
    """Be the job."""
    return 2 * number


async def main(host: str, port: int) -> None:
    """Run one job in this process."""
    settings = RedisSettings(host, port, conn_retries=0)
    pool = await create_pool(settings)
    job = await pool.enqueue_job("double", 21)
    assert job is not None
    worker = Worker([double], redis_settings=settings, burst=True, handle_signals=False)
    await worker.async_run()
    assert await job.result(timeout=10) == 42
    await worker.close()
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
