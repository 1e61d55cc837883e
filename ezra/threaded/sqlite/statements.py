"""Every SQL statement on queues and tasks, with its purpose and the index that serves it.

Status words stand here in filters only, where they let SQLite use a partial index; every status
that is written is a parameter, and came out of `lifecycle.transition`. Times are parameters, too.
A test reads the "Index:" lines and asks SQLite whether they are true.

The statements made by a function take a number of rows at once: each step of a statement lets other
threads run, and coming back costs more than the step itself, so few statements do much each.
"""

from __future__ import annotations

from functools import cache

from ezra.threaded.sqlite.rows import LOADED

MOST_ROWS = 64
"""Rows in one statement: by then the statement's own cost is spread thin, and each number of rows
is a statement of its own to keep prepared."""

SWEEP_ROWS = 1_000
"""Rows that one commit sweeps of one kind: some milliseconds, which is what others wait for it."""


def _rows(count: int, columns: int) -> str:
    """Return `(?, ?), (?, ?)` for so many rows of so many columns."""
    return ", ".join(["(" + ", ".join("?" * columns) + ")"] * count)


# -- Queues ----------------------------------------------------------------------------------------

_QUEUE = "SELECT id, name, visibility_timeout, max_attempts, retry_delay FROM queues"

FIND_QUEUE = f"{_QUEUE} WHERE name = ?"
"""A queue by its name. Index: the UNIQUE name."""

GET_QUEUE = f"{_QUEUE} WHERE id = ?"
"""A queue by its number. Index: the primary key."""

INSERT_QUEUE = "INSERT INTO queues (name, created_at) VALUES (?, ?)"
"""A new queue, all settings the server's."""

SET_QUEUE = """
    UPDATE queues SET visibility_timeout = ?, max_attempts = ?, retry_delay = ? WHERE id = ?
"""
"""A queue's own settings. Index: the primary key."""

ADD_GROUP = "INSERT OR IGNORE INTO groups (queue_id, name) VALUES (?, ?)"
"""A group's name, known from now on. Index: the primary key."""

COUNT_EXPIRED = "UPDATE queues SET expired = expired + ? WHERE id = ?"
"""Tasks removed because their ttl was over. Index: the primary key."""

LAST_ID = """
    SELECT max((SELECT coalesce(max(last_id), 0) FROM queues),
        (SELECT last_id FROM high_water), (SELECT coalesce(max(id), 0) FROM tasks))
"""
"""The highest id ever used. Reads every queue's row; at the start and after edits by hand only."""

# -- Tasks by id -----------------------------------------------------------------------------------


@cache
def insert_tasks(count: int) -> str:
    """Push so many tasks: `rows.new_row` each."""
    return f"""
        INSERT INTO tasks (id, queue_id, status, priority, available_at, scheduled, created_at,
            expires_at, max_attempts, visibility_timeout) VALUES {_rows(count, 10)}
    """


@cache
def insert_payloads(count: int) -> str:
    """Write what the producers pushed: `rows.payload_row` each."""
    return f"INSERT INTO payloads (task_id, payload, headers) VALUES {_rows(count, 3)}"


@cache
def load_tasks(count: int) -> str:
    """Load so many tasks by id, to change them. Index: the primary key."""
    return f"SELECT {LOADED} FROM tasks WHERE id IN ({', '.join('?' * count)})"


@cache
def update_tasks(count: int) -> str:
    """Write so many changed tasks back: `rows.changed_row` each. Index: the primary key."""
    return f"""
        UPDATE tasks SET status = new.column2, available_at = new.column3, scheduled = new.column4,
            attempts = new.column5, worker = new.column6, claimed_at = new.column7,
            lease_until = new.column8, lapsed = new.column9, last_error = new.column10,
            finished_at = new.column11, dead_at = new.column12
        FROM (VALUES {_rows(count, 12)}) AS new WHERE tasks.id = new.column1
    """


@cache
def delete_tasks(count: int) -> str:
    """Remove so many tasks by id; triggers take the payloads along. Index: the primary key."""
    return f"DELETE FROM tasks WHERE id IN ({', '.join('?' * count)})"


# -- Claims ----------------------------------------------------------------------------------------

READY = f"""
    SELECT {LOADED}, payload, headers FROM tasks LEFT JOIN payloads ON task_id = tasks.id
    WHERE queue_id = ? AND status = 'available' AND scheduled = 0
        AND (expires_at IS NULL OR expires_at > ?)
    ORDER BY priority DESC, available_at, tasks.id LIMIT ? OFFSET ?
"""
"""Whose turn it is in a queue at a moment. Index: tasks_ready."""

DEAD = f"""
    SELECT {LOADED}, payload, headers FROM tasks LEFT JOIN payloads ON task_id = tasks.id
    WHERE queue_id = ? AND status = 'dead'
    ORDER BY priority DESC, available_at, tasks.id LIMIT ? OFFSET ?
"""
"""Whose turn it is in a dead-letter queue. Index: tasks_dead."""

HELD = f"""
    SELECT {LOADED}, payload, headers FROM tasks LEFT JOIN payloads ON task_id = tasks.id
    WHERE queue_id = ? AND status = 'in_flight' AND worker = ? AND tasks.id > ?
        AND (dead_at IS NOT NULL) = ? AND lease_until > ?
    ORDER BY tasks.id LIMIT ?
"""
"""A worker's own tasks after an id, from the queue or its dead-letter queue. Index: tasks_held."""

# -- What falls due --------------------------------------------------------------------------------

LAPSED = f"""
    SELECT {LOADED} FROM tasks WHERE status = 'in_flight' AND lease_until <= ?
    ORDER BY lease_until LIMIT {SWEEP_ROWS}
"""
"""Tasks whose lease has lapsed. Index: tasks_leases."""

EXPIRED = f"""
    SELECT id, queue_id, status FROM tasks
    WHERE status IN ('available', 'done') AND expires_at <= ?
    ORDER BY expires_at LIMIT {SWEEP_ROWS}
"""
"""Tasks whose ttl is over. Index: tasks_expiring."""

PROMOTE = f"""
    UPDATE tasks SET scheduled = 0 WHERE id IN (
        SELECT id FROM tasks WHERE status = 'available' AND scheduled = 1 AND available_at <= ?
        ORDER BY available_at LIMIT {SWEEP_ROWS}
    ) RETURNING queue_id
"""
"""Make ready what has waited for its time. Index: tasks_scheduled."""

FINISHED = f"""
    SELECT id, queue_id, status FROM tasks WHERE status = 'done' AND finished_at <= ?
    ORDER BY finished_at LIMIT {SWEEP_ROWS}
"""
"""Done tasks that were kept long enough. Index: tasks_finished."""

NEXT_DUE = """
    SELECT
        (SELECT min(lease_until) FROM tasks WHERE status = 'in_flight'),
        (SELECT min(available_at) FROM tasks WHERE status = 'available' AND scheduled = 1),
        (SELECT min(expires_at) FROM tasks
            WHERE expires_at IS NOT NULL AND status IN ('available', 'done')),
        (SELECT min(finished_at) FROM tasks WHERE status = 'done')
"""
"""The first lease, delay, ttl and finish. Index: tasks_leases, tasks_scheduled, tasks_expiring,
tasks_finished."""

REBASE = """
    UPDATE tasks SET available_at = ?1 WHERE available_at > ?1
        AND (status = 'in_flight' OR (status = 'available' AND scheduled = 0))
"""
"""Bring tasks that have been ready out of a future that a clock set back has made. Reads all tasks,
so it is for a start under such a clock only; a trigger has the next sweep see that they are due."""

# -- Books -----------------------------------------------------------------------------------------

LENGTH = "SELECT ready + scheduled, dead FROM queues WHERE name = ?"
"""How many tasks wait and how many are dead. Index: the UNIQUE name."""

_BOOKS = """
    SELECT id, name, visibility_timeout, max_attempts, retry_delay, ready, scheduled, in_flight,
        done, dead, pushed, expired, last_id,
        (SELECT count(*) FROM groups WHERE queue_id = queues.id)
    FROM queues
"""

BOOKS = f"{_BOOKS} WHERE name = ?"
"""One queue's books. Index: the UNIQUE name."""

ALL_BOOKS = f"{_BOOKS} ORDER BY name"
"""Every queue's books, by name. Index: the UNIQUE name."""

OLDEST_READY = """
    WITH RECURSIVE levels (priority) AS (
        SELECT max(priority) FROM tasks
            WHERE queue_id = ?1 AND status = 'available' AND scheduled = 0
        UNION ALL
        SELECT (SELECT max(priority) FROM tasks WHERE queue_id = ?1 AND status = 'available'
            AND scheduled = 0 AND priority < levels.priority)
        FROM levels WHERE levels.priority IS NOT NULL
    )
    SELECT min((SELECT min(available_at) FROM tasks WHERE queue_id = ?1 AND status = 'available'
        AND scheduled = 0 AND priority = levels.priority))
    FROM levels
"""
"""Since when the oldest ready task waits: one look for each priority in use. Index: tasks_ready."""

_ENTRY = """
    SELECT tasks.id, payload, headers FROM tasks LEFT JOIN payloads ON task_id = tasks.id
    WHERE queue_id = ? AND status IN ('available', 'in_flight')
"""

FIRST_LIVE = f"{_ENTRY} ORDER BY tasks.id LIMIT 1"
"""The live task with the lowest id. Index: tasks_live."""

LAST_LIVE = f"{_ENTRY} ORDER BY tasks.id DESC LIMIT 1"
"""The live task with the highest id. Index: tasks_live."""

TOTALS = """
    SELECT count(*), coalesce(sum(ready + scheduled), 0), coalesce(sum(dead), 0) FROM queues
"""
"""What is there, for the start-up line. Reads every queue's row."""

# -- Transactions ----------------------------------------------------------------------------------

BEGIN = "BEGIN IMMEDIATE"
COMMIT = "COMMIT"
ROLLBACK = "ROLLBACK"
SAVE = "SAVEPOINT one"
KEEP = "RELEASE one"
UNDO = "ROLLBACK TO one"
DATA_VERSION = "PRAGMA data_version"
"""Changes when another connection has written: a person, for the engine has one writer."""
CHECKPOINT = "PRAGMA wal_checkpoint(TRUNCATE)"
