"""Laws of `ezra.sansio.commands.inspection` and `books`: how XLEN and XINFO are read.

Their replies stand in the table of `shape_cases`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from ezra.sansio.commands import XInfoConsumers, XInfoGroups, XInfoStream, XLen, parse
from ezra.sansio.model import Address, WorkerInfo
from ezra.sansio.resp.values import Map
from ezra.sansio.session import ServerIdentity, Session
from tests.property.commands.books import BUSY, DETAILS, NOW
from tests.property.wire import split

Q = Address("q")


def test_both_kinds_of_address() -> None:
    """A queue and its dead-letter queue can be looked at."""
    for name, address in (("q", Q), ("q::dead", Address("q", dead=True))):
        assert parse(split(f"xlen {name}")) == XLen(address)
        assert parse(split(f"xinfo stream {name}")) == XInfoStream(address)
        assert parse(split(f"xinfo groups {name}")) == XInfoGroups(address)
        assert parse(split(f"xinfo consumers {name} g")) == XInfoConsumers(address, "g")


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ("FULL", 10),
        ("full count 3", 3),
        ("FULL COUNT 0", 10_000),
        ("FULL COUNT -1", 10),
        ("FULL COUNT 99999", 10_000),
    ],
)
def test_full(options: str, count: int) -> None:
    """Ten of each by default, as in Redis; 0 is all, which is bounded here."""
    assert parse(split(f"XINFO STREAM q {options}")) == XInfoStream(Q, count)


@pytest.mark.parametrize(
    "options", ["x", "COUNT 1", "FULL x", "FULL COUNT", "FULL COUNT 1 x", "FULL LIMIT 1"]
)
def test_what_is_wrong_is_said_of_a_queue_that_is_there(options: str) -> None:
    """Redis looks for the key first, so a missing one is the error to tell."""
    wrong = "ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."
    assert parse(split(f"XINFO STREAM q {options}")) == XInfoStream(Q, wrong=wrong)
    number = "ERR value is not an integer or out of range"
    assert parse(split("XINFO STREAM q FULL COUNT x")) == XInfoStream(Q, wrong=number)


def test_nothing_waits_for_less_than_no_time() -> None:
    """A task that became ready after the books' moment was read has waited 0 ms."""
    info = replace(BUSY, oldest_waiting=NOW + 5_000_000)
    value = XInfoStream(Q).reply(info, 3)
    assert isinstance(value, Map)
    assert value.pairs[-1] == (b"oldest-waiting-ms", 0)


def test_nobody_is_idle_for_less_than_no_time() -> None:
    """Nor has a worker that was seen after the look's moment been idle."""
    worker = WorkerInfo("ann", 0, NOW + 5_000, NOW + 5_000)
    [value] = XInfoConsumers(Q, "g").reply((NOW, (worker,)), 3)  # type: ignore[misc] # an array
    assert value == Map(((b"name", b"ann"), (b"pending", 0), (b"idle", 0), (b"inactive", 0)))


@pytest.mark.parametrize("options", ["", "FULL"])
def test_a_strict_library_gets_redis_fields_only(options: str) -> None:
    """It would take one that it does not know for an error."""
    command = parse(split(f"XINFO STREAM q {options}"))
    session = Session(1, ServerIdentity("0.1.0"), lib_name="go-redis(,go1.23)")
    strict = command.adapted(session)
    assert command.adapted(Session(2, ServerIdentity("0.1.0"), lib_name="redis-py")) is command
    result = DETAILS if options else BUSY
    ours, plain = command.reply(result, 3), strict.reply(result, 3)
    assert isinstance(ours, Map)
    assert isinstance(plain, Map)
    assert plain.pairs == ours.pairs[:-6]
    assert ours.pairs[-6][0] == b"available"
