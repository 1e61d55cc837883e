"""One client's connection without its socket: bytes to commands, results to bytes.

Four verbs, no callbacks. Whoever drives a connection goes round and round:

    receive_data(bytes)        what the socket gave; b"" when the peer has ended
    next_event()               again and again: commands, until it says NEED_DATA or PAUSED, or
                               until the conversation is over (Closed, or RemoteProtocolError)
    send(result)               once for each of those commands, in their order: the reply's bytes
    send_failed()              instead of going on, when those bytes could not be delivered

A `ConnectionCommand` is answered by its own `answer(session)`, a `ServerCommand` by its own
`answer(host, session)`, a `BadCommand` by its error, every other command by an engine; after a
`RemoteProtocolError` the error itself is the last thing to send. Once the bytes are on their way,
`closing` says whether to close.

Strategy: what was read and is not yet answered waits in line, in the order in which it came; the
states and their transitions are data in `connection_state`. A wrong command is an event like any
other, and so is a whole transaction (see `transaction`).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, assert_never

from ezra.sansio.commands.base import Command
from ezra.sansio.commands.lookup import find, refuse_browser
from ezra.sansio.connection_state import CLOSING, DEAF, Input, State, transition
from ezra.sansio.errors import (
    CommandError,
    EzraError,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    Text,
)
from ezra.sansio.model import Delivery
from ezra.sansio.resp.buffer import NEED_DATA as NO_REQUEST
from ezra.sansio.resp.encoder import encode
from ezra.sansio.resp.limits import DEFAULT_LIMITS, Limits
from ezra.sansio.resp.requests import Oversized, RequestDecoder
from ezra.sansio.resp.values import SimpleError, Value
from ezra.sansio.rights import refusal
from ezra.sansio.session import Replies, Session
from ezra.sansio.transaction import BadCommand, Read, Transaction

__all__ = [
    "MAX_UNANSWERED",
    "NEED_DATA",
    "PAUSED",
    "STRANGERS_MAX_UNANSWERED",
    "BadCommand",
    "Closed",
    "Connection",
    "Event",
    "Read",
    "Signal",
]

MAX_UNANSWERED = 1024
"""Commands that are read ahead of their answers: enough to share one commit, and a bound on what a
client that sends without end can make the server hold."""

STRANGERS_MAX_UNANSWERED = 2
"""The same before the password: the longest error such a client can have is some 300 bytes, so what
it leaves unread stays below 1 KiB (in Redis it once grew without bound, CVE-2025-21605)."""


class Signal(enum.Enum):
    """What `next_event` answers when there is no event."""

    NEED_DATA = "need data"
    """Everything has been looked at; call again after `receive_data`."""
    PAUSED = "paused"
    """What was read must be answered, and the answers sent, before more is looked at."""


NEED_DATA: Final = Signal.NEED_DATA
PAUSED: Final = Signal.PAUSED


@dataclass(frozen=True, slots=True)
class Closed:
    """The peer sends no more. What it asked before may still be answered; then close."""


Event: TypeAlias = Read | Closed | Literal[Signal.NEED_DATA, Signal.PAUSED]


class Connection:
    """The session machine. Only one thread may be in it at a time.

    What its client may do is `session.role`: whoever knows him already sets that beforehand.
    """

    __slots__ = (
        "_decoder",
        "_ended",
        "_garbage",
        "_handed_out",
        "_session",
        "_state",
        "_transaction",
        "_unanswered",
    )

    def __init__(self, session: Session, limits: Limits = DEFAULT_LIMITS) -> None:
        self._session = session
        self._decoder = RequestDecoder(limits)
        self._transaction = Transaction(session)
        self._state = State.OPEN if session.authenticated else State.STRANGER
        self._decoder.stranger = not session.authenticated
        self._ended = False  # the peer's last byte has been received, though perhaps not read
        # A list, though it is taken from in front: it is short, and a deque takes 700 bytes in each
        # of ten thousand connections.
        self._unanswered: list[Read | RemoteProtocolError] = []
        self._garbage = ""  # the error reply to what is not RESP
        self._handed_out: list[Delivery] = []  # in the replies made since the last `next_event`

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return self._state

    @property
    def closing(self) -> bool:
        """Whether to close the connection once what `send` returned is on its way."""
        return self._state in CLOSING

    @property
    def held(self) -> int:
        """How many bytes are kept of what has arrived: not whole yet, or waiting for an EXEC."""
        return self._decoder.held + self._transaction.size

    def receive_data(self, data: bytes) -> None:
        """Store what has arrived; `b""` says that nothing will come any more. Then `next_event`.

        Raises:
            LocalProtocolError: something came after the end.
        """
        if self._ended:
            raise LocalProtocolError("data after the peer's end")
        if not data:
            self._ended = True
        elif self._state not in DEAF:
            self._decoder.receive_data(data)

    def next_event(self) -> Event:
        """Return the next command, or why there is none: call it until there is none, then `send`.

        Raises:
            RemoteProtocolError: the peer sent what is not RESP, or is a browser; so does every
                later call.
        """
        self._handed_out.clear()
        match self._state:
            case State.STRANGER | State.OPEN | State.COLLECTING | State.SPOILED:
                return self._read()
            case State.HELD | State.LEAVING:
                return PAUSED
            case State.ENDED | State.CLOSED:
                return Closed()
            case State.ERROR:
                raise RemoteProtocolError(self._garbage)
            case _:
                assert_never(self._state)

    def send(self, result: object) -> bytes:
        """Return the reply to the oldest command that is not answered, as bytes to be sent.

        `result` is what that command's `reply` takes, or an `EzraError` instead. After a
        `RemoteProtocolError`, and once everything before it is answered, it is that error; the
        bytes may be none then: close without a word.

        Raises:
            LocalProtocolError: nothing waits for an answer, or not for such a one.
        """
        if not self._unanswered:
            raise LocalProtocolError("nothing waits for an answer")
        request = self._unanswered[0]
        if isinstance(request, RemoteProtocolError):
            reply = _farewell(request, result)
        else:
            reply = self._reply(request, result)
        del self._unanswered[0]
        if not self._unanswered:
            self._all_answered()
        return reply

    def send_failed(self) -> tuple[Delivery, ...]:
        """Say that the bytes `send` gave since the last `next_event` did not reach the peer.

        Returns:
            What was handed out in them, to be released. The connection is over.
        """
        lost = tuple(self._handed_out)
        self._handed_out.clear()
        self._unanswered.clear()
        self._transaction.end()
        self._state = transition(self._state, Input.LOST)
        return lost

    def _all_answered(self) -> None:
        """Go on reading, by the rules for whom the client has shown himself to be."""
        known = self._session.authenticated or self._state is not State.HELD
        self._state = transition(self._state, Input.ANSWERED if known else Input.UNKNOWN)
        self._decoder.stranger = self._state is State.STRANGER

    def _read(self) -> Event:
        """Look at the next request."""
        stranger = self._state is State.STRANGER
        if len(self._unanswered) >= (STRANGERS_MAX_UNANSWERED if stranger else MAX_UNANSWERED):
            return PAUSED
        try:
            request = self._decoder.next_request()
            if request is NO_REQUEST:
                return self._without_request()
            read = self._understand(request)
        except RemoteProtocolError as error:
            self._state = transition(self._state, Input.GARBAGE)
            self._garbage = str(error)
            self._unanswered.append(error)
            raise
        words = () if isinstance(request, Oversized) else request
        event, given = self._transaction.admit(read, words, self._state)
        self._state = transition(self._state, given)
        self._unanswered.append(event)
        return event

    def _without_request(self) -> Event:
        """Return what it means that no whole request is left to read."""
        if not self._ended:
            return NEED_DATA
        self._state = transition(self._state, Input.END)
        return Closed()

    def _understand(self, request: list[bytes] | Oversized) -> Read:
        """Return the command that the request is, or why it is none.

        Raises:
            RemoteProtocolError: it is a browser's.
        """
        if isinstance(request, Oversized):
            text = Text.OVERSIZED.format(size=request.size, limit=request.limit)
            return BadCommand(CommandError(text))
        try:
            command = self._parse(request)
        except CommandError as error:
            refuse_browser(request)
            return BadCommand(error.as_answer())
        self._session.command = command.SPEC.name
        return command.adapted(self._session)

    def _parse(self, request: list[bytes]) -> Command[Any]:
        """Return the command, of which nothing but its name is read unless the client may send it.

        Raises:
            CommandError: he may not, or it is none.
        """
        kind, names = find(request)
        refused = refusal(self._session.role, kind.SPEC.name)
        if refused:
            raise CommandError(refused)
        return kind.parse(request[names:])

    def _reply(self, request: Read, result: object) -> bytes:
        """Return the reply, which may be silence, and note what comes with it."""
        if isinstance(result, ProtocolError):
            raise LocalProtocolError("a protocol error answers no command") from result
        skipped = self._session.replies is Replies.SKIP
        if skipped:
            self._session.replies = Replies.ON
        value = self._value(request, result)
        if skipped or self._session.replies is not Replies.ON or self._is_silent:
            return b""
        return encode(value, self._session.protocol)

    @property
    def _is_silent(self) -> bool:
        """Whether a browser speaks here: it is told nothing, also not what its first line came to.

        As in Redis, that is so if its `GET /` and its `Host:` were read together.
        """
        return self._state is State.ERROR and not self._garbage

    def _value(self, request: Read, result: object) -> Value:
        """Return the reply's value; from here on the connection speaks as the command wants it."""
        if isinstance(result, EzraError):
            return SimpleError(str(result))
        if isinstance(request, BadCommand):
            raise LocalProtocolError("a bad command is answered with its error")
        request.take_effect(result, self._session)
        self._handed_out += request.handed_out(result)
        return request.reply(result, self._session.protocol)


def _farewell(error: RemoteProtocolError, result: object) -> bytes:
    """Return the last words to a peer that does not speak RESP; there may be none."""
    if not isinstance(result, RemoteProtocolError):
        raise LocalProtocolError("what is not RESP is answered with its error")
    text = str(error)
    return encode(SimpleError(text), 2) if text else b""
