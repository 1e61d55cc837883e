"""What time alone does: leases, ttls and retention, each exactly at its moment."""

from __future__ import annotations

from dataclasses import replace

from ezra.sansio.model import FOREVER, SECOND, NackMode, NewTask, Status
from ezra.sansio.queue.lifecycle import LAPSED, NACKED, RESTARTED
from ezra.sansio.queue.machine import Waiting
from ezra.sansio.queue.operations import Ack, Claim
from tests.property.queue.story import DEAD, DEFAULTS, Q, Story, moment


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
    story.configure(0, retry_delay=SECOND)
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
    """Attempts left: available, after the retry delay; none left or from dead: dead.

    What is in nobody's hands stays as it is.
    """
    story = Story()
    story.configure(0, retry_delay=5 * SECOND)
    waiting = story.task(story.push(0, NewTask(delay=9 * SECOND)))
    dead = story.died(0)
    assert story.claim(0, DEAD) == dead
    last = story.held(0, NewTask(max_attempts=1))
    more = story.held(0)
    story.machine.restart(moment(3))
    assert [story.task(each).last_error for each in (dead, last, more)] == [
        NACKED,
        RESTARTED,
        RESTARTED,
    ]
    assert [story.task(each).status for each in (dead, last, more)] == [
        Status.DEAD,
        Status.DEAD,
        Status.AVAILABLE,
    ]
    assert story.task(more).available_at == moment(8)
    assert story.task(waiting.id) == waiting
    assert story.task(dead).dead_at == story.task(last).dead_at == moment(3)
    assert story.do(3, Ack("q", (dead, last, more))) == 3


def test_a_ttl_removes_what_waits_and_is_counted() -> None:
    """Ready or scheduled, at its moment."""
    story = Story()
    story.push(0, NewTask(ttl=5 * SECOND))
    story.push(0, NewTask(ttl=5 * SECOND, delay=9 * SECOND))
    assert story.machine.next_due() == moment(5)
    story.machine.advance(moment(5) - 1)
    assert len(story.machine.tasks()) == 2
    info = story.info(5)
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
    info = story.info(3)
    assert [task.id for task in story.machine.tasks()] == [dead]
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
    info = story.info(6)
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
