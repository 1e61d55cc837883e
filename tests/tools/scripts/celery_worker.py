"""Celery with Redis as its broker and for its results: one task, one worker in this process."""

# mypy: disable-error-code="import-not-found, untyped-decorator"
# Celery is installed in an environment of its own.

from __future__ import annotations

import sys

from celery import Celery
from celery.contrib.testing.worker import start_worker

PATIENCE = 10
"""Seconds within which the result must be there."""


def main(url: str) -> None:
    """Send one task and wait for its result."""
    app = Celery("orders", broker=url, backend=url)
    app.conf.broker_connection_retry_on_startup = False
    app.conf.broker_transport_options = {"max_retries": 0}

    @app.task
    def double(number: int) -> int:
        return 2 * number

    result = double.apply_async((21,), retry=False)
    with start_worker(app, perform_ping_check=False):
        assert result.get(timeout=PATIENCE) == 42


if __name__ == "__main__":
    main(f"redis://{sys.argv[1]}:{sys.argv[2]}/0")
