"""A claim ends with the task that makes it `Defaults.claim_size`, in every engine.

That the engines agree on it in all histories is the agreement test's: its world has a size that two
or three payloads make.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ezra.sansio.model import FOREVER, SECOND, Address, NewTask
from ezra.sansio.queue.operations import Claim, CreateQueue, Push, TakeIdle
from ezra.threaded.engine import Engine
from ezra.threaded.memory_engine import MemoryEngine
from ezra.threaded.sqlite.engine import SqliteEngine
from tests.property.fake_clock import FakeClock
from tests.property.operations import DEFAULTS

SIZE = 10
SMALL = replace(DEFAULTS, claim_size=SIZE, max_attempts=9)
Q = Address("q")


@pytest.fixture
def clock() -> FakeClock:
    """Return the engines' clock."""
    return FakeClock()


@pytest.fixture(params=["memory", "sqlite"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Engine]:
    """Return an engine whose claims end at ten bytes."""
    engine: Engine = (
        MemoryEngine(SMALL, clock)
        if request.param == "memory"
        else SqliteEngine(tmp_path, SMALL, clock)
    )
    yield engine
    engine.close()


def pushed(engine: Engine, *tasks: NewTask) -> list[int]:
    """Push tasks together and return their ids."""
    outcomes = engine.submit([Push("q", task) for task in tasks]).wait()
    assert all(isinstance(outcome, int) for outcome in outcomes)
    return list(outcomes)  # type: ignore[arg-type]  # asserted


def given(outcome: object) -> list[int]:
    """Return the ids of what a claim gave."""
    return [task.id for delivery in outcome for task in delivery.tasks]  # type: ignore[attr-defined]  # of a claim


def claimed(engine: Engine, claim: Claim) -> list[int]:
    """Carry the claim out and return the ids of what it gave."""
    return given(engine.submit([claim]).wait()[0])


def test_a_claim_takes_the_task_that_makes_its_size_and_no_more(engine: Engine) -> None:
    """Headers count as payloads do; the next claim goes on where it stopped."""
    half = NewTask(bytes(2), headers=((b"n", b"vv"),))
    ids = pushed(engine, half, half, half, half)
    assert claimed(engine, Claim((Q,), "ann", 100)) == ids[:2]
    assert claimed(engine, Claim((Q,), "ann", 100)) == ids[2:]


def test_a_task_larger_than_the_size_is_given_alone(engine: Engine) -> None:
    """Nothing that was pushed can be too large to be claimed."""
    ids = pushed(engine, NewTask(bytes(3 * SIZE)), NewTask(b"x"))
    assert claimed(engine, Claim((Q,), "ann", 100)) == ids[:1]
    assert claimed(engine, Claim((Q,), "ann", 100)) == ids[1:]


def test_ones_own_are_read_again_in_pieces(engine: Engine) -> None:
    """What follows the last id of one piece is the next one, until there is nothing."""
    ids = pushed(engine, *[NewTask(bytes(SIZE))] * 3)
    for _ in ids:
        claimed(engine, Claim((Q,), "ann", 100))
    after, again = 0, list[int]()
    while piece := claimed(engine, Claim((), "ann", 100, rereads=((Q, after),))):
        assert len(piece) == 1
        again += piece
        after = piece[-1]
    assert again == ids


def test_the_size_is_of_all_that_a_claim_gives(engine: Engine, clock: FakeClock) -> None:
    """What it takes over that lay idle leaves so much less for those whose turn it is."""
    ids = pushed(engine, NewTask(bytes(SIZE - 1)), NewTask(b"x"), NewTask(b"y"))
    claimed(engine, Claim((Q,), "bob"))
    clock.advance(SECOND)
    assert claimed(engine, Claim((Q,), "ann", 100, min_idle=SECOND)) == ids[:2]


def test_a_take_over_of_what_is_idle_says_where_to_go_on(engine: Engine, clock: FakeClock) -> None:
    """Its cursor is the first that it did not look at."""
    engine.submit([CreateQueue("q", "g")]).wait()
    ids = pushed(engine, *[NewTask(bytes(SIZE // 2))] * 4)
    for _ in range(2):
        claimed(engine, Claim((Q,), "bob", 100))
    clock.advance(SECOND)
    first = engine.submit([TakeIdle("q", "g", "ann", SECOND, 0, 100)]).wait()[0]
    assert [task.id for task in first.tasks] == ids[:2]  # type: ignore[union-attr]  # Taken
    assert first.cursor == ids[2]  # type: ignore[union-attr]  # Taken


def test_what_one_leaves_goes_to_the_next_who_waits(engine: Engine) -> None:
    """A claim that was to have everything and has enough must leave nobody waiting beside it."""
    ann = engine.submit([Claim((Q,), "ann", 100, deadline=FOREVER)])
    assert not ann.settle()
    bob = engine.submit([Claim((Q,), "bob", deadline=FOREVER)])
    assert not bob.settle()
    ids = pushed(engine, *[NewTask(bytes(SIZE))] * 3)
    assert given(ann.wait()[0]) == ids[:1]
    assert bob.settle()
    assert given(bob.wait()[0]) == ids[1:2]
