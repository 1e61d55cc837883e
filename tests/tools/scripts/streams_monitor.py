"""redis-streams: produce, collect a batch, ack; its monitor, and its advice about scaling."""

# mypy: disable-error-code="import-not-found"
# redis-streams is installed in an environment of its own.

from __future__ import annotations

import sys

from redis import Redis
from redis_streams.consumer import Consumer
from redis_streams.monitor import Monitor
from redis_streams.producer import Producer
from redis_streams.scaler import Scaler

STREAM, GROUP = "orders", "workers"


def main(host: str, port: int) -> None:
    """Let one worker die with two tasks; another one gets them and finishes all."""
    redis = Redis(host, port, decode_responses=True)
    producer = Producer(redis, STREAM, maxlen=10_000)
    lost, alive = _consumer(redis, "lost"), _consumer(redis, "alive")
    pushed = [producer.add({"order": str(number)}) for number in range(4)]

    assert [item.msgid for item in lost.get_items()] == pushed[:2]
    assert [item.msgid for item in alive.get_items()] == pushed[2:]
    scaler = Scaler(redis, STREAM, GROUP)
    assert scaler.collect_metrics() == (0, 4)

    for item in alive.get_items():
        alive.remove_item_from_consumer_group(item.msgid)
    # Two tasks are more than the batch of one that this monitor allows: it moves them to the other.
    monitor = Monitor(redis, STREAM, GROUP, batch_size=1, min_wait_time_ms=1)
    monitor.collect_monitoring_data(auto_cleanup=True)
    moved = alive.get_items()
    assert [(item.msgid, item.content["order"]) for item in moved] == [
        (pushed[0], "0"),
        (pushed[1], "1"),
    ]
    for item in moved:
        alive.remove_item_from_consumer_group(item.msgid)
    assert alive.get_items() == []
    scaler.collect_metrics()
    assert scaler.stream_pending == 0
    assert scaler.get_scale_decision() == (0, "NO_SCALE")


def _consumer(redis: Redis, name: str) -> Consumer:
    return Consumer(redis, STREAM, GROUP, name, batch_size=2, max_wait_time_ms=300, poll_time_ms=50)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
