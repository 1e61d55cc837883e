"""Laws of `ezra.sansio.commands.pending`: how XPENDING, XCLAIM and XAUTOCLAIM are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands import PendingRange, XAutoClaim, XClaim, XPending, parse
from ezra.sansio.commands.arguments import MAX_SECONDS
from ezra.sansio.model import MAX_ID, NO_ID, SECOND, Address
from tests.property.commands.books import FIVE, NINE
from tests.property.wire import split

Q = Address("q")
AGES = MAX_SECONDS * SECOND


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", None),
        ("- + 5", PendingRange(0, MAX_ID, 5)),
        ("1-5 (2-10 5 ann", PendingRange(FIVE, NINE, 5, "ann")),
        ("IDLE 3 - + 5", PendingRange(0, MAX_ID, 5, min_idle=3_000)),
        ("idle -3 - + 5 ann", PendingRange(0, MAX_ID, 5, "ann")),
        (f"IDLE {2**63 - 1} - + 5", PendingRange(0, MAX_ID, 5, min_idle=AGES)),
        ("- + 0", PendingRange(0, MAX_ID, 0)),
        ("- + -5", PendingRange(0, MAX_ID, 0)),
        (f"- + {2**63 - 1}", PendingRange(0, MAX_ID, 10_000)),
        ("- + 5 IDLE", PendingRange(0, MAX_ID, 5, "IDLE")),
    ],
)
def test_pending(line: str, expected: PendingRange | None) -> None:
    """Both forms; what is listed at once is bounded, and nothing is idle for longer than ages."""
    assert parse(split(f"xpending q g {line}")) == XPending(Q, "g", expected)


OPTIONS = ["IDLE 5", "time 5", "RETRYCOUNT 7", "force", "JustId", "LASTID 1-1"]


@given(st.permutations(OPTIONS), st.sampled_from(["1-5", "1-5 2-9 99999999999999-0"]))
def test_options_stand_in_any_order(options: list[str], ids: str) -> None:
    """Behind the ids; IDLE, TIME and LASTID change nothing."""
    command = parse(split(f"xclaim q g ann 3 {ids} " + " ".join(options)))
    expected = (FIVE, NINE, NO_ID)[: len(ids.split())]
    assert command == XClaim(Q, "g", "ann", 3_000, expected, 7, force=True, just_ids=True)


def _claim(line: str) -> XClaim:
    command = parse(split(f"XCLAIM q g ann {line}"))
    assert isinstance(command, XClaim)
    return command


@pytest.mark.parametrize(
    ("line", "heartbeat"),
    [
        ("0 1-5 JUSTID", True),
        ("-1 1-5 justid", True),
        ("0 1-5 2-9 JUSTID IDLE 0 TIME 9 LASTID 1", True),
        ("0 1-5", False),
        ("1 1-5 JUSTID", False),
        ("0 1-5 JUSTID FORCE", False),
        ("0 1-5 JUSTID RETRYCOUNT 0", False),
    ],
)
def test_the_heartbeat(line: str, *, heartbeat: bool) -> None:
    """No idle time, ids alone, and nothing that would change a task: that renews leases."""
    assert _claim(line).heartbeat is heartbeat


def test_the_first_word_that_is_no_id_begins_the_options() -> None:
    """As in Redis: an id behind an option is an unknown option, and no id at all is none."""
    assert _claim("0 JUSTID x").wrong == "ERR Unrecognized XCLAIM option 'x'"
    assert _claim("0 1-5 JUSTID 1-6").wrong == "ERR Unrecognized XCLAIM option '1-6'"
    assert _claim("0 JUSTID JUSTID").ids == ()
    assert _claim("0 1-5 RETRYCOUNT -1").attempts == 0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("5 0", XAutoClaim(Q, "g", "ann", 5_000, 0)),
        ("-5 -", XAutoClaim(Q, "g", "ann", 0, 0)),
        ("5 (1-5 COUNT 7", XAutoClaim(Q, "g", "ann", 5_000, FIVE + 1, 7)),
        ("5 0 justid count 1 COUNT 2", XAutoClaim(Q, "g", "ann", 5_000, 0, 2, just_ids=True)),
        ("5 0 COUNT 99999999", XAutoClaim(Q, "g", "ann", 5_000, 0, 10_000)),
        ("5 +", XAutoClaim(Q, "g", "ann", 5_000, MAX_ID)),
    ],
)
def test_autoclaim(line: str, expected: XAutoClaim) -> None:
    """A hundred at a time by default, ten thousand at most."""
    assert parse(split(f"XAUTOCLAIM q g ann {line}")) == expected
