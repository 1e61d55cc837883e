"""Who waits, who is served and who goes away with nothing."""

from __future__ import annotations

import pytest

from ezra.sansio.model import FOREVER, SECOND, Address, NackMode, NewTask, Status
from ezra.sansio.queue.machine import Waiting, Woken
from ezra.sansio.queue.operations import Claim, Release
from tests.property.queue.story import DEAD, Q, Story, moment


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


@pytest.mark.unmeasured
def test_ten_thousand_waiters_on_two_queues_are_served_without_looking_at_all_of_them() -> None:
    """Each push looks at the head of its line; those behind are not touched."""
    story = Story()
    for _ in range(10_000):
        story.do(0, Claim((Address("other"), Q), "ann", deadline=moment(99)))
    for _ in range(10_000):
        story.push(0)
    assert [woken.ticket for woken in story.machine.woken()] == list(range(1, 10_001))
