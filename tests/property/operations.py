"""Random operations for the tests that drive queues: small worlds, in which things collide.

There are two queues, two workers and short times, and every number is picked so that attempts run
out, leases lapse, delays fall due and ids are met again within a few steps. Operations that name
tasks are drawn from the tasks that exist at that moment, so draw them inside a rule:

    operation = data.draw(operations(model.tasks(), now))
    look = data.draw(looks(model.tasks()))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from hypothesis import strategies as st

from ezra.sansio.model import (
    FOREVER,
    MAX_ID,
    MILLISECOND,
    SECOND,
    SEQUENCE_BITS,
    Address,
    Dedup,
    Defaults,
    NackMode,
    NewTask,
    Status,
)
from ezra.sansio.queue.allowance import ENTRY
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
from ezra.sansio.queue.operations import (
    Ack,
    AddWorker,
    Claim,
    ConfigureQueue,
    CreateQueue,
    DeleteQueues,
    Erase,
    Extend,
    Nack,
    Operation,
    Push,
    Release,
    RemoveGroup,
    RemoveWorker,
    TakeIdle,
    TakeOver,
    Transact,
    Trim,
)
from ezra.sansio.queue.task import Task

QUEUES = ("high", "low")
WORKERS = ("ann", "bob")
GROUPS = ("g", "h")

DEFAULTS = Defaults(
    visibility_timeout=10 * SECOND,
    max_attempts=2,
    retention=30 * SECOND,
    dedup_window=20 * SECOND,
    dedup_limit=2,
)
"""Server defaults under which everything happens within seconds."""

SMALL = replace(DEFAULTS, claim_size=2 * ENTRY, answer_size=9 * ENTRY)
"""The same, with claims that stop after a few bytes, and answers that fail after a few tasks."""

queues = st.sampled_from(QUEUES)
workers = st.sampled_from(WORKERS)
groups = st.sampled_from([*GROUPS, GROUPS[0], GROUPS[0]])
addresses = st.builds(Address, queues, st.booleans())
durations = st.sampled_from([1, MILLISECOND, SECOND, 5 * SECOND, 20 * SECOND])
reasons = st.none() | st.sampled_from(["broken", "caf\u00e9 \u2603"])

time_steps = st.sampled_from([0, 1, MILLISECOND, SECOND, 5 * SECOND, 10 * SECOND, 40 * SECOND])
"""How far a test may move its clock in one step."""

idle_times = st.sampled_from([0, 1, SECOND, 5 * SECOND])
"""For how long a task that is taken over must have been idle; below the visibility timeout."""

values = {
    "visibility_timeout": st.none() | durations,
    "max_attempts": st.none() | st.integers(1, 3),
    "retry_delay": st.none() | st.just(0) | durations,
    "dedup_window": st.none() | st.just(0) | durations,
    "dedup_limit": st.none() | st.integers(0, 3),
}
"""What a queue may set, for each field of `QueueSettings`."""

setting = st.sampled_from(sorted(values)).flatmap(
    lambda name: st.tuples(st.just(name), values[name])
)
configurations = st.builds(
    ConfigureQueue,
    queues,
    st.lists(setting, max_size=3, unique_by=lambda pair: pair[0]).map(tuple),
    create=st.sampled_from([True, True, False]),
)

dedups = st.builds(
    Dedup,
    producer=st.sampled_from([b"", b"p"]),
    key=st.sampled_from([b"1", b"2", b"3", b"4"]),
    ttl=st.none() | durations,
    limited=st.booleans(),
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
        dedup=st.one_of(st.none(), st.none(), dedups),
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


def claims(
    now: int, tasks: Sequence[Task] = (), *, may_wait: bool = False
) -> st.SearchStrategy[Claim]:
    """Return claims at `now`; only with `may_wait` do they have deadlines."""
    return st.builds(
        Claim,
        sources=st.lists(addresses, min_size=1, max_size=3, unique=True).map(tuple),
        worker=workers,
        count=st.integers(1, 3),
        deadline=deadlines(now, may_wait=may_wait),
        done_at_once=st.sampled_from([False, False, False, True]),
        group=st.none() | groups,
        rereads=st.one_of(st.just(()), st.just(()), rereads(tasks)),
        min_idle=st.one_of(st.none(), st.none(), idle_times),
    )


def rereads(tasks: Sequence[Task]) -> st.SearchStrategy[tuple[tuple[Address, int], ...]]:
    """Return what a worker reads again, from the beginning or after one of these tasks."""
    after = st.sampled_from([0, 0, *(task.id for task in tasks)])
    source = st.tuples(addresses, after)
    return st.lists(source, min_size=1, max_size=3, unique_by=lambda pair: pair[0]).map(tuple)


def ids_of(
    tasks: Sequence[Task], likely: Status = Status.IN_FLIGHT
) -> st.SearchStrategy[tuple[int, ...]]:
    """Return a few ids: mostly of tasks in that status, also others, unknown ones, one twice."""
    known = [task.id for task in tasks]
    wanted = [task.id for task in tasks if task.status is likely]
    one = st.sampled_from([*wanted * 4, *known, -1, 0, FOREVER])
    return st.lists(one, min_size=1, max_size=5).map(tuple)


def one_id(tasks: Sequence[Task]) -> st.SearchStrategy[int]:
    """Return one id: an end of the range of ids, one of these tasks, or one beside it."""
    known = [task.id for task in tasks]
    return st.sampled_from([0, 1, MAX_ID, *known, *(task_id + 1 for task_id in known)])


claim_numbers = st.one_of(st.none(), st.none(), st.integers(1, 3))
"""Which claim a fence means; mostly there is none."""


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
        claim=claim_numbers,
        strict=st.booleans(),
        counts_done=st.booleans(),
    )


def extensions(tasks: Sequence[Task]) -> st.SearchStrategy[Extend]:
    """Return heartbeats for these tasks, some of them for one claim only."""
    group = st.none() | groups
    return st.builds(Extend, queues, workers, ids_of(tasks), group=group, claim=claim_numbers)


def takeovers(tasks: Sequence[Task]) -> st.SearchStrategy[TakeOver | TakeIdle]:
    """Return take-overs, by these tasks' ids or of whatever is idle."""
    by_id = st.builds(
        TakeOver,
        queues,
        groups,
        workers,
        idle_times,
        ids_of(tasks) | ids_of(tasks, Status.AVAILABLE),
        attempts=st.one_of(st.none(), st.none(), st.integers(0, 4)),
        force=st.booleans(),
    )
    start = one_id(tasks)
    count = st.integers(1, 3)
    by_idleness = st.builds(
        TakeIdle, queues, groups, workers, idle_times, start, count, st.booleans()
    )
    return st.one_of(by_id, by_idleness)


def releases(tasks: Sequence[Task]) -> st.SearchStrategy[Release]:
    """Return releases of these tasks, some of them naming a claim that is over."""
    held = [(task.id, task.claims) for task in tasks if task.status is Status.IN_FLIGHT]
    over = [(task_id, claim - 1) for task_id, claim in held]
    others = [(task.id, task.claims) for task in tasks]
    one = st.sampled_from([*held * 2, *over, *others, (-1, 1)])
    return st.builds(Release, st.lists(one, max_size=3).map(tuple))


def erasures(tasks: Sequence[Task]) -> st.SearchStrategy[Erase | Trim]:
    """Return erasures of these tasks, with and without an ack, and of what is over."""
    erase = st.builds(Erase, queues, ids_of(tasks) | ids_of(tasks, Status.DONE), st.booleans())
    trim = st.builds(
        Trim,
        addresses,
        keep=st.sampled_from([0, 0, 1, 2]),
        below=st.none() | one_id(tasks),
        most=st.none() | st.integers(0, 2),
    )
    return st.one_of(erase, trim)


def changes_of_queues() -> st.SearchStrategy[Operation]:
    """Return operations on queues, groups and their workers; mostly such that groups exist."""
    create = st.builds(
        CreateQueue, queues, st.none() | groups, st.sampled_from([True, True, False])
    )
    kinds: tuple[st.SearchStrategy[Operation], ...] = (
        create,
        create,
        create,
        configurations,
        configurations,
        st.builds(AddWorker, queues, groups, workers),
        st.builds(RemoveWorker, queues, groups, workers, st.none() | st.integers(0, 2)),
        st.builds(RemoveGroup, queues, groups),
        st.builds(DeleteQueues, st.lists(queues, max_size=3).map(tuple)),
    )
    return st.sampled_from(kinds).flatmap(lambda kind: kind)


def transactions(tasks: Sequence[Task], now: int) -> st.SearchStrategy[Transact]:
    """Return transactions of a few operations and looks; some of them fail in the middle."""
    step = steps(tasks, now, may_wait=False)
    return st.builds(Transact, st.lists(st.one_of(step, step, looks(tasks)), max_size=5).map(tuple))


def operations(
    tasks: Sequence[Task], now: int, *, may_wait: bool = False
) -> st.SearchStrategy[Operation]:
    """Return any operation at `now`, in a world that holds these tasks.

    Pushes, claims and acks come most often. Only with `may_wait` do claims have deadlines.
    """
    step = steps(tasks, now, may_wait=may_wait)
    return st.integers(0, 9).flatmap(lambda dice: transactions(tasks, now) if dice == 9 else step)


def steps(tasks: Sequence[Task], now: int, *, may_wait: bool) -> st.SearchStrategy[Operation]:
    """Return any operation but a transaction.

    The kind is drawn first: `one_of` would build the strategies of all.
    """
    kinds: tuple[Callable[[], st.SearchStrategy[Operation]], ...] = (
        lambda: pushes(now),
        lambda: pushes(now),
        lambda: claims(now, tasks, may_wait=may_wait),
        lambda: claims(now, tasks, may_wait=may_wait),
        lambda: st.builds(Ack, queues, ids_of(tasks)),
        lambda: nacks(tasks),
        lambda: takeovers(tasks),
        lambda: releases(tasks),
        lambda: erasures(tasks),
        lambda: extensions(tasks),
        changes_of_queues,
    )
    return st.sampled_from(kinds).flatmap(lambda kind: kind())


def looks(tasks: Sequence[Task]) -> st.SearchStrategy[Look]:
    """Return any look, in a world that holds these tasks."""
    some = st.none() | st.integers(0, 3)
    kinds: tuple[Callable[[], st.SearchStrategy[Look]], ...] = (
        lambda: st.builds(Length, addresses),
        lambda: st.builds(Exists, st.lists(addresses, max_size=4).map(tuple)),
        lambda: st.builds(Names, st.integers(0, 3), some),
        lambda: st.builds(Info, queues),
        lambda: st.builds(Infos, st.sampled_from(["", *QUEUES, "m"]), some),
        lambda: st.builds(Details, queues, some),
        lambda: st.builds(Range, addresses, one_id(tasks), one_id(tasks), some, st.booleans()),
        lambda: st.builds(Pending, queues, groups),
        lambda: pending_tasks(tasks),
        lambda: st.builds(Groups, queues),
        lambda: st.builds(Workers, queues, groups),
        lambda: st.builds(FindGroup, queues, groups),
    )
    return st.sampled_from(kinds).flatmap(lambda kind: kind())


def pending_tasks(tasks: Sequence[Task]) -> st.SearchStrategy[PendingTasks]:
    """Return looks at the tasks in flight, with every limit."""
    return st.builds(
        PendingTasks,
        queues,
        groups,
        one_id(tasks),
        one_id(tasks),
        st.integers(0, 3),
        st.none() | workers,
        idle_times,
    )
