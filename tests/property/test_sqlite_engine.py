"""The durable engine from start to close: recovery, the lock, ids, time, and what reaches disk."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue

import pytest

from ezra.sansio.errors import EngineClosed, StartError
from ezra.sansio.host import Recovered
from ezra.sansio.model import (
    FOREVER,
    MILLISECOND,
    SECOND,
    Address,
    Defaults,
    NewTask,
    Status,
)
from ezra.sansio.queue.lifecycle import RESTARTED
from ezra.sansio.queue.operations import Ack, Claim, ConfigureQueue, Nack, Push
from ezra.threaded.sqlite import engine as engine_module
from ezra.threaded.sqlite import pool, statements
from ezra.threaded.sqlite.database import open_database
from ezra.threaded.sqlite.engine import SqliteEngine
from ezra.threaded.sqlite.lock import DirectoryLock
from ezra.threaded.sqlite.pool import ReaderPool, Synchronous
from ezra.threaded.sqlite.transaction import Transaction
from tests.property.fake_clock import START, FakeClock
from tests.property.operations import DEFAULTS
from tests.property.sqlite_worlds import (
    Faulty,
    by_hand,
    claimed,
    crashed_with,
    engine_in,
    error_of,
    length,
    make_faulty,
    number,
    one,
    push,
    stored_tasks,
    take,
)


class Recorder(FakeClock):
    """Notes until when somebody sleeps through it."""

    def __init__(self) -> None:
        super().__init__()
        self.slept_until = SimpleQueue[int]()

    def wait(self, condition: threading.Condition, until: int) -> None:
        """Note it, and wait."""
        self.slept_until.put(until)
        super().wait(condition, until)


# -- Starting --------------------------------------------------------------------------------------


def test_a_start_says_what_was_recovered(tmp_path: Path) -> None:
    """Every task in flight was put back, or died when it had no attempt left."""
    with engine_in(tmp_path) as engine:
        assert engine.recovered == Recovered(0, 0, 0, 0, 0)
        push(engine, max_attempts=1)
        push(engine, "r")
        push(engine, "r")
        take(engine)
        take(engine, "r")
    with engine_in(tmp_path) as engine:
        assert engine.recovered == Recovered(queues=2, waiting=2, dead=1, put_back=1, died=1)
        died, put_back, _ = stored_tasks(tmp_path)
        assert (died.status, put_back.status) == (Status.DEAD, Status.AVAILABLE)
        assert died.last_error == put_back.last_error == RESTARTED


def test_a_restart_cuts_every_lease_however_many(tmp_path: Path) -> None:
    """More than one sweep takes at once, and all before the engine is there."""
    count = statements.SWEEP_ROWS + 500
    with engine_in(tmp_path) as engine:
        engine.execute([Push("q", NewTask()) for _ in range(count)])
        assert len(take(engine, count=count)) == count
    with engine_in(tmp_path) as engine:
        assert engine.recovered.put_back == count
        info = engine.info("q")
        assert info is not None
        assert (info.ready, info.in_flight) == (count, 0)


def test_one_engine_to_a_directory(tmp_path: Path) -> None:
    """The second is told who holds it; when that one has gone, it may."""
    with engine_in(tmp_path):
        with pytest.raises(StartError, match=f"in use by another EZRA .pid {os.getpid()} since 2"):
            SqliteEngine(tmp_path, DEFAULTS, FakeClock())
        code = (
            "import sys; from pathlib import Path; "
            "from ezra.threaded.sqlite.lock import DirectoryLock; DirectoryLock(Path(sys.argv[1]))"
        )
        other = subprocess.run(
            [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False
        )
        assert f"in use by another EZRA (pid {os.getpid()} since" in other.stderr
    with engine_in(tmp_path):
        pass


def test_a_forked_process_does_not_keep_the_directory(tmp_path: Path) -> None:
    """It shares what was open in the one before; here, another descriptor does."""
    with engine_in(tmp_path) as engine:
        shared = os.dup(engine._lock._file)
    with engine_in(tmp_path):
        pass
    os.close(shared)


def test_a_directory_is_locked_without_a_name_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is for people; who cannot write it holds the lock all the same."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(os, "pwrite", full)
        held = DirectoryLock(tmp_path)
    with pytest.raises(StartError, match="it has not said which"):
        DirectoryLock(tmp_path)
    held.release()
    DirectoryLock(tmp_path).release()


@pytest.mark.parametrize(
    ("code", "starts"), [(sqlite3.SQLITE_FULL, True), (sqlite3.SQLITE_IOERR, False)]
)
def test_a_start_needs_no_room_for_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, *, starts: bool
) -> None:
    """What is in the WAL is safe there; only an error other than a full disk stops the start."""
    error = error_of(code)

    def open_faulty(path: Path, synchronous: Synchronous) -> tuple[Faulty, int]:
        connection, came_from = open_database(path, synchronous)
        faulty = Faulty(connection)
        faulty.fails = lambda text: error if text == statements.CHECKPOINT else None
        return faulty, came_from

    monkeypatch.setattr(engine_module, "open_database", open_faulty)
    if starts:
        with engine_in(tmp_path) as engine:
            assert push(engine) > 0
    else:
        with pytest.raises(StartError, match="injected"), engine_in(tmp_path):
            pass


def test_a_start_that_fails_lets_the_directory_go(tmp_path: Path) -> None:
    """Whoever repairs the cause can start in the same process."""
    (tmp_path / "ezra.db").write_bytes(b"no database" * 20)
    for _ in range(2):
        with pytest.raises(StartError, match="not an SQLite database"):
            SqliteEngine(tmp_path, DEFAULTS, FakeClock())
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="cannot make"):
        SqliteEngine(tmp_path / "file", DEFAULTS, FakeClock())
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked" / "ezra.lock").mkdir()
    with pytest.raises(StartError, match="cannot open"):
        SqliteEngine(tmp_path / "locked", DEFAULTS, FakeClock())


@pytest.mark.parametrize("failed", [True, False])
def test_a_start_that_fails_leaves_the_log_alone_where_the_storage_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, failed: bool
) -> None:
    """Closing would bring it into the database, as the page cache has it. Else all is closed."""
    directory = crashed_with(tmp_path, 1)
    ioerr = error_of(sqlite3.SQLITE_IOERR_WRITE)

    def restart(tx: Transaction) -> None:
        tx.connection.execute("UPDATE tasks SET attempts = 2")
        if failed:
            tx.connection.execute("COMMIT")
        raise ioerr if failed else error_of(sqlite3.SQLITE_FULL)

    monkeypatch.setattr(engine_module, "restart", restart)
    with pytest.raises(StartError, match="injected"):
        SqliteEngine(directory, DEFAULTS, FakeClock())
    log = directory / "ezra.db-wal"
    assert (log.exists() and log.stat().st_size > 0) == failed
    if sys.platform == "linux" and not failed:
        for number in os.listdir("/proc/self/fd"):
            with suppress(FileNotFoundError):  # that of the listing itself
                assert not os.readlink(f"/proc/self/fd/{number}").startswith(str(directory))


@pytest.mark.parametrize(("name", "value"), [("full", 2), ("normal", 1)])
def test_synchronous_is_what_it_was_told(
    tmp_path: Path, name: pool.Synchronous, value: int
) -> None:
    """On the one connection that writes; readers cannot."""
    engine = SqliteEngine(tmp_path, DEFAULTS, FakeClock(), synchronous=name)
    writer = engine._writer.connection
    assert writer.execute("PRAGMA synchronous").fetchone() == (value,)
    with engine._readers.snapshot() as reader:
        assert reader.execute("PRAGMA query_only").fetchone() == (1,)
        assert reader.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    engine.close()


def test_a_pragma_that_is_refused_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every pragma is read back: what SQLite does not do is not silently missing."""
    monkeypatch.setattr(pool, "_WRITER", {**pool._WRITER, "page_size": 8192})
    with pytest.raises(StartError, match="refuses PRAGMA page_size = 8192: it says 4096"):
        SqliteEngine(tmp_path, DEFAULTS, FakeClock())


# -- Ids and clocks --------------------------------------------------------------------------------


def test_ids_go_on_over_a_clock_that_was_set_back(tmp_path: Path) -> None:
    """Also when the last tasks are gone; and what was ready stays ready, in its order."""
    with engine_in(tmp_path, FakeClock(START)) as engine:
        first, second, third = push(engine), push(engine, priority=1), push(engine)
        take(engine)
        with by_hand(tmp_path) as connection:
            connection.execute("DELETE FROM tasks WHERE id = ?", (third,))
    clock = FakeClock(START - 3600 * SECOND)
    with engine_in(tmp_path, clock) as engine:
        assert push(engine) == third + 1
        assert all(task.available_at <= clock.now() for task in stored_tasks(tmp_path))
        assert [task.id for task in take(engine, count=3)] == [second, first, third + 1]


def test_delayed_tasks_keep_their_moment_over_a_clock_that_was_set_back(tmp_path: Path) -> None:
    """Only what had been claimable is brought out of the future."""
    with engine_in(tmp_path, FakeClock(START)) as engine:
        push(engine, run_at=START + SECOND)
    clock = FakeClock(START - SECOND)
    with engine_in(tmp_path, clock) as engine:
        assert take(engine) == ()
        clock.advance(2 * SECOND)
        assert len(take(engine)) == 1


# -- Time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["delay", "lease", "nack", "dead"])
def test_the_timer_wakes_who_waits_at_the_moment(tmp_path: Path, what: str) -> None:
    """Nobody calls: a delay that is over, a lease that lapses, a death, reach who is parked."""
    clock = FakeClock()
    engine = SqliteEngine(tmp_path, DEFAULTS, clock, scheduler=3600 * SECOND)
    task = push(engine, max_attempts=1 if what == "dead" else 2, delay=SECOND * (what == "delay"))
    if what != "delay":
        take(engine)
    if what == "nack":
        one(engine, Nack("q", (task,), delay=SECOND))
    waiting = engine.submit([Claim((Address("q", what == "dead"),), "bob", deadline=FOREVER)])
    engine.sweep()
    clock.until_waiting(1)
    clock.advance(DEFAULTS.visibility_timeout if what in ("lease", "dead") else SECOND)
    assert [held.id for held in claimed(waiting.wait()[0])] == [task]
    engine.close()


def test_the_timer_is_told_of_what_falls_due_sooner(tmp_path: Path) -> None:
    """A delay that is shorter than the timer's sleep wakes it, to sleep until that moment."""
    clock = Recorder()
    engine = SqliteEngine(tmp_path, DEFAULTS, clock, scheduler=3600 * SECOND)
    assert clock.slept_until.get(timeout=60) == START + 3600 * SECOND
    push(engine, delay=SECOND)
    assert clock.slept_until.get(timeout=60) == START + SECOND
    engine.close()


def test_the_timer_does_not_hurry_while_the_disk_is_full(tmp_path: Path) -> None:
    """However much is due, a sweep that failed is tried again after the scheduler's pause."""
    clock = Recorder()
    engine = SqliteEngine(tmp_path, DEFAULTS, clock, scheduler=5 * SECOND)
    task = push(engine, delay=SECOND)
    faulty = make_faulty(engine)
    full = sqlite3.OperationalError("full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    faulty.fails = lambda text: full if text == statements.BEGIN else None
    clock.advance(SECOND)
    while clock.slept_until.get(timeout=60) != START + 6 * SECOND:
        pass
    faulty.fails = lambda _: None
    clock.advance(5 * SECOND)
    assert [held.id for held in take(engine)] == [task]
    engine.close()


def test_the_timer_sweeps_at_the_latest_after_the_schedulers_pause(tmp_path: Path) -> None:
    """So an edit by hand reaches a parked worker, though nothing was known to be due."""
    clock = FakeClock()
    engine = SqliteEngine(tmp_path, DEFAULTS, clock, scheduler=5 * SECOND)
    task = push(engine, max_attempts=1)
    take(engine)
    one(engine, Nack("q", (task,)))
    waiting = engine.submit([Claim((Address("q"),), "bob", deadline=FOREVER)])
    engine.sweep()
    with by_hand(tmp_path) as connection:
        connection.execute("UPDATE tasks SET status = 'available'")
    clock.until_waiting(1)
    clock.advance(5 * SECOND)
    assert [held.id for held in claimed(waiting.wait()[0])] == [task]
    engine.close()


def test_one_commit_sweeps_a_bounded_number(tmp_path: Path) -> None:
    """However much expires at once; and no claim sees any of it meanwhile."""
    clock = FakeClock()
    count = 2 * statements.SWEEP_ROWS + 10
    with engine_in(tmp_path, clock) as engine:
        pushes = [Push("q", NewTask(ttl=SECOND, priority=1)) for _ in range(count)]
        engine.execute(pushes)
        stays = push(engine)
        left: list[int] = []
        faulty = make_faulty(engine)

        def count_left(text: str) -> None:
            if text == statements.COMMIT:
                rows = faulty.connection.execute("SELECT count(*) FROM tasks")
                left.append(rows.fetchone()[0])

        faulty.fails = count_left
        clock.advance(SECOND)
        assert [task.id for task in take(engine, count=10)] == [stays]
        engine.sweep()
        assert [task.id for task in stored_tasks(tmp_path)] == [stays]
        removed = [before - after for before, after in pairwise([count + 1, *left])]
        assert sum(removed) == count
        assert max(removed) == statements.SWEEP_ROWS
        info = engine.info("q")
        assert info is not None
        assert info.expired == count


def test_a_lease_that_has_lapsed_is_not_held_before_its_sweep(tmp_path: Path) -> None:
    """A backlog of lapsed leases changes no answer: a nack counts none of them."""
    clock = FakeClock()
    count = statements.SWEEP_ROWS + 10
    engine = SqliteEngine(tmp_path, DEFAULTS, clock, scheduler=3600 * SECOND)
    engine.execute([Push("q", NewTask()) for _ in range(count)])
    ids = tuple(task.id for task in take(engine, count=count))
    clock.advance(DEFAULTS.visibility_timeout)
    assert one(engine, Nack("q", ids)) == 0
    engine.sweep()
    assert length(engine, "q") == count
    engine.close()


def test_a_lease_is_held_to_its_last_microsecond(tmp_path: Path) -> None:
    """A nack counts until then, and a sweep gives the task to nobody else."""
    clock = FakeClock()
    engine = SqliteEngine(tmp_path, DEFAULTS, clock, scheduler=3600 * SECOND)
    for _ in range(2):
        push(engine)
    nacked, kept = [task.id for task in take(engine, count=2)]
    clock.advance(DEFAULTS.visibility_timeout - 1)
    engine.sweep()
    assert take(engine) == ()
    assert one(engine, Nack("q", (nacked,))) == 1
    clock.advance(1)
    assert one(engine, Nack("q", (kept,))) == 0
    engine.close()


def test_a_ttl_does_not_touch_what_a_worker_holds(tmp_path: Path) -> None:
    """It ends while the task is in flight: its ack or nack counts, and only then is it removed."""
    clock = FakeClock()
    with engine_in(tmp_path, clock, DEFAULTS) as engine:
        first, second = [push(engine, ttl=SECOND) for _ in range(2)]
        take(engine, count=2)
        clock.advance(2 * SECOND)
        engine.sweep()
        assert one(engine, Ack("q", (first,))) == 1
        assert one(engine, Nack("q", (second,))) == 1
        engine.sweep()
        assert stored_tasks(tmp_path) == []


def test_an_ack_or_nack_is_about_the_queue_that_it_names(tmp_path: Path) -> None:
    """An id of another queue counts nothing and changes nothing."""
    with engine_in(tmp_path, FakeClock(), DEFAULTS) as engine:
        task = push(engine)
        take(engine)
        push(engine, queue="r")
        for operation in (Ack("r", (task,)), Nack("r", (task,)), Ack("s", (task,))):
            assert one(engine, operation) == 0
        assert one(engine, Ack("q", (task,))) == 1


def test_retention_removes_done_tasks_only(tmp_path: Path) -> None:
    """When they have been kept for so long; payloads go along."""
    clock = FakeClock()
    with engine_in(tmp_path, clock, Defaults(retention=SECOND, max_attempts=1)) as engine:
        tasks = [push(engine) for _ in range(4)]
        take(engine, count=3)
        one(engine, Ack("q", tuple(tasks[:1])))
        one(engine, Nack("q", tuple(tasks[1:2])))
        clock.advance(SECOND - 1)
        engine.sweep()
        assert len(stored_tasks(tmp_path)) == 4
        clock.advance(1)
        engine.sweep()
        assert [task.id for task in stored_tasks(tmp_path)] == tasks[1:]
        with by_hand(tmp_path) as connection:
            assert connection.execute("SELECT count(*) FROM payloads").fetchone() == (3,)


def test_a_done_task_falls_due_over_a_sweep_and_a_restart(tmp_path: Path) -> None:
    """The timer knows when retention has its first one to remove, in whichever queue."""
    clock = FakeClock()
    with engine_in(tmp_path, clock, Defaults(retention=SECOND)) as engine:
        push(engine, "empty")
        one(engine, Ack("q", (push(engine),)))
        one(engine, Claim((Address("q"),), "ann", done_at_once=True))
        assert engine._writer.due == START + SECOND
        engine.sweep()
        assert engine._writer.due == START + SECOND
    with engine_in(tmp_path, clock, Defaults(retention=SECOND)) as engine:
        assert engine._writer.due == START + SECOND


def test_without_retention_done_tasks_stay(tmp_path: Path) -> None:
    """For ever, if nobody said otherwise."""
    clock = FakeClock()
    with engine_in(tmp_path, clock, Defaults()) as engine:
        task = push(engine)
        take(engine)
        one(engine, Ack("q", (task,)))
        clock.advance(10**15)
        engine.sweep()
        assert [stored.status for stored in stored_tasks(tmp_path)] == [Status.DONE]


# -- What reaches the disk -------------------------------------------------------------------------


def test_a_payload_is_written_once(tmp_path: Path) -> None:
    """Claiming, failing, acking a task of 1 MiB writes its rows, not its payload."""
    with engine_in(tmp_path) as engine:
        wal = tmp_path / "ezra.db-wal"
        before = wal.stat().st_size
        task = push(engine, payload=b"x" * 2**20)
        pushed = wal.stat().st_size - before
        assert 2**20 <= pushed < 1.2 * 2**20
        take(engine)
        one(engine, Nack("q", (task,)))
        (held,) = take(engine)
        assert held.payload == b"x" * 2**20
        assert one(engine, Ack("q", (task,))) == 1
        assert wal.stat().st_size - before - pushed < 2**17


def test_the_wal_stays_allocated_and_bounded(tmp_path: Path) -> None:
    """It starts over in its own space after a checkpoint and does not grow with the work."""
    with engine_in(tmp_path) as engine:
        engine._writer.checkpoints.pages, engine._writer.checkpoints.every = 100, 1
        sizes = []
        for _ in range(6):
            for _ in range(20):
                engine.execute([Push("q", NewTask(b"x" * 3_000)) for _ in range(10)])
            sizes.append((tmp_path / "ezra.db-wal").stat().st_size)
        assert max(sizes) < 200 * 4_200
        assert sizes == sorted(sizes)


def test_a_commit_costs_the_same_however_many_tasks_there_are(tmp_path: Path) -> None:
    """Delayed and done tasks in thousands do not make SQLite do more for a push, claim or ack.

    Counted in steps of SQLite's virtual machine, so it depends on no clock.
    """
    with engine_in(tmp_path, defaults=Defaults()) as engine:
        steps: list[int] = []

        def cycle() -> int:
            steps.clear()
            engine._writer.connection.set_progress_handler(lambda: steps.append(1), 1)
            task = push(engine)
            take(engine)
            assert one(engine, Ack("q", (task,))) == 1
            engine._writer.connection.set_progress_handler(None, 0)
            return len(steps)

        cycle()
        few = cycle()
        engine.execute([Push("q", NewTask(delay=3600 * SECOND)) for _ in range(3_000)])
        engine.execute([Push("q", NewTask()) for _ in range(3_000)])
        one(engine, Claim((Address("q"),), "ann", 3_000, done_at_once=True))
        assert cycle() == few


# -- Reading ---------------------------------------------------------------------------------------


def test_reads_go_on_beside_a_commit(tmp_path: Path) -> None:
    """A reader sees the last commit while a transaction is open, and waits for nobody."""
    with engine_in(tmp_path) as engine:
        push(engine)
        engine._writer.connection.execute("BEGIN IMMEDIATE")
        assert length(engine, "q") == 1
        engine._writer.connection.execute("ROLLBACK")


def test_books_show_what_waits_longest(tmp_path: Path) -> None:
    """Over all priorities; and nothing for a queue that is empty or unknown."""
    clock = FakeClock()
    with engine_in(tmp_path, clock) as engine:
        assert engine.info("q") is None
        for priority in (0, 5, -5):
            push(engine, priority=priority)
            clock.advance(MILLISECOND)
        take(engine, count=1)
        info = engine.info("q")
        assert info is not None
        assert info.oldest_waiting == START
        one(engine, ConfigureQueue("empty", (("max_attempts", 7),)))
        assert [(info.name, info.oldest_waiting) for info in engine.queues()] == [
            ("empty", None),
            ("q", START),
        ]


def test_a_pool_lends_each_connection_to_one_thread(tmp_path: Path) -> None:
    """Who comes when all are lent waits until one is back, and closing waits for all."""
    with engine_in(tmp_path):
        readers = ReaderPool(tmp_path / "ezra.db", 1)
        order: list[str] = []

        def second() -> None:
            with readers.snapshot():
                order.append("second")

        thread = threading.Thread(target=second)
        with readers.snapshot():
            thread.start()
            order.append("first")
        thread.join()
        readers.close()
        assert order == ["first", "second"]


def test_a_pool_that_is_closed_opens_nothing(tmp_path: Path) -> None:
    """A look that comes just then must not leave a connection on a file that is given up."""
    with engine_in(tmp_path):
        readers = ReaderPool(tmp_path / "ezra.db", 1)
        readers.close()
        with pytest.raises(EngineClosed), readers.snapshot():
            pass
        assert not readers._open


def test_ids_are_those_of_the_pushes(tmp_path: Path) -> None:
    """Each task keeps the id that its push was answered."""
    with engine_in(tmp_path) as engine:
        outcomes = engine.execute([Push("q", NewTask(b"%d" % index)) for index in range(200)])
        stored = {task.id: task.payload for task in stored_tasks(tmp_path)}
        assert [stored[number(task)] for task in outcomes] == [b"%d" % one for one in range(200)]
