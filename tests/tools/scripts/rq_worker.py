"""RQ: enqueue a job, work in burst mode, read its result."""

# mypy: disable-error-code="import-not-found"
# RQ is installed in an environment of its own.

from __future__ import annotations

import sys

from redis import Redis
from rq import Queue, SimpleWorker


def main(host: str, port: int) -> None:
    """Run one job in this process."""
    redis = Redis(host, port)
    queue = Queue("orders", connection=redis)
    job = queue.enqueue("math.pow", 2, 5)
    SimpleWorker([queue], connection=redis).work(burst=True, logging_level="ERROR")
    assert job.return_value() == 32


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
