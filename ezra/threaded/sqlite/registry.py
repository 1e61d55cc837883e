"""What the writer remembers: queues by name and number, groups, the last id, and who was seen.

All but the workers who were seen is in the database, too. A person may edit that at any time;
`refresh` asks SQLite in each transaction whether one has (one number to compare) and forgets what
was remembered of it if so.
"""

from __future__ import annotations

import sqlite3
from dataclasses import astuple, dataclass, replace

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import Defaults, QueueSettings
from ezra.sansio.queue.journal import Journal
from ezra.sansio.queue.on_queues import settings_in_force
from ezra.sansio.queue.roster import Roster
from ezra.threaded.sqlite import statements


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as operations need it."""

    id: int
    name: str
    own: QueueSettings
    in_force: Defaults
    """Its own settings, or the server's in their place."""


class Registry:
    """Belongs to whoever leads the commit. `last_id` never goes back, whatever is rolled back."""

    def __init__(self, connection: sqlite3.Connection, defaults: Defaults) -> None:
        self._connection = connection
        self._defaults = defaults
        self._by_name: dict[str, Queue] = {}
        self._by_id: dict[int, Queue] = {}
        self._groups: set[tuple[int, str]] = set()
        self._data_version = -1
        self.last_id = 0
        self.journal = Journal()
        """Undoes what a transaction has written into the roster."""
        self.roster = Roster(self.journal)

    def refresh(self) -> bool:
        """Look whether somebody else has written; to be called first in each transaction."""
        version = self._connection.execute(statements.DATA_VERSION).fetchone()[0]
        if version == self._data_version:
            return False
        self._data_version = version
        self.forget()
        stored = self._connection.execute(statements.LAST_ID).fetchone()[0]
        self.last_id = max(self.last_id, stored)
        return True

    def forget(self) -> None:
        """Forget queues and groups: a roll-back may have taken back what made or changed them."""
        self._by_name.clear()
        self._by_id.clear()
        self._groups.clear()

    def find(self, name: str) -> Queue | None:
        """Return the queue of that name, or None."""
        return self._by_name.get(name) or self._read(statements.FIND_QUEUE, name)

    def existing(self, name: str, missing: str) -> Queue:
        """Return the queue of that name; where there is none, raise `CommandError` saying so."""
        queue = self.find(name)
        if queue is None:
            raise CommandError(missing)
        return queue

    def get(self, queue_id: int) -> Queue:
        """Return the queue of that number, which a task's row named."""
        queue = self._by_id.get(queue_id) or self._read(statements.GET_QUEUE, queue_id)
        if queue is None:
            raise LookupError(f"a task belongs to queue {queue_id}, which does not exist")
        return queue

    def ensure(self, name: str, now: int) -> Queue:
        """Return the queue of that name, made at `now` where there was none."""
        queue = self.find(name)
        if queue is None:
            self._connection.execute(statements.INSERT_QUEUE, (name, now))
            return self.ensure(name, now)
        return queue

    def configure(self, queue: Queue, changes: tuple[tuple[str, int | None], ...]) -> None:
        """Change some of the queue's own settings."""
        own = replace(queue.own, **dict(changes))
        self._connection.execute(statements.SET_QUEUE, (*astuple(own), queue.id))
        self._read(statements.FIND_QUEUE, queue.name)

    def remove(self, queue: Queue) -> None:
        """Remove the queue and all that belongs to it."""
        self._connection.execute(statements.DELETE_QUEUE, (queue.id,))
        self.forget()

    # -- Groups ------------------------------------------------------------------------------------

    def knows_group(self, queue: Queue, group: str) -> bool:
        """Say whether the group's name is known in the queue."""
        if (queue.id, group) in self._groups:
            return True
        if self._connection.execute(statements.FIND_GROUP, (queue.id, group)).fetchone() is None:
            return False
        self._groups.add((queue.id, group))
        return True

    def with_group(self, name: str, group: str, missing: str) -> Queue:
        """Return the queue, in which the group must be known.

        Raises:
            CommandError: there is no such queue (with the text `missing`), or no such group.
        """
        queue = self.existing(name, missing)
        if not self.knows_group(queue, group):
            raise CommandError(Text.NO_SUCH_GROUP.format(queue=name, group=group))
        return queue

    def read_through(self, name: str, group: str) -> Queue:
        """Return the queue, in which the group must be known; the text is that of the readers.

        Raises:
            CommandError: there is no such queue, or no such group in it.
        """
        missing = Text.NO_GROUP.format(queue=name, group=group)
        queue = self.existing(name, missing)
        if not self.knows_group(queue, group):
            raise CommandError(missing)
        return queue

    def add_group(self, queue: Queue, group: str) -> None:
        """Make the group's name known in the queue, if it is not."""
        if (queue.id, group) not in self._groups:
            self._connection.execute(statements.ADD_GROUP, (queue.id, group))
            self._groups.add((queue.id, group))

    def remove_group(self, queue: Queue, group: str) -> bool:
        """Forget the group's name; say whether it was known."""
        self._groups.discard((queue.id, group))
        return self._connection.execute(statements.REMOVE_GROUP, (queue.id, group)).rowcount > 0

    # -- The database ------------------------------------------------------------------------------

    def _read(self, statement: str, key: str | int) -> Queue | None:
        row = self._connection.execute(statement, (key,)).fetchone()
        if row is None:
            return None
        own = QueueSettings(*row[2:])
        queue = Queue(row[0], row[1], own, settings_in_force(own, self._defaults))
        self._by_name[queue.name] = self._by_id[queue.id] = queue
        return queue
