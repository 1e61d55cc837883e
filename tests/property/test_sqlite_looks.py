"""Looks, take-overs and trimming in the file: what they cost, and what a backlog hides."""

from __future__ import annotations

from pathlib import Path

import pytest

from ezra.sansio.errors import EngineClosed
from ezra.sansio.model import (
    MAX_ID,
    SECOND,
    Address,
    Defaults,
    Entry,
    NewTask,
    PendingSummary,
    Taken,
)
from ezra.sansio.queue.allowance import Room
from ezra.sansio.queue.journal import Journal
from ezra.sansio.queue.looks import (
    Details,
    Exists,
    FindGroup,
    Groups,
    Info,
    Length,
    Look,
    Names,
    Pending,
    PendingTasks,
    Range,
    Workers,
)
from ezra.sansio.queue.operations import (
    Claim,
    CreateQueue,
    Erase,
    Extend,
    Operation,
    Push,
    TakeIdle,
    TakeOver,
    Trim,
)
from ezra.sansio.queue.roster import Roster
from ezra.threaded.sqlite import idle, reading, statements
from ezra.threaded.sqlite.engine import SqliteEngine
from ezra.threaded.sqlite.view import View
from tests.property.fake_clock import START, FakeClock
from tests.property.sqlite_worlds import by_hand, claimed, engine_in, one, push, take

Q = Address("q")
DEAD = Address("q", dead=True)


def settle_some(engine: SqliteEngine, directory: Path) -> None:
    """Leave two tasks in each place of the queue `q`: dead, done, in flight and waiting."""
    one(engine, Claim((Q,), "ann", group="g"))
    for _ in range(8):
        push(engine, max_attempts=1)
    one(engine, Claim((Q,), "ann", 2, group="g"))
    with by_hand(directory) as connection:
        connection.execute("UPDATE tasks SET status = 'dead' WHERE status = 'in_flight'")
    one(engine, Claim((Q,), "ann", 2, group="g", done_at_once=True))
    one(engine, Claim((Q,), "ann", 2, group="g"))


def settle_many(engine: SqliteEngine, directory: Path, count: int) -> None:
    """Add that many tasks that wait, are scheduled, done and dead, all of them in `q`."""
    engine.execute([Push("q", NewTask(max_attempts=1)) for _ in range(3 * count)])
    engine.execute([Push("q", NewTask(delay=3600 * SECOND)) for _ in range(count)])
    with by_hand(directory) as connection:
        for status in ("done", "dead"):
            connection.execute(
                f"UPDATE tasks SET status = '{status}' WHERE id IN (SELECT id FROM tasks"
                f" WHERE status = 'available' AND scheduled = 0 ORDER BY id DESC LIMIT {count})"
            )
    engine.sweep()


LOOKS: list[Look] = [
    Length(Q),
    Exists((Q, DEAD)),
    Names(),
    Info("q"),
    Details("q", 2),
    Groups("q"),
    Workers("q", "g"),
    FindGroup("q", "g"),
    Pending("q", "g"),
    PendingTasks("q", "g"),
    PendingTasks("q", "g", worker="ann", min_idle=1),
    Range(Q, count=2),
    Range(Q, count=2, backwards=True),
    Range(DEAD, count=2),
    Range(DEAD, count=2, backwards=True),
]


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_a_look_costs_the_same_however_many_tasks_there_are(tmp_path: Path, look: Look) -> None:
    """Counted in steps of SQLite's virtual machine, so it depends on no clock."""

    def cost() -> int:
        steps: list[int] = []
        with by_hand(tmp_path) as connection:
            connection.set_progress_handler(lambda: steps.append(1), 1)
            reading.answer(View(connection, START, Room(MAX_ID), Roster(Journal())), look)
            connection.set_progress_handler(None, 0)
        return len(steps)

    with engine_in(tmp_path, defaults=Defaults()) as engine:
        settle_some(engine, tmp_path)
        few = cost()
        settle_many(engine, tmp_path, 200)
        assert cost() == few


OPERATIONS: list[Operation] = [
    TakeIdle("q", "g", "ann", 0),
    TakeIdle("q", "g", "bob", SECOND),
    Claim((DEAD,), "ann", rereads=((Q, 0),), min_idle=SECOND),
    Trim(Q, most=1),
    Trim(DEAD, most=1),
    Push("q", NewTask()),
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_an_operation_costs_the_same_however_many_tasks_there_are(
    tmp_path: Path, operation: Operation
) -> None:
    """Taking over reads what is in flight, trimming what it removes."""
    with engine_in(tmp_path, defaults=Defaults()) as engine:
        steps: list[int] = []
        settle_some(engine, tmp_path)

        def cost() -> int:
            steps.clear()
            engine._writer.connection.set_progress_handler(lambda: steps.append(1), 1)
            one(engine, operation)
            engine._writer.connection.set_progress_handler(None, 0)
            return len(steps)

        cost()
        few = cost()
        settle_many(engine, tmp_path, 200)
        # What the writer remembers, it forgets after an edit by hand.
        one(engine, Extend("q", "ann", (), group="g"))
        assert cost() <= few


def test_numbers_beyond_all_ids_find_nothing(tmp_path: Path) -> None:
    """A range may begin after the last id that there can be."""
    with engine_in(tmp_path) as engine:
        settle_some(engine, tmp_path)
        for first, last in ((MAX_ID + 1, MAX_ID + 9), (5, 4), (MAX_ID + 1, 0)):
            assert engine.look(Range(Q, first, last)) == ()
            assert engine.look(PendingTasks("q", "g", first, last)) == ()
        found = engine.look(Range(Q, 0, MAX_ID + 9))
        assert isinstance(found, tuple)
        assert len(found) == 4


def test_looks_are_refused_after_the_end(tmp_path: Path) -> None:
    """Those that are read beside the writer, and those that its leader answers."""
    with engine_in(tmp_path) as engine:
        pass
    for look in (Length(Q), Groups("q")):
        with pytest.raises(EngineClosed):
            engine.look(look)


def test_a_look_that_only_the_leader_can_answer_says_so(tmp_path: Path) -> None:
    """Rather than leaving out the workers."""
    with engine_in(tmp_path) as engine:
        settle_some(engine, tmp_path)
    with by_hand(tmp_path) as connection, pytest.raises(TypeError):
        reading.answer(View(connection, START, Room(MAX_ID)), Workers("q", "g"))


def test_a_look_sees_what_is_due(tmp_path: Path) -> None:
    """A lease that has lapsed by then is not held, without anybody having asked before."""
    clock = FakeClock()
    with engine_in(tmp_path, clock) as engine:
        settle_some(engine, tmp_path)
        clock.advance(3600 * SECOND)
        assert engine.look(Pending("q", "g")) == PendingSummary(0, 0, 0, ())


# -- Taking over -----------------------------------------------------------------------------------


def test_idle_tasks_are_taken_over_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few one statement reads; what dies is not counted, and the cursor goes on."""
    monkeypatch.setattr(idle, "MOST_LOOKED_AT", 2)
    clock = FakeClock()
    with engine_in(tmp_path, clock) as engine:
        ids = [push(engine, max_attempts=1 + (at % 3 > 0)) for at in range(12)]
        one(engine, Claim((Q,), "ann", 12, group="g"))
        clock.advance(SECOND)
        first = one(engine, TakeIdle("q", "g", "bob", SECOND, count=5))
        assert isinstance(first, Taken)
        assert [task.id for task in first.tasks] == [ids[at] for at in (1, 2, 4, 5, 7)]
        assert (first.cursor, first.tasks[0].idle) == (ids[8], SECOND)
        second = one(engine, TakeIdle("q", "g", "bob", SECOND, first.cursor, 5))
        assert isinstance(second, Taken)
        assert ([task.id for task in second.tasks], second.cursor) == ([*ids[8:9], *ids[10:]], 0)
        assert engine.look(Length(DEAD)) == 4


def test_what_a_claim_finds_dying_is_there_for_who_waits_for_it(tmp_path: Path) -> None:
    """A worker of the dead-letter queue is served in the same commit."""
    clock = FakeClock()
    with engine_in(tmp_path, clock) as engine:
        task = push(engine, max_attempts=1)
        take(engine)
        clock.advance(SECOND)
        parked = engine.submit([Claim((DEAD,), "eve", deadline=MAX_ID)])
        engine.sweep()
        assert one(engine, Claim((Q,), "bob", min_idle=SECOND)) == ()
        assert [held.id for held in claimed(parked.wait()[0])] == [task]


def test_who_waits_comes_before_who_takes_by_force(tmp_path: Path) -> None:
    """Also when the task comes in the same batch."""
    with engine_in(tmp_path) as engine:
        one(engine, CreateQueue("q", "g"))
        next_one = push(engine, "other") + 1
        parked = engine.submit([Claim((Q,), "ann", deadline=MAX_ID)])
        engine.sweep()
        forced = TakeOver("q", "g", "bob", SECOND, (next_one,), force=True)
        assert engine.execute([Push("q", NewTask()), forced]) == [next_one, ()]
        assert [task.id for task in claimed(parked.wait()[0])] == [next_one]


def test_what_was_acked_as_it_was_claimed_has_been_claimed(tmp_path: Path) -> None:
    """The books say so, though it was never in flight."""
    with engine_in(tmp_path, defaults=Defaults()) as engine:
        task = push(engine)
        one(engine, Claim((Q,), "ann", done_at_once=True))
        info = engine.info("q")
        assert info is not None
        assert (info.done, info.last_claimed) == (1, task)


# -- A backlog -------------------------------------------------------------------------------------


def test_what_is_due_counts_before_its_sweep(tmp_path: Path) -> None:
    """More leases lapse and more ttls run out than one commit sweeps: no answer tells."""
    count = statements.SWEEP_ROWS + 10
    clock = FakeClock()
    engine = SqliteEngine(tmp_path, Defaults(), clock, scheduler=10**15)
    engine.execute([Push("q", NewTask()) for _ in range(count)])
    held = [task.id for task in take(engine, count=count)]
    clock.advance(Defaults().visibility_timeout)
    assert one(engine, Erase("q", (held[-1],))) == (True,)
    engine.execute([Push("r", NewTask(ttl=SECOND)) for _ in range(count)])
    waiting = [task.id for task in entries(engine, Range(Address("r")))]
    clock.advance(SECOND)
    assert one(engine, Erase("r", (waiting[-1],))) == (False,)
    engine.close()


def entries(engine: SqliteEngine, look: Range) -> list[Entry]:
    """Return what a range shows."""
    answer = engine.look(look)
    assert isinstance(answer, tuple)
    return [each for each in answer if isinstance(each, Entry)]
