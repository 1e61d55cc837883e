"""What one client sends in one piece is carried out together, but not whatever it hands out.

What may have very many tasks to change goes in pieces, and an error says what was done before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from ezra.sansio.connection import Closed, Connection, Read, Signal
from ezra.sansio.errors import CommandError, EzraError, OutcomeUnknown, StorageFull, Text
from ezra.sansio.model import SECOND, Address, Defaults, Delivery, NackMode, NewTask
from ezra.sansio.queue.operations import Ack, Claim, Extend, Nack, Operation, Outcome, Push
from ezra.threaded import dispatcher as dispatching
from ezra.threaded.dispatcher import TOGETHER, Dispatcher, release
from ezra.threaded.engine import Engine
from ezra.threaded.memory_engine import MemoryEngine
from ezra.threaded.sqlite.engine import SqliteEngine
from tests.property.fake_clock import FakeClock
from tests.property.fake_host import FakeHost
from tests.property.wire import request, session, split

CLAIM = "XREADGROUP GROUP g w STREAMS q >"


class Noting(MemoryEngine):
    """Notes how many operations come together."""

    def __init__(self) -> None:
        super().__init__(Defaults(), FakeClock())
        self.sizes: list[int] = []

    def execute(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Carry them out."""
        self.sizes.append(len(operations))
        return super().execute(operations)


def together(*lines: str) -> tuple[list[int], list[object]]:
    """Have a pipeline carried out.

    Returns:
        The sizes of its parts, and for each result after how many parts it was admitted.
    """
    engine = Noting()
    try:
        own = session()
        connection = Connection(own)
        connection.receive_data(b"".join([request(*split(line)) for line in lines]))
        requests: list[Read] = []
        while not isinstance(event := connection.next_event(), Signal | Closed):
            requests.append(event)
        dispatcher = Dispatcher(engine, engine._clock, FakeHost(own))
        parts = dispatcher.carry_out(requests, own, lambda _request, _result: len(engine.sizes))
        return engine.sizes, parts
    finally:
        engine.close()


def test_any_number_of_pushes_share_a_commit() -> None:
    """Nobody is handed anything."""
    assert together(*["XADD q * payload x"] * 100) == ([100], [1] * 100)


@pytest.mark.parametrize(
    "line", [CLAIM, "XCLAIM q g w 1 1-1", "XAUTOCLAIM q g w 1 0", "MULTI|XRANGE q - +|EXEC"]
)
def test_so_many_that_hand_out_share_one(line: str) -> None:
    """What one part has handed out is admitted before the next is carried out."""
    lines = line.split("|")
    sizes, parts = together(*lines * (2 * TOGETHER + 1))
    assert sizes == [TOGETHER, TOGETHER, 1]
    assert parts[len(lines) - 1 :: len(lines)] == [1] * TOGETHER + [2] * TOGETHER + [3]


def test_looks_are_admitted_one_by_one() -> None:
    """What comes before one is carried out before it."""
    assert together(CLAIM, "XRANGE q - +", CLAIM, "XRANGE q - +") == ([1, 1], [1, 1, 2, 2])


# -- In pieces -------------------------------------------------------------------------------------


class Interrupted(MemoryEngine):
    """Something happens before one of the pieces."""

    def __init__(self) -> None:
        super().__init__(Defaults(answer_size=20_000), FakeClock())
        self.after = 0
        """How many pieces go before."""
        self.happens: Callable[[], object] = lambda: None

    def execute(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Carry them out."""
        self.after -= 1
        if self.after == -1:
            self.happens()
        return super().execute(operations)

    def breaks(self, error: EzraError) -> None:
        """Have a piece fail."""

        def fail() -> None:
            raise error

        self.happens = fail


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Interrupted]:
    """Return an engine with 5 done tasks, of which a piece is 2, and 5 that bob holds elsewhere."""
    monkeypatch.setattr(dispatching, "PIECE", 2)
    engine = Interrupted()
    answer(engine, "XGROUP CREATE q g 0 MKSTREAM", "XGROUP CREATE held g 0 MKSTREAM")
    for worker, queue in (("ann", "q"), ("bob", "held")):
        engine.submit([Push(queue, NewTask(b"x"))] * 5).wait()
        answer(engine, f"XREADGROUP GROUP g {worker} COUNT 5 STREAMS {queue} >")
    engine.submit([Ack("q", tuple(task.id for task in engine._machine.tasks()))]).wait()
    yield engine
    engine.close()


def answer(engine: MemoryEngine, *lines: str) -> object:
    """Have commands carried out and return the last one's result."""
    own = session()
    connection = Connection(own)
    connection.receive_data(b"".join([request(*split(line)) for line in lines]))
    dispatcher = Dispatcher(engine, engine._clock, FakeHost(own))
    requests = [connection.next_event() for _ in lines]
    return dispatcher.carry_out(requests, own, lambda _request, result: result)[-1]  # type: ignore[arg-type]  # read


def done(engine: MemoryEngine, queue: str = "q") -> int:
    """Return how many of the queue's tasks are done."""
    info = engine.info(queue)
    assert info is not None
    return info.done


def test_an_error_after_a_purge_says_so(engine: Interrupted) -> None:
    """A push that comes between the purge and the end keeps the queue, but not what was done."""
    engine.after = 3
    engine.happens = lambda: engine.submit([Push("q", NewTask(b"x"))]).wait()
    failed = answer(engine, "DEL q")
    assert isinstance(failed, CommandError)
    unfinished = Text.UNFINISHED.format(queue="q", waiting=1, in_flight=0, dead=0)
    assert str(failed) == Text.DONE_IN_PART.format(done=5, error=unfinished)
    assert done(engine) == 0


@pytest.mark.parametrize("line", ["DEL q", "XTRIM q MAXLEN 0", "XGROUP DELCONSUMER held g bob"])
def test_an_error_after_some_pieces_says_how_many_tasks_they_were(
    engine: Interrupted, line: str
) -> None:
    """Where none went before it is the error alone."""
    engine.after = 0
    engine.breaks(StorageFull(Text.STORAGE_FULL))
    assert str(answer(engine, line)) == Text.STORAGE_FULL
    assert done(engine) == 5
    engine.after = 2
    text = Text.DONE_IN_PART.format(done=4, error=Text.STORAGE_FULL)
    assert str(answer(engine, line)) == text


def test_where_nobody_knows_what_was_done_nothing_else_is_said(engine: Interrupted) -> None:
    """Clients tell that error by its first word."""
    engine.after = 1
    engine.breaks(OutcomeUnknown(Text.STORAGE_FAILED))
    failed = answer(engine, "XTRIM q MAXLEN 0")
    assert isinstance(failed, OutcomeUnknown)
    assert str(failed) == Text.STORAGE_FAILED


@pytest.mark.parametrize("size", [1, 20_000])
def test_a_queue_that_is_refused_keeps_all_others_as_they_are(
    engine: Interrupted, size: int
) -> None:
    """Also where its tasks are too large to be looked at."""
    engine.submit([Push("other", NewTask(bytes(size)))]).wait()
    failed = answer(engine, "DEL q other nosuch")
    assert str(failed) == Text.UNFINISHED.format(queue="other", waiting=1, in_flight=0, dead=0)
    assert done(engine) == 5


@pytest.mark.parametrize("stored", [False, True])
def test_a_late_release_takes_a_dead_task_from_nobody(tmp_path: Path, *, stored: bool) -> None:
    """Its claims are all on the same attempt, and only the one that was undelivered is undone."""
    clock = FakeClock()
    lease = Defaults(visibility_timeout=SECOND)
    engine: Engine = SqliteEngine(tmp_path, lease, clock) if stored else MemoryEngine(lease, clock)
    with closing(engine):
        (number,) = cast(list[int], engine.execute([Push("q", NewTask(b"p"))]))
        claim = Claim((Address("q"),), "a")
        engine.execute([claim, Nack("q", (number,), NackMode.FATAL)])
        given = []
        for worker in ("a", "b"):
            (outcome,) = engine.execute([Claim((Address("q", dead=True),), worker)])
            given.append(cast(tuple[Delivery, ...], outcome))
            clock.advance(SECOND)
        (outcome,) = engine.execute([Claim((Address("q", dead=True),), "b")])
        holds = cast(tuple[Delivery, ...], outcome)
        for late in given:
            assert release(engine, late) == 0
        assert engine.execute([Extend("q", "b", (number,))]) == [(number,)]
        assert release(engine, holds) == 1
