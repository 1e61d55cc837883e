"""Queues that are there and queues that are not."""

from __future__ import annotations

from typing import cast

import pytest

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import Delivery, NewTask, QueueInfo
from ezra.sansio.queue.looks import Exists, Infos
from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    CreateQueue,
    DeleteQueues,
    Erase,
    Extend,
    Nack,
    Push,
    Release,
    Trim,
)
from tests.property.queue.story import DEAD, Q, Story


def test_a_push_that_must_not_create_the_queue_does_not() -> None:
    """It answers None, and works once the queue is there."""
    story = Story()
    push = Push("q", NewTask(b"x"), create=False)
    assert story.do(0, push) is None
    assert story.see(0, Exists((Q,))) == 0
    story.do(0, CreateQueue("q"))
    assert isinstance(story.do(0, push), int)


def test_what_is_asked_of_a_queue_that_is_not_there() -> None:
    """Nothing is found, nothing counted, and nothing created."""
    story = Story()
    assert story.do(0, Claim((Q, DEAD), "ann")) == ()
    again = Claim((), "ann", rereads=((Q, 0), (DEAD, 0)))
    assert story.do(0, again) == (Delivery(Q, ()), Delivery(DEAD, ()))
    assert story.do(0, Ack("q", (1,))) == 0
    assert story.do(0, Nack("q", (1,))) == 0
    assert story.do(0, Extend("q", "ann", (1,))) == ()
    assert story.do(0, Release(((1, 1),))) == 0
    assert story.length(0) == story.length(0, DEAD) == 0
    assert story.do(0, Erase("q", (1,))) == (False,)
    assert story.do(0, Trim(Q)) == story.do(0, Trim(DEAD)) == 0
    assert story.do(0, DeleteQueues(("q",))) == 0
    assert story.see(0, Infos()) == ()


def test_creating_a_queue_and_its_groups() -> None:
    """It can be done again; a group's name counts once; without `create` the queue must exist."""
    story = Story()
    with pytest.raises(CommandError) as error:
        story.do(0, CreateQueue("q", "g", create=False))
    assert str(error.value) == Text.XGROUP_NEEDS_QUEUE
    for group in ("g", None, "g", "h"):
        assert story.do(0, CreateQueue("q", group)) is None
    assert story.do(0, CreateQueue("q", "i", create=False)) is None
    assert story.info(0).groups == 3


def test_the_books_of_all_queues_come_by_name() -> None:
    """Dead-letter queues are not queues of their own."""
    story = Story()
    for queue in ("b", "a", "c"):
        story.push(0, queue=queue)
    infos = cast(tuple[QueueInfo, ...], story.see(0, Infos()))
    assert [info.name for info in infos] == ["a", "b", "c"]
