"""Written histories in which the SQLite engine and the pure queue answer alike.

The random histories of `test_agreement` go everywhere, but seldom far; these go to the places where
one statement, or one turn of a step, makes the difference. Each line of a history is one
submission, so its operations share a batch; a number lets time pass.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ezra.sansio.errors import CommandError
from ezra.sansio.model import FOREVER, SECOND, Address, NackMode, NewTask, next_id
from ezra.sansio.queue.looks import (
    Details,
    Groups,
    Info,
    Look,
    Names,
    Pending,
    PendingTasks,
    Range,
    Workers,
)
from ezra.sansio.queue.machine import QueueMachine
from ezra.sansio.queue.operations import (
    Ack,
    AddWorker,
    Claim,
    ConfigureQueue,
    CreateQueue,
    DeleteQueues,
    Erase,
    Extend,
    Nack,
    Operation,
    Push,
    Release,
    RemoveGroup,
    RemoveWorker,
    TakeIdle,
    TakeOver,
    Transact,
    Trim,
)
from ezra.threaded.sqlite import statements
from tests.property.fake_clock import START, FakeClock
from tests.property.operations import DEFAULTS
from tests.property.sqlite_worlds import (
    claimed,
    engine_in,
    make_faulty,
    one,
    push,
    stored_tasks,
    take,
)

Q, DEAD = Address("q"), Address("q", dead=True)

Line = list[Operation] | Look | int
"""One submission, a look, or microseconds that pass."""

T = [next_id(0, START) + number for number in range(9)]
"""The ids of the first tasks of a history, as long as no time has passed."""

MAKE = CreateQueue("q", "g")
TASK = Push("q", NewTask(b"p"))
TWO_LIVES = Push("q", NewTask(b"p", max_attempts=2))
LAST_LIFE = Push("q", NewTask(b"p", max_attempts=1))


def take_all(worker: str = "ann", count: int = 9, **options: bool) -> Claim:
    """Return a claim of everything in the queue."""
    return Claim((Q,), worker, count, group="g", **options)  # type: ignore[arg-type]  # as asked


def ranges() -> list[Line]:
    """Return a look at live and at dead tasks in each way there is."""
    return [
        Range(address, first, last, count, backwards)
        for address in (Q, DEAD, Address("no"))
        for first, last in ((0, FOREVER), (T[1], T[4]), (T[2], T[2]))
        for count in (None, 2)
        for backwards in (False, True)
    ]


HISTORIES: dict[str, list[Line]] = {
    "ranges are of live or of dead tasks, either way": [
        [MAKE, *[LAST_LIFE] * 7],
        [take_all(count=5)],
        [Nack("q", tuple(T[:3]), NackMode.FATAL), Ack("q", (T[3],))],
        *ranges(),
    ],
    "a renewed lease is what idleness counts from": [
        [MAKE, TASK, TASK, take_all()],
        5 * SECOND,
        [Extend("q", "ann", (T[0],), "g")],
        SECOND,
        PendingTasks("q", "g", min_idle=2 * SECOND),
        [TakeIdle("q", "g", "bob", 2 * SECOND)],
        2 * SECOND,
        [Claim((Q,), "eve", 5, min_idle=3 * SECOND)],
        Details("q", None),
        [TakeOver("q", "g", "eve", 4 * SECOND, (T[0], T[1]))],
    ],
    "trimming keeps the newest, up to an id, at most so many": [
        [MAKE, *[LAST_LIFE] * 8, take_all()],
        [Ack("q", (T[1], T[0], T[2], T[3])), Nack("q", tuple(T[4:8]), NackMode.FATAL)],
        [Trim(Q, keep=3), Trim(DEAD, keep=3), Trim(Q, below=T[1]), Trim(DEAD, below=T[6])],
        Info("q"),
        Range(DEAD),
        [Trim(Q, most=1), Trim(DEAD, most=1), Trim(Q, keep=9), Trim(Address("no"))],
        Info("q"),
    ],
    "a group that was forgotten is known again": [
        [MAKE, take_all(), RemoveGroup("q", "g"), RemoveGroup("q", "g")],
        Groups("q"),
        [Extend("q", "ann", (), "g"), take_all("bob")],
        Groups("q"),
        Workers("q", "g"),
    ],
    "count bounds idle tasks and new ones together": [
        [MAKE, TASK, TASK, take_all(count=1)],
        SECOND,
        [TASK, Claim((Q,), "bob", 1, min_idle=SECOND)],
        [Claim((Q,), "bob", 2, rereads=((Q, 0),), min_idle=0)],
        [Claim((Q,), "bob", 9, rereads=((Q, 0), (DEAD, 0)), done_at_once=True)],
        Pending("q", "g"),
    ],
    "a search that has seen all goes back to the beginning": [
        [MAKE, TASK, TASK, TASK, take_all()],
        [TakeIdle("q", "g", "bob", SECOND), TakeIdle("q", "g", "bob", SECOND, T[1])],
        [TakeIdle("q", "g", "ann", 0, 0, 2), TakeIdle("q", "g", "ann", 0, T[2], 2)],
        [TakeIdle("q", "g", "bob", 0), TakeIdle("q", "g", "ann", 0, count=0)],
    ],
    "a task is erased once": [
        [MAKE, TASK, TASK, TASK, take_all(count=2)],
        [Erase("q", (T[2], T[2], T[0], 7)), Erase("q", (T[2],)), Erase("r", (T[0],))],
        [Erase("q", (T[1], T[0], T[1]), acks=True), Erase("q", (T[1],), acks=True)],
        Info("q"),
    ],
    "what was done too late for its ttl is gone in the same batch": [
        [MAKE, Push("q", NewTask(ttl=SECOND)), take_all()],
        SECOND,
        [Ack("q", (T[0],)), Trim(Q), DeleteQueues(("q",))],
        Names(),
    ],
    "taking over counts an attempt, and the last one is death": [
        [MAKE, TWO_LIVES, LAST_LIFE, take_all(), TASK],
        SECOND,
        [TakeOver("q", "g", "bob", SECOND, (T[0], T[1], T[2], T[0]))],
        [TakeOver("q", "g", "bob", SECOND, (T[2], T[0]), attempts=9, force=True)],
        [Claim((DEAD,), "ann", 2, group="g")],
        SECOND,
        [Claim((DEAD,), "bob", 2, group="g", min_idle=SECOND), Ack("q", (T[0],))],
        Details("q", None),
        PendingTasks("q", "g", worker="bob"),
    ],
    "who leaves gives back what it holds": [
        [MAKE, TASK, TWO_LIVES, take_all(), AddWorker("q", "g", "ann"), AddWorker("q", "g", "bob")],
        Workers("q", "g"),
        [RemoveWorker("q", "g", "ann"), RemoveWorker("q", "g", "ann"), Release(((T[0], 1),))],
        [RemoveWorker("q", "h", "ann"), RemoveWorker("r", "g", "ann"), AddWorker("r", "g", "ann")],
        Details("q"),
    ],
    "queues go when all is done, and are made anew with another number": [
        [MAKE, CreateQueue("r"), TASK, DeleteQueues(("r", "q"))],
        [take_all(), DeleteQueues(("q",)), Ack("q", (T[0],)), DeleteQueues(("q", "q", "no"))],
        Names(),
        [MAKE, ConfigureQueue("q", (("max_attempts", 7), ("dedup_limit", 3)))],
        [ConfigureQueue("q", (("dedup_limit", None),)), ConfigureQueue("no", (), create=False)],
        Names(after=2),
        Groups("q"),
        Info("no"),
        Groups("no"),
        Workers("q", "h"),
    ],
    "a transaction that fails leaves all as it was": [
        [MAKE, TASK, TASK, take_all(count=1)],
        [Transact((Ack("q", (T[0],)), TASK, Info("q"), Nack("q", (T[0],), strict=True)))],
        [Transact((Ack("q", (T[0],)), TASK, Info("q"), Erase("q", (T[1],))))],
        Details("q"),
    ],
}


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_goes_as_in_the_pure_queue(tmp_path: Path, name: str) -> None:
    """Every answer and every field of every task."""
    clock, model = FakeClock(), QueueMachine(DEFAULTS)
    with engine_in(tmp_path, clock) as engine:
        for line in HISTORIES[name]:
            now = clock.now()
            if isinstance(line, int):
                clock.advance(line)
            elif isinstance(line, list):
                expected = [answer(partial(model.apply, each, now)) for each in line]
                assert [plain(outcome) for outcome in engine.execute(line)] == expected
            else:
                assert answer(partial(engine.look, line)) == answer(partial(model.look, line, now))
            engine.sweep()
            model.advance(clock.now())
            assert stored_tasks(tmp_path) == model.tasks()


def answer(ask: Callable[[], object]) -> object:
    """Return an answer in a form that can be compared."""
    try:
        return plain(ask())
    except CommandError as error:
        return plain(error)


def plain(outcome: object) -> object:
    """Return an outcome that can be compared: an error as its text."""
    return str(outcome) if isinstance(outcome, CommandError) else outcome


# -- Among others ----------------------------------------------------------------------------------


def test_a_claim_that_waited_gets_what_is_new(tmp_path: Path) -> None:
    """Not what has become idle meanwhile."""
    clock = FakeClock()
    with engine_in(tmp_path, clock) as engine:
        push(engine)
        take(engine)
        parked = engine.submit([Claim((Q,), "bob", 2, deadline=FOREVER, min_idle=SECOND)])
        engine.sweep()
        clock.advance(SECOND)
        task = push(engine)
        assert [held.id for held in claimed(parked.wait()[0])] == [task]


def test_nobody_comes_before_who_waits_for_what_another_claim_lets_die(tmp_path: Path) -> None:
    """Also in one submission."""
    clock = FakeClock()
    with engine_in(tmp_path, clock) as engine:
        task = push(engine, max_attempts=1)
        take(engine)
        clock.advance(SECOND)
        parked = engine.submit([Claim((DEAD,), "eve", deadline=FOREVER)])
        engine.sweep()
        lets_die = Claim((Q,), "bob", min_idle=SECOND)
        assert engine.execute([lets_die, Claim((DEAD,), "mallory")]) == [(), ()]
        assert [held.id for held in claimed(parked.wait()[0])] == [task]


def test_nobody_comes_before_who_waits_between_two_transactions(tmp_path: Path) -> None:
    """What the first one made available, the second one does not take."""
    with engine_in(tmp_path) as engine:
        one(engine, MAKE)
        parked = engine.submit([Claim((Q,), "eve", deadline=FOREVER)])
        engine.sweep()
        pushes, claims = Transact((TASK,)), Transact((Claim((Q,), "mallory"),))
        (pushed, taken) = engine.execute([pushes, claims])
        assert taken == ((),)
        assert pushed == tuple(held.id for held in claimed(parked.wait()[0]))


def test_a_task_is_erased_once_in_a_batch(tmp_path: Path) -> None:
    """Whoever asks, in whichever submission; and the batch need not be done again for that."""
    with engine_in(tmp_path) as engine:
        task = push(engine)
        seen: list[str] = []
        make_faulty(engine).fails = seen.append
        asking = [engine.submit([Erase("q", (task,))]) for _ in range(3)]
        assert [each.wait() for each in asking] == [[(True,)], [(False,)], [(False,)]]
        assert statements.SAVE not in seen
