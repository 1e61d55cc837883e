"""Heartbeats through a group, strict nacks, erasing and trimming."""

from __future__ import annotations

import pytest

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import FOREVER, SECOND, NewTask, Status, WorkerInfo
from ezra.sansio.queue.looks import Workers
from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    CreateQueue,
    Erase,
    Extend,
    Nack,
    Operation,
    Trim,
)
from tests.property.queue.story import DEAD, Q, Story, moment


def test_a_strict_nack_of_nothing_is_an_error() -> None:
    """Of something it answers as always."""
    story = Story()
    task_id = story.push(0)
    with pytest.raises(CommandError) as error:
        story.do(0, Nack("q", (task_id,), strict=True))
    assert str(error.value) == Text.NOT_IN_FLIGHT
    story.claim(0)
    assert story.do(0, Nack("q", (task_id, 1), strict=True)) == 1


def test_a_heartbeat_through_a_group_makes_the_worker_seen() -> None:
    """Active where it still held something; one without a group is nobody's visit."""
    story = Story()
    story.do(0, CreateQueue("q", "g"))
    task_id = story.held(0)
    assert story.do(1, Extend("q", "ann", (task_id,))) == (task_id,)
    assert len(story.machine._state.roster) == 0
    story.do(2, Extend("q", "ann", (task_id,), "g"))
    story.do(3, Extend("q", "ann", (1,), "g"))
    ann = WorkerInfo("ann", 1, moment(3), moment(2))
    assert story.see(3, Workers("q", "g")) == (moment(3), (ann,))


def test_erasing_removes_what_nobody_holds() -> None:
    """Ready, scheduled, done or dead; never twice, and never from another queue."""
    story = Story()
    done, dead = story.held(0), story.died(0)
    story.do(0, Ack("q", (done,)))
    held, ready = story.held(0), story.push(0)
    later = story.push(0, NewTask(delay=SECOND))
    elsewhere = story.push(0, queue="other")
    ids = (ready, held, later, ready, done, elsewhere, dead, 1)
    expected = (True, False, True, False, True, False, True, False)
    assert story.do(0, Erase("q", ids)) == expected
    assert [task.id for task in story.machine.tasks()] == [held, elsewhere]
    assert story.machine.next_due() == story.task(held).lease_until
    assert story.info(0).expired == 0


def test_erasing_with_an_ack_removes_what_became_done_by_it() -> None:
    """In flight, or late; what waits, is done or dead for another reason stays."""
    story = Story()
    late = story.held(0)
    story.passes(10)
    held, done, dead, ready = story.push(10), story.push(10), story.push(10), story.push(10)
    story.do(10, Nack("q", (late,)))
    story.do(10, Claim((Q,), "ann", count=4))
    story.do(10, Ack("q", (done,)))
    story.do(10, Nack("q", (dead,), attempts=9))
    story.passes(11)
    ids = (late, held, done, dead, ready, held)
    assert story.do(11, Erase("q", ids, acks=True)) == (True, True, False, False, False, False)
    assert [task.id for task in story.machine.tasks()] == [done, dead, ready]


def finished(story: Story) -> list[int]:
    """Have four tasks done, the second one first, and one in each other status."""
    ids = [story.push(0) for _ in range(4)]
    story.do(0, Claim((Q,), "ann", count=4))
    for at, which in enumerate((1, 0, 2, 3)):
        story.do(at, Ack("q", (ids[which],)))
    return ids


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        ({}, [1, 0, 2, 3]),
        ({"keep": 1}, [1, 0, 2]),
        ({"keep": 9}, []),
        ({"most": 1}, [1]),
        ({"keep": 3, "most": 2}, [1]),
        ({"most": 0}, []),
    ],
)
def test_trimming_removes_the_done_tasks_that_finished_first(
    options: dict[str, int], gone: list[int]
) -> None:
    """So many stay, at most so many go; nothing else is touched."""
    story = Story()
    ids = finished(story)
    others = [story.died(5), story.held(5), story.push(5)]
    assert story.do(5, Trim(Q, **options)) == len(gone)
    left = [task.id for task in story.machine.tasks()]
    assert left == [each for n, each in enumerate(ids) if n not in gone] + others


def test_trimming_below_an_id() -> None:
    """Of the done ones below it, those that finished first; `keep` counts all."""
    story = Story()
    ids = finished(story)
    assert story.do(5, Trim(Q, keep=3, below=ids[2])) == 1
    assert [task.id for task in story.machine.tasks()] == [ids[0], ids[2], ids[3]]
    assert story.do(5, Trim(Q, below=ids[2])) == 1
    assert story.do(5, Trim(Q, below=ids[2])) == 0


def test_trimming_the_dead() -> None:
    """Through the dead-letter queue, the lowest ids first; the done ones stay."""
    story = Story()
    done = story.held(0)
    story.do(0, Ack("q", (done,)))
    dead = [story.died(0) for _ in range(3)]
    assert story.claim(0, DEAD) == dead[0]
    assert story.do(0, Trim(DEAD, keep=1)) == 1
    assert [task.id for task in story.machine.tasks()] == [done, dead[0], dead[2]]
    assert story.do(0, Trim(DEAD, below=dead[2])) == 0
    assert story.do(0, Trim(DEAD)) == 1
    assert story.task(dead[0]).status is Status.IN_FLIGHT


@pytest.mark.parametrize("operation", [Erase("q", (1,)), Trim(Q), Trim(DEAD)])
def test_nothing_is_removed_where_there_is_no_queue(operation: Operation) -> None:
    """And none is made."""
    story = Story()
    assert story.do(0, operation) in (0, (False,))
    assert story.machine.next_due() == FOREVER
