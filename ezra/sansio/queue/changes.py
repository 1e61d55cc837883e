"""What each event writes into a task's record: pure functions from a task to the task after it.

Every status here comes out of `transition`, so a change that the lifecycle does not know raises
`IllegalTransition` and nothing has happened. All moments and durations are microseconds.
"""

from __future__ import annotations

from dataclasses import replace

from ezra.sansio.model import Claimed, NackMode, NewTask, Status
from ezra.sansio.queue.lifecycle import (
    NACKED,
    Event,
    failure_event,
    nack_event,
    release_event,
    transition,
)
from ezra.sansio.queue.operations import Nack
from ezra.sansio.queue.task import Task, scheduled_time


def pushed(new: NewTask, task_id: int, queue: str, max_attempts: int, now: int) -> Task:
    """Return the task that a push makes; `max_attempts` is the queue's."""
    return Task(
        id=task_id,
        queue=queue,
        payload=new.payload,
        headers=new.headers,
        priority=new.priority,
        max_attempts=max_attempts if new.max_attempts is None else new.max_attempts,
        visibility_timeout=new.visibility_timeout,
        created_at=now,
        expires_at=None if new.ttl is None else now + new.ttl,
        available_at=scheduled_time(now, new.delay, new.run_at),
        status=transition(Status.ABSENT, Event.PUSH),
    )


def claimed(task: Task, worker: str, lease_until: int, now: int) -> Task:
    """Return the task in the worker's hands. From the dead-letter queue it counts no attempt."""
    # A waiting task has an attempt left unless a person edited its row; the bound holds anyway.
    counted = min(task.attempts + 1, task.max_attempts)
    return replace(
        task,
        status=transition(task.status, Event.CLAIM),
        attempts=task.attempts if task.from_dead else counted,
        worker=worker,
        claimed_at=now,
        lease_until=lease_until,
        lapsed=False,
    )


def handed_out(task: Task) -> Claimed:
    """Return the task as its worker sees it."""
    return Claimed(task.id, task.payload, task.headers, task.attempts, task.max_attempts)


def ack_event(task: Task) -> Event | None:
    """Return what an ack means for the task as it is, or None where it means nothing."""
    if task.status is Status.IN_FLIGHT:
        return Event.ACK
    return Event.LATE_ACK if task.lapsed else None


def acked(task: Task, event: Event, now: int) -> Task:
    """Return the task done; the event is `ack_event`'s."""
    status = transition(task.status, event)
    return replace(task, status=status, finished_at=now, lease_until=None, lapsed=False)


def extended(task: Task, lease_until: int) -> Task:
    """Return the task with its lease renewed."""
    return replace(task, status=transition(task.status, Event.EXTEND), lease_until=lease_until)


def failed(task: Task, reason: str, retry_delay: int, now: int) -> Task:
    """Return the task after its lease was cut (it lapsed, or a restart); a late ack may follow.

    A dead task that somebody only looked at keeps the error that it died of.
    """
    event = failure_event(task.attempts, task.max_attempts, from_dead=task.from_dead)
    back = _given_back(task, event, retry_delay, now)
    return replace(back, lapsed=True, last_error=task.last_error if task.from_dead else reason)


def nacked(task: Task, nack: Nack, retry_delay: int, now: int) -> Task:
    """Return the task after a nack; `retry_delay` is the queue's."""
    attempts = _attempts_after(task, nack)
    event = _event_of(task, nack, attempts)
    back = _given_back(task, event, _delay_after(nack, retry_delay), now)
    return replace(back, attempts=attempts, last_error=_error_after(task, nack))


def released(task: Task, now: int) -> Task:
    """Return the task as if its claim had never been."""
    back = _given_back(task, release_event(from_dead=task.from_dead), 0, now)
    return replace(back, attempts=_uncounted(task))


def removed(task: Task, event: Event) -> Task:
    """Return the task as it leaves, with the status ABSENT: it expired, or was deleted."""
    return replace(task, status=transition(task.status, event))


def _given_back(task: Task, event: Event, delay: int, now: int) -> Task:
    """Return the task as it leaves its worker's hands: waiting again, or dead.

    A delay counts only for a task that waits; without one it goes back to its old place.
    """
    status = transition(task.status, event)
    delayed = status is Status.AVAILABLE and delay > 0
    return replace(
        task,
        status=status,
        available_at=now + delay if delayed else task.available_at,
        worker=None,
        claimed_at=None,
        lease_until=None,
        lapsed=False,
        dead_at=now if event is Event.EXHAUST else task.dead_at,
    )


def _attempts_after(task: Task, nack: Nack) -> int:
    if nack.attempts is not None:
        return min(nack.attempts, task.max_attempts)
    return _uncounted(task) if nack.mode is NackMode.SILENT else task.attempts


def _event_of(task: Task, nack: Nack, attempts: int) -> Event:
    """Return what the nack means with so many attempts; told none are left, it is EXHAUST."""
    if nack.attempts is not None and attempts >= task.max_attempts:
        return Event.EXHAUST
    return nack_event(nack.mode, attempts, task.max_attempts, from_dead=task.from_dead)


def _delay_after(nack: Nack, retry_delay: int) -> int:
    if nack.delay is not None:
        return nack.delay
    return retry_delay if nack.mode is NackMode.FAIL else 0


def _error_after(task: Task, nack: Nack) -> str | None:
    return nack.reason or (task.last_error if nack.mode is NackMode.SILENT else NACKED)


def _uncounted(task: Task) -> int:
    """Return the attempts without the present claim; from the dead-letter queue it counted none."""
    return task.attempts if task.from_dead else task.attempts - 1
