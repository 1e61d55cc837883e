"""Looks: what each shows, against what scanning all tasks gives."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import (
    SECOND,
    Address,
    Entry,
    GroupDetails,
    GroupInfo,
    Held,
    PendingSummary,
    QueueDetails,
    QueueInfo,
    QueueName,
    Status,
    WorkerInfo,
)
from ezra.sansio.queue.looks import (
    Details,
    Exists,
    FindGroup,
    Groups,
    Info,
    Infos,
    Length,
    Look,
    Names,
    Pending,
    PendingTasks,
    Range,
    Workers,
)
from ezra.sansio.queue.machine import QueueMachine
from ezra.sansio.queue.operations import Claim, CreateQueue, DeleteQueues, Extend, Operation
from ezra.sansio.queue.task import Task
from tests.property.fake_clock import START
from tests.property.operations import DEFAULTS, GROUPS, QUEUES, looks, operations, time_steps
from tests.property.queue.story import DEAD, Q, Story, moment

LIVE = (Status.AVAILABLE, Status.IN_FLIGHT)


def entries(tasks: list[Task], address: Address) -> list[Entry]:
    """Return what is to be seen at the address, by id."""
    statuses = (Status.DEAD,) if address.dead else LIVE
    here = [task for task in tasks if task.queue == address.queue and task.status in statuses]
    return [Entry(task.id, task.payload, task.headers) for task in here]


def held(tasks: list[Task], queue: str, now: int) -> list[Held]:
    """Return the queue's tasks in flight, by id."""
    return [
        Held(task.id, task.worker or "", since, now - since, task.attempts)
        for task in tasks
        if task.queue == queue and task.status is Status.IN_FLIGHT
        for since in [task.claimed_at if task.renewed_at is None else task.renewed_at]
        if since is not None
    ]


def expected(look: Look, tasks: list[Task], now: int) -> object:
    """Return what a look at tasks should answer; None for the other looks."""
    match look:
        case Length(address=Address(queue=queue, dead=True)):
            return len(entries(tasks, Address(queue, dead=True)))
        case Length(address=Address(queue=queue)):
            return sum(task.queue == queue and task.status is LIVE[0] for task in tasks)
        case Range():
            found = entries(tasks, look.address)
            found = [entry for entry in found if look.first <= entry.id <= look.last]
            return tuple(found[::-1] if look.backwards else found)[: look.count]
        case Pending(queue=queue):
            return summary(held(tasks, queue, now))
        case PendingTasks(queue=queue):
            return tuple(each for each in held(tasks, queue, now) if shown(each, look))[
                : look.count
            ]
        case _:
            return None


def summary(tasks: list[Held]) -> PendingSummary:
    """Return the tasks in flight, counted."""
    names = sorted({task.worker for task in tasks})
    workers = tuple((name, sum(task.worker == name for task in tasks)) for name in names)
    ids = [task.id for task in tasks] or [0]
    return PendingSummary(len(tasks), ids[0], ids[-1], workers)


def shown(task: Held, look: PendingTasks) -> bool:
    """Say whether the look asks for the task."""
    in_range = look.first <= task.id <= look.last
    return in_range and look.worker in (None, task.worker) and task.idle >= look.min_idle


@pytest.mark.unmeasured
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_looks_at_tasks_see_what_scanning_gives(data: st.DataObject) -> None:
    """After any history; and looking changes nothing."""
    machine, now = QueueMachine(DEFAULTS), START
    for queue in QUEUES:
        machine.apply(CreateQueue(queue, GROUPS[0]), now)
    for _ in range(data.draw(st.integers(0, 15))):
        now += data.draw(time_steps)
        try_to(machine, data.draw(operations(machine.tasks(), now, may_wait=True)), now)
    machine.advance(now)
    tasks = machine.tasks()
    for look in data.draw(st.lists(looks(tasks), max_size=8)):
        try:
            answer = machine.look(look, now)
        except CommandError:
            continue
        if isinstance(look, Length | Range | Pending | PendingTasks):
            assert answer == expected(look, tasks, now)
        assert machine.tasks() == tasks


def try_to(machine: QueueMachine, operation: Operation, now: int) -> None:
    """Apply the operation, if it is possible."""
    try:
        machine.apply(operation, now)
    except CommandError:
        return


def test_what_exists() -> None:
    """Queues, and dead-letter queues with something in them; each mention counts."""
    story = Story()
    assert story.see(0, Exists((Q, DEAD))) == 0
    story.push(0)
    assert story.see(0, Exists((Q, DEAD, Q, Address("other")))) == 2
    dead = story.died(0)
    assert story.see(0, Exists((Q, DEAD))) == 2
    assert story.claim(0, DEAD) == dead
    assert story.see(0, Exists((DEAD,))) == 0
    assert story.see(0, Exists((DEAD,), "ERR not to be")) == 0
    with pytest.raises(CommandError, match="ERR not to be"):
        story.see(0, Exists((Q,), "ERR not to be"))


def test_the_names_of_queues_come_in_the_order_of_their_making() -> None:
    """From any number on, so many; a queue that is made again comes last."""
    story = Story()
    for queue in ("c", "a", "b"):
        story.do(0, CreateQueue(queue))
    story.died(0)
    names = [
        QueueName(2, "a", dead=False),
        QueueName(3, "b", dead=False),
        QueueName(4, "q", dead=True),
        QueueName(5, "c", dead=False),
    ]
    story.do(0, DeleteQueues(("c",)))
    story.do(0, CreateQueue("c"))
    assert story.see(0, Names()) == tuple(names)
    assert story.see(0, Names(count=2)) == tuple(names[:2])
    assert story.see(0, Names(after=3, count=1)) == (names[2],)
    assert story.see(0, Names(after=5)) == ()


@pytest.mark.parametrize("source", [Q, DEAD])
def test_a_range_has_two_ends_and_two_directions(source: Address) -> None:
    """Both ends are inside; the count is counted from where it begins."""
    story = Story()
    ids = [story.died(0) if source.dead else story.push(0) for _ in range(5)]
    middle = (ids[1], ids[3])

    def seen(count: int | None, *, backwards: bool) -> list[int]:
        answer = story.see(0, Range(source, *middle, count, backwards))
        return [entry.id for entry in cast(tuple[Entry, ...], answer)]

    assert seen(None, backwards=False) == ids[1:4]
    assert seen(None, backwards=True) == ids[3:0:-1]
    assert seen(2, backwards=False) == ids[1:3]
    assert seen(2, backwards=True) == ids[3:1:-1]
    assert seen(0, backwards=False) == []
    assert story.see(0, Range(source, ids[3], ids[1])) == ()


def test_groups_and_their_workers() -> None:
    """By name: those seen since the start, and whoever holds tasks of the queue."""
    story = Story()
    story.push(0)
    story.push(0)
    story.do(1, Claim((Q,), "bob", group="h"))
    story.do(2, Claim((Q,), "ann", group="g"))
    story.do(3, Claim((Q,), "ann", group="g"))
    story.do(4, Claim((Q,), "zoe", group="g"))
    ann = WorkerInfo("ann", 1, moment(3), moment(2))
    bob = WorkerInfo("bob", 1, None, None)
    zoe = WorkerInfo("zoe", 0, moment(4), None)
    assert story.see(5, Workers("q", "g")) == (moment(5), (ann, bob, zoe))
    groups = (GroupInfo("g", 3), GroupInfo("h", 2))
    assert story.see(5, Groups("q")) == (story.info(5), groups)


def test_a_restart_forgets_who_was_seen_but_not_the_groups() -> None:
    """Who holds nothing is not known then."""
    story = Story()
    story.push(0)
    story.do(0, Claim((Q,), "ann", group="g"))
    story.machine.restart(moment(1))
    assert story.see(1, Workers("q", "g")) == (moment(1), ())


def test_the_details_of_a_queue() -> None:
    """Everything at once, entries and held tasks as many as asked for."""
    story = Story()
    held_id, also = story.held(0), story.held(1)
    ready, later = story.push(2), story.push(2)
    story.do(3, CreateQueue("q", "g"))
    story.do(4, Extend("q", "ann", (held_id,), "g"))
    ann = WorkerInfo("ann", 2, moment(4), moment(4))
    answer = cast(QueueDetails, story.see(5, Details("q", 3)))
    assert answer.info == story.info(5)
    assert [entry.id for entry in answer.entries] == [held_id, also, ready]
    assert answer.groups == (GroupDetails("g", (ann,)),)
    assert answer.held == (
        Held(held_id, "ann", moment(4), SECOND, 1),
        Held(also, "ann", moment(1), 4 * SECOND, 1),
    )
    everything = cast(QueueDetails, story.see(5, Details("q", None)))
    assert [entry.id for entry in everything.entries] == [held_id, also, ready, later]
    assert len(cast(QueueDetails, story.see(5, Details("q", 1))).held) == 1


@pytest.mark.parametrize(
    ("look", "without_queue", "without_group"),
    [
        (Info("q"), Text.NO_SUCH_KEY, None),
        (Details("q"), Text.NO_SUCH_KEY, None),
        (Groups("q"), Text.NO_SUCH_KEY, None),
        (Workers("q", "g"), Text.NO_SUCH_KEY, Text.NO_SUCH_GROUP),
        (FindGroup("q", "g"), Text.XGROUP_NEEDS_QUEUE, Text.NO_SUCH_GROUP),
        (Pending("q", "g"), Text.NO_GROUP, Text.NO_GROUP),
        (PendingTasks("q", "g"), Text.NO_GROUP, Text.NO_GROUP),
    ],
)
def test_a_look_at_what_is_not_there(
    look: Look, without_queue: str, without_group: str | None
) -> None:
    """Each says so in Redis' words; once the queue and the group are there it answers."""
    story = Story()
    with pytest.raises(CommandError) as error:
        story.see(0, look)
    assert str(error.value) == without_queue.format(queue="q", group="g")
    story.do(0, CreateQueue("q", "other"))
    if without_group is not None:
        with pytest.raises(CommandError) as error:
            story.see(0, look)
        assert str(error.value) == without_group.format(queue="q", group="g")
    story.do(0, CreateQueue("q", "g"))
    story.see(0, look)


def test_a_group_that_is_found_answers_nothing() -> None:
    """The look is for its errors."""
    story = Story()
    story.do(0, CreateQueue("q", "g"))
    assert story.see(0, FindGroup("q", "g")) is None


def test_a_look_sees_what_is_due() -> None:
    """As of its own moment."""
    story = Story()
    story.held(0)
    assert story.info(9.9).in_flight == 1
    (info,) = cast(tuple[QueueInfo, ...], story.see(10, Infos()))
    assert (info.at, info.ready, info.in_flight) == (moment(10), 1, 0)


def test_books_are_shown_a_few_queues_at_a_time() -> None:
    """By name, after the last one shown; the names need not exist."""
    story = Story()
    for queue in ("c", "a", "b", "d"):
        story.do(0, CreateQueue(queue))

    def names(after: str, count: int | None = None) -> list[str]:
        infos = cast(tuple[QueueInfo, ...], story.see(0, Infos(after, count)))
        return [info.name for info in infos]

    assert names("") == ["a", "b", "c", "d"]
    assert names("", 2) == ["a", "b"]
    assert names("b", 1) == ["c"]
    assert names("bb") == ["c", "d"]
    assert names("d", 2) == []


def test_idle_counts_from_the_last_renewal() -> None:
    """Of the one that was renewed, since then; of the other, since its claim."""
    story = Story()
    story.do(0, CreateQueue("q", "g"))
    renewed, other = story.held(0), story.held(0)
    story.do(4, Extend("q", "ann", (renewed,)))
    answer = cast(tuple[Held, ...], story.see(5, PendingTasks("q", "g", min_idle=2 * SECOND)))
    assert [(each.id, each.idle) for each in answer] == [(other, 5 * SECOND)]
