"""How much one claim may still hand out: so many tasks, and so many bytes of them.

The task that uses up the bytes is still handed out. So every claim gets a task where there is one,
however large, nobody needs to know a task's size before it is read, and what one claim makes the
server hold is bounded by `Defaults.claim_size` and one task more.
"""

from __future__ import annotations

from ezra.sansio.queue.task import Task


class Allowance:
    """Counts down what a claim takes.

    Args:
        count: tasks.
        size: bytes of payloads and headers.
    """

    __slots__ = ("count", "size")

    def __init__(self, count: int, size: int) -> None:
        self.count = count
        self.size = size

    @property
    def spent(self) -> bool:
        """Whether the claim takes no more."""
        return self.count <= 0 or self.size <= 0

    def take(self, task: Task) -> None:
        """Count a task that is handed out."""
        self.count -= 1
        self.size -= size_of(task)


def size_of(task: Task) -> int:
    """Return the bytes of what the task's producer wrote, as far as it is loaded."""
    size = len(task.payload or b"")
    for name, value in task.headers:
        size += len(name) + len(value)
    return size
