"""Step 4: a number that names each claim of a task, and an index of delayed tasks by their turn.

Attempts do not: a claim from a dead-letter queue counts none, one that was undone is counted again,
and RETRYCOUNT sets them back. Nor does the moment: a task can be given back and claimed again in
one transaction, and a clock can step back. Tasks that were there begin to count here; nobody has an
earlier claim of theirs, for the start of a server cuts every lease.

Where more falls due at once than one commit makes ready, the index finds what is to be claimed
first.
"""

from __future__ import annotations

STATEMENTS = (
    # How often it was claimed, whatever counted as an attempt; never set back
    "ALTER TABLE tasks ADD COLUMN claims INTEGER NOT NULL DEFAULT 0 CHECK (claims >= 0)",
    """CREATE INDEX tasks_turns ON tasks (queue_id, priority DESC, available_at, id)
        WHERE status = 'available' AND scheduled = 1""",
)
