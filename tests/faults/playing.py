"""Play a scenario of threads under one schedule, or under every schedule of a kind."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from tests.faults.scheduler import Scheduler

Scenario = Callable[[Scheduler], None]
"""Starts threads, and raises when what they came to is wrong."""

Played = tuple[Scenario, tuple[str, ...]]
"""A scenario, and in which files every line of it is a point of decision."""


class Found(AssertionError):
    """A schedule came to a fault; the text names its seed."""


SEEDS = 3
"""Seeds under which a sweep tries each moment."""


def sweep(scenario: Scenario, traced: tuple[str, ...], name: str, threads: int, most: int) -> int:
    """Hold up each of a scenario's first threads once, at each of its first decisions.

    Whatever takes one change of threads at the wrong moment is found that way. Who is woken first
    goes by the seed, so each moment is tried under some of them.

    Args:
        scenario: what is played, so often as there are decisions.
        traced: as of a `Scheduler`.
        name: for the report.
        threads: how many; the scenario's own thread does not count.
        most: decisions of each that are tried.

    Returns:
        How many schedules there were.

    Raises:
        Found: a schedule came to a fault.
    """
    ambushes = itertools.product(range(1, threads + 1), range(1, most + 1))
    schedules = list(itertools.product(ambushes, range(SEEDS)))
    for ambush, seed in schedules:
        play(scenario, seed, traced, name, ambush)
    return len(schedules)


def play(
    scenario: Scenario,
    seed: int,
    traced: tuple[str, ...],
    name: str,
    ambush: tuple[int, int] | None = None,
) -> Scheduler:
    """Play one schedule and return its scheduler.

    Raises:
        Found: it came to a fault.
    """
    scheduler = Scheduler(seed, traced, ambush)
    try:
        scheduler.run(lambda: scenario(scheduler))
    except Exception as error:
        where = f"seed {seed}, ambush {ambush}" if ambush else f"seed {seed}"
        raise Found(f"{name}, {where}: {error!r}\n{error}") from error
    return scheduler
