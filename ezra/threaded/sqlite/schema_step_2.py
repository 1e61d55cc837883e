"""Step 2: renewed leases, keys that tell repeated pushes, and what the looks of Redis' tools need.

Rows that were there keep their meaning: no lease has been renewed yet, no key is remembered, and
what was claimed is known from the tasks that are left.
"""

from __future__ import annotations

from ezra.threaded.sqlite.schema_step_1 import NOW, counted, readable

_COLUMNS = (
    # When its lease was last renewed; NULL until it is, and whenever nobody holds the task.
    "ALTER TABLE tasks ADD COLUMN renewed_at INTEGER",
    # NULL: the server's default
    "ALTER TABLE queues ADD COLUMN dedup_window INTEGER CHECK (dedup_window >= 0)",  # microseconds
    "ALTER TABLE queues ADD COLUMN dedup_limit INTEGER CHECK (dedup_limit >= 0)",
    # The highest id ever claimed here, kept by triggers on tasks
    "ALTER TABLE queues ADD COLUMN last_claimed INTEGER NOT NULL DEFAULT 0",
    """UPDATE queues SET last_claimed = claimed.id FROM (
        SELECT queue_id, max(id) AS id FROM tasks WHERE attempts > 0 OR status <> 'available'
        GROUP BY queue_id
    ) AS claimed WHERE claimed.queue_id = queues.id""",
    # Numbers of queues are never used again, also not that of the last one when it is deleted.
    "ALTER TABLE high_water ADD COLUMN last_queue INTEGER NOT NULL DEFAULT 0",
)

_KEYS = (
    """CREATE TABLE dedup_keys (
        task_id INTEGER PRIMARY KEY,         -- what a repeat is answered; the task may be gone
        queue_id INTEGER NOT NULL REFERENCES queues,
        producer BLOB NOT NULL,              -- x'': not any one producer's
        key BLOB NOT NULL,
        limited INTEGER NOT NULL CHECK (limited IN (0, 1)),
        until INTEGER NOT NULL,              -- Unix microseconds
        UNIQUE (queue_id, producer, key)
    ) STRICT""",
    "CREATE INDEX dedup_keys_due ON dedup_keys (until)",
    """CREATE INDEX dedup_keys_limited ON dedup_keys (queue_id, producer, task_id, until)
        WHERE limited = 1""",
)

_INDEXES = (
    # A dead-letter queue by id.
    "CREATE INDEX tasks_dead_ids ON tasks (queue_id, id) WHERE status = 'dead'",
    # A queue's done tasks, those first that finished first: retention, and trimming by hand.
    "DROP INDEX tasks_finished",
    "CREATE INDEX tasks_finished ON tasks (queue_id, finished_at, id) WHERE status = 'done'",
)

_CLAIMED = """
    last_claimed = max(last_claimed, CASE WHEN NEW.status IN ('in_flight', 'done') THEN NEW.id
        ELSE 0 END)
"""
"""What was acked as it was claimed has never been in flight; what else is done was claimed before,
or a person has said that it is."""

_TIDY_SET = f"""
    UPDATE tasks SET
        scheduled = status = 'available' AND scheduled,
        attempts = CASE WHEN status = 'available' AND (dead_at OR finished_at) THEN 0
            ELSE attempts END,
        worker = CASE WHEN status IN ('in_flight', 'done') THEN worker END,
        claimed_at = CASE WHEN status IN ('in_flight', 'done') THEN claimed_at END,
        renewed_at = CASE WHEN status = 'in_flight' THEN renewed_at END,
        lease_until = CASE WHEN status = 'in_flight' THEN lease_until END,
        finished_at = CASE WHEN status = 'done' THEN coalesce(finished_at, {NOW}) END,
        dead_at = CASE status WHEN 'available' THEN NULL
            WHEN 'dead' THEN coalesce(dead_at, {NOW}) ELSE dead_at END
    WHERE id = NEW.id
"""

_UNTIDY = """
    CASE NEW.status
        WHEN 'available' THEN coalesce(NEW.worker, NEW.claimed_at, NEW.renewed_at, NEW.lease_until,
            NEW.finished_at, NEW.dead_at) IS NOT NULL
        WHEN 'in_flight' THEN NEW.scheduled OR NEW.finished_at IS NOT NULL
        WHEN 'done' THEN NEW.scheduled OR NEW.finished_at IS NULL
            OR coalesce(NEW.renewed_at, NEW.lease_until) IS NOT NULL
        WHEN 'dead' THEN NEW.scheduled OR NEW.dead_at IS NULL
            OR coalesce(NEW.worker, NEW.claimed_at, NEW.renewed_at, NEW.lease_until,
                NEW.finished_at) IS NOT NULL
    END
"""

_TRIGGERS = (
    "DROP TRIGGER tasks_counted",
    f"""CREATE TRIGGER tasks_counted AFTER UPDATE OF status, scheduled ON tasks
    WHEN OLD.queue_id = NEW.queue_id
        AND (OLD.status <> NEW.status OR OLD.scheduled <> NEW.scheduled) BEGIN
        UPDATE queues SET {counted(("-", "OLD"), ("+", "NEW"))}, {_CLAIMED}
            WHERE id = NEW.queue_id;
    END""",
    "DROP TRIGGER tasks_moved",
    f"""CREATE TRIGGER tasks_moved AFTER UPDATE OF queue_id ON tasks
    WHEN OLD.queue_id <> NEW.queue_id BEGIN
        UPDATE queues SET {counted(("-", "OLD"))} WHERE id = OLD.queue_id;
        UPDATE queues SET {counted(("+", "NEW"))}, last_id = max(last_id, NEW.id), {_CLAIMED}
            WHERE id = NEW.queue_id;
    END""",
    "DROP TRIGGER tasks_tidied",
    f"""CREATE TRIGGER tasks_tidied AFTER UPDATE OF status, scheduled ON tasks WHEN {_UNTIDY} BEGIN
        {_TIDY_SET};
    END""",
    "DROP TRIGGER tasks_tidied_new",
    f"""CREATE TRIGGER tasks_tidied_new AFTER INSERT ON tasks WHEN {_UNTIDY} BEGIN
        {_TIDY_SET};
    END""",
    # Each of the tasks' DELETEs has an index that knows the queue, so no other queue's are read.
    "DROP TRIGGER queues_removed",
    """CREATE TRIGGER queues_removed AFTER DELETE ON queues BEGIN
        UPDATE high_water SET last_id = max(last_id, OLD.last_id),
            last_queue = max(last_queue, OLD.id);
        DELETE FROM tasks WHERE queue_id = OLD.id AND status IN ('available', 'in_flight');
        DELETE FROM tasks WHERE queue_id = OLD.id AND status = 'done';
        DELETE FROM tasks WHERE queue_id = OLD.id AND status = 'dead';
        DELETE FROM groups WHERE queue_id = OLD.id;
        DELETE FROM dedup_keys WHERE queue_id = OLD.id;
    END""",
)

_VIEWS = (
    "DROP VIEW held_tasks",
    f"""CREATE VIEW held_tasks AS
    SELECT tasks.id, wire_id, queues.name AS queue, worker, attempts,
        {readable("claimed_at")} AS claimed, {readable("renewed_at")} AS renewed,
        {readable("lease_until")} AS lease_until
    FROM tasks JOIN queues ON queues.id = queue_id WHERE status = 'in_flight'""",
)

STATEMENTS = (*_COLUMNS, *_KEYS, *_INDEXES, *_TRIGGERS, *_VIEWS)
