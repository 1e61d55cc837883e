"""The campaign of thread races: scenarios of the engine, each under many seeded schedules.

A scenario starts a few threads, lets them do what clients do at the same moment, and then holds
what each was told against what the queue has. `explore` runs it under one seed after the other; a
failure names its seed, and

    python -m tests.faults.races NAME SEED

plays that schedule again.
"""

from __future__ import annotations

import itertools
import secrets
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Mapping

from ezra.sansio.errors import EngineClosed, EngineError, OutcomeUnknown
from ezra.sansio.model import SECOND
from ezra.threaded.engine import Submission
from ezra.threaded.sqlite import statements
from tests.faults import driver_races
from tests.faults.playing import Played, Scenario, play
from tests.faults.race_worlds import Books, InMemory, OnSqlite, World, claim_of, together
from tests.faults.scheduler import ROOT, TRACED, Scheduler
from tests.faults.tally import Tally

WITH_THE_CORE = (*TRACED, str(ROOT / "ezra" / "sansio" / "queue"))
"""Also each line of the pure queue: nothing but a lock protects it."""


# -- What producers and workers do -----------------------------------------------------------------


def working(scheduler: Scheduler, world_class: Callable[[], World]) -> None:
    """Producers push, workers wait for tasks and ack them: each task goes to one worker."""
    world, books = _open(scheduler, world_class)

    def producer() -> None:
        books.push()
        books.push()

    def worker() -> None:
        for _ in range(2):
            ids = books.claim("ann")
            assert isinstance(ids, tuple), ids
            assert len(ids) == 1, ids
            books.ack(ids)

    together(scheduler, producer, worker, worker, producer)
    world.close()
    _balance(scheduler, books)
    assert len(books.acked) == 4, books.acked


def pushing(scheduler: Scheduler, world_class: Callable[[], World]) -> None:
    """Producers that come together share commits, and each learns of its own task."""
    world, books = _open(scheduler, world_class)
    together(scheduler, *[books.push] * 4)
    world.close()
    _balance(scheduler, books)
    assert len(books.pushed) == 4, books.pushed


def in_line(scheduler: Scheduler, world_class: Callable[[], World]) -> None:
    """Who came first is served first, whoever else leaves the line or comes to its deadline."""
    world, books = _open(scheduler, world_class)
    deadlines = (None, None, world.clock.now() + SECOND, None)
    line = [world.submit([claim_of("ann", deadline or 2**62)]) for deadline in deadlines]
    for submission in line:
        assert not submission.settle(), "a claim on an empty queue has to wait"
    told: dict[int, tuple[int, ...]] = {}

    def waiter(place: int) -> Callable[[], None]:
        def waiter() -> None:
            told[place] = books.take(line[place])

        return waiter

    def others() -> None:
        def producer() -> None:
            for _ in range(3):
                books.push()

        def canceller() -> None:
            line[1].cancel()

        def time_passing() -> None:
            world.clock.advance(SECOND)

        together(scheduler, canceller, producer, time_passing)
        world.drain()

    together(scheduler, others, *map(waiter, range(4)))
    world.close()
    _balance(scheduler, books)
    served = [place for place in range(4) if told[place]]
    given = [told[place][0] for place in served]
    assert given == sorted(given), f"not in the order of arrival: {told}"
    assert 0 in served, told
    assert 3 in served or {1, 2} < set(served), f"passed over: {told}"


def ending(scheduler: Scheduler, world_class: Callable[[], World]) -> None:
    """Whoever comes while the engine drains and closes is answered or refused, and never waits."""
    world, books = _open(scheduler, world_class)

    def producer() -> None:
        books.push()
        books.push()

    def worker() -> None:
        ids = books.claim("ann")
        while isinstance(ids, tuple) and ids:
            books.ack(ids)
            ids = books.claim("ann")

    def closer() -> None:
        world.drain()
        world.close()

    together(scheduler, producer, worker, closer, world.close, producer, worker)
    _balance(scheduler, books)
    try:
        world.submit([])
    except EngineClosed:
        return
    raise AssertionError("a closed engine takes operations")


def cancelling(scheduler: Scheduler, world_class: Callable[[], World]) -> None:
    """A claim that is cancelled while it is being served keeps its task, or never had one."""
    world, books = _open(scheduler, world_class)
    claims = [world.submit([claim_of("ann")]) for _ in range(3)]
    for claim in claims:
        assert not claim.settle()

    def worker(claim: Submission) -> Callable[[], None]:
        def worker() -> None:
            books.take(claim)

        return worker

    def canceller() -> None:
        claims[0].cancel()
        claims[2].cancel()
        claims[0].cancel()
        world.drain()

    together(scheduler, *map(worker, claims), books.push, canceller, books.push)
    world.close()
    _balance(scheduler, books)


# -- The storage fails, Ctrl-C ---------------------------------------------------------------------


def failing(scheduler: Scheduler, world_class: Callable[[], World] = OnSqlite) -> None:
    """When a COMMIT fails nobody hangs, and everybody learns that nobody knows."""
    world, books = _open(scheduler, world_class)
    assert isinstance(world, OnSqlite)
    spared = scheduler.number(6)
    failed: list[BaseException] = []

    def fails(statement: str) -> BaseException | None:
        nonlocal spared
        if statement != statements.COMMIT:
            return None
        spared -= 1
        if spared < 0:
            failed.append(_error(sqlite3.SQLITE_IOERR))
        return failed[-1] if failed else None

    world.faulty.fails = fails
    told: list[object] = []

    def worker() -> None:
        told.append(books.claim("ann"))

    def producer() -> None:
        told.append(books.push())
        told.append(books.push())

    together(scheduler, worker, producer, worker, producer, producer)
    with_error = [outcome for outcome in told if isinstance(outcome, EngineError)]
    assert all(isinstance(error, OutcomeUnknown) for error in with_error), told
    world.close()
    assert len(failed) <= 1, "something was written after the storage had failed"
    assert len(world.failures) == len(failed), f"the owner was told {world.failures}"
    _balance(scheduler, books)


def failing_line(scheduler: Scheduler, world_class: Callable[[], World] = OnSqlite) -> None:
    """Who is parked when the storage fails is told so, at whatever point of its wait it is."""
    world, books = _open(scheduler, world_class)
    assert isinstance(world, OnSqlite)
    line = [world.submit([claim_of("ann")]) for _ in range(2)]
    for submission in line:
        assert not submission.settle()
    error = _error(sqlite3.SQLITE_IOERR)
    world.faulty.fails = lambda statement: error if statement == statements.COMMIT else None
    told: list[object] = []

    def worker(submission: Submission) -> Callable[[], None]:
        def worker() -> None:
            try:
                told.append(books.take(submission))
            except OutcomeUnknown as error:
                told.append(error)

        return worker

    together(scheduler, *map(worker, line), books.push)
    assert all(isinstance(error, OutcomeUnknown) for error in told), told
    assert len(world.failures) == 1, world.failures


def filling(scheduler: Scheduler) -> None:
    """A full disk refuses some pushes; the others, and whoever waits, are served as ever."""
    world, books = _open(scheduler, OnSqlite)
    assert isinstance(world, OnSqlite)
    number = itertools.count(scheduler.number(2))

    def fails(statement: str) -> BaseException | None:
        if statement == statements.COMMIT and next(number) % 2:
            return _error(sqlite3.SQLITE_FULL)
        return None

    def producer() -> None:
        world.faulty.fails = fails
        books.push()
        world.faulty.fails = lambda _: None
        while isinstance(books.push(), EngineError):
            pass

    def worker() -> None:
        ids: object = EngineError()
        while isinstance(ids, EngineError):
            ids = books.claim("ann")

    together(scheduler, worker, producer, producer, worker)
    world.close()
    assert not world.failures
    _balance(scheduler, books)


def interrupting(scheduler: Scheduler) -> None:
    """Ctrl-C in a thread that waits harms nobody else; what it did not do is not there."""
    world, books = _open(scheduler, OnSqlite)
    broken_off: list[object] = []

    def interrupted() -> None:
        try:
            books.push()
        except KeyboardInterrupt:
            books.unknown += 1
            broken_off.append(None)

    def producer() -> None:
        books.push()
        books.push()

    threads = [scheduler.spawn(work.__name__, work) for work in (producer, interrupted, producer)]
    scheduler.interrupt(threads[1])
    for thread in threads:
        scheduler.join(thread)
    world.close()
    _balance(scheduler, books)


def on(world_class: Callable[[], World], scenario: Callable[..., None]) -> Scenario:
    """Return a scenario that is played in such a world."""
    return lambda scheduler: scenario(scheduler, world_class)


SHARED = (pushing, working, in_line, ending, cancelling)

SCENARIOS: Mapping[str, Played] = {
    **{f"{each.__name__}, sqlite": (on(OnSqlite, each), TRACED) for each in SHARED},
    **{f"{each.__name__}, memory": (on(InMemory, each), WITH_THE_CORE) for each in SHARED},
    "failing": (failing, TRACED),
    "failing_line": (failing_line, TRACED),
    "filling": (filling, TRACED),
    "interrupting": (interrupting, TRACED),
    "looking": (driver_races.looking, TRACED),
    "closing_twice": (driver_races.closing_twice, (*TRACED, str(ROOT / "ezra" / "embedded.py"))),
    "counting": (driver_races.counting, TRACED),
    "blocked, sqlite": (driver_races.blocked_on_sqlite, TRACED),
    "blocked, memory": (driver_races.blocked_in_memory, TRACED),
}
"""By name, all that is explored."""


# -- Exploring -------------------------------------------------------------------------------------


def explore(name: str, seeds: Iterable[int], until: float = float("inf")) -> int:
    """Play a scenario under each of the seeds; return how many there were.

    Args:
        name: in `SCENARIOS`.
        seeds: in this order.
        until: when to stop, on the monotonic clock.

    Raises:
        Found: a schedule came to a fault.
    """
    driver_races.prepare()
    scenario, traced = SCENARIOS[name]
    played = 0
    for seed in seeds:
        if time.monotonic() >= until:
            break
        play(scenario, seed, traced, name)
        played += 1
    return played


def campaign(seconds: float) -> Tally:
    """Play every scenario under fresh seeds, for about so many seconds together."""
    first = secrets.randbits(40)
    begun = time.monotonic()
    played = 0
    for number, name in enumerate(SCENARIOS, start=1):
        until = begun + seconds * number / len(SCENARIOS)
        played += explore(name, itertools.count(first), until)
    return Tally(operations=played, note=f"{played} schedules from seed {first}")


def _open(scheduler: Scheduler, world_class: Callable[[], World]) -> tuple[World, Books]:
    with scheduler.alone():
        world = world_class()
    scheduler.afterwards.callback(world.release)
    return world, Books(world)


def _balance(scheduler: Scheduler, books: Books) -> None:
    with scheduler.alone():
        books.balance()
        if not books.world.failures:
            assert not books.world.parked(), "a claim waits in an engine that is closed"


def _error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("injected")
    error.sqlite_errorcode = code
    return error


if __name__ == "__main__":
    wanted, number = sys.argv[1:]
    explore(wanted, [int(number)])
