"""The in-memory engine: what threads and a clock add to the pure queue.

Time is a `FakeClock`; a thread that must be asleep before the test goes on is awaited through it.
What an operation means is tested with the pure queue and in the agreement test.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue

import pytest

from ezra.sansio.errors import CommandError, EngineClosed, Text
from ezra.sansio.model import FOREVER, SECOND, Address, Defaults, Delivery, NackMode, NewTask
from ezra.sansio.queue.looks import Info, Length
from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    CreateQueue,
    Nack,
    Operation,
    Outcome,
    Push,
    Transact,
)
from ezra.threaded.clock import SystemClock
from ezra.threaded.engine import Submission
from ezra.threaded.memory_engine import MemoryEngine, _MemorySubmission
from tests.property.fake_clock import START, FakeClock

Q = Address("q")
DEAD = Address("q", dead=True)
DEFAULTS = Defaults(visibility_timeout=10 * SECOND, max_attempts=2)
PUSH = Push("q", NewTask(b"x"))
TAKE = Claim((Q,), "ann")
WAIT = Claim((Q,), "bob", deadline=FOREVER)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still."""
    return FakeClock()


@pytest.fixture
def engine(clock: FakeClock) -> Iterator[MemoryEngine]:
    """Yield an engine under that clock."""
    engine = MemoryEngine(DEFAULTS, clock, scheduler=5 * SECOND)
    yield engine
    engine.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Yield threads to wait in."""
    with ThreadPoolExecutor(16) as pool:
        yield pool


def ids(outcomes: list[Outcome]) -> list[int]:
    """Return the ids that the last operation, a claim, was given."""
    deliveries = outcomes[-1]
    assert isinstance(deliveries, tuple)
    given: list[int] = []
    for delivery in deliveries:
        assert isinstance(delivery, Delivery)
        given += [task.id for task in delivery.tasks]
    return given


def push(engine: MemoryEngine, new: NewTask | None = None) -> int:
    """Push a task and return its id."""
    (task_id,) = engine.execute([Push("q", new or NewTask(b"x"))])
    assert isinstance(task_id, int)
    return task_id


def held(engine: MemoryEngine) -> int:
    """Push and claim a task, and return its id."""
    task_id = push(engine)
    assert ids(engine.execute([TAKE])) == [task_id]
    return task_id


def in_flight(engine: MemoryEngine) -> int:
    """Return how many tasks are in flight."""
    info = engine.info("q")
    assert info is not None
    return info.in_flight


# -- Submissions -----------------------------------------------------------------------------------


def test_the_operations_of_a_submission_happen_in_order(engine: MemoryEngine) -> None:
    """Each sees what those before it did."""
    one, two, given, acked = engine.execute([PUSH, PUSH, TAKE, Ack("q", (1,))])
    assert isinstance(one, int)
    assert isinstance(two, int)
    assert ids([given]) == [one]
    assert acked == 0
    assert two > one


def test_an_operation_that_fails_fails_alone(engine: MemoryEngine) -> None:
    """Its outcome is the error; those around it are carried out."""
    before, error, after = engine.execute([PUSH, CreateQueue("none", create=False), PUSH])
    assert isinstance(before, int)
    assert isinstance(after, int)
    assert isinstance(error, CommandError)
    assert str(error) == Text.XGROUP_NEEDS_QUEUE
    assert engine.look(Length(Q)) == 2


def test_reading_does_what_is_due_first(engine: MemoryEngine, clock: FakeClock) -> None:
    """Books and lengths are those of the present moment."""
    held(engine)
    clock.set(START + 10 * SECOND)
    info = engine.info("q")
    assert info is not None
    assert (info.ready, info.in_flight) == (1, 0)
    assert engine.queues() == [replace(info, first=None, last=None)]
    assert (engine.look(Length(Q)), engine.look(Length(DEAD))) == (1, 0)
    assert engine.info("other") is None


def test_a_look_that_finds_nothing_says_so(engine: MemoryEngine) -> None:
    """As the error that the look names; the engine goes on."""
    with pytest.raises(CommandError) as error:
        engine.look(Info("q"))
    assert str(error.value) == Text.NO_SUCH_KEY
    assert engine.look(Length(Q)) == 0


def test_a_transaction_is_one_operation_of_a_submission(
    engine: MemoryEngine, threads: ThreadPoolExecutor
) -> None:
    """It answers for all its steps, or is undone alone; who waits is woken when it is over."""
    waiting = waiting_for(engine, threads)
    missing = CreateQueue("none", create=False)
    failed, answers = engine.execute([Transact((PUSH, missing)), Transact((PUSH, Length(Q)))])
    assert str(failed) == Text.ROLLED_BACK.format(error=Text.XGROUP_NEEDS_QUEUE)
    assert isinstance(answers, tuple)
    task_id, length = answers
    assert length == 1
    assert ids(waiting.result()) == [task_id]


@pytest.mark.parametrize(
    "read",
    [
        lambda engine: engine.info("q"),
        lambda engine: engine.queues(),
        lambda engine: engine.info("there is none"),
    ],
)
def test_a_reader_that_lets_something_fall_due_wakes_who_waits(
    read: Callable[[MemoryEngine], object],
) -> None:
    """What reading makes available is given out at once, whoever noticed."""
    clock = SilentClock()
    engine = MemoryEngine(DEFAULTS, clock)
    clock.asleep.wait()
    task_id = held(engine)
    waiting = engine.submit([WAIT])
    clock.moment += 10 * SECOND
    read(engine)
    assert ids(waiting.wait()) == [task_id]
    engine.close()


class SilentClock:
    """A clock that moves without waking anybody: the timer does not notice that time passes."""

    def __init__(self) -> None:
        self.moment = START
        self.asleep = threading.Event()

    def now(self) -> int:
        """Return the moment that the test has set."""
        return self.moment

    def wait(self, condition: threading.Condition, until: int) -> None:
        """Wait on the condition, whatever the time."""
        assert until > self.moment
        self.asleep.set()
        condition.wait()


# -- Waiting ---------------------------------------------------------------------------------------


def waiting_for(
    engine: MemoryEngine, threads: ThreadPoolExecutor, source: Address = Q
) -> Future[list[Outcome]]:
    """Park a claim and let a thread wait for it."""
    return threads.submit(engine.submit([Claim((source,), "bob", deadline=FOREVER)]).wait)


def test_a_push_wakes_who_waits(engine: MemoryEngine, threads: ThreadPoolExecutor) -> None:
    """And the task is in flight with it."""
    waiting = waiting_for(engine, threads)
    task_id = push(engine)
    assert ids(waiting.result()) == [task_id]
    assert engine.execute([Ack("q", (task_id,))]) == [1]


def test_a_nack_wakes_who_waits(engine: MemoryEngine, threads: ThreadPoolExecutor) -> None:
    """The task goes from worker to worker."""
    task_id = held(engine)
    waiting = waiting_for(engine, threads)
    assert engine.execute([Nack("q", (task_id,))]) == [1]
    assert ids(waiting.result()) == [task_id]


def test_a_lapsed_lease_wakes_who_waits(
    engine: MemoryEngine, threads: ThreadPoolExecutor, clock: FakeClock
) -> None:
    """By itself, at its moment."""
    task_id = held(engine)
    waiting = waiting_for(engine, threads)
    clock.advance(10 * SECOND)
    assert ids(waiting.result()) == [task_id]


def test_a_delay_that_is_over_wakes_who_waits(
    engine: MemoryEngine, threads: ThreadPoolExecutor, clock: FakeClock
) -> None:
    """By itself, at its moment: the timer was asleep for longer when the task came."""
    clock.until_waiting(1)
    waiting = waiting_for(engine, threads)
    task_id = push(engine, NewTask(b"x", delay=SECOND))
    clock.advance(SECOND)
    assert ids(waiting.result()) == [task_id]


@pytest.mark.parametrize("lapses", [False, True])
def test_a_task_that_dies_wakes_a_dead_letter_reader(
    engine: MemoryEngine, threads: ThreadPoolExecutor, clock: FakeClock, *, lapses: bool
) -> None:
    """By a FATAL nack, or by the lapse of its last lease."""
    task_id = held(engine)
    waiting = waiting_for(engine, threads, DEAD)
    if lapses:
        clock.advance(10 * SECOND)
        engine.execute([TAKE])
        clock.advance(10 * SECOND)
    else:
        engine.execute([Nack("q", (task_id,), NackMode.FATAL)])
    assert ids(waiting.result()) == [task_id]


def test_the_first_to_wait_is_the_first_to_be_served(
    engine: MemoryEngine, threads: ThreadPoolExecutor
) -> None:
    """Whichever thread happens to wake first."""
    waiting = [waiting_for(engine, threads) for _ in range(10)]
    pushed = [push(engine) for _ in range(10)]
    assert [ids(each.result()) for each in waiting] == [[task_id] for task_id in pushed]


def test_a_push_wakes_only_the_worker_it_serves(
    engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a thousand who wait, one is notified: there is no herd."""
    submissions = [engine.submit([WAIT]) for _ in range(1000)]
    notified = Counter[int]()
    for number, each in enumerate(submissions):
        count_notifications(monkeypatch, each, notified, number)
    push(engine)
    assert notified == {0: 1}
    push(engine)
    assert notified == {0: 1, 1: 1}


def count_notifications(
    monkeypatch: pytest.MonkeyPatch, submission: Submission, notified: Counter[int], number: int
) -> None:
    """Count each time that the submission's own condition is notified."""
    assert isinstance(submission, _MemorySubmission)
    condition = submission._answered
    notify = condition.notify

    def counting(n: int = 1) -> None:
        notified[number] += 1
        notify(n)

    monkeypatch.setattr(condition, "notify", counting)


def test_waking_for_no_reason_ends_no_wait(
    engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A condition may wake whom it likes; only an answer ends the wait."""
    submission = engine.submit([WAIT])
    assert isinstance(submission, _MemorySubmission)
    wakings: list[int] = []

    def answered_at_the_second_waking() -> None:
        wakings.append(len(wakings))
        if len(wakings) == 2:
            engine._give_up(submission)

    monkeypatch.setattr(submission._answered, "wait", answered_at_the_second_waking)
    assert submission.wait() == [()]
    assert len(wakings) == 2


def test_a_deadline_ends_the_wait(
    engine: MemoryEngine, threads: ThreadPoolExecutor, clock: FakeClock
) -> None:
    """With `()`, at its moment, in the place of the claim."""
    deadline = START + 2 * SECOND
    submission = engine.submit([PUSH, TAKE, Claim((Q,), "bob", deadline=deadline)])
    waiting = threads.submit(submission.wait)
    clock.advance(SECOND)
    engine.sweep()
    assert not waiting.done()
    clock.advance(SECOND)
    pushed, taken, nothing = waiting.result()
    assert ids([taken]) == [pushed]
    assert nothing == ()


def test_a_deadline_that_has_come_does_not_wait(engine: MemoryEngine) -> None:
    """It answers at once."""
    assert engine.execute([Claim((Q,), "bob", deadline=START)]) == [()]


# -- Giving up -------------------------------------------------------------------------------------


def test_who_cancels_gets_nothing_and_takes_nothing(
    engine: MemoryEngine, threads: ThreadPoolExecutor
) -> None:
    """The task that comes afterwards is the next worker's."""
    submission = engine.submit([WAIT])
    waiting = threads.submit(submission.wait)
    submission.cancel()
    submission.cancel()
    assert waiting.result() == [()]
    task_id = push(engine)
    assert ids(engine.execute([TAKE])) == [task_id]


def test_who_cancels_too_late_keeps_the_tasks(engine: MemoryEngine) -> None:
    """They are in the outcome, for the caller to release."""
    submission = engine.submit([WAIT])
    task_id = push(engine)
    submission.cancel()
    assert ids(submission.wait()) == [task_id]
    assert submission.wait() == submission.wait()


def test_draining_answers_who_waits_and_lets_nobody_wait(
    engine: MemoryEngine, threads: ThreadPoolExecutor
) -> None:
    """Everything else goes on, claims that find something included."""
    waiting = [waiting_for(engine, threads) for _ in range(3)]
    engine.drain()
    assert [each.result() for each in waiting] == [[()]] * 3
    assert engine.execute([WAIT]) == [()]
    task_id = push(engine)
    assert ids(engine.execute([WAIT])) == [task_id]


def test_closing_answers_who_waits_and_leaves_no_thread(threads: ThreadPoolExecutor) -> None:
    """Calling it again does nothing."""
    before = set(threading.enumerate())
    engine = MemoryEngine(DEFAULTS, FakeClock())
    (timer,) = set(threading.enumerate()) - before
    waiting = waiting_for(engine, threads)
    engine.close()
    assert waiting.result() == [()]
    assert not timer.is_alive()
    engine.close()


@pytest.mark.parametrize(
    "use",
    [
        lambda engine: engine.submit([PUSH]),
        lambda engine: engine.execute([]),
        lambda engine: engine.look(Length(Q)),
        lambda engine: engine.info("q"),
        lambda engine: engine.queues(),
        lambda engine: engine.sweep(),
    ],
)
def test_a_closed_engine_does_nothing(use: Callable[[MemoryEngine], object]) -> None:
    """Whatever is asked of it."""
    engine = MemoryEngine(DEFAULTS, FakeClock())
    engine.close()
    with pytest.raises(EngineClosed) as error:
        use(engine)
    assert str(error.value) == Text.SHUTTING_DOWN


# -- The timer -------------------------------------------------------------------------------------


def test_a_sweep_does_what_is_due() -> None:
    """It has happened when the call returns; the timer slept through it."""
    clock = SilentClock()
    engine = MemoryEngine(DEFAULTS, clock)
    clock.asleep.wait()
    task_id = held(engine)
    waiting = engine.submit([WAIT])
    clock.moment += 10 * SECOND
    engine.sweep()
    assert ids(waiting.wait()) == [task_id]
    engine.close()


def test_the_timer_sleeps_no_longer_than_the_scheduler_says() -> None:
    """Even with nothing due; and no longer than until the next due moment."""
    clock = RecordingClock()
    engine = MemoryEngine(DEFAULTS, clock, scheduler=7 * SECOND)
    assert clock.asked.get() == START + 7 * SECOND
    push(engine, NewTask(b"x", delay=3 * SECOND))
    assert clock.asked.get() == START + 3 * SECOND
    push(engine, NewTask(b"x", delay=4 * SECOND))
    engine.close()
    assert clock.asked.empty()


class RecordingClock(FakeClock):
    """A fake clock that tells until when it was asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: SimpleQueue[int] = SimpleQueue()

    def wait(self, condition: threading.Condition, until: int) -> None:
        """Wait as the fake clock does."""
        self.asked.put(until)
        super().wait(condition, until)


def test_the_lock_discipline_is_checked(engine: MemoryEngine) -> None:
    """What needs the lock fails without it."""
    with pytest.raises(RuntimeError, match="lock"):
        engine._settle()


# -- Many threads ----------------------------------------------------------------------------------


def test_eight_producers_and_eight_workers_do_each_task_exactly_once(
    threads: ThreadPoolExecutor,
) -> None:
    """Under real time; workers block for work, ack it, and stop when the engine drains."""
    engine = MemoryEngine(Defaults(), SystemClock())
    everything_done = threading.Semaphore(0)

    def produce(producer: int) -> list[int]:
        return [push(engine, NewTask(b"%d-%d" % (producer, each))) for each in range(200)]

    def work(worker: int) -> list[int]:
        done: list[int] = []
        claim = Claim((Q,), str(worker), count=1 + worker % 3, deadline=FOREVER)
        while given := ids(engine.execute([claim])):
            assert engine.execute([Ack("q", tuple(given))]) == [len(given)]
            done += given
            everything_done.release(len(given))
        return done

    workers = [threads.submit(work, worker) for worker in range(8)]
    producers = [threads.submit(produce, producer) for producer in range(8)]
    for _ in range(1600):
        everything_done.acquire()
    pushed = [task_id for each in producers for task_id in each.result()]
    assert in_flight(engine) == engine.look(Length(Q)) == 0
    engine.drain()
    done = [task_id for each in workers for task_id in each.result()]
    engine.close()
    assert len(pushed) == 1600
    assert sorted(done) == sorted(pushed)


def test_cancelling_races_with_pushes_and_loses_nothing(threads: ThreadPoolExecutor) -> None:
    """A task is either with the one who cancelled, or still there: never neither, never both."""
    engine = MemoryEngine(Defaults(), SystemClock())
    kept: list[int] = []
    start = threading.Barrier(2)

    def push_at_the_signal() -> int:
        start.wait()
        return push(engine)

    def cancel_at_the_signal(submission: Submission) -> list[int]:
        start.wait()
        submission.cancel()
        return ids(submission.wait())

    for _ in range(200):
        operations: list[Operation] = [WAIT]
        cancelled = threads.submit(cancel_at_the_signal, engine.submit(operations))
        pushed = threads.submit(push_at_the_signal).result()
        given = cancelled.result() or ids(engine.execute([TAKE]))
        assert given == [pushed]
        kept += given
    assert in_flight(engine) == len(kept) == 200
    engine.close()
