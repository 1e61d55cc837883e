"""Laws of `ezra.sansio.commands.inspection`: how XLEN and XINFO STREAM are read.

Their replies stand in the table of `test_replies`.
"""

from __future__ import annotations

from dataclasses import replace

from ezra.sansio.commands import XInfoStream, XLen, parse
from ezra.sansio.model import Address
from ezra.sansio.resp.values import Map
from tests.property.commands.books import BUSY, NOW
from tests.property.wire import split


def test_both_kinds_of_address() -> None:
    """A queue and its dead-letter queue can be looked at."""
    for name, address in (("q", Address("q")), ("q::dead", Address("q", dead=True))):
        assert parse(split(f"xlen {name}")) == XLen(address)
        assert parse(split(f"xinfo stream {name}")) == XInfoStream(address)


def test_nothing_waits_for_less_than_no_time() -> None:
    """A task that became ready after the books' moment was read has waited 0 ms."""
    info = replace(BUSY, oldest_waiting=NOW + 5_000_000)
    value = XInfoStream(Address("q")).reply((info, NOW), 3)
    assert isinstance(value, Map)
    assert value.pairs[-1] == (b"oldest-waiting-ms", 0)
