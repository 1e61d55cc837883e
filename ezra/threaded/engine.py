"""What every engine promises.

An engine keeps queues of tasks, carries out the operations of `ezra.sansio.queue.operations` and
answers the looks of `ezra.sansio.queue.looks`, each of which says in its own docstring what it
means. Two engines exist: `SqliteEngine` keeps its
tasks in a file, `MemoryEngine` is the pure queue under a lock. Both behave alike to the letter; a
test drives them side by side. (Where more than a hundred thousand things fall due at once, a look
at the file counts some of them as they were; see `docs/decisions.md`.)

The promises, for any number of threads:

- Whatever `wait` returns has happened, is visible to every later call, and, in an engine that has
  a disk, is on it.
- The operations of one submission happen in their order. Those of different submissions may be
  interleaved.
- An operation that fails fails alone: its outcome is the error, the others go on.
- Parked claims are served first come, first served, in the commit that made their task available.
- What falls due (leases, delays, ttl, retention) happens at its moment without anybody asking.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import cast

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import QueueInfo
from ezra.sansio.queue.looks import Answer, Info, Infos, Look
from ezra.sansio.queue.operations import Operation, Outcome

PAGE = 2_000
"""Queues whose books are looked at together. With the longest names they take 14 MiB as an answer,
and an answer may weigh more than 16 MiB in every server."""


class Submission(ABC):
    """Operations on their way through an engine. One thread waits; any thread may cancel."""

    @abstractmethod
    def settle(self) -> bool:
        """Return once all is durable that need not wait for a task.

        Returns:
            True when every outcome is there, so that `wait` returns at once; False when the claim
            at the end is parked.

        Raises:
            EngineError: as `wait`.
        """

    @abstractmethod
    def wait(self) -> list[Outcome]:
        """Return the outcome of each operation, in order, once all of them are durable.

        A claim with a deadline makes it block until there is a task, the deadline has come, the
        submission is cancelled or the engine drains; in the last three cases it answers `()`.

        Raises:
            EngineError: nothing of the submission was done, or nobody knows (`OutcomeUnknown`).
        """

    @abstractmethod
    def cancel(self) -> None:
        """Give up waiting: a claim that is parked, or would be, answers `()` now.

        A claim that has been given tasks keeps them: who cancels still reads the outcome of `wait`
        and releases what nobody is there to receive. Never blocks; calling it again does nothing.
        """


class Engine(ABC):
    """Queues of tasks, safe to use from any number of threads."""

    @abstractmethod
    def submit(self, operations: Sequence[Operation]) -> Submission:
        """Hand over operations; the returned submission's `wait` must be called.

        At most the last of them may be a claim with a deadline.

        Raises:
            EngineClosed: after `close`.
            OutcomeUnknown: after the storage has failed.
        """

    def execute(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Submit the operations and wait for their outcomes.

        Raises:
            EngineError: as `submit` and `Submission.wait`.
        """
        return self.submit(operations).wait()

    @abstractmethod
    def look(self, look: Look) -> Answer:
        """Return what the look asks for, as of now; its docstring says of which type.

        Raises:
            CommandError: the look itself raises it.
            EngineError: the engine is closed, or the storage cannot be read.
        """

    def info(self, queue: str) -> QueueInfo | None:
        """Return the queue's books, or None where there is no such queue. Does not scan.

        Raises:
            CommandError: its first and last tasks are more than an answer may weigh.
            EngineError: as `look`.
        """
        try:
            return cast(QueueInfo, self.look(Info(queue)))
        except CommandError as error:
            if str(error) != Text.NO_SUCH_KEY:
                raise
            return None

    def queues(self) -> list[QueueInfo]:
        """Return the books of all queues, by name, without their first and last tasks.

        Raises:
            EngineError: as `look`.
        """
        return list(self.books())

    def books(self) -> Iterator[QueueInfo]:
        """Yield what `queues` returns; not all of it is in memory, or of one moment.

        Raises:
            EngineError: as `look`.
        """
        after = ""
        while page := cast(tuple[QueueInfo, ...], self.look(Infos(after, PAGE))):
            yield from page
            after = page[-1].name

    @abstractmethod
    def sweep(self) -> None:
        """Do now what is due now; returns when it is done. The engine's own timer does so, too."""

    @abstractmethod
    def drain(self) -> None:
        """Answer every parked claim with `()`, and let none park from now on."""

    @abstractmethod
    def close(self) -> None:
        """Drain, finish what was submitted, put everything in order on disk. Idempotent."""
