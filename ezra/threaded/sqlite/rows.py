"""Between a `Task` and its rows: the values that statements take, and the columns they give back.

A task is two rows. What changes in its life is in `tasks`; what a producer pushed is in `payloads`,
written once and never touched again. A task that is loaded only to be changed comes without what
its producer pushed: `payload` is None and `headers` is empty then, and neither is ever written.

Of what was pushed a checksum is stored with it, and whoever is to be given a task is given it by
`unpack`, which compares: SQLite itself does not notice when a disk gives back other bytes.
"""

from __future__ import annotations

import re
from typing import Any
from zlib import crc32

from ezra.sansio.model import Status
from ezra.sansio.queue.lifecycle import CHECKSUM_WRONG, HEADERS_UNREADABLE, PAYLOAD_MISSING
from ezra.sansio.queue.task import Task

Headers = tuple[tuple[bytes, bytes], ...]
Row = tuple[Any, ...]
"""A row as `sqlite3` gives and takes it."""

_LENGTH = re.compile(rb"(0|[1-9][0-9]{0,9}):")
"""In front of a netstring. `int` alone would take `-4`, and then read the same bytes for ever."""

LOADED = (
    "tasks.id, tasks.priority, tasks.max_attempts, tasks.visibility_timeout, tasks.created_at, "
    "tasks.expires_at, tasks.available_at, tasks.status, tasks.attempts, tasks.worker, "
    "tasks.claimed_at, tasks.renewed_at, tasks.lease_until, tasks.lapsed, tasks.last_error, "
    "tasks.finished_at, tasks.dead_at, tasks.damaged, tasks.claims, tasks.queue_id"
)
"""The columns of a task in the order in which `to_task` reads them; its queue comes last."""

QUEUE_ID = 19
"""Where the queue's number stands in such a row; the columns of `PUSHED` may follow."""

PUSHED = "CAST(payload AS BLOB), CAST(headers AS BLOB), checksum"
"""What `unpack` takes. A value that is a BLOB no more, by a flipped bit, is compared like any."""

_STATUS: dict[str, Status] = {status.value: status for status in Status}


class Damaged(Exception):
    """What is stored of a task is not what was pushed; the text says what is wrong with it."""


def to_task(row: Row, queue: str, payload: bytes | None = None, headers: Headers = ()) -> Task:
    """Return the task in a row of `LOADED`, with what was unpacked of its payload."""
    return Task(
        id=row[0],
        queue=queue,
        payload=payload,
        headers=headers,
        priority=row[1],
        max_attempts=row[2],
        visibility_timeout=row[3],
        created_at=row[4],
        expires_at=row[5],
        available_at=row[6],
        status=_STATUS[row[7]],
        attempts=row[8],
        worker=row[9],
        claimed_at=row[10],
        renewed_at=row[11],
        lease_until=row[12],
        lapsed=row[13] == 1,
        last_error=row[14],
        finished_at=row[15],
        dead_at=row[16],
        damaged=row[17] == 1,
        claims=row[18],
    )


def new_row(task: Task, queue_id: int, now: int) -> Row:
    """Return the values that `statements.insert_tasks` takes."""
    return (
        task.id,
        queue_id,
        task.status.value,
        task.priority,
        task.available_at,
        task.available_at > now,
        task.created_at,
        task.expires_at,
        task.max_attempts,
        task.visibility_timeout,
    )


def payload_row(task: Task) -> Row:
    """Return the values that `statements.insert_payloads` takes."""
    headers = pack_headers(task.headers)
    return task.id, task.payload, headers, checksum(task.id, task.payload, headers)


def changed_row(task: Task, now: int) -> Row:
    """Return the values that `statements.update_tasks` takes."""
    return (
        task.id,
        task.status.value,
        task.available_at,
        task.status is Status.AVAILABLE and task.available_at > now,
        task.attempts,
        task.worker,
        task.claimed_at,
        task.renewed_at,
        task.lease_until,
        task.lapsed,
        task.last_error,
        task.finished_at,
        task.dead_at,
        task.claims,
    )


def checksum(task_id: int, payload: bytes | None, headers: bytes) -> int:
    """Return the CRC-32 of what was pushed under this id; no payload is not an empty one."""
    size = -1 if payload is None else len(payload)
    return crc32(headers, crc32(payload or b"", crc32(b"%d %d " % (task_id, size))))


def unpack(
    task_id: int, payload: bytes | None, headers: bytes | None, stored: int | None
) -> tuple[bytes | None, Headers]:
    """Return the payload and the headers in the columns of `PUSHED`.

    Raises:
        Damaged: they are not what was pushed.
    """
    if headers is None:
        raise Damaged(PAYLOAD_MISSING)
    if stored is not None and stored != checksum(task_id, payload, headers):
        raise Damaged(CHECKSUM_WRONG)
    try:
        return payload, unpack_headers(headers) if headers else ()
    except ValueError as error:
        raise Damaged(HEADERS_UNREADABLE) from error


def pack_headers(headers: Headers) -> bytes:
    """Return headers as netstrings, name and value in turn: `4:user,5:alice,`.

    Exact for any bytes, and still readable by a person who looks into the database.
    """
    return b"".join(b"%d:%b," % (len(part), part) for header in headers for part in header)


def unpack_headers(packed: bytes) -> Headers:
    """Return the headers in netstrings.

    Raises:
        ValueError: that is not what `pack_headers` makes.
    """
    parts = []
    position = 0
    while position < len(packed):
        length = _LENGTH.match(packed, position)
        if length is None:
            raise ValueError(f"no netstring begins at byte {position}")
        end = length.end() + int(length[1])
        parts.append(packed[length.end() : end])
        if packed[end : end + 1] != b",":
            raise ValueError(f"a netstring does not end at byte {end}")
        position = end + 1
    return tuple(zip(parts[::2], parts[1::2], strict=True))
