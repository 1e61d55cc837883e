"""The durable engine: tasks in an SQLite file, many threads, one fsync for all who wait.

This file puts the parts together and takes them apart again. `commit` lets threads share commits,
`writer` makes a transaction of a batch, `steps`, `claims` and `sweep` do its work on rows by the
pure rules of `ezra.sansio.queue`, and `reading` answers questions beside them.

One thread belongs to the engine: the timer, which sleeps until something falls due, or until
`scheduler` is over, and then has a sweep committed like everything else.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from ezra.sansio.errors import (
    EngineClosed,
    EngineError,
    EzraError,
    OutcomeUnknown,
    StartError,
    Text,
)
from ezra.sansio.host import Recovered
from ezra.sansio.model import MILLISECOND, SECOND, SEQUENCE_BITS, Defaults, Status
from ezra.sansio.queue.allowance import Room
from ezra.sansio.queue.looks import Answer, Look
from ezra.sansio.queue.machine import check_steps
from ezra.sansio.queue.operations import Operation, Transact
from ezra.threaded import failpoints
from ezra.threaded.clock import Clock
from ezra.threaded.engine import Engine, Submission
from ezra.threaded.sqlite import faults, reading, statements
from ezra.threaded.sqlite.calls import minds_the_rest
from ezra.threaded.sqlite.checkpoints import Checkpoints, make_empty
from ezra.threaded.sqlite.commit import Committer
from ezra.threaded.sqlite.database import DATABASE_FILE, empty_wal, open_database
from ezra.threaded.sqlite.lock import DirectoryLock
from ezra.threaded.sqlite.place import real_path
from ezra.threaded.sqlite.pool import ReaderPool, Synchronous, abandon, let_go
from ezra.threaded.sqlite.schema import UPGRADES
from ezra.threaded.sqlite.space import FreeSpace
from ezra.threaded.sqlite.sweep import restart
from ezra.threaded.sqlite.transaction import Transaction
from ezra.threaded.sqlite.view import View
from ezra.threaded.sqlite.writer import Writer

log = logging.getLogger(__name__)

MOST_SWEEPS = 100
"""How many sweeps a look waits for: a hundred thousand ttls or delays, in about a second. With more
than that due at once it is answered from what is done by then: nobody who watches a server waits
for it without end."""

READERS = 4
"""Connections for reading: more than there are cores would only wait for each other."""


class SqliteEngine(Engine):
    """An engine whose tasks are in `ezra.db` in a data directory, of which it is the only user.

    Args:
        data_dir: made, readable for its owner only, where it does not exist.
        defaults: what holds for queues that set nothing else.
        clock: tells the time and waits for it.
        synchronous: whether a commit is fsynced before it is answered, or at checkpoints only.
        scheduler: the longest pause between two sweeps, in microseconds.
        readers: how many threads can read at once.
        min_free_bytes: how much has to be free on the disk for a push; 0 for nothing.
        on_failure: called once when the storage has failed, in some thread of a caller. Nothing is
            accepted any more then; the process should end, and start again.

    Raises:
        StartError: the directory is in use, or what is in it cannot be used.
    """

    recovered: Recovered
    """What was in the file at the start."""

    def __init__(
        self,
        data_dir: Path,
        defaults: Defaults,
        clock: Clock,
        *,
        synchronous: Synchronous = "full",
        scheduler: int = 5 * SECOND,
        readers: int = READERS,
        min_free_bytes: int = 0,
        on_failure: Callable[[EngineError], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._scheduler = scheduler
        self._answer_size = defaults.answer_size
        self._path = real_path(data_dir / DATABASE_FILE)
        self._checkpoints = Checkpoints(self._path)
        self.space = FreeSpace(data_dir, min_free_bytes, self._checkpoints.size)
        """How much the disk has left, and whether that is enough."""
        _make_directory(data_dir)
        self._lock = DirectoryLock(data_dir)
        try:
            self._open(self._path, defaults, synchronous, readers)
        except BaseException:
            self._checkpoints.close()
            self._lock.release()
            raise
        self._committer = Committer(self._writer, clock, on_failure)
        self._closing = threading.Lock()
        self._closed = False
        self._timer = threading.Thread(target=self._run_timer, name="ezra-timer", daemon=True)
        self._timer.start()

    def submit(self, operations: Sequence[Operation]) -> Submission:
        """Hand over operations; they are carried out by whoever waits first.

        What depends on tasks that it does not name has all that is due done before.

        Raises:
            LocalProtocolError: a transaction holds a step that it must not; nothing was done.
            EngineError: what is due could not be done; nothing else was.
        """
        for operation in operations:
            if isinstance(operation, Transact):
                check_steps(operation.steps)
            if minds_the_rest(operation):
                self._catch_up()
        return self._committer.submit(operations)

    def look(self, look: Look) -> Answer:
        """Return what the look asks for, as of now.

        Raises:
            CommandError: the look itself raises it.
            EngineError: the engine is closed, or the storage cannot be read.
        """
        self._catch_up()
        if isinstance(look, reading.NEEDS_ROSTER):
            return self._look_leading(look)
        try:
            with self._readers.snapshot() as connection:
                view = View(connection, self._clock.now(), Room(self._answer_size))
                return reading.answer(view, look)
        except sqlite3.Error as error:
            fault = faults.of_reading(error)
            if isinstance(fault, OutcomeUnknown):
                self._committer.fail(fault)
            raise fault from error

    def _look_leading(self, look: Look) -> Answer:
        """Have the look answered by who leads the commit, and knows the workers."""
        (outcome,) = self._committer.submit([look], sweeps=True).wait()
        if isinstance(outcome, EzraError):
            raise outcome
        return cast(Answer, outcome)

    def sweep(self) -> None:
        """Do now what is due now; returns when it is done."""
        self._sweep_once()
        while self._committer.due <= self._clock.now():
            self._sweep_once()

    def drain(self) -> None:
        """Answer every parked claim with `()`, and let none park from now on."""
        self._committer.drain()

    def close(self) -> None:
        """Drain, finish what was submitted, put everything in order on disk. Idempotent.

        Raises:
            EngineError: the last of it failed. What was answered is in the WAL, for the next start
                to find.
        """
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._committer.close()
            self._timer.join()
            self._readers.close()
            self._checkpoints.close()
            try:
                self._close_database()
            finally:
                self._lock.release()

    def _close_database(self) -> None:
        """Bring the whole WAL into the database, unless nobody knows what is in it.

        Raises:
            EngineError: that failed. What was answered is in the WAL, for the next start to find.
        """
        connection = self._writer.connection
        if self._committer.failed:
            abandon(connection)
            return
        try:
            failpoints.passing("before_checkpoint")
            # Whoever reads in some other tool is not waited for: the next start brings in the rest.
            connection.execute("PRAGMA busy_timeout = 0").fetchall()
            make_empty(connection, self._path)
        except (sqlite3.Error, OSError) as error:
            if not faults.is_full(error):
                abandon(connection)
                raise OutcomeUnknown(Text.CLOSING_FAILED) from error
        connection.close()

    # -- Starting ----------------------------------------------------------------------------------

    def _open(self, path: Path, defaults: Defaults, synchronous: Synchronous, readers: int) -> None:
        connection, came_from = open_database(path, synchronous)
        try:
            self._writer = Writer(connection, defaults, self._clock, self.space, self._checkpoints)
            self._readers = ReaderPool(path, readers)
            self._recover()
            if came_from not in (0, len(UPGRADES)):
                log.info(
                    "%s had format %d and has %d now: an EZRA before this one cannot open it",
                    path, came_from, len(UPGRADES),
                )  # fmt: skip
        except BaseException as error:
            let_go(connection, error)
            if isinstance(error, OSError | sqlite3.Error | EngineError):
                raise StartError(faults.cannot_start(path, error)) from error
            raise

    def _recover(self) -> None:
        """Cut every lease, bring the clock and the tasks together, and look what there is."""
        back: Counter[Status] = Counter()

        def work(tx: Transaction) -> None:
            tx.registry.refresh()
            # An id carries its moment: one from the future says that the clock was set back.
            if tx.registry.last_id >> SEQUENCE_BITS > tx.now // MILLISECOND:
                tx.connection.execute(statements.REBASE, (tx.now,))
            back.update(restart(tx))

        self._writer.transact(work)
        self._writer.write([], swept=True)
        empty_wal(self._writer.connection, self._path)
        queues, waiting, dead = self._writer.connection.execute(statements.TOTALS).fetchone()
        self.recovered = Recovered(
            queues, waiting, dead, put_back=back[Status.AVAILABLE], died=back[Status.DEAD]
        )

    # -- Time --------------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        """Before tasks are counted or listed: do what is due by now, sweep by sweep.

        Others commit between the sweeps. Who looks waits no longer than `MOST_SWEEPS` of them take.
        """
        if self._committer.failed:
            raise OutcomeUnknown(Text.STORAGE_FAILED)
        if self._closed:
            raise EngineClosed(Text.SHUTTING_DOWN)
        now = self._clock.now()
        for _ in range(MOST_SWEEPS):
            if self._committer.due > now:
                return
            self._sweep_once()

    def _sweep_once(self) -> None:
        """Do a bounded amount of what is due, and look whether a person has edited anything."""
        self._committer.submit((), sweeps=True).wait()

    def _run_timer(self) -> None:
        pause = False
        while self._sleep(pause=pause):
            pause = False
            try:
                self._sweep_once()
            except EngineClosed:
                return
            except EngineError:
                # A full disk or a locked database: not at once again, however much is due.
                pause = True

    def _sleep(self, *, pause: bool) -> bool:
        """Wait until something is due or the scheduler's time is over; False when it is over."""
        committer = self._committer
        latest = self._clock.now() + self._scheduler
        with committer.lock:
            while committer.running:
                until = latest if pause else min(latest, committer.due)
                if until <= self._clock.now():
                    return True
                committer.alarm_at = until
                self._clock.wait(committer.alarm, until)
                committer.alarm_at = 0  # awake: nobody needs to notify
            return False


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"cannot make {directory}: {error.strerror}") from error
