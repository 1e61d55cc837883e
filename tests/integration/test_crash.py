"""kill -9, and processes that stand still, in the middle of a load: nothing is lost.

Short versions of the campaigns in `tests/faults/crashes.py`, which say how it is judged.
"""

from __future__ import annotations

from tests.faults import crashes


def harmed(harm: crashes.Harm, *, faults: int, aftermath: int) -> None:
    """Do so much harm, then let everything be done, and judge what was seen."""
    with crashes.world(seed=1) as world:
        while world.faults < faults:
            harm(world)
        world.finish(aftermath)
        assert len(world.notes.records) > 50


def test_kill_9_of_the_server_loses_nothing() -> None:
    """Again and again, also while it starts; all the work is done in the end, each task once."""
    harmed(crashes.kill, faults=4, aftermath=0)


def test_kill_9_of_workers_and_processes_that_stand_still_disturb_nobody() -> None:
    """What a dead worker held comes to another; one that wakes up late holds nothing any more."""
    harmed(crashes.stop, faults=3, aftermath=crashes.AFTERMATH)
