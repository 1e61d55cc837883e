"""Who is connected to a server, and what all clients together have asked so far.

One lock for the list. What a handler counts it counts for itself, without a lock, and is only added
up when somebody asks.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ezra.sansio.session import Session
from ezra.threaded.handler import Handler


@dataclass(frozen=True, slots=True)
class Totals:
    """What was counted."""

    connections: int = 0
    rejected: int = 0
    commands: int = 0
    errors: int = 0

    def __sub__(self, other: Totals) -> Totals:
        return Totals(
            self.connections - other.connections,
            self.rejected - other.rejected,
            self.commands - other.commands,
            self.errors - other.errors,
        )


class Clients:
    """The handlers of all clients, by their sockets, in the order in which they came."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._handlers: dict[socket.socket, Handler] = {}
        self._gone = Totals()
        """What is not in the handlers that are there. This and the next: under `_changed`."""
        self._forgotten = Totals()
        """What had been counted when the counters were last reset."""

    def __len__(self) -> int:
        with self._changed:
            return len(self._handlers)

    def add(self, peer: socket.socket, handler: Handler) -> None:
        """Note a client that was accepted."""
        with self._changed:
            self._handlers[peer] = handler

    def remove(self, peer: socket.socket) -> None:
        """Close a client's socket and forget it; one that was never added is only closed.

        Both under the lock, as every order is given: the descriptor may belong to somebody else as
        soon as it is closed, whom an order for this client would hit.
        """
        with self._changed:
            handler = self._handlers.pop(peer, None)
            if handler is not None:
                self._gone = _sum(self._gone, handler)
            peer.close()
            self._changed.notify_all()

    def reject(self) -> None:
        """Count a client that was refused."""
        with self._changed:
            gone = self._gone
            self._gone = Totals(gone.connections, gone.rejected + 1, gone.commands, gone.errors)

    def tell(self, session: Session, order: Callable[[Handler], bool]) -> bool:
        """Give the handler of a session an order; return its answer, False if nobody is there."""
        with self._changed:
            found = (handler for handler in self._handlers.values() if handler.session is session)
            handler = next(found, None)
            return handler is not None and order(handler)

    def sessions(self) -> list[Session]:
        """Return everybody's session."""
        with self._changed:
            return [handler.session for handler in self._handlers.values()]

    def totals(self) -> Totals:
        """Return what was counted since the last reset."""
        with self._changed:
            return self._counted() - self._forgotten

    def reset(self) -> None:
        """Count from 0 again."""
        with self._changed:
            self._forgotten = self._counted()

    def tell_all(self, order: Callable[[Handler], None]) -> None:
        """Give every handler an order."""
        with self._changed:
            for handler in self._handlers.values():
                order(handler)

    def all_gone(self, patience: float) -> bool:
        """Wait until nobody is there any more, at most so many seconds; tell whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._handlers, patience)

    def _counted(self) -> Totals:
        counted = self._gone
        for handler in self._handlers.values():
            counted = _sum(counted, handler)
        return counted


def _sum(totals: Totals, handler: Handler) -> Totals:
    return Totals(
        totals.connections + 1,
        totals.rejected,
        totals.commands + handler.commands,
        totals.errors + handler.errors,
    )
