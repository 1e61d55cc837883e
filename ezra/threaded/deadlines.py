"""How long one client may keep its thread waiting: every such limit with its reason.

A server is told others only by tests, which do not want to wait so long. Durations are in
microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from ezra.sansio.model import MILLISECOND, SECOND


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The limits of one server."""

    handshake: int = 10 * SECOND
    """For the whole of a TLS handshake, however many bytes of it come meanwhile."""
    login: int = 10 * SECOND
    """From connecting to a right password, where one is needed; not renewed by anything."""
    login_pause: int = SECOND // 2
    """For each wrong password, before its answer: guessing is slow, and nobody else waits with it.
    It does not grow, because who guesses would connect anew."""
    send: int = 10 * SECOND
    """For replies to be taken by the client's side. What does not read must not hold its thread."""
    slowest: int = 16 * 1024
    """Bytes a second at which a large reply must be read beyond that. A client that reads a byte
    now and then makes progress, too, and would otherwise hold its thread and the reply for ever."""
    link: int = 5 * SECOND
    """After which Linux gives up a link on which nothing is acknowledged: a cut cable, a host that
    has gone. Behind a large reply it waits for as long as that may take, see `Link.send`."""
    linger: int = SECOND
    """To wait for a client's own end after a last reply, see `Link.part`."""
    idle: int | None = None
    """Without a byte from a client that waits for nothing; None is for ever."""

    def for_sending(self, size: int) -> int:
        """Return how long so many bytes may take to be sent, and not a moment longer."""
        return self.send + size * SECOND // self.slowest


KEEPALIVE_IDLE = 3
"""Seconds of silence after which Linux asks whether the other machine is still there."""

KEEPALIVE_INTERVAL = 1
"""And seconds between asking again."""

KEEPALIVE_PROBES = 3
"""And how often."""

LEAST_WAIT = MILLISECOND
"""What is left of a deadline that has just passed: to a socket, 0 would mean something else."""
