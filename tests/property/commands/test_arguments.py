"""Laws of `ezra.sansio.commands.arguments`."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands.arguments import (
    MAX_SECONDS,
    Bytes,
    Seconds,
    Whole,
    Words,
    address,
    counted_ids,
    id_after,
    idle_time,
    integer,
    interval,
    queue_name,
    start_id,
    task_id,
    text,
)
from ezra.sansio.errors import CommandError
from ezra.sansio.model import (
    MAX_ID,
    MAX_SEQUENCE,
    NO_ID,
    SECOND,
    Address,
    pack_id,
    wire_id,
)
from tests.property.wire import UNICODE

HALVES = st.integers(0, 2**64 - 1)


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_come_back(number: int) -> None:
    """Every 64-bit number, as Python writes it, is read as itself."""
    assert integer(b"%d" % number) == number


@given(st.binary(max_size=22) | st.text("0123456789+-_. eE", max_size=22).map(str.encode))
def test_numbers_are_strict(word: bytes) -> None:
    """What is read as a number is written just so; anything else is the error."""
    try:
        number = integer(word)
    except CommandError:
        canonical = word.isdigit() and str(int(word)).encode() == word
        assert not (canonical and int(word) < 2**63)
    else:
        assert b"%d" % number == word


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**19])
def test_integers_have_64_bits(number: int) -> None:
    """A number beyond 64 bits is out of range."""
    with pytest.raises(CommandError, match="not an integer or out of range"):
        integer(b"%d" % number)


@given(st.decimals(0, MAX_SECONDS, allow_nan=False, places=6))
def test_seconds_become_microseconds(seconds: Decimal) -> None:
    """Seconds with up to six decimals are exact in microseconds, at any size."""
    assert Seconds("x").parse(f"{seconds:f}".encode()) == int(seconds * SECOND)


@given(st.integers(0, 10**6), st.text("0123456789", min_size=1, max_size=30))
def test_finer_digits_are_cut_off(whole: int, digits: str) -> None:
    """What is below a microsecond is dropped, never rounded up."""
    expected = whole * SECOND + int(digits[:6].ljust(6, "0"))
    assert Seconds("x").parse(f"{whole}.{digits}".encode()) == expected


@given(st.integers(-50, 50))
def test_bounds_are_inclusive(number: int) -> None:
    """A whole number and a number of seconds may be its own bound, and nothing beyond."""
    for parser, unit in ((Whole("x", -7, 9), 1), (Seconds("x", 3 * SECOND, 9 * SECOND), SECOND)):
        word = b"%d" % number
        if parser.least <= number * unit <= parser.most:
            assert parser.parse(word) == number * unit
        else:
            with pytest.raises(CommandError, match="ERR invalid x: expected"):
                parser.parse(word)


@given(st.integers(0, 9), st.integers(0, 9), st.binary(max_size=10))
def test_bytes_have_a_length(least: int, more: int, word: bytes) -> None:
    """Any bytes within the bounds are taken as they are; others are an error that tells them."""
    parser = Bytes("x", least, least + more)
    if least <= len(word) <= least + more:
        assert parser.parse(word) == word
    else:
        with pytest.raises(
            CommandError, match=f"ERR invalid x: expected {least} to {least + more}"
        ):
            parser.parse(word)


@given(st.integers(-(2**63), 2**63 - 1))
def test_idle_times_are_bounded(number: int) -> None:
    """Milliseconds become microseconds; below 0 is 0, and a hundred years are the most."""
    idle = idle_time(b"%d" % number, "ERR no")
    assert idle == sorted((0, number * 1_000, MAX_SECONDS * SECOND))[1]
    with pytest.raises(CommandError, match="ERR no"):
        idle_time(b"x", "ERR no")


@given(st.integers(0, MAX_ID))
def test_ids_come_back(packed: int) -> None:
    """Every id that a task can have is read as it is written."""
    word = wire_id(packed).encode()
    assert task_id(word) == packed == id_after(word)


@given(HALVES, HALVES)
def test_ids_that_no_task_has(milliseconds: int, sequence: int) -> None:
    """Any 64-bit halves are a well-formed id; one that cannot be stored finds no task.

    As a place to start from it stands for the highest id below it.
    """
    word = b"%d-%d" % (milliseconds, sequence)
    packed = task_id(word)
    assert packed == pack_id(milliseconds, sequence)
    after = id_after(word)
    assert packed in (after, NO_ID)
    assert divmod(after, MAX_SEQUENCE + 1) <= (milliseconds, sequence)


@given(st.integers(0, 2**43 - 1))
def test_an_id_without_sequence_has_sequence_0(milliseconds: int) -> None:
    """`<ms>` is `<ms>-0`."""
    assert task_id(b"%d" % milliseconds) == task_id(b"%d-0" % milliseconds)


def _written(halves: tuple[int, int], *, whole: bool, exclusive: bool) -> bytes:
    word = b"%d-%d" % halves if whole else b"%d" % halves[0]
    return b"(" * exclusive + word


# Halves around the bounds of what a task can have, and far beyond.
_MILLISECONDS = st.sampled_from([0, 1, 2, 2**43 - 1, 2**43, 2**64 - 1])
_SEQUENCES = st.sampled_from([0, 1, MAX_SEQUENCE - 1, MAX_SEQUENCE, MAX_SEQUENCE + 1, 2**64 - 1])
_ENDS = st.tuples(st.tuples(_MILLISECONDS, _SEQUENCES), st.booleans(), st.booleans())


@given(_ENDS, _ENDS, st.tuples(st.sampled_from([0, 1, 2, 2**43 - 1]), st.integers(0, 2)))
def test_an_interval_holds_exactly_what_is_between_its_ends(
    start: tuple[tuple[int, int], bool, bool],
    end: tuple[tuple[int, int], bool, bool],
    place: tuple[int, int],
) -> None:
    """As Redis has it: an incomplete id is the first or the last of its millisecond."""
    (from_, whole, open_), (to, to_whole, to_open) = start, end
    low = (from_ if whole else (from_[0], 0), open_)
    high = (to if to_whole else (to[0], 2**64 - 1), to_open)
    words = (
        _written(from_, whole=whole, exclusive=open_),
        _written(to, whole=to_whole, exclusive=to_open),
    )
    if low == ((2**64 - 1,) * 2, True) or high == ((0, 0), True):
        with pytest.raises(CommandError, match=r"ERR invalid (start|end) ID for the interval"):
            interval(*words)
        return
    first, last = interval(*words)
    assert 0 <= first <= MAX_ID
    assert 0 <= last <= MAX_ID
    # A task at the lowest, the middle and the highest sequence of some millisecond.
    task = (place[0], (0, 1, MAX_SEQUENCE)[place[1]])
    inside = (low[0] < task or (low[0] == task and not low[1])) and (
        task < high[0] or (task == high[0] and not high[1])
    )
    assert (first <= pack_id(*task) <= last) == inside
    assert start_id(words[0]) == first or first > last


def test_the_ends_of_everything() -> None:
    """`-` and `+` are the ends, on either side; beyond all ids there is nothing."""
    assert interval(b"-", b"+") == (0, MAX_ID)
    first, last = interval(b"+", b"-")
    assert first > last
    assert start_id(b"-") == 0
    assert start_id(b"+") == MAX_ID
    first, last = interval(b"18446744073709551615", b"+")
    assert first > last


@pytest.mark.parametrize("word", [b"(-", b"(+", b"(", b"", b"((1", b"1-", b"-1", b"$", b"1-*"])
def test_what_is_no_end_of_an_interval(word: bytes) -> None:
    """Anything else is not an id."""
    for ends in ((word, b"+"), (b"-", word)):
        with pytest.raises(CommandError, match="ERR Invalid stream ID"):
            interval(*ends)


def test_counted_ids() -> None:
    """As many as announced, and no more are taken."""
    words = Words([b"2", b"1-5", b"99999999999999-0", b"KEEPREF"])
    assert counted_ids(words) == (1 << 20 | 5, NO_ID)
    assert words.left == 1


@given(st.text(UNICODE, min_size=1, max_size=128).filter(lambda name: "::" not in name))
def test_addresses_come_back(queue: str) -> None:
    """A queue and its dead-letter queue are told apart by the end of their names alone."""
    assert address(queue.encode()) == Address(queue)
    dead = Address(queue, dead=True)
    assert address(dead.name.encode()) == dead
    assert queue_name(queue.encode()) == queue


def test_dead_elsewhere_is_part_of_the_name() -> None:
    """Only at the end is `::dead` reserved."""
    assert address(b"a::dead::b") == Address("a::dead::b")
    assert address(b"a::DEAD") == Address("a::DEAD")
    assert address(b"a:dead") == Address("a:dead")


@given(st.text(UNICODE, max_size=100))
def test_texts_come_back(word: str) -> None:
    """Any UTF-8 is a text, the empty one too."""
    assert text("x", word.encode()) == word


def test_the_cursor_moves_on() -> None:
    """Words are taken one by one, some by name, the rest together; past the end is an error."""
    words = Words([b"a", b"~", b"c", b"d"])
    assert words.take() == b"a"
    assert not words.take_if(b"=", b"A")
    assert words.take_if(b"=", b"~")
    assert words.left == 2
    assert words.take_many(2) == [b"c", b"d"]
    assert not words.take_if(b"E")
    with pytest.raises(CommandError, match="syntax error"):
        words.take()
