"""Take-overs, and claims that look at what is in flight."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import (
    FOREVER,
    SECOND,
    Address,
    Claimed,
    Delivery,
    NackMode,
    NewTask,
    Status,
    Taken,
    WorkerInfo,
)
from ezra.sansio.queue.lifecycle import NACKED, TAKEN_OVER
from ezra.sansio.queue.looks import Workers
from ezra.sansio.queue.machine import Waiting
from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    CreateQueue,
    Extend,
    Nack,
    Operation,
    Release,
    TakeIdle,
    TakeOver,
)
from tests.property.queue.story import DEAD, Q, Story, moment


def taken(story: Story, at: float, *ids: int, idle: float = 1, **options: object) -> list[Claimed]:
    """Have bob take the tasks over, if they have been idle for so long."""
    take = TakeOver("q", "g", "bob", round(idle * SECOND), ids, **options)  # type: ignore[arg-type]  # as the test says
    return list(cast(tuple[Claimed, ...], story.do(at, take)))


@pytest.fixture
def story() -> Story:
    """Return a queue with a group."""
    story = Story()
    story.do(0, CreateQueue("q", "g"))
    return story


def test_a_take_over_is_a_failed_attempt_and_a_claim(story: Story) -> None:
    """The worker gets it with the attempt counted and a lease of its own; no retry delay counts."""
    story.configure(0, retry_delay=SECOND)
    task_id = story.held(0)
    story.do(2, Extend("q", "ann", (task_id,)))
    assert taken(story, 3, task_id, idle=1) == [
        Claimed(task_id, b"x", (), 2, 2, claim=2, idle=SECOND)
    ]
    task = story.task(task_id)
    assert (task.status, task.worker, task.attempts) == (Status.IN_FLIGHT, "bob", 2)
    assert (task.claimed_at, task.renewed_at, task.lease_until) == (moment(3), None, moment(13))
    assert (task.last_error, task.lapsed) == (TAKEN_OVER, False)
    assert task.available_at == moment(0), "its place is what it was"
    assert story.do(3, Extend("q", "ann", (task_id,))) == ()


@pytest.mark.parametrize("idle", [0, 4.000001, 9])
def test_what_is_not_idle_for_so_long_stays_where_it_is(story: Story, idle: float) -> None:
    """With a least time of 0 nothing of another worker is ever taken."""
    task_id = story.held(0)
    before = story.task(task_id)
    assert taken(story, 4, task_id, idle=idle) == []
    assert story.task(task_id) == before


def test_a_task_without_attempts_left_dies_instead(story: Story) -> None:
    """Nobody gets it; the worker who was too slow may still ack it."""
    task_id = story.held(0)
    assert [each.id for each in taken(story, 1, task_id)] == [task_id]
    take = TakeOver("q", "g", "ann", SECOND, (task_id,))
    assert story.do(2, take) == ()
    task = story.task(task_id)
    assert (task.status, task.attempts, task.dead_at) == (Status.DEAD, 2, moment(2))
    assert (task.worker, task.last_error, task.lapsed) == (None, TAKEN_OVER, True)
    assert story.do(2, Ack("q", (task_id,))) == 1


def test_a_task_from_the_dead_letter_queue_goes_back_there(story: Story) -> None:
    """It keeps the error that it died of."""
    task_id = story.died(0)
    story.claim(1, DEAD)
    assert taken(story, 5, task_id) == []
    task = story.task(task_id)
    assert (task.status, task.last_error, task.attempts) == (Status.DEAD, NACKED, 1)


def test_ones_own_task_is_renewed_whatever_its_idle_time(story: Story) -> None:
    """By its id; a search for idle ones looks at the time. Attempts stay."""
    story.push(0)
    task_id = story.claim(0, worker="bob")
    assert task_id is not None
    assert story.do(1, TakeIdle("q", "g", "bob", 2 * SECOND)) == Taken((), 0)
    (own,) = taken(story, 1, task_id, idle=9)
    assert (own.attempts, own.idle) == (1, SECOND)
    task = story.task(task_id)
    assert (task.claimed_at, task.renewed_at, task.lease_until) == (
        moment(0),
        moment(1),
        moment(11),
    )
    renewed = story.do(3, TakeIdle("q", "g", "bob", 0))
    assert renewed == Taken((Claimed(task_id, b"x", (), 1, 2, claim=1, idle=2 * SECOND),), 0)


def test_a_search_counts_an_attempt_of_ones_own_task_too(story: Story) -> None:
    """So a worker that only ever searches does not try for ever; unless it means to renew."""
    story.push(0)
    task_id = story.claim(0, worker="bob")
    search = TakeIdle("q", "g", "bob", SECOND)
    renewed = cast(Taken, story.do(1, replace(search, renews=True)))
    assert [(each.id, each.attempts) for each in renewed.tasks] == [(task_id, 1)]
    again = cast(Taken, story.do(2, search))
    assert [(each.id, each.attempts) for each in again.tasks] == [(task_id, 2)]
    assert story.do(3, search) == Taken((), 0)
    assert task_id is not None
    assert (story.task(task_id).status, story.task(task_id).last_error) == (
        Status.DEAD,
        TAKEN_OVER,
    )


def test_retrycount_sets_the_attempts(story: Story) -> None:
    """Of what is taken over and of one's own; never above max_attempts; not of what dies."""
    task_id = story.held(0)
    assert [each.attempts for each in taken(story, 1, task_id, attempts=0)] == [0]
    assert [each.attempts for each in taken(story, 1, task_id, attempts=9)] == [2]
    assert story.do(3, TakeOver("q", "g", "ann", SECOND, (task_id,), attempts=0)) == ()
    assert story.task(task_id).attempts == 2


@pytest.mark.parametrize("undone", ["released", "silent"])
def test_a_task_set_to_no_attempts_never_has_fewer(story: Story, undone: str) -> None:
    """When that claim is undone there is none to take off."""
    task_id = story.held(0)
    taken(story, 1, task_id, attempts=0)
    if undone == "released":
        assert story.do(1, Release(((task_id, 2),))) == 1
    else:
        assert story.do(1, Nack("q", (task_id,), NackMode.SILENT)) == 1
    assert story.task(task_id).attempts == 0
    assert story.claim(1) == task_id


def test_force_claims_what_is_claimable(story: Story) -> None:
    """As if it were its turn; not what is scheduled, done or dead, and nothing without it."""
    first, ready = story.push(0), story.push(0)
    later = story.push(0, NewTask(b"x", delay=9 * SECOND))
    done, dead = story.push(0), story.push(0)
    assert taken(story, 0, ready) == []
    for each in taken(story, 0, done, dead, force=True):
        assert each.attempts == 1
    story.do(0, Ack("q", (done,)))
    story.do(0, Nack("q", (dead,), attempts=9))
    asked = (later, done, dead, ready, ready, 1)
    assert taken(story, 1, *asked, force=True) == [Claimed(ready, b"x", (), 1, 2, claim=1)]
    assert story.info(1).last_claimed == dead
    assert story.claim(1) == first
    assert taken(story, 1, first, idle=0, force=True) == []


def test_a_search_takes_by_id_and_says_where_it_stopped(story: Story) -> None:
    """So many; what dies of it is not counted; what comes next is the cursor, and 0 the end."""
    dying = story.held(0, NewTask(max_attempts=1))
    first, second, third = (story.held(0) for _ in range(3))
    answer = cast(Taken, story.do(5, TakeIdle("q", "g", "bob", SECOND, count=1)))
    assert ([each.id for each in answer.tasks], answer.cursor) == ([first], second)
    assert story.task(dying).status is Status.DEAD
    answer = cast(Taken, story.do(5, TakeIdle("q", "g", "bob", SECOND, answer.cursor, 2)))
    assert ([each.id for each in answer.tasks], answer.cursor) == ([second, third], 0)
    assert story.do(5, TakeIdle("q", "g", "bob", SECOND)) == Taken((), 0)


@pytest.mark.parametrize(
    "operation",
    [
        TakeOver("q", "g", "bob", SECOND, (1,)),
        TakeIdle("q", "g", "bob", SECOND),
        Extend("q", "bob", (1,), "g"),
    ],
)
def test_the_group_must_be_known(operation: Operation) -> None:
    """Without it, or without the queue, the same words; then the worker is seen."""
    story = Story()
    for make in (None, "q"):
        if make is not None:
            story.do(0, CreateQueue(make, "other"))
        with pytest.raises(CommandError) as error:
            story.do(0, operation)
        assert str(error.value) == Text.NO_GROUP.format(queue="q", group="g")
    story.do(0, CreateQueue("q", "g"))
    story.do(1, operation)
    assert story.see(1, Workers("q", "g")) == (
        moment(1),
        (WorkerInfo("bob", 0, moment(1), None),),
    )


def test_a_claim_first_reads_again_then_takes_what_is_idle_then_what_is_new(story: Story) -> None:
    """Up to its count in all; NOACK is for the new ones."""
    story.push(0)
    own = story.claim(0, worker="bob")
    lying, also = story.held(0), story.held(4)
    new = story.push(0)
    claim = Claim((Q,), "bob", 9, done_at_once=True, rereads=((Q, 0),), min_idle=3 * SECOND)
    again, fresh = cast(tuple[Delivery, ...], story.do(5, claim))
    assert [(each.id, each.idle, each.attempts) for each in again.tasks] == [(own, 0, 1)]
    assert [(each.id, each.idle) for each in fresh.tasks] == [(lying, 5 * SECOND), (new, 0)]
    assert [story.task(each).status for each in (lying, new)] == [Status.IN_FLIGHT, Status.DONE]
    assert story.task(also).worker == "ann"
    few = Claim((Q,), "bob", 2, rereads=((Q, 0), (DEAD, 0)), min_idle=1)
    again, none = cast(tuple[Delivery, ...], story.do(6, few))
    assert [each.id for each in again.tasks] == [own, lying]
    assert none == Delivery(DEAD, ())


def test_a_claim_takes_idle_tasks_from_where_they_came(story: Story) -> None:
    """From the dead-letter queue through that: whoever held them, they die and are claimed anew."""
    own, other = story.died(0), story.died(0)
    assert story.claim(1, DEAD, "bob") == own
    assert story.claim(1, DEAD) == other
    assert story.do(2, Claim((Q,), "bob", 9, min_idle=1)) == ()
    (given,) = cast(tuple[Delivery, ...], story.do(3, Claim((DEAD,), "bob", 9, min_idle=1)))
    assert [(each.id, each.idle) for each in given.tasks] == [(own, 0), (other, 0)]


def test_who_waits_is_not_given_what_is_idle(story: Story) -> None:
    """It is fed with what comes, whatever has been idle meanwhile."""
    held = story.held(0)
    claim = Claim((Q,), "bob", 9, deadline=FOREVER, min_idle=5 * SECOND)
    assert story.do(1, claim) == Waiting(1)
    new = story.push(7)
    (woken,) = story.machine.woken()
    assert [each.id for each in woken.deliveries[0].tasks] == [new]
    assert story.task(held).worker == "ann"


def test_what_dies_of_a_search_is_given_to_who_waits_for_the_dead(story: Story) -> None:
    """To whoever came first; if nobody did, to the very claim that searched and found nothing."""
    first = story.held(0, NewTask(max_attempts=1))
    claim = Claim((DEAD, Q), "bob", deadline=FOREVER, min_idle=SECOND)
    (given,) = cast(tuple[Delivery, ...], story.do(1, claim))
    assert (given.source, [each.id for each in given.tasks]) == (DEAD, [first])
    story.do(1, Ack("q", (first,)))
    assert story.do(1, Claim((DEAD,), "zoe", deadline=FOREVER)) == Waiting(1)
    second = story.held(1, NewTask(max_attempts=1))
    assert story.do(3, claim) == Waiting(2)
    (woken,) = story.machine.woken()
    assert (woken.ticket, woken.deliveries[0].tasks[0].id) == (1, second)


def test_a_claim_makes_its_group_and_worker_known_where_there_is_a_queue(story: Story) -> None:
    """At once in those that exist, sources and rereads; fed later, in the one that feeds it."""
    new = Address("new")
    claim = Claim((Q, new), "bob", deadline=FOREVER, group="h")
    assert story.do(0, claim) == Waiting(1)
    assert story.see(1, Workers("q", "h")) == (
        moment(1),
        (WorkerInfo("bob", 0, moment(0), None),),
    )
    story.push(2, queue="new")
    known = (WorkerInfo("bob", 1, moment(2), moment(2)),)
    assert story.see(3, Workers("new", "h")) == (moment(3), known)
    story.do(4, Claim((), "ann", group="i", rereads=((Q, 0), (Address("none"), 0))))
    seen = (WorkerInfo("ann", 0, moment(4), None),)
    assert story.see(4, Workers("q", "i")) == (moment(4), seen)
