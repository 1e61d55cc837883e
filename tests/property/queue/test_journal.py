"""Transactions: all of it or nothing, and nobody comes in between."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ezra.sansio.errors import CommandError, LocalProtocolError, Text
from ezra.sansio.model import FOREVER, NewTask, QueueName
from ezra.sansio.queue.journal import Journal
from ezra.sansio.queue.looks import Info, Infos, Length, Look, Names
from ezra.sansio.queue.machine import QueueMachine, Waiting
from ezra.sansio.queue.operations import (
    Claim,
    CreateQueue,
    DeleteQueues,
    Nack,
    Operation,
    Push,
    Transact,
)
from tests.property.fake_clock import START
from tests.property.operations import (
    DEFAULTS,
    GROUPS,
    QUEUES,
    looks,
    operations,
    time_steps,
    transactions,
)
from tests.property.queue.story import Q, Story, remembered_keys

NEVER = Push("q", NewTask(id=0))
"""A step that fails wherever it stands: no task has the id 0."""


def contents(machine: QueueMachine) -> object:
    """Return everything there is in a machine, but for the last id given out."""
    state = machine._state
    shelves = state.store.shelves()
    return (
        machine.tasks(),
        [(shelf.name, shelf.number, shelf.books) for shelf in shelves],
        [tuple(state.roster.workers(queue, group, {})) for queue in QUEUES for group in GROUPS],
        remembered_keys(machine),
        state.ledger._limited.keys(),
        orders(machine),
        machine.next_due(),
        machine.woken(),
    )


def orders(machine: QueueMachine) -> object:
    """Return every order in which tasks and queues are looked for."""
    store = machine._state.store
    rankings = [*store.timetable._rankings(), machine._state.ledger._due]
    for shelf in store.shelves():
        rankings += [shelf.waiting_since]
    return (
        [ranking._ranks for ranking in rankings],
        [(shelf.ready._ranks, shelf.dead_turns._ranks) for shelf in store.shelves()],
        [
            [list(order.ascending()) for order in (shelf.live, shelf.in_flight, shelf.dead)]
            for shelf in store.shelves()
        ],
        [(list(shelf.done.ascending()), shelf._held) for shelf in store.shelves()],
        [shelf.number for shelf in store.shelves_after(0)],
    )


def outcome(machine: QueueMachine, asked: Operation | Look, now: int) -> object:
    """Return what is answered, or the text of the error."""
    try:
        if isinstance(asked, Look):
            return machine.look(asked, now)
        return machine.apply(asked, now)
    except CommandError as error:
        return str(error)


def history(data: st.DataObject) -> tuple[QueueMachine, int]:
    """Return a machine after a few operations, and the moment; its sets are made in advance."""
    machine, now = QueueMachine(DEFAULTS), START
    for queue in data.draw(st.sampled_from([QUEUES, ()])):
        machine.apply(CreateQueue(queue, GROUPS[0]), now)
    for _ in range(data.draw(st.integers(0, 10))):
        now += data.draw(time_steps)
        outcome(machine, data.draw(operations(machine.tasks(), now, may_wait=True)), now)
    machine.advance(now)
    machine.woken()
    return machine, now


ONE_HISTORY = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.unmeasured
@ONE_HISTORY
@given(st.data())
def test_what_is_rolled_back_never_was(data: st.DataObject) -> None:
    """Every record, book, order, key and worker is as before, and so is all that follows.

    Only ids that were used up are not given out again.
    """
    machine, now = history(data)
    before, twin = contents(machine), copy.deepcopy(machine)
    steps = data.draw(transactions(machine.tasks(), now)).steps
    text = outcome(machine, Transact((*steps, NEVER)), now)
    assert isinstance(text, str)
    assert text.startswith("EXECABORT Transaction rolled back")
    assert contents(machine) == before
    assert machine._state.last_id >= twin._state.last_id
    twin._state.last_id = machine._state.last_id
    for _ in range(data.draw(st.integers(0, 5))):
        now += data.draw(time_steps)
        asked = data.draw(operations(machine.tasks(), now, may_wait=True) | looks(machine.tasks()))
        assert outcome(machine, asked, now) == outcome(twin, asked, now)
        assert contents(machine) == contents(twin)


@pytest.mark.unmeasured
@ONE_HISTORY
@given(st.data())
def test_a_transaction_is_its_steps_one_after_the_other(data: st.DataObject) -> None:
    """Where nobody waits, the answers and what is there afterwards are those of single steps."""
    machine, now = history(data)
    for ticket in range(1, 99):
        machine.cancel(ticket)
    twin = copy.deepcopy(machine)
    transact = data.draw(transactions(machine.tasks(), now))
    before = contents(machine)
    together = outcome(machine, transact, now)
    alone = one_by_one(twin, transact, now)
    if isinstance(alone, str):
        assert together == Text.ROLLED_BACK.format(error=alone)
        assert contents(machine) == before
    else:
        assert together == alone
        machine.advance(now)
        assert contents(machine) == contents(twin)


def one_by_one(machine: QueueMachine, transact: Transact, now: int) -> str | tuple[object, ...]:
    """Carry the steps out each by itself; return the answers, or the text of the first error."""
    answers: list[object] = []
    for step in transact.steps:
        answer = outcome(machine, step, now)
        if isinstance(answer, str):
            return answer
        answers.append(answer)
    return tuple(answers)


def test_who_waits_is_served_when_it_is_over() -> None:
    """Not in between: what a transaction pushes and takes itself, nobody else gets."""
    story = Story()
    assert story.do(0, Claim((Q,), "bob", deadline=FOREVER)) == Waiting(1)
    push, take = Push("q", NewTask(b"x")), Claim((Q,), "ann")
    answer = cast(tuple[object, ...], story.do(0, Transact((push, take, push, Length(Q)))))
    second, waiting = answer[2:]
    assert waiting == 1
    assert [task.worker for task in story.machine.tasks()] == ["ann", "bob"]
    (woken,) = story.machine.woken()
    assert woken.deliveries[0].tasks[0].id == second


def test_who_waits_gets_nothing_of_what_is_rolled_back() -> None:
    """It waits on, and is served by the next push."""
    story = Story()
    story.do(0, Claim((Q,), "bob", deadline=FOREVER))
    with pytest.raises(CommandError) as error:
        story.do(0, Transact((Push("q", NewTask()), NEVER)))
    assert str(error.value) == Text.ROLLED_BACK.format(error=Text.ID_TOO_SMALL)
    assert story.machine.woken() == []
    assert story.machine.tasks() == []
    task_id = story.push(0)
    assert [woken.deliveries[0].tasks[0].id for woken in story.machine.woken()] == [task_id]


def test_an_id_that_was_used_up_is_not_given_out_again() -> None:
    """Whoever saw it in a log knows it for that transaction's."""
    story = Story()
    first = story.push(0)
    with pytest.raises(CommandError):
        story.do(0, Transact((Push("q", NewTask()), Push("q", NewTask()), NEVER)))
    assert story.push(0) == first + 3


def test_queues_are_made_and_removed_with_the_rest() -> None:
    """Rolled back, a new one never was, and a removed one is where it stood in the list."""
    story = Story()
    for queue in ("a", "b"):
        story.do(0, CreateQueue(queue, "g"))
    steps = (DeleteQueues(("a",)), CreateQueue("c"), CreateQueue("a"), NEVER)
    with pytest.raises(CommandError):
        story.do(0, Transact(steps))
    names = (QueueName(1, "a", dead=False), QueueName(2, "b", dead=False))
    assert story.see(0, Names()) == names
    story.do(0, Transact((*steps[:3], Info("c"))))
    assert [name.number for name in cast(tuple[QueueName, ...], story.see(0, Names()))] == [2, 3, 4]


@pytest.mark.parametrize("step", [Transact(()), Claim((Q,), "ann", deadline=FOREVER)])
def test_what_cannot_be_a_step_is_the_drivers_mistake(step: Operation) -> None:
    """It is refused before anything is done."""
    story = Story()
    with pytest.raises(LocalProtocolError):
        story.do(0, Transact((Push("q", NewTask()), step)))
    assert story.see(0, Infos()) == ()


def test_a_step_sees_what_the_steps_before_it_made_due() -> None:
    """A task given back after its ttl is over is not there any more."""
    story = Story()
    task_id = story.held(0, NewTask(ttl=1))
    steps = (Nack("q", (task_id,)), Claim((Q,), "ann"), Length(Q))
    assert story.do(5, Transact(steps)) == (1, (), 0)
    assert story.info(5).expired == 1


def test_outside_a_transaction_nothing_is_kept() -> None:
    """What is noted is forgotten at once, and never undone."""
    journal = Journal()
    journal.note(lambda: 1 / 0)
    with journal.transaction():
        journal.note(lambda: 1 / 0)

    def undone() -> None:
        with journal.transaction():
            raise KeyError

    with pytest.raises(KeyError):
        undone()


@pytest.mark.parametrize("fails", [False, True])
def test_one_inside_another_is_undone_alone_or_with_it(fails: bool) -> None:
    """What the inner one left is the outer one's to undo; what it has undone is undone once."""
    journal = Journal()
    undone: list[int] = []

    def inner() -> None:
        with journal.transaction():
            journal.note(lambda: undone.append(2))
            if fails:
                raise KeyError

    def outer() -> None:
        with journal.transaction():
            journal.note(lambda: undone.append(1))
            with suppress(KeyError):
                inner()
            assert undone == ([2] if fails else [])
            journal.note(lambda: undone.append(3))
            raise KeyError

    with pytest.raises(KeyError):
        outer()
    assert undone == ([2, 3, 1] if fails else [3, 2, 1])
