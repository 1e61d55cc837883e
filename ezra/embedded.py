"""EZRA in one's own process: the same queues in the same file, without a network.

    with Ezra("data") as ezra:
        ezra.push("emails", b"hello", headers={"lang": "en"}, ttl=3600)
        task = ezra.pop("emails", block=5)
        if task:
            ezra.ack(task)

Durations are in seconds here, as a person types them; names and bounds are those of the wire, and
so is the code that checks them. A wrong argument is a ValueError or a TypeError that names it, and
then nothing has happened; what the queue itself refuses is an `EzraError`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self, Unpack, cast

from ezra import embedded_arguments as arguments
from ezra.embedded_arguments import Headers, Payload, ServerOptions, TaskOptions
from ezra.embedded_lifetime import Lifetime
from ezra.sansio.errors import EzraError
from ezra.sansio.model import (
    FOREVER,
    Claimed,
    Delivery,
    NackMode,
    NewTask,
    QueueInfo,
    wire_id,
)
from ezra.sansio.queue.operations import Ack, Claim, Extend, Nack, Operation, Outcome, Push, Result
from ezra.threaded.clock import Clock, SystemClock
from ezra.threaded.dispatcher import release
from ezra.threaded.service import serve as serve_settings


@dataclass(frozen=True, slots=True)
class Task:
    """A task that a worker has popped. It is his until its visibility timeout is over."""

    id: str
    """As on the wire: `<milliseconds>-<sequence>`."""
    queue: str
    """Where it was popped, for example `emails` or `emails::dead`."""
    payload: bytes | None
    """None for an entry that some framework wrote without a payload: all of it is headers."""
    headers: tuple[tuple[bytes, bytes], ...]
    """In the producer's order; `dict(task.headers)` where no name comes twice."""
    attempts: int
    """How often it has been popped, this time included."""
    max_attempts: int
    worker: str
    """Who popped it."""
    claim: int
    """Which pop of the task this was, of all that there ever were, whatever counted."""


class Ezra:
    """A task queue in this process, safe to use from any number of threads.

    Several instances do not disturb each other, but a data directory belongs to one of them (or to
    one server) at a time.

    Args:
        data_dir: where `ezra.db` lives, made if need be; ":memory:" keeps nothing.
        clock: what tells the time, for tests.
        on_failure: called once with the error if the disk fails, in a thread of its own; `close`
            may be called in it. The port has ended by itself then, and every call raises. Have the
            process end, and start again: what is on the disk only a new one can tell. Nor can
            that be told after Ctrl-C in the middle of a commit, which is such a failure, too.
        options: as the server's flags are called: `visibility_timeout` (30), `max_attempts` (3),
            `retention_seconds` (None: done tasks stay), `synchronous` ("full"),
            `max_payload_bytes` …; with a `port` (0 picks a free one) Redis clients are served
            beside, at `address`, and have to say the `password`, if there is one; clients with the
            `push_password` may only push, those with the `work_password` only work.

    Raises:
        ValueError, TypeError: an option is wrong; the text names it.
        EzraError: the directory is in use or not to be used, or the port cannot be had.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str] = "ezra-data",
        *,
        clock: Clock | None = None,
        on_failure: Callable[[EzraError], object] | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        self._settings = arguments.settings(data_dir, options)
        self._clock = clock or SystemClock()
        port = options.get("port") is not None
        self._lifetime = Lifetime(self._settings, self._clock, on_failure, port=port)

    @property
    def address(self) -> tuple[str, int] | None:
        """The host and port that Redis clients connect to; None without, or once it has ended."""
        return self._lifetime.address

    def push(
        self,
        queue: str,
        payload: Payload,
        *,
        headers: Headers = (),
        **options: Unpack[TaskOptions],
    ) -> str:
        """Add a task and return its id, once it is on disk.

            ezra.push("emails", "hello", headers={"lang": "en"}, delay=60, priority=5)

        Args:
            queue: its name; the queue is made if need be.
            payload: the task's body; a str is stored as UTF-8.
            headers: names and values, str or bytes, kept in order.
            options: `delay` (seconds) or `run_at` (Unix seconds), `ttl` (seconds), `priority`
                (−128 … 127, higher first), `max_attempts`, `visibility_timeout` (seconds).

        Raises:
            ValueError, TypeError: an argument is wrong; the text names it.
            EzraError: nothing was done: the disk is full, say, or this is closed. Only its kind
                `OutcomeUnknown`, of `ezra.sansio.errors`, says that the disk failed meanwhile, and
                that nobody knows.
        """
        return self.push_many(queue, [payload], headers=headers, **options)[0]

    def push_many(
        self,
        queue: str,
        payloads: Iterable[Payload],
        *,
        headers: Headers = (),
        **options: Unpack[TaskOptions],
    ) -> list[str]:
        """Add tasks that differ in their payload only; return their ids once all are on disk.

        One call is one commit: ezra.push_many("emails", ["one", "two", "three"])

        Raises:
            ValueError, TypeError, EzraError: as `push`.
        """
        name = arguments.queue(queue)
        most = self._settings.max_payload_bytes
        common = arguments.headers(headers, most)
        numbers = arguments.task_options(options)
        bodies = arguments.payloads(payloads, most)
        pushes = [Push(name, NewTask(body, common, **numbers)) for body in bodies]
        return [wire_id(cast(int, result)) for result in self._execute(pushes)]

    def pop(
        self, *queues: str, worker: str | None = None, block: float | None = None
    ) -> Task | None:
        """Take the next task, from the first of the queues that has one; None if there is none.

            task = ezra.pop("urgent", "emails", block=10)

        Args:
            queues: their names, strict priority first; `emails::dead` is a dead-letter queue.
            worker: what the worker calls itself; by default, after this process and thread.
            block: seconds to wait for a task. None or 0 does not wait (unlike Redis' BLOCK 0),
                math.inf waits for ever. Waiting workers are served first come, first served.

        Raises:
            ValueError, TypeError, EzraError: as `push`.
        """
        tasks = self.pop_many(*queues, count=1, worker=worker, block=block)
        return tasks[0] if tasks else None

    def pop_many(
        self,
        *queues: str,
        count: int,
        worker: str | None = None,
        block: float | None = None,
    ) -> list[Task]:
        """Take up to `count` tasks in all, as `pop` does; the list is empty when there are none.

        They are 10,000 at the most, and fewer where they are large, as on the wire.
        """
        name = arguments.worker(worker)
        claim = Claim(
            arguments.sources(queues), name, arguments.count(count), self._deadline(block)
        )
        return [
            make_task(task, given.source.name, name)
            for given in self._claim(claim)
            for task in given.tasks
        ]

    def ack(self, task: Task | str, queue: str | None = None) -> bool:
        """Say that a task is done. Returns whether that counts.

            ezra.ack(task)
            ezra.ack("1700000000000-0", "emails")

        An ack counts while the task is in flight, also for somebody else who has popped it since:
        their own ack is False then. It counts after the visibility timeout, too, until the task is
        popped again; but not for one that is done already, was given back by a nack, is dead or
        gone.

        Raises:
            ValueError, TypeError, EzraError: as `push`.
        """
        name, number = which(task, queue)
        return self._execute([Ack(name, (number,))]) == [1]

    def nack(
        self,
        task: Task,
        *,
        delay: float | None = None,
        reason: str | None = None,
        mode: Literal["FAIL", "FATAL", "SILENT"] = "FAIL",
    ) -> bool:
        """Say that a task could not be done. Returns False when this worker holds it no more.

            ezra.nack(task, delay=30, reason="the mail server is down")

        Args:
            task: as it was popped; a later pop of the same task is left alone.
            delay: seconds before it can be popped again; None follows the queue's retry delay.
            reason: kept with the task as its last error.
            mode: FAIL is tried again while attempts are left, FATAL is dead at once, SILENT
                takes the attempt back: it never counted.

        Raises:
            ValueError, TypeError, EzraError: as `push`.
        """
        name, number = which(task)
        nack = Nack(
            name,
            (number,),
            NackMode(mode),
            delay=arguments.delay(delay),
            reason=arguments.reason(reason),
            claim=task.claim,
        )
        return self._execute([nack]) == [1]

    def extend(self, task: Task) -> bool:
        """Renew the hold on a task that takes long: its visibility timeout begins anew.

        Returns False when the hold is lost: the task is in flight no more, or was popped again
        since, be it by a worker of the same name.

        Raises:
            ValueError, TypeError, EzraError: as `push`.
        """
        name, number = which(task)
        extend = Extend(name, task.worker, (number,), claim=task.claim)
        return self._execute([extend]) == [(number,)]

    def queue_info(self, queue: str) -> QueueInfo | None:
        """Return a queue's books (ready, scheduled, in_flight, done, dead …), None if unknown.

        Raises:
            ValueError, TypeError, EzraError: as `push`.
        """
        return self._lifetime.engine.info(arguments.queue(queue))

    def queues(self) -> list[QueueInfo]:
        """Return the books of all queues, by name, without their first and last tasks.

        Raises:
            EzraError: as `push`.
        """
        return self._lifetime.engine.queues()

    def close(self) -> None:
        """Answer who is waiting with None, end the clients of the port, put the file in order.

        Calling it again does nothing. What is in flight stays so and goes back to its queue when
        the directory is opened next.

        Raises:
            EzraError: the disk failed at the very end. All that was answered is stored, and the
                next start finds it.
        """
        self._lifetime.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _deadline(self, block: float | None) -> int | None:
        duration = arguments.block(block)
        if duration is None or duration == FOREVER:
            return duration
        return self._clock.now() + duration

    def _execute(self, operations: Sequence[Operation]) -> list[Result]:
        """Carry the operations out; raises the first error among their outcomes."""
        return results(self._lifetime.engine.execute(operations))

    def _claim(self, claim: Claim) -> list[Delivery]:
        """Claim, and give back what was claimed if the wait is broken off, as by Ctrl-C."""
        engine = self._lifetime.engine
        submission = engine.submit([claim])
        try:
            outcomes = submission.wait()
        except BaseException:
            submission.cancel()
            with suppress(EzraError):
                release(engine, deliveries(submission.wait()))
            raise
        return deliveries(outcomes)


def serve(data_dir: str | os.PathLike[str] = "ezra-data", **options: Unpack[ServerOptions]) -> int:
    """Serve Redis clients until SIGTERM or Ctrl-C, like `python -m ezra`; return its exit code.

        ezra.serve("data", port=42002, visibility_timeout=60)

    The options are those of `Ezra`. To be called in the main thread, where signals arrive.

    Raises:
        RuntimeError: this is another thread; nothing was opened.
        ValueError, TypeError: an option is wrong; the text names it.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "ezra.serve ends on a signal, which only the main thread receives; "
            "in another thread use Ezra(..., port=...), which serves until it is closed"
        )
    return serve_settings(arguments.settings(data_dir, options))


def make_task(claimed: Claimed, queue: str, worker: str) -> Task:
    """Return a claimed task as the application sees it."""
    return Task(
        wire_id(claimed.id),
        queue,
        claimed.payload,
        claimed.headers,
        claimed.attempts,
        claimed.max_attempts,
        worker,
        claimed.claim,
    )


def results(outcomes: Sequence[Outcome]) -> list[Result]:
    """Return the outcomes, or raise the first error among them."""
    for outcome in outcomes:
        if isinstance(outcome, EzraError):
            raise outcome
    return cast(list[Result], outcomes)


def deliveries(outcomes: Sequence[Outcome]) -> list[Delivery]:
    """Return what a claim was given, or raise its error."""
    [given] = results(outcomes)
    return list(cast(tuple[Delivery, ...], given))


def which(task: Task | str, queue: str | None = None) -> tuple[str, int]:
    """Return the queue and the number of a task, given as such or by its id and queue."""
    if isinstance(task, Task):
        return which(task.id, task.queue)
    if queue is None:
        raise TypeError(f"a popped task is needed, or an id with its queue, not {task!r}")
    return arguments.sources([queue])[0].queue, arguments.task_id(task)
