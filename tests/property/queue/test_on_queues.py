"""Queues, groups and workers: made, configured, removed."""

from __future__ import annotations

import pytest

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import FOREVER, SECOND, Address, NewTask, QueueSettings, Status
from ezra.sansio.queue.looks import Exists, FindGroup, Groups, Workers
from ezra.sansio.queue.machine import Waiting
from ezra.sansio.queue.operations import (
    Ack,
    AddWorker,
    Claim,
    ConfigureQueue,
    CreateQueue,
    DeleteQueues,
    Operation,
    RemoveGroup,
    RemoveWorker,
    Trim,
)
from tests.property.queue.story import DEAD, Q, Story, moment


def refused(story: Story, operation: Operation) -> str:
    """Return the text with which the operation is refused."""
    with pytest.raises(CommandError) as error:
        story.do(0, operation)
    return str(error.value)


def test_configuring_changes_what_is_named_and_leaves_the_rest() -> None:
    """None leaves a setting to the server again; without `create` the queue must exist."""
    story = Story()
    change = ConfigureQueue("q", (("retry_delay", SECOND),), create=False)
    assert refused(story, change) == Text.NO_SUCH_KEY
    story.configure(0, max_attempts=7, dedup_limit=3)
    assert story.do(0, change) is None
    assert story.info(0).settings == QueueSettings(
        retry_delay=SECOND, max_attempts=7, dedup_limit=3
    )
    story.configure(0, max_attempts=None)
    assert story.info(0).settings == QueueSettings(retry_delay=SECOND, dedup_limit=3)
    assert story.task(story.push(0)).max_attempts == 2


def test_deleting_removes_queues_that_are_finished() -> None:
    """With all that was theirs; those that are not there count nothing, and each counts once."""
    story = Story()
    done = story.held(0)
    story.do(0, Ack("q", (done,)))
    story.do(0, CreateQueue("other"))
    story.do(0, CreateQueue("q", "g"))
    story.do(0, AddWorker("q", "g", "ann"))
    assert story.do(1, DeleteQueues(("q", "none", "q", "other"))) == 2
    assert story.machine.tasks() == []
    assert story.see(1, Exists((Q, Address("other")))) == 0
    assert len(story.machine._state.roster) == 0
    assert story.push(1) > done, "ids are never used again"
    assert story.info(1).groups == 0


@pytest.mark.parametrize("what", ["ready", "scheduled", "in flight", "dead"])
def test_a_queue_with_something_to_do_is_not_deleted(what: str) -> None:
    """Nor are those named with it; the text says what there is, and what helps."""
    story = Story()
    story.do(0, CreateQueue("other"))
    match what:
        case "ready":
            story.push(0)
        case "scheduled":
            story.push(0, NewTask(delay=SECOND))
        case "in flight":
            story.held(0)
        case _:
            story.died(0)
    waiting, in_flight, dead = (
        int(what in group) for group in ("ready scheduled", "in flight", "dead")
    )
    assert refused(story, DeleteQueues(("other", "q"))) == Text.UNFINISHED.format(
        queue="q", waiting=waiting, in_flight=in_flight, dead=dead
    )
    assert story.see(0, Exists((Q, Address("other")))) == 2
    if what == "dead":
        assert story.do(0, Trim(DEAD)) == 1
        assert story.do(0, DeleteQueues(("q",))) == 1


def test_who_waits_on_a_queue_that_is_deleted_waits_on() -> None:
    """And is served when it is made again."""
    story = Story()
    story.do(0, CreateQueue("q"))
    assert story.do(0, Claim((Q,), "ann", deadline=FOREVER)) == Waiting(1)
    story.do(0, DeleteQueues(("q",)))
    assert story.machine.woken() == []
    story.push(0)
    assert [woken.ticket for woken in story.machine.woken()] == [1]


def test_a_group_is_forgotten_with_its_workers_and_no_task_changes() -> None:
    """The answer says whether it was known."""
    story = Story()
    story.push(0)
    story.do(0, Claim((Q,), "ann", group="g"))
    before = story.machine.tasks()
    assert story.do(0, RemoveGroup("q", "g")) == 1
    assert story.do(0, RemoveGroup("q", "g")) == 0
    assert story.machine.tasks() == before
    assert story.see(0, Groups("q")) == (story.info(0), ())
    assert len(story.machine._state.roster) == 0


def test_adding_a_worker_says_whether_it_was_new() -> None:
    """Whoever was seen in the group, or holds tasks of the queue, was not."""
    story = Story()
    story.held(0)
    story.do(0, CreateQueue("q", "g"))
    assert story.do(1, AddWorker("q", "g", "ann")) == 0
    assert story.do(1, AddWorker("q", "g", "bob")) == 1
    assert story.do(2, AddWorker("q", "g", "bob")) == 0


def test_removing_a_worker_releases_what_it_holds() -> None:
    """Those claims never counted, and go to who waits; dead ones return; others keep theirs."""
    story = Story()
    story.do(0, CreateQueue("q", "g"))
    dead, mine, other = story.died(0), story.held(0), story.push(0)
    story.claim(0, DEAD)
    story.claim(0, worker="bob")
    elsewhere = story.push(0, queue="other")
    story.claim(0, Address("other"))
    assert story.do(1, Claim((Q,), "zoe", deadline=FOREVER)) == Waiting(1)
    assert story.do(2, RemoveWorker("q", "g", "ann")) == 2
    assert [woken.deliveries[0].tasks[0].attempts for woken in story.machine.woken()] == [1]
    assert story.task(mine).worker == "zoe"
    assert (story.task(dead).status, story.task(dead).attempts) == (Status.DEAD, 1)
    assert (story.task(other).worker, story.task(elsewhere).worker) == ("bob", "ann")
    assert story.do(2, RemoveWorker("q", "g", "ann")) == 0
    story.do(3, AddWorker("q", "g", "ann"))
    story.do(3, RemoveWorker("q", "g", "ann"))
    answer = story.see(3, Workers("q", "g"))
    assert isinstance(answer, tuple)
    assert answer[0] == moment(3)
    assert "ann" not in repr(answer)


@pytest.mark.parametrize("kind", [AddWorker, RemoveWorker])
def test_the_workers_queue_and_group_must_be_known(
    kind: type[AddWorker] | type[RemoveWorker],
) -> None:
    """Each in Redis' words; a group's queue, too."""
    story = Story()
    assert refused(story, kind("q", "g", "ann")) == Text.XGROUP_NEEDS_QUEUE
    assert refused(story, RemoveGroup("q", "g")) == Text.XGROUP_NEEDS_QUEUE
    story.do(0, CreateQueue("q", "other"))
    expected = Text.NO_SUCH_GROUP.format(queue="q", group="g")
    assert refused(story, kind("q", "g", "ann")) == expected
    story.do(0, CreateQueue("q", "g"))
    assert story.see(0, FindGroup("q", "g")) is None
