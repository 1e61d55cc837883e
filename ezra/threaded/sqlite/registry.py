"""What the writer remembers of the database: the queues by name and number, and the last id.

A person may edit the database at any time; `refresh` asks SQLite in each transaction whether one
has (one number to compare) and forgets what was remembered if so.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from ezra.sansio.model import Defaults, QueueSettings
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.rows import Row


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as operations need it: its own settings, or the server's in their place."""

    id: int
    name: str
    visibility_timeout: int
    max_attempts: int
    retry_delay: int


class Registry:
    """Belongs to whoever leads the commit. `last_id` never goes back, whatever is rolled back."""

    def __init__(self, connection: sqlite3.Connection, defaults: Defaults) -> None:
        self._connection = connection
        self._defaults = defaults
        self._by_name: dict[str, Queue] = {}
        self._by_id: dict[int, Queue] = {}
        self._data_version = -1
        self.last_id = 0

    def refresh(self) -> bool:
        """Look whether somebody else has written; to be called first in each transaction."""
        version = self._connection.execute(statements.DATA_VERSION).fetchone()[0]
        if version == self._data_version:
            return False
        self._data_version = version
        self.forget()
        stored = self._connection.execute(statements.LAST_ID).fetchone()[0]
        self.last_id = max(self.last_id, stored)
        return True

    def forget(self) -> None:
        """Forget the queues: a rollback may have taken back what made or changed them."""
        self._by_name.clear()
        self._by_id.clear()

    def find(self, name: str) -> Queue | None:
        """Return the queue of that name, or None."""
        return self._by_name.get(name) or self._read(statements.FIND_QUEUE, name)

    def get(self, queue_id: int) -> Queue:
        """Return the queue of that number, which a task's row named."""
        queue = self._by_id.get(queue_id) or self._read(statements.GET_QUEUE, queue_id)
        if queue is None:
            raise LookupError(f"a task belongs to queue {queue_id}, which does not exist")
        return queue

    def ensure(self, name: str, now: int) -> Queue:
        """Return the queue of that name, made at `now` where there was none."""
        queue = self.find(name)
        if queue is None:
            self._connection.execute(statements.INSERT_QUEUE, (name, now))
            return self.ensure(name, now)
        return queue

    def configure(self, queue: Queue, settings: QueueSettings) -> None:
        """Replace the queue's own settings."""
        row = (settings.visibility_timeout, settings.max_attempts, settings.retry_delay, queue.id)
        self._connection.execute(statements.SET_QUEUE, row)
        self._read(statements.FIND_QUEUE, queue.name)

    def _read(self, statement: str, key: str | int) -> Queue | None:
        row = self._connection.execute(statement, (key,)).fetchone()
        if row is None:
            return None
        queue = _queue(row, self._defaults)
        self._by_name[queue.name] = self._by_id[queue.id] = queue
        return queue


def _queue(row: Row, defaults: Defaults) -> Queue:
    queue_id, name, visibility_timeout, max_attempts, retry_delay = row
    return Queue(
        queue_id,
        name,
        defaults.visibility_timeout if visibility_timeout is None else visibility_timeout,
        defaults.max_attempts if max_attempts is None else max_attempts,
        defaults.retry_delay if retry_delay is None else retry_delay,
    )
