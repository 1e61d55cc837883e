"""Who has been seen in which group: bounded, forgetful, and part of no transaction that failed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.model import WorkerInfo
from ezra.sansio.queue.journal import Journal
from ezra.sansio.queue.roster import MOST_KNOWN, Roster

KEYS = st.tuples(*[st.sampled_from("ab")] * 3)
VISITS = st.lists(st.tuples(KEYS, st.booleans()), max_size=30)


def everybody(roster: Roster) -> list[object]:
    """Return all that can be asked of a roster over the names that the tests use."""
    return [
        (queue, group, tuple(roster.workers(queue, group, {}))) for queue in "ab" for group in "ab"
    ]


def known(roster: Roster) -> list[int]:
    """Return how many are known in the groups a and b of the queue a, and in a of b."""
    places = (("a", "a"), ("a", "b"), ("b", "a"))
    return [roster.count(queue, group, ()) for queue, group in places]


def test_a_worker_is_seen_and_active() -> None:
    """Seen at each visit; active at the last one that gave it something."""
    roster = Roster(Journal())
    roster.see("q", "g", "ann", 1)
    roster.see("q", "g", "bob", 2, active=True)
    roster.see("q", "g", "bob", 3)
    assert tuple(roster.workers("q", "g", {"zoe": 2, "bob": 1})) == (
        WorkerInfo("ann", 0, 1, None),
        WorkerInfo("bob", 1, 3, 2),
        WorkerInfo("zoe", 2, None, None),
    )
    assert not list(roster.workers("q", "h", {}))
    assert roster.knows("q", "g", "ann")
    assert not roster.knows("q", "h", "ann")


@given(VISITS, st.integers(1, 8))
def test_it_is_bounded_and_forgets_who_was_not_seen_for_longest(
    visits: list[tuple[tuple[str, str, str], bool]], most: int
) -> None:
    """As many as it may, those seen last; in every place where somebody is noted."""
    roster = Roster(Journal(), most)
    last: dict[tuple[str, str, str], int] = {}
    for now, (key, active) in enumerate(visits):
        roster.see(*key, now, active=active)
        last.pop(key, None)
        last[key] = now
    latest = list(last)[-most:]
    assert len(roster) == len(latest)
    seen = [
        ((queue, group, worker.name), worker.seen_at)
        for queue in "ab"
        for group in "ab"
        for worker in roster.workers(queue, group, {})
    ]
    assert sorted(seen) == sorted((key, last[key]) for key in latest)


def test_ten_thousand_are_remembered() -> None:
    """The bound itself."""
    roster = Roster(Journal())
    for now in range(MOST_KNOWN + 5):
        roster.see("q", "g", str(now), now)
    assert len(roster) == MOST_KNOWN
    assert not roster.knows("q", "g", "4")
    assert roster.knows("q", "g", "5")


def test_forgetting() -> None:
    """A worker, a group or a queue at a time; the unknown are ignored; a start forgets all."""
    roster = Roster(Journal())
    for queue, group, worker in ("aaa", "aab", "aba", "baa"):
        roster.see(queue, group, worker, 1)
    roster.forget_worker("a", "a", "a")
    roster.forget_worker("a", "a", "a")
    assert known(roster) == [1, 1, 1]
    roster.forget_group("a", "b")
    roster.forget_group("x", "b")
    assert known(roster) == [1, 0, 1]
    roster.forget_queue("a")
    roster.forget_queue("x")
    assert len(roster) == 1
    roster.clear()
    assert len(roster) == 0
    assert not list(roster.workers("b", "a", {}))
    assert roster._groups == {}


@given(VISITS, VISITS, st.integers(1, 8), KEYS)
def test_a_roll_back_forgets_what_was_seen_in_between(
    before: list[tuple[tuple[str, str, str], bool]],
    inside: list[tuple[tuple[str, str, str], bool]],
    most: int,
    gone: tuple[str, str, str],
) -> None:
    """And remembers what was forgotten."""
    journal = Journal()
    roster = Roster(journal, most)
    for now, (key, active) in enumerate(before):
        roster.see(*key, now, active=active)
    before_it = everybody(roster)

    def undone() -> None:
        with journal.transaction():
            for now, (key, active) in enumerate(inside):
                roster.see(*key, 100 + now, active=active)
            roster.forget_worker(*gone)
            roster.forget_group("a", "a")
            roster.forget_queue("b")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        undone()
    assert everybody(roster) == before_it
