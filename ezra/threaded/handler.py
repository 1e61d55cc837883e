"""One client's connection, from its first byte to its last, on a thread of its own.

Each turn is the same plain sequence: take every complete request that has arrived, carry them all
out together, wait until that is durable, encode the replies, send once; and when there is nothing
to answer, receive more. A request that may wait for a task comes last in its turn. It is tried
without waiting first when others stand before it: their replies must not wait with it.

Another thread may break off a wait: a shutdown, CLIENT KILL, CLIENT UNBLOCK. It cancels the
submission; the connection's own thread then finds out why.

What a reply hands out and nobody can receive is released: the claim never counted. How long that
may stay unnoticed is in the kernel's hands; `prepare` says what is asked of it.
"""

from __future__ import annotations

import logging
import socket
import struct
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from ezra.sansio.commands import XReadGroup
from ezra.sansio.connection import NEED_DATA, Closed, Connection, Read, Signal
from ezra.sansio.errors import CommandError, EngineError, EzraError, RemoteProtocolError, Text
from ezra.sansio.model import Delivery
from ezra.sansio.session import Session
from ezra.threaded.clock import Clock
from ezra.threaded.dispatcher import Dispatcher
from ezra.threaded.engine import Submission
from ezra.threaded.watcher import Watcher, has_hung_up

log = logging.getLogger(__name__)

RECEIVE_SIZE = 64 * 1024
"""Bytes received at once: enough for a deep pipeline, little enough for thousands of threads."""

SEND_TIMEOUT = 10
"""Seconds that a reply may stand still before the connection is given up. A client that does not
read must not hold its thread for ever."""

LINK_TIMEOUT_MS = 5_000
"""Milliseconds after which Linux gives up a link on which nothing is acknowledged: a cut cable, a
host that has gone, and also a reply that is not read once the socket's buffers are full."""

LINGER = 1.0
"""Seconds to wait for a client's own end after a last reply, see `Handler._part`."""

LINGER_READS = 16
"""And how much to throw away of what it still sends meanwhile, in receives."""


class Handler:
    """Drives one connection: `run` returns when it is over.

    `stop`, `cut` and `unblock` may be called by any thread.
    """

    def __init__(
        self,
        peer: socket.socket,
        session: Session,
        connection: Connection,
        dispatcher: Dispatcher,
        watcher: Watcher,
        clock: Clock,
    ) -> None:
        self.session = session
        self.thread: int | None = None
        """Whose `run` it is, as `threading.get_ident` tells it."""
        self.commands = 0
        """How many were carried out."""
        self.errors = 0
        """How many of them were answered with an error."""
        self._peer = peer
        self._connection = connection
        self._dispatcher = dispatcher
        self._watcher = watcher
        self._clock = clock
        self._stopping = False
        self._lock = threading.Lock()
        self._waiting_for: Submission | None = None
        """While the client is blocked. This and the next: under the lock."""
        self._unblocked_by_error = False

    def run(self) -> None:
        """Serve the client until either side ends it. Closing the socket is left to the caller."""
        self.thread = threading.get_ident()
        try:
            prepare(self._peer)
            while not self._stopping and self._turn():
                pass
            self._part()
        except OSError as error:
            log.debug("client %d: %s", self.session.id, error)

    def stop(self) -> None:
        """Have the connection end after the turn that it is in."""
        self._stopping = True
        with suppress(OSError):  # the client may have been quicker
            self._peer.shutdown(socket.SHUT_RD)  # wakes the thread if it receives

    def cut(self) -> None:
        """End the connection now, whatever it is doing."""
        self._stopping = True
        with suppress(OSError):
            self._peer.shutdown(socket.SHUT_RDWR)
        with self._lock:
            submission = self._waiting_for
        if submission:
            submission.cancel()

    def unblock(self, *, error: bool) -> bool:
        """End the client's wait for a task with null, or with an error; tell whether it waited."""
        with self._lock:
            submission = self._waiting_for
            if submission is None:
                return False
            self._unblocked_by_error = error
        submission.cancel()
        return True

    def _turn(self) -> bool:
        """Answer what has arrived, or receive more; tell whether there is a next turn."""
        requests, end = self._arrived()
        if requests:
            self.commands += len(requests)
            self.session.active_at = self._clock.now()
            self._answer(requests)
        if isinstance(end, RemoteProtocolError):
            self._peer.sendall(self._connection.send(end))
            return False
        if isinstance(end, Closed) or self._connection.closing:
            return False
        if end is NEED_DATA:
            self._connection.receive_data(self._peer.recv(RECEIVE_SIZE))
        return True

    def _arrived(self) -> tuple[list[Read], Signal | Closed | RemoteProtocolError]:
        """Return every request that is complete, and why there are no more just now."""
        requests: list[Read] = []
        while True:
            try:
                event = self._connection.next_event()
            except RemoteProtocolError as error:
                return requests, error.as_answer()
            if isinstance(event, Signal | Closed):
                return requests, event
            requests.append(event)

    def _answer(self, requests: Sequence[Read]) -> None:
        """Carry the requests out together and send their replies."""
        *before, last = requests
        if not isinstance(last, XReadGroup) or last.block is None:
            self._send(self._dispatcher.carry_out(requests, self.session))
            return
        if before:
            at_once = replace(last, block=None)
            results = self._dispatcher.carry_out([*before, at_once], self.session)
            if results[-1] != ():
                self._send(results)
                return
            self._send(results[:-1])
            # The connection learns that these went out: they are not to be released later.
            self._connection.next_event()
        self._answer_blocked(last)

    def _answer_blocked(self, command: XReadGroup) -> None:
        """Wait for the command's tasks, as long as its client is there, and send them."""
        results: Sequence[object]
        try:
            submission = self._dispatcher.claim(command)
            if submission.settle():
                results = submission.wait()
            else:
                with self._blocked(submission):
                    results = submission.wait()
                results = self._unless_unblocked(results)
        except EngineError as error:
            results = [error.as_answer()]
        self._send(results, only_if_there=True)

    @contextmanager
    def _blocked(self, submission: Submission) -> Iterator[None]:
        """Meanwhile, the client is blocked, and is noticed if it goes."""
        with self._lock:
            self._waiting_for = submission
            self._unblocked_by_error = False
        self.session.blocked = True
        try:
            with self._watcher.watching(self._peer, submission):
                yield
        finally:
            self.session.blocked = False
            with self._lock:
                self._waiting_for = None

    def _unless_unblocked(self, results: Sequence[object]) -> Sequence[object]:
        """Return what the wait came to: nothing becomes an error for a client that was so told."""
        told = self._unblocked_by_error and results == [()]
        return [CommandError(Text.UNBLOCKED)] if told else results

    def _send(self, results: Sequence[object], *, only_if_there: bool = False) -> None:
        """Send the replies in one piece; release what they hand out if that cannot be done.

        A client that hangs up can still be sent to, its kernel throws the bytes away. After a wait
        that is likely enough to be asked first (`only_if_there`).
        """
        self.errors += sum([isinstance(result, EzraError) for result in results])
        replies = b"".join([self._connection.send(result) for result in results])
        try:
            if only_if_there and has_hung_up(self._peer):
                raise ConnectionAbortedError("the client hung up while it was blocked")
            self._peer.sendall(replies)
        except OSError:
            self._release(self._connection.send_failed())
            raise

    def _release(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            released = self._dispatcher.release(deliveries)
            log.info("client %d is gone; tasks released: %s", self.session.id, released)

    def _part(self) -> None:
        """Say the last word and wait shortly for the client's own end.

        A socket closed with unread bytes in it makes the kernel tear the connection down, and the
        client may lose the reply that it was just sent.
        """
        self._peer.shutdown(socket.SHUT_WR)
        self._peer.settimeout(LINGER)
        for _ in range(LINGER_READS):
            if not self._peer.recv(RECEIVE_SIZE):
                return


def prepare(peer: socket.socket) -> None:
    """Set what the kernel is to do for a connection.

    Replies go out at once. A send that stands still gives up (the kernel's own timeout, which costs
    nothing; Python's would add a system call to each receive and send). On Linux a peer that has
    vanished is noticed within some five seconds: silent ones are probed after 3, then each second.
    """
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_TIMEOUT, 0))
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 3)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LINK_TIMEOUT_MS)
