"""One client's connection, from its first byte to its last, on a thread of its own.

Each turn is the same plain sequence: take every complete request that has arrived, carry them all
out together, wait until that is durable, encode the replies, send once; and when there is nothing
to answer, receive more. A request that may wait for a task comes last in its turn. It is tried
without waiting first when others stand before it: their replies must not wait with it.

Another thread may break off a wait: a shutdown, CLIENT KILL, CLIENT UNBLOCK. It cancels the
submission; the connection's own thread then finds out why.

What a reply hands out and nobody can receive is released: the claim never counted. How long that
may stay unnoticed is in the kernel's hands; `link.prepare` says what is asked of it.

There are ten thousand of these. So objects here are small, what is seldom needed is made when it is
needed, and what stands on the stack of a thread that waits is kept short.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Sequence
from dataclasses import replace

from ezra.sansio.commands import Command, Exec, XAutoClaim, XClaim, XReadGroup
from ezra.sansio.connection import NEED_DATA, Closed, Connection, Read, Signal
from ezra.sansio.errors import CommandError, EngineError, EzraError, RemoteProtocolError, Text
from ezra.sansio.model import Delivery
from ezra.sansio.queue.allowance import weight
from ezra.sansio.resp.encoder import encode
from ezra.sansio.resp.values import SimpleError
from ezra.sansio.session import Session
from ezra.threaded import failpoints
from ezra.threaded.budget import Account
from ezra.threaded.dispatcher import Dispatcher
from ezra.threaded.engine import Submission
from ezra.threaded.link import Link
from ezra.threaded.watcher import Watcher, has_hung_up

log = logging.getLogger(__name__)

UNREAD = 1024
"""Bytes of replies that may be on their way to a client that has yet to say its password. Who does
not read what it is told before that gets nothing more."""


class Handler:
    """Drives one connection: `run` returns when it is over.

    `stop`, `cut` and `unblock` may be called by any thread.
    """

    __slots__ = (
        "_account",
        "_connection",
        "_dispatcher",
        "_failed_logins",
        "_link",
        "_lock",
        "_stopping",
        "_unblocked_by_error",
        "_waiting_for",
        "_watcher",
        "commands",
        "errors",
        "session",
        "thread",
    )

    def __init__(
        self,
        link: Link,
        session: Session,
        connection: Connection,
        dispatcher: Dispatcher,
        watcher: Watcher,
        account: Account,
    ) -> None:
        self.session = session
        self.thread: int | None = None
        """Whose `run` it is, as `threading.get_ident` tells it."""
        self.commands = 0
        """How many were carried out."""
        self.errors = 0
        """How many of them were answered with an error."""
        self._link = link
        self._connection = connection
        self._dispatcher = dispatcher
        self._watcher = watcher
        self._account = account
        self._failed_logins = 0
        """How many the client has waited for."""
        self._stopping = False
        self._lock = threading.Lock()
        self._waiting_for: Submission | None = None
        """While the client is blocked. This and the next: under the lock."""
        self._unblocked_by_error = False

    def run(self) -> None:
        """Serve the client until either side ends it. Closing the socket is left to the caller."""
        self.thread = threading.get_ident()
        try:
            self._link.open()
            while not self._stopping and self._turn():
                pass
            self._link.part()
        except OSError as error:
            log.debug("client %d: %s", self.session.id, error)
        finally:
            self._account.hold(0)

    def stop(self) -> None:
        """Have the connection end after the turn that it is in."""
        self._stopping = True
        self._link.shut(socket.SHUT_RD)  # wakes the thread if it receives

    def cut(self) -> None:
        """End the connection now, whatever it is doing."""
        self._stopping = True
        self._link.shut(socket.SHUT_RDWR)
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
            self._answer(requests)
        if isinstance(end, RemoteProtocolError):
            self._link.send(self._connection.send(end))
            return False
        if isinstance(end, Closed) or self._connection.closing:
            return False
        if end is NEED_DATA:
            return self._has_room() and self._receive()
        return True

    def _receive(self) -> bool:
        """Wait for more to arrive; tell whether there is room for it."""
        self._connection.receive_data(self._link.receive(self._patience()))
        self.session.active_at = self._link.clock.now()
        return self._has_room()

    def _patience(self) -> int | None:
        """Return until when more has to arrive; None for as long as it likes."""
        deadlines = self._link.deadlines
        if not self.session.authenticated:
            return max(self.session.connected_at, self.session.stranger_since) + deadlines.login
        return None if deadlines.idle is None else self._link.clock.now() + deadlines.idle

    def _has_room(self) -> bool:
        """Tell whether the connection may hold what it does; else say why it ends."""
        if self._account.hold(self._connection.held):
            return True
        log.info("client %d is sent away: it takes more memory than there is", self.session.id)
        self._link.send(encode(SimpleError(Text.NO_MEMORY_FOR_REQUEST), 2))
        return False

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
            self._send(self._carry_out(requests))
            return
        if before:
            at_once = replace(last, block=None)
            results = self._carry_out([*before, at_once])
            if results[-1] != ():
                self._send(results)
                return
            self._send(results[:-1])
            # The connection learns that these went out: they are not to be released later.
            self._connection.next_event()
        self._answer_blocked(last)

    def _carry_out(self, requests: Sequence[Read]) -> list[object]:
        return self._dispatcher.carry_out(requests, self.session, self._if_there_is_room)

    def _answer_blocked(self, command: XReadGroup) -> None:
        """Wait for the command's tasks, as long as its client is there, and send them."""
        results: Sequence[object]
        try:
            submission = self._dispatcher.claim(command)
            if submission.settle():
                results = submission.wait()
            else:
                results = self._unless_unblocked(self._wait(submission))
        except EngineError as error:
            results = [error.as_answer()]
        admitted = [self._if_there_is_room(command, result) for result in results]
        self._send(admitted, only_if_there=True)

    def _wait(self, submission: Submission) -> Sequence[object]:
        """Return the submission's outcome; meanwhile the client is blocked, and watched."""
        with self._lock:
            self._waiting_for = submission
            self._unblocked_by_error = False
        if self._stopping:
            submission.cancel()  # whoever said so may have come too early to do it
        self.session.blocked = True
        try:
            with self._watcher.watching(self._link.peer, submission):
                return submission.wait()
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
            failpoints.passing_claim(results)
            self._before_sending()
            if only_if_there and has_hung_up(self._link.peer):
                raise ConnectionAbortedError("the client hung up while it was blocked")
            # Noted before the client can have it: whoever asks from then on is told the truth.
            self.session.active_at = self._link.clock.now()
            self._link.send(replies)
        except OSError:
            self._release(self._connection.send_failed(), "it is gone")
            raise
        # The replies are paid for until here; what is kept is looked at again at NEED_DATA.
        self._account.hold(self._connection.held)

    def _if_there_is_room(self, request: Read, result: object) -> object:
        """Return the result; one too large for the memory that there is becomes an error.

        What it hands out is released. A result that cannot be had again is never refused: that of a
        transaction, tasks that were taken over, and those that are done as they are claimed.
        """
        size = weight(result)
        if not size or self._account.add(size):
            return result
        if not isinstance(request, Command) or isinstance(request, Exec | XClaim | XAutoClaim):
            return result
        if isinstance(request, XReadGroup) and request.no_ack:
            return result
        self._release(request.handed_out(result), "there is no memory for its reply")
        return CommandError(Text.NO_MEMORY_FOR_REPLY)

    def _before_sending(self) -> None:
        """Let a client wait that said a wrong password; refuse one that takes no replies before."""
        failed = self.session.failed_logins - self._failed_logins
        if failed:
            self._failed_logins += failed
            deadlines = self._link.deadlines
            self._link.pause(min(failed * deadlines.login_pause, deadlines.login))
        if not self.session.authenticated and self._link.unacknowledged() > UNREAD:
            raise ConnectionAbortedError("the client does not read what it is told")

    def _release(self, deliveries: Sequence[Delivery], why: str) -> None:
        if deliveries:
            released = self._dispatcher.release(deliveries)
            log.info("client %d: %s; tasks released: %s", self.session.id, why, released)
