"""Ordered keys: the same as a sorted list, whatever comes and goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.queue import ordered
from ezra.sansio.queue.ordered import Ordered

KEYS = st.integers(0, 60)


@given(st.lists(KEYS, max_size=200), st.integers(2, 9), KEYS)
def test_it_is_a_sorted_list(toggled: list[int], most: int, start: int) -> None:
    """Length, ends and both directions from any key on; each key comes, goes and comes again."""
    with small_pieces(most):
        keys, model = Ordered[int](), set[int]()
        for key in toggled:
            keys.move(key if key in model else None, None if key in model else key)
            model ^= {key}
        expected = sorted(model)
        assert list(keys.ascending()) == expected
        assert len(keys) == len(expected)
        assert (keys.first(), keys.last()) == (min(model, default=None), max(model, default=None))
        assert list(keys.ascending(start)) == [key for key in expected if key >= start]
        assert list(keys.descending(start)) == [key for key in expected[::-1] if key <= start]
        assert all(0 < len(piece) <= most for piece in keys._pieces)


@given(st.sets(KEYS), st.sets(KEYS), st.sets(KEYS))
def test_keys_may_come_and_go_while_somebody_goes_through_them(
    before: set[int], going: set[int], coming: set[int]
) -> None:
    """What is ahead and stays is seen, once and in order."""
    with small_pieces(3):
        keys = Ordered[int]()
        for key in before:
            keys.add(key)
        seen = []
        for key in keys.ascending():
            seen.append(key)
            if key in going:
                keys.remove(key)
            for new in coming - set(keys.ascending()) - set(seen):
                keys.add(new)
        assert seen == sorted(set(seen))
        assert before <= set(seen)


def test_a_key_that_stays_is_not_touched() -> None:
    """To move a key to where it is, or nothing to nowhere, changes nothing."""
    keys = Ordered[int]()
    keys.move(None, None)
    assert list(keys.ascending()) == []
    keys.move(None, 7)
    keys.move(7, 7)
    assert list(keys.ascending()) == [7]
    keys.move(7, 8)
    assert list(keys.descending(9)) == [8]


class small_pieces:  # noqa: N801 - reads as a statement, as the standard library's own do
    """Within this, pieces are so short that a few keys fill several."""

    def __init__(self, most: int) -> None:
        self.most = most

    def __enter__(self) -> None:
        self.before = ordered.MOST
        ordered.MOST = self.most

    def __exit__(self, *_: object) -> None:
        ordered.MOST = self.before
