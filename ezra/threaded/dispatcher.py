"""Commands in, results out: what each command of the protocol asks of the engine.

Writing commands are translated into the engine's operations, and as many of them as stand beside
one another become one submission: they share one commit. A command of another kind ends such a run,
because one that looks must see what the commands before it did. Every result is what the command's
own `reply` understands, or the `EzraError` that takes its place.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from ezra.sansio.commands import (
    Command,
    ConnectionCommand,
    QueueGet,
    QueueList,
    QueueSet,
    XInfoStream,
    XLen,
    XReadGroup,
)
from ezra.sansio.connection import BadCommand
from ezra.sansio.errors import EngineError, EzraError
from ezra.sansio.model import Delivery, QueueSettings
from ezra.sansio.queue.operations import (
    Claim,
    ConfigureQueue,
    Operation,
    Outcome,
    Release,
    Reread,
)
from ezra.sansio.session import Session
from ezra.sansio.translation import as_claim, as_operation, as_reread
from ezra.threaded.clock import Clock
from ezra.threaded.engine import Engine, Submission

Request = Command[Any] | BadCommand
"""What a client asked for, or why it could not be understood."""


class Dispatcher:
    """Carries out commands on one engine, for any number of threads."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._configuring = threading.Lock()
        """Held from reading a queue's settings until their successors are written."""

    def carry_out(self, requests: Sequence[Request], session: Session) -> list[object]:
        """Return the result, or the error, of each request, in order. None may wait for tasks."""
        results: list[object] = []
        run: list[Operation] = []
        now = self._clock.now()
        for request in requests:
            operation = None if isinstance(request, BadCommand) else as_operation(request, now)
            if operation is not None:
                run.append(operation)
                continue
            results += self._execute(run)
            run = []
            results.append(self._answer(request, session))
        return results + self._execute(run)

    def claim(self, command: XReadGroup) -> Submission:
        """Submit a command that may wait for its tasks; its one outcome is the command's result.

        Raises:
            EngineError: the engine takes nothing any more.
        """
        return self._engine.submit([as_claim(command, self._clock.now())])

    def release(self, deliveries: Sequence[Delivery]) -> Outcome:
        """Undo claims that could not be delivered; return how many tasks were released.

        An `EzraError` instead of the number: they come back when their leases lapse.
        """
        claims = tuple((task.id, task.attempts) for given in deliveries for task in given.tasks)
        return self._execute([Release(claims)])[0] if claims else 0

    def _execute(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Return the outcome of each operation; all of them go to disk together."""
        if not operations:
            return []
        try:
            return self._engine.execute(operations)
        except EngineError as error:
            return [error] * len(operations)

    def _answer(self, request: Request, session: Session) -> object:
        """Carry out one request that is not one plain operation."""
        try:
            if isinstance(request, BadCommand):
                return request.error
            if isinstance(request, ConnectionCommand):
                return request.answer(session)
            return self._look(request)
        except EzraError as error:
            return error

    def _look(self, command: Command[Any]) -> object:
        match command:
            case XLen(address):
                return self._engine.length(address.queue, dead=address.dead)
            case XInfoStream(address):
                info = self._engine.info(address.queue)
                return info and (info, self._clock.now())
            case QueueList():
                return self._engine.queues()
            case QueueGet(queue):
                return self._engine.info(queue)
            case QueueSet():
                return self._configure(command)
            case XReadGroup():
                return self._read_again(command)
            case _:
                raise AssertionError(f"{command.SPEC.name} stands in the table without a handler")

    def _configure(self, command: QueueSet) -> Outcome:
        with self._configuring:
            info = self._engine.info(command.queue)
            settings = info.settings if info else QueueSettings()
            changed = replace(settings, **dict(command.changes))
            return self._execute([ConfigureQueue(command.queue, changed)])[0]

    def _read_again(self, command: XReadGroup) -> tuple[Delivery, ...]:
        """Give the worker its own tasks again, then fill up to the count with new ones."""
        again = self._take(as_reread(command))
        taken = sum(len(given.tasks) for given in again)
        if taken == command.count or not command.claims:
            return again
        return again + self._take(as_claim(command, self._clock.now(), taken=taken))

    def _take(self, operation: Claim | Reread) -> tuple[Delivery, ...]:
        """Carry the operation out by itself; raises the `EzraError` that is its outcome."""
        [outcome] = self._execute([operation])
        if isinstance(outcome, EzraError):
            raise outcome
        return cast(tuple[Delivery, ...], outcome)
