"""Laws of `ezra.sansio.commands.keyfacts`: what is asked about one key.

The replies stand in the table of `shape_cases`.
"""

from __future__ import annotations

import pytest

from ezra.sansio.commands import KeyFact, MemoryUsage, ZCount, parse
from ezra.sansio.errors import CommandError
from ezra.sansio.model import Address
from tests.property.wire import split

DEAD = Address("q", dead=True)


@pytest.mark.parametrize(
    "line",
    [
        "TYPE {}",
        "ttl {}",
        "PTTL {}",
        "EXPIRETIME {}",
        "PEXPIRETIME {}",
        "OBJECT ENCODING {}",
        "object idletime {}",
        "MEMORY USAGE {} SAMPLES 5 samples 0",
    ],
)
def test_both_kinds_of_key(line: str) -> None:
    """A queue and a dead-letter queue may be asked about alike."""
    for name, address in (("q", Address("q")), ("q::dead", DEAD)):
        command = parse(split(line.format(name)))
        assert isinstance(command, KeyFact)
        assert command.address == address
    assert parse(split("MEMORY USAGE q::dead")) == MemoryUsage(DEAD)


@pytest.mark.parametrize(
    "bound",
    ["0", "-1", "+5", "1.5", ".5", "5.", "1e9", "-1E+9", "inf", "-Inf", "+inf", "(5", "(-inf"],
)
def test_bounds_of_a_sorted_set(bound: str) -> None:
    """Whatever Redis takes for a number, and a parenthesis before it."""
    assert parse(split(f"ZCOUNT q {bound} {bound}")) == ZCount(Address("q"))


@pytest.mark.parametrize("bound", ["x", "", "(", "((1", "1e", "--1", "nan", "1 "])
def test_what_is_no_bound(bound: str) -> None:
    """Anything else is an error."""
    with pytest.raises(CommandError, match="min or max is not a float"):
        parse([b"ZCOUNT", b"q", bound.encode(), b"1"])
