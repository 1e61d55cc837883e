"""The watcher for itself: it cancels what its peer has left, and nothing else."""

from __future__ import annotations

import errno
import socket
import sys
import threading
from collections.abc import Iterator

import pytest

from ezra.sansio.queue.operations import Outcome
from ezra.threaded.engine import Submission
from ezra.threaded.watcher import Watcher, has_hung_up
from tests.integration.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="epoll is Linux'")


class Noted(Submission):
    """A submission that notes its cancellation."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()

    def settle(self) -> bool:
        """Say that its claim is parked."""
        return False

    def wait(self) -> list[Outcome]:
        """Return nothing at once."""
        return []

    def cancel(self) -> None:
        """Note it."""
        self.cancelled.set()


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    """Watch, and end the thread afterwards."""
    watcher = Watcher()
    yield watcher
    watcher.close()
    assert not watcher._thread.is_alive()


def pair() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        there = socket.create_connection(listening.getsockname())
        return listening.accept()[0], there


def test_the_peer_s_end_cancels(watcher: Watcher) -> None:
    """While it is watched, and also when it had ended before."""
    for early in (False, True):
        here, there = pair()
        with here, there:
            submission = Noted()
            if early:
                there.close()
            with watcher.watching(here, submission):
                there.close()
                assert submission.cancelled.wait(10)


def test_a_half_close_is_an_end(watcher: Watcher) -> None:
    """As for Redis: who will send nothing more is not waited for."""
    here, there = pair()
    with here, there:
        submission = Noted()
        with watcher.watching(here, submission):
            there.shutdown(socket.SHUT_WR)
            assert submission.cancelled.wait(10)


def test_only_the_one_that_ended_is_cancelled(watcher: Watcher) -> None:
    """Neither data nor another connection's end means anything."""
    (here, there), (here2, there2) = pair(), pair()
    with here, there, here2, there2:
        quiet, gone = Noted(), Noted()
        with watcher.watching(here, quiet), watcher.watching(here2, gone):
            there.send(b"more")
            there2.close()
            assert gone.cancelled.wait(10)
        assert not quiet.cancelled.is_set()


def test_after_watching_nothing_is_cancelled(watcher: Watcher) -> None:
    """An end that comes later is the business of whoever reads the socket."""
    here, there = pair()
    with here, there:
        submission = Noted()
        with watcher.watching(here, submission):
            pass
        there.close()
        until(lambda: has_hung_up(here), "the end to arrive")
        other, peer = pair()
        with other, peer:
            next_one = Noted()
            with watcher.watching(other, next_one):
                peer.close()
                assert next_one.cancelled.wait(10)
        assert not submission.cancelled.is_set()


def test_what_cannot_be_watched_waits_unwatched(watcher: Watcher) -> None:
    """As where the kernel allows no more watches; the submission is left alone."""

    class Full:
        def register(self, *_: object) -> None:
            raise OSError(errno.ENOSPC, "no room for another watch")

        def unregister(self, number: int) -> None:
            epoll.unregister(number)

    epoll = watcher._epoll
    here, there = pair()
    with here, there:
        submission = Noted()
        watcher._epoll = Full()  # type: ignore[assignment]  # stands in for it
        with watcher.watching(here, submission):
            assert here.fileno() in watcher._blocked
        watcher._epoll = epoll
        assert not watcher._blocked
        assert not submission.cancelled.is_set()


def test_a_late_report_does_not_hit_the_next_connection(watcher: Watcher) -> None:
    """A report about a file descriptor that is in use again is asked of its new socket."""
    here, there = pair()
    with here, there:
        submission = Noted()
        with watcher.watching(here, submission):
            watcher._report(here.fileno())
            watcher._report(10**6)
        assert not submission.cancelled.is_set()


def test_hanging_up_is_seen_behind_unread_bytes() -> None:
    """However much the peer has sent before."""
    here, there = pair()
    with here, there:
        there.send(b"unread")
        assert not has_hung_up(here)
        there.close()
        assert has_hung_up(here)
