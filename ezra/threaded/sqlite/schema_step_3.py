"""Step 3: a checksum for what was pushed, and tasks that are set aside because it is not that.

Of rows that were there no checksum is known, and without one nothing is compared. What a person
edits has none from then on either: the person knows better. A task that was repaired so is damaged
no more, but dead still: its next way is the person's choice, too.
"""

from __future__ import annotations

from ezra.threaded.sqlite.schema_step_1 import readable

_COLUMNS = (
    # `rows.checksum` of what was pushed; NULL: not known, and nothing is compared
    "ALTER TABLE payloads ADD COLUMN checksum INTEGER",
    # Dead, because its payload or headers are not what was pushed: no claim gets it
    "ALTER TABLE tasks ADD COLUMN damaged INTEGER NOT NULL DEFAULT 0 CHECK (damaged IN (0, 1))",
    # How many of the dead are; kept by triggers on tasks
    "ALTER TABLE queues ADD COLUMN damaged INTEGER NOT NULL DEFAULT 0 CHECK (damaged >= 0)",
)

_INDEXES = (
    # Whose turn it is in a dead-letter queue: nobody's who is set aside, however many are.
    "DROP INDEX tasks_dead",
    """CREATE INDEX tasks_dead ON tasks (queue_id, priority DESC, available_at, id)
        WHERE status = 'dead' AND damaged = 0""",
)

_REPAIRED = """
    UPDATE payloads SET checksum = NULL WHERE task_id = NEW.task_id;
    UPDATE tasks SET damaged = 0 WHERE id = NEW.task_id AND damaged = 1;
"""

_TRIGGERS = (
    # EZRA itself never changes what was pushed, and it knows the checksum of what it inserts.
    f"""CREATE TRIGGER payloads_repaired AFTER UPDATE OF task_id, payload, headers ON payloads
    BEGIN {_REPAIRED} END""",
    f"""CREATE TRIGGER payloads_replaced AFTER INSERT ON payloads WHEN NEW.checksum IS NULL
    BEGIN {_REPAIRED} END""",
    # Whatever else becomes of such a task, it is looked at anew when its turn comes.
    """CREATE TRIGGER tasks_undamaged AFTER UPDATE OF status, damaged ON tasks
    WHEN NEW.damaged = 1 AND NEW.status <> 'dead'
    BEGIN UPDATE tasks SET damaged = 0 WHERE id = NEW.id; END""",
    """CREATE TRIGGER tasks_damaged_new AFTER INSERT ON tasks WHEN NEW.damaged = 1 BEGIN
        UPDATE queues SET damaged = damaged + 1 WHERE id = NEW.queue_id;
        UPDATE tasks SET damaged = 0 WHERE id = NEW.id AND status <> 'dead';
    END""",
    """CREATE TRIGGER tasks_damage_counted AFTER UPDATE OF damaged, queue_id ON tasks
    WHEN OLD.damaged <> NEW.damaged OR (OLD.damaged = 1 AND OLD.queue_id <> NEW.queue_id) BEGIN
        UPDATE queues SET damaged = damaged - OLD.damaged WHERE id = OLD.queue_id;
        UPDATE queues SET damaged = damaged + NEW.damaged WHERE id = NEW.queue_id;
    END""",
    """CREATE TRIGGER tasks_damaged_removed AFTER DELETE ON tasks WHEN OLD.damaged = 1
    BEGIN UPDATE queues SET damaged = damaged - 1 WHERE id = OLD.queue_id; END""",
)

_VIEWS = (
    "DROP VIEW dead_tasks",
    f"""CREATE VIEW dead_tasks AS
    SELECT tasks.id, wire_id, queues.name AS queue, CAST(payload AS TEXT) AS payload,
        CAST(headers AS TEXT) AS headers, attempts, last_error, tasks.damaged,
        {readable("tasks.created_at")} AS pushed, {readable("dead_at")} AS died
    FROM tasks JOIN queues ON queues.id = queue_id LEFT JOIN payloads ON task_id = tasks.id
    WHERE status = 'dead' ORDER BY dead_at""",
)

STATEMENTS = (*_COLUMNS, *_INDEXES, *_TRIGGERS, *_VIEWS)
