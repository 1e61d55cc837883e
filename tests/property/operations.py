"""Random operations for the tests that drive queues: small worlds, in which things collide.

There are two queues, two workers and short times, and every number is picked so that attempts run
out, leases lapse, delays fall due and ids are met again within a few steps. Operations that name
tasks are drawn from the tasks that exist at that moment, so draw them inside a rule:

    operation = data.draw(operations(model.tasks(), now))
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from ezra.sansio.model import (
    FOREVER,
    MILLISECOND,
    SECOND,
    SEQUENCE_BITS,
    Address,
    Defaults,
    NackMode,
    NewTask,
    QueueSettings,
    Status,
)
from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    ConfigureQueue,
    CreateQueue,
    Extend,
    Nack,
    Operation,
    Push,
    Release,
    Reread,
)
from ezra.sansio.queue.task import Task

QUEUES = ("high", "low")
WORKERS = ("ann", "bob")
GROUPS = ("g", "h")

DEFAULTS = Defaults(visibility_timeout=10 * SECOND, max_attempts=2, retention=30 * SECOND)
"""Server defaults under which everything happens within seconds."""

queues = st.sampled_from(QUEUES)
workers = st.sampled_from(WORKERS)
addresses = st.builds(Address, queues, st.booleans())
durations = st.sampled_from([1, MILLISECOND, SECOND, 5 * SECOND, 20 * SECOND])
reasons = st.none() | st.sampled_from(["broken", "caf\u00e9 \u2603"])

time_steps = st.sampled_from([0, 1, MILLISECOND, SECOND, 5 * SECOND, 10 * SECOND, 40 * SECOND])
"""How far a test may move its clock in one step."""

settings = st.builds(
    QueueSettings,
    visibility_timeout=st.none() | durations,
    max_attempts=st.none() | st.integers(1, 3),
    retry_delay=st.none() | st.just(0) | durations,
)

headers = st.lists(st.tuples(st.binary(max_size=3), st.binary(max_size=3)), max_size=2).map(tuple)


def chosen_ids(now: int) -> st.SearchStrategy[int]:
    """Return ids that a producer may choose: around those that the clock gives, and far off."""
    present = (now // MILLISECOND) << SEQUENCE_BITS
    near = st.integers(-2, 3 << SEQUENCE_BITS).map(lambda offset: present + offset)
    return near | st.sampled_from([-1, 0, 1, FOREVER])


def new_tasks(now: int) -> st.SearchStrategy[NewTask]:
    """Return tasks to push at `now`, with every option, most of them unset."""
    return st.builds(
        NewTask,
        payload=st.none() | st.binary(max_size=4),
        headers=headers,
        # Rare: a chosen id that is too small fails, and one in the future moves all later ids.
        id=st.one_of(st.none(), st.none(), st.none(), chosen_ids(now)),
        priority=st.sampled_from([0, 0, 0, -128, 1, 127]),
        delay=st.none() | st.just(0) | durations,
        run_at=st.none() | st.integers(-5, 20).map(lambda seconds: now + seconds * SECOND),
        ttl=st.none() | durations,
        max_attempts=st.none() | st.integers(1, 3),
        visibility_timeout=st.none() | durations,
    )


def pushes(now: int) -> st.SearchStrategy[Push]:
    """Return pushes at `now`."""
    return st.builds(Push, queues, new_tasks(now), create=st.sampled_from([True, True, False]))


def deadlines(now: int, *, may_wait: bool) -> st.SearchStrategy[int | None]:
    """Return a claim's deadlines: None alone unless it may wait."""
    if not may_wait:
        return st.none()
    moments = durations.map(lambda duration: now + duration)
    return st.none() | st.just(FOREVER) | st.just(now) | moments


def claims(now: int, *, may_wait: bool = False) -> st.SearchStrategy[Claim]:
    """Return claims at `now`; only with `may_wait` do they have deadlines."""
    return st.builds(
        Claim,
        sources=st.lists(addresses, min_size=1, max_size=3, unique=True).map(tuple),
        worker=workers,
        count=st.integers(1, 3),
        deadline=deadlines(now, may_wait=may_wait),
        done_at_once=st.sampled_from([False, False, False, True]),
    )


def ids_of(tasks: Sequence[Task]) -> st.SearchStrategy[tuple[int, ...]]:
    """Return a few ids: mostly of tasks in flight, also of others, unknown ones, and one twice."""
    known = [task.id for task in tasks]
    held = [task.id for task in tasks if task.status is Status.IN_FLIGHT]
    one = st.sampled_from([*held * 4, *known, -1, 0, FOREVER])
    return st.lists(one, min_size=1, max_size=5).map(tuple)


def rereads(tasks: Sequence[Task]) -> st.SearchStrategy[Reread]:
    """Return rereads, from the beginning or after one of these tasks."""
    after = st.sampled_from([0, 0, *(task.id for task in tasks)])
    source = st.tuples(addresses, after)
    return st.builds(
        Reread,
        sources=st.lists(source, min_size=1, max_size=3, unique_by=lambda pair: pair[0]).map(tuple),
        worker=workers,
        count=st.integers(1, 4),
    )


def nacks(tasks: Sequence[Task]) -> st.SearchStrategy[Nack]:
    """Return nacks in every mode, with and without each option."""
    return st.builds(
        Nack,
        queue=queues,
        ids=ids_of(tasks),
        mode=st.sampled_from(NackMode),
        delay=st.none() | st.just(0) | durations,
        reason=reasons,
        attempt=st.one_of(st.none(), st.none(), st.integers(0, 3)),
        attempts=st.one_of(st.none(), st.none(), st.integers(0, 4)),
    )


def releases(tasks: Sequence[Task]) -> st.SearchStrategy[Release]:
    """Return releases of these tasks, some of them naming a claim that is over."""
    held = [(task.id, task.attempts) for task in tasks if task.status is Status.IN_FLIGHT]
    over = [(task_id, attempts + 1) for task_id, attempts in held]
    others = [(task.id, task.attempts) for task in tasks]
    one = st.sampled_from([*held * 2, *over, *others, (-1, 1)])
    return st.builds(Release, st.lists(one, max_size=3).map(tuple))


def operations(
    tasks: Sequence[Task], now: int, *, may_wait: bool = False
) -> st.SearchStrategy[Operation]:
    """Return any operation at `now`, in a world that holds these tasks.

    Pushes, claims and acks come most often. Only with `may_wait` do claims have deadlines.
    """
    push = pushes(now)
    claim = claims(now, may_wait=may_wait)
    ack = st.builds(Ack, queues, ids_of(tasks))
    return st.one_of(
        push,
        push,
        claim,
        claim,
        ack,
        nacks(tasks),
        rereads(tasks),
        releases(tasks),
        st.builds(Extend, queues, workers, ids_of(tasks)),
        st.builds(CreateQueue, queues, st.none() | st.sampled_from(GROUPS), st.booleans()),
        st.builds(ConfigureQueue, queues, settings),
    )
