"""Laws of `ezra.sansio.commands.claims`: how XREADGROUP is read, and what it hands out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands import MAX_CLAIM, MAX_SOURCES, XReadGroup, parse
from ezra.sansio.errors import CommandError
from ezra.sansio.model import FOREVER, MAX_ID, MILLISECOND, Address, Delivery
from tests.property.commands.books import DELIVERY, FIVE, FOREIGN, IDLE_TASK, NEW_TASK, TASK
from tests.property.wire import split

Q, R = Address("q"), Address("r")
PLAIN = XReadGroup("g", "w", ((Q, None),))


def _read(options: str, streams: str = "q >") -> XReadGroup:
    command = parse(split(f"XREADGROUP GROUP g w {options} STREAMS {streams}"))
    assert isinstance(command, XReadGroup)
    return command


@given(
    st.permutations(["GROUP g w", "COUNT 7", "BLOCK 1500", "NOACK", "claim 5"]),
    st.sampled_from([str, str.lower, str.title]),
)
def test_options_stand_in_any_order(options: list[str], case: type[str]) -> None:
    """Options come in any order and case, as GLIDE sends BLOCK before COUNT."""
    line = " ".join(options).replace("GROUP", case("GROUP")).replace("COUNT", case("COUNT"))
    line = line.replace("BLOCK", case("BLOCK")).replace("NOACK", case("NOACK"))
    command = parse(split(f"{case('XREADGROUP')} {line} {case('STREAMS')} q r > >"))
    sources = ((Q, None), (R, None))
    expected = XReadGroup("g", "w", sources, 7, 1_500 * MILLISECOND, no_ack=True, min_idle=5_000)
    assert command == expected


def test_the_defaults() -> None:
    """One task, at once or not at all."""
    assert _read("") == PLAIN
    assert (PLAIN.count, PLAIN.block, PLAIN.no_ack) == (1, None, False)


@pytest.mark.parametrize(
    ("count", "expected"),
    [("1", 1), ("10", 10), ("0", MAX_CLAIM), ("-1", MAX_CLAIM), (str(2**62), MAX_CLAIM)],
)
def test_count(count: str, expected: int) -> None:
    """COUNT 0 or less means no limit, which is MAX_CLAIM; so does more than that."""
    assert _read(f"COUNT {count}").count == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("MAXCOUNT 3", 3),
        ("MAXCOUNT 3 COUNT 5", 3),
        ("count 2 maxcount 9", 2),
        ("COUNT 5 MAXCOUNT 0", 5),
        ("MAXCOUNT -1", MAX_CLAIM),
    ],
)
def test_maxcount(options: str, expected: int) -> None:
    """Both bound the whole reply here, so the lower one holds."""
    assert _read(options).count == expected


@pytest.mark.parametrize(
    ("word", "expected"), [("0", 0), ("1", 1_000), (str(2**63 - 1), 3_153_600_000_000_000)]
)
def test_claiming_idle_tasks(word: str, expected: int) -> None:
    """CLAIM is milliseconds, at most a hundred years."""
    assert _read(f"CLAIM {word}").min_idle == expected
    assert _read("").min_idle is None


@pytest.mark.parametrize(
    ("streams", "expected"),
    [("q 0", MAX_CLAIM), ("q r 0 5-1", MAX_CLAIM), ("q r 0 >", 1), ("q r > 0", 1), ("q >", 1)],
)
def test_without_count_ones_own_tasks_come_whole(streams: str, expected: int) -> None:
    """Only a command that claims has a COUNT of 1 by default; a COUNT that is given counts."""
    assert _read("", streams).count == expected
    assert _read("COUNT 1", streams).count == 1


def test_the_sources_are_bounded() -> None:
    """A thousand queues may be named, and no more."""

    def naming(count: int) -> XReadGroup:
        return _read("", " ".join(["q"] * count + [">"] * count))

    assert len(naming(MAX_SOURCES).sources) == MAX_SOURCES == 1_000
    with pytest.raises(CommandError, match=r"ERR invalid queues: .* at most 1000$"):
        naming(MAX_SOURCES + 1)


@pytest.mark.parametrize(
    ("block", "expected"),
    [("0", FOREVER), ("1", 1_000), ("3153600000000", 3_153_600_000_000_000), (str(2**62), FOREVER)],
)
def test_block(block: str, expected: int) -> None:
    """BLOCK is milliseconds; 0 waits for ever, and so does more than a hundred years."""
    command = _read(f"BLOCK {block}")
    assert command.block == expected
    assert command.barrier


def test_without_block_nothing_is_held_up() -> None:
    """A claim that does not wait is no barrier."""
    assert not PLAIN.barrier


@pytest.mark.parametrize(
    ("word", "after"), [("0", 0), ("0-0", 0), ("1-5", FIVE), (str(2**64 - 1), MAX_ID)]
)
def test_rereading_never_waits(word: str, after: int) -> None:
    """An id reads the worker's own tasks after it, and BLOCK is ignored."""
    command = _read("BLOCK 0", f"q r {word} >")
    assert command.sources == ((Q, after), (R, None))
    assert command.rereads == ((Q, after),)
    assert command.claims == (R,)
    assert command.block is None


def test_a_name_with_meaning_elsewhere_is_a_name() -> None:
    """Group, worker and queue may be called like an option."""
    command = parse(split("XREADGROUP GROUP STREAMS COUNT STREAMS STREAMS >"))
    assert command == XReadGroup("STREAMS", "COUNT", ((Address("STREAMS"), None),))


def test_what_is_handed_out() -> None:
    """What was claimed with this reply is at stake with it; NOACK and one's own tasks are not."""
    assert PLAIN.handed_out(DELIVERY) == DELIVERY
    assert PLAIN.handed_out(()) == ()
    assert replace(PLAIN, no_ack=True).handed_out(DELIVERY) == ()
    own, new = Delivery(Q, (TASK,)), Delivery(R, (FOREIGN,))
    assert _read("", "q r 0 >").handed_out((own, new)) == (new,)
    new = Delivery(Q, (FOREIGN,))
    assert _read("", "q q 0 >").handed_out((own, new)) == (new,)
    assert _read("", "q q > 0").handed_out((own, new)) == (new,)


def test_what_was_taken_over_is_not_at_stake() -> None:
    """Only what is new with this reply is released with it: the rest was with a worker before."""
    claim = replace(PLAIN, min_idle=5_000)
    given_out = (Delivery(Q, (IDLE_TASK, NEW_TASK)), Delivery(R, (IDLE_TASK,)))
    assert claim.handed_out(given_out) == (Delivery(Q, (NEW_TASK,)), Delivery(R, ()))
    assert replace(claim, no_ack=True).handed_out(given_out) == ()
