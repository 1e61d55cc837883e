"""Scenarios of thread races around the engine: readers, the books of clients, a blocked connection.

The connection is the real `Handler` on a `Peer`, which is a socket on the scheduler's terms.
"""

from __future__ import annotations

import contextlib
import functools
import operator
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from ezra.embedded import Ezra
from ezra.sansio.connection import Connection
from ezra.sansio.errors import EngineClosed
from ezra.sansio.model import SECOND, NewTask
from ezra.sansio.queue.looks import Length
from ezra.sansio.queue.operations import CreateQueue, Push
from ezra.sansio.session import ServerIdentity, Session
from ezra.threaded.budget import Account, Budget
from ezra.threaded.clients import Clients
from ezra.threaded.clock import Clock
from ezra.threaded.deadlines import Deadlines
from ezra.threaded.dispatcher import Dispatcher
from ezra.threaded.engine import Engine, Submission
from ezra.threaded.handler import Handler
from ezra.threaded.link import Link
from ezra.threaded.memory_engine import MemoryEngine
from ezra.threaded.server import Server
from ezra.threaded.sqlite.database import DATABASE_FILE
from ezra.threaded.sqlite.engine import SqliteEngine
from ezra.threaded.watcher import ESTABLISHED, Watcher
from tests.faults.race_worlds import DEFAULTS, Q, together
from tests.faults.scheduler import Scheduler
from tests.faults.stand_in import StandIn
from tests.property.fake_clock import FakeClock
from tests.property.fake_host import FakeHost

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux has a file system without a disk


# -- An engine that closes while others read -------------------------------------------------------


def looking(scheduler: Scheduler) -> None:
    """Whoever reads while the engine closes is answered or refused, and leaves nothing open."""
    with _directory() as directory:
        with scheduler.alone():
            engine = SqliteEngine(directory, DEFAULTS, FakeClock(), readers=1)
        told: list[object] = []

        def reader() -> None:
            with contextlib.suppress(EngineClosed):
                told.append(engine.look(Length(Q)))
                told.append(engine.look(Length(Q)))

        def producer() -> None:
            with contextlib.suppress(EngineClosed):
                engine.execute([Push("q", NewTask(b"p"))])

        together(scheduler, reader, producer, engine.close, reader, engine.close)
        assert all(number in (0, 1) for number in told), told
        with scheduler.alone():
            assert engine._readers._open == 0, "a connection is open on a database that is closed"
            try:
                engine.look(Length(Q))
            except EngineClosed:
                return
        raise AssertionError("a closed engine answers looks")


def closing_twice(scheduler: Scheduler) -> None:
    """Two threads close the same queue: its port is closed once, and both find it closed."""
    stopped: list[None] = []
    with scheduler.alone():
        queue = Ezra(":memory:", clock=FakeClock())
        queue._lifetime._server = cast(Server, SimpleNamespace(stop=lambda: stopped.append(None)))

    def closer() -> None:
        queue.close()
        assert stopped, "closed, and the port is open"

    together(scheduler, closer, closer)
    assert len(stopped) == 1, f"the port was closed {len(stopped)} times"


@contextmanager
def _directory() -> Iterator[Path]:
    """Make a data directory with a database that nothing was done in."""
    base = IN_MEMORY if IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=base, prefix="ezra-races-") as name:
        shutil.copyfile(_template() / DATABASE_FILE, Path(name, DATABASE_FILE))
        yield Path(name)


_kept = contextlib.ExitStack()


@functools.cache
def _template() -> Path:
    """Return a data directory to copy; made before any schedule, see `prepare`."""
    directory = Path(_kept.enter_context(tempfile.TemporaryDirectory(prefix="ezra-races-")))
    SqliteEngine(directory, DEFAULTS, FakeClock()).close()
    return directory


def prepare() -> None:
    """Make what all schedules share. To be called outside of them."""
    _template()


# -- The books of clients --------------------------------------------------------------------------


class _Peer:
    """Stands for a client's socket."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


def counting(scheduler: Scheduler) -> None:
    """Clients come and go while others count them: nobody is counted twice or forgotten."""
    clients = Clients()
    seen: list[int] = []

    def client() -> None:
        for _ in range(2):
            peer = cast(socket.socket, _Peer())
            session = Session(1, ServerIdentity("0"))
            handler = cast(Handler, SimpleNamespace(session=session, commands=1, errors=0))
            clients.add(peer, handler)
            assert clients.tell(session, functools.partial(operator.is_, handler))
            clients.remove(peer)
            clients.remove(peer)

    def counter() -> None:
        for _ in range(4):
            totals = clients.totals()
            assert totals.connections == totals.commands, totals
            assert len(clients.sessions()) <= 3
            seen.append(totals.connections)

    together(scheduler, client, counter, client, clients.reject, client)
    assert seen == sorted(seen), f"clients that were counted are gone: {seen}"
    totals = clients.totals()
    assert (totals.connections, totals.rejected, totals.commands) == (6, 1, 6), totals
    assert clients.all_gone(0)


# -- A blocked connection --------------------------------------------------------------------------

WORDS = (b"XREADGROUP", b"GROUP", b"g", b"ann", b"BLOCK", b"1000", b"STREAMS", b"q", b">")
COMMAND = b"*%d\r\n" % len(WORDS) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in WORDS)
MARK = b"the task"


class Peer:
    """A client's socket and the client behind it, which sends one command and waits for a reply."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.changed = StandIn(scheduler).Condition()
        self.sent = b""
        """What the server has sent while the client was there."""
        self.state = ESTABLISHED
        self._inbox = COMMAND
        self._ended = False

    def recv(self, _: int) -> bytes:
        """Return what the client has sent, or wait for its end."""
        with self.changed:
            self.changed.wait_for(lambda: self._inbox or self._ended)
            received, self._inbox = self._inbox, b""
            return received

    def send(self, data: bytes) -> int:
        """Hand data to the client."""
        with self.changed:
            if self.state != ESTABLISHED:
                raise BrokenPipeError
            self.sent += data
            return len(data)

    def shutdown(self, how: int) -> None:
        """End this side, or the receiving of it; the client then ends its own."""
        with self.changed:
            self._ended = True
            if how != socket.SHUT_RD:
                self.state = ESTABLISHED + 3
            self.changed.notify_all()

    def hang_up(self) -> None:
        """End the client's side."""
        self.shutdown(socket.SHUT_RDWR)

    def getsockopt(self, *_: int) -> bytes:
        """Tell the connection's state, as TCP_INFO does."""
        return bytes([self.state])

    def settimeout(self, _: float | None) -> None:
        """Do nothing."""

    def gettimeout(self) -> None:
        """Say that there is none."""


class PeerLink(Link):
    """The link to such a peer, which is shut as it can be."""

    def __init__(self, peer: Peer, clock: Clock) -> None:
        super().__init__(cast(socket.socket, peer), Deadlines(), clock)

    def open(self) -> None:
        """Be open."""

    def shut(self, how: int) -> None:
        """Shut the peer."""
        self.peer.shutdown(how)


class PeerWatcher:
    """What `Watcher` does, for one peer: reports that it has hung up, and any number of times.

    Or nothing, as where there is no epoll.
    """

    def __init__(self, scheduler: Scheduler, *, blind: bool) -> None:
        self._blind = blind
        self._lock = StandIn(scheduler).Lock()
        self._watched: tuple[Peer, Submission] | None = None

    @contextmanager
    def watching(self, peer: Peer, submission: Submission) -> Iterator[None]:
        """Meanwhile, reports count."""
        with self._lock:
            self._watched = (peer, submission)
        self.report()
        try:
            yield
        finally:
            with self._lock:
                self._watched = None

    def report(self) -> None:
        """Cancel the submission if the peer is gone."""
        with self._lock:
            if self._watched and self._watched[0].state != ESTABLISHED and not self._blind:
                self._watched[1].cancel()


def blocked_in_memory(scheduler: Scheduler) -> None:
    """As `blocked`, on the in-memory engine."""
    with scheduler.alone():
        clock = FakeClock()
        engine = MemoryEngine(DEFAULTS, clock)
    blocked(scheduler, engine, clock)


def blocked_on_sqlite(scheduler: Scheduler) -> None:
    """As `blocked`, on the SQLite engine."""
    with _directory() as directory:
        with scheduler.alone():
            clock = FakeClock()
            engine = SqliteEngine(directory, DEFAULTS, clock)
        blocked(scheduler, engine, clock)


def blocked(scheduler: Scheduler, engine: Engine, clock: FakeClock) -> None:
    """A worker is blocked: a task comes, it is unblocked, it is killed, it goes, all at once.

    It gets one reply, or the connection ends; the task is in the reply, or waits as ever.
    """
    blind = scheduler.number(2) == 1
    peer, watcher = Peer(scheduler), PeerWatcher(scheduler, blind=blind)
    handler = Handler(
        PeerLink(peer, clock),
        session := Session(1, ServerIdentity("0")),
        Connection(session),
        Dispatcher(engine, clock, FakeHost()),
        cast(Watcher, watcher),
        Account(Budget(2**30, 2**20)),
    )
    with scheduler.alone():
        engine.execute([CreateQueue("q", "g")])
    unblocked: list[bool] = []

    def hang_up() -> None:
        peer.hang_up()
        watcher.report()

    def shut_down() -> None:
        engine.drain()
        handler.stop()

    def unblock() -> None:
        unblocked.append(handler.unblock(error=True))
        unblocked.append(handler.unblock(error=False))

    def time_passing() -> None:
        clock.advance(SECOND)

    def push() -> None:
        engine.execute([Push("q", NewTask(MARK))])

    ends: list[Callable[[], None]] = [handler.cut, shut_down, time_passing]
    ends += [] if blind else [hang_up]
    end = ends[scheduler.number(len(ends))]
    connection = scheduler.spawn("connection", handler.run)
    pushes = scheduler.number(2)
    together(scheduler, unblock, end, *[push] * pushes)
    if end is time_passing:
        shut_down()
    scheduler.join(connection)
    replies = peer.sent.count(MARK) + peer.sent.count(b"UNBLOCKED") + peer.sent.count(b"*-1\r\n")
    assert replies <= 1, peer.sent
    if any(unblocked) and end not in (handler.cut, hang_up):
        assert replies == 1, f"unblocked, and told nothing: {peer.sent!r}"
    with scheduler.alone(), closing(engine):
        waiting = cast(int, engine.look(Length(Q)))
    assert waiting + peer.sent.count(MARK) == pushes, f"{waiting} waiting, sent: {peer.sent!r}"
