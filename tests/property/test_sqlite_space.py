"""A disk that is nearly full: pushes are refused, all else goes on, and it passes by itself."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ezra.sansio.errors import CommandError, StorageFull, Text
from ezra.sansio.model import FOREVER, SECOND, Address, Dedup, NackMode, NewTask
from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    ConfigureQueue,
    CreateQueue,
    Erase,
    Extend,
    Nack,
    Operation,
    Push,
    Transact,
)
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.engine import SqliteEngine
from ezra.threaded.sqlite.space import LOOK_EVERY, ROOM_AGAIN, FreeSpace, free_bytes
from tests.property.fake_clock import FakeClock
from tests.property.operations import DEFAULTS
from tests.property.sqlite_worlds import (
    claimed,
    engine_in,
    error_of,
    length,
    make_faulty,
    number,
    one,
    push,
    take,
)

LEAST = 1_000
Q = Address("q")


class Disk:
    """A disk with as much free space as the test says."""

    def __init__(self) -> None:
        self.free = LEAST
        self.log = 0
        self.looks = 0
        self.broken = False

    def probe(self, directory: Path) -> int:
        """Tell how much is free."""
        assert directory.is_dir()
        self.looks += 1
        if self.broken:
            raise OSError("broken")
        return self.free


@pytest.fixture(name="disk")
def a_disk() -> Disk:
    """Have just enough space."""
    return Disk()


@pytest.fixture(name="clock")
def a_clock() -> FakeClock:
    """Stand still."""
    return FakeClock()


@pytest.fixture(name="engine")
def an_engine(tmp_path: Path, clock: FakeClock, disk: Disk) -> Iterator[SqliteEngine]:
    """Open an engine on that disk, and close it."""
    with engine_in(tmp_path, clock) as engine:
        engine.space = engine._writer.space = FreeSpace(
            tmp_path, LEAST, lambda: disk.log, disk.probe
        )
        yield engine


REFUSAL = Text.LOW_ON_SPACE.format(free=LEAST - 1, least=LEAST)


def refused(engine: SqliteEngine, operation: Operation) -> bool:
    """Say whether the operation is answered that there is too little space."""
    outcome = one(engine, operation)
    assert not isinstance(outcome, CommandError) or REFUSAL in str(outcome), outcome
    return isinstance(outcome, CommandError)


def test_a_push_is_refused_while_there_is_too_little_space(
    engine: SqliteEngine, clock: FakeClock, disk: Disk
) -> None:
    """It says what is free and what has to be; nobody has to do anything when it is over."""
    push(engine)
    disk.free -= 1
    clock.advance(LOOK_EVERY)
    for _ in range(2):
        assert str(one(engine, Push("new", NewTask()))) == REFUSAL
    assert engine.info("new") is None
    assert engine.space.refusing
    disk.free += 1
    clock.advance(LOOK_EVERY)
    assert push(engine, "new") > 0
    assert not engine.space.refusing


def test_nothing_else_is_refused(engine: SqliteEngine, clock: FakeClock, disk: Disk) -> None:
    """Claims, heartbeats, acks, nacks, deletions, settings and groups; nor a push's repeat."""
    keyed = NewTask(dedup=Dedup(b"", b"k", limited=False))
    first, second, third, keyed_id = (
        push(engine),
        push(engine),
        push(engine),
        number(one(engine, Push("q", keyed))),
    )
    disk.free -= 1
    clock.advance(LOOK_EVERY)
    assert refused(engine, Push("q", NewTask()))
    assert [task.id for task in take(engine, count=3)] == [first, second, third]
    assert one(engine, Extend("q", "ann", (first,))) == (first,)
    assert one(engine, Ack("q", (first,))) == 1
    assert one(engine, Nack("q", (second, third), NackMode.FATAL)) == 2
    assert [task.id for task in take(engine, dead=True)] == [second]
    assert one(engine, Erase("q", (third,))) == (True,)
    assert not refused(engine, CreateQueue("new", "g"))
    assert not refused(engine, ConfigureQueue("new", (("max_attempts", 7),)))
    assert one(engine, Push("q", keyed)) == keyed_id
    assert one(engine, Push("none", NewTask(), create=False)) is None


def test_a_transaction_that_pushes_comes_to_nothing(
    engine: SqliteEngine, clock: FakeClock, disk: Disk
) -> None:
    """And says why; one that only acks is carried out."""
    task = push(engine)
    take(engine)
    disk.free -= 1
    clock.advance(LOOK_EVERY)
    assert refused(engine, Transact((Ack("q", (task,)), Push("q", NewTask()))))
    assert one(engine, Transact((Ack("q", (task,)),))) == (1,)


def test_in_one_batch_only_the_pushes_are_refused(
    engine: SqliteEngine, clock: FakeClock, disk: Disk
) -> None:
    """Their neighbours do not learn of it, and a parked worker waits on."""
    task = push(engine)
    take(engine)
    waiting = engine.submit([Claim((Q,), "bob", deadline=FOREVER)])
    engine.sweep()
    disk.free -= 1
    clock.advance(LOOK_EVERY)
    pushed, acked = engine.submit([Push("q", NewTask())]), engine.submit([Ack("q", (task,))])
    assert isinstance(pushed.wait()[0], CommandError)
    assert acked.wait() == [1]
    disk.free += 1
    clock.advance(LOOK_EVERY)
    last = push(engine)
    assert [held.id for held in claimed(waiting.wait()[0])] == [last]


def test_it_is_told_once_each_way(
    engine: SqliteEngine, clock: FakeClock, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """However many pushes are refused meanwhile."""
    caplog.set_level(logging.INFO)
    for free in (LEAST, LEAST - 1, LEAST - 2, LEAST, LEAST + 1, LEAST - 1):
        disk.free = free
        clock.advance(LOOK_EVERY)
        for _ in range(3):
            one(engine, Push("q", NewTask()))
    lines = [record.getMessage().split(":")[0] for record in caplog.records]
    begins, ends = "pushes are refused", "pushes are accepted again"
    assert lines == [begins, ends, begins]


def test_a_full_disk_is_told_once_each_way(
    engine: SqliteEngine, tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nothing is kept free; by whatever fails first, and not by each command that does."""
    engine.space = engine._writer.space = FreeSpace(tmp_path, 0, lambda: 0, disk.probe)
    caplog.set_level(logging.INFO)
    faulty, full = make_faulty(engine), error_of(sqlite3.SQLITE_FULL)
    task = push(engine)
    needing_room: list[Operation] = [Claim((Q,), "ann"), *[Push("q", NewTask())] * 2]
    for _ in range(2):
        disk.free = 0
        faulty.fails = lambda text: full if text == statements.COMMIT else None
        for operation in needing_room:
            with pytest.raises(StorageFull):
                one(engine, operation)
        faulty.fails = lambda _: None
        assert one(engine, Ack("q", (task,))) == 0
        push(engine)
        disk.free = ROOM_AGAIN
        assert one(engine, Ack("q", (task,))) == 0
        for _ in range(2):
            push(engine)
    lines = [record.getMessage().split(":")[0] for record in caplog.records]
    assert lines == ["the disk is full", "the disk has room again"] * 2


def test_a_batch_that_fits_after_a_checkpoint_is_nothing_to_tell(
    engine: SqliteEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has begun anew in its own space."""
    full: list[Exception | None] = [error_of(sqlite3.SQLITE_FULL)]

    def fails(text: str) -> Exception | None:
        if text == statements.BRING_IN:
            full[0] = None
        return full[0] if text == statements.COMMIT else None

    make_faulty(engine).fails = fails
    push(engine)
    assert full == [None]
    assert not caplog.records


def test_the_log_needs_room_of_its_own(engine: SqliteEngine, clock: FakeClock, disk: Disk) -> None:
    """And is brought in as soon as pushes are refused, once, by whatever is committed next."""
    seen: list[str] = []
    make_faulty(engine).fails = seen.append
    push(engine)
    disk.log = 1
    clock.advance(LOOK_EVERY)
    for _ in range(3):
        text = Text.LOW_ON_SPACE.format(free=LEAST, least=LEAST + 1)
        assert str(one(engine, Push("q", NewTask()))) == text
    assert seen.count(statements.BRING_IN) == 1
    disk.free += 1
    clock.advance(LOOK_EVERY)
    push(engine)
    assert seen.count(statements.BRING_IN) == 1


def test_a_disk_is_looked_at_now_and_then(
    engine: SqliteEngine, clock: FakeClock, disk: Disk
) -> None:
    """Not once for each commit; and one that cannot be looked at changes nothing."""
    for _ in range(20):
        push(engine)
    assert disk.looks == 1
    clock.advance(LOOK_EVERY)
    push(engine)
    assert disk.looks == 2
    disk.broken = True
    clock.advance(SECOND)
    push(engine)
    assert disk.looks == 3
    assert engine.space.free() == 0


def test_without_a_limit_nobody_looks(tmp_path: Path, disk: Disk) -> None:
    """0 refuses nothing."""
    disk.free = 0
    assert FreeSpace(tmp_path, 0, lambda: 9, disk.probe).refusal(FOREVER) is None
    assert disk.looks == 0


def test_what_is_free_is_what_an_ordinary_user_can_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not what the file system keeps for root."""

    class Found:
        f_frsize, f_bavail, f_bfree = 512, 3, 100

    monkeypatch.setattr("os.statvfs", lambda _: Found)
    assert free_bytes(tmp_path) == 1_536


def test_the_engine_is_told_its_limit(tmp_path: Path, clock: FakeClock) -> None:
    """More than any disk has: nothing can be pushed."""
    engine = SqliteEngine(tmp_path, DEFAULTS, clock, min_free_bytes=2**63 - 1)
    assert isinstance(one(engine, Push("q", NewTask())), CommandError)
    assert length(engine, "q") == 0
    assert engine.space.free() > 0
    engine.close()
