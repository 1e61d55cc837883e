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

    def place(self, task_id: int, task: Task | None, now: int) -> None:
        """Note the moments that concern the task as it is now, and forget its earlier ones.

        `task` is None where there is no such task any more.
        """
        moments = (None,) * 4 if task is None else self._moments(task, now)
        for ranking, moment in zip(self._rankings(), moments, strict=True):
            ranking.place(task_id, moment)

    def next_due(self) -> int:
        """Return the first moment that concerns any task; `FOREVER` when there is none."""
        firsts = (ranking.first_rank() for ranking in self._rankings())
        return min((moment for moment in firsts if moment is not None), default=FOREVER)

    def _rankings(self) -> tuple[Ranking[int], ...]:
        return self.leases, self.ttls, self.delays, self.finished

    def _moments(self, task: Task, now: int) -> tuple[int | None, ...]:
        """Return when the task's lease, ttl, delay and retention are over, for those that run."""
        available = task.status is Status.AVAILABLE
        done = task.status is Status.DONE
        return (
            task.lease_until,
            task.expires_at if available or done else None,
            task.available_at if available and task.available_at > now else None,
            self._kept_until(task) if done else None,
        )

    def _kept_until(self, task: Task) -> int | None:
        if task.finished_at is None or self._retention is None:
            return None
        return task.finished_at + self._retention
