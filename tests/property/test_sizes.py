"""A claim ends with the task that makes it `Defaults.claim_size`, in every engine.

What has no place to end fails where its answer would weigh more than `Defaults.answer_size`, and
nothing of it is done.

That the engines agree on both in all histories is the agreement test's: its world has sizes that a
few tasks make.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from ezra.sansio.errors import CommandError
from ezra.sansio.model import (
    FOREVER,
    SECOND,
    Address,
    Claimed,
    Entry,
    Held,
    NackMode,
    NewTask,
    QueueDetails,
    QueueInfo,
)
from ezra.sansio.queue.allowance import ENTRY, HEADER, weight
from ezra.sansio.queue.looks import (
    Details,
    Groups,
    Info,
    Infos,
    Look,
    Names,
    Pending,
    PendingTasks,
    Range,
    Workers,
)
from ezra.sansio.queue.operations import (
    AddWorker,
    Claim,
    CreateQueue,
    Nack,
    Push,
    TakeIdle,
    TakeOver,
    Transact,
)
from ezra.threaded import engine as engines
from ezra.threaded.engine import Engine
from ezra.threaded.memory_engine import MemoryEngine
from ezra.threaded.sqlite.engine import SqliteEngine
from tests.property.fake_clock import FakeClock
from tests.property.operations import DEFAULTS

SIZE = 8 * ENTRY
ROOM = 3 * (ENTRY + SIZE)
SMALL = replace(DEFAULTS, claim_size=SIZE, answer_size=ROOM, max_attempts=9)
Q = Address("q")


@pytest.fixture
def clock() -> FakeClock:
    """Return the engines' clock."""
    return FakeClock()


@pytest.fixture(params=["memory", "sqlite"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Engine]:
    """Return an engine whose claims end at `SIZE`, and whose answers at three such tasks."""
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
    """All of a task counts, each header, too; the next claim goes on where it stopped."""
    half = NewTask(bytes(SIZE // 2 - ENTRY - HEADER - 3), headers=((b"n", b"vv"),))
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
    ids = pushed(engine, NewTask(bytes(SIZE - ENTRY - 1)), NewTask(b"x"), NewTask(b"y"))
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


# -- Answers ---------------------------------------------------------------------------------------


def three_and_one_more(engine: Engine) -> tuple[list[int], int]:
    """Make a group, push three tasks that just fit into one answer, and one that does not."""
    engine.submit([CreateQueue("q", "g")]).wait()
    *three, one = pushed(engine, *[NewTask(bytes(SIZE))] * 3, NewTask(b"x"))
    return three, one


@pytest.mark.parametrize("backwards", [False, True])
def test_a_look_at_too_much_is_an_error(engine: Engine, backwards: bool) -> None:
    """What just fits is answered; the number of tasks counts, too, for each takes room."""
    three, one = three_and_one_more(engine)
    look = Range(Q, last=three[-1], backwards=backwards)
    assert len(cast(tuple[Entry, ...], engine.look(look))) == 3
    with pytest.raises(CommandError, match=r"^OOM .*COUNT"):
        engine.look(replace(look, last=one))


def test_of_dead_tasks_no_more_can_be_seen(engine: Engine) -> None:
    """They are as large as others."""
    three, one = three_and_one_more(engine)
    for _ in range(4):
        claimed(engine, Claim((Q,), "ann"))
    engine.submit([Nack("q", (*three, one), mode=NackMode.FATAL)]).wait()
    dead = Address("q", dead=True)
    assert len(cast(tuple[Entry, ...], engine.look(Range(dead, count=3)))) == 3
    with pytest.raises(CommandError, match=r"^OOM "):
        engine.look(Range(dead))


def test_the_details_of_a_queue_are_an_answer_like_others(engine: Engine) -> None:
    """The first and the last task are in them, too, beside those that were asked for."""
    three_and_one_more(engine)
    assert len(cast(QueueDetails, engine.look(Details("q", 1))).entries) == 1
    with pytest.raises(CommandError, match=r"^OOM "):
        engine.look(Details("q", 2))


def test_the_books_of_all_queues_are_small(engine: Engine) -> None:
    """They hold no tasks, however large these are; those of one queue hold two."""
    for name in "abcd":
        engine.submit([Push(name, NewTask(bytes(SIZE)))]).wait()
    infos = cast(tuple[QueueInfo, ...], engine.look(Infos()))
    assert [(info.ready, info.first, info.last) for info in infos] == [(1, None, None)] * 4
    info = cast(QueueInfo, engine.look(Info("a")))
    assert info.first is not None
    assert info.first == info.last


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_books_that_are_gone_through_may_be_more(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that INFO is answered, however many queues there are."""
    monkeypatch.setattr(engines, "PAGE", 2)
    size = taken_by(Infos(), tmp_path / "0")
    with a_world(kind, size - 1, tmp_path / "1") as engine:
        assert [info.name for info in engine.queues()] == ["caf\u00e9", "q", "r"]


def test_a_take_over_of_too_much_takes_nothing(engine: Engine, clock: FakeClock) -> None:
    """Their worker has all of them still, with the leases and attempts that it had."""
    three, one = three_and_one_more(engine)
    for _ in range(4):
        claimed(engine, Claim((Q,), "bob", 100))
    clock.advance(SECOND)
    pending = PendingTasks("q", "g")
    before = engine.look(pending)
    take = TakeOver("q", "g", "ann", SECOND, (*three, one))
    (outcome,) = engine.submit([take]).wait()
    assert isinstance(outcome, CommandError)
    assert str(outcome).startswith("OOM ")
    assert engine.look(pending) == before
    (taken,) = engine.submit([replace(take, ids=tuple(three))]).wait()
    assert [task.id for task in cast(tuple[Claimed, ...], taken)] == three


@pytest.mark.parametrize("last", [Claim((Q,), "ann"), Range(Q, count=1)], ids=["claim", "look"])
def test_a_transaction_that_hands_out_too_much_is_undone(
    engine: Engine, last: Claim | Range
) -> None:
    """All its steps count together, those that claim and those that look."""
    three, _ = three_and_one_more(engine)
    steps = (Claim((Q,), "ann"), Range(Q, count=1), Claim((Q,), "ann"))
    (outcome,) = engine.submit([Transact((*steps, last))]).wait()
    assert isinstance(outcome, CommandError)
    assert "OOM" in str(outcome)
    assert claimed(engine, Claim((Q,), "bob", 100)) == three[:1]
    (outcome,) = engine.submit([Transact(steps[1:])]).wait()
    assert given(cast(tuple[object, ...], outcome)[1]) == three[1:2]


# -- Whatever else an answer is made of ------------------------------------------------------------

LOOKS: dict[str, Look] = {
    "Names": Names(),
    "Infos": Infos(),
    "Info": Info("q"),
    "Range": Range(Q),
    "Pending": Pending("q", "g"),
    "PendingTasks": PendingTasks("q", "g"),
    "PendingTasks of one": PendingTasks("q", "g", worker="ann"),
    "Groups": Groups("q"),
    "Workers": Workers("q", "g"),
    "Details": Details("q", None),
}


@contextmanager
def a_world(kind: str, size: int, directory: Path) -> Iterator[Engine]:
    """Make an engine whose answers end at a size, with some of everything that looks show."""
    defaults = replace(DEFAULTS, answer_size=size)
    clock = FakeClock()
    directory.mkdir()
    engine: Engine = (
        MemoryEngine(defaults, clock)
        if kind == "memory"
        else SqliteEngine(directory, defaults, clock)
    )
    try:
        for queue in ("q", "caf\u00e9", "r"):
            for group in ("g", "a longer name"):
                engine.submit([CreateQueue(queue, group)]).wait()
        pushed(engine, *[NewTask(b"x", headers=((b"n", b"vv"),))] * 5)
        for worker in ("ann", "bob", "ann", "eve", "\u2603"):
            engine.submit([Claim((Q,), worker, group="g")]).wait()
        engine.submit([AddWorker("q", "g", "zoe")]).wait()
        engine.submit([Nack("q", (pushed(engine, NewTask())[0],))]).wait()
        engine.submit([Claim((Q,), "dan", group="h")]).wait()
        yield engine
    finally:
        engine.close()


def taken_by(look: Look, directory: Path) -> int:
    """Return the room that the look takes."""
    with a_world("memory", 10**9, directory) as engine:
        answer = engine.look(look)
    # The moment that comes with the workers is no row.
    return weight(answer[1:] if isinstance(look, Workers) else answer)  # type: ignore[index]  # two


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_every_row_of_an_answer_counts(kind: str, look: Look, tmp_path: Path) -> None:
    """In both engines it takes to the byte what it weighs."""
    size = taken_by(look, tmp_path / "0")
    assert size > 0
    with a_world(kind, size, tmp_path / "1") as engine:
        engine.look(look)
    with (
        a_world(kind, size - 1, tmp_path / "2") as engine,
        pytest.raises(CommandError, match=r"^OOM "),
    ):
        engine.look(look)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_the_answers_of_a_transaction_share_their_room(
    kind: str, look: Look, tmp_path: Path
) -> None:
    """Three of them take three times as much."""
    size = taken_by(look, tmp_path / "0")
    for number, room in enumerate((3 * size, 3 * size - 1), 1):
        with a_world(kind, room, tmp_path / str(number)) as engine:
            (outcome,) = engine.submit([Transact((look, look, look))]).wait()
            assert isinstance(outcome, CommandError) == (room < 3 * size)
            (outcome,) = engine.submit([Transact((look, look))]).wait()
            assert not isinstance(outcome, CommandError)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_take_overs_share_it_too(kind: str, tmp_path: Path) -> None:
    """Each is counted once."""
    with a_world("memory", 10**9, tmp_path / "0") as engine:
        ids = [held.id for held in cast(tuple[Held, ...], engine.look(PendingTasks("q", "g")))]
        take = TakeOver("q", "g", "ann", 0, tuple(ids))
        (taken,) = engine.submit([take]).wait()
    size = weight(taken)
    assert size > ENTRY
    for number, room in enumerate((2 * size, 2 * size - 1), 1):
        with a_world(kind, room, tmp_path / str(number)) as engine:
            (outcome,) = engine.submit([Transact((take, take))]).wait()
            assert isinstance(outcome, CommandError) == (room < 2 * size)
            (outcome,) = engine.submit([take]).wait()
            assert outcome == taken
