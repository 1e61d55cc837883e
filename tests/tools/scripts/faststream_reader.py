"""FastStream without a consumer group: a subscriber that reads every entry of a stream."""

# mypy: disable-error-code="import-not-found, untyped-decorator"
# FastStream is installed in an environment of its own.

from __future__ import annotations

import asyncio
import sys

from faststream.redis import RedisBroker

PATIENCE = 5
"""Seconds within which the entry must have come."""


async def main(url: str) -> None:
    """Publish until what is published is heard: the subscriber reads from when it is ready."""
    broker = RedisBroker(url, logger=None)
    heard = asyncio.Event()

    @broker.subscriber(stream="prices")
    async def listen(_: str) -> None:
        heard.set()

    async with broker, asyncio.timeout(PATIENCE):
        await broker.start()
        while not heard.is_set():
            await broker.publish("42", stream="prices")
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main(f"redis://{sys.argv[1]}:{sys.argv[2]}"))
