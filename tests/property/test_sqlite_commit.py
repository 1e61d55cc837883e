"""Group commit: who leads, who waits, what fails alone and what fails together."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.errors import (
    CommandError,
    EngineClosed,
    EngineError,
    OutcomeUnknown,
    StorageBusy,
    StorageFull,
    Text,
)
from ezra.sansio.model import FOREVER, SECOND, Address, NewTask
from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    ConfigureQueue,
    CreateQueue,
    Nack,
    Operation,
    Push,
    Release,
)
from ezra.threaded.clock import SystemClock
from ezra.threaded.sqlite import pool, reading, statements
from ezra.threaded.sqlite.calls import ORDER, Call, rounds
from ezra.threaded.sqlite.engine import SqliteEngine
from ezra.threaded.sqlite.transaction import Transaction
from ezra.threaded.sqlite.writer import Lines
from tests.property.fake_clock import FakeClock
from tests.property.operations import DEFAULTS
from tests.property.sqlite_worlds import (
    Faulty,
    by_hand,
    claimed,
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

Q = Address("q")


@pytest.fixture(name="clock")
def a_clock() -> FakeClock:
    """Stand still."""
    return FakeClock()


@pytest.fixture(name="engine")
def an_engine(tmp_path: Path, clock: FakeClock) -> Iterator[SqliteEngine]:
    """Open an engine and close it."""
    with engine_in(tmp_path, clock) as engine:
        yield engine


# -- The order within a batch ----------------------------------------------------------------------

KINDS: list[Operation] = [
    CreateQueue("q"),
    ConfigureQueue("q", ()),
    Push("q", NewTask()),
    Ack("q", ()),
    Nack("q", ()),
    Release(()),
    Claim((Q,), "ann"),
]


@given(st.lists(st.lists(st.sampled_from(KINDS).map(Call), max_size=6), max_size=5))
def test_a_batch_keeps_the_order_of_each_submission(lines: list[list[Call]]) -> None:
    """Every call comes exactly once, and those of one submission in their order."""
    carried_out = [call for _, calls in rounds(lines) for call in calls]
    assert len(carried_out) == sum(map(len, lines))
    for line in lines:
        assert [call for call in carried_out if call in line] == line


def test_calls_of_one_kind_come_together() -> None:
    """However many submissions bring one each, a kind is carried out once, claims last."""
    kinds = [kind for kind, _ in rounds([[Call(one)] for one in KINDS * 3])]
    assert kinds == sorted({type(one) for one in KINDS}, key=ORDER.__getitem__)


def test_a_batch_is_one_commit(engine: SqliteEngine) -> None:
    """Whatever was submitted meanwhile is committed by whoever waits first."""
    seen: list[str] = []
    make_faulty(engine).fails = seen.append
    submissions = [engine.submit([Push("q", NewTask())]) for _ in range(50)]
    ids = [number(submission.wait()[0]) for submission in submissions]
    assert ids == sorted(set(ids))
    assert seen.count(statements.COMMIT) == 1
    assert sum("INSERT INTO tasks" in text for text in seen) == 1


# -- One bad operation -----------------------------------------------------------------------------

BAD: dict[str, Operation] = {
    "a number too large": Push("q", NewTask(ttl=FOREVER)),
    "text that is no Unicode": Push("\udc80", NewTask()),
    "a name that is too long": Push("q" * 513, NewTask()),
    "a priority out of range": Push("q", NewTask(priority=1000)),
    "a worker that is no Unicode": Claim((Q,), "\udc80"),
    "a reason that is no Unicode": Nack("held", (0,), reason="\udc80"),
    "a header that is no bytes": Push("q", NewTask(headers=((b"a", "b"),))),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_operation_fails_alone(engine: SqliteEngine, tmp_path: Path, what: str) -> None:
    """Its neighbours in the batch and in its own submission are done, and the engine goes on."""
    bad = BAD[what]
    held = push(engine, "held")
    take(engine, "held")
    if isinstance(bad, Nack):
        bad = Nack("held", (held,), reason=bad.reason)
    before = engine.submit([Push("q", NewTask(b"before"))])
    among = engine.submit([Push("q", NewTask(b"with")), bad, Push("q", NewTask(b"with, too"))])
    after = engine.submit([Push("q", NewTask(b"after"))])
    assert number(before.wait()[0]) < number(after.wait()[0])
    first, error, last = among.wait()
    assert isinstance(error, CommandError)
    assert str(error).startswith("ERR this cannot be stored: ")
    assert number(first) < number(last)
    payloads = sorted(task.payload or b"" for task in stored_tasks(tmp_path) if task.queue == "q")
    assert payloads == [b"after", b"before", b"with", b"with, too"]
    assert push(engine) > number(last)


def test_a_payload_that_sqlite_refuses_fails_alone(engine: SqliteEngine) -> None:
    """SQLite's own limit on a value is an answer like any other."""
    engine._writer.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000)
    small, big = [
        engine.submit([Push("q", NewTask(payload))]) for payload in (b"small", b"b" * 2_000_000)
    ]
    assert number(small.wait()[0]) > 0
    assert isinstance(big.wait()[0], CommandError)
    assert length(engine, "q") == 1


def test_a_parked_claim_that_cannot_be_stored_harms_nobody(engine: SqliteEngine) -> None:
    """It is answered with its error; the task goes to the next in line."""
    bad = engine.submit([Claim((Q,), "\udc80", deadline=FOREVER)])
    good = engine.submit([Claim((Q,), "bob", deadline=FOREVER)])
    engine.sweep()
    first, second = push(engine), push(engine)
    assert isinstance(bad.wait()[0], CommandError)
    assert [task.id for task in claimed(good.wait()[0])] in ([first], [second])


# -- The storage fails -----------------------------------------------------------------------------


@pytest.mark.parametrize("statement", [statements.COMMIT, "INSERT INTO tasks"])
def test_after_an_io_error_nothing_is_acknowledged(tmp_path: Path, statement: str) -> None:
    """Everybody in the batch, everybody parked and everybody later is told; the owner once."""
    told: list[EngineError] = []
    engine = SqliteEngine(tmp_path, DEFAULTS, FakeClock(), on_failure=told.append)
    parked = engine.submit([Claim((Address("other"),), "ann", deadline=FOREVER)])
    engine.sweep()
    ioerr = error_of(sqlite3.SQLITE_IOERR_FSYNC)
    make_faulty(engine).fails = lambda text: ioerr if statement in text else None
    submissions = [engine.submit([Push("q", NewTask())]) for _ in range(2)]
    for submission in [*submissions, parked]:
        with pytest.raises(OutcomeUnknown):
            submission.wait()
    with pytest.raises(OutcomeUnknown):
        engine.submit([Push("q", NewTask())])
    assert len(told) == 1
    engine.close()
    with engine_in(tmp_path) as engine:
        assert length(engine, "q") == 0


def test_what_nobody_understands_is_an_unknown_outcome(tmp_path: Path) -> None:
    """An error that belongs to no operation ends the engine rather than being guessed at."""
    with engine_in(tmp_path) as engine:
        make_faulty(engine).fails = lambda text: (
            RuntimeError() if text == statements.NEXT_DUE else None
        )
        with pytest.raises(OutcomeUnknown):
            engine.sweep()


def test_a_full_disk_is_survived(tmp_path: Path) -> None:
    """A push is refused, a claim in its batch is not; who waits waits on; with space all works."""
    with engine_in(tmp_path) as engine:
        push(engine)
        parked = engine.submit([Claim((Address("other"),), "ann", deadline=FOREVER)])
        engine.sweep()
        connection = engine._writer.connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
        pushed = engine.submit([Push("other", NewTask(b"x" * 100_000))])
        claim = engine.submit([Claim((Q,), "bob")])
        (refused,) = pushed.wait()
        assert str(refused) == Text.STORAGE_FULL
        assert len(claimed(claim.wait()[0])) == 1
        assert length(engine, "other") == 0
        connection.execute("PRAGMA max_page_count = 1000000").fetchall()
        task = push(engine, "other")
        assert [held.id for held in claimed(parked.wait()[0])] == [task]


def test_a_commit_on_a_full_disk_is_survived_and_ids_go_on(tmp_path: Path) -> None:
    """Ids that were given out in a failed commit are not given out again."""
    with engine_in(tmp_path) as engine:
        first = push(engine)
        full = error_of(sqlite3.SQLITE_FULL)
        faulty = make_faulty(engine)
        faulty.fails = lambda text: full if text == statements.COMMIT else None
        with pytest.raises(StorageFull):
            push(engine)
        faulty.fails = lambda _: None
        with by_hand(tmp_path) as connection:
            connection.execute("UPDATE queues SET retry_delay = 0")
        # It was tried twice: once more after a checkpoint, which may make room.
        assert push(engine) == first + 3


def test_a_full_disk_is_checkpointed_and_the_batch_tried_once_more(tmp_path: Path) -> None:
    """SQLite itself would do so after a commit only, and on a full disk none succeeds."""
    with engine_in(tmp_path) as engine:
        task = push(engine)
        full: list[Exception | None] = [error_of(sqlite3.SQLITE_FULL)]
        faulty = make_faulty(engine)

        def fails(text: str) -> Exception | None:
            if text == statements.BRING_IN:
                full[0] = None
            return full[0] if text == statements.COMMIT else None

        faulty.fails = fails
        assert [held.id for held in take(engine)] == [task]
        assert full == [None]
    wal = tmp_path / "ezra.db-wal"
    assert not wal.exists()


def test_a_full_disk_that_stays_full_fails_the_batch(tmp_path: Path) -> None:
    """There may be no room for a checkpoint, either; who asked is told, and asks again later."""
    with engine_in(tmp_path) as engine:
        full = error_of(sqlite3.SQLITE_FULL)
        faulty = make_faulty(engine)
        faulty.fails = lambda text: (
            full if text in (statements.COMMIT, statements.BRING_IN) else None
        )
        with pytest.raises(StorageFull):
            push(engine)
        faulty.fails = lambda _: None
        assert push(engine) > 0


def test_a_database_locked_by_a_person_is_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was done, and the answer says who is in the way."""
    monkeypatch.setattr(pool, "_EVERYWHERE", {**pool._EVERYWHERE, "busy_timeout": 0})
    monkeypatch.setattr(pool, "_WRITER", {**pool._WRITER, "busy_timeout": 0})
    with engine_in(tmp_path) as engine:
        with by_hand(tmp_path) as connection:
            connection.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageBusy, match="locked"):
                push(engine)
            connection.execute("ROLLBACK")
        assert push(engine) > 0


def failing(tmp_path: Path) -> tuple[SqliteEngine, list[EngineError]]:
    """Return an engine, and the failures of which its owner will be told."""
    told: list[EngineError] = []
    return SqliteEngine(tmp_path, DEFAULTS, FakeClock(), on_failure=told.append), told


@pytest.mark.parametrize("statement", [statements.BEGIN, "INSERT INTO tasks", statements.COMMIT])
def test_no_memory_in_a_commit_is_a_failure(tmp_path: Path, statement: str) -> None:
    """What else could not be written down nobody knows: the process has to end."""
    engine, told = failing(tmp_path)
    make_faulty(engine).fails = lambda text: MemoryError() if statement in text else None
    with pytest.raises(OutcomeUnknown):
        push(engine)
    assert len(told) == 1
    engine.close()


def test_a_batch_that_is_on_disk_is_never_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong after COMMIT is not taken for an error of the work before it."""
    engine, told = failing(tmp_path)

    def settle(_: Transaction) -> None:
        raise KeyError("a mistake in the program")

    monkeypatch.setattr(Transaction, "settle", settle)
    with pytest.raises(OutcomeUnknown):
        push(engine)
    assert len(told) == 1
    assert len(stored_tasks(tmp_path)) == 1
    engine.close()


@pytest.mark.parametrize("where", ["write", "publish"])
def test_a_mistake_in_the_program_leaves_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Everybody is told that nobody knows, who is parked too, and the owner once."""
    engine, told = failing(tmp_path)
    parked = engine.submit([Claim((Q,), "ann", deadline=FOREVER)])
    engine.sweep()

    def mistake(*_: object, **__: object) -> None:
        raise KeyError("a mistake in the program")

    owner = engine._writer if where == "write" else engine._committer
    monkeypatch.setattr(owner, where if where == "write" else "_publish", mistake)
    submissions = [engine.submit([Push("other", NewTask())]) for _ in range(2)]
    for submission in [*submissions, parked]:
        with pytest.raises(OutcomeUnknown):
            submission.wait()
    with pytest.raises(OutcomeUnknown):
        engine.submit([])
    assert len(told) == 1
    engine.close()


def test_a_roll_back_that_fails_is_a_failure(tmp_path: Path) -> None:
    """Nothing is tried a second time from there."""
    engine, told = failing(tmp_path)
    seen: list[str] = []

    def fails(text: str) -> Exception | None:
        seen.append(text)
        if text == statements.ROLLBACK:
            return error_of(sqlite3.SQLITE_ERROR)
        return ValueError("of this one") if "INSERT INTO tasks" in text else None

    make_faulty(engine).fails = fails
    with pytest.raises(OutcomeUnknown):
        push(engine)
    assert len(told) == 1
    assert seen.count(statements.BEGIN) == 1
    engine.close()


FAILED_READS = [sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB]


def fail_reads(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Have every look at the file fail."""

    def answer(*_: object) -> None:
        raise error_of(code)

    monkeypatch.setattr(reading, "answer", answer)


@pytest.mark.parametrize("code", FAILED_READS)
def test_a_look_that_the_disk_fails_ends_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Nothing is acknowledged by a storage that gives back errors, and nobody waits on for it."""
    engine, told = failing(tmp_path)
    parked = engine.submit([Claim((Q,), "ann", deadline=FOREVER)])
    engine.sweep()
    fail_reads(monkeypatch, code)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match="while it was read"):
            length(engine, "q")
    with pytest.raises(OutcomeUnknown):
        push(engine)
    with pytest.raises(OutcomeUnknown):
        parked.wait()
    assert len(told) == 1
    engine.close()


def test_an_error_that_ends_the_reading_is_the_one_that_is_seen(tmp_path: Path) -> None:
    """SQLite rolls back by itself then, and that nothing is left to end must not hide it."""
    engine, told = failing(tmp_path)
    assert length(engine, "q") == 0
    [reader] = engine._readers._idle
    faulty = Faulty(reader)
    engine._readers._idle[:] = [faulty]  # type: ignore[list-item]  # stands in for it

    def fails(text: str) -> Exception | None:
        if not text.startswith("SELECT"):
            return None
        reader.rollback()
        return error_of(sqlite3.SQLITE_IOERR_READ)

    faulty.fails = fails
    with pytest.raises(OutcomeUnknown, match="while it was read"):
        length(engine, "q")
    assert len(told) == 1
    engine.close()


def test_a_reader_that_was_interrupted_is_replaced(engine: SqliteEngine) -> None:
    """In whatever transaction Ctrl-C has left it."""
    assert length(engine, "q") == 0
    [reader] = engine._readers._idle
    faulty = Faulty(reader)
    engine._readers._idle[:] = [faulty]  # type: ignore[list-item]  # stands in for it
    faulty.fails = lambda text: KeyboardInterrupt() if text == "COMMIT" else None
    with pytest.raises(KeyboardInterrupt):
        length(engine, "q")
    assert length(engine, "q") == 0


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY])
def test_a_look_that_cannot_be_had_just_now_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """No file descriptor for another connection, say: who asked is told, and asks again."""
    engine, told = failing(tmp_path)
    with monkeypatch.context() as meanwhile:
        fail_reads(meanwhile, code)
        with pytest.raises(StorageBusy, match="cannot be read just now: injected"):
            length(engine, "q")
    assert length(engine, "q") == 0
    assert told == []
    engine.close()


def test_a_failure_that_is_seen_while_a_batch_is_written_reaches_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was parked before, who would be parked by it, and who would be answered."""
    engine, told = failing(tmp_path)
    parked = engine.submit([Claim((Q,), "ann", deadline=FOREVER)])
    engine.sweep()
    pushing = engine.submit([Push("q", NewTask())])
    parking = engine.submit([Claim((Address("other"),), "bob", deadline=FOREVER)])
    write = engine._writer.write

    def meanwhile(lines: Lines, *, swept: bool) -> Transaction:
        done = write(lines, swept=swept)
        engine._committer.fail(OutcomeUnknown("seen by a reader"))
        return done

    monkeypatch.setattr(engine._writer, "write", meanwhile)
    for submission in (pushing, parking, parked):
        with pytest.raises(OutcomeUnknown, match="seen by a reader"):
            submission.wait()
    assert len(told) == 1
    engine.close()


@pytest.mark.parametrize("statement", ["INSERT", statements.COMMIT])
def test_ctrl_c_in_a_commit_leaves_nobody_waiting(tmp_path: Path, statement: str) -> None:
    """Who led gets the interrupt; the others are told that the outcome is unknown."""
    with engine_in(tmp_path) as engine:
        make_faulty(engine).fails = lambda text: KeyboardInterrupt() if statement in text else None
        submissions = [engine.submit([Push("q", NewTask())]) for _ in range(2)]
        with pytest.raises(KeyboardInterrupt):
            submissions[0].wait()
        with pytest.raises(OutcomeUnknown):
            submissions[1].wait()


def test_ctrl_c_while_waiting_leaves_nobody_waiting(tmp_path: Path) -> None:
    """Who is interrupted takes no task along; who comes after it in the queue is led by another."""

    class Interrupted(FakeClock):
        def wait(self, condition: threading.Condition, until: int) -> None:
            if threading.current_thread() is threading.main_thread():
                raise KeyboardInterrupt
            super().wait(condition, until)

    class InterruptedLock:
        def acquire(self) -> None:
            raise KeyboardInterrupt

        def release(self) -> None:
            pass

    with engine_in(tmp_path, Interrupted()) as engine:
        waiting = engine.submit([Claim((Q,), "ann", deadline=FOREVER)])
        with pytest.raises(KeyboardInterrupt):
            waiting.wait()
        push(engine)
        assert len(take(engine)) == 1
        with engine._committer.lock:
            engine._committer._leading = True
        queued: Any = engine.submit([Claim((Q,), "ann", deadline=FOREVER)])
        queued.turn = InterruptedLock()
        with pytest.raises(KeyboardInterrupt):
            queued.wait()
        with engine._committer.lock:
            engine._committer._leading = False
        assert engine._committer._queue == []
        assert queued.wait() == [()]
        assert push(engine) > 0


def test_ctrl_c_before_a_batch_has_it_leaves_it_undone(tmp_path: Path) -> None:
    """Who looks again afterwards is told so at once, and nothing is carried out later."""

    class InterruptedLock:
        def acquire(self) -> None:
            raise KeyboardInterrupt

        def release(self) -> None:
            pass

    with engine_in(tmp_path) as engine:
        with engine._committer.lock:
            engine._committer._leading = True
        submission: Any = engine.submit([Push("q", NewTask()), Claim((Q,), "ann")])
        submission.turn = InterruptedLock()
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                submission._committer._take_turn(submission)
        with pytest.raises(KeyboardInterrupt):
            submission.wait()
        with engine._committer.lock:
            engine._committer._leading = False
        pushed, taken = submission.wait()
        assert isinstance(pushed, CommandError)
        assert taken == ()
        assert engine.info("q") is None


# -- Waiting claims --------------------------------------------------------------------------------


def park(engine: SqliteEngine, *sources: Address, deadline: int = FOREVER) -> Any:
    """Park a claim and return its submission."""
    submission = engine.submit([Claim(sources or (Q,), "ann", deadline=deadline)])
    engine.sweep()
    return submission


def test_who_waits_is_served_in_order_and_in_the_same_commit(engine: SqliteEngine) -> None:
    """Five wait, three tasks come: the first three have them when the push is answered."""
    waiting = [park(engine) for _ in range(5)]
    outcomes = engine.execute([Push("q", NewTask()) for _ in range(3)])
    assert [submission.answered for submission in waiting] == [True] * 3 + [False] * 2
    assert [claimed(one.wait()[0])[0].id for one in waiting[:3]] == outcomes


def test_nobody_comes_before_who_waits(engine: SqliteEngine) -> None:
    """A claim that arrives in one batch with a push goes behind those who are parked."""
    waiting = park(engine)
    pushed = engine.submit([Push("q", NewTask())])
    hasty = engine.submit([Claim((Q,), "bob")])
    assert hasty.wait() == [()]
    assert pushed.wait() == [task.id for task in claimed(waiting.wait()[0])]


def test_who_waits_is_served_once_in_a_batch(engine: SqliteEngine) -> None:
    """Work that comes later in the same batch is for others."""
    waiting = park(engine)
    first, hasty, second = engine.execute(
        [Push("q", NewTask()), Claim((Q,), "bob"), Push("q", NewTask())]
    )
    assert [task.id for task in claimed(waiting.wait()[0])] == [first]
    assert hasty == ()
    assert [task.id for task in take(engine)] == [second]


def test_who_is_late_gets_nothing_that_comes_later(engine: SqliteEngine, clock: FakeClock) -> None:
    """Even if its thread has not noticed yet that the deadline has come."""
    waiting = park(engine, deadline=clock.now() + SECOND)
    clock.advance(SECOND)
    task = push(engine)
    assert waiting.wait() == [()]
    assert [held.id for held in take(engine)] == [task]


def test_a_claim_of_several_queues_waits_in_all_of_them(engine: SqliteEngine) -> None:
    """It is served once, from whichever comes first, in the order of its sources."""
    both = park(engine, Address("low"), Address("high"))
    one_only = park(engine, Address("low"))
    engine.execute([Push("high", NewTask()), Push("low", NewTask()), Push("low", NewTask())])
    (delivery,) = both.wait()[0]
    assert delivery.source == Address("low")
    assert len(claimed(one_only.wait()[0])) == 1
    assert length(engine, "high") == 1


def test_a_deadline_is_kept_and_the_task_stays(engine: SqliteEngine, clock: FakeClock) -> None:
    """The claim answers `()` at its deadline; what comes later is for others."""
    waiting = park(engine, deadline=clock.now() + SECOND)
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(waiting.wait)
        clock.until_waiting(2)  # the timer, and who waits
        clock.advance(SECOND)
        assert answer.result() == [()]
    push(engine)
    assert len(take(engine)) == 1


def test_what_falls_due_by_the_deadline_still_comes(engine: SqliteEngine, clock: FakeClock) -> None:
    """A task whose delay is over at the deadline is handed out, not missed."""
    task = push(engine, delay=SECOND)
    waiting = park(engine, deadline=clock.now() + SECOND)
    clock.advance(SECOND)
    assert [held.id for held in claimed(waiting.wait()[0])] == [task]


def test_cancel_answers_now_and_takes_nothing_along(engine: SqliteEngine) -> None:
    """Before it parks, while it is parked, twice, and after it has been given a task."""
    early = engine.submit([Claim((Q,), "ann", deadline=FOREVER)])
    early.cancel()
    assert early.wait() == [()]
    parked = park(engine)
    parked.cancel()
    parked.cancel()
    assert parked.wait() == [()]
    served = park(engine)
    task = push(engine)
    served.cancel()
    assert [held.id for held in claimed(served.wait()[0])] == [task]
    assert engine._writer.parking.addresses() == []


def test_giving_up_while_the_leader_serves_keeps_the_task(tmp_path: Path) -> None:
    """Who cancels during the commit that serves it reads the task; nobody else has it."""
    with engine_in(tmp_path) as engine:
        parked = park(engine)
        idle = park(engine, Address("other"))
        faulty = make_faulty(engine)

        def cancel_in_between(text: str) -> None:
            if text == statements.COMMIT:
                parked.cancel()
                idle.cancel()
                assert not idle.answered

        faulty.fails = cancel_in_between
        task = push(engine)
        assert [held.id for held in claimed(parked.wait()[0])] == [task]
        assert idle.wait() == [()]


def test_drain_answers_everybody_and_lets_nobody_park(engine: SqliteEngine) -> None:
    """Claims that come later answer at once; everything else goes on."""
    waiting = [park(engine), park(engine, Address("other"))]
    engine.drain()
    assert [submission.wait() for submission in waiting] == [[()], [()]]
    assert one(engine, Claim((Q,), "ann", deadline=FOREVER)) == ()
    assert push(engine) > 0
    assert len(claimed(one(engine, Claim((Q,), "ann", deadline=FOREVER)))) == 1


def test_close_finishes_what_was_submitted(tmp_path: Path) -> None:
    """Nothing that was handed over is lost; afterwards everything is refused."""
    with engine_in(tmp_path) as engine:
        submission = engine.submit([Push("q", NewTask())])
        waiting = park(engine, Address("other"))
        engine.close()
        assert number(submission.wait()[0]) > 0
        assert waiting.wait() == [()]
        for refused in (lambda: engine.submit([]), lambda: length(engine, "q"), engine.sweep):
            with pytest.raises(EngineClosed):
                refused()
        engine.close()
    assert not (tmp_path / "ezra.db-wal").exists()


# -- Many threads ----------------------------------------------------------------------------------


def test_many_threads_do_every_task_exactly_once(tmp_path: Path) -> None:
    """Producers and workers on two queues: nothing is lost, nothing handed out twice."""
    engine = SqliteEngine(tmp_path, DEFAULTS, SystemClock(), synchronous="normal")
    done: list[int] = []
    guard = threading.Lock()

    def produce(queue: str) -> list[int]:
        pushes = [Push(queue, NewTask(b"x")) for _ in range(5)]
        return [number(outcome) for _ in range(20) for outcome in engine.execute(pushes)]

    def work(name: int) -> None:
        while tasks := claimed(
            one(engine, Claim((Q, Address("r")), str(name), 3, deadline=FOREVER))
        ):
            ids = tuple(task.id for task in tasks)
            acked = number(one(engine, Ack("q", ids))) + number(one(engine, Ack("r", ids)))
            assert acked == len(ids)
            with guard:
                done.extend(ids)
                if len(done) == 600:
                    engine.drain()

    with ThreadPoolExecutor(12) as threads:
        workers = [threads.submit(work, name) for name in range(6)]
        pushed = [threads.submit(produce, queue) for queue in "qrqrqr"]
        for worker in workers:
            worker.result()
    assert sorted(done) == sorted(task for ids in pushed for task in ids.result())
    assert all(info.done == 300 for info in engine.queues())
    engine.close()
