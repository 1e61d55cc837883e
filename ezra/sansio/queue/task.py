"""A task as the queue keeps it: every field that an engine stores, and what each one means."""

from __future__ import annotations

from dataclasses import dataclass

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import MILLISECOND, SECOND, SEQUENCE_BITS, Status, next_id

MAX_LEAD = 24 * 60 * 60 * SECOND
"""How far ahead of the clock a producer may choose an id: one that is far ahead would push every
later id there, and use up the ids that are left."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task and all that is known of it."""

    id: int
    queue: str
    payload: bytes | None
    headers: tuple[tuple[bytes, bytes], ...]
    priority: int
    max_attempts: int
    """Its own, or the queue's as it was at the push."""
    visibility_timeout: int | None
    """Its own; None follows the queue's at each claim."""
    created_at: int
    expires_at: int | None
    """created_at plus its ttl; from this moment on it is removed unless in flight or dead."""
    available_at: int
    """Its scheduled time: claimable from this moment on, and its place among equal priorities."""
    status: Status = Status.AVAILABLE
    attempts: int = 0
    claims: int = 0
    """How often it has been claimed, whatever counted as an attempt; never set back. Of a task in
    flight it says which claim this is."""
    worker: str | None = None
    """Who holds it; of a done task, who held it last."""
    claimed_at: int | None = None
    """When it was last claimed; cleared with the worker when it goes back or dies."""
    renewed_at: int | None = None
    """When its lease was last renewed; None until it is. Only in flight."""
    lease_until: int | None = None
    """From this moment on the lease has lapsed. Only in flight."""
    lapsed: bool = False
    """Its last lease lapsed (or a restart cut it), so a late ack still counts."""
    last_error: str | None = None
    """Why its last failed attempt failed; kept, also when a later one succeeds."""
    finished_at: int | None = None
    dead_at: int | None = None
    """When it last died. Kept while it is in flight again from the dead-letter queue (which is
    how that is known) and when that succeeds; cleared by a redrive."""
    damaged: bool = False
    """It is dead because the storage gave back something else than was pushed: no claim gets it."""

    @property
    def from_dead(self) -> bool:
        """Whether the task in flight was claimed through the dead-letter queue."""
        return self.dead_at is not None


def admit_id(chosen: int | None, last: int, now: int) -> int:
    """Return the id for a task pushed at `now`, above `last`: the chosen one, or the next free.

    Raises:
        CommandError: the chosen id is not above the last one, or too far in the future.
    """
    if chosen is None:
        return next_id(last, now)
    if chosen <= last:
        raise CommandError(Text.ID_TOO_SMALL)
    if chosen > ((now + MAX_LEAD) // MILLISECOND) << SEQUENCE_BITS:
        raise CommandError(Text.ID_TOO_FAR)
    return chosen


def scheduled_time(now: int, delay: int | None, run_at: int | None) -> int:
    """Return from when on a task pushed at `now` is claimable; never before the push itself."""
    return max(now, run_at if run_at is not None else now + (delay or 0))
