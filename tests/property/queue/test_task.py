"""How a task is pushed: its record, its id and its scheduled time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import (
    MILLISECOND,
    NO_ID,
    SECOND,
    SEQUENCE_BITS,
    NewTask,
    QueueName,
    Status,
)
from ezra.sansio.queue.looks import Names
from ezra.sansio.queue.operations import Ack, Claim
from ezra.sansio.queue.task import MAX_LEAD, Task
from tests.property.fake_clock import START
from tests.property.queue.story import DEFAULTS, Q, Story, moment


def test_a_push_writes_down_all_that_it_was_given() -> None:
    """Every field of the record comes from the push, the queue or the moment."""
    story = Story()
    story.configure(0, max_attempts=7)
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
    assert story.see(0, Names()) == (QueueName(1, "q", dead=False),)
    assert story.length(0) == 1


def test_a_chosen_id_may_be_a_day_ahead_and_no_more() -> None:
    """The ids after it go on from there."""
    story = Story()
    furthest = ((moment(0) + MAX_LEAD) // MILLISECOND) << SEQUENCE_BITS
    with pytest.raises(CommandError) as error:
        story.push(0, NewTask(id=furthest + 1))
    assert str(error.value) == Text.ID_TOO_FAR
    assert story.push(0, NewTask(id=furthest)) == furthest
    assert story.push(1) == furthest + 1
