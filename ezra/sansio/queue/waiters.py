"""The claims that found nothing and wait their turn: first come, first served.

A ticket numbers each parked claim in the order of arrival. Every address has a line of the tickets
that are parked on it, and a claim with several sources stands in several lines. When work comes to
an address only the first of its line can be next, so serving looks at the heads of the lines that
were stirred, never at everybody who waits.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from ezra.sansio.model import FOREVER, Address, Delivery
from ezra.sansio.queue.operations import Claim
from ezra.sansio.queue.ranking import Ranking


@dataclass(frozen=True, slots=True)
class Waiting:
    """A claim has found nothing and is parked; `woken` will name its ticket."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Woken:
    """A parked claim is answered: with tasks, or with `()` because its deadline has come."""

    ticket: int
    deliveries: tuple[Delivery, ...]


class Waiters:
    """The parked claims by ticket, by address and by deadline."""

    __slots__ = ("_claims", "_deadlines", "_lines", "_next", "_stirred")

    def __init__(self) -> None:
        self._claims: dict[int, Claim] = {}
        # Ordered dicts find their first key in O(1), however many were taken out before it.
        self._lines: dict[Address, OrderedDict[int, None]] = {}
        self._deadlines = Ranking[int]()
        self._stirred: list[int] = []
        self._next = 1

    def park(self, claim: Claim) -> int:
        """Let the claim wait behind all others, and return its ticket."""
        ticket = self._next
        self._next += 1
        self._claims[ticket] = claim
        for source in claim.sources:
            self._lines.setdefault(source, OrderedDict())[ticket] = None
        self._deadlines.place(ticket, None if claim.deadline == FOREVER else claim.deadline)
        return ticket

    def leave(self, ticket: int) -> None:
        """Forget the claim; an unknown ticket is ignored."""
        claim = self._claims.pop(ticket, None)
        if claim is None:
            return
        self._deadlines.place(ticket, None)
        for source in set(claim.sources):
            line = self._lines[source]
            del line[ticket]
            if not line:
                del self._lines[source]

    def stir(self, address: Address) -> None:
        """Note that work may have come to the address: the first of its line may be next."""
        line = self._lines.get(address)
        if line:
            heapq.heappush(self._stirred, next(iter(line)))

    def stirred(self) -> Iterator[tuple[int, Claim]]:
        """Yield those who may be next, in the order of arrival, until nobody is.

        Whoever gets work must `leave`, and its sources must be stirred again for those behind it,
        before the next one is asked for. Whoever gets nothing stays where it is.
        """
        while self._stirred:
            ticket = heapq.heappop(self._stirred)
            if ticket in self._claims:
                yield ticket, self._claims[ticket]

    def late(self, now: int) -> Iterator[int]:
        """Yield the tickets whose deadline has come, and forget them, by deadline and ticket."""
        for ticket in self._deadlines.take_up_to(now):
            self.leave(ticket)
            yield ticket

    def next_deadline(self) -> int:
        """Return the first deadline; `FOREVER` when there is none."""
        moment = self._deadlines.first_rank()
        return FOREVER if moment is None else moment
