"""Thread races: the scheduler finds what was planted, and finds nothing in the engine."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterable
from functools import partial
from types import ModuleType

import pytest

from tests.faults import playing, races
from tests.faults.planted_races import PLANTED, deadly_embrace, find
from tests.faults.scheduler import ROOT, Scheduler, Stuck
from tests.faults.stand_in import StandIn, concerned

SEEDS = range(200)
"""More than each planted race takes by far."""

EXPLORED = range(1000, 1020)
"""Seeds for each scenario of the engine; `make soak` plays thousands, others each time."""

BRIEF = "looks for the error first"
"""Open for one line in a thousand, and only if a whole commit passes meanwhile."""


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", [name for name in PLANTED if name != BRIEF])
def test_a_planted_race_is_found(name: str) -> None:
    """A scheduler that misses these could not be believed when it finds nothing."""
    assert find(name, SEEDS)


def test_a_race_of_one_line_is_found_by_a_sweep() -> None:
    """Holding up each thread at each of its decisions leaves no such moment out."""
    scenario, traced = PLANTED[BRIEF]
    with pytest.raises(playing.Found):
        playing.sweep(scenario, traced, BRIEF, threads=2, most=30)


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", races.SCENARIOS)
def test_the_engine_has_no_race(name: str) -> None:
    """Whatever the schedule: none lost, none with two workers, and everybody is answered."""
    assert races.explore(name, EXPLORED) == len(EXPLORED)


def test_a_failing_commit_reaches_who_is_parked_at_any_moment() -> None:
    """No task of a COMMIT that failed is ever handed out, wherever its worker stands just then."""
    scenario, traced = races.SCENARIOS["failing_line"]
    played = playing.sweep(scenario, traced, "failing_line", threads=2, most=30)
    assert played == 2 * 30 * playing.SEEDS


# -- The scheduler itself --------------------------------------------------------------------------

REPLAYED = "working, sqlite"


def digest_of(seed: int) -> tuple[int, int, int]:
    """Return what tells one schedule from another."""
    scenario, traced = races.SCENARIOS[REPLAYED]
    scheduler = playing.play(scenario, seed, traced, REPLAYED)
    return scheduler.decisions, scheduler.switches, scheduler.digest


def test_a_seed_replays_exactly() -> None:
    """Every decision is the same again, in another process, too, however that hashes."""
    here = digest_of(7)
    assert digest_of(7) == here
    assert digest_of(8) != here
    ask = "from tests.integration.test_races import digest_of; print(digest_of(7))"
    variables = {"PYTHONHASHSEED": "1"}
    there = subprocess.check_output([sys.executable, "-c", ask], cwd=ROOT, env=variables, text=True)
    assert there.strip() == str(here)


def embrace_under(seeds: Iterable[int]) -> None:
    """Play two locks in two orders under each of the seeds."""
    traced = PLANTED["two locks in two orders"][1]
    for seed in seeds:
        scheduler = Scheduler(seed, traced)
        scheduler.run(partial(deadly_embrace, scheduler))


def test_a_deadlock_is_reported_with_where_each_stands() -> None:
    """Two locks taken in two orders: the report names both threads and their lines."""
    with pytest.raises(Stuck) as caught:
        embrace_under(SEEDS)
    text = str(caught.value)
    assert "a deadlock" in text
    for name, line in (("forwards 0", "with one, other:"), ("backwards 1", "with other, one:")):
        assert f"{name}: a lock that " in text
        assert line in text


def test_a_schedule_that_fails_ends_all_its_threads() -> None:
    """The error of one unwinds the others, and is what `run` raises."""

    def scenario(scheduler: Scheduler) -> None:
        event = StandIn(scheduler).Event()
        scheduler.spawn("waits for ever", event.wait)
        raise LookupError

    scheduler = Scheduler(0)
    with pytest.raises(LookupError):
        scheduler.run(lambda: scenario(scheduler))
    assert not [runner for runner in scheduler._runners if runner.thread.is_alive()]


def test_no_lock_of_the_engine_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that takes a lock's class out of `threading` is refused, with what to do."""
    names = {module.__name__ for module in concerned()}
    assert {"ezra.threaded.sqlite.commit", "ezra.threaded.handler", "ezra.threaded.clock"} <= names
    escaping = ModuleType("ezra.escaping")
    escaping.Condition = threading.Condition  # type: ignore[attr-defined]  # as an import would
    monkeypatch.setitem(sys.modules, "ezra.escaping", escaping)
    with pytest.raises(TypeError, match=r"ezra\.escaping\.Condition escapes"):
        list(concerned())


def behave(threads: ModuleType | StandIn) -> None:
    """Assert what EZRA relies on, of the real module or of what stands in for it."""
    lock = threads.Lock()
    assert lock.acquire()
    assert not lock.acquire(blocking=False)
    assert not lock.acquire(timeout=0.001)
    assert lock.locked()
    lock.release()
    with pytest.raises(RuntimeError):
        lock.release()
    condition = threads.Condition()
    with pytest.raises(RuntimeError):
        condition.notify()
    with condition, condition:
        assert not condition.wait(0.001)
        assert not condition.wait_for(list, 0.001)
    event, seen = threads.Event(), []

    def wait() -> None:
        event.wait()
        with condition:
            seen.append(event.is_set())
            condition.notify_all()

    thread = threads.Thread(target=wait, name="waiter", daemon=True)
    thread.start()
    event.set()
    with condition:
        condition.wait_for(lambda: seen)
    thread.join()
    assert (seen, thread.is_alive()) == ([True], False)


def test_the_stand_ins_are_as_the_real_ones() -> None:
    """One script passes with both."""
    behave(threading)
    for seed in range(20):
        scheduler = Scheduler(seed)
        scheduler.run(partial(behave, StandIn(scheduler)))
