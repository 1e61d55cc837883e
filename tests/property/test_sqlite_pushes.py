"""Repeated pushes in the file: what is remembered of a push, for how long, and after what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ezra.sansio.errors import CommandError
from ezra.sansio.model import SECOND, Address, Dedup, NewTask
from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    ConfigureQueue,
    DeleteQueues,
    Erase,
    Push,
    Transact,
)
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.engine import SqliteEngine
from tests.property.fake_clock import START, FakeClock
from tests.property.operations import DEFAULTS
from tests.property.sqlite_worlds import (
    engine_in,
    length,
    make_faulty,
    number,
    one,
    stored_groups,
    stored_keys,
    take,
)


@pytest.fixture(name="clock")
def a_clock() -> FakeClock:
    """Stand still."""
    return FakeClock()


@pytest.fixture(name="engine")
def an_engine(tmp_path: Path, clock: FakeClock) -> Iterator[SqliteEngine]:
    """Open an engine and close it."""
    with engine_in(tmp_path, clock) as engine:
        yield engine


def repeat(
    engine: SqliteEngine,
    key: bytes = b"k",
    *,
    queue: str = "q",
    producer: bytes = b"p",
    ttl: int | None = None,
    limited: bool = True,
) -> int:
    """Push with a key and return the id that it is answered."""
    return number(one(engine, Push(queue, NewTask(dedup=Dedup(producer, key, ttl, limited)))))


def test_a_repeat_is_answered_the_first_id_and_adds_nothing(engine: SqliteEngine) -> None:
    """In one batch, in the next one, and whatever has become of the task."""
    task = NewTask(dedup=Dedup(b"p", b"k"))
    first, second = engine.execute([Push("q", task), Push("q", task)])
    assert first == second == repeat(engine)
    assert length(engine, "q") == 1
    take(engine)
    assert one(engine, Ack("q", (number(first),))) == 1
    assert repeat(engine) == first
    assert one(engine, Erase("q", (number(first),))) == (True,)
    assert repeat(engine) == first
    assert length(engine, "q") == 0


def test_keys_of_other_producers_and_queues_are_others(engine: SqliteEngine) -> None:
    """A key belongs to one producer in one queue."""
    ids = [repeat(engine), repeat(engine, producer=b""), repeat(engine, queue="r")]
    assert len(set(ids)) == 3


def test_a_key_is_remembered_over_a_restart(tmp_path: Path) -> None:
    """It is in the file, with its time."""
    clock = FakeClock()
    with engine_in(tmp_path, clock) as engine:
        first = repeat(engine, ttl=SECOND)
    with engine_in(tmp_path, clock) as engine:
        assert repeat(engine) == first
    clock.advance(SECOND)
    with engine_in(tmp_path, clock) as engine:
        assert stored_keys(tmp_path) == []
        assert repeat(engine) > first


def test_a_repeat_prolongs_nothing(engine: SqliteEngine, clock: FakeClock, tmp_path: Path) -> None:
    """The queue's window counts from the first push; then the key is forgotten, unasked."""
    first = repeat(engine)
    assert engine._writer.due == START + DEFAULTS.dedup_window
    clock.advance(DEFAULTS.dedup_window - 1)
    assert repeat(engine) == first
    clock.advance(1)
    engine.sweep()
    assert stored_keys(tmp_path) == []
    assert repeat(engine) > first


def test_of_limited_keys_the_newest_stay(engine: SqliteEngine) -> None:
    """So many of each producer; keys that are not limited do not count, and stay."""
    one(engine, ConfigureQueue("q", (("dedup_limit", 2),)))
    free = repeat(engine, b"free", limited=False)
    other = repeat(engine, b"1", producer=b"other")
    first, second = repeat(engine, b"1"), repeat(engine, b"2")
    third = repeat(engine, b"3")
    assert [repeat(engine, key) for key in (b"2", b"3")] == [second, third]
    assert repeat(engine, b"1") > third > first
    assert repeat(engine, b"free", limited=False) == free
    assert repeat(engine, b"1", producer=b"other") == other


def test_a_push_that_fails_remembers_nothing(engine: SqliteEngine, tmp_path: Path) -> None:
    """Neither for its id, nor for what cannot be stored."""
    dedup = Dedup(b"p", b"k")
    assert isinstance(one(engine, Push("q", NewTask(id=0, dedup=dedup))), CommandError)
    assert isinstance(one(engine, Push("q", NewTask(priority=999, dedup=dedup))), CommandError)
    assert one(engine, Push("new", NewTask(dedup=dedup), create=False)) is None
    assert stored_keys(tmp_path) == []


def test_keys_go_with_their_queue(engine: SqliteEngine, tmp_path: Path) -> None:
    """A queue of the same name begins anew."""
    first = repeat(engine)
    assert one(engine, Erase("q", (first,))) == (True,)
    assert one(engine, DeleteQueues(("q",))) == 1
    assert stored_keys(tmp_path) == []
    assert repeat(engine) > first


def test_a_key_whose_time_is_over_is_none_before_its_sweep(tmp_path: Path) -> None:
    """However many are over at once: neither a repeat nor the limit sees them."""
    clock = FakeClock()
    engine = SqliteEngine(tmp_path, DEFAULTS, clock, scheduler=10**15)
    keys = [b"%d" % each for each in range(statements.SWEEP_ROWS + 20)]
    pushes = [Push("q", NewTask(dedup=Dedup(b"p", key, SECOND))) for key in keys]
    first = engine.execute(pushes)
    assert engine.execute(pushes[-5:]) == first[-5:]
    clock.advance(SECOND)
    again = engine.execute(pushes[-20:])
    assert len(stored_keys(tmp_path)) >= 20
    assert not set(again) & set(first)
    assert engine.execute(pushes[-20:]) == again
    engine.sweep()
    assert len(stored_keys(tmp_path)) == 20
    engine.close()


def test_a_push_without_a_key_asks_for_none(engine: SqliteEngine) -> None:
    """Whoever does not use keys does not pay for them."""
    repeat(engine)
    seen: list[str] = []
    make_faulty(engine).fails = seen.append
    one(engine, Push("q", NewTask()))
    assert not [statement for statement in seen if "dedup_keys" in statement]


def test_a_failing_push_uses_up_no_ids_behind_it(engine: SqliteEngine) -> None:
    """In a transaction nothing is tried after the step that failed."""
    first = number(one(engine, Push("q", NewTask())))
    one(engine, Transact((Push("q", NewTask(id=0)), Push("q", NewTask()))))
    assert one(engine, Push("q", NewTask())) == first + 1


def test_a_claim_that_waited_makes_its_group_known_where_it_was_fed(
    engine: SqliteEngine, tmp_path: Path
) -> None:
    """And where its queues were when it came; not in one that was made meanwhile."""
    one(engine, ConfigureQueue("there", ()))
    sources = (Address("there"), Address("idle"), Address("feeds"))
    parked = engine.submit([Claim(sources, "ann", deadline=START + SECOND, group="g")])
    engine.sweep()
    one(engine, ConfigureQueue("idle", ()))
    one(engine, Push("feeds", NewTask()))
    parked.wait()
    assert stored_groups(tmp_path) == {"there": {"g"}, "idle": set(), "feeds": {"g"}}
