"""Commands in, results out: what each command of the protocol asks of the engine.

Commands that write are translated into the engine's operations, and as many of them as follow one
another become one submission: they share one commit. What looks or asks about the server ends such
a run, because it must see what the commands before it did; what has a fixed answer does not. Every
result is what the command's own `reply` understands, or the `EzraError` that takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from ezra.sansio.commands import (
    Command,
    ConnectionCommand,
    Exec,
    PlainCommand,
    ServerCommand,
    XReadGroup,
)
from ezra.sansio.connection import BadCommand, Read
from ezra.sansio.errors import CommandError, EngineError, EzraError, OutcomeUnknown, Text
from ezra.sansio.execution import as_step, as_transact, fill, is_for_the_engine
from ezra.sansio.host import Host
from ezra.sansio.model import Address, Delivery
from ezra.sansio.queue.looks import Look
from ezra.sansio.queue.operations import (
    Claim,
    DeleteQueues,
    Operation,
    Outcome,
    Release,
    RemoveWorker,
    TakeIdle,
    TakeOver,
    Transact,
    Trim,
)
from ezra.sansio.session import Session
from ezra.sansio.translation import as_claim, as_operation
from ezra.threaded.clock import Clock
from ezra.threaded.engine import Engine, Submission

PIECE = 1_000
"""Tasks that one commit changes of an operation that may have very many to change: some
milliseconds, for which pushes wait. Inside a transaction it is all at once, as that means."""

IN_PIECES = (Trim, DeleteQueues, RemoveWorker)
"""The operations that are carried out so."""

HANDING_OUT = (Claim, TakeIdle, TakeOver, Look)
"""What may have a large outcome."""

TOGETHER = 16
"""How many operations with such outcomes one client has carried out together: all of them are in
memory before they are weighed."""

Admit = Callable[[Read, object], object]
"""Takes a request and its result, and returns what is to be answered."""


class Dispatcher:
    """Carries out commands on one engine, for any number of threads."""

    def __init__(self, engine: Engine, clock: Clock, host: Host) -> None:
        self._engine = engine
        self._clock = clock
        self._host = host

    def carry_out(self, requests: Sequence[Read], session: Session, admit: Admit) -> list[object]:
        """Return the result, or the error, of each request, in order. None may wait for tasks.

        Args:
            requests: what has arrived.
            session: whose they are.
            admit: is given each request with its result as soon as there is one, before more are
                made, and returns what is to be answered.
        """
        run = _Run(self._engine, admit)
        now = self._clock.now()
        for request in requests:
            operation = _as_one_operation(request, now)
            if operation is not None:
                run.add(request, operation)
                continue
            if not isinstance(request, PlainCommand | BadCommand):
                run.execute()
            run.results.append(admit(request, self._answer(request, session)))
        run.execute()
        return run.results

    def claim(self, command: XReadGroup) -> Submission:
        """Submit a command that may wait for its tasks; its one outcome is the command's result.

        Raises:
            EngineError: the engine takes nothing any more.
        """
        return self._engine.submit([as_claim(command, self._clock.now())])

    def release(self, deliveries: Sequence[Delivery]) -> Outcome:
        """Undo claims that could not be delivered, as `release` does."""
        return release(self._engine, deliveries)

    def _answer(self, request: Read, session: Session) -> object:
        """Carry out one request that is not one plain operation."""
        try:
            match request:
                case BadCommand(error):
                    return error
                case ConnectionCommand():
                    return request.answer(session)
                case ServerCommand():
                    return request.answer(self._host, session)
                case Exec():
                    return self._transact(request, session)
                case _:
                    return self._look_or_clear(request)
        except EzraError as error:
            return error.as_answer()

    def _transact(self, command: Exec, session: Session) -> object:
        """Carry out a transaction in which some commands are not the engine's."""
        transact = as_transact(command, self._clock.now())
        outcome = execute(self._engine, [transact])[0] if transact.steps else ()
        if isinstance(outcome, EzraError):
            return outcome
        done = cast(tuple[object, ...], outcome)
        return fill(command, done, lambda each: self._answer(each, session))

    def _look_or_clear(self, command: Command[Any]) -> Outcome:
        """Answer a command that looks, or that is carried out in pieces."""
        match as_step(command, self._clock.now()):
            case Trim() as trim:
                return self._trim(trim)
            case DeleteQueues() as delete:
                return self._delete(delete)
            case RemoveWorker() as remove:
                return self._in_pieces(lambda most: replace(remove, most=most))
            case look:
                return self._engine.look(cast(Look, look))

    def _trim(self, trim: Trim, before: int = 0) -> Outcome:
        """Trim piece by piece; return how many were removed, with those from before."""
        return self._in_pieces(lambda most: replace(trim, most=most), trim.most, before)

    def _in_pieces(
        self, piece: Callable[[int], Operation], most: int | None = None, before: int = 0
    ) -> Outcome:
        """Carry an operation out piece by piece, each with a commit of its own.

        Args:
            piece: makes the operation that does so many at most, and answers how many it did.
            most: of all pieces together; None for as many as there are.
            before: tasks that the same command has changed already.
        """
        done = before
        while True:
            size = PIECE if most is None else min(PIECE, most - done)
            outcome = execute(self._engine, [piece(size)])[0]
            if isinstance(outcome, EzraError):
                return _in_part(outcome, done)
            done += cast(int, outcome)
            if outcome != size or done == most:
                return done

    def _delete(self, delete: DeleteQueues) -> Outcome:
        """Delete queues; what is done in them goes piece by piece before, if they may be deleted.

        The engine has the last word, also about what was pushed meanwhile.
        """
        done = 0
        if all(map(self._is_finished, delete.queues)):
            for queue in delete.queues:
                outcome = self._trim(Trim(Address(queue)), done)
                if isinstance(outcome, EzraError):
                    return outcome
                done = cast(int, outcome)
        return _in_part(execute(self._engine, [delete])[0], done)

    def _is_finished(self, queue: str) -> bool:
        """Tell whether nothing is to be done in the queue, or there is no such queue."""
        try:
            info = self._engine.info(queue)
        except CommandError:
            return False  # there is a task, too large to be looked at
        return info is None or not (info.waiting or info.in_flight or info.dead)


class _Run:
    """Results in the making: the operations among them are carried out together."""

    def __init__(self, engine: Engine, admit: Admit) -> None:
        self._engine = engine
        self._admit = admit
        self._operations: list[Operation] = []
        self._requests: list[Read] = []
        self._places: list[int] = []
        self._handing_out = 0
        self.results: list[object] = []

    def add(self, request: Read, operation: Operation) -> None:
        """Leave the next place to the operation's outcome."""
        self._places.append(len(self.results))
        self._requests.append(request)
        self._operations.append(operation)
        self.results.append(None)
        self._handing_out += _hands_out(operation)
        if self._handing_out == TOGETHER:
            self.execute()

    def execute(self) -> None:
        """Carry out what was added, and put each outcome in its place."""
        if self._operations:
            outcomes = execute(self._engine, self._operations)
            done = zip(self._places, self._requests, outcomes, strict=True)
            for place, request, outcome in done:
                self.results[place] = self._admit(request, outcome)
            self._places, self._requests, self._operations = [], [], []
            self._handing_out = 0


def _as_one_operation(request: Read, now: int) -> Operation | None:
    """Return the operation that is all of the request, if it may share its commit with others."""
    if isinstance(request, BadCommand):
        return None
    if isinstance(request, Exec):
        whole = request.commands and all(map(is_for_the_engine, request.commands))
        return as_transact(request, now) if whole else None
    operation = as_operation(request, now)
    return None if isinstance(operation, IN_PIECES) else operation


def _in_part(outcome: Outcome, done: int) -> Outcome:
    """Return the outcome; an error that leaves so many tasks changed says so.

    Where nobody knows what has become of the last of them, the error stays as it is.
    """
    if not done or not isinstance(outcome, EzraError) or isinstance(outcome, OutcomeUnknown):
        return outcome
    return CommandError(Text.DONE_IN_PART.format(done=done, error=outcome))


def _hands_out(operation: Operation) -> bool:
    steps = operation.steps if isinstance(operation, Transact) else (operation,)
    return any(isinstance(step, HANDING_OUT) for step in steps)


def execute(engine: Engine, operations: Sequence[Operation]) -> list[Outcome]:
    """Return the outcome of each operation; all of them go to disk together."""
    try:
        return engine.execute(operations)
    except EngineError as error:
        return [error.as_answer()] * len(operations)


def release(engine: Engine, deliveries: Sequence[Delivery]) -> Outcome:
    """Undo claims that could not be delivered; return how many tasks were released.

    An `EzraError` instead of the number: they come back when their leases lapse.
    """
    claims = tuple((task.id, task.claim) for given in deliveries for task in given.tasks)
    return execute(engine, [Release(claims)])[0] if claims else 0
