"""A checker that says whether a task queue can have been as its clients saw it.

A history is what the clients noted (`tests/faults/records.py`). Of the server's own moment for a
command it tells only that it lies between the sending and the answer's arrival, so everything is
judged conservatively: what is reported cannot have happened at any such moments.

It takes time linear in the history, but for sorting: the records are dealt out into one `Story` for
each task, each story is judged by itself (`tests/faults/stories.py`), and then what concerns all
tasks together: the order of their ids, and whose turn it was (`tests/faults/orders.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.faults import orders, stories
from tests.faults.records import Claim, Record, Remnant, Rules, Violation

SHOWN = 20
"""Violations printed at most."""


def check(
    history: Iterable[Record], remnants: Iterable[Remnant] | None, rules: Rules
) -> list[Violation]:
    """Return everything in the history that no task queue can have done; nothing if it is legal.

    Args:
        history: the records of all clients, in any order.
        remnants: what was found in the queues, the dead-letter queues included, when the history
            was over; None if nobody looked, so that nothing can be missed.
        rules: what the queue was told.
    """
    records = list(history)
    claims = [record for record in records if isinstance(record, Claim)]
    unseen = stories.Unseen(claims, rules.aftermath)
    book = stories.Book(records, remnants, rules)
    return [
        *book.misfits,
        *stories.judge(book, unseen, rules),
        *orders.judge_ids(book),
        *orders.judge_turns(book, claims, unseen),
    ]


def assert_legal(
    history: Iterable[Record], remnants: Iterable[Remnant] | None, rules: Rules
) -> None:
    """Raise AssertionError with the first few things that cannot have been."""
    found = check(history, remnants, rules)
    shown = "\n".join(map(str, found[:SHOWN]))
    assert not found, f"{len(found)} violations\n{shown}"
