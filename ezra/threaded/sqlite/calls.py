"""One operation on its way through the engine, and the order in which a batch carries them out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import get_args

from ezra.sansio.model import Address
from ezra.sansio.queue.looks import Details, Groups, Look, Workers
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
    Outcome,
    Push,
    Release,
    RemoveGroup,
    RemoveWorker,
    TakeIdle,
    TakeOver,
    Transact,
    Trim,
)

Request = Operation | Look
"""What the leader of a commit carries out. Looks are among it as steps of a transaction, and when
they ask for what only the leader knows."""

Kind = type[Request]

ORDER: dict[Kind, int] = {
    kind: rank
    for rank, kind in enumerate(
        (
            CreateQueue,
            ConfigureQueue,
            AddWorker,
            Push,
            Ack,
            Nack,
            Release,
            RemoveWorker,
            Extend,
            Erase,
            Trim,
            RemoveGroup,
            DeleteQueues,
            Transact,
            TakeOver,
            TakeIdle,
            Claim,
            Details,
            Groups,
            Workers,
        )
    )
}
"""What goes first where the order is ours: what makes work available before what takes it."""

MINDFUL: frozenset[Kind] = frozenset(
    {ConfigureQueue, AddWorker, Trim, DeleteQueues, *get_args(Look)}
)
"""What depends on tasks that it neither names nor takes as their turn comes."""


class Call:
    """An operation and its outcome. Compared by identity; whoever leads the commit fills it in."""

    __slots__ = ("operation", "outcome", "ticket")

    def __init__(self, operation: Request) -> None:
        self.operation = operation
        self.outcome: Outcome = None
        self.ticket = 0
        """A parked claim's place in line."""


def rounds(lines: Sequence[Sequence[Call]]) -> Iterator[tuple[Kind, list[Call]]]:
    """Yield the calls in the order in which they are to be carried out, one run at a time.

    Each line is one submission's calls, whose order is kept. Calls of different lines may pass each
    other, so that those of one kind come together and need few statements.
    """
    if len(lines) == 1:
        yield from runs(lines[0])
        return
    rest = [deque(line) for line in lines if line]
    while rest:
        kind = min((type(line[0].operation) for line in rest), key=ORDER.__getitem__)
        yield from runs([call for line in rest for call in _take_while(line, kind)])
        rest = [line for line in rest if line]


def runs(calls: Sequence[Call]) -> Iterator[tuple[Kind, list[Call]]]:
    """Cut the calls, in this order, into runs of one kind that share their statements."""
    run: list[Call] = []
    for call in calls:
        alone = stands_alone(call)
        if run and (alone or type(call.operation) is not type(run[0].operation)):
            yield type(run[0].operation), run
            run = []
        run.append(call)
        if alone:
            yield type(call.operation), run
            run = []
    if run:
        yield type(run[0].operation), run


def stands_alone(call: Call) -> bool:
    """Say whether others must see all that the call has done, and it all that they have."""
    operation = call.operation
    return isinstance(operation, Transact) or (isinstance(operation, Claim) and looks_back(call))


def looks_back(call: Call) -> bool:
    """Say whether a claim asks for tasks in flight, too; once it waits it never does."""
    claim = call.operation
    assert isinstance(claim, Claim)  # noqa: S101 - the caller has seen to it
    return not call.ticket and (claim.min_idle is not None or bool(claim.rereads))


def minds_the_rest(operation: Request) -> bool:
    """Say whether an operation, or a step of it, is `MINDFUL`.

    Tasks that are named, or whose turn comes, are as they should be however much is due.
    """
    if isinstance(operation, Transact):
        return any(map(minds_the_rest, operation.steps))
    return type(operation) in MINDFUL


def sources_of(operation: Request) -> tuple[Address, ...]:
    """Return from where an operation takes the tasks whose turn it is, its steps included."""
    match operation:
        case Claim():
            return operation.sources
        case Transact():
            return tuple(chain.from_iterable(map(sources_of, operation.steps)))
        case _:
            return ()


def _take_while(line: deque[Call], kind: Kind) -> Iterator[Call]:
    while line and type(line[0].operation) is kind:
        yield line.popleft()
