"""Every SQL statement of `python -m ezra check`, with what it finds.

A promise is a SELECT that finds the rows which break it. All of them read whole tables: they run
when a person asks, on a connection of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

INTEGRITY = "PRAGMA integrity_check"
"""Pages, indexes, and the constraints of every row: `ok`, or what is wrong."""

FOREIGN_KEYS = "PRAGMA foreign_key_check"
"""Rows that refer to what is not there."""

FIND_COLUMN = "SELECT count(*) FROM pragma_table_info(?) WHERE name = ?"
"""Whether a table has a column."""

WRONG_CHECKSUMS = """
    SELECT task_id FROM payloads WHERE checksum <>
        checksum_of(task_id, CAST(payload AS BLOB), CAST(headers AS BLOB))
"""
"""Tasks that are not what was pushed; `checksum_of` is a function of the connection."""

QUEUES = "SELECT count(*) FROM queues"
"""How many queues there are."""

STATUSES = "SELECT status, count(*) FROM tasks GROUP BY status"
"""How many tasks have each status."""

NEWEST = """
    SELECT max((SELECT coalesce(max(last_id), 0) FROM queues),
            (SELECT max(last_id) FROM high_water)),
        (SELECT coalesce(max(max(coalesce(claimed_at, 0), coalesce(finished_at, 0),
            coalesce(dead_at, 0))), 0) FROM tasks)
"""
"""The last id that was given out, and the last moment at which something was done with a task."""


@dataclass(frozen=True, slots=True)
class Promise:
    """Something that holds for every row, whatever was done."""

    what: str
    wrong: str
    """What is wrong with the rows that are found, with `{count}` and `{first}`."""
    select: str
    """How many rows break it, and the first of them. `{renewed_at}` is that column, or NULL."""
    since: int = 1
    """The first format of which it can be asked."""


_COUNTED = """
    SELECT queues.name, queues.ready, queues.scheduled, queues.in_flight, queues.done, queues.dead,
        coalesce(sum(status = 'available' AND tasks.scheduled = 0), 0) AS now_ready,
        coalesce(sum(status = 'available' AND tasks.scheduled = 1), 0) AS now_scheduled,
        coalesce(sum(status = 'in_flight'), 0) AS now_in_flight,
        coalesce(sum(status = 'done'), 0) AS now_done,
        coalesce(sum(status = 'dead'), 0) AS now_dead
    FROM queues LEFT JOIN tasks ON queue_id = queues.id GROUP BY queues.id
"""

PROMISES = (
    Promise(
        "books",
        "{count} queues count their tasks wrongly, first {first!r}",
        f"""SELECT count(*), min(name) FROM ({_COUNTED}) WHERE (ready, scheduled, in_flight, done,
            dead) IS NOT (now_ready, now_scheduled, now_in_flight, now_done, now_dead)""",
    ),
    Promise(
        "the books of what is damaged",
        "{count} queues count those tasks wrongly, first {first!r}",
        """SELECT count(*), min(name) FROM queues WHERE damaged <> (SELECT count(*) FROM tasks
            WHERE queue_id = queues.id AND tasks.damaged = 1 AND status = 'dead')""",
        since=3,
    ),
    Promise(
        "statuses",
        "{count} tasks have columns that do not go with their status, first task {first}",
        """SELECT count(*), min(id) FROM tasks WHERE CASE status
            WHEN 'available' THEN coalesce(worker, claimed_at, {renewed_at}, lease_until,
                finished_at, dead_at) IS NOT NULL
            WHEN 'in_flight' THEN scheduled OR finished_at IS NOT NULL OR worker IS NULL
                OR claimed_at IS NULL OR lease_until IS NULL
            WHEN 'done' THEN scheduled OR finished_at IS NULL
                OR coalesce({renewed_at}, lease_until) IS NOT NULL
            WHEN 'dead' THEN scheduled OR dead_at IS NULL OR coalesce(worker, claimed_at,
                {renewed_at}, lease_until, finished_at) IS NOT NULL
            ELSE 1 END""",
    ),
    Promise(
        "ids",
        "{count} tasks have an id above the last one of their queue, first task {first}: "
        "it could be given out again",
        """SELECT count(*), min(tasks.id) FROM tasks JOIN queues ON queues.id = queue_id
            WHERE tasks.id > last_id""",
    ),
    Promise(
        "the last claimed ids",
        "{count} queues say that an id was claimed which they never had, first {first!r}",
        "SELECT count(*), min(name) FROM queues WHERE last_claimed > last_id",
        since=2,
    ),
    Promise(
        "the highest id of all",
        "it is kept in {count} rows too many or too few",
        "SELECT abs(count(*) - 1), NULL FROM high_water",
    ),
    Promise(
        "payloads",
        "{count} belong to no task, first that of {first}",
        """SELECT count(*), min(task_id) FROM payloads
            WHERE task_id NOT IN (SELECT id FROM tasks)""",
    ),
)

NOTHING_LOST = Promise(
    "tasks",
    "{count} have lost what was pushed, first {first}",
    """SELECT count(*), min(id) FROM tasks
        WHERE id NOT IN (SELECT task_id FROM payloads)""",
)
"""About what was pushed, as `WRONG_CHECKSUMS`: a server sets such a task aside, and serves on."""
