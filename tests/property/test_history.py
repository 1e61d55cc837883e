"""The history checker passes whatever a queue can have done, and finds each fault planted in it.

Legal histories come from the pure queue itself (`tests/faults/simulation.py`). A plant changes as
little of one as makes it impossible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.faults.history import assert_legal, check
from tests.faults.records import (
    Act,
    Claim,
    Deed,
    Delivery,
    Fault,
    Left,
    Push,
    Record,
    Remnant,
)
from tests.faults.simulation import LEASE, QUEUES, RULES, Simulation

seeds = st.integers(0, 2**32)
slow = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, *HealthCheck]
)


@pytest.mark.unmeasured
@given(seeds, st.booleans(), st.sampled_from([1, 2, 5]))
@settings(slow, max_examples=15)
def test_what_a_queue_can_have_done_is_legal(seed: int, lossy: bool, clients: int) -> None:
    """Also with lost answers, lapsed leases and restarts in it."""
    history, remnants = Simulation(seed, clients=clients, lossy=lossy).run(200)
    assert_legal(history, remnants, RULES)


@given(seeds)
@slow
def test_a_history_that_is_not_over_is_legal(seed: int) -> None:
    """Nobody has looked what is left, so nothing can be missed."""
    assert_legal(Simulation(seed).take(100), None, RULES)


# -- Plants ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Life:
    """A task that was pushed, delivered once, at once acked: what most plants begin with."""

    push: Push
    claim: Claim
    task: Delivery
    ack: Act


@dataclass
class World:
    """A history and what was left, to be changed."""

    history: list[Record]
    remnants: list[Remnant]

    def lives(self) -> list[Life]:
        """Return the tasks with which nothing special happened, in the order of their claims."""
        pushes = {one.key: one for one in self.history if isinstance(one, Push)}
        acts: dict[int, list[Act]] = {}
        came: dict[int, list[tuple[Claim, Delivery]]] = {}
        for one in self.history:
            if isinstance(one, Act):
                acts.setdefault(one.id, []).append(one)
            elif isinstance(one, Claim):
                for task in one.tasks or ():
                    came.setdefault(task.id, []).append((one, task))
        return [
            Life(pushes[task.key], claim, task, ack)
            for number, [(claim, task), *more] in came.items()
            for ack in acts.get(number, [])[:1]
            if not more and len(acts[number]) == 1 and ack.deed is Deed.ACK and ack.counted
        ]

    def replace(self, old: Record, new: Record | None) -> None:
        """Put a record in another's place, or nothing."""
        place = self.history.index(old)
        self.history[place : place + 1] = [] if new is None else [new]

    def swap_ids(self, one: int, other: int) -> None:
        """Let two tasks have each other's ids, wherever they were noted."""
        ids = {one: other, other: one}

        def swapped(record: Record) -> Record:
            match record:
                case Push(id=int(number)):
                    return replace(record, id=ids.get(number, number))
                case Act():
                    return replace(record, id=ids.get(record.id, record.id))
                case Claim(tasks=tasks):
                    its = [replace(task, id=ids.get(task.id, task.id)) for task in tasks or ()]
                    return replace(record, tasks=tuple(its))
            return record

        self.history = [swapped(record) for record in self.history]

    def swap_turns(self, one: Life, other: Life) -> None:
        """Let two tasks come, and be acked, in each other's place."""
        for life, instead in ((one, other), (other, one)):
            tasks = [instead.task if it == life.task else it for it in life.claim.tasks or ()]
            self.replace(life.claim, replace(life.claim, tasks=tuple(tasks)))
            self.replace(life.ack, replace(life.ack, id=instead.task.id))


Plant = Callable[[World], bool]
"""Changes a world so that it is impossible; False where it offers no place for that."""


def first(world: World, fits: Callable[[Life], bool]) -> Iterator[Life]:
    """Return the first task that fits, if there is one."""
    for life in world.lives():
        if fits(life):
            yield life
            return


def lose_an_ack(world: World) -> bool:
    """A task is gone that nobody acked."""
    for life in first(world, lambda _: True):
        world.replace(life.ack, None)
        return True
    return False


def lose_a_push(world: World) -> bool:
    """A task never came, and is not there."""
    for life in first(world, lambda life: len(life.claim.tasks or ()) == 1):
        world.replace(life.ack, None)
        world.replace(life.claim, None)
        return True
    return False


def come_from_nowhere(world: World) -> bool:
    """A worker is given what nobody pushed."""
    claim = Claim("a", "thief", 5, 6, LEASE, (Delivery(7, "nobody's", 1),))
    world.history.append(claim)
    return True


def accept_what_was_refused(world: World) -> bool:
    """A push was answered with an error and is there all the same."""
    for life in first(world, lambda _: True):
        world.replace(life.push, replace(life.push, refused=True, id=None))
        return True
    return False


def come_from_another_queue(world: World) -> bool:
    """A task comes from a queue to which it was not pushed."""
    for life in first(world, lambda _: True):
        (other,) = set(QUEUES) - {life.push.queue}
        world.replace(life.push, replace(life.push, queue=other))
        return True
    return False


def push_twice(world: World) -> bool:
    """One push makes two tasks."""
    for life in first(world, lambda _: True):
        again = replace(life.task, id=life.task.id + 999)
        world.history.append(replace(life.claim, tasks=(again,)))
        return True
    return False


def held_for_long(life: Life) -> bool:
    """Tell whether the task certainly was with its worker for some time."""
    return min(life.ack.begun, life.claim.begun + LEASE) > life.claim.ended + 10


def hold_twice(world: World) -> bool:
    """Another worker is given a task that somebody holds."""
    for life in first(world, held_for_long):
        task = replace(life.task, attempt=2)
        begun, ended = life.claim.ended, life.claim.ended + 5
        world.history.append(Claim(life.push.queue, "thief", begun, ended, LEASE, (task,)))
        return True
    return False


def cut_a_lease(world: World) -> bool:
    """The ack of a worker whose lease goes on does not count."""
    for life in first(world, lambda life: life.ack.ended < life.claim.begun + LEASE):
        world.replace(life.ack, replace(life.ack, counted=False))
        return True
    return False


def deliver_after_the_ack(world: World) -> bool:
    """A task comes again that is done."""
    for life in first(world, lambda _: True):
        begun = life.ack.ended
        task = replace(life.task, attempt=2)
        world.history.append(Claim(life.push.queue, "late", begun, begun + 5, LEASE, (task,)))
        return True
    return False


def feed_a_waiting_worker_after_the_ack(world: World) -> bool:
    """The same, to a worker whose claim has been there since before."""
    for life in first(world, lambda life: life.ack.ended < life.claim.begun + LEASE):
        begun, ended = life.claim.begun, life.ack.ended + LEASE
        task = replace(life.task, attempt=2)
        world.history.append(Claim(life.push.queue, "late", begun, ended, LEASE, (task,)))
        return True
    return False


def keep_what_is_done(world: World) -> bool:
    """A task that is done waits at the end."""
    for life in first(world, lambda _: True):
        world.remnants.append(Remnant(life.task.id, life.task.key, Left.WAITING))
        return True
    return False


def do_twice(world: World) -> bool:
    """Two acks of one task count."""
    for life in first(world, lambda _: True):
        later = life.ack.ended + 1
        world.history.append(replace(life.ack, worker="other", begun=later, ended=later + 1))
        return True
    return False


def reuse_an_id(world: World) -> bool:
    """Two pushes are answered with one id."""
    for life in first(world, lambda _: True):
        world.history.append(replace(life.push, key="another"))
        return True
    return False


def step_back(world: World) -> bool:
    """A later push has the lower id."""
    for one in world.lives():
        for other in first(world, lambda life: life.push.begun > one.push.ended):  # noqa: B023
            world.swap_ids(one.task.id, other.task.id)
            return True
    return False


def skip_an_attempt(world: World) -> bool:
    """A first delivery counts as the second."""
    return attempt_is(world, 2)


def try_too_often(world: World) -> bool:
    """A task comes once more than it may."""
    return attempt_is(world, RULES.max_attempts + 1)


def attempt_is(world: World, attempt: int) -> bool:
    """Let a first delivery be another one."""
    for life in first(world, lambda life: len(life.claim.tasks or ()) == 1):
        tasks = (replace(life.task, attempt=attempt),)
        world.replace(life.claim, replace(life.claim, tasks=tasks))
        return True
    return False


def leave(world: World, left: Left) -> bool:
    """A task is left instead of being done."""
    for life in first(world, lambda _: True):
        world.replace(life.ack, None)
        world.remnants.append(Remnant(life.task.id, life.task.key, left))
        return True
    return False


def leave_waiting(world: World) -> bool:
    """A task waits at the end."""
    return leave(world, Left.WAITING)


def leave_in_flight(world: World) -> bool:
    """A task is held for ever."""
    return leave(world, Left.IN_FLIGHT)


def die_early(world: World) -> bool:
    """A task is dead that had attempts left."""
    return leave(world, Left.DEAD)


def deliver_early(world: World) -> bool:
    """A task comes before its delay is over, to a claim that was made after its push."""
    for life in first(world, lambda life: life.claim.begun >= life.push.ended):
        world.replace(life.push, replace(life.push, delay=life.claim.ended - life.push.begun + 1))
        return True
    return False


def deliver_early_after_a_nack(world: World) -> bool:
    """A task comes again before the delay is over that its nack asked for."""
    for life in first(world, lambda life: len(life.claim.tasks or ()) == 1):
        ack = life.ack
        world.replace(ack, replace(ack, deed=Deed.NACK, delay=LEASE))
        again = replace(life.task, attempt=2)
        world.history.append(
            Claim(life.push.queue, "early", ack.ended, ack.ended + 5, LEASE, (again,))
        )
        return True
    return False


def jump_the_queue(world: World) -> bool:
    """A task comes before another, whose turn it was."""
    for one in world.lives():
        for other in first(world, lambda life: waits_behind(life, one)):  # noqa: B023
            world.swap_turns(one, other)
            return True
    return False


def waits_behind(life: Life, one: Life) -> bool:
    """Tell whether both certainly waited when the one was claimed, which came first."""
    alike = [(it.push.queue, it.push.priority, it.push.delay) for it in (life, one)]
    return (
        alike[0] == alike[1]
        and max(life.push.ended, one.push.ended) < one.claim.begun
        and life.claim.begun > one.claim.ended
        and life.push.delay == 0
    )


def pass_over(world: World) -> bool:
    """A worker is told that nothing waits, although something does."""
    for life in first(world, waits_long):
        begun, ended = life.push.ended + 1, life.claim.begun - 1
        world.history.append(Claim(life.push.queue, "sent away", begun, ended, LEASE, ()))
        return True
    return False


def waits_long(life: Life) -> bool:
    """Tell whether the task certainly waited for some time."""
    return life.push.ended + 10 < life.claim.begun and life.push.delay == 0


PLANTS: dict[Plant, Fault] = {
    lose_an_ack: Fault.LOST,
    lose_a_push: Fault.LOST,
    come_from_nowhere: Fault.PHANTOM,
    accept_what_was_refused: Fault.PHANTOM,
    come_from_another_queue: Fault.PHANTOM,
    push_twice: Fault.PHANTOM,
    hold_twice: Fault.TWO_HOLDERS,
    cut_a_lease: Fault.LEASE_CUT,
    deliver_after_the_ack: Fault.REDELIVERED,
    feed_a_waiting_worker_after_the_ack: Fault.REDELIVERED,
    keep_what_is_done: Fault.REDELIVERED,
    do_twice: Fault.DONE_TWICE,
    reuse_an_id: Fault.ID_REUSED,
    step_back: Fault.ID_BACKWARDS,
    skip_an_attempt: Fault.ATTEMPTS,
    try_too_often: Fault.ATTEMPTS,
    leave_waiting: Fault.UNDRAINED,
    leave_in_flight: Fault.UNDRAINED,
    die_early: Fault.DIED_EARLY,
    deliver_early: Fault.EARLY,
    deliver_early_after_a_nack: Fault.EARLY,
    jump_the_queue: Fault.OUT_OF_ORDER,
    pass_over: Fault.PASSED_OVER,
}


@pytest.mark.unmeasured
@pytest.mark.parametrize(("plant", "fault"), PLANTS.items())
@given(seed=seeds)
@settings(slow, max_examples=5)
def test_each_planted_fault_is_found(plant: Plant, fault: Fault, seed: int) -> None:
    """In whatever legal history it is planted; the report says which fault it is."""
    world = World(*Simulation(seed, clients=2, lossy=False).run(80))
    assume(plant(world))
    found = {violation.fault for violation in check(world.history, world.remnants, RULES)}
    assert fault in found


def test_there_is_a_plant_for_every_fault() -> None:
    """A fault that nobody plants could go unnoticed for ever."""
    assert set(PLANTS.values()) == set(Fault)


def test_a_violation_says_which_task_and_whose() -> None:
    """Whoever reads it has a seed and needs a place to begin."""
    push = Push("k", "q", 0, 10, 5 << 20)
    with pytest.raises(AssertionError, match=r"1 violations\nan answered push is gone: task 5-0"):
        assert_legal([push], [], RULES)
