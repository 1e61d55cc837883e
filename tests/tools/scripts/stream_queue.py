"""redis-stream-queue: push, work in batches, take over after a crash, its own dead-letter queue.

A handler that returns a task's id has it acked. One task is left twice; then the library's sweep
finds it delivered `max_deliveries` times and hands it to the dead-letter handler.
"""

# mypy: disable-error-code="import-not-found"
# redis-stream-queue is installed in an environment of its own.

from __future__ import annotations

import asyncio
import sys

from redis_stream_queue import (
    ConsumerConfig,
    ConsumerGroup,
    StreamClient,
    StreamConsumer,
    StreamMessage,
    StreamProducer,
)


async def main(host: str, port: int) -> None:
    """Push three tasks, of which the handler leaves one, until it is dead."""
    client = StreamClient(host=host, port=port)
    producer = StreamProducer(client=client, stream="orders", group="workers")
    await producer.ensure_group()
    await producer.push({"order": 1})
    await producer.push_many([{"order": 2}, {"order": 3}])

    handled: list[int] = []
    dead: list[tuple[int, str]] = []

    async def handle(messages: list[StreamMessage]) -> list[str]:
        handled.extend(message.data["order"] for message in messages)
        return [message.id for message in messages if message.data["order"] != 2]

    async def bury(message: StreamMessage, reason: str) -> None:
        dead.append((message.data["order"], reason))

    # min_idle_claim_ms=1: what a round leaves is taken over in that round already, or in the next.
    config = ConsumerConfig(group="workers", block_ms=50, min_idle_claim_ms=1, max_deliveries=2)
    consumer = StreamConsumer(client, "orders", config, handle, dlq_handler=bury)
    for _ in range(3):
        await consumer.run_once()

    assert handled == [1, 2, 3, 2], handled
    assert dead == [(2, "max_deliveries")], dead
    stats = await ConsumerGroup(client, "orders", "workers").stats()
    assert (stats.group_pel_size, stats.lag) == (0, 0), stats
    assert [one.pending for one in stats.consumers] == [0], stats
    await client.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
