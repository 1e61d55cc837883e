"""Every SQL statement that answers looks, with its purpose and the index that serves it.

They run on a connection that only reads, or on the writer's for a look inside a transaction. The
rules are those of `statements`. Of tasks that wait, are done or are dead they read what they answer
and nothing else; of tasks in flight they may read all that the queue's workers hold.
"""

from __future__ import annotations

from ezra.threaded.sqlite.rows import LOADED, PUSHED
from ezra.threaded.sqlite.statements import SETTINGS

# -- Queues ----------------------------------------------------------------------------------------

LENGTH = "SELECT ready + scheduled, dead FROM queues WHERE name = ?"
"""How many tasks wait and how many are dead. Index: the UNIQUE name."""

NAMES = "SELECT id, name, dead > 0 FROM queues WHERE id > ? ORDER BY id LIMIT ?"
"""Queues by number, after one of them. Index: the primary key."""

QUEUE = """
    SELECT id, (SELECT count(*) FROM groups WHERE queue_id = queues.id AND name = ?)
    FROM queues WHERE name = ?
"""
"""A queue's number, and whether it has a group. Index: the UNIQUE name."""

GROUPS = "SELECT name FROM groups WHERE queue_id = ? ORDER BY name"
"""A queue's groups, by name. Index: the primary key."""

_BOOKS = f"""
    SELECT id, name, {SETTINGS}, ready, scheduled, in_flight, done, dead, damaged, pushed, expired,
        (SELECT count(*) FROM groups WHERE queue_id = queues.id), last_id, last_claimed
    FROM queues
"""

BOOKS = f"{_BOOKS} WHERE name = ?"
"""One queue's books. Index: the UNIQUE name."""

ALL_BOOKS = f"{_BOOKS} WHERE name > ? ORDER BY name LIMIT ?"
"""The books of queues by name, after one of them. Index: the UNIQUE name."""

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

_ENTRY = f"""
    SELECT tasks.id, {PUSHED} FROM tasks LEFT JOIN payloads ON task_id = tasks.id
    WHERE queue_id = ? AND status IN ('available', 'in_flight')
"""

FIRST_LIVE = f"{_ENTRY} ORDER BY tasks.id LIMIT 1"
"""The live task with the lowest id. Index: tasks_live."""

LAST_LIVE = f"{_ENTRY} ORDER BY tasks.id DESC LIMIT 1"
"""The live task with the highest id. Index: tasks_live."""

# -- Tasks -----------------------------------------------------------------------------------------

LIVE = f"{_ENTRY} AND tasks.id BETWEEN ? AND ? ORDER BY tasks.id LIMIT ?"
"""Live tasks between two ids. Index: tasks_live."""

LIVE_BACKWARDS = f"{_ENTRY} AND tasks.id BETWEEN ? AND ? ORDER BY tasks.id DESC LIMIT ?"
"""The same from the last one down. Index: tasks_live."""

_DEAD_ENTRY = f"""
    SELECT tasks.id, {PUSHED} FROM tasks LEFT JOIN payloads ON task_id = tasks.id
    WHERE queue_id = ? AND status = 'dead' AND tasks.id BETWEEN ? AND ?
"""

DEAD = f"{_DEAD_ENTRY} ORDER BY tasks.id LIMIT ?"
"""Dead tasks between two ids. Index: tasks_dead_ids."""

DEAD_BACKWARDS = f"{_DEAD_ENTRY} ORDER BY tasks.id DESC LIMIT ?"
"""The same from the last one down. Index: tasks_dead_ids."""

HELD_BY = """
    SELECT worker, count(*) FROM tasks
    WHERE queue_id = ? AND status = 'in_flight' GROUP BY worker ORDER BY worker
"""
"""Who holds how many tasks of a queue. Index: tasks_held."""

HELD_IN_ALL = """
    SELECT count(*), coalesce(min(id), 0), coalesce(max(id), 0) FROM tasks
    WHERE queue_id = ? AND status = 'in_flight'
"""
"""How many tasks of a queue are in flight, and their lowest and highest ids. Index: tasks_held."""

_HELD = f"""
    SELECT {LOADED} FROM tasks INDEXED BY tasks_held
    WHERE queue_id = ? AND status = 'in_flight' AND id BETWEEN ? AND ?
        AND max(0, ? - coalesce(renewed_at, claimed_at)) >= ?
"""

HELD = f"{_HELD} ORDER BY id LIMIT ?"
"""Tasks in flight between two ids that have been idle for so long at a moment. Index:
tasks_held."""

HELD_BY_ONE = f"{_HELD} AND worker = ? ORDER BY id LIMIT ?"
"""The same, of one worker. Index: tasks_held."""
