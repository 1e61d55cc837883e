"""Dramatiq with its Redis broker: one message, one worker in this process."""

# mypy: disable-error-code="import-not-found, untyped-decorator"
# Dramatiq is installed in an environment of its own.

from __future__ import annotations

import sys

import dramatiq
from dramatiq.brokers.redis import RedisBroker


def main(host: str, port: int) -> None:
    """Send one message and wait until its queue is empty."""
    broker = RedisBroker(host=host, port=port)
    dramatiq.set_broker(broker)
    done: list[int] = []

    @dramatiq.actor
    def work(number: int) -> None:
        done.append(number)

    work.send(1)
    worker = dramatiq.Worker(broker, worker_threads=1)
    worker.start()
    try:
        broker.join(work.queue_name, timeout=10_000)
        worker.join()
    finally:
        worker.stop()
    assert done == [1]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
