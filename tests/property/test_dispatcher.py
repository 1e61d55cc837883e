"""What one client sends in one piece is carried out together, but not whatever it hands out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ezra.sansio.connection import Closed, Connection, Read, Signal
from ezra.sansio.model import Defaults
from ezra.sansio.queue.operations import Operation, Outcome
from ezra.threaded.dispatcher import TOGETHER, Dispatcher
from ezra.threaded.memory_engine import MemoryEngine
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
