"""The life of a connection, as data.

`TRANSITIONS` maps (state, input) to the state that follows; a pair that is not there is illegal:
whoever drives the connection has called it out of order. What a state means beyond its transitions
is data, too: `CLOSING` and `DEAF`.

    OPEN ──command──► OPEN
    OPEN ──barrier──► HELD ──answered──► OPEN          HELLO, a claim that may wait
    OPEN ──quit──► LEAVING ──answered──► CLOSED
    OPEN ──end──► ENDED ──answered──► CLOSED           the peer sends no more
    OPEN ──garbage──► ERROR                            the peer does not speak RESP

From everywhere, `lost` leads to CLOSED, but an ERROR stays one. A connection that has yet to
authenticate, or that is between MULTI and EXEC, would be a state of its own beside OPEN.
"""

from __future__ import annotations

import enum

from ezra.sansio.errors import LocalProtocolError


class State(enum.Enum):
    """Where a connection stands. The value is its name in the docs."""

    OPEN = "open"
    """Commands are read as they come, ahead of their answers."""
    HELD = "held"
    """A command was read whose answer must be sent before the next may be looked at."""
    LEAVING = "leaving"
    """QUIT was read: what is open is answered, nothing more is read."""
    ENDED = "ended"
    """The peer has sent its last byte; what it asked before may still be answered."""
    ERROR = "error"
    """The peer sent what is not RESP; after the error reply nothing more is said. For ever."""
    CLOSED = "closed"
    """Nothing is read or sent any more."""


class Input(enum.Enum):
    """What can happen to a connection. The value is its name in the docs."""

    COMMAND = "command"
    """A command was read, good or bad, that others may follow at once."""
    BARRIER = "barrier"
    """A command was read that must be answered before the next."""
    QUIT = "quit"
    """QUIT was read."""
    ANSWERED = "answered"
    """The last command that was open has been answered."""
    END = "end"
    """The peer's bytes have come to their end, and everything before it was read."""
    GARBAGE = "garbage"
    """The peer sent what is not RESP."""
    LOST = "lost"
    """Replies could not be delivered."""


TRANSITIONS: dict[tuple[State, Input], State] = {
    (State.OPEN, Input.COMMAND): State.OPEN,
    (State.OPEN, Input.BARRIER): State.HELD,
    (State.OPEN, Input.QUIT): State.LEAVING,
    (State.OPEN, Input.ANSWERED): State.OPEN,
    (State.OPEN, Input.END): State.ENDED,
    (State.OPEN, Input.GARBAGE): State.ERROR,
    (State.OPEN, Input.LOST): State.CLOSED,
    (State.HELD, Input.ANSWERED): State.OPEN,
    (State.HELD, Input.LOST): State.CLOSED,
    (State.LEAVING, Input.ANSWERED): State.CLOSED,
    (State.LEAVING, Input.LOST): State.CLOSED,
    (State.ENDED, Input.ANSWERED): State.CLOSED,
    (State.ENDED, Input.LOST): State.CLOSED,
    (State.ERROR, Input.ANSWERED): State.ERROR,
    (State.ERROR, Input.LOST): State.ERROR,
    (State.CLOSED, Input.LOST): State.CLOSED,
}

CLOSING = frozenset({State.ENDED, State.ERROR, State.CLOSED})
"""Once what `send` returned is on its way, the driver closes the connection."""

DEAF = frozenset({State.LEAVING, State.ERROR, State.CLOSED})
"""What the peer sends is thrown away unread."""


def transition(state: State, given: Input) -> State:
    """Return the state that follows the input `given` in `state`.

    Raises:
        LocalProtocolError: the table does not hold the pair; nothing may change.
    """
    try:
        return TRANSITIONS[state, given]
    except KeyError:
        raise LocalProtocolError(
            f"a connection that is {state.value} has no use for the input {given.value!r}"
        ) from None
