"""The life of a connection, as data.

`TRANSITIONS` maps (state, input) to the state that follows; a pair that is not there is illegal:
whoever drives the connection has called it out of order. What a state means beyond its transitions
is data, too: `CLOSING`, `IN_TRANSACTION` and `DEAF`.

    STRANGER ──bad──► STRANGER                         what needs a password is refused
    STRANGER ──barrier──► HELD ──unknown──► STRANGER   AUTH, HELLO, RESET: no password yet,
    STRANGER ──barrier──► HELD ──answered──► OPEN      … or the right one
    OPEN ──command──► OPEN
    OPEN ──barrier──► HELD ──answered──► OPEN          HELLO, a claim that may wait
    OPEN ──quit──► LEAVING ──answered──► CLOSED
    OPEN ──end──► ENDED ──answered──► CLOSED           the peer sends no more
    OPEN ──garbage──► ERROR                            the peer does not speak RESP
    OPEN ──begin──► COLLECTING ──finish──► OPEN        MULTI; EXEC or DISCARD
    COLLECTING ──bad──► SPOILED ──finish──► OPEN       what was refused makes EXEC abort

A connection begins as OPEN, or as STRANGER where a password is needed. For a STRANGER the table has
no `command` and no `begin`: nothing can be carried out before the password, whoever forgets to ask.

COLLECTING and SPOILED go on like OPEN where nothing else is said: a barrier there is RESET, which
gives up the transaction, or an EXEC with an AUTH in it. From everywhere, `lost` leads to CLOSED,
but an ERROR stays one.
"""

from __future__ import annotations

import enum

from ezra.sansio.errors import LocalProtocolError


class State(enum.Enum):
    """Where a connection stands. The value is its name in the docs."""

    STRANGER = "stranger"
    """The client has yet to say a password: only what can do that is read."""
    OPEN = "open"
    """Commands are read as they come, ahead of their answers."""
    COLLECTING = "collecting"
    """Between MULTI and EXEC: commands are kept, not carried out."""
    SPOILED = "spoiled"
    """Between MULTI and EXEC, and a command was refused: nothing is kept, and EXEC aborts."""
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
    """A command was read that others may follow at once."""
    BAD = "bad"
    """A command was refused; others may follow at once."""
    BEGIN = "begin"
    """MULTI was read."""
    FINISH = "finish"
    """EXEC or DISCARD was read, and ends what MULTI began."""
    BARRIER = "barrier"
    """A command was read that must be answered before the next."""
    QUIT = "quit"
    """QUIT was read."""
    ANSWERED = "answered"
    """The last command that was open has been answered."""
    UNKNOWN = "unknown"
    """The same, and the client still, or again, has to say a password."""
    END = "end"
    """The peer's bytes have come to their end, and everything before it was read."""
    GARBAGE = "garbage"
    """The peer sent what is not RESP."""
    LOST = "lost"
    """Replies could not be delivered."""


TRANSITIONS: dict[tuple[State, Input], State] = {
    (State.STRANGER, Input.BAD): State.STRANGER,
    (State.STRANGER, Input.BARRIER): State.HELD,
    (State.STRANGER, Input.QUIT): State.LEAVING,
    (State.STRANGER, Input.ANSWERED): State.STRANGER,
    (State.STRANGER, Input.END): State.ENDED,
    (State.STRANGER, Input.GARBAGE): State.ERROR,
    (State.STRANGER, Input.LOST): State.CLOSED,
    (State.OPEN, Input.COMMAND): State.OPEN,
    (State.OPEN, Input.BAD): State.OPEN,
    (State.OPEN, Input.BEGIN): State.COLLECTING,
    (State.OPEN, Input.BARRIER): State.HELD,
    (State.OPEN, Input.QUIT): State.LEAVING,
    (State.OPEN, Input.ANSWERED): State.OPEN,
    (State.OPEN, Input.END): State.ENDED,
    (State.OPEN, Input.GARBAGE): State.ERROR,
    (State.OPEN, Input.LOST): State.CLOSED,
    (State.COLLECTING, Input.COMMAND): State.COLLECTING,
    (State.COLLECTING, Input.BAD): State.SPOILED,
    (State.COLLECTING, Input.FINISH): State.OPEN,
    (State.COLLECTING, Input.BARRIER): State.HELD,
    (State.COLLECTING, Input.QUIT): State.LEAVING,
    (State.COLLECTING, Input.ANSWERED): State.COLLECTING,
    (State.COLLECTING, Input.END): State.ENDED,
    (State.COLLECTING, Input.GARBAGE): State.ERROR,
    (State.COLLECTING, Input.LOST): State.CLOSED,
    (State.SPOILED, Input.COMMAND): State.SPOILED,
    (State.SPOILED, Input.BAD): State.SPOILED,
    (State.SPOILED, Input.FINISH): State.OPEN,
    (State.SPOILED, Input.BARRIER): State.HELD,
    (State.SPOILED, Input.QUIT): State.LEAVING,
    (State.SPOILED, Input.ANSWERED): State.SPOILED,
    (State.SPOILED, Input.END): State.ENDED,
    (State.SPOILED, Input.GARBAGE): State.ERROR,
    (State.SPOILED, Input.LOST): State.CLOSED,
    (State.HELD, Input.ANSWERED): State.OPEN,
    (State.HELD, Input.UNKNOWN): State.STRANGER,
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

IN_TRANSACTION = frozenset({State.COLLECTING, State.SPOILED})
"""Between MULTI and EXEC."""

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
