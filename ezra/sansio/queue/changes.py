"""What each event writes into a task's record: pure functions from a task to the task after it.

Every status here comes out of `transition`, so a change that the lifecycle does not know raises
`IllegalTransition` and nothing has happened. All moments and durations are microseconds.
"""

from __future__ import annotations

from dataclasses import replace

from ezra.sansio.model import Claimed, Entry, Held, NackMode, NewTask, Status
from ezra.sansio.queue.lifecycle import (
    NACKED,
    TAKEN_OVER,
    Event,
    failure_event,
    nack_event,
    release_event,
    transition,
)
from ezra.sansio.queue.operations import Extend, Nack, TakeOver
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
        claims=task.claims + 1,
        worker=worker,
        claimed_at=now,
        renewed_at=None,
        lease_until=lease_until,
        lapsed=False,
        damaged=False,
    )


DAMAGED = b"ezra.damaged"
"""The only field of a task that is seen and is not what was pushed. No push can have one of that
name, so nobody takes it for what was."""


def seen(task: Task) -> Entry:
    """Return the task as somebody sees it who only looks."""
    if task.damaged:
        return seen_damaged(task.id, task.last_error or "")
    return Entry(task.id, task.payload, task.headers)


def seen_damaged(task_id: int, finding: str) -> Entry:
    """Return what is seen of a task that is not what was pushed: what is wrong with it."""
    return Entry(task_id, None, ((DAMAGED, finding.encode()),))


def handed_out(task: Task, idle: int = 0) -> Claimed:
    """Return the task as its worker sees it; `idle` is for how long nobody cared for it before."""
    return Claimed(
        task.id,
        task.payload,
        task.headers,
        task.attempts,
        task.max_attempts,
        task.claims,
        idle,
    )


def idle(task: Task, now: int) -> int:
    """Return how long ago the task in flight was claimed, or its lease last renewed."""
    since = task.claimed_at if task.renewed_at is None else task.renewed_at
    return 0 if since is None else max(0, now - since)


def held(task: Task, now: int) -> Held:
    """Return the task in flight as somebody sees it who only looks."""
    lying = idle(task, now)
    return Held(task.id, task.worker or "", now - lying, lying, task.attempts)


def ack_event(task: Task) -> Event | None:
    """Return what an ack means for the task as it is, or None where it means nothing."""
    if task.status is Status.IN_FLIGHT:
        return Event.ACK
    return Event.LATE_ACK if task.lapsed else None


def acked(task: Task, event: Event, now: int) -> Task:
    """Return the task done; the event is `ack_event`'s."""
    status = transition(task.status, event)
    return replace(
        task,
        status=status,
        finished_at=now,
        renewed_at=None,
        lease_until=None,
        lapsed=False,
        damaged=False,
    )


def is_extended(task: Task, extend: Extend) -> bool:
    """Say whether the heartbeat is of who holds the task."""
    held = task.status is Status.IN_FLIGHT and task.worker == extend.worker
    return held and extend.claim in (None, task.claims)


def extended(task: Task, lease_until: int, now: int) -> Task:
    """Return the task with its lease renewed."""
    status = transition(task.status, Event.EXTEND)
    return replace(task, status=status, renewed_at=now, lease_until=lease_until)


def taken_by_id(task: Task, take: TakeOver, lease_until: int, now: int) -> Task | None:
    """Return the task after a worker has asked for it by its id; None where that changes nothing.

    In flight it is the worker's now; dead it had no attempt left, or came from the dead-letter
    queue, and nobody has it. `lease_until` is for its new lease.
    """
    if task.status is Status.IN_FLIGHT:
        least = 0 if task.worker == take.worker else take.min_idle
        taken = taken_if_idle(task, take.worker, least, lease_until, now)
    elif take.force and task.status is Status.AVAILABLE and task.available_at <= now:
        taken = claimed(task, take.worker, lease_until, now)
    else:
        return None
    if taken is None or taken.status is not Status.IN_FLIGHT or take.attempts is None:
        return taken
    return replace(taken, attempts=min(take.attempts, task.max_attempts))


def taken_if_idle(
    task: Task, worker: str, min_idle: int, lease_until: int, now: int, *, renews: bool = False
) -> Task | None:
    """Return the task in flight after a worker has asked for what has been idle for so long.

    None where it has not been. With `min_idle` 0 a worker gets its own tasks only, with new leases,
    as it does if it `renews`. Otherwise the task has had a failed attempt, whoever held it, and is
    claimed anew; or it is dead, and nobody has it.
    """
    own = task.worker == worker
    if idle(task, now) < min_idle or (min_idle == 0 and not own):
        return None
    if own and (renews or min_idle == 0):
        return extended(task, lease_until, now)
    back = failed(task, TAKEN_OVER, 0, now)
    return back if back.status is Status.DEAD else claimed(back, worker, lease_until, now)


def erased(task: Task, *, acks: bool, now: int) -> Task | None:
    """Return the task as it leaves, with the status ABSENT; None where it must stay.

    What nobody holds leaves; with `acks`, what an ack makes done.
    """
    if acks:
        event = ack_event(task)
        return None if event is None else removed(acked(task, event, now), Event.DELETE)
    return None if task.status is Status.IN_FLIGHT else removed(task, Event.DELETE)


def failed(task: Task, reason: str, retry_delay: int, now: int) -> Task:
    """Return the task after its lease was cut (it lapsed, a restart, or another worker took over).

    A late ack may follow. A dead task that somebody only looked at keeps the error that it died of.
    """
    event = failure_event(task.attempts, task.max_attempts, from_dead=task.from_dead)
    back = _given_back(task, event, retry_delay, now)
    return replace(back, lapsed=True, last_error=task.last_error if task.from_dead else reason)


def is_nacked(task: Task, nack: Nack) -> bool:
    """Say whether the nack is about the task as it is."""
    meant = nack.attempt in (None, task.attempts) and nack.claim in (None, task.claims)
    return task.status is Status.IN_FLIGHT and meant


def counts_for(task: Task, nack: Nack) -> bool:
    """Say whether the task, as it was before the nack, is counted in its answer."""
    return is_nacked(task, nack) or (nack.counts_done and task.status is Status.DONE)


def nacked(task: Task, nack: Nack, retry_delay: int, now: int) -> Task:
    """Return the task after a nack; `retry_delay` is the queue's."""
    attempts = _attempts_after(task, nack)
    event = _event_of(task, nack, attempts)
    back = _given_back(task, event, _delay_after(nack, retry_delay), now)
    return replace(back, attempts=attempts, last_error=_error_after(task, nack))


def is_released(task: Task, claim: int) -> bool:
    """Say whether the task is in flight by this claim, and no later one."""
    return task.status is Status.IN_FLIGHT and task.claims == claim


def released(task: Task, now: int) -> Task:
    """Return the task as if its claim had never been."""
    back = _given_back(task, release_event(from_dead=task.from_dead), 0, now)
    return replace(back, attempts=_uncounted(task))


def quarantined(task: Task, finding: str, now: int) -> Task:
    """Return the task set aside, because what is stored of it is not what was pushed.

    It has had no attempt by that. Whoever held it may have had it whole, or have it still: a late
    ack counts as after any lease that was cut.
    """
    cut = task.status is Status.IN_FLIGHT
    aside = _given_back(task, Event.QUARANTINE, 0, now)
    return replace(aside, lapsed=cut or task.lapsed, last_error=finding, dead_at=now, damaged=True)


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
        renewed_at=None,
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
    """Return the attempts without the present claim; from the dead-letter queue it counted none.

    Nor has one that was set to none (RETRYCOUNT 0) any to take off.
    """
    return task.attempts if task.from_dead else max(task.attempts - 1, 0)
