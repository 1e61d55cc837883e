"""Laws of `ezra.sansio.connection`, the session machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.access import Access, Role
from ezra.sansio.commands import (
    Command,
    ConnectionCommand,
    Echo,
    Exec,
    Ping,
    Quit,
    XAck,
    XReadGroup,
)
from ezra.sansio.connection import (
    MAX_UNANSWERED,
    NEED_DATA,
    PAUSED,
    STRANGERS_MAX_UNANSWERED,
    BadCommand,
    Closed,
    Connection,
    Event,
    Signal,
)
from ezra.sansio.connection_state import CLOSING, TRANSITIONS, Input, State
from ezra.sansio.errors import (
    CommandError,
    EngineClosed,
    EzraError,
    LocalProtocolError,
    RemoteProtocolError,
    Text,
)
from ezra.sansio.model import Address, Delivery
from ezra.sansio.resp.limits import DEFAULT_LIMITS, Limits
from tests.property.commands.books import DELIVERY, FIVE, TASK
from tests.property.wire import PASSWORDS, connection, request, session, split

CLAIM = request(*split("XREADGROUP GROUP g w STREAMS q >"))
BLOCKED = request(*split("XREADGROUP GROUP g w BLOCK 0 STREAMS q >"))
NO_ACK = request(*split("XREADGROUP GROUP g w NOACK STREAMS q >"))
REREAD = request(*split("XREADGROUP GROUP g w STREAMS q 0"))
PING = request(b"PING")
MULTI = request(b"MULTI")
EXEC = request(b"EXEC")
RESET = request(b"RESET")
GIVEN = (Delivery(Address("q"), (TASK,)),)
PIPELINE = b"".join(
    [
        request(b"HELLO", b"3", b"SETNAME", b"me"),
        PING,
        request(*split("XADD q * payload x ttl 5")),
        b'inline "with quotes"\r\n',
        CLAIM,
        request(b"NOSUCH", b"x" * 200),
        request(*split("XADD q * payload")),
        BLOCKED,
        request(*split("HELLO 2")),
        REREAD,
        request(*split("XACK q g 1-5 x")),
        request(*split("XACK q g 1-5")),
        MULTI,
        request(*split("XADD q * payload x")),
        BLOCKED,
        PING,
        EXEC,
        request(b"QUIT"),
        PING,
    ]
)


def _result(event: Command[Any] | BadCommand, own: Connection) -> object:
    """Answer a command as a driver with a made-up engine would."""
    if isinstance(event, BadCommand):
        return event.error
    if isinstance(event, ConnectionCommand):
        return event.answer(own._session)
    if isinstance(event, Exec):
        return tuple(_result(command, own) for command in event.commands)
    if isinstance(event, XReadGroup):
        return GIVEN
    return 1 if isinstance(event, XAck) else FIVE


class Driver:
    """Drives a connection as every driver does, and remembers all that it saw and sent."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS, *, access: Access = Access.OPEN) -> None:
        self.connection = Connection(session(access=access), limits)
        self.seen: list[object] = []
        self.sent = b""

    def feed(self, data: bytes) -> None:
        """Receive the bytes and answer everything that can be answered."""
        self.connection.receive_data(data)
        while self._turn():
            pass

    def _turn(self) -> bool:
        batch: list[Command[Any] | BadCommand] = []
        while True:
            try:
                event = self.connection.next_event()
            except RemoteProtocolError as error:
                return self._finish(batch, error)
            if isinstance(event, Signal | Closed):
                break
            batch.append(event)
        self._answer(batch)
        self._note(event)
        return event is PAUSED

    def _finish(self, batch: list[Command[Any] | BadCommand], error: RemoteProtocolError) -> bool:
        self._answer(batch)
        if not self.seen or self.seen[-1] != ("garbage", str(error)):
            self.sent += self.connection.send(error)
            self.seen.append(("garbage", str(error)))
        return False

    def _answer(self, batch: list[Command[Any] | BadCommand]) -> None:
        for event in batch:
            seen = ("bad", str(event.error)) if isinstance(event, BadCommand) else event
            self.seen.append(seen)
            self.sent += self.connection.send(_result(event, self.connection))

    def _note(self, event: Event) -> None:
        if isinstance(event, Closed) and event not in self.seen:
            self.seen.append(event)


def _pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = [0, *sorted(cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places) if a < b]


@pytest.mark.unmeasured
@given(st.sets(st.integers(1, len(PIPELINE) - 1)))
def test_chunking(cuts: set[int]) -> None:
    """However the network cuts a pipeline, the events and the reply bytes are the same."""
    whole, pieces = Driver(), Driver()
    whole.feed(PIPELINE)
    for piece in _pieces(PIPELINE, cuts):
        pieces.feed(piece)
    assert (pieces.seen, pieces.sent) == (whole.seen, whole.sent)


def test_byte_by_byte() -> None:
    """The same, with every cut there is."""
    whole, pieces = Driver(), Driver()
    whole.feed(PIPELINE)
    for place in range(len(PIPELINE)):
        pieces.feed(PIPELINE[place : place + 1])
    assert (pieces.seen, pieces.sent) == (whole.seen, whole.sent)
    assert len(whole.seen) == 19  # eighteen commands up to QUIT, then the end
    assert whole.seen[-2:] == [Quit(), Closed()]


GARBAGE = st.lists(
    st.sampled_from(
        [PING, CLAIM, BLOCKED, request(b"QUIT"), b"*", b"$", b"-1", b"3", b"\r\n", b"\n", b"PING"]
    )
    | st.binary(max_size=12),
    max_size=30,
).map(b"".join)


@pytest.mark.unmeasured
@given(GARBAGE, GARBAGE)
def test_garbage(data: bytes, more: bytes) -> None:
    """Any bytes make events, NEED_DATA, PAUSED or RemoteProtocolError, which is then for ever."""
    driver = Driver(Limits(max_bulk=1_000, max_line=1_000))
    driver.feed(data)
    if driver.connection.state is State.ERROR:
        sent = driver.sent
        driver.feed(more)
        assert driver.connection.state is State.ERROR
        assert driver.sent == sent
        assert driver.connection.closing


def test_garbage_is_answered_after_what_came_before_it() -> None:
    """The replies keep their order, the protocol error is the last word, then nothing is read."""
    machine = connection()
    machine.receive_data(PING + b"*1\r\n:1\r\n" + PING)
    assert machine.next_event() == Ping()
    errors = []
    for _ in range(3):
        with pytest.raises(RemoteProtocolError) as caught:
            machine.next_event()
        errors.append(caught.value)
    assert machine.closing
    with pytest.raises(LocalProtocolError, match="answers no command"):
        machine.send(errors[0])
    assert machine.send(None) == b"+PONG\r\n"
    with pytest.raises(LocalProtocolError, match="answered with its error"):
        machine.send(None)
    assert machine.send(errors[0]) == b"-ERR Protocol error: expected '$', got ':'\r\n"
    with pytest.raises(LocalProtocolError, match="nothing waits"):
        machine.send(errors[0])
    assert machine.state is State.ERROR
    machine.receive_data(PING)
    with pytest.raises(RemoteProtocolError):
        machine.next_event()


@pytest.mark.parametrize("line", [b"POST / HTTP/1.1", b"GET / HTTP/1.1"])
def test_a_browser_is_left_without_a_word(line: bytes) -> None:
    """Where the error has no text there is nothing to send but the end, whatever came before."""
    driver = Driver()
    driver.feed(line + b"\r\nHost: x\r\n\r\n")
    assert driver.sent == b""
    assert driver.connection.closing


BROWSERS = [
    *(b"POST / HTTP/1.1\r\n", b"pOsT /x\r\n", b"  Post x\r\n", b"Host: localhost\r\n"),
    *(b"HOST:\r\n", b"hOSt:127.0.0.1:42002\r\n", request(b"POST"), request(b"post", b"/")),
    *(request(b"Host:", b"a"), request(b"HOST:a")),
]


@pytest.mark.parametrize("sent", BROWSERS)
@pytest.mark.parametrize("access", [Access.OPEN, PASSWORDS], ids=["open", "password"])
@pytest.mark.parametrize("before", [PING, MULTI])
def test_a_browser_gets_nothing_through(sent: bytes, access: Access, before: bytes) -> None:
    """As in Redis, in whatever form the words come: nothing behind them is looked at."""
    driver = Driver(access=access)
    driver.feed(before)
    answered = driver.sent
    driver.feed(sent + request(b"RESET") + PING)
    assert driver.sent == answered
    assert driver.connection.state is State.ERROR


@pytest.mark.parametrize(
    "sent",
    [b"ECHO POST\r\n", b"POSTS\r\n", b"Host\r\n", request(b"ECHO", b"Host:"), request(b"XHOST:")],
)
def test_only_what_begins_so_is_a_browsers(sent: bytes) -> None:
    """The same words further behind, or others, are a command or an unknown one."""
    driver = Driver()
    driver.feed(sent + PING)
    assert driver.sent.endswith(b"\r\n+PONG\r\n")


@pytest.mark.parametrize("pair", list(TRANSITIONS), ids=str)
def test_the_table_is_what_happens(pair: tuple[State, Input]) -> None:
    """Each transition of the table is what the connection does when that happens to it."""
    state, given_input = pair
    stranger = State.STRANGER in (state, TRANSITIONS[pair]) or given_input is Input.UNKNOWN
    machine = connection(access=PASSWORDS if stranger else Access.OPEN)
    if given_input is Input.UNKNOWN:
        _read(machine, RESET)
    else:
        TO[state](machine)
    assert machine.state is state
    DO[given_input](machine)
    assert machine.state is TRANSITIONS[pair]
    assert machine.closing == (machine.state in CLOSING)


def _read(machine: Connection, data: bytes) -> None:
    machine.receive_data(data)
    machine.next_event()


def _read_all(machine: Connection, *requests: bytes) -> None:
    for each in requests:
        _read(machine, each)


def _read_garbage(machine: Connection) -> None:
    machine.receive_data(b"*x\r\n")
    with pytest.raises(RemoteProtocolError):
        machine.next_event()


def _ping_then_end(machine: Connection) -> None:
    _read(machine, PING)
    _read(machine, b"")


def _lose(machine: Connection) -> None:
    machine.send_failed()


def _answer_all(machine: Connection) -> None:
    if not machine._unanswered:
        _read(machine, PING)
    while machine._unanswered:
        oldest = machine._unanswered[0]
        error = oldest.error if isinstance(oldest, BadCommand) else oldest
        machine.send(error if isinstance(error, EzraError) else ())


TO: dict[State, Callable[[Connection], None]] = {
    State.STRANGER: lambda _: None,
    State.OPEN: lambda _: None,
    State.COLLECTING: lambda machine: _read(machine, MULTI),
    State.SPOILED: lambda machine: _read_all(machine, MULTI, request(b"NOSUCH")),
    State.HELD: lambda machine: _read(machine, BLOCKED),
    State.LEAVING: lambda machine: _read(machine, request(b"QUIT")),
    State.ENDED: _ping_then_end,
    State.ERROR: _read_garbage,
    State.CLOSED: _lose,
}
DO: dict[Input, Callable[[Connection], None]] = {
    Input.COMMAND: lambda machine: _read(machine, PING),
    Input.BAD: lambda machine: _read(machine, request(b"NOSUCH")),
    Input.BEGIN: lambda machine: _read(machine, MULTI),
    Input.FINISH: lambda machine: _read(machine, EXEC),
    Input.BARRIER: lambda machine: _read(machine, RESET),
    Input.QUIT: lambda machine: _read(machine, request(b"QUIT")),
    Input.ANSWERED: _answer_all,
    Input.UNKNOWN: _answer_all,
    Input.END: lambda machine: _read(machine, b""),
    Input.GARBAGE: _read_garbage,
    Input.LOST: _lose,
}


def test_a_barrier_holds_until_all_is_answered() -> None:
    """Nothing behind a claim that may wait is looked at before everything is answered."""
    machine = connection()
    machine.receive_data(PING + BLOCKED + PING)
    assert machine.next_event() == Ping()
    assert isinstance(machine.next_event(), XReadGroup)
    assert machine.next_event() is PAUSED
    machine.send(None)
    assert machine.next_event() is PAUSED
    assert machine.send(()) == b"*-1\r\n"
    assert machine.next_event() == Ping()
    assert machine.next_event() is NEED_DATA


def test_no_more_than_so_many_are_read_ahead() -> None:
    """A pipeline without end is read in portions: one more for each that is answered."""
    machine = connection()
    machine.receive_data(PING * (MAX_UNANSWERED + 2))
    for _ in range(MAX_UNANSWERED):
        assert machine.next_event() == Ping()
    assert machine.next_event() is PAUSED
    machine.send(None)
    assert machine.next_event() == Ping()
    assert machine.next_event() is PAUSED


WORST = (
    [request(b"Z" * 200, *[b"z" * 200] * 9), request(b"Z" * 200, *[b"'"] * 9)]
    + [request(b"CLIENT", b"Z" * 200), request(b"HELLO", b"3", b"Z" * 200)]
    + [request(b"\xff" * 200, *[b"\xff" * 200] * 9), request(b"\r" * 200, *[b"\n" * 200] * 9)]
    + [request(*split(line)) for line in ("HELLO", "HELLO 3 AUTH a b", "AUTH a", "EXEC", "EXEC x")]
    + [request(b"QUIT", b"x"), RESET, b"*1\r\n$16385\r\n"]
)
"""What a stranger gets the longest replies for."""


@given(st.lists(st.sampled_from(WORST), max_size=8))
def test_a_stranger_makes_the_server_hold_little(sent: list[bytes]) -> None:
    """Before the password less than 1 KiB of replies is made before the first has to be sent."""
    machine = connection(access=PASSWORDS)
    machine.receive_data(b"".join(sent))
    events: list[object] = []
    while True:
        try:
            event = machine.next_event()
        except RemoteProtocolError as error:
            events.append(error)
            break
        if isinstance(event, Signal | Closed):
            break
        events.append(event)
    assert len(events) <= STRANGERS_MAX_UNANSWERED + 1
    answers = [
        event if isinstance(event, RemoteProtocolError) else _result(event, machine)  # type: ignore[arg-type]  # a command
        for event in events
    ]
    assert sum(len(machine.send(answer)) for answer in answers) < 1024


def test_a_stranger_becomes_known_by_what_he_sends_in_one_piece() -> None:
    """A password and what needs it may be pipelined; a wrong one leaves the rest refused."""
    for password, expected in (
        (b"pushes", [b"+OK", b"+PONG"]),
        (b"x", [b"-WRONGPASS", b"-NOAUTH"]),
    ):
        driver = Driver(access=PASSWORDS)
        driver.feed(request(b"AUTH", password) + PING * 20)
        first, second = expected
        lines = driver.sent.split(b"\r\n")[:-1]
        assert [line.split()[0] for line in lines] == [first, *[second] * 20]


def test_a_role_is_for_what_comes_after_it() -> None:
    """Each command is judged by who sent it, in whatever pieces and however far ahead it came."""
    lines = (
        "PING | AUTH push pushes | XADD q * payload x | XLEN q | AUTH work works | XLEN q | "
        "XADD q * payload x | AUTH wrong | XLEN q | RESET | XLEN q | HELLO 3 AUTH default main | "
        "CLIENT LIST ID x | RESET | HELLO"
    )
    data = b"".join(request(*split(line)) for line in lines.split(" | "))
    whole, bytewise = Driver(access=PASSWORDS), Driver(access=PASSWORDS)
    whole.feed(data)
    for position in range(len(data)):
        bytewise.feed(data[position : position + 1])
    assert whole.sent == bytewise.sent
    refused = [
        str(seen[1]).split(" no permissions")[0] for seen in whole.seen if type(seen) is tuple
    ]
    assert [text.split(" HELLO")[0] for text in refused] == [
        "NOAUTH Authentication required.",
        "NOPERM User push has",
        "NOPERM User work has",
        "NOAUTH Authentication required.",
        "ERR Invalid client ID",
    ]
    assert whole.sent.endswith(Text.HELLO_NO_AUTH.encode() + b"\r\n")


def test_the_limits_of_a_stranger_end_with_the_password() -> None:
    """At once, also for what has arrived already; and RESET brings them back."""
    long = request(b"ECHO", b"x" * 20_000)
    known = Driver(access=PASSWORDS)
    known.feed(request(b"AUTH", b"main") + long + RESET + long + PING)
    assert known.sent.endswith(b"+RESET\r\n-ERR Protocol error: unauthenticated bulk length\r\n")
    assert b"x" * 20_000 in known.sent
    assert known.connection.closing


def test_a_driver_may_know_its_client_beforehand() -> None:
    """Whoever sets the role before the connection is made has a client who is no stranger."""
    own = session(access=PASSWORDS)
    own.role = Role.WORK
    machine = Connection(own)
    assert machine.state is State.OPEN
    machine.receive_data(PING)
    assert machine.next_event() == Ping()


def test_hello_switches_as_it_is_answered() -> None:
    """What came before HELLO is answered in the old protocol, HELLO itself in the new one."""
    machine = connection()
    getname, hello = request(*split("CLIENT GETNAME")), request(*split("HELLO 3"))
    machine.receive_data(getname + hello + getname)
    events = [machine.next_event(), machine.next_event()]
    assert machine.next_event() is PAUSED
    answers = [event.answer(machine._session) for event in events]  # type: ignore[union-attr]  # both are ConnectionCommands
    assert machine.send(answers[0]) == b"$-1\r\n"
    assert machine.send(answers[1]).startswith(b"%7\r\n")
    machine.next_event()
    assert machine.send("") == b"_\r\n"


def test_a_refused_hello_switches_nothing() -> None:
    """An error instead of the greeting leaves the protocol as it was."""
    driver = Driver()
    driver.feed(request(*split("HELLO 3 AUTH root x")) + request(*split("CLIENT GETNAME")))
    assert driver.sent.endswith(b"user is disabled.\r\n$-1\r\n")


def test_after_quit_nothing_is_read() -> None:
    """QUIT is answered, then the connection is over; what came behind it is not looked at."""
    machine = connection()
    machine.receive_data(PING + request(b"QUIT") + PING)
    assert (machine.next_event(), machine.next_event()) == (Ping(), Quit())
    assert machine.next_event() is PAUSED
    assert not machine.closing
    assert machine.send(None) + machine.send(None) == b"+PONG\r\n+OK\r\n"
    assert machine.closing
    assert machine.next_event() == Closed()


@pytest.mark.parametrize("state", [State.LEAVING, State.ERROR, State.CLOSED])
def test_nothing_is_kept_that_will_not_be_read(state: State) -> None:
    """A peer that goes on sending when it is not heard any more takes no memory."""
    machine = connection()
    TO[state](machine)
    machine.receive_data(PING * 1000)
    assert len(machine._decoder._buffer) == 0


def test_the_end_comes_after_what_was_asked() -> None:
    """A peer that has ended is still answered; half a request at the end asks for nothing."""
    machine = connection()
    machine.receive_data(PING + b"*1\r\n$4\r\nPI")
    machine.receive_data(b"")
    assert machine.next_event() == Ping()
    assert machine.next_event() == Closed()
    assert machine.closing
    assert machine.send(None) == b"+PONG\r\n"
    assert machine.next_event() == Closed()


@pytest.mark.parametrize("data", [PING, b""])
def test_nothing_comes_after_the_end(data: bytes) -> None:
    """Bytes after the end, or a second end, are the driver's mistake."""
    machine = connection()
    machine.receive_data(b"")
    with pytest.raises(LocalProtocolError, match="after the peer's end"):
        machine.receive_data(data)


def test_answers_that_do_not_belong() -> None:
    """An answer with no command, or no error for a bad one, is the driver's mistake."""
    machine = connection()
    with pytest.raises(LocalProtocolError, match="nothing waits"):
        machine.send(None)
    machine.receive_data(request(b"NOSUCH"))
    bad = machine.next_event()
    assert isinstance(bad, BadCommand)
    with pytest.raises(LocalProtocolError, match="a bad command is answered with its error"):
        machine.send(1)
    assert machine.send(bad.error).startswith(b"-ERR unknown command")
    with pytest.raises(LocalProtocolError, match="nothing waits"):
        machine.send(bad.error)


def test_any_command_may_be_answered_with_an_error() -> None:
    """What an engine could not do goes out as the error reply, and nothing was handed out."""
    machine = connection()
    machine.receive_data(CLAIM + PING)
    machine.next_event()
    machine.next_event()
    assert machine.send(EngineClosed(Text.SHUTTING_DOWN)).startswith(b"-ERR the server is shut")
    assert machine.send(CommandError("ERR a\r\nb")) == b"-ERR a  b\r\n"
    assert machine.send_failed() == ()


CLAIMS = st.lists(st.sampled_from([CLAIM, NO_ACK, REREAD, PING]), min_size=1, max_size=8)


@given(CLAIMS, CLAIMS)
def test_what_could_not_be_delivered_comes_back(first: list[bytes], second: list[bytes]) -> None:
    """`send_failed` gives back what this batch claimed: nothing delivered before, nothing twice."""
    machine = connection()
    for batch in (first, second):
        machine.receive_data(b"".join(batch))
        events = []
        while (event := machine.next_event()) is not NEED_DATA:
            events.append(event)
        for event in events:
            machine.send(GIVEN if isinstance(event, XReadGroup) else None)
    assert machine.send_failed() == GIVEN * second.count(CLAIM)
    assert machine.send_failed() == ()
    assert machine.next_event() == Closed()


def test_a_claim_that_is_not_answered_hands_out_nothing() -> None:
    """When sending fails, what waits for its answer is forgotten: it has none to give back."""
    machine = connection()
    machine.receive_data(CLAIM + BLOCKED)
    machine.next_event()
    machine.next_event()
    machine.send(DELIVERY)
    assert machine.send_failed() == DELIVERY
    with pytest.raises(LocalProtocolError, match="nothing waits"):
        machine.send(())


MALFORMED = [
    split(line)
    for line in (
        "NOSUCH a b",
        "XADD q * payload",
        "XADD q x payload y",
        "XADD q * payload x ttl nan",
        "XREADGROUP GROUP g w COUNT 1 BLOCK 5",
        "XREADGROUP GROUP g w COUNT abc STREAMS q >",
        "XACK q g x",
        "XNACK q g FAIL IDS 5 1-1",
        "CLIENT NOSUCH",
        "EZRA.QUEUE SET q nosuch 1",
    )
]


def test_malformed_commands_leave_the_connection_usable() -> None:
    """50 wrong commands in a row are answered one by one, and then the right one is, too."""
    driver = Driver()
    driver.feed(b"".join(request(*words) for words in MALFORMED * 5) + request(b"ECHO", b"ok"))
    lines = driver.sent.split(b"\r\n")
    assert len(lines) == 50 + 3
    assert all(line.startswith(b"-ERR ") for line in lines[:50])
    assert driver.seen[-1] == Echo(b"ok")
    assert driver.sent.endswith(b"$2\r\nok\r\n")
    assert driver.connection.state is State.OPEN


def test_an_oversized_command_is_answered() -> None:
    """Too large a payload is thrown away as it comes; the error names the setting to change."""
    driver = Driver(Limits(max_bulk=10))
    driver.feed(request(b"ECHO", b"x" * 11) + request(b"ECHO", b"x" * 10))
    error = (
        b"-ERR the command is too large: 11 bytes where 10 are allowed, "
        b"see --max-payload-bytes; nothing was done\r\n"
    )
    assert driver.sent == error + b"$10\r\nxxxxxxxxxx\r\n"
