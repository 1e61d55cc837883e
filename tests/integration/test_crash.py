"""kill -9, and processes that stand still, in the middle of a load: nothing is lost.

Short versions of the campaigns in `tests/faults/crashes.py`, which say how it is judged.
"""

from __future__ import annotations

from tests.faults import crashes


def test_kill_9_of_the_server_loses_nothing() -> None:
    """Again and again, also while it starts; all the work is done in the end, each task once."""
    tally = crashes.kill(lambda one: one.faults >= 6, seed=1)
    assert tally.faults >= 6
    assert tally.operations > 100


def test_kill_9_of_workers_and_processes_that_stand_still_disturb_nobody() -> None:
    """What a dead worker held comes to another; one that wakes up late holds nothing any more."""
    tally = crashes.stop(lambda one: one.faults >= 4, seed=1)
    assert tally.faults >= 4
    assert tally.operations > 100
