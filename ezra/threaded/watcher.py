"""Notices at once that a client whose worker is blocked has hung up.

A connection's thread that waits for a task does not read its socket, so it would learn only from
its reply that nobody is there any more. One thread for all of them asks the kernel instead: an
epoll over the sockets of the connections that are blocked right now, each armed for one report of
the peer's end. The report cancels the submission; the connection's thread wakes up and finds its
client gone.

A report that comes too late finds no submission and does nothing; one for a file descriptor that a
newer connection has taken over is asked again of that socket before it counts. epoll is Linux'.
Elsewhere, and beyond what `/proc/sys/fs/epoll/max_user_watches` allows, nothing is watched: that a
blocked client has gone shows when its reply cannot be sent, and what the reply handed out is
released then.
"""

from __future__ import annotations

import select
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ezra.threaded.engine import Submission

# The comparison stands in this form so that mypy, too, knows where epoll exists.
if sys.platform == "linux":
    ONE_REPORT = select.EPOLLRDHUP | select.EPOLLONESHOT

    ESTABLISHED = 1
    """The first byte of TCP_INFO while neither side has closed; see tcp_states.h of Linux."""

    def has_hung_up(connection: socket.socket) -> bool:
        """Tell whether the peer has closed its side, however much it sent before is unread.

        The kernel's own state of the connection says so, and asking for it costs less than a poll:
        no other thread gets to run meanwhile. That this side has stopped receiving changes nothing.
        """
        return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != ESTABLISHED

    class Watching:
        """What is watched within a `with`: a class, for a generator would cost each worker more."""

        __slots__ = ("_connection", "_submission", "_watcher")

        def __init__(
            self, watcher: Watcher, connection: socket.socket, submission: Submission
        ) -> None:
            self._watcher = watcher
            self._connection = connection
            self._submission = submission

        def __enter__(self) -> None:
            self._watcher.watch(self._connection, self._submission)

        def __exit__(self, *_: object) -> None:
            self._watcher.forget(self._connection)

    class Watcher:
        """One epoll and its thread. Any thread may use it."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self._wake, self._woken = socket.socketpair()
            self._epoll.register(self._woken, select.EPOLLIN)
            self._lock = threading.Lock()
            self._blocked: dict[int, tuple[socket.socket, Submission]] = {}
            """By file descriptor, what each blocked connection waits for. Under the lock."""
            self._thread = threading.Thread(target=self._run, name="ezra-watcher", daemon=True)
            self._thread.start()

        def watching(self, connection: socket.socket, submission: Submission) -> Watching:
            """Within `with`, cancel the submission if the peer hangs up, or has already."""
            return Watching(self, connection, submission)

        def watch(self, connection: socket.socket, submission: Submission) -> None:
            """Do so from now on; not where the kernel has no room for one more to be watched."""
            number = connection.fileno()
            with self._lock:
                self._blocked[number] = (connection, submission)
            with suppress(OSError):
                self._epoll.register(number, ONE_REPORT)

        def forget(self, connection: socket.socket) -> None:
            """And no longer."""
            number = connection.fileno()
            with suppress(OSError):  # it may not have been
                self._epoll.unregister(number)
            with self._lock:
                del self._blocked[number]

        def close(self) -> None:
            """End the thread. Nothing may be watched any more."""
            self._wake.close()
            self._thread.join()
            self._woken.close()
            self._epoll.close()

        def _run(self) -> None:
            while True:
                for number, _ in self._epoll.poll():
                    if number == self._woken.fileno():
                        return
                    self._report(number)

        def _report(self, number: int) -> None:
            # Under the lock the connection's thread cannot go on, so its socket is still open.
            with self._lock:
                connection, submission = self._blocked.get(number, (None, None))
                if connection and submission and has_hung_up(connection):
                    submission.cancel()

else:

    def has_hung_up(connection: socket.socket) -> bool:
        """Tell whether this side has closed it; of the peer nothing is known without epoll."""
        return connection.fileno() < 0

    class Watcher:
        """Watches nothing; see above."""

        @contextmanager
        def watching(self, *_: object) -> Iterator[None]:
            """Do nothing meanwhile."""
            yield

        def close(self) -> None:
            """Do nothing."""
