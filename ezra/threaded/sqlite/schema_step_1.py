"""Step 1 of the database's schema: everything that there was at first. Never to be edited.

What holds in every version is written down in `schema`. What later steps have changed is in the
files behind this one.
"""

from __future__ import annotations

NOW = "CAST(strftime('%s', 'now') AS INTEGER) * 1000000"
"""The present moment in SQL, for rows that a person writes; whole seconds are exact enough."""

PLACES = {
    "ready": "{row}.status = 'available' AND {row}.scheduled = 0",
    "scheduled": "{row}.status = 'available' AND {row}.scheduled = 1",
    "in_flight": "{row}.status = 'in_flight'",
    "done": "{row}.status = 'done'",
    "dead": "{row}.status = 'dead'",
}
"""Each counter of `queues`, and which tasks it counts."""


def counted(*changes: tuple[str, str]) -> str:
    """Return the SET list that adds (`+`) or takes off (`-`) a trigger's row, NEW or OLD."""

    def terms(where: str) -> str:
        return "".join(f" {sign} ({where.format(row=row)})" for sign, row in changes)

    return ", ".join(f"{counter} = {counter}{terms(where)}" for counter, where in PLACES.items())


_QUEUES = """
CREATE TABLE queues (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
        CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 512 AND substr(name, -6) <> '::dead'),
    -- NULL: the server's default
    visibility_timeout INTEGER CHECK (visibility_timeout > 0),  -- microseconds
    max_attempts INTEGER CHECK (max_attempts > 0),
    retry_delay INTEGER CHECK (retry_delay >= 0),               -- microseconds
    created_at INTEGER NOT NULL,                                -- Unix microseconds
    -- The books, kept by triggers on tasks
    ready INTEGER NOT NULL DEFAULT 0 CHECK (ready >= 0),
    scheduled INTEGER NOT NULL DEFAULT 0 CHECK (scheduled >= 0),
    in_flight INTEGER NOT NULL DEFAULT 0 CHECK (in_flight >= 0),
    done INTEGER NOT NULL DEFAULT 0 CHECK (done >= 0),
    dead INTEGER NOT NULL DEFAULT 0 CHECK (dead >= 0),
    pushed INTEGER NOT NULL DEFAULT 0,                          -- ever
    expired INTEGER NOT NULL DEFAULT 0,                         -- ever, by their ttl
    last_id INTEGER NOT NULL DEFAULT 0                          -- the highest id ever pushed here
) STRICT
"""

_TASKS = f"""
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY CHECK (id > 0),
    -- The id as clients see it
    wire_id TEXT GENERATED ALWAYS AS ((id >> 20) || '-' || (id & 1048575)) VIRTUAL,
    queue_id INTEGER NOT NULL REFERENCES queues,
    status TEXT NOT NULL DEFAULT 'available'
        CHECK (status IN ('available', 'in_flight', 'done', 'dead')),
    priority INTEGER NOT NULL DEFAULT 0 CHECK (priority BETWEEN -128 AND 127),
    available_at INTEGER NOT NULL DEFAULT ({NOW}),  -- all times are Unix microseconds
    scheduled INTEGER NOT NULL DEFAULT 1 CHECK (scheduled IN (0, 1)),
    created_at INTEGER NOT NULL DEFAULT ({NOW}),
    expires_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND max_attempts),
    max_attempts INTEGER NOT NULL DEFAULT 3 CHECK (max_attempts > 0),
    visibility_timeout INTEGER CHECK (visibility_timeout > 0),  -- microseconds; NULL: the queue's
    worker TEXT,
    claimed_at INTEGER,
    lease_until INTEGER,
    lapsed INTEGER NOT NULL DEFAULT 0 CHECK (lapsed IN (0, 1)),
    last_error TEXT,
    finished_at INTEGER,
    dead_at INTEGER,
    CHECK (status <> 'in_flight'
        OR (worker IS NOT NULL AND claimed_at IS NOT NULL AND lease_until IS NOT NULL))
) STRICT
"""

_PAYLOADS = """
CREATE TABLE payloads (
    task_id INTEGER PRIMARY KEY REFERENCES tasks,
    payload BLOB,                        -- NULL: an entry in a framework's own format
    headers BLOB NOT NULL DEFAULT x''    -- netstrings: name, value, name, value …
) STRICT
"""

_INDEXES = (
    # Whose turn it is. `expires_at` is there so that what has expired is skipped in the index.
    """CREATE INDEX tasks_ready ON tasks
        (queue_id, priority DESC, available_at, id, expires_at)
        WHERE status = 'available' AND scheduled = 0""",
    """CREATE INDEX tasks_dead ON tasks (queue_id, priority DESC, available_at, id)
        WHERE status = 'dead'""",
    # What falls due.
    "CREATE INDEX tasks_leases ON tasks (lease_until) WHERE status = 'in_flight'",
    """CREATE INDEX tasks_scheduled ON tasks (available_at)
        WHERE status = 'available' AND scheduled = 1""",
    """CREATE INDEX tasks_expiring ON tasks (expires_at)
        WHERE expires_at IS NOT NULL AND status IN ('available', 'done')""",
    "CREATE INDEX tasks_finished ON tasks (finished_at) WHERE status = 'done'",
    # What a worker holds, and the first and the last of a queue.
    """CREATE INDEX tasks_held ON tasks (queue_id, worker, id) WHERE status = 'in_flight'""",
    """CREATE INDEX tasks_live ON tasks (queue_id, id)
        WHERE status IN ('available', 'in_flight')""",
)

_TIDY_SET = f"""
    UPDATE tasks SET
        scheduled = status = 'available' AND scheduled,
        attempts = CASE WHEN status = 'available' AND (dead_at OR finished_at) THEN 0
            ELSE attempts END,
        worker = CASE WHEN status IN ('in_flight', 'done') THEN worker END,
        claimed_at = CASE WHEN status IN ('in_flight', 'done') THEN claimed_at END,
        lease_until = CASE WHEN status = 'in_flight' THEN lease_until END,
        finished_at = CASE WHEN status = 'done' THEN coalesce(finished_at, {NOW}) END,
        dead_at = CASE status WHEN 'available' THEN NULL
            WHEN 'dead' THEN coalesce(dead_at, {NOW}) ELSE dead_at END
    WHERE id = NEW.id
"""

_UNTIDY = """
    CASE NEW.status
        WHEN 'available' THEN coalesce(NEW.worker, NEW.claimed_at, NEW.lease_until,
            NEW.finished_at, NEW.dead_at) IS NOT NULL
        WHEN 'in_flight' THEN NEW.scheduled OR NEW.finished_at IS NOT NULL
        WHEN 'done' THEN NEW.scheduled OR NEW.finished_at IS NULL OR NEW.lease_until IS NOT NULL
        WHEN 'dead' THEN NEW.scheduled OR NEW.dead_at IS NULL
            OR coalesce(NEW.worker, NEW.claimed_at, NEW.lease_until, NEW.finished_at) IS NOT NULL
    END
"""
"""Whether a row was changed by somebody who set the status and left the rest to us."""

_TRIGGERS = (
    f"""CREATE TRIGGER tasks_pushed AFTER INSERT ON tasks BEGIN
        UPDATE queues SET {counted(("+", "NEW"))},
            pushed = pushed + 1, last_id = max(last_id, NEW.id) WHERE id = NEW.queue_id;
    END""",
    f"""CREATE TRIGGER tasks_counted AFTER UPDATE OF status, scheduled ON tasks
    WHEN OLD.queue_id = NEW.queue_id
        AND (OLD.status <> NEW.status OR OLD.scheduled <> NEW.scheduled) BEGIN
        UPDATE queues SET {counted(("-", "OLD"), ("+", "NEW"))} WHERE id = NEW.queue_id;
    END""",
    f"""CREATE TRIGGER tasks_moved AFTER UPDATE OF queue_id ON tasks
    WHEN OLD.queue_id <> NEW.queue_id BEGIN
        UPDATE queues SET {counted(("-", "OLD"))} WHERE id = OLD.queue_id;
        UPDATE queues SET {counted(("+", "NEW"))}, last_id = max(last_id, NEW.id)
            WHERE id = NEW.queue_id;
    END""",
    f"""CREATE TRIGGER tasks_removed AFTER DELETE ON tasks BEGIN
        UPDATE queues SET {counted(("-", "OLD"))} WHERE id = OLD.queue_id;
        DELETE FROM payloads WHERE task_id = OLD.id;
    END""",
    f"""CREATE TRIGGER tasks_tidied AFTER UPDATE OF status, scheduled ON tasks WHEN {_UNTIDY} BEGIN
        {_TIDY_SET};
    END""",
    f"""CREATE TRIGGER tasks_tidied_new AFTER INSERT ON tasks WHEN {_UNTIDY} BEGIN
        {_TIDY_SET};
    END""",
    # A time that a person sets is obeyed: the next sweep sees whether it has come.
    """CREATE TRIGGER tasks_rescheduled AFTER UPDATE OF available_at ON tasks
    WHEN NEW.status = 'available' AND NEW.scheduled = 0 AND OLD.available_at <> NEW.available_at
    BEGIN UPDATE tasks SET scheduled = 1 WHERE id = NEW.id; END""",
    """CREATE TRIGGER tasks_keep_their_id BEFORE UPDATE OF id ON tasks WHEN OLD.id <> NEW.id
    BEGIN SELECT raise(ABORT, 'a task keeps its id'); END""",
    """CREATE TRIGGER queues_removed AFTER DELETE ON queues BEGIN
        UPDATE high_water SET last_id = max(last_id, OLD.last_id);
        DELETE FROM tasks WHERE queue_id = OLD.id;
        DELETE FROM groups WHERE queue_id = OLD.id;
    END""",
)


def readable(column: str) -> str:
    """Return a time in words that a person can read, for a view."""
    return f"datetime({column} / 1000000, 'unixepoch')"


_VIEWS = (
    f"""CREATE VIEW dead_tasks AS
    SELECT tasks.id, wire_id, queues.name AS queue, CAST(payload AS TEXT) AS payload,
        CAST(headers AS TEXT) AS headers, attempts, last_error,
        {readable("tasks.created_at")} AS pushed, {readable("dead_at")} AS died
    FROM tasks JOIN queues ON queues.id = queue_id LEFT JOIN payloads ON task_id = tasks.id
    WHERE status = 'dead' ORDER BY dead_at""",
    f"""CREATE VIEW waiting_tasks AS
    SELECT tasks.id, wire_id, queues.name AS queue, CAST(payload AS TEXT) AS payload,
        CAST(headers AS TEXT) AS headers, priority, attempts, last_error,
        {readable("tasks.created_at")} AS pushed, {readable("available_at")} AS claimable,
        {readable("expires_at")} AS expires
    FROM tasks JOIN queues ON queues.id = queue_id LEFT JOIN payloads ON task_id = tasks.id
    WHERE status = 'available'""",
    f"""CREATE VIEW held_tasks AS
    SELECT tasks.id, wire_id, queues.name AS queue, worker, attempts,
        {readable("claimed_at")} AS claimed, {readable("lease_until")} AS lease_until
    FROM tasks JOIN queues ON queues.id = queue_id WHERE status = 'in_flight'""",
)

STATEMENTS = (
    _QUEUES,
    """CREATE TABLE groups (
        queue_id INTEGER NOT NULL REFERENCES queues, name TEXT NOT NULL,
        PRIMARY KEY (queue_id, name)
    ) STRICT, WITHOUT ROWID""",
    _TASKS,
    _PAYLOADS,
    # Ids are never used again, also not those of a queue that was deleted with its own last_id.
    """CREATE TABLE high_water (
        one INTEGER PRIMARY KEY CHECK (one = 1), last_id INTEGER NOT NULL
    ) STRICT""",
    "INSERT INTO high_water VALUES (1, 0)",
    *_INDEXES,
    *_TRIGGERS,
    *_VIEWS,
)
