"""What claims, acks and failures write into a task's record."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from ezra.sansio.model import (
    SECOND,
    Address,
    Claimed,
    Delivery,
    Entry,
    NackMode,
    NewTask,
    Status,
    Taken,
)
from ezra.sansio.queue import changes
from ezra.sansio.queue.lifecycle import CHECKSUM_WRONG, LAPSED
from ezra.sansio.queue.operations import Ack, Claim, Extend, Nack, Release, TakeIdle
from tests.property.queue.story import DEAD, DEFAULTS, Q, Story, moment, only_task


def test_a_claim_counts_an_attempt_and_gives_a_lease() -> None:
    """The record says who holds it, since when and how long."""
    story = Story()
    task_id = story.push(0, NewTask(b"x", ((b"h", b"v"),)))
    answer = story.do(3, Claim((Q,), "ann"))
    assert only_task(answer) == Claimed(task_id, b"x", ((b"h", b"v"),), 1, 2, claim=1)
    task = story.task(task_id)
    assert (task.status, task.attempts, task.worker) == (Status.IN_FLIGHT, 1, "ann")
    assert (task.claimed_at, task.lease_until) == (moment(3), moment(13))


def test_the_lease_is_the_tasks_own_or_its_queues_or_the_servers() -> None:
    """The nearest setting that is set counts, as it is at the claim."""
    story = Story()
    own = story.push(0, NewTask(visibility_timeout=SECOND))
    queues = story.push(0)
    story.configure(0, visibility_timeout=4 * SECOND)
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
    assert story.length(1, DEAD) == 0
    assert story.do(2, Ack("q", (task_id,))) == 1
    task = story.task(task_id)
    assert (task.status, task.dead_at, task.worker) == (Status.DONE, moment(0), "ann")


def test_a_dead_task_whose_time_has_not_come_is_claimable_as_dead() -> None:
    """Its scheduled time only gives it its place."""
    story = Story()
    story.configure(0, max_attempts=2, retry_delay=9 * SECOND)
    first = story.died(0)
    second = story.held(0)
    story.nack(0, second)
    assert story.claim(9) == second
    story.nack(9, second, NackMode.FATAL)
    assert [story.claim(9, DEAD), story.claim(9, DEAD)] == [first, second]


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


@pytest.mark.parametrize("restart", [False, True])
def test_a_dead_task_that_was_looked_at_keeps_the_error_that_it_died_of(restart: bool) -> None:
    """A lease cut after a claim from the dead-letter queue says nothing about the task."""
    story = Story()
    task_id = story.held(0)
    story.do(0, Nack("q", (task_id,), NackMode.FATAL, reason="boom"))
    assert story.claim(1, DEAD) == task_id
    story.machine.restart(moment(11)) if restart else story.passes(11)
    task = story.task(task_id)
    assert (task.status, task.last_error) == (Status.DEAD, "boom")
    assert (task.dead_at, task.lapsed, task.attempts) == (moment(11), True, 1)


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


def test_an_undeliverable_claim_never_counted() -> None:
    """A release restores the record as it was, also that of a dead task; but it was claimed."""
    story = Story()
    task_id = story.push(0)
    before = story.task(task_id)
    story.claim(1)
    assert story.do(2, Release(((task_id, 2), (1, 1)))) == 0
    assert story.do(2, Release(((task_id, 1), (task_id, 1)))) == 1
    assert story.task(task_id) == replace(before, claims=1)
    dead = story.died(3)
    before = story.task(dead)
    assert story.claim(4, DEAD) == dead
    assert story.do(5, Release(((dead, before.claims + 1),))) == 1
    assert story.task(dead) == replace(before, claims=before.claims + 1)


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


@pytest.mark.parametrize("between", ["released", "silent", "lapsed", "dead", "idle", "set back"])
def test_a_number_names_one_claim_of_a_task(between: str) -> None:
    """Whatever happened between two claims, at the same moment and by the same worker.

    Who had the first of them takes nothing from who has the second.
    """
    story = Story(replace(DEFAULTS, visibility_timeout=1))
    source = DEAD if between == "dead" else Q
    task_id = story.died(0) if between == "dead" else story.push(0)
    before = story.task(task_id).claims
    first = only_task(story.do(0, Claim((source,), "ann", group="g")))
    match between:
        case "released":
            assert story.do(0, Release(((task_id, first.claim),))) == 1
        case "silent" | "dead":
            assert story.nack(0, task_id, NackMode.SILENT) == 1
        case "set back":
            assert story.do(0, Nack("q", (task_id,), attempts=0)) == 1
        case "lapsed":
            story.machine.advance(moment(0) + 1)
        case "idle":
            story.configure(0, visibility_timeout=5)
            story.do(0, Extend("q", "ann", (task_id,)))
            taken = story.machine.apply(TakeIdle("q", "g", "ann", 2), moment(0) + 3)
            second = cast(Taken, taken).tasks[0]
        case _:
            raise AssertionError(between)
    if between != "idle":
        second = only_task(story.do(0, Claim((source,), "ann")))
    held = story.task(task_id)
    assert (first.claim, second.claim, held.claims) == (before + 1, before + 2, before + 2)
    assert story.do(0, Release(((task_id, first.claim),))) == 0
    assert story.do(0, Nack("q", (task_id,), claim=first.claim)) == 0
    assert story.do(0, Extend("q", "ann", (task_id,), claim=first.claim)) == ()
    assert story.task(task_id) == held
    assert story.do(0, Extend("q", "ann", (task_id,), claim=second.claim)) == (task_id,)
    assert story.task(task_id).claims == second.claim, "a heartbeat is no claim"
    assert story.do(0, Nack("q", (task_id,), claim=second.claim)) == 1


def set_aside(story: Story, task_id: int, seconds: int) -> None:
    """Have a task found damaged."""
    story.machine._state.put(
        changes.quarantined(story.task(task_id), CHECKSUM_WRONG, moment(seconds))
    )


def test_what_is_set_aside_is_dead_and_nobody_gets_it() -> None:
    """It has had no attempt by that, is counted, and shows what is wrong with it."""
    story = Story()
    other, task_id = story.died(0), story.push(0)
    set_aside(story, task_id, 1)
    task = story.task(task_id)
    assert (task.status, task.attempts, task.last_error) == (Status.DEAD, 0, CHECKSUM_WRONG)
    assert (task.dead_at, task.damaged, task.lapsed) == (moment(1), True, False)
    assert story.claim(2, DEAD) == other
    assert story.do(2, Claim((DEAD,), "bob")) == ()
    entry = changes.seen(task)
    assert entry == Entry(task_id, None, ((b"ezra.damaged", CHECKSUM_WRONG.encode()),))


def test_who_held_what_is_set_aside_may_ack_it() -> None:
    """As after any lease that was cut; then it is done, and damaged no more."""
    story = Story()
    task_id = story.push(0)
    story.do(0, Claim((Q,), "ann"))
    set_aside(story, task_id, 1)
    task = story.task(task_id)
    assert (task.worker, task.lease_until, task.lapsed) == (None, None, True)
    assert story.do(2, Ack("q", (task_id,))) == 1
    assert (story.task(task_id).status, story.task(task_id).damaged) == (Status.DONE, False)
