"""Repeated pushes: the same key of the same producer, within its time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import FOREVER, SECOND, Address, Dedup, NewTask
from ezra.sansio.queue.operations import Ack, DeleteQueues, Erase, Push, Transact
from tests.property.queue.story import DEFAULTS, Story, moment, remembered_keys

KEY = Dedup(b"p", b"1")
STORY = replace(DEFAULTS, dedup_window=20 * SECOND, dedup_limit=2)


def push(story: Story, at: float, dedup: Dedup = KEY, queue: str = "q") -> int:
    """Push a task with that key, and return the id that is answered."""
    return story.push(at, NewTask(b"x", dedup=dedup), queue)


def test_a_repeat_answers_the_first_id_and_adds_nothing() -> None:
    """Before its time is over, which the first push settles; from that moment on it is new."""
    story = Story(STORY)
    first = push(story, 0)
    assert [push(story, at) for at in (0, 10, 19.999999)] == [first] * 3
    assert story.machine.next_due() == moment(20)
    assert len(story.machine.tasks()) == story.info(19).pushed == 1
    second = push(story, 20)
    assert second > first
    assert push(story, 39) == second


def test_another_key_producer_or_queue_is_another_push() -> None:
    """All three tell it; whether the key is limited does not."""
    story = Story(STORY)
    others = [KEY, replace(KEY, key=b"2"), replace(KEY, producer=b"r")]
    ids = [push(story, 0, dedup) for dedup in others] + [push(story, 0, queue="other")]
    assert len(set(ids)) == 4
    assert push(story, 0, replace(KEY, limited=True, ttl=SECOND)) == ids[0]
    story.passes(19)
    assert push(story, 19) == ids[0], "the repeat has prolonged or shortened nothing"


def test_the_time_is_the_pushs_own_or_its_queues_or_the_servers() -> None:
    """As they are at the first push."""
    story = Story(STORY)
    own = push(story, 0, replace(KEY, ttl=SECOND))
    story.configure(0, dedup_window=5 * SECOND)
    queues = push(story, 0, replace(KEY, key=b"2"))
    story.configure(0, dedup_window=None)
    servers = push(story, 0, replace(KEY, key=b"3"))
    kept = [(each.id, each.until) for each in remembered_keys(story.machine)]
    assert kept == [(own, moment(1)), (queues, moment(5)), (servers, moment(20))]


def test_no_time_at_all_remembers_nothing() -> None:
    """Every push is new then, and nothing falls due."""
    story = Story(STORY)
    story.configure(0, dedup_window=0)
    assert push(story, 0) < push(story, 0)
    assert story.machine.next_due() == FOREVER


def test_it_outlives_the_task() -> None:
    """Done and removed, it is still not pushed again; the queue's end ends it."""
    story = Story(STORY)
    first = push(story, 0)
    story.claim(0)
    story.do(0, Ack("q", (first,)))
    story.do(0, Erase("q", (first,)))
    assert push(story, 1) == first
    assert story.machine.tasks() == []
    assert story.do(1, DeleteQueues(("q",))) == 1
    assert story.machine.next_due() == FOREVER
    assert push(story, 1) > first


def test_only_so_many_limited_keys_of_one_producer_are_remembered() -> None:
    """The oldest is forgotten first; other keys, producers and queues are not counted."""
    story = Story(STORY)
    limited = [replace(KEY, key=bytes([n]), limited=True) for n in range(3)]
    unlimited, elsewhere = replace(KEY, key=b"u"), replace(limited[0], producer=b"r")
    others = [push(story, 0, dedup) for dedup in (unlimited, elsewhere)]
    ids = [push(story, 0, dedup) for dedup in limited]
    assert [push(story, 1, dedup) for dedup in (unlimited, elsewhere)] == others
    assert [push(story, 1, dedup) for dedup in limited[1:]] == ids[1:]
    assert push(story, 1, limited[0]) > ids[2]
    story.configure(2, dedup_limit=0)
    push(story, 2, replace(KEY, key=b"z", limited=True))
    kept = [each.dedup for each in remembered_keys(story.machine)]
    assert kept == [unlimited, elsewhere]


def test_a_repeat_is_known_before_its_id_is_looked_at() -> None:
    """A chosen id that would be refused is no obstacle; without the queue there is no answer."""
    story = Story(STORY)
    again = NewTask(b"x", id=1, dedup=KEY)
    assert story.do(0, Push("q", again, create=False)) is None
    first = push(story, 0)
    assert story.push(0, again) == first


def test_a_push_that_fails_remembers_nothing() -> None:
    """Refused, or undone with the rest of its transaction."""
    story = Story(STORY)
    with pytest.raises(CommandError, match=Text.ID_TOO_SMALL):
        story.push(0, NewTask(id=0, dedup=KEY))
    story.push(0)
    new = Push("q", NewTask(dedup=KEY))
    with pytest.raises(CommandError):
        story.do(0, Transact((new, new, Push("q", NewTask(id=0)))))
    assert remembered_keys(story.machine) == []
    assert story.machine._state.ledger._limited == {}


def test_a_roll_back_remembers_again_what_was_forgotten() -> None:
    """What was too much, and what went with its queue; when they are due, too."""
    story = Story(STORY)
    limited = [replace(KEY, key=bytes([n]), limited=True) for n in range(3)]
    ids = [push(story, 0, dedup) for dedup in limited[:2]]
    kept, due = remembered_keys(story.machine), story.machine.next_due()
    third = Push("q", NewTask(dedup=limited[2]))
    forget = (third, Erase("q", tuple(ids)), Push("other", NewTask(id=0)))
    for steps in (forget, (Erase("q", tuple(ids)), DeleteQueues(("q",)), *forget[2:])):
        with pytest.raises(CommandError):
            story.do(0, Transact(steps))
        assert remembered_keys(story.machine) == kept
        assert story.machine.next_due() == due
    assert [push(story, 1, dedup) for dedup in limited[:2]] == ids


def test_the_keys_of_a_queue_that_is_left_alone_stay() -> None:
    """Deleting one queue forgets its own keys only, those of every producer."""
    story = Story(STORY)
    kept = push(story, 0, queue="other")
    for key in (KEY, replace(KEY, producer=b"r", limited=True)):
        story.do(0, Erase("q", (push(story, 0, key),)))
    story.do(0, DeleteQueues(("q",)))
    assert [each.id for each in remembered_keys(story.machine)] == [kept]
    assert story.length(0, Address("other")) == 1
