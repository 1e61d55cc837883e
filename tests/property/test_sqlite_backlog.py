"""More falls due at once than one commit sweeps: no answer tells, and no commit does all of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ezra.sansio.model import FOREVER, SECOND, Address, Defaults, NewTask
from ezra.sansio.queue.looks import Info, Length, Range, Workers
from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    ConfigureQueue,
    DeleteQueues,
    Erase,
    Nack,
    Operation,
    Outcome,
    Push,
    Transact,
    Trim,
)
from ezra.threaded.memory_engine import MemoryEngine
from ezra.threaded.sqlite import engine as engine_module
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.engine import SqliteEngine
from tests.property.fake_clock import FakeClock
from tests.property.sqlite_worlds import claimed, length, make_faulty, one, push, take

MOST = 5
"""What one commit sweeps here."""

COUNT = 4 * MOST + 1
"""What falls due at once."""

Q = Address("q")
DEFAULTS = Defaults(visibility_timeout=10 * SECOND, retention=50 * SECOND)


@pytest.fixture(autouse=True)
def small_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a commit sweep few, and no timer that could come before who finds the backlog."""
    monkeypatch.setattr(statements, "SWEEP_ROWS", MOST)
    monkeypatch.setattr(SqliteEngine, "_run_timer", lambda _: None)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[FakeClock, SqliteEngine, MemoryEngine]]:
    """A clock, an engine on disk and the pure queue beside it."""
    clock = FakeClock()
    with (
        closing(SqliteEngine(tmp_path, DEFAULTS, clock)) as stored,
        closing(MemoryEngine(DEFAULTS, clock)) as pure,
    ):
        yield clock, stored, pure


Pair = tuple[FakeClock, SqliteEngine, MemoryEngine]


def both(pair: Pair, *operations: Operation) -> list[Outcome]:
    """Have both engines do the same, one after the other, and return what both answer."""
    _, *engines = pair
    for operation in operations:
        answers = [engine.execute([operation]) for engine in engines]
        assert [str(each) for each in answers[0]] == [str(each) for each in answers[1]]
    return answers[0]


def mixed(**options: int) -> list[Operation]:
    """Return pushes of which one in the middle and the last are the most urgent."""
    urgent = {COUNT // 2: 9, COUNT - 1: 5}
    tasks = [
        NewTask(b"p", priority=urgent.get(place, 0), **options)  # type: ignore[arg-type]  # numbers
        for place in range(COUNT)
    ]
    return [Push("q", task) for task in tasks]


def claim(count: int, *, dead: bool = False) -> Claim:
    """Return a claim of so many."""
    return Claim((Address("q", dead),), "ann", count)


@pytest.mark.parametrize("count", [1, 3, MOST, COUNT])
@pytest.mark.parametrize("due", ["delays", "leases", "deaths"])
def test_a_claim_takes_whose_turn_it_is(pair: Pair, due: str, count: int) -> None:
    """By priority, time and id, over all that is due and what was ready before."""
    clock, *_ = pair
    if due == "delays":
        both(pair, *mixed(delay=10 * SECOND))
    else:
        both(pair, *mixed(max_attempts=1 if due == "deaths" else 2), claim(COUNT))
    both(pair, Push("q", NewTask(b"ready", priority=1)))
    clock.advance(10 * SECOND)
    source = claim(count, dead=due == "deaths")
    (first,) = both(pair, source)
    assert len(claimed(first)) == count
    for _ in range(COUNT):
        both(pair, source, claim(count))


def test_what_must_wait_or_is_over_is_no_ones_turn(pair: Pair) -> None:
    """Lapsed leases with a retry delay, or with a ttl that ended meanwhile, hide nothing."""
    clock, *_ = pair
    late = ConfigureQueue("q", (("retry_delay", SECOND),))
    both(pair, late, *mixed(), claim(COUNT), Push("q", NewTask(b"last", delay=10 * SECOND)))
    both(pair, *mixed(ttl=10 * SECOND), *mixed(ttl=10 * SECOND, delay=9 * SECOND))
    clock.advance(10 * SECOND)
    (given,) = both(pair, claim(3))
    assert [task.payload for task in claimed(given)] == [b"last"]
    clock.advance(SECOND)
    both(pair, claim(COUNT))


def test_who_waits_comes_before_who_asks_now(pair: Pair) -> None:
    """Also where what it waits for is due, and no sweep has come to it."""
    clock, stored, _ = pair
    waiting = stored.submit([Claim((Q,), "ann", deadline=FOREVER)])
    stored.sweep()
    for _ in range(COUNT):
        push(stored, "other", delay=SECOND)
    first, second = push(stored, delay=SECOND), push(stored, delay=SECOND)
    clock.advance(SECOND)
    assert [task.id for task in take(stored, count=2)] == [second]
    assert [task.id for task in claimed(waiting.wait()[0])] == [first]


@pytest.mark.parametrize("filler", ["second", "third"])
def test_who_waits_longer_is_not_passed_by_who_waits_in_two_places(pair: Pair, filler: str) -> None:
    """Something comes to the second place of the later one first, and that one looks in both."""
    clock, stored, _ = pair
    waiting = [
        stored.submit([Claim(tuple(map(Address, names)), "ann", deadline=FOREVER)])
        for names in (["first"], ["first", "second"])
    ]
    stored.sweep()
    for name, count in ((filler, MOST), ("first", 1)):
        stored.execute([Push(name, NewTask(name.encode(), delay=SECOND)) for _ in range(count)])
    clock.advance(SECOND)
    push(stored, "second", payload=b"second")
    assert [each.settle() for each in waiting] == [True, True]
    given = [claimed(each.wait()[0])[0].payload for each in waiting]
    assert given == [b"first", b"second"]


def test_what_falls_due_by_a_deadline_comes_in_time(pair: Pair) -> None:
    """However many sweeps it takes until it is reached."""
    clock, stored, _ = pair
    for _ in range(COUNT):
        push(stored, "other", delay=SECOND)
    task = push(stored, delay=SECOND)
    deadline = clock.now() + SECOND
    waiting = stored.submit([Claim((Q,), "ann", deadline=deadline)])
    assert not waiting.settle()
    clock.advance(SECOND)
    assert [each.id for each in claimed(waiting.wait()[0])] == [task]


def test_a_claim_whose_sweep_fails_still_ends(pair: Pair) -> None:
    """It is answered that there is nothing, and does not try for ever."""
    clock, stored, _ = pair
    push(stored, "other", delay=SECOND)
    waiting = stored.submit([Claim((Q,), "ann", deadline=clock.now() + SECOND)])
    assert not waiting.settle()
    faulty = make_faulty(stored)
    full = sqlite3.OperationalError("full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    faulty.fails = lambda text: full if text == statements.BEGIN else None
    clock.advance(SECOND)
    assert waiting.wait() == [()]
    faulty.fails = lambda _: None


def test_looks_count_what_there_is(pair: Pair) -> None:
    """Nothing that has expired, nothing that is held no more, and what is ready now as such."""
    clock, *engines = pair
    both(pair, *mixed(delay=10 * SECOND), *mixed(ttl=10 * SECOND), *mixed(), claim(COUNT))
    both(pair, *[Push("r", NewTask(b"p", ttl=10 * SECOND)) for _ in range(COUNT)])
    clock.advance(10 * SECOND)
    for look in (Length(Address("r")), Info("q"), Range(Q), Info("r")):
        stored, pure = (engine.look(look) for engine in engines)
        assert stored == pure


def test_looks_at_workers_count_what_they_hold(pair: Pair) -> None:
    """The same for what only who leads the commit can tell."""
    clock, *engines = pair
    both(pair, *mixed(), Claim((Q,), "ann", COUNT, group="g"))
    clock.advance(10 * SECOND)
    stored, pure = (engine.look(Workers("q", "g")) for engine in engines)
    assert stored == pure


@pytest.mark.parametrize("due", ["ttls", "retention"])
def test_what_depends_on_others_tasks_sees_none_that_is_over(pair: Pair, due: str) -> None:
    """Deleting a queue, trimming it, looking at it in a transaction, changing its settings."""
    clock, *_ = pair
    both(pair, *mixed(**({"ttl": 50 * SECOND} if due == "ttls" else {})))
    if due == "retention":
        (given,) = both(pair, claim(COUNT))
        ids = tuple(task.id for task in claimed(given))
        both(pair, Ack("q", ids))
    clock.advance(50 * SECOND)
    if due == "retention":
        assert both(pair, Nack("q", ids[-1:], counts_done=True)) == [0]
        assert both(pair, Erase("q", ids[-1:])) == [(False,)]
    assert both(pair, Transact((Length(Q), Trim(Q), Info("q"))))
    assert both(pair, DeleteQueues(("q",))) == [1]


def test_leases_that_are_over_go_back_by_the_settings_of_then(pair: Pair) -> None:
    """A retry delay that is set after they lapsed does not concern them."""
    clock, *_ = pair
    both(pair, *mixed(), claim(COUNT))
    clock.advance(10 * SECOND)
    both(pair, ConfigureQueue("q", (("retry_delay", SECOND),)), claim(COUNT))


def test_done_tasks_that_have_expired_are_counted_as_such(tmp_path: Path) -> None:
    """Also where they were kept long enough by then."""
    clock = FakeClock()
    with closing(SqliteEngine(tmp_path, DEFAULTS, clock)) as engine:
        engine.execute(mixed(ttl=50 * SECOND))
        one(engine, Ack("q", tuple(task.id for task in take(engine, count=COUNT))))
        clock.advance(50 * SECOND)
        info = engine.info("q")
        assert info is not None
        assert (info.done, info.expired) == (0, COUNT)


def test_a_look_waits_for_a_bounded_number_of_sweeps(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more due than that it is answered from what is done by then."""
    clock, stored, _ = pair
    monkeypatch.setattr(engine_module, "MOST_SWEEPS", 2)
    stored.execute(mixed(ttl=SECOND))
    clock.advance(SECOND)
    assert length(stored, "q") == COUNT - 2 * MOST


def test_no_commit_does_more_than_its_claims_need(pair: Pair) -> None:
    """However much is due, what a claim brings in is what could be its turn."""
    clock, stored, _ = pair
    stored.execute(mixed(delay=SECOND))
    clock.advance(SECOND)
    take(stored, count=2)
    left = stored._writer.connection.execute("SELECT count(*) FROM tasks WHERE scheduled = 1")
    assert left.fetchone() == (COUNT - MOST - 2,), "what one sweep does, and what the claim takes"
