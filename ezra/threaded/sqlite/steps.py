"""What carries out each kind of operation, for as many calls at once as a batch brings.

What an operation does to a task is decided by the pure rules (`ezra.sansio.queue.changes`). Here
the tasks that calls name are found, each call is given its answer as if it had come alone and in
this order, and what has changed is written. Pushes, claims, idle tasks and queues have files of
their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, get_args

from ezra.sansio.errors import CommandError, EzraError, Text
from ezra.sansio.model import Claimed, Status
from ezra.sansio.queue import changes
from ezra.sansio.queue.looks import Look
from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    Erase,
    Extend,
    Nack,
    Outcome,
    Push,
    Release,
    Result,
    TakeIdle,
    TakeOver,
    Transact,
)
from ezra.sansio.queue.task import Task
from ezra.threaded.sqlite import faults, idle, queues, reading
from ezra.threaded.sqlite.calls import Call, Kind, runs
from ezra.threaded.sqlite.claims import claim
from ezra.threaded.sqlite.pushes import push
from ezra.threaded.sqlite.sweep import catch_up
from ezra.threaded.sqlite.transaction import Transaction
from ezra.threaded.sqlite.view import View

Tasks = dict[int, Task]
Step = Callable[[Transaction, Sequence[Call]], None]


def carry_out(tx: Transaction, kind: Kind, calls: Sequence[Call]) -> None:
    """Carry out a run of calls of one kind, in this order, and fill in their outcomes."""
    STEPS[kind](tx, calls)


# -- Tasks that the calls name ---------------------------------------------------------------------


def ack(tx: Transaction, calls: Sequence[Call]) -> None:
    """Tasks are done."""

    def answer(tasks: Tasks, ack: Ack) -> tuple[int, list[Task]]:
        found = _of_queue(tasks, ack.queue, ack.ids)
        events = [(task, changes.ack_event(task)) for task in found]
        done = [changes.acked(task, event, tx.now) for task, event in events if event is not None]
        return len(done), done

    _change(tx, calls, answer)


def nack(tx: Transaction, calls: Sequence[Call]) -> None:
    """Tasks could not be done."""

    def answer(tasks: Tasks, nack: Nack) -> tuple[int, list[Task]]:
        found = _of_queue(tasks, nack.queue, nack.ids)
        held = [task for task in found if changes.is_nacked(task, nack)]
        if nack.strict and not held:
            raise CommandError(Text.NOT_IN_FLIGHT)
        back = [changes.nacked(task, nack, tx.rules_of(task).retry_delay, tx.now) for task in held]
        return sum(changes.counts_for(task, nack) for task in found), back

    _change(tx, calls, answer)


def extend(tx: Transaction, calls: Sequence[Call]) -> None:
    """Workers renew their leases."""

    def answer(tasks: Tasks, extend: Extend) -> tuple[tuple[int, ...], list[Task]]:
        queue, group, worker = extend.queue, extend.group, extend.worker
        if group is not None:
            tx.registry.read_through(queue, group)
        held = [
            task
            for task in _of_queue(tasks, queue, extend.ids)
            if changes.is_extended(task, extend)
        ]
        if group is not None:
            tx.registry.roster.see(queue, group, worker, tx.now, active=bool(held))
        renewed = [changes.extended(task, tx.lease_until(task), tx.now) for task in held]
        return tuple(task.id for task in held), renewed

    _change(tx, calls, answer)


def release(tx: Transaction, calls: Sequence[Call]) -> None:
    """Claims whose answers could not be delivered never were."""

    def answer(tasks: Tasks, release: Release) -> tuple[int, list[Task]]:
        back: Tasks = {}
        for task_id, number in release.claims:
            task = tasks.get(task_id)
            if task and task_id not in back and changes.is_released(task, number):
                back[task_id] = changes.released(task, tx.now)
        return len(back), list(back.values())

    _change(tx, calls, answer)


def erase(tx: Transaction, calls: Sequence[Call]) -> None:
    """Tasks that nobody holds, or that are done, leave."""

    def answer(tasks: Tasks, erase: Erase) -> tuple[tuple[bool, ...], list[Task]]:
        gone: Tasks = {}
        for task in _of_queue(tasks, erase.queue, erase.ids):
            erased = changes.erased(task, acks=erase.acks, now=tx.now)
            if erased is not None:
                gone[task.id] = erased
        first = dict(zip(reversed(erase.ids), reversed(range(len(erase.ids))), strict=True))
        removed = (each in gone and first[each] == at for at, each in enumerate(erase.ids))
        return tuple(removed), list(gone.values())

    _change(tx, calls, answer)


def take_over(tx: Transaction, calls: Sequence[Call]) -> None:
    """Workers take tasks by their ids."""

    def answer(tasks: Tasks, take: TakeOver) -> tuple[tuple[Claimed, ...], list[Task]]:
        tx.registry.read_through(take.queue, take.group)
        held: list[Claimed] = []
        changed: list[Task] = []
        asked = [
            (task, changes.taken_by_id(task, take, tx.lease_until(task), tx.now))
            for task in _of_queue(tasks, take.queue, take.ids)
        ]
        ids = [after.id for _, after in asked if after and after.status is Status.IN_FLIGHT]
        whole = tx.load_whole(ids, tx.room_for_answer())
        for before, after in asked:
            if after is None:
                continue
            if after.id in tx.findings:
                changed.append(tx.quarantined(before))
                continue
            changed.append(after)
            if after.id in whole:
                pushed = whole[after.id]
                given = replace(after, payload=pushed.payload, headers=pushed.headers)
                held.append(changes.handed_out(given, _idle(before, tx.now)))
        roster = tx.registry.roster
        roster.see(take.queue, take.group, take.worker, tx.now, active=bool(held))
        return tuple(held), changed

    _change(tx, calls, answer)


def _change(
    tx: Transaction,
    calls: Sequence[Call],
    answer: Callable[[Tasks, Any], tuple[Outcome, list[Task]]],
) -> None:
    """Load the tasks that the calls name, have `answer` change them call by call, save them."""
    tasks = tx.load(each for call in calls for each in _named(call.operation))
    changed: Tasks = {}
    for call in calls:
        try:
            call.outcome, after = answer(tasks, call.operation)
        except CommandError as error:
            call.outcome, after = error.as_answer(), []
        for task in after:
            changed[task.id] = tasks[task.id] = task
            if task.status is Status.ABSENT:
                del tasks[task.id]
    tx.save(changed.values())


def _named(operation: object) -> Sequence[int]:
    """Return the ids of the tasks that an operation is about."""
    match operation:
        case Ack() | Nack() | Extend() | Erase() | TakeOver():
            return operation.ids
        case Release():
            return [task_id for task_id, _ in operation.claims]
        case _:
            raise TypeError(f"{operation} names no tasks")


def _of_queue(tasks: Tasks, queue: str, ids: Sequence[int]) -> list[Task]:
    """Return the tasks of this queue among the ids, each once, in the order given."""
    found = map(tasks.get, dict.fromkeys(ids))
    return [task for task in found if task is not None and task.queue == queue]


def _idle(task: Task, now: int) -> int:
    """Return how long the task had been idle before it was taken; from the queue, 0."""
    return changes.idle(task, now) if task.status is Status.IN_FLIGHT else 0


# -- One by one ------------------------------------------------------------------------------------


def each(carry_out_one: Callable[[Transaction, Any], Outcome]) -> Step:
    """Return a step that carries out its calls one by one, for they are rare."""

    def step(tx: Transaction, calls: Sequence[Call]) -> None:
        for call in calls:
            try:
                call.outcome = carry_out_one(tx, call.operation)
            except CommandError as error:
                call.outcome = error.as_answer()

    return step


def transact(tx: Transaction, transact: Transact) -> Result:
    """Carry out all steps of a transaction, or none of them.

    Raises:
        CommandError: one of them could not be carried out, and nothing was done.
    """
    try:
        with tx.savepoint(), _indivisible(tx):
            return _carry_out_steps(tx, [Call(step) for step in transact.steps])
    except Exception as error:
        if faults.verdict(error) is not None:
            raise
        cause = faults.reply(error).as_answer()
        raise CommandError(Text.ROLLED_BACK.format(error=cause)) from error


@contextmanager
def _indivisible(tx: Transaction) -> Iterator[None]:
    tx.indivisible = True
    tx.room = tx.room_for_answer()
    try:
        yield
    finally:
        tx.indivisible = False
        tx.room = None


def _carry_out_steps(tx: Transaction, calls: Sequence[Call]) -> Result:
    """Carry out the steps, run by run, and return their answers; raise the first error."""
    room = tx.room_for_answer()
    for kind, run in runs(calls):
        catch_up(tx)
        for part in [[call] for call in run] if kind in HANDING_OUT else [run]:
            carry_out(tx, kind, part)
            for call in part:
                if isinstance(call.outcome, EzraError):
                    raise call.outcome
                if kind not in COUNTING:
                    room.take_all(call.outcome)
    return tuple(call.outcome for call in calls if not isinstance(call.outcome, EzraError))


def look(tx: Transaction, look: Look) -> Outcome:
    """Answer a look from what the transaction has done so far."""
    view = View(tx.connection, tx.now, tx.room_for_answer(), tx.registry.roster)
    return reading.answer(view, look)


COUNTING: frozenset[Kind] = frozenset({TakeOver, *get_args(Look)})
"""What counts all that it answers before it answers it."""

HANDING_OUT: frozenset[Kind] = COUNTING | {Claim, TakeIdle}
"""What is carried out one by one in a transaction, which may stop at any of them for its size."""

STEPS: dict[Kind, Step] = {
    Push: push,
    Ack: ack,
    Nack: nack,
    Release: release,
    Extend: extend,
    Erase: erase,
    TakeOver: take_over,
    TakeIdle: each(idle.take),
    Claim: claim,
    Transact: each(transact),
    **dict.fromkeys(get_args(queues.OnQueues), each(queues.carry_out)),
    **dict.fromkeys(get_args(Look), each(look)),
}
