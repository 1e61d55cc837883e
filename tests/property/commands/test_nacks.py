"""Laws of `ezra.sansio.commands.nacks`: how XDEL and XNACK are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands import XDel, XNack, parse
from ezra.sansio.model import Address, NackMode
from tests.property.commands.books import FIVE, NINE
from tests.property.wire import split

QUEUE = Address("q")
OPTIONS = ["DELAY 1.5", "reason late", "ATTEMPT 2", "RetryCount 3", "FORCE"]


def test_deletes_are_nacks() -> None:
    """XDEL takes any number of ids."""
    assert parse(split("xdel q 1-5 2-9")) == XDel(QUEUE, (FIVE, NINE))


def test_the_short_form() -> None:
    """Without a mode, XNACK is EZRA's short form."""
    assert parse(split("xnack q g 1-5 2-9")) == XNack(QUEUE, "g", (FIVE, NINE), short=True)


@pytest.mark.parametrize("mode", NackMode)
def test_the_modes(mode: NackMode) -> None:
    """Each of Redis' three modes is understood in any case; clients send just this."""
    expected = XNack(QUEUE, "g", (FIVE, NINE), mode)
    for word in (mode.value, mode.value.lower(), mode.value.title()):
        assert parse(split(f"XNACK q g {word} IDS 2 1-5 2-9")) == expected
        assert parse(split(f"xnack q g {word} ids 2 1-5 2-9")) == expected


@given(st.permutations(["IDS 1 1-5", *OPTIONS]))
def test_options_stand_in_any_order(options: list[str]) -> None:
    """After the mode, ids and options come in any order."""
    command = parse(split("XNACK q g FAIL " + " ".join(options)))
    expected = XNack(QUEUE, "g", (FIVE,), delay=1_500_000, reason="late", attempt=2, attempts=3)
    assert command == expected


def test_a_reason_may_be_any_text() -> None:
    """A reason has spaces and line breaks; an empty one is one, too."""
    for reason in ("", "Traceback:\r\n  boom ü"):
        words = [*split("XNACK q g FATAL IDS 1 1-5 REASON"), reason.encode()]
        assert parse(words) == XNack(QUEUE, "g", (FIVE,), NackMode.FATAL, reason=reason)


def test_any_retry_count_is_one() -> None:
    """Redis' own FATAL counts to 2⁶³ − 1, and clients copy such numbers."""
    command = parse(split("XNACK q g SILENT IDS 1 1-5 RETRYCOUNT 9223372036854775807"))
    assert command == XNack(QUEUE, "g", (FIVE,), NackMode.SILENT, attempts=2**63 - 1)
