"""Transactions: all or nothing, in the file and in everything that the writer remembers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ezra.sansio.errors import CommandError, LocalProtocolError, Text
from ezra.sansio.model import FOREVER, SECOND, Address, Dedup, NewTask, Status
from ezra.sansio.queue.looks import Groups, Info, Length, Look, Pending, Workers
from ezra.sansio.queue.operations import (
    Ack,
    AddWorker,
    Claim,
    ConfigureQueue,
    CreateQueue,
    DeleteQueues,
    Extend,
    Nack,
    Operation,
    Outcome,
    Push,
    RemoveGroup,
    Transact,
)
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.engine import SqliteEngine
from tests.property.fake_clock import START, FakeClock
from tests.property.sqlite_worlds import (
    claimed,
    engine_in,
    length,
    make_faulty,
    number,
    one,
    push,
    stored_keys,
    stored_tasks,
    take,
)

Q = Address("q")

FAILS = Nack("q", (0,), strict=True)
"""Raises `CommandError`: no such task is in flight."""

UNDONE = Text.ROLLED_BACK.format(error=Text.NOT_IN_FLIGHT)


@pytest.fixture(name="clock")
def a_clock() -> FakeClock:
    """Stand still."""
    return FakeClock()


@pytest.fixture(name="engine")
def an_engine(tmp_path: Path, clock: FakeClock) -> Iterator[SqliteEngine]:
    """Open an engine with a queue and a group, and close it."""
    with engine_in(tmp_path, clock) as engine:
        one(engine, CreateQueue("q", "g"))
        yield engine


def transact(engine: SqliteEngine, *steps: Operation | Look) -> Outcome:
    """Execute one transaction and return its outcome."""
    return one(engine, Transact(steps))


def undone(outcome: Outcome) -> bool:
    """Say whether that is the error of a transaction that was rolled back."""
    return isinstance(outcome, CommandError) and str(outcome) == UNDONE


# -- As one ----------------------------------------------------------------------------------------


def test_every_step_is_answered_in_order(engine: SqliteEngine) -> None:
    """Looks see the steps before them, and a claim what was pushed in the same transaction."""
    outcome: Any = transact(
        engine,
        Push("q", NewTask(b"1")),
        Length(Q),
        Claim((Q,), "ann", group="g"),
        Workers("q", "g"),
        Pending("q", "g"),
        Push("other", NewTask(b"2")),
        Info("other"),
    )
    pushed, waiting, taken, (at, workers), pending, other, info = outcome
    assert waiting == 1
    assert [task.id for task in claimed(taken)] == [pushed]
    assert (at, [worker.name for worker in workers], pending.count) == (START, ["ann"], 1)
    assert info.first.id == other


def test_steps_of_one_kind_share_their_statements(engine: SqliteEngine) -> None:
    """A savepoint around it is all that a transaction of pushes costs beside the pushes."""
    seen: list[str] = []
    make_faulty(engine).fails = seen.append
    transact(engine, *[Push("q", NewTask()) for _ in range(3)])
    work = [statements.insert_tasks(3), statements.insert_payloads(3)]
    assert seen[2:-1] == [statements.SAVE, *work, statements.KEEP]


def test_who_waits_is_served_when_it_is_over(engine: SqliteEngine) -> None:
    """What the transaction itself takes, nobody else sees; what is left is for who waits."""
    parked: Any = engine.submit([Claim((Q,), "bob", deadline=FOREVER)])
    engine.sweep()
    first, taken = plain(transact(engine, Push("q", NewTask()), Claim((Q,), "ann")))
    assert [task.id for task in claimed(taken)] == [first]
    assert not parked.answered
    (second,) = plain(transact(engine, Push("q", NewTask())))
    assert [task.id for task in claimed(parked.wait()[0])] == [second]


def test_who_waited_comes_before_a_transaction_that_claims(engine: SqliteEngine) -> None:
    """Also when the task comes in the same batch."""
    parked: Any = engine.submit([Claim((Q,), "bob", deadline=FOREVER)])
    engine.sweep()
    pushed, transacted = engine.execute([Push("q", NewTask()), Transact((Claim((Q,), "ann"),))])
    assert [task.id for task in claimed(parked.wait()[0])] == [pushed]
    assert transacted == ((),)


def test_what_a_step_makes_due_is_done_before_the_next(
    engine: SqliteEngine, clock: FakeClock
) -> None:
    """A task whose ttl was over while it was held is gone once it is done."""
    task = push(engine, ttl=SECOND)
    take(engine)
    clock.advance(SECOND)
    outcome: Any = transact(engine, Ack("q", (task,)), Info("q"), DeleteQueues(("q",)))
    acked, info, deleted = outcome
    assert (acked, info.done, info.expired, deleted) == (1, 0, 1, 1)


@pytest.mark.parametrize("step", [Transact(()), Claim((Q,), "ann", deadline=FOREVER)])
def test_what_cannot_be_a_step_is_refused_at_once(engine: SqliteEngine, step: Operation) -> None:
    """It is a mistake of whoever drives the engine, not a client's."""
    with pytest.raises(LocalProtocolError):
        transact(engine, Push("q", NewTask()), step)
    assert length(engine, "q") == 0


# -- Or nothing ------------------------------------------------------------------------------------


def test_a_failing_step_undoes_all(engine: SqliteEngine, tmp_path: Path) -> None:
    """Tasks, queues, settings and keys; ids that were used up stay so."""
    first = push(engine)
    take(engine)
    before = stored_tasks(tmp_path)
    outcome = transact(
        engine,
        Push("q", NewTask(dedup=Dedup(b"", b"key"))),
        Push("new", NewTask()),
        ConfigureQueue("q", (("max_attempts", 9),)),
        Ack("q", (first,)),
        FAILS,
    )
    assert undone(outcome)
    assert stored_tasks(tmp_path) == before
    assert stored_keys(tmp_path) == []
    assert engine.info("new") is None
    assert push(engine) == first + 3
    assert stored_tasks(tmp_path)[-1].max_attempts == before[0].max_attempts


def test_a_queue_that_was_undone_is_made_anew(engine: SqliteEngine, tmp_path: Path) -> None:
    """The writer does not go on with what it remembers of it."""
    assert undone(transact(engine, Push("new", NewTask()), FAILS))
    other, task = push(engine, "other"), push(engine, "new")
    assert {one.id: one.queue for one in stored_tasks(tmp_path)} == {other: "other", task: "new"}


def test_a_group_that_was_undone_is_unknown(engine: SqliteEngine) -> None:
    """And one that was forgotten is known again, with its workers."""
    assert undone(transact(engine, CreateQueue("q", "new"), FAILS))
    missing = Text.NO_GROUP.format(queue="q", group="new")
    assert str(one(engine, Extend("q", "ann", (), group="new"))) == missing
    one(engine, AddWorker("q", "g", "ann"))
    assert undone(transact(engine, RemoveGroup("q", "g"), FAILS))
    assert one(engine, Extend("q", "ann", (), group="g")) == ()
    answer: Any = engine.look(Groups("q"))
    assert [(group.name, group.workers) for group in answer[1]] == [("g", 1)]


def test_workers_that_were_undone_were_never_seen(engine: SqliteEngine) -> None:
    """Neither who was added nor who claimed."""
    push(engine)
    steps = (AddWorker("q", "g", "ann"), Claim((Q,), "bob", group="g"), FAILS)
    assert undone(transact(engine, *steps))
    assert engine.look(Workers("q", "g")) == (START, ())
    assert one(engine, AddWorker("q", "g", "ann")) == 1


def test_who_waits_goes_on_waiting_and_is_served_later(engine: SqliteEngine) -> None:
    """What was pushed and undone wakes nobody; the next task does."""
    parked: Any = engine.submit([Claim((Q,), "bob", deadline=FOREVER)])
    engine.sweep()
    assert undone(transact(engine, Push("q", NewTask()), FAILS))
    assert not parked.answered
    task = push(engine)
    assert [held.id for held in claimed(parked.wait()[0])] == [task]


def test_what_was_undone_never_falls_due(engine: SqliteEngine) -> None:
    """And what falls due of the neighbours in the batch is known."""
    later = NewTask(delay=9 * SECOND)
    undoing = engine.submit([Transact((Push("q", NewTask(delay=SECOND)), FAILS))])
    engine.execute([Push("q", later)])
    assert undone(undoing.wait()[0])
    assert engine._writer.due == START + 9 * SECOND


# -- What cannot be stored -------------------------------------------------------------------------


@pytest.mark.parametrize("alone", [False, True])
def test_a_step_that_cannot_be_stored_undoes_its_transaction_alone(
    engine: SqliteEngine, *, alone: bool
) -> None:
    """Its neighbours are done, also where the batch has to be carried out one by one."""
    bad = Push("\udc80", NewTask())
    lines: list[list[Operation]] = [
        [Push("q", NewTask())],
        [Transact((Push("q", NewTask()), bad))],
        [Transact((Push("q", NewTask()), FAILS))],
        [Transact((Push("q", NewTask()),)), *([bad] if alone else [])],
    ]
    submissions = [engine.submit(line) for line in lines]
    outcomes = [submission.wait()[0] for submission in submissions]
    assert number(outcomes[0]) > 0
    assert str(outcomes[1]).startswith("EXECABORT Transaction rolled back, nothing of it was done:")
    assert "cannot be stored" in str(outcomes[1])
    assert undone(outcomes[2])
    assert isinstance(outcomes[3], tuple)
    assert length(engine, "q") == 2


def test_workers_are_right_where_a_batch_is_carried_out_again(engine: SqliteEngine) -> None:
    """What the first try noted of them is taken back with it."""
    bad = Push("\udc80", NewTask())
    added, failed = engine.execute([AddWorker("q", "g", "ann"), bad])
    assert added == 1
    assert isinstance(failed, CommandError)


def test_a_claim_that_fails_alone_was_never_there(engine: SqliteEngine) -> None:
    """Its worker was not seen, and its group is not known."""
    push(engine)
    outcome = one(engine, Claim((Q,), "\udc80", group="h"))
    assert isinstance(outcome, CommandError)
    with pytest.raises(CommandError, match="NOGROUP"):
        engine.look(Workers("q", "h"))
    assert engine.look(Workers("q", "g")) == (START, ())


def test_a_full_disk_undoes_a_transaction_that_pushes(engine: SqliteEngine, tmp_path: Path) -> None:
    """Nothing of it was done, by what the storage says, and with space it is."""
    full = sqlite3.OperationalError("full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    faulty = make_faulty(engine)
    faulty.fails = lambda text: full if "INSERT INTO tasks" in text else None
    refused = transact(engine, AddWorker("q", "g", "ann"), Push("q", NewTask()))
    assert isinstance(refused, CommandError)
    assert "the disk is full" in str(refused)
    faulty.fails = lambda _: None
    assert stored_tasks(tmp_path) == []
    assert engine.look(Workers("q", "g")) == (START, ())
    assert number(plain(transact(engine, Push("q", NewTask())))[0]) > 0
    assert [task.status for task in stored_tasks(tmp_path)] == [Status.AVAILABLE]


def plain(outcome: Outcome) -> tuple[Any, ...]:
    """Return the answers of a transaction's steps."""
    assert isinstance(outcome, tuple), outcome
    return outcome
