"""How a transaction is carried out: what of it the engine does as one, and who answers the rest.

Like `translation` it knows both halves of the core, for drivers that use both:

    transact = as_transact(command, now)        carry it out; an error is the answer to EXEC
    fill(command, outcome, answer)              otherwise this is

The commands about the connection and the server are answered when the engine has done its part, so
that what is rolled back has answered nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ezra.sansio.commands import Command, ConnectionCommand, Exec, ServerCommand
from ezra.sansio.queue.looks import Look
from ezra.sansio.queue.operations import Operation, Transact
from ezra.sansio.translation import as_look, as_operation


def is_for_the_engine(command: Command[Any]) -> bool:
    """Tell whether a command is about queues, and not about the connection or the server."""
    return not isinstance(command, ConnectionCommand | ServerCommand)


def as_step(command: Command[Any], now: int) -> Operation | Look:
    """Return the one operation or look that carries out a command about queues.

    Args:
        command: one of those for which `is_for_the_engine` is true, but not EXEC.
        now: Unix microseconds.
    """
    step = as_operation(command, now) or as_look(command)
    if step is None:
        raise AssertionError(f"{command.SPEC.name} stands in the table without a translation")
    return step


def as_transact(command: Exec, now: int) -> Transact:
    """Return the operation that carries out, as one, all that is about queues; it may be nothing.

    Args:
        command: EXEC with its commands.
        now: Unix microseconds.
    """
    return Transact(
        tuple([as_step(each, now) for each in command.commands if is_for_the_engine(each)])
    )


def fill(
    command: Exec, done: Sequence[object], answer: Callable[[Command[Any]], object]
) -> tuple[object, ...]:
    """Return EXEC's result: the engine's in their places, and the others' answers between them.

    Args:
        command: EXEC with its commands.
        done: what the `Transact` answered.
        answer: answers a command that is not the engine's; an `EzraError` takes its place alone.
    """
    outcomes = iter(done)
    return tuple(
        [next(outcomes) if is_for_the_engine(each) else answer(each) for each in command.commands]
    )
