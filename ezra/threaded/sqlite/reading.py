"""A queue's books, read through a read-only connection beside whatever is being committed."""

from __future__ import annotations

import sqlite3

from ezra.sansio.model import Entry, QueueInfo, QueueSettings
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.rows import Row, unpack_headers


def length(connection: sqlite3.Connection, queue: str, *, dead: bool) -> int:
    """Return how many tasks wait in a queue, or are dead in it."""
    row = connection.execute(statements.LENGTH, (queue,)).fetchone() or (0, 0)
    return int(row[1] if dead else row[0])


def info(connection: sqlite3.Connection, queue: str) -> QueueInfo | None:
    """Return a queue's books, or None where there is no such queue."""
    row = connection.execute(statements.BOOKS, (queue,)).fetchone()
    return None if row is None else _books(connection, row)


def queues(connection: sqlite3.Connection) -> list[QueueInfo]:
    """Return the books of all queues, by name."""
    rows = connection.execute(statements.ALL_BOOKS).fetchall()
    return [_books(connection, row) for row in rows]


def _books(connection: sqlite3.Connection, row: Row) -> QueueInfo:
    queue_id = row[0]
    return QueueInfo(
        name=row[1],
        settings=QueueSettings(*row[2:5]),
        ready=row[5],
        scheduled=row[6],
        in_flight=row[7],
        done=row[8],
        dead=row[9],
        pushed=row[10],
        expired=row[11],
        last_id=row[12],
        groups=row[13],
        oldest_waiting=connection.execute(statements.OLDEST_READY, (queue_id,)).fetchone()[0],
        first=_entry(connection, statements.FIRST_LIVE, queue_id),
        last=_entry(connection, statements.LAST_LIVE, queue_id),
    )


def _entry(connection: sqlite3.Connection, statement: str, queue_id: int) -> Entry | None:
    row = connection.execute(statement, (queue_id,)).fetchone()
    return None if row is None else Entry(row[0], row[1], unpack_headers(row[2] or b""))
