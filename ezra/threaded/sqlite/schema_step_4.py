"""Step 4: a number that names each claim of a task.

Attempts do not: a claim from a dead-letter queue counts none, one that was undone is counted again,
and RETRYCOUNT sets them back. Nor does the moment: a task can be given back and claimed again in
one transaction, and a clock can step back. Tasks that were there begin to count here; nobody has an
earlier claim of theirs, for the start of a server cuts every lease.
"""

from __future__ import annotations

STATEMENTS = (
    # How often it was claimed, whatever counted as an attempt; never set back
    "ALTER TABLE tasks ADD COLUMN claims INTEGER NOT NULL DEFAULT 0 CHECK (claims >= 0)",
)
