"""The ranking: keys in the order of their ranks, at the price that it promises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.queue.ranking import SLACK, Ranking

steps = st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 5)), max_size=60)


@given(steps)
def test_it_agrees_with_a_dict_that_is_sorted_each_time(
    steps: list[tuple[int, int | None]],
) -> None:
    """After any placements the first key and its rank are those of a plain sort."""
    ranking, plain = Ranking[int](), dict[int, int]()
    for key, rank in steps:
        ranking.place(key, rank)
        plain.pop(key, None)
        if rank is not None:
            plain[key] = rank
        ordered = sorted(plain, key=lambda key: (plain[key], key))
        assert len(ranking) == len(plain)
        assert ranking.first() == (ordered[0] if ordered else None)
        assert ranking.first_rank() == (plain[ordered[0]] if ordered else None)


@given(steps, st.integers(0, 5))
def test_taking_up_to_a_limit_takes_exactly_those(
    steps: list[tuple[int, int | None]], limit: int
) -> None:
    """What is yielded is what ranks up to the limit, in order; the rest stays."""
    ranking, plain = Ranking[int](), dict[int, int | None]()
    for key, rank in steps:
        ranking.place(key, rank)
        plain[key] = rank
    ordered = sorted((rank, key) for key, rank in plain.items() if rank is not None)
    assert list(ranking.take_up_to(limit)) == [key for rank, key in ordered if rank <= limit]
    rest = [key for rank, key in ordered if rank > limit]
    assert list(ranking.take_up_to(99)) == rest


@pytest.mark.parametrize("last", [None, 0])
def test_memory_follows_the_live_keys(last: int | None) -> None:
    """A key placed ten thousand times, or ten thousand keys taken out, leave no heap behind."""
    ranking = Ranking[int]()
    for rank in range(10_000):
        ranking.place(1, rank)
    for key in range(2, 10_000):
        ranking.place(key, 1)
    for key in range(1, 10_000):
        ranking.place(key, last if key == 1 else None)
    assert len(ranking._heap) <= 2 * len(ranking) + SLACK
    assert ranking.first() == (None if last is None else 1)
