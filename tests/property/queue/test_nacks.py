"""Nacks in every mode, with every option (`ezra.sansio.queue.changes`, too)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ezra.sansio.model import SECOND, Address, NackMode, NewTask, Status
from ezra.sansio.queue.lifecycle import NACKED
from ezra.sansio.queue.operations import Ack, Nack
from tests.property.queue.story import DEAD, DEFAULTS, Story, moment


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
    assert story.length(3, DEAD) == 1


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
    story.configure(0, retry_delay=retry_delay)
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
    story.configure(20, retry_delay=0)
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
    assert story.task(task_id) == replace(before, claims=2)
    story.claim(3, DEAD)
    story.nack(4, task_id)
    assert story.task(task_id) == replace(before, dead_at=moment(4), claims=3)


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


def test_what_is_done_counts_where_it_is_asked_for() -> None:
    """And stays done: who acks a task and then deletes it hears that it is gone."""
    story = Story()
    task_id = story.held(0)
    nack = Nack("q", (task_id,), counts_done=True)
    story.do(0, Ack("q", (task_id,)))
    done = story.task(task_id)
    assert [story.do(1, nack), story.do(1, Nack("q", (task_id,)))] == [1, 0]
    assert story.task(task_id) == done
    waiting = story.push(2)
    assert story.do(2, Nack("q", (waiting,), counts_done=True)) == 0
