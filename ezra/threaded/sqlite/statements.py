"""Every SQL statement of the writer, with its purpose and the index that serves it.

Those that only answer looks are in `statements_of_looks`. Status words stand here in filters only,
where they let SQLite use a partial index; every status that is written is a parameter, and came out
of `lifecycle.transition`. Times are parameters, too. A test reads the "Index:" lines and asks
SQLite whether they are true.

The statements made by a function take a number of rows at once: each step of a statement lets other
threads run, and coming back costs more than the step itself, so few statements do much each.
"""

from __future__ import annotations

from functools import cache

from ezra.threaded.sqlite.rows import LOADED, PUSHED

MOST_ROWS = 64
"""Rows in one statement: by then the statement's own cost is spread thin, and each number of rows
is a statement of its own to keep prepared."""

SWEEP_ROWS = 1_000
"""Rows that one commit sweeps of one kind: some milliseconds, which is what others wait for it."""


def _rows(count: int, columns: int) -> str:
    """Return `(?, ?), (?, ?)` for so many rows of so many columns."""
    return ", ".join(["(" + ", ".join("?" * columns) + ")"] * count)


# -- Queues ----------------------------------------------------------------------------------------

SETTINGS = "visibility_timeout, max_attempts, retry_delay, dedup_window, dedup_limit"
"""The columns of a queue's own settings, in the order of `QueueSettings`."""

_QUEUE = f"SELECT id, name, {SETTINGS} FROM queues"

FIND_QUEUE = f"{_QUEUE} WHERE name = ?"
"""A queue by its name. Index: the UNIQUE name."""

GET_QUEUE = f"{_QUEUE} WHERE id = ?"
"""A queue by its number. Index: the primary key."""

INSERT_QUEUE = """
    INSERT INTO queues (id, name, created_at) VALUES (1 + max((SELECT last_queue FROM high_water),
        (SELECT coalesce(max(id), 0) FROM queues)), ?, ?)
"""
"""A new queue with a number that none had before, all settings the server's. Index: the primary
key."""

SET_QUEUE = f"UPDATE queues SET ({SETTINGS}) = (?, ?, ?, ?, ?) WHERE id = ?"
"""A queue's own settings. Index: the primary key."""

DELETE_QUEUE = "DELETE FROM queues WHERE id = ?"
"""Remove a queue; a trigger removes what belongs to it. Index: the primary key."""

COUNTED = "SELECT ready + scheduled, in_flight, done, dead FROM queues WHERE id = ?"
"""How many tasks of a queue wait, are in flight, done and dead. Index: the primary key."""

FIND_GROUP = "SELECT 1 FROM groups WHERE queue_id = ? AND name = ?"
"""Whether a group's name is known. Index: the primary key."""

REMOVE_GROUP = "DELETE FROM groups WHERE queue_id = ? AND name = ?"
"""Forget a group's name. Index: the primary key."""

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
    return f"INSERT INTO payloads (task_id, payload, headers, checksum) VALUES {_rows(count, 4)}"


@cache
def load_tasks(count: int) -> str:
    """Load so many tasks by id, to change them. Index: the primary key."""
    return f"SELECT {LOADED} FROM tasks WHERE id IN ({', '.join('?' * count)})"


@cache
def load_whole_tasks(count: int) -> str:
    """Load so many tasks by id with their payloads, to hand them out. Index: the primary key."""
    return f"""
        SELECT {LOADED}, {PUSHED} FROM tasks LEFT JOIN payloads ON task_id = tasks.id
        WHERE tasks.id IN ({", ".join("?" * count)})
    """


@cache
def update_tasks(count: int) -> str:
    """Write so many changed tasks back: `rows.changed_row` each. Index: the primary key."""
    return f"""
        UPDATE tasks SET status = new.column2, available_at = new.column3, scheduled = new.column4,
            attempts = new.column5, worker = new.column6, claimed_at = new.column7,
            renewed_at = new.column8, lease_until = new.column9, lapsed = new.column10,
            last_error = new.column11, finished_at = new.column12, dead_at = new.column13,
            claims = new.column14
        FROM (VALUES {_rows(count, 14)}) AS new WHERE tasks.id = new.column1
    """


@cache
def set_aside(count: int) -> str:
    """Mark so many tasks, by id, that are dead as of now, as damaged. Index: the primary key."""
    return f"UPDATE tasks SET damaged = 1 WHERE id IN ({', '.join('?' * count)})"


@cache
def delete_tasks(count: int) -> str:
    """Remove so many tasks by id; triggers take the payloads along. Index: the primary key."""
    return f"DELETE FROM tasks WHERE id IN ({', '.join('?' * count)})"


# -- Claims ----------------------------------------------------------------------------------------

READY = f"""
    SELECT {LOADED}, {PUSHED} FROM tasks LEFT JOIN payloads ON task_id = tasks.id
    WHERE queue_id = ? AND status = 'available' AND scheduled = 0
        AND (expires_at IS NULL OR expires_at > ?)
    ORDER BY priority DESC, available_at, tasks.id LIMIT ? OFFSET ?
"""
"""Whose turn it is in a queue at a moment. Index: tasks_ready."""

DEAD = f"""
    SELECT {LOADED}, {PUSHED} FROM tasks LEFT JOIN payloads ON task_id = tasks.id
    WHERE queue_id = ? AND status = 'dead' AND damaged = 0
    ORDER BY priority DESC, available_at, tasks.id LIMIT ? OFFSET ?
"""
"""Whose turn it is in a dead-letter queue, where who is set aside has none. Index: tasks_dead."""

_HELD = f"""
    SELECT {LOADED}, {PUSHED} FROM tasks LEFT JOIN payloads ON task_id = tasks.id
    WHERE queue_id = ? AND status = 'in_flight' AND worker = ? AND tasks.id > ?
        AND lease_until > ?
"""

HELD = f"{_HELD} AND (dead_at IS NOT NULL) = ? ORDER BY tasks.id LIMIT ?"
"""A worker's own tasks after an id, from the queue or its dead-letter queue. Index: tasks_held."""

ALL_HELD = f"{_HELD} ORDER BY tasks.id LIMIT ?"
"""A worker's own tasks after an id, wherever they came from. Index: tasks_held."""

HOLDS = """
    SELECT 1 FROM tasks WHERE queue_id = ? AND status = 'in_flight' AND worker = ? LIMIT 1
"""
"""Whether a worker holds anything of a queue. Index: tasks_held."""


def _idle(where_from: str) -> str:
    """Return a statement that sorts ids, and only then reads their tasks, one by one."""
    return f"""
        SELECT {LOADED}, {PUSHED} FROM (
            SELECT id FROM tasks INDEXED BY tasks_held
            WHERE queue_id = ? AND status = 'in_flight' AND id > ? AND lease_until > ?
                AND max(0, ? - coalesce(renewed_at, claimed_at)) >= ? {where_from}
            ORDER BY id LIMIT ?
        ) AS idle CROSS JOIN tasks ON tasks.id = idle.id LEFT JOIN payloads ON task_id = tasks.id
    """


IDLE = _idle("AND (dead_at IS NOT NULL) = ?")
"""Tasks in flight after an id that have been idle for so long at a moment, from the queue or its
dead-letter queue. Reads the tasks that its workers hold. Index: tasks_held."""

ALL_IDLE = _idle("")
"""The same, wherever they came from. Index: tasks_held."""

NEXT_IN_FLIGHT = """
    SELECT min(id) FROM tasks INDEXED BY tasks_held
    WHERE queue_id = ? AND status = 'in_flight' AND id > ? AND lease_until > ?
"""
"""The first task in flight after an id. Reads the tasks that its workers hold. Index:
tasks_held."""

# -- Trimming --------------------------------------------------------------------------------------

OLDEST_DONE = """
    SELECT id, queue_id, status FROM tasks WHERE queue_id = ? AND status = 'done' AND id <= ?
    ORDER BY finished_at, id LIMIT ?
"""
"""A queue's done tasks up to an id, those first that finished first. Index: tasks_finished."""

OLDEST_DEAD = """
    SELECT id, queue_id, status FROM tasks WHERE queue_id = ? AND status = 'dead' AND id <= ?
    ORDER BY id LIMIT ?
"""
"""A queue's dead tasks up to an id, by id. Index: tasks_dead_ids."""

# -- Keys that tell repeated pushes ----------------------------------------------------------------

FIND_KEY = """
    SELECT task_id FROM dedup_keys WHERE queue_id = ? AND producer = ? AND key = ? AND until > ?
"""
"""What a repeat at a moment is answered. Index: the UNIQUE key."""

KEEP_KEY = """
    INSERT OR REPLACE INTO dedup_keys (task_id, queue_id, producer, key, limited, until)
    VALUES (?, ?, ?, ?, ?, ?)
"""
"""Remember a push; a key whose time is over, and that no sweep has seen yet, gives way."""

LIMIT_KEYS = """
    DELETE FROM dedup_keys WHERE task_id IN (
        SELECT task_id FROM dedup_keys
        WHERE queue_id = ? AND producer = ? AND limited = 1 AND until > ?
        ORDER BY task_id DESC LIMIT -1 OFFSET ?
    )
"""
"""Of a producer's limited keys that hold at a moment, forget all but the newest. Reads as many as
stay. Index: dedup_keys_limited."""

# -- What falls due --------------------------------------------------------------------------------

LAPSED = f"""
    SELECT {LOADED} FROM tasks WHERE status = 'in_flight' AND lease_until <= ?
    ORDER BY lease_until LIMIT ?
"""
"""Tasks whose lease has lapsed. Index: tasks_leases."""

LAPSED_IN_TURN = f"""
    SELECT {LOADED} FROM tasks INDEXED BY tasks_held
    WHERE queue_id = ? AND status = 'in_flight' AND lease_until <= ? ORDER BY priority DESC,
        available_at, id LIMIT ?
"""
"""Of a queue, those first whose turn comes first once they are back. Reads the tasks that its
workers hold. Index: tasks_held."""

EXPIRED = """
    SELECT id, queue_id, status FROM tasks
    WHERE status IN ('available', 'done') AND expires_at <= ?
    ORDER BY expires_at LIMIT ?
"""
"""Tasks whose ttl is over. Index: tasks_expiring."""

PROMOTE = """
    UPDATE tasks SET scheduled = 0 WHERE id IN (
        SELECT id FROM tasks WHERE status = 'available' AND scheduled = 1 AND available_at <= ?
        ORDER BY available_at LIMIT ?
    ) RETURNING queue_id
"""
"""Make ready what has waited for its time. Index: tasks_scheduled."""

NEXT_PRIORITY = """
    SELECT max(priority) FROM tasks
    WHERE queue_id = ? AND status = 'available' AND scheduled = 1 AND priority < ?
"""
"""The highest priority below one that a queue's scheduled tasks have. Index: tasks_turns."""

PROMOTE_IN_TURN = """
    UPDATE tasks SET scheduled = 0 WHERE id IN (
        SELECT id FROM tasks WHERE queue_id = ? AND status = 'available' AND scheduled = 1
            AND priority = ? AND available_at <= ? AND (expires_at IS NULL OR expires_at > ?)
        ORDER BY available_at, id LIMIT ?
    )
"""
"""The same for one priority of a queue, those first whose turn comes first. Index: tasks_turns."""

FINISHED = """
    SELECT tasks.id, queue_id, status FROM queues CROSS JOIN tasks ON queue_id = queues.id
    WHERE done > 0 AND status = 'done' AND finished_at <= ? LIMIT ?
"""
"""Done tasks that were kept long enough. Reads every queue's row. Index: tasks_finished."""

FORGET_KEYS = """
    DELETE FROM dedup_keys WHERE task_id IN (
        SELECT task_id FROM dedup_keys WHERE until <= ? ORDER BY until LIMIT ?
    )
"""
"""Forget keys whose time is over. Index: dedup_keys_due."""

NEXT_DUE = """
    SELECT
        (SELECT min(lease_until) FROM tasks WHERE status = 'in_flight'),
        (SELECT min(available_at) FROM tasks WHERE status = 'available' AND scheduled = 1),
        (SELECT min(expires_at) FROM tasks
            WHERE expires_at IS NOT NULL AND status IN ('available', 'done')),
        (SELECT min(until) FROM dedup_keys)
"""
"""The first lease, delay, ttl and end of a key. Index: tasks_leases, tasks_scheduled,
tasks_expiring, dedup_keys_due."""

FIRST_FINISHED = """
    SELECT min((SELECT min(finished_at) FROM tasks WHERE queue_id = queues.id AND status = 'done'))
    FROM queues WHERE done > 0
"""
"""When the first of the done tasks finished. Reads every queue's row. Index: tasks_finished."""

REBASE = """
    UPDATE tasks SET available_at = ?1 WHERE available_at > ?1
        AND (status = 'in_flight' OR (status = 'available' AND scheduled = 0))
"""
"""Bring tasks that have been ready out of a future that a clock set back has made. Reads all tasks,
so it is for a start under such a clock only; a trigger has the next sweep see that they are due."""

# -- At the start ----------------------------------------------------------------------------------

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
"""Bring the whole WAL into the database and give its space back; waits for who still reads it."""
BRING_ALL_IN = "PRAGMA wal_checkpoint(FULL)"
"""Bring the whole WAL into the database and keep its space; waits for who still needs it."""
BRING_IN = "PRAGMA wal_checkpoint(PASSIVE)"
"""Bring in what nobody reads any more, and keep the space."""
