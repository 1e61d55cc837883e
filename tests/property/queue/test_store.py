"""Queues that are there and queues that are not."""

from __future__ import annotations

import pytest

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import Delivery, NewTask
from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    CreateQueue,
    Extend,
    Nack,
    Push,
    Release,
    Reread,
)
from tests.property.queue.story import DEAD, Q, Story, moment


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


def test_the_books_of_all_queues_come_by_name() -> None:
    """Dead-letter queues are not queues of their own."""
    story = Story()
    for queue in ("b", "a", "c"):
        story.push(0, queue=queue)
    assert [info.name for info in story.machine.queues(moment(0))] == ["a", "b", "c"]
