"""One client's socket, plain or TLS: received from, sent to and cut off within deadlines.

Only the connection's own thread receives and sends. Any thread may `shut`: it does so below TLS,
because an `SSLSocket` that is shut down forgets that it spoke TLS, and what its thread sends next
would go out in plain text.

Strategy: a plain connection blocks in the kernel, with the kernel's own timeout for a send that
stands still; Python's would cost a system call more each time. Only where an absolute deadline
counts (a login, a handshake, a reply that did not go out at once, and whatever is TLS, in which
many receives make one) it is Python's, whose clock runs on over all of them.
"""

from __future__ import annotations

import fcntl
import select
import socket
import ssl
import struct
import sys
from contextlib import suppress

from ezra.sansio.model import MILLISECOND, SECOND
from ezra.threaded.clock import Clock
from ezra.threaded.deadlines import (
    KEEPALIVE_IDLE,
    KEEPALIVE_INTERVAL,
    KEEPALIVE_PROBES,
    LEAST_WAIT,
    Deadlines,
)

RECEIVE_SIZE = 64 * 1024
"""Bytes received at once: enough for a deep pipeline, little enough for thousands of threads."""

LARGE = 64 * 1024
"""Bytes of replies that a client which reads nothing for a while may not have room for."""

LINGER_READS = 16
"""How much to throw away of what a client still sends at its end, in receives."""

SIOCOUTQ = 0x5411
"""Asks Linux how many bytes a socket has been given that the other side has not acknowledged."""


class Link:
    """A plain connection. Nothing is sent or received before `open`."""

    __slots__ = ("_patience", "clock", "deadlines", "peer")

    def __init__(self, peer: socket.socket, deadlines: Deadlines, clock: Clock) -> None:
        self.peer = peer
        self.deadlines = deadlines
        self.clock = clock
        self._patience = deadlines.link
        """How long the kernel waits for the other side to take something."""

    def open(self) -> None:
        """Have the connection ready for its first byte.

        Raises:
            OSError: the client is gone, or did not come to terms in time.
        """
        prepare(self.peer, self.deadlines)

    def receive(self, until: int | None) -> bytes:
        """Return what has arrived, or wait for it; `b""` is the client's end.

        Args:
            until: the moment at which to give up; None for never.

        Raises:
            TimeoutError: nothing came by then.
            OSError: the connection is broken.
        """
        self._wait_until(until)
        return self.peer.recv(RECEIVE_SIZE)

    def send(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            OSError: the client is gone, or does not read; `TimeoutError` among others.
        """
        self._have_patience(len(data))
        if self.peer.gettimeout() is None:
            sent = self.peer.send(data)
            if sent == len(data):
                return
            data = data[sent:]
        self._send_slowly(data)

    def _have_patience(self, size: int) -> None:
        """Have the kernel wait with a large reply for who reads nothing meanwhile; until the next.

        To the kernel such a client, alive and answering its probes, looks like a link that is cut.
        """
        patience = self.deadlines.link if size <= LARGE else self.deadlines.for_sending(size)
        if patience != self._patience:
            set_patience(self.peer, patience)
            self._patience = patience

    def _send_slowly(self, data: bytes) -> None:
        self.peer.settimeout(self.deadlines.for_sending(len(data)) / SECOND)
        self.peer.sendall(data)  # the timeout is for all of it

    def shut(self, how: int) -> None:
        """Let nothing more come in, or nothing at all pass; a thread that waits for it wakes up."""
        with suppress(OSError):  # the client may have been quicker
            socket.socket.shutdown(self.peer, how)

    def part(self) -> None:
        """Say the last word and wait shortly for the client's own end.

        A socket closed with unread bytes in it makes the kernel tear the connection down, and the
        client may lose the reply that it was just sent.
        """
        self.shut(socket.SHUT_WR)
        self.peer.settimeout(self.deadlines.linger / SECOND)
        for _ in range(LINGER_READS):
            if not self.peer.recv(RECEIVE_SIZE):
                return

    def unacknowledged(self) -> int:
        """Return how many bytes of replies the client's side has not taken yet."""
        if sys.platform != "linux":
            return 0
        return int(struct.unpack("i", fcntl.ioctl(self.peer.fileno(), SIOCOUTQ, bytes(4)))[0])

    def pause(self, duration: int) -> None:
        """Do nothing for a while; less when the client hangs up or is cut off meanwhile."""
        poll = select.poll()
        poll.register(self.peer.fileno(), getattr(select, "POLLRDHUP", 0))
        poll.poll(duration // MILLISECOND)

    def _wait_until(self, until: int | None) -> None:
        """Have the next receive end by that moment."""
        if until is not None:
            left = max(until - self.clock.now(), LEAST_WAIT)
            self.peer.settimeout(left / SECOND)
        elif self.peer.gettimeout() is not None:
            self.peer.settimeout(None)


class TlsLink(Link):
    """A connection in TLS."""

    __slots__ = ()

    peer: ssl.SSLSocket

    def open(self) -> None:
        """Have the connection ready, its handshake done."""
        super().open()
        self.peer.settimeout(self.deadlines.handshake / SECOND)  # for the whole of it
        self.peer.do_handshake()

    def send(self, data: bytes) -> None:
        """Send all of it, record by record."""
        self._have_patience(len(data))
        until = self.clock.now() + self.deadlines.for_sending(len(data))
        rest = memoryview(data)
        while rest:
            left = until - self.clock.now()
            if left <= 0:
                raise TimeoutError("the client reads its replies too slowly")
            self.peer.settimeout(left / SECOND)
            rest = rest[self.peer.send(rest) :]

    def part(self) -> None:
        """Say in TLS that this is the end, and wait shortly for the client to say it, too."""
        self.peer.settimeout(self.deadlines.linger / SECOND)
        with suppress(OSError):  # it may still be sending; it has been told all the same
            self.peer.unwrap()


def prepare(peer: socket.socket, deadlines: Deadlines) -> None:
    """Set what the kernel is to do for a connection.

    Replies go out at once. A send that stands still gives up. On Linux a peer that has vanished is
    noticed within some five seconds: silent ones are probed after 3, then each second.
    """
    standstill = struct.pack("ll", *divmod(deadlines.send, SECOND))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, standstill)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
        set_patience(peer, deadlines.link)


def set_patience(peer: socket.socket, patience: int) -> None:
    """Have Linux give up a connection on which nothing is taken for so many microseconds."""
    if sys.platform == "linux":
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience // MILLISECOND)
