"""Laws of `ezra.sansio.commands.queues`: how EZRA.QUEUE and XCFGSET are read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands import QueueGet, QueueList, QueueSet, XCfgSet, parse
from ezra.sansio.model import Address, QueueSettings
from tests.property.wire import split

PAIRS = {
    "visibility_timeout 1.5": ("visibility_timeout", 1_500_000),
    "max_attempts 5": ("max_attempts", 5),
    "retry_delay 0": ("retry_delay", 0),
    "dedup_window 60": ("dedup_window", 60_000_000),
    "dedup_limit 10000": ("dedup_limit", 10_000),
}


@given(st.permutations(sorted(PAIRS)), st.integers(1, 5))
def test_settings_stand_in_any_order(pairs: list[str], count: int) -> None:
    """Any of the settings may be changed in one command, in the order given."""
    command = parse(split("ezra.queue set q " + " ".join(pairs[:count])))
    assert command == QueueSet("q", tuple(PAIRS[pair] for pair in pairs[:count]))


def test_default_gives_a_setting_back() -> None:
    """The value `default` leaves the setting to the server; names and it come in any case."""
    command = parse(split("EZRA.QUEUE SET q Max_Attempts DEFAULT retry_delay default"))
    assert command == QueueSet("q", (("max_attempts", None), ("retry_delay", None)))


def test_every_setting_can_be_set() -> None:
    """The names are those of `QueueSettings`, so a driver may pass them on."""
    for name in QueueSettings.__slots__:
        assert parse(split(f"EZRA.QUEUE SET q {name} 1"))


def test_looking() -> None:
    """LIST takes nothing, GET one queue."""
    assert parse(split("ezra.queue list")) == QueueList()
    assert parse(split("Ezra.Queue Get q")) == QueueGet("q")


def test_redis_words_for_two_of_the_settings() -> None:
    """XCFGSET takes either of them or both; of one given twice the last holds."""
    window, limit = ("dedup_window", 86_400_000_000), ("dedup_limit", 10_000)
    queue = Address("q")
    assert parse(split("xcfgset q IDMP-DURATION 86400")) == XCfgSet(queue, (window,))
    assert parse(split("XCFGSET q idmp-maxsize 1 IDMP-MAXSIZE 10000")) == XCfgSet(queue, (limit,))
    both = parse(split("XCFGSET q IDMP-DURATION 86400 IDMP-MAXSIZE 10000"))
    assert both == XCfgSet(queue, (window, limit))
