"""A test's own books of a history: queues, groups, remembered keys; and what is to be refused.

Kept the slow and obvious way, beside the machine and not from it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Literal, NamedTuple

from ezra.sansio.errors import Text
from ezra.sansio.model import (
    MILLISECOND,
    SEQUENCE_BITS,
    Dedup,
    QueueInfo,
    QueueSettings,
    Status,
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
    Result,
    TakeIdle,
    TakeOver,
    Trim,
)
from ezra.sansio.queue.task import MAX_LEAD, Task
from tests.property.operations import DEFAULTS
from tests.property.queue import oracle


class Key(NamedTuple):
    """A key that tells a repeated push, as the test remembers it."""

    queue: str
    dedup: Dedup
    id: int
    until: int


class Books:
    """What a test knows of a history."""

    def __init__(self) -> None:
        self.last_id = 0
        self.settings: dict[str, QueueSettings] = {}
        self.groups: dict[str, set[str]] = {}
        self.workers: set[tuple[str, str, str]] = set()
        self.pushed: Counter[str] = Counter()
        self.expired: Counter[str] = Counter()
        self.keys: list[Key] = []

    # -- What should be answered -------------------------------------------------------------------

    def refusal(self, operation: Operation, tasks: list[Task], now: int) -> str | None:
        """Return the text with which the operation should be refused; None if it should not."""
        match operation:
            case Push():
                return self.refusal_of_push(operation, now)
            case TakeOver() | TakeIdle() | Extend():
                return self.refusal_of_reader(operation)
            case DeleteQueues():
                return refusal_of_delete(operation, tasks)
            case CreateQueue() | ConfigureQueue() | RemoveGroup() | AddWorker() | RemoveWorker():
                return self.refusal_of_xgroup(operation)
            case Nack(strict=True):
                in_flight = oracle.nack_count(tasks, replace(operation, counts_done=False))
                return None if in_flight else Text.NOT_IN_FLIGHT
            case _:
                return None

    def refusal_of_xgroup(
        self, operation: CreateQueue | ConfigureQueue | RemoveGroup | AddWorker | RemoveWorker
    ) -> str | None:
        """Return what the operation misses: the queue, if it must be there, or the group."""
        if operation.queue not in self.settings:
            if isinstance(operation, CreateQueue | ConfigureQueue) and operation.create:
                return None
            configures = isinstance(operation, ConfigureQueue)
            return Text.NO_SUCH_KEY if configures else Text.XGROUP_NEEDS_QUEUE
        match operation:
            case AddWorker(queue=queue, group=group) | RemoveWorker(queue=queue, group=group):
                known = group in self.groups[queue]
                return None if known else Text.NO_SUCH_GROUP.format(queue=queue, group=group)
            case _:
                return None

    def refusal_of_push(self, push: Push, now: int) -> str | None:
        """Return why the chosen id cannot be had, if it is looked at."""
        if push.task.id is None or self.expected_of_push(push) != "new":
            return None
        if push.task.id <= self.last_id:
            return Text.ID_TOO_SMALL
        too_far = push.task.id >> SEQUENCE_BITS > (now + MAX_LEAD) // MILLISECOND
        in_the_last = push.task.id == (now + MAX_LEAD) // MILLISECOND << SEQUENCE_BITS
        return Text.ID_TOO_FAR if too_far and not in_the_last else None

    def refusal_of_reader(self, operation: TakeOver | TakeIdle | Extend) -> str | None:
        """Return why a group that must be known is not."""
        queue, group = operation.queue, operation.group
        if group is None or group in self.groups.get(queue, ()):
            return None
        return Text.NO_GROUP.format(queue=queue, group=group)

    def expected_of_push(self, push: Push) -> int | Literal["new"] | None:
        """Return what a push should answer; "new" if it should add a task."""
        if not push.create and push.queue not in self.settings:
            return None
        dedup = push.task.dedup
        for key in self.keys if dedup is not None else ():
            if dedup is not None and same_key(key, push.queue, dedup):
                return key.id
        return "new"

    def expected(self, operation: Operation, tasks: list[Task]) -> Result:
        """Return what any of the other operations should answer."""
        match operation:
            case Ack() | Nack() | Extend() | Release() | Erase() | Trim():
                return oracle.answer(tasks, operation)
            case DeleteQueues():
                return len(self.settings.keys() & set(operation.queues))
            case RemoveGroup():
                return operation.group in self.groups[operation.queue]
            case AddWorker(queue=queue, group=group, worker=worker):
                known = (queue, group, worker) in self.workers
                return not (known or holds(tasks, queue, worker))
            case RemoveWorker(queue=queue, worker=worker, most=most):
                held = holds(tasks, queue, worker)
                return held if most is None else min(held, most)
            case _:
                return None

    # -- What is written down ----------------------------------------------------------------------

    def write_down(self, operation: Operation) -> None:
        """Write down what an operation changed that was carried out."""
        match operation:
            case CreateQueue(queue=queue, group=group):
                self.make(queue)
                self.groups[queue] |= set() if group is None else {group}
            case ConfigureQueue(queue=queue, changes=changes):
                self.make(queue)
                self.settings[queue] = replace(self.settings[queue], **dict(changes))
            case DeleteQueues(queues=names):
                for queue in names:
                    self.unmake(queue)
            case RemoveGroup(queue=queue, group=group):
                self.groups[queue].discard(group)
                self.workers = {each for each in self.workers if each[:2] != (queue, group)}
            case RemoveWorker(queue=queue, group=group, worker=worker):
                self.workers.discard((queue, group, worker))
            case AddWorker() | TakeOver() | TakeIdle() | Extend(group=str()):
                assert operation.group is not None
                self.workers.add((operation.queue, operation.group, operation.worker))
            case _:
                pass

    def write_down_push(self, push: Push, task_id: int, now: int) -> None:
        """Write down a push that added a task."""
        assert task_id > self.last_id
        self.last_id = task_id
        self.make(push.queue)
        self.pushed[push.queue] += 1
        dedup = push.task.dedup
        if dedup is not None:
            self.remember(push.queue, dedup, task_id, now)

    def remember(self, queue: str, dedup: Dedup, task_id: int, now: int) -> None:
        """Write a new key down, and cross out those that are too many."""
        ttl = self.rule(queue, "dedup_window") if dedup.ttl is None else dedup.ttl
        if ttl == 0:
            return
        self.keys.append(Key(queue, dedup, task_id, now + ttl))
        if dedup.limited:
            limited = [key for key in self.keys if same_producer(key, queue, dedup)]
            too_many = limited[: max(0, len(limited) - self.rule(queue, "dedup_limit"))]
            self.keys = [key for key in self.keys if key not in too_many]

    def rule(self, queue: str, name: str) -> int:
        """Return a setting as it is in force in the queue."""
        own: int | None = getattr(self.settings[queue], name)
        server: int = getattr(DEFAULTS, name)
        return server if own is None else own

    def fall_due(self, now: int) -> None:
        """Forget the keys whose time is over."""
        self.keys = [key for key in self.keys if key.until > now]

    def visited(self, claim: Claim, queues: list[str]) -> None:
        """Write down the group and the worker of a claim on these queues."""
        if claim.group is not None:
            for queue in self.settings.keys() & set(queues):
                self.groups[queue].add(claim.group)
                self.workers.add((queue, claim.group, claim.worker))

    def make(self, queue: str) -> None:
        """Write down that the queue exists."""
        self.settings.setdefault(queue, QueueSettings())
        self.groups.setdefault(queue, set())

    def unmake(self, queue: str) -> None:
        """Cross out all that belongs to the queue."""
        self.settings.pop(queue, None)
        self.groups.pop(queue, None)
        self.workers = {each for each in self.workers if each[0] != queue}
        self.keys = [key for key in self.keys if key.queue != queue]
        del self.pushed[queue]
        del self.expired[queue]

    # -- Comparing ---------------------------------------------------------------------------------

    def check(self, infos: tuple[QueueInfo, ...], tasks: list[Task], now: int) -> None:
        """Check that each queue's books are these, and what counting its tasks gives."""
        assert [info.name for info in infos] == sorted(self.settings)
        for info in infos:
            oracle.check_books(info, tasks, now)
            assert info.settings == self.settings[info.name]
            assert info.groups == len(self.groups[info.name])
            assert info.pushed == self.pushed[info.name]
            assert info.expired == self.expired[info.name]


def same_producer(key: Key, queue: str, dedup: Dedup) -> bool:
    """Say whether the key is a limited one of that producer in that queue."""
    return key.queue == queue and key.dedup.producer == dedup.producer and key.dedup.limited


def same_key(key: Key, queue: str, dedup: Dedup) -> bool:
    """Say whether the push with that key repeats the one that this key is of."""
    return (key.queue, key.dedup.producer, key.dedup.key) == (queue, dedup.producer, dedup.key)


def holds(tasks: list[Task], queue: str, worker: str) -> int:
    """Return how many of the queue's tasks the worker holds."""
    here = [task for task in tasks if task.queue == queue and task.status is Status.IN_FLIGHT]
    return sum(task.worker == worker for task in here)


def refusal_of_delete(delete: DeleteQueues, tasks: list[Task]) -> str | None:
    """Return why the queues cannot be removed: the first of them that has something to do."""
    for queue in delete.queues:
        counts = Counter(task.status for task in tasks if task.queue == queue)
        waiting, dead = counts[Status.AVAILABLE], counts[Status.DEAD]
        in_flight = counts[Status.IN_FLIGHT]
        if waiting or in_flight or dead:
            return Text.UNFINISHED.format(
                queue=queue, waiting=waiting, in_flight=in_flight, dead=dead
            )
    return None
