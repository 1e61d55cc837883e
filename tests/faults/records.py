"""What clients note of a server, and the faults that can be found in it.

For each command: when it was sent and when its answer had arrived (microseconds of one monotonic
clock), what was asked, and what was answered, or that nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Fault(Enum):
    """What a task queue must not do."""

    LOST = "an answered push is gone"
    PHANTOM = "a task that nobody pushed, or not so"
    TWO_HOLDERS = "with two workers within a lease"
    LEASE_CUT = "a lease was over before its time"
    REDELIVERED = "came again after an answered ack"
    DONE_TWICE = "two acks of one task counted"
    ID_REUSED = "an id was given out twice"
    ID_BACKWARDS = "an id is not above those given out before it"
    ATTEMPTS = "the attempts do not follow the deliveries"
    DIED_EARLY = "dead with attempts left"
    OUT_OF_ORDER = "a worker was served although another task's turn came first"
    PASSED_OVER = "a worker was told that nothing waits although something did"
    EARLY = "delivered before its delay was over"
    UNDRAINED = "still there when everything was to be done"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that cannot have been."""

    fault: Fault
    what: str

    def __str__(self) -> str:
        return f"{self.fault.value}: {self.what}"


class Deed(Enum):
    """What a worker does with a task that it has."""

    ACK = "ack"
    NACK = "nack"
    RELEASE = "release"
    """A nack that takes the attempt back (XNACK … SILENT)."""
    EXTEND = "extend"


# -- The records -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Push:
    """A push. One that is repeated under a deduplication key is several of these with one `key`."""

    key: str
    """What tells this task from all others; its payload carries it."""
    queue: str
    begun: int
    ended: int
    """When the answer had arrived, or the connection was found broken."""
    id: int | None
    """None: nobody knows whether it is there."""
    priority: int = 0
    delay: int = 0
    """Microseconds for which it is not to be claimed."""
    refused: bool = False
    """It was answered with an error: it must not be there."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A task as a worker received it."""

    id: int
    key: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of one queue, and what came of it."""

    queue: str
    worker: str
    begun: int
    ended: int
    lease: int
    """Microseconds for which each task is the worker's own."""
    tasks: tuple[Delivery, ...] | None
    """None: nobody knows what was handed out."""


@dataclass(frozen=True, slots=True)
class Act:
    """What a worker did about one task: an ack, a nack, a heartbeat."""

    deed: Deed
    id: int
    worker: str
    begun: int
    ended: int
    counted: bool | None
    """Whether the server says that it changed something; None: nobody knows."""
    delay: int = 0
    """With a nack, microseconds for which the task is not to be claimed."""
    lease: int = 0
    """With a heartbeat, microseconds for which the task is the worker's own from now on."""


@dataclass(frozen=True, slots=True)
class Restart:
    """The server was ended (killed, or in order) and started anew: every lease was cut."""

    begun: int
    ended: int


Record = Push | Claim | Act | Restart


class Left(Enum):
    """In which state a task was found at the end."""

    WAITING = "available"
    IN_FLIGHT = "in_flight"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Remnant:
    """A task that was found in the queues at the end. Done ones need not be told."""

    id: int
    key: str
    left: Left


@dataclass(frozen=True, slots=True)
class Rules:
    """What the queue was told, and how far the checker may go."""

    max_attempts: int
    aftermath: int = 10_000_000
    """Microseconds after a connection was found broken in which its last command may yet be carried
    out."""
    drained: bool = True
    """Whether at the end everything was to be done or dead."""
    steady: bool = True
    """Whether the wall clock ran on evenly between an end of the server and its next start. Where
    it did not, delays are not judged, and a push that is repeated may make a second task."""
