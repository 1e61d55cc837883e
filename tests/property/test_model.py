"""Laws of `ezra.sansio.model`: what ids are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.model import (
    MAX_ID,
    MAX_SEQUENCE,
    MILLISECOND,
    NO_ID,
    SEQUENCE_BITS,
    Address,
    next_id,
    pack_id,
    wire_id,
)

IDS = st.integers(0, MAX_ID)
HALVES = st.integers(0, 2**64 - 1)


@given(IDS)
def test_an_id_is_its_two_halves(task_id: int) -> None:
    """Packing the halves that the wire shows gives the id again."""
    milliseconds, sequence = wire_id(task_id).split("-")
    assert pack_id(int(milliseconds), int(sequence)) == task_id


@given(HALVES, HALVES)
def test_halves_that_do_not_fit_are_no_id(milliseconds: int, sequence: int) -> None:
    """Whatever else comes out of packing is an id that can be stored."""
    packed = pack_id(milliseconds, sequence)
    fits = sequence <= MAX_SEQUENCE and milliseconds <= MAX_ID >> SEQUENCE_BITS
    assert (packed != NO_ID) == fits
    assert not fits or 0 <= packed <= MAX_ID


@given(IDS, IDS)
def test_ids_come_in_the_order_of_their_halves(one: int, other: int) -> None:
    """Comparing packed ids is comparing what the wire shows, half by half."""

    def halves(task_id: int) -> list[int]:
        return [int(half) for half in wire_id(task_id).split("-")]

    assert (one < other) == (halves(one) < halves(other))


@given(st.integers(0, 2**60), st.lists(st.integers(0, 2**61), max_size=9))
def test_ids_grow_whatever_the_clock_says(last: int, moments: list[int]) -> None:
    """Each is above the one before it, and never behind the clock."""
    for now in moments:
        given_out = next_id(last, now)
        assert given_out > last
        assert given_out >> SEQUENCE_BITS >= now // MILLISECOND
        last = given_out


def test_a_dead_letter_queue_is_named_after_its_queue() -> None:
    """As the client writes it."""
    assert (Address("q").name, Address("q", dead=True).name) == ("q", "q::dead")
