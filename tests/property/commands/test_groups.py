"""Laws of `ezra.sansio.commands.groups`: how XGROUP is read."""

from __future__ import annotations

import pytest

from ezra.sansio.commands import (
    XGroupCreate,
    XGroupCreateConsumer,
    XGroupDelConsumer,
    XGroupDestroy,
    XGroupHelp,
    XGroupSetId,
    parse,
)
from ezra.sansio.model import Address
from tests.property.wire import split


@pytest.mark.parametrize("start", ["$", "0", "0-0", "1-5"])
def test_where_it_starts_means_nothing(start: str) -> None:
    """A group has no position: every well-formed id makes the same group."""
    assert parse(split(f"XGROUP CREATE q g {start}")) == XGroupCreate(Address("q"), "g")


@pytest.mark.parametrize(
    "options",
    [
        "MKSTREAM",
        "mkstream",
        "ENTRIESREAD 5 MKSTREAM",
        "MkStream entriesread -1",
        "MKSTREAM mkstream",
    ],
)
def test_mkstream_creates_the_queue(options: str) -> None:
    """MKSTREAM is found among the options, in any order and case; ENTRIESREAD is accepted."""
    command = parse(split(f"xgroup create q::dead g $ {options}"))
    assert command == XGroupCreate(Address("q", dead=True), "g", create=True)


def test_without_mkstream_the_queue_must_exist() -> None:
    """ENTRIESREAD alone creates nothing."""
    assert parse(split("XGROUP CREATE q g $ ENTRIESREAD 5")) == XGroupCreate(Address("q"), "g")


@pytest.mark.parametrize(
    "start", ["$", "0", "1-5", "-", "+", "0 ENTRIESREAD 5", "0 entriesread -1"]
)
def test_a_position_that_nothing_has(start: str) -> None:
    """SETID takes what Redis takes and sets nothing."""
    assert parse(split(f"xgroup setid q g {start}")) == XGroupSetId(Address("q"), "g")


def test_the_others() -> None:
    """A queue, a group, and perhaps a worker."""
    queue = Address("q")
    assert parse(split("XGROUP CREATECONSUMER q g w")) == XGroupCreateConsumer(queue, "g", "w")
    assert parse(split("xgroup delconsumer q g w")) == XGroupDelConsumer(queue, "g", "w")
    assert parse(split("XGROUP destroy q g")) == XGroupDestroy(queue, "g")
    assert parse(split("XGROUP HELP")) == XGroupHelp()
