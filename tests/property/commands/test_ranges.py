"""Laws of `ezra.sansio.commands.ranges`: how XRANGE and XREVRANGE are read."""

from __future__ import annotations

import pytest

from ezra.sansio.commands import MAX_RANGE, XRange, XRevRange, parse
from ezra.sansio.model import MAX_ID, Address
from tests.property.wire import split

Q = Address("q")


def test_both_directions() -> None:
    """XREVRANGE names the end first; it means the same range."""
    range_ = parse(split("xrange q 1-5 (2-9 count 3"))
    back = parse(split("XREVRANGE q (2-9 1-5 COUNT 3"))
    bounds = (Q, 1 << 20 | 5, 2 << 20 | 8, 3)
    assert range_ == XRange(*bounds)
    assert back == XRevRange(*bounds)
    assert isinstance(range_, XRange)
    assert isinstance(back, XRange)
    assert (range_.backwards, back.backwards) == (False, True)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        ("", MAX_RANGE),
        ("COUNT 1", 1),
        ("COUNT 1 COUNT 2", 2),
        ("COUNT 10000", 10_000),
        ("COUNT 10001", 10_000),
        (f"COUNT {2**63 - 1}", 10_000),
        ("COUNT 0", 0),
        ("COUNT -1", 0),
    ],
)
def test_count(count: str, expected: int) -> None:
    """What is shown at once is bounded, whatever is asked for; 0 and less are nothing."""
    assert parse(split(f"XRANGE q - + {count}")) == XRange(Q, 0, MAX_ID, expected)


def test_dead_tasks_can_be_looked_at() -> None:
    """The dead-letter queue is a queue here."""
    assert parse(split("XRANGE q::dead - +")) == XRange(Address("q", dead=True), 0, MAX_ID)
