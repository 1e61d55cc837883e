"""The pure queue in detail: each promise about one operation or one kind of moment.

Every story is told in whole seconds after START.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import (
    FOREVER,
    MILLISECOND,
    NO_ID,
    SECOND,
    SEQUENCE_BITS,
    Address,
    Claimed,
    Defaults,
    Delivery,
    NackMode,
    NewTask,
    QueueSettings,
    Status,
)
from ezra.sansio.queue.lifecycle import LAPSED, NACKED, RESTARTED
from ezra.sansio.queue.machine import QueueMachine, Waiting, Woken
from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    ConfigureQueue,
    CreateQueue,
    Extend,
    Nack,
    Operation,
    Push,
    Release,
    Reread,
    Result,
)
from ezra.sansio.queue.task import MAX_LEAD, Task
from tests.property.fake_clock import START

Q = Address("q")
DEAD = Address("q", dead=True)
DEFAULTS = Defaults(visibility_timeout=10 * SECOND, max_attempts=2)


class Story:
    """One queue `q`, and short words for what happens to it, at moments in seconds."""

    def __init__(self, defaults: Defaults = DEFAULTS) -> None:
        self.machine = QueueMachine(defaults)

    def do(self, at: float, operation: Operation) -> Result | Waiting:
        """Apply any operation."""
        return self.machine.apply(operation, moment(at))

    def push(self, at: float = 0, new: NewTask | None = None, queue: str = "q") -> int:
        """Push a task and return its id."""
        answer = self.do(at, Push(queue, new or NewTask(b"x")))
        assert isinstance(answer, int)
        return answer

    def claim(self, at: float = 0, source: Address = Q, worker: str = "ann") -> int | None:
        """Claim one task and return its id; None when there is none."""
        answer = self.do(at, Claim((source,), worker))
        assert isinstance(answer, tuple)
        return only_task(answer).id if answer else None

    def nack(self, at: float, task_id: int, mode: NackMode = NackMode.FAIL) -> Result | Waiting:
        """Nack a task."""
        return self.do(at, Nack("q", (task_id,), mode))

    def held(self, at: float = 0, new: NewTask | None = None) -> int:
        """Push and claim a task, and return its id."""
        self.push(at, new)
        task_id = self.claim(at)
        assert task_id is not None
        return task_id

    def died(self, at: float = 0) -> int:
        """Have a task that is dead, and return its id."""
        task_id = self.held(at)
        self.nack(at, task_id, NackMode.FATAL)
        return task_id

    def task(self, task_id: int) -> Task:
        """Return the task's record."""
        return next(task for task in self.machine.tasks() if task.id == task_id)

    def passes(self, at: float) -> None:
        """Let time pass."""
        self.machine.advance(moment(at))


def moment(at: float) -> int:
    """Return the moment that is so many seconds after the start."""
    return START + round(at * SECOND)


def only_task(answer: object) -> Claimed:
    """Return the one task that a claim answered."""
    assert isinstance(answer, tuple)
    (delivery,) = answer
    assert isinstance(delivery, Delivery)
    (claimed,) = delivery.tasks
    return claimed


# -- Pushing and ids -------------------------------------------------------------------------------


def test_a_push_writes_down_all_that_it_was_given() -> None:
    """Every field of the record comes from the push, the queue or the moment."""
    story = Story()
    story.do(0, ConfigureQueue("q", QueueSettings(max_attempts=7)))
    headers = ((b"a", b"1"), (b"a", b"2"))
    plain = story.push(0, NewTask(b"x", headers))
    full = NewTask(None, (), None, 5, SECOND, None, 3 * SECOND, 4, 9 * SECOND)
    special = story.push(0, full)
    now = moment(0)
    assert story.task(plain) == Task(
        plain, "q", b"x", headers, 0, 7, None, now, None, now, Status.AVAILABLE
    )
    assert story.task(special) == Task(
        special, "q", None, (), 5, 4, 9 * SECOND, now, moment(3), moment(1), Status.AVAILABLE
    )


@pytest.mark.parametrize(
    ("new", "at"),
    [
        (NewTask(delay=0), 0),
        (NewTask(delay=SECOND), 1),
        (NewTask(run_at=START + 2 * SECOND), 2),
        (NewTask(run_at=START - SECOND), 0),
        (NewTask(delay=9 * SECOND, run_at=START + SECOND), 1),
    ],
)
def test_a_task_is_claimable_from_its_scheduled_time_on(new: NewTask, at: float) -> None:
    """Not a microsecond earlier, and never before the push."""
    story = Story()
    task_id = story.push(0, new)
    assert story.task(task_id).available_at == moment(at)
    if at > 0:
        assert story.machine.next_due() == moment(at)
        assert story.do(0, Claim((Q,), "ann")) == ()
        assert story.machine.apply(Claim((Q,), "ann"), moment(at) - 1) == ()
    assert story.claim(at) == task_id


def test_ids_grow_whatever_the_clock_does() -> None:
    """A clock that stands still or goes back gives ids that are higher all the same."""
    story = Story()
    ids = [story.push(at) for at in (0, 0, -5, 0, 1, 0.5, -100, 1)]
    assert ids == sorted(set(ids))
    assert ids[0] == (moment(0) // MILLISECOND) << SEQUENCE_BITS
    assert story.task(ids[2]).created_at == moment(0)
    assert story.task(ids[-1]).created_at == moment(1)


def test_ids_are_not_reused_and_are_shared_by_all_queues() -> None:
    """A task that is gone leaves its id behind it."""
    story = Story(replace(DEFAULTS, retention=0))
    first = story.held(0)
    story.do(0, Ack("q", (first,)))
    story.passes(0)
    assert story.machine.tasks() == []
    assert story.push(0, queue="other") == first + 1
    with pytest.raises(CommandError, match="equal or smaller"):
        story.push(0, NewTask(id=first + 1))


@pytest.mark.parametrize("chosen", [NO_ID, 0, 5, 4])
def test_a_chosen_id_must_be_above_all_others(chosen: int) -> None:
    """Otherwise nothing is pushed, and no queue is made."""
    story = Story()
    assert story.push(0, NewTask(id=5)) == 5
    with pytest.raises(CommandError) as error:
        story.push(0, NewTask(id=chosen), queue="new")
    assert str(error.value) == Text.ID_TOO_SMALL
    assert [info.name for info in story.machine.queues(moment(0))] == ["q"]
    assert story.machine.length("q") == 1


def test_a_chosen_id_may_be_a_day_ahead_and_no_more() -> None:
    """The ids after it go on from there."""
    story = Story()
    furthest = ((moment(0) + MAX_LEAD) // MILLISECOND) << SEQUENCE_BITS
    with pytest.raises(CommandError) as error:
        story.push(0, NewTask(id=furthest + 1))
    assert str(error.value) == Text.ID_TOO_FAR
    assert story.push(0, NewTask(id=furthest)) == furthest
    assert story.push(1) == furthest + 1


def test_a_push_that_must_not_create_the_queue_does_not() -> None:
    """It answers None, and works once the queue is there."""
    story = Story()
    push = Push("q", NewTask(b"x"), create=False)
    assert story.do(0, push) is None
    assert story.machine.info("q", moment(0)) is None
    story.do(0, CreateQueue("q"))
    assert isinstance(story.do(0, push), int)


def test_what_is_asked_of_a_queue_that_is_not_there() -> None:
    """Nothing is found, nothing counted, and nothing created."""
    story = Story()
    assert story.do(0, Claim((Q, DEAD), "ann")) == ()
    assert story.do(0, Reread(((Q, 0), (DEAD, 0)), "ann")) == (Delivery(Q, ()), Delivery(DEAD, ()))
    assert story.do(0, Ack("q", (1,))) == 0
    assert story.do(0, Nack("q", (1,))) == 0
    assert story.do(0, Extend("q", "ann", (1,))) == ()
    assert story.do(0, Release(((1, 1),))) == 0
    assert story.machine.length("q") == story.machine.length("q", dead=True) == 0
    assert story.machine.queues(moment(0)) == []


def test_creating_a_queue_and_its_groups() -> None:
    """It can be done again; a group's name counts once; without `create` the queue must exist."""
    story = Story()
    with pytest.raises(CommandError) as error:
        story.do(0, CreateQueue("q", "g", create=False))
    assert str(error.value) == Text.XGROUP_NEEDS_QUEUE
    for group in ("g", None, "g", "h"):
        assert story.do(0, CreateQueue("q", group)) is None
    assert story.do(0, CreateQueue("q", "i", create=False)) is None
    info = story.machine.info("q", moment(0))
    assert info is not None
    assert info.groups == 3


# -- Claiming --------------------------------------------------------------------------------------


def test_a_claim_counts_an_attempt_and_gives_a_lease() -> None:
    """The record says who holds it, since when and how long."""
    story = Story()
    task_id = story.push(0, NewTask(b"x", ((b"h", b"v"),)))
    answer = story.do(3, Claim((Q,), "ann"))
    assert only_task(answer) == Claimed(task_id, b"x", ((b"h", b"v"),), 1, 2)
    task = story.task(task_id)
    assert (task.status, task.attempts, task.worker) == (Status.IN_FLIGHT, 1, "ann")
    assert (task.claimed_at, task.lease_until) == (moment(3), moment(13))


def test_the_lease_is_the_tasks_own_or_its_queues_or_the_servers() -> None:
    """The nearest setting that is set counts, as it is at the claim."""
    story = Story()
    own = story.push(0, NewTask(visibility_timeout=SECOND))
    queues = story.push(0)
    story.do(0, ConfigureQueue("q", QueueSettings(visibility_timeout=4 * SECOND)))
    story.do(0, Claim((Q,), "ann", count=2))
    assert story.task(own).lease_until == moment(1)
    assert story.task(queues).lease_until == moment(4)


def test_a_claim_takes_by_priority_then_time_then_id_over_its_sources_in_order() -> None:
    """`count` bounds the tasks in all; a source that gives nothing has no delivery."""
    story = Story()
    late = story.push(0, NewTask(delay=SECOND))
    first, second = story.push(0), story.push(0)
    urgent = story.push(1, NewTask(priority=1))
    other = story.push(1, queue="other")
    sources = (Address("nothing"), Q, Address("other"))
    answer = story.do(2, Claim(sources, "ann", count=4))
    assert isinstance(answer, tuple)
    given = [(d.source, [c.id for c in d.tasks]) for d in answer if isinstance(d, Delivery)]
    assert given == [(Q, [urgent, first, second, late])]
    assert story.claim(2, Address("other")) == other


def test_done_at_once_is_done_at_once() -> None:
    """Redis' NOACK: claimed and acked in one step."""
    story = Story()
    task_id = story.push(0)
    answer = story.do(1, Claim((Q,), "ann", done_at_once=True))
    assert only_task(answer).attempts == 1
    task = story.task(task_id)
    assert (task.status, task.finished_at, task.lease_until) == (Status.DONE, moment(1), None)
    assert (task.worker, task.claimed_at, task.attempts) == ("ann", moment(1), 1)
    assert story.do(1, Release(((task_id, 1),))) == 0


def test_a_claim_from_the_dead_letter_queue_counts_no_attempt() -> None:
    """It keeps dead_at, and needs no due time; acked it is done and keeps it still."""
    story = Story()
    task_id = story.died(0)
    answer = story.do(1, Claim((DEAD,), "ann"))
    assert only_task(answer).attempts == 1
    task = story.task(task_id)
    assert (task.status, task.dead_at, task.lease_until) == (
        Status.IN_FLIGHT,
        moment(0),
        moment(11),
    )
    assert story.machine.length("q", dead=True) == 0
    assert story.do(2, Ack("q", (task_id,))) == 1
    task = story.task(task_id)
    assert (task.status, task.dead_at, task.worker) == (Status.DONE, moment(0), "ann")


def test_a_dead_task_whose_time_has_not_come_is_claimable_as_dead() -> None:
    """Its scheduled time only gives it its place."""
    story = Story()
    story.do(0, ConfigureQueue("q", QueueSettings(max_attempts=2, retry_delay=9 * SECOND)))
    first = story.died(0)
    second = story.held(0)
    story.nack(0, second)
    assert story.claim(9) == second
    story.nack(9, second, NackMode.FATAL)
    assert [story.claim(9, DEAD), story.claim(9, DEAD)] == [first, second]


# -- Acks ------------------------------------------------------------------------------------------


def test_an_ack_counts_each_task_of_its_queue_once() -> None:
    """Whoever holds it; other queues' ids, unknown ones and second mentions count nothing."""
    story = Story()
    task_id = story.held(0)
    assert story.do(1, Ack("other", (task_id,))) == 0
    assert story.do(1, Ack("q", (task_id, 1, task_id))) == 1
    assert story.do(1, Ack("q", (task_id,))) == 0
    task = story.task(task_id)
    assert (task.status, task.finished_at, task.worker) == (Status.DONE, moment(1), "ann")
    assert (task.claimed_at, task.lease_until, task.lapsed) == (moment(0), None, False)


def test_an_ack_of_what_was_never_claimed_is_nothing() -> None:
    """A waiting task is not done because somebody says so."""
    story = Story()
    task_id = story.push(0)
    assert story.do(0, Ack("q", (task_id,))) == 0
    assert story.claim(0) == task_id


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_late_ack_counts_while_nobody_has_claimed_since(attempts: int) -> None:
    """Also when the lapse killed the task; the work is not done twice."""
    story = Story()
    task_id = story.push(0)
    for attempt in range(attempts):
        assert story.claim(10 * attempt) == task_id
    story.passes(10 * attempts)
    status = Status.AVAILABLE if attempts == 1 else Status.DEAD
    task = story.task(task_id)
    assert (task.status, task.lapsed) == (status, True)
    assert (task.worker, task.claimed_at, task.lease_until) == (None, None, None)
    assert story.do(30, Ack("q", (task_id,))) == 1
    task = story.task(task_id)
    assert (task.status, task.finished_at, task.lapsed) == (Status.DONE, moment(30), False)
    assert task.last_error == LAPSED
    assert task.dead_at == (None if attempts == 1 else moment(20))


def test_an_ack_after_a_nack_is_too_late() -> None:
    """A nacked task was given up by its worker."""
    story = Story()
    task_id = story.held(0)
    story.nack(0, task_id)
    assert story.do(0, Ack("q", (task_id,))) == 0


def test_a_new_claim_ends_the_time_for_late_acks() -> None:
    """An ack then counts for the new holder's claim; after its nack for nobody's."""
    story = Story()
    task_id = story.held(0)
    story.passes(10)
    assert story.claim(10, worker="bob") == task_id
    assert not story.task(task_id).lapsed
    story.nack(11, task_id, NackMode.SILENT)
    assert story.do(11, Ack("q", (task_id,))) == 0


# -- Nacks -----------------------------------------------------------------------------------------


def test_a_nack_gives_the_task_back_to_its_old_place() -> None:
    """Attempts stay counted, and the error is kept."""
    story = Story()
    task_id = story.held(0)
    behind = story.push(0)
    assert story.nack(5, task_id) == 1
    task = story.task(task_id)
    assert (task.status, task.attempts, task.last_error) == (Status.AVAILABLE, 1, NACKED)
    assert (task.worker, task.claimed_at, task.lease_until) == (None, None, None)
    assert (task.available_at, task.lapsed) == (moment(0), False)
    assert [story.claim(5), story.claim(5)] == [task_id, behind]


def test_a_nack_counts_only_tasks_in_flight_of_its_queue_once() -> None:
    """What waits, is done, is elsewhere or is named again is left alone."""
    story = Story()
    waiting = story.push(0, NewTask(priority=-1))
    elsewhere = story.push(0, queue="other")
    story.claim(0, Address("other"))
    done, held = story.held(0), story.held(0)
    story.do(0, Ack("q", (done,)))
    before = [story.task(each) for each in (waiting, elsewhere, done)]
    assert story.do(0, Nack("q", (waiting, elsewhere, done, held, held, 1))) == 1
    assert [story.task(each) for each in (waiting, elsewhere, done)] == before


def test_a_nack_without_attempts_left_kills_the_task() -> None:
    """It dies where it stood: available_at is unchanged."""
    story = Story()
    task_id = story.held(0)
    story.nack(1, task_id)
    story.claim(2)
    story.do(3, Nack("q", (task_id,), delay=SECOND, reason="broken"))
    task = story.task(task_id)
    assert (task.status, task.dead_at, task.last_error) == (Status.DEAD, moment(3), "broken")
    assert (task.available_at, task.attempts, task.worker) == (moment(0), 2, None)
    assert story.machine.length("q", dead=True) == 1


@pytest.mark.parametrize(
    ("mode", "delay", "retry_delay", "at"),
    [
        (NackMode.FAIL, None, None, 0),
        (NackMode.FAIL, None, 0, 0),
        (NackMode.FAIL, None, 4 * SECOND, 5),
        (NackMode.FAIL, 0, 4 * SECOND, 0),
        (NackMode.FAIL, 2 * SECOND, 4 * SECOND, 3),
        (NackMode.SILENT, None, 4 * SECOND, 0),
        (NackMode.SILENT, 0, None, 0),
        (NackMode.SILENT, 2 * SECOND, None, 3),
    ],
)
def test_the_delay_after_a_nack(
    mode: NackMode, delay: int | None, retry_delay: int | None, at: float
) -> None:
    """A given delay counts; none given follows the queue's for FAIL; else the old place."""
    story = Story()
    story.do(0, ConfigureQueue("q", QueueSettings(retry_delay=retry_delay)))
    task_id = story.held(0)
    story.do(1, Nack("q", (task_id,), mode, delay))
    assert story.task(task_id).available_at == moment(at)


def test_the_servers_retry_delay_holds_where_the_queue_sets_none() -> None:
    """For nacks and for lapsed leases alike; a queue's 0 is a setting."""
    story = Story(replace(DEFAULTS, retry_delay=3 * SECOND))
    nacked, lapsed = story.held(0), story.held(0)
    story.nack(0, nacked)
    story.passes(10)
    assert story.task(nacked).available_at == moment(3)
    assert story.task(lapsed).available_at == moment(13)
    story.do(20, ConfigureQueue("q", QueueSettings(retry_delay=0)))
    assert story.claim(20) == nacked
    story.passes(30)
    assert story.task(nacked).available_at == moment(3)


@pytest.mark.parametrize(
    ("reason", "kept"), [(None, "before"), ("silence", "silence"), ("", "before")]
)
def test_a_silent_nack_never_counted(reason: str | None, kept: str) -> None:
    """The attempt is taken back; last_error changes only where a reason is given."""
    story = Story()
    task_id = story.held(0)
    story.do(0, Nack("q", (task_id,), reason="before"))
    story.claim(0)
    assert story.do(0, Nack("q", (task_id,), NackMode.SILENT, reason=reason)) == 1
    task = story.task(task_id)
    assert (task.status, task.attempts, task.last_error) == (Status.AVAILABLE, 1, kept)


def test_a_nack_of_a_task_from_the_dead_letter_queue() -> None:
    """FAIL: dead again, as of now. SILENT: as if nothing had been, whatever the delay."""
    story = Story()
    task_id = story.died(0)
    before = story.task(task_id)
    story.claim(1, DEAD)
    story.do(2, Nack("q", (task_id,), NackMode.SILENT, delay=SECOND))
    assert story.task(task_id) == before
    story.claim(3, DEAD)
    story.nack(4, task_id)
    assert story.task(task_id) == replace(before, dead_at=moment(4))


@pytest.mark.parametrize("mode", NackMode)
@pytest.mark.parametrize("attempts", [0, 1, 2, 9])
def test_retrycount_says_how_many_attempts_to_go_on_from(mode: NackMode, attempts: int) -> None:
    """At max_attempts the task dies in every mode; below it goes on in its own way."""
    story = Story()
    task_id = story.held(0)
    assert story.do(1, Nack("q", (task_id,), mode, attempts=attempts)) == 1
    task = story.task(task_id)
    assert task.attempts == min(attempts, 2)
    dies = attempts >= 2 or mode is NackMode.FATAL
    assert task.status is (Status.DEAD if dies else Status.AVAILABLE)
    assert task.dead_at == (moment(1) if dies else None)


def test_retrycount_of_a_task_from_the_dead_letter_queue() -> None:
    """SILENT puts it back with these attempts; FAIL is one more death."""
    story = Story()
    task_id = story.died(0)
    story.claim(1, DEAD)
    story.do(1, Nack("q", (task_id,), NackMode.SILENT, attempts=0))
    task = story.task(task_id)
    assert (task.status, task.attempts, task.dead_at) == (Status.DEAD, 0, moment(0))
    story.claim(2, DEAD)
    story.do(2, Nack("q", (task_id,), attempts=0))
    task = story.task(task_id)
    assert (task.status, task.attempts, task.dead_at) == (Status.DEAD, 0, moment(2))


def test_a_nack_can_be_fenced_by_the_attempt() -> None:
    """It touches nothing unless the task is on just that attempt."""
    story = Story()
    task_id = story.held(0)
    assert story.do(0, Nack("q", (task_id,), attempt=2)) == 0
    assert story.task(task_id).status is Status.IN_FLIGHT
    assert story.do(0, Nack("q", (task_id,), attempt=1)) == 1


# -- Leases ----------------------------------------------------------------------------------------


def test_a_lease_lapses_at_its_moment_and_not_before() -> None:
    """The task goes back to its old place; the next lapse without attempts left kills it."""
    story = Story()
    task_id = story.held(0)
    assert story.machine.next_due() == moment(10)
    story.machine.advance(moment(10) - 1)
    assert story.task(task_id).status is Status.IN_FLIGHT
    story.passes(10)
    task = story.task(task_id)
    assert (task.status, task.available_at, task.last_error) == (
        Status.AVAILABLE,
        moment(0),
        LAPSED,
    )
    assert story.machine.next_due() == FOREVER
    story.claim(10)
    story.passes(20)
    task = story.task(task_id)
    assert (task.status, task.dead_at, task.last_error) == (Status.DEAD, moment(20), LAPSED)


def test_what_falls_due_late_counts_from_now() -> None:
    """The retry delay begins when the lapse is carried out, not when it was due."""
    story = Story()
    story.do(0, ConfigureQueue("q", QueueSettings(retry_delay=SECOND)))
    task_id = story.held(0)
    story.passes(15)
    assert story.task(task_id).available_at == moment(16)


def test_a_lapse_of_a_task_from_the_dead_letter_queue_is_a_death() -> None:
    """It goes back there, and a late ack counts."""
    story = Story()
    task_id = story.died(0)
    story.claim(1, DEAD)
    story.passes(11)
    task = story.task(task_id)
    assert (task.status, task.dead_at, task.lapsed) == (Status.DEAD, moment(11), True)
    assert story.do(12, Ack("q", (task_id,))) == 1


def test_a_restart_cuts_every_lease() -> None:
    """Attempts left: available, after the retry delay; none left or from dead: dead."""
    story = Story()
    story.do(0, ConfigureQueue("q", QueueSettings(retry_delay=5 * SECOND)))
    dead = story.died(0)
    assert story.claim(0, DEAD) == dead
    last = story.held(0, NewTask(max_attempts=1))
    more = story.held(0)
    story.machine.restart(moment(3))
    assert {story.task(each).last_error for each in (dead, last, more)} == {RESTARTED}
    assert [story.task(each).status for each in (dead, last, more)] == [
        Status.DEAD,
        Status.DEAD,
        Status.AVAILABLE,
    ]
    assert story.task(more).available_at == moment(8)
    assert story.task(dead).dead_at == story.task(last).dead_at == moment(3)
    assert story.do(3, Ack("q", (dead, last, more))) == 3


def test_a_heartbeat_renews_what_the_worker_still_holds() -> None:
    """The ids it holds come back in the order given, each once; attempts are unchanged."""
    story = Story()
    first, second, third = (story.push(0) for _ in range(3))
    story.do(0, Claim((Q,), "ann", count=2))
    story.claim(0, worker="bob")
    asked = (second, third, first, second, 1)
    assert story.do(4, Extend("other", "ann", asked)) == ()
    assert story.do(4, Extend("q", "ann", asked)) == (second, first)
    task = story.task(first)
    assert (task.lease_until, task.claimed_at, task.attempts) == (moment(14), moment(0), 1)
    assert story.task(third).lease_until == moment(10)
    story.passes(10)
    assert story.do(10, Extend("q", "bob", (third,))) == ()


def test_rereading_gives_the_workers_own_tasks_with_new_leases() -> None:
    """By id, above the one given, up to the count in all, empty deliveries included."""
    story = Story()
    dead = story.died(0)
    story.claim(0, DEAD)
    ids = [story.held(0) for _ in range(3)]
    story.push(0)
    story.claim(0, worker="bob")
    sources = ((DEAD, 0), (Address("nothing"), 0), (Q, ids[0]))
    answer = story.do(2, Reread(sources, "ann", count=2))
    assert isinstance(answer, tuple)
    given = [(d.source, [c.id for c in d.tasks]) for d in answer if isinstance(d, Delivery)]
    assert given == [(DEAD, [dead]), (Address("nothing"), []), (Q, [ids[1]])]
    assert story.task(dead).lease_until == story.task(ids[1]).lease_until == moment(12)
    assert story.task(ids[2]).lease_until == moment(10)
    assert (story.task(ids[1]).claimed_at, story.task(ids[1]).attempts) == (moment(0), 1)


def test_rereading_gives_nothing_that_the_worker_has_let_go() -> None:
    """What it acked or nacked, and what lapsed, is not its own any more."""
    story = Story()
    acked, nacked, lapsed = (story.held(0) for _ in range(3))
    story.do(0, Ack("q", (acked,)))
    story.nack(0, nacked)
    story.do(9, Extend("q", "ann", (acked, nacked)))
    story.passes(10)
    assert story.task(lapsed).status is Status.AVAILABLE
    assert story.do(10, Reread(((Q, 0),), "ann", count=9)) == (Delivery(Q, ()),)


def test_an_undeliverable_claim_never_counted() -> None:
    """A release restores the record as it was, also that of a dead task."""
    story = Story()
    task_id = story.push(0)
    before = story.task(task_id)
    story.claim(1)
    assert story.do(2, Release(((task_id, 2), (1, 1)))) == 0
    assert story.do(2, Release(((task_id, 1), (task_id, 1)))) == 1
    assert story.task(task_id) == before
    dead = story.died(3)
    before = story.task(dead)
    assert story.claim(4, DEAD) == dead
    assert story.do(5, Release(((dead, 1),))) == 1
    assert story.task(dead) == before


def test_a_release_that_comes_too_late_changes_nothing() -> None:
    """The task was claimed again meanwhile, or is done."""
    story = Story()
    task_id = story.held(0)
    story.passes(10)
    story.claim(10, worker="bob")
    assert story.do(10, Release(((task_id, 1),))) == 0
    story.do(10, Ack("q", (task_id,)))
    assert story.do(10, Release(((task_id, 2),))) == 0
    assert story.task(task_id).status is Status.DONE


# -- Ttl and retention -----------------------------------------------------------------------------


def test_a_ttl_removes_what_waits_and_is_counted() -> None:
    """Ready or scheduled, at its moment."""
    story = Story()
    story.push(0, NewTask(ttl=5 * SECOND))
    story.push(0, NewTask(ttl=5 * SECOND, delay=9 * SECOND))
    assert story.machine.next_due() == moment(5)
    story.machine.advance(moment(5) - 1)
    assert story.machine.length("q") == 2
    info = story.machine.info("q", moment(5))
    assert info is not None
    assert (info.waiting, info.expired, info.pushed) == (0, 2, 2)
    assert story.machine.next_due() == FOREVER


def test_a_ttl_never_touches_a_task_in_flight_or_dead() -> None:
    """It counts again as soon as the task waits or is done."""
    story = Story()
    mortal = NewTask(ttl=2 * SECOND)
    dead, done, back = (story.held(0, mortal) for _ in range(3))
    story.nack(0, dead, NackMode.FATAL)
    story.passes(3)
    assert [task.id for task in story.machine.tasks()] == [dead, done, back]
    story.do(3, Ack("q", (done,)))
    story.nack(3, back)
    assert story.machine.next_due() <= moment(3)
    info = story.machine.info("q", moment(3))
    assert [task.id for task in story.machine.tasks()] == [dead]
    assert info is not None
    assert info.expired == 2


def test_a_lease_and_a_ttl_that_end_together_remove_the_task() -> None:
    """The lapse comes first, then the expiry; nobody is handed the task in between."""
    story = Story()
    story.held(0, NewTask(ttl=10 * SECOND))
    waiting = story.do(1, Claim((Q,), "bob", deadline=FOREVER))
    assert waiting == Waiting(1)
    story.passes(10)
    assert story.machine.tasks() == []
    assert story.machine.woken() == []


def test_retention_removes_done_tasks_only_and_does_not_count() -> None:
    """So long after they finished; waiting and dead ones stay for ever."""
    story = Story(replace(DEFAULTS, retention=5 * SECOND))
    done, dead = story.held(0), story.died(0)
    waiting = story.push(0)
    story.do(1, Ack("q", (done,)))
    assert story.machine.next_due() == moment(6)
    story.machine.advance(moment(6) - 1)
    assert story.task(done).status is Status.DONE
    info = story.machine.info("q", moment(6))
    assert info is not None
    assert (info.done, info.expired) == (0, 0)
    assert [task.id for task in story.machine.tasks()] == [dead, waiting]


def test_without_retention_done_tasks_stay() -> None:
    """None keeps them."""
    story = Story()
    task_id = story.held(0)
    story.do(0, Ack("q", (task_id,)))
    assert story.machine.next_due() == FOREVER
    story.passes(10**9)
    assert story.task(task_id).status is Status.DONE


# -- Waiters ---------------------------------------------------------------------------------------


def test_the_first_who_waits_is_the_first_who_is_served() -> None:
    """Over all queues, each in the order of its own sources, up to its own count."""
    story = Story()
    other = Address("other")
    sources = [(Q, other), (other,), (other, Q), (Q,)]
    for source in sources:
        story.do(0, Claim(source, "ann", count=2, deadline=FOREVER))
    first = story.push(0, queue="other")
    second = story.push(0, queue="other")
    third = story.push(0)
    served = [
        (woken.ticket, [(d.source, [c.id for c in d.tasks]) for d in woken.deliveries])
        for woken in story.machine.woken()
    ]
    assert served == [(1, [(other, [first])]), (2, [(other, [second])]), (3, [(Q, [third])])]


def test_many_tasks_that_fall_due_together_are_shared_out_in_order() -> None:
    """Those in front take up to their count, the next ones the rest."""
    story = Story()
    ids = [story.push(0, NewTask(delay=SECOND)) for _ in range(4)]
    elsewhere = story.push(0, NewTask(delay=SECOND), queue="other")
    for count, source in ((3, Q), (2, Address("other")), (2, Q), (1, Q)):
        story.do(0, Claim((source,), "ann", count=count, deadline=FOREVER))
    story.passes(1)
    served = [
        (woken.ticket, [claimed.id for claimed in woken.deliveries[0].tasks])
        for woken in story.machine.woken()
    ]
    assert served == [(1, ids[:3]), (2, [elsewhere]), (3, ids[3:])]


def test_a_claim_may_take_what_those_who_wait_cannot() -> None:
    """Waiting on one queue holds up no other."""
    story = Story()
    story.do(0, Claim((Q,), "ann", deadline=FOREVER))
    task_id = story.push(0, queue="other")
    assert story.claim(0, Address("other")) == task_id
    assert story.machine.woken() == []


@pytest.mark.parametrize("how", ["push", "nack", "lapse", "delay", "release", "restart", "death"])
def test_whatever_makes_a_task_claimable_wakes_who_waits_for_it(how: str) -> None:
    """In the same step."""
    story = Story()
    source = DEAD if how == "death" else Q
    if how == "delay":
        story.push(0, NewTask(delay=SECOND))
    elif how != "push":
        task_id = story.held(0)
    assert story.do(0, Claim((source,), "bob", deadline=FOREVER)) == Waiting(1)
    match how:
        case "push":
            story.push(1)
        case "nack":
            story.nack(1, task_id)
        case "release":
            story.do(1, Release(((task_id, 1),)))
        case "death":
            story.nack(1, task_id, NackMode.FATAL)
        case "restart":
            story.machine.restart(moment(1))
        case _:
            story.passes(10)
    (woken,) = story.machine.woken()
    assert woken.ticket == 1
    assert woken.deliveries[0].source == source
    (task,) = story.machine.tasks()
    assert (task.status, task.worker) == (Status.IN_FLIGHT, "bob")


def test_a_deadline_ends_the_wait() -> None:
    """At its moment, not before; one that has come already does not begin a wait."""
    story = Story()
    assert story.do(5, Claim((Q,), "ann", deadline=moment(5))) == ()
    assert story.do(5, Claim((Q,), "ann", deadline=moment(6))) == Waiting(1)
    assert story.do(5, Claim((Q,), "ann", deadline=FOREVER)) == Waiting(2)
    assert story.machine.next_due() == moment(6)
    story.machine.advance(moment(6) - 1)
    assert story.machine.woken() == []
    story.passes(6)
    assert story.machine.woken() == [Woken(1, ())]
    assert story.machine.next_due() == FOREVER


def test_work_that_comes_with_the_deadline_is_still_given() -> None:
    """Serving comes before sending away."""
    story = Story()
    task_id = story.push(0, NewTask(delay=SECOND))
    story.do(0, Claim((Q,), "ann", deadline=moment(1)))
    story.passes(1)
    (woken,) = story.machine.woken()
    assert woken.deliveries[0].tasks[0].id == task_id


def test_who_gives_up_takes_nothing() -> None:
    """A cancelled claim is passed over, also as one of many in line for the same queue twice."""
    story = Story()
    story.do(0, Claim((Q, Q), "ann", deadline=moment(9)))
    story.do(0, Claim((Q, Q), "bob", deadline=FOREVER))
    story.machine.cancel(1)
    story.machine.cancel(99)
    assert story.machine.next_due() == FOREVER
    story.push(0)
    (woken,) = story.machine.woken()
    assert woken.ticket == 2


def test_ten_thousand_waiters_on_two_queues_are_served_without_looking_at_all_of_them() -> None:
    """Each push looks at the head of its line; those behind are not touched."""
    story = Story()
    for _ in range(10_000):
        story.do(0, Claim((Address("other"), Q), "ann", deadline=moment(99)))
    for _ in range(10_000):
        story.push(0)
    assert [woken.ticket for woken in story.machine.woken()] == list(range(1, 10_001))


# -- The books -------------------------------------------------------------------------------------


def test_the_books_of_a_queue() -> None:
    """Every figure, once."""
    story = Story()
    own = QueueSettings(retry_delay=SECOND)
    story.do(0, ConfigureQueue("q", own))
    done = story.held(0)
    story.do(0, Ack("q", (done,)))
    held = story.held(0, NewTask(b"held", ((b"a", b"b"),)))
    story.died(0)
    oldest = story.push(1)
    story.push(2, NewTask(priority=9))
    last = story.push(2, NewTask(b"last", delay=10 * SECOND))
    info = story.machine.info("q", moment(3))
    assert info is not None
    assert (info.name, info.settings, info.pushed, info.last_id) == ("q", own, 6, last)
    assert (info.ready, info.scheduled, info.in_flight, info.done, info.dead) == (2, 1, 1, 1, 1)
    assert info.oldest_waiting == story.task(oldest).available_at
    assert info.first is not None
    assert info.last is not None
    assert (info.first.id, info.first.payload, info.first.headers) == (
        held,
        b"held",
        ((b"a", b"b"),),
    )
    assert (info.last.id, info.last.payload) == (last, b"last")


def test_what_is_no_operation_is_refused() -> None:
    """Loudly: it is the driver's mistake."""
    with pytest.raises(AssertionError):
        Story().do(0, cast(Operation, "push"))


def test_the_books_of_all_queues_come_by_name() -> None:
    """Dead-letter queues are not queues of their own."""
    story = Story()
    for queue in ("b", "a", "c"):
        story.push(0, queue=queue)
    assert [info.name for info in story.machine.queues(moment(0))] == ["a", "b", "c"]
