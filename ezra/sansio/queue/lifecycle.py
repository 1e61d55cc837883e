"""The life of a task, as data.

`TRANSITIONS` maps (status, event) to the status that follows; a pair that is not there is illegal.
Where the outcome depends on the task (are attempts left? was it taken from the dead-letter queue?)
a guard first picks the event, so the table stays a plain function. Every status that any engine
writes comes out of `transition`; the docs' table and diagram are drawn from this file.
"""

from __future__ import annotations

import enum

from ezra.sansio.errors import IllegalTransition
from ezra.sansio.model import NackMode, Status


class Event(enum.Enum):
    """What can happen to a task. The value is its name in the docs."""

    PUSH = "push"
    CLAIM = "claim"
    ACK = "ack"
    RETRY = "retry"
    EXHAUST = "exhaust"
    RELEASE = "release"
    RETURN = "return"
    EXTEND = "extend"
    LATE_ACK = "late ack"
    REDRIVE = "redrive"
    EXPIRE = "expire"
    DELETE = "delete"
    QUARANTINE = "quarantine"


TRANSITIONS: dict[tuple[Status, Event], Status] = {
    (Status.ABSENT, Event.PUSH): Status.AVAILABLE,
    (Status.AVAILABLE, Event.CLAIM): Status.IN_FLIGHT,
    (Status.AVAILABLE, Event.LATE_ACK): Status.DONE,
    (Status.AVAILABLE, Event.EXPIRE): Status.ABSENT,
    (Status.AVAILABLE, Event.DELETE): Status.ABSENT,
    (Status.AVAILABLE, Event.QUARANTINE): Status.DEAD,
    (Status.IN_FLIGHT, Event.ACK): Status.DONE,
    (Status.IN_FLIGHT, Event.RETRY): Status.AVAILABLE,
    (Status.IN_FLIGHT, Event.EXHAUST): Status.DEAD,
    (Status.IN_FLIGHT, Event.RELEASE): Status.AVAILABLE,
    (Status.IN_FLIGHT, Event.RETURN): Status.DEAD,
    (Status.IN_FLIGHT, Event.EXTEND): Status.IN_FLIGHT,
    (Status.IN_FLIGHT, Event.QUARANTINE): Status.DEAD,
    (Status.DONE, Event.EXPIRE): Status.ABSENT,
    (Status.DONE, Event.DELETE): Status.ABSENT,
    (Status.DEAD, Event.CLAIM): Status.IN_FLIGHT,
    (Status.DEAD, Event.LATE_ACK): Status.DONE,
    (Status.DEAD, Event.REDRIVE): Status.AVAILABLE,
    (Status.DEAD, Event.DELETE): Status.ABSENT,
    (Status.DEAD, Event.QUARANTINE): Status.DEAD,
}

MEANINGS: dict[Event, str] = {
    Event.PUSH: "A producer's XADD. Claimable at once, or from its `delay` or `run_at` on.",
    Event.CLAIM: "A worker's XREADGROUP takes it: attempts + 1 (not when it was dead), a lease.",
    Event.ACK: "The worker says that it is done: finished_at.",
    Event.RETRY: "A nack, a lapsed lease or a restart, attempts left: the lease is cleared, "
    "last_error kept; its old place, or after the retry delay. Also a take-over by another worker "
    "(XCLAIM, XAUTOCLAIM), who claims it at once.",
    Event.EXHAUST: "The same with no attempt left, or a FATAL nack: dead_at, last_error (not when "
    "it was dead and its lease lapsed, or it was taken over).",
    Event.RELEASE: "The reply could not be delivered, or a SILENT nack: attempts − 1.",
    Event.RETURN: "The same for a task that was taken from the dead-letter queue: nothing counted.",
    Event.EXTEND: "The worker's heartbeat, or reading its own tasks again: a new lease.",
    Event.LATE_ACK: "The worker whose lease lapsed is done after all, and nobody claimed since.",
    Event.REDRIVE: "Somebody sets a dead task available again: attempts = 0.",
    Event.EXPIRE: "Its ttl, counted from the push, is over: removed and counted.",
    Event.DELETE: "Retention, or an explicit command: removed.",
    Event.QUARANTINE: "As it was to be handed out, the storage gave back something else than was "
    "pushed: dead_at, last_error; attempts stay. No claim gets it, also not from the dead-letter "
    "queue, until a person has repaired it.",
}
"""What each event is, and what it changes, for the docs."""

LAPSED = "the visibility timeout was over before an ack came"
"""The last_error of a task whose lease lapsed; one that was dead already keeps its own."""

RESTARTED = "the server was restarted while a worker held the task"
"""The last_error of a task that was in flight when the server stopped; again, not of a dead one."""

TAKEN_OVER = "taken over from a worker that had let it lie idle"
"""The last_error of a task that another worker took over; one that was dead keeps its own."""

PAYLOAD_MISSING = "damaged on disk: its payload is missing"
"""The last_error of a task that is set aside because nothing is left of what was pushed."""

HEADERS_UNREADABLE = "damaged on disk: its headers cannot be read"
"""The last_error of a task that is set aside because its headers are none."""

CHECKSUM_WRONG = "damaged on disk: its payload or headers are not what was pushed"
"""The last_error of a task that is set aside because the checksum of its push says otherwise."""

NACKED = "nacked without a reason"
"""The last_error of a task that was nacked by a worker who gave none."""


def transition(status: Status, event: Event) -> Status:
    """Return the status that follows `event` in `status`.

    Raises:
        IllegalTransition: the table does not hold the pair; nothing may change.
    """
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise IllegalTransition(f"a task that is {status} cannot {event.value}") from None


def failure_event(attempts: int, max_attempts: int, *, from_dead: bool) -> Event:
    """Return what a failed attempt means: RETRY while attempts are left, else EXHAUST.

    A task that was taken from the dead-letter queue has had its attempts: it goes back there.
    """
    return Event.EXHAUST if from_dead or attempts >= max_attempts else Event.RETRY


def release_event(*, from_dead: bool) -> Event:
    """Return what undoing a claim means: RELEASE, or RETURN to the dead-letter queue."""
    return Event.RETURN if from_dead else Event.RELEASE


def nack_event(mode: NackMode, attempts: int, max_attempts: int, *, from_dead: bool) -> Event:
    """Return what a nack means for a task with these attempts."""
    if mode is NackMode.FATAL:
        return Event.EXHAUST
    if mode is NackMode.SILENT:
        return release_event(from_dead=from_dead)
    return failure_event(attempts, max_attempts, from_dead=from_dead)
