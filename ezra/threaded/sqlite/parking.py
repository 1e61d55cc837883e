"""The claims that found nothing and wait: first come, first served, however many wait.

Every address has a line of the calls that are parked on it, and a claim with several sources stands
in several lines. Work that comes to some addresses is offered to their lines only.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from operator import attrgetter

from ezra.sansio.model import Address
from ezra.sansio.queue.operations import Claim
from ezra.threaded.sqlite.calls import Call, sources_of


class Parking:
    """Belongs to whoever leads the commit; while nobody does, to who holds the engine's lock."""

    def __init__(self) -> None:
        # Ordered dicts find their first key in O(1), however many were taken out before it.
        self._lines: dict[Address, OrderedDict[int, Call]] = {}
        self._next_ticket = 1

    def park(self, call: Call, claim: Claim) -> None:
        """Let the claim wait behind all others; its call's `ticket` says so."""
        call.ticket = self._next_ticket
        self._next_ticket += 1
        for source in claim.sources:
            self._lines.setdefault(source, OrderedDict())[call.ticket] = call

    def leave(self, call: Call, claim: Claim) -> None:
        """Let the claim wait no longer."""
        for source in set(claim.sources):
            line = self._lines[source]
            del line[call.ticket]
            if not line:
                del self._lines[source]
        call.ticket = 0

    def addresses(self) -> list[Address]:
        """Return every address for which somebody waits."""
        return list(self._lines)

    def reach(self, addresses: Iterable[Address]) -> set[Address]:
        """Return the addresses, and whatever else those wait for who wait for any of them."""
        reached: set[Address] = set()
        ahead = list(addresses)
        while ahead:
            address = ahead.pop()
            if address not in reached:
                reached.add(address)
                for call in self._lines.get(address, {}).values():
                    ahead += sources_of(call.operation)
        return reached

    def waiting_for(self, addresses: Iterable[Address]) -> Iterator[Call]:
        """Yield who waits for any of the addresses, in the order of arrival."""
        lines = [self._lines[address].values() for address in addresses if address in self._lines]
        last = 0
        for call in heapq.merge(*lines, key=attrgetter("ticket")):
            if call.ticket != last:  # else it stood in two of the lines
                yield call
            last = call.ticket
