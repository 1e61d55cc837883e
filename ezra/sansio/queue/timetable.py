"""When time alone changes a task: leases, ttls, delays and retention, over all queues.

One ranking for each kind of moment. A task is placed anew whenever its record changes, and its
record says which moments concern it, so nothing here has to be cancelled.
"""

from __future__ import annotations

from ezra.sansio.model import FOREVER, Status
from ezra.sansio.queue.ranking import Ranking
from ezra.sansio.queue.task import Task


class Timetable:
    """The tasks by the moments that concern them. `retention` as in `Defaults`."""

    __slots__ = ("_retention", "delays", "finished", "leases", "ttls")

    def __init__(self, retention: int | None) -> None:
        self._retention = retention
        self.leases = Ranking[int]()
        """Tasks in flight, by the moment at which their lease lapses."""
        self.ttls = Ranking[int]()
        """Tasks available or done, by the moment at which their ttl is over."""
        self.delays = Ranking[int]()
        """Scheduled tasks, by the moment from which they are claimable."""
        self.finished = Ranking[int]()
        """Done tasks, by the moment at which they have been kept long enough."""

    def place(self, task: Task, now: int) -> None:
        """Note the moments that concern the task as it is now, and forget its earlier ones."""
        available = task.status is Status.AVAILABLE
        mortal = available or task.status is Status.DONE
        scheduled = available and task.available_at > now
        self.leases.place(task.id, task.lease_until)
        self.ttls.place(task.id, task.expires_at if mortal else None)
        self.delays.place(task.id, task.available_at if scheduled else None)
        self.finished.place(task.id, self._kept_until(task))

    def next_due(self) -> int:
        """Return the first moment that concerns any task; `FOREVER` when there is none."""
        rankings = (self.leases, self.ttls, self.delays, self.finished)
        moments = (ranking.first_rank() for ranking in rankings)
        return min((moment for moment in moments if moment is not None), default=FOREVER)

    def _kept_until(self, task: Task) -> int | None:
        if task.status is not Status.DONE or task.finished_at is None or self._retention is None:
            return None
        return task.finished_at + self._retention
