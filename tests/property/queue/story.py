"""One queue and short words for what happens to it, for the tests of each promise.

Every story is told in whole seconds after START.
"""

from __future__ import annotations

from typing import cast

from ezra.sansio.model import (
    SECOND,
    Address,
    Claimed,
    Defaults,
    Delivery,
    NackMode,
    NewTask,
    QueueInfo,
    QueueName,
)
from ezra.sansio.queue.dedup import Remembered
from ezra.sansio.queue.looks import Answer, Info, Length, Look, Names
from ezra.sansio.queue.machine import QueueMachine, Waiting
from ezra.sansio.queue.operations import Claim, ConfigureQueue, Nack, Operation, Push, Result
from ezra.sansio.queue.task import Task
from tests.property.fake_clock import START

Q = Address("q")
DEAD = Address("q", dead=True)
DEFAULTS = Defaults(visibility_timeout=10 * SECOND, max_attempts=2)


class Story:
    """One queue `q`, and short words for what happens to it, at moments in seconds."""

    def __init__(self, defaults: Defaults = DEFAULTS) -> None:
        self.machine = QueueMachine(defaults)

    def do(self, at: float, operation: Operation) -> Result | Waiting:
        """Apply any operation."""
        return self.machine.apply(operation, moment(at))

    def push(self, at: float = 0, new: NewTask | None = None, queue: str = "q") -> int:
        """Push a task and return its id."""
        answer = self.do(at, Push(queue, new or NewTask(b"x")))
        assert isinstance(answer, int)
        return answer

    def claim(self, at: float = 0, source: Address = Q, worker: str = "ann") -> int | None:
        """Claim one task and return its id; None when there is none."""
        answer = self.do(at, Claim((source,), worker))
        assert isinstance(answer, tuple)
        return only_task(answer).id if answer else None

    def nack(self, at: float, task_id: int, mode: NackMode = NackMode.FAIL) -> Result | Waiting:
        """Nack a task."""
        return self.do(at, Nack("q", (task_id,), mode))

    def held(self, at: float = 0, new: NewTask | None = None) -> int:
        """Push and claim a task, and return its id."""
        self.push(at, new)
        task_id = self.claim(at)
        assert task_id is not None
        return task_id

    def died(self, at: float = 0) -> int:
        """Have a task that is dead, and return its id."""
        task_id = self.held(at)
        self.nack(at, task_id, NackMode.FATAL)
        return task_id

    def task(self, task_id: int) -> Task:
        """Return the task's record."""
        return next(task for task in self.machine.tasks() if task.id == task_id)

    def see(self, at: float, look: Look) -> Answer:
        """Look at something."""
        return self.machine.look(look, moment(at))

    def info(self, at: float, queue: str = "q") -> QueueInfo:
        """Return the queue's books."""
        answer = self.see(at, Info(queue))
        assert isinstance(answer, QueueInfo)
        return answer

    def length(self, at: float, source: Address = Q) -> Answer:
        """Return how many tasks wait, or are dead."""
        return self.see(at, Length(source))

    def configure(self, at: float, **settings: int | None) -> None:
        """Change some of the queue's own settings."""
        self.do(at, ConfigureQueue("q", tuple(settings.items())))

    def passes(self, at: float) -> None:
        """Let time pass."""
        self.machine.advance(moment(at))


def remembered_keys(machine: QueueMachine) -> list[Remembered]:
    """Return every key that the machine remembers, by the id of its push."""
    kept = machine._state.ledger._kept
    return [kept[task_id] for task_id in sorted(kept)]


def moment(at: float) -> int:
    """Return the moment that is so many seconds after the start."""
    return START + round(at * SECOND)


def only_task(answer: object) -> Claimed:
    """Return the one task that a claim answered."""
    assert isinstance(answer, tuple)
    (delivery,) = answer
    assert isinstance(delivery, Delivery)
    (claimed,) = delivery.tasks
    return claimed


def books(machine: QueueMachine, moment: int) -> tuple[QueueInfo, ...]:
    """Return the books of each queue, by name."""
    queues = cast(tuple[QueueName, ...], machine.look(Names(), moment))
    names = sorted(queue.name for queue in queues)
    return tuple(cast(QueueInfo, machine.look(Info(name), moment)) for name in names)
