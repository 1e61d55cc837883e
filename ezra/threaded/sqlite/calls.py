"""One operation on its way through the engine, and the order in which a batch carries them out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    ConfigureQueue,
    CreateQueue,
    Extend,
    Nack,
    Operation,
    Outcome,
    Push,
    Release,
    Reread,
)

ORDER: dict[type[Operation], int] = {
    kind: rank
    for rank, kind in enumerate(
        (CreateQueue, ConfigureQueue, Push, Ack, Nack, Release, Extend, Reread, Claim)
    )
}
"""What goes first where the order is ours: what makes work available before what takes it."""


class Call:
    """An operation and its outcome. Compared by identity; whoever leads the commit fills it in."""

    __slots__ = ("operation", "outcome", "ticket")

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.outcome: Outcome = None
        self.ticket = 0
        """A parked claim's place in line."""


def rounds(lines: Sequence[Sequence[Call]]) -> Iterator[tuple[type[Operation], list[Call]]]:
    """Yield the calls in the order in which they are to be carried out, one kind at a time.

    Each line is one submission's calls, whose order is kept. Calls of different lines may pass each
    other, so that those of one kind come together and need few statements.
    """
    rest = [deque(line) for line in lines if line]
    while rest:
        kind = min((type(line[0].operation) for line in rest), key=ORDER.__getitem__)
        yield kind, [call for line in rest for call in _take_while(line, kind)]
        rest = [line for line in rest if line]


def _take_while(line: deque[Call], kind: type[Operation]) -> Iterator[Call]:
    while line and type(line[0].operation) is kind:
        yield line.popleft()
