"""Laws of `ezra.sansio.transaction`: what MULTI keeps, and what EXEC is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio import transaction
from ezra.sansio.access import Role
from ezra.sansio.commands import (
    Auth,
    ClientGetName,
    Command,
    Discard,
    Exec,
    Multi,
    Ping,
    Queued,
    Quit,
    XAdd,
    XLen,
    XReadGroup,
)
from ezra.sansio.connection import MAX_UNANSWERED, PAUSED, BadCommand, Connection, Event
from ezra.sansio.connection_state import State
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import Delivery
from ezra.sansio.session import Session
from tests.property.commands.books import DELIVERY, FIVE
from tests.property.wire import PASSWORDS, connection, request, split

ABORT = "EXECABORT Transaction discarded because of previous errors."


def _ask(machine: Connection, *lines: str) -> list[Event]:
    """Send the lines; return what each of them is, having answered all before it."""
    events = []
    for line in lines:
        machine.receive_data(request(*split(line)))
        events.append(event := machine.next_event())
        machine.send(event.error if isinstance(event, BadCommand) else _made_up(event))
    return events


def _made_up(event: Event) -> object:
    if isinstance(event, ClientGetName):
        return ""
    if not isinstance(event, Exec):
        return None
    return tuple(() if isinstance(each, XReadGroup) else FIVE for each in event.commands)


def _error(event: Event) -> str:
    assert isinstance(event, BadCommand)
    return str(event.error)


def _session(machine: Connection) -> Session:
    return machine._session


def test_exec_brings_all_that_was_queued() -> None:
    """Between MULTI and EXEC every command is answered QUEUED; EXEC has them all, in order."""
    machine = connection()
    events = _ask(machine, "MULTI", "XADD q * payload x", "XLEN q", "PING", "EXEC", "PING")
    assert events[:4] == [Multi(), Queued(), Queued(), Queued()]
    whole = events[4]
    assert isinstance(whole, Exec)
    assert [type(command) for command in whole.commands] == [XAdd, XLen, Ping]
    assert events[5] == Ping()
    assert machine.state is State.OPEN


def test_after_an_exec_with_an_auth_in_it_the_new_role_decides() -> None:
    """What was queued was judged as it was queued; nothing behind EXEC is, before it is answered.

    And nobody gains by it: what the old role may not do spoils the transaction, whatever AUTH says.
    """
    machine = connection(access=PASSWORDS)
    _session(machine).role = Role.DEFAULT
    machine = Connection(_session(machine))
    lines = ["MULTI", "AUTH push pushes", "XLEN q", "EXEC", "XLEN q"]
    machine.receive_data(b"".join(request(*split(line)) for line in lines))
    events = [machine.next_event() for _ in lines[:4]]
    assert (machine.state, machine.next_event()) == (State.HELD, PAUSED)
    whole = events[3]
    assert isinstance(whole, Exec)
    assert [type(command) for command in whole.commands] == [Auth, XLen]
    auth = whole.commands[0]
    assert isinstance(auth, Auth)
    results = [None, None, None, (auth.answer(_session(machine)), 5)]
    assert [machine.send(result) for result in results][-1] == b"*2\r\n+OK\r\n:5\r\n"
    assert _error(machine.next_event()).startswith("NOPERM User push ")
    machine.send(CommandError("ERR"))
    refused = _ask(machine, "MULTI", "AUTH default main", "XLEN q", "EXEC")
    assert _error(refused[2]).startswith("NOPERM User push ")
    assert _error(refused[3]) == ABORT


def test_what_a_client_reads() -> None:
    """QUEUED for each, then one array with the reply to each: an error in it stands for one."""
    machine = connection()
    machine.receive_data(
        b"".join(request(*split(line)) for line in ("MULTI", "XLEN q", "AUTH x", "PING", "EXEC"))
    )
    results: list[object] = [None, None, None, None, (7, CommandError("ERR no"), None)]
    sent = b"".join(_next(machine, result) for result in results)
    queued = b"+QUEUED\r\n" * 3
    assert sent == b"+OK\r\n" + queued + b"*3\r\n:7\r\n-ERR no\r\n+PONG\r\n"


def _next(machine: Connection, result: object) -> bytes:
    machine.next_event()
    return machine.send(result)


def test_a_roll_back_is_one_error() -> None:
    """Where the engine undid all, EXEC is answered with its error alone."""
    machine = connection()
    _ask(machine, "MULTI", "XLEN q")
    machine.receive_data(request(b"EXEC"))
    machine.next_event()
    assert machine.send(CommandError("EXECABORT no")) == b"-EXECABORT no\r\n"


def test_an_empty_transaction() -> None:
    """Nothing between MULTI and EXEC is an empty array."""
    assert _ask(connection(), "MULTI", "EXEC")[1] == Exec(())


@pytest.mark.parametrize(
    "line",
    ["NOSUCH", "XADD q", "HELLO 3", "HELLO", "CLIENT REPLY OFF", "XADD q * payload x ttl nan"],
)
def test_a_refused_command_spoils_it(line: str) -> None:
    """What cannot be kept is answered with its error; EXEC aborts, and then all is as before."""
    machine = connection()
    events = _ask(machine, "MULTI", "XLEN q", line, "XLEN q", "EXEC", "MULTI", "PING", "EXEC")
    assert isinstance(events[2], BadCommand)
    assert events[3] == Queued()
    assert _error(events[4]) == ABORT
    assert events[7] == Exec((Ping(),))


def test_an_oversized_command_spoils_it() -> None:
    """What was too large to be read was not kept either."""
    machine = connection()
    _ask(machine, "MULTI")
    machine.receive_data(request(b"ECHO", b"x" * (16 * 1024**2 + 1)))
    event = machine.next_event()
    assert "too large" in _error(event)
    machine.send(event.error)  # type: ignore[union-attr]  # it is a BadCommand
    assert _error(_ask(machine, "EXEC")[0]) == ABORT


@pytest.mark.parametrize(
    ("line", "error"),
    {
        "MULTI": "ERR MULTI calls can not be nested",
        "WATCH q": "ERR WATCH inside MULTI is not allowed",
    }.items(),
)
def test_some_refusals_spoil_nothing(line: str, error: str) -> None:
    """MULTI and WATCH between MULTI and EXEC are refused, and the transaction goes on."""
    events = _ask(connection(), "MULTI", "XLEN q", line, "EXEC")
    assert _error(events[2]) == error
    assert isinstance(events[3], Exec)


@pytest.mark.parametrize("line", ["EXEC", "DISCARD"])
def test_without_multi(line: str) -> None:
    """EXEC and DISCARD end what MULTI began; without it they are errors."""
    assert _error(_ask(connection(), line)[0]) == f"ERR {line} without MULTI"


def test_discard_gives_it_up() -> None:
    """What was kept is forgotten, also where it was spoiled."""
    for more in (["XLEN q"], ["NOSUCH"]):
        machine = connection()
        events = _ask(machine, "MULTI", *more, "DISCARD", "EXEC")
        assert events[-2] == Discard()
        assert _error(events[-1]) == "ERR EXEC without MULTI"


def test_reset_and_quit_work_at_once() -> None:
    """They are not queued: the transaction is over."""
    machine = connection(3)
    _ask(machine, "MULTI", "XLEN q", "RESET")
    assert (_session(machine).queued, _session(machine).protocol) == (None, 2)
    assert _error(_ask(machine, "EXEC")[0]) == "ERR EXEC without MULTI"
    assert _ask(machine, "MULTI", "XLEN q", "QUIT")[2] == Quit()
    assert machine.closing


def test_nothing_waits_in_a_transaction() -> None:
    """BLOCK is left out, as Redis does: with nothing there the reply is null at once."""
    machine = connection()
    blocking = "XREADGROUP GROUP g w BLOCK 0 STREAMS q >"
    whole = _ask(machine, "MULTI", blocking, "EXEC")[2]
    assert isinstance(whole, Exec)
    [claim] = whole.commands
    assert isinstance(claim, XReadGroup)
    assert (claim.block, claim.barrier) == (None, False)


CLAIMS = st.lists(st.sampled_from(["claim", "ping", "error"]), max_size=6)


@given(CLAIMS)
def test_what_was_handed_out_comes_back(kinds: list[str]) -> None:
    """If EXEC's reply cannot be delivered, what all its claims took is to be released."""
    machine = connection()
    claim = "XREADGROUP GROUP g w STREAMS q >"
    lines = ["MULTI", *[claim if kind == "claim" else "PING" for kind in kinds], "EXEC"]
    machine.receive_data(b"".join(request(*split(line)) for line in lines))
    made_up = {"claim": DELIVERY, "ping": None, "error": CommandError("ERR no")}
    for _ in lines[:-1]:
        machine.next_event()
        machine.send(None)
    machine.next_event()
    machine.send(tuple(made_up[kind] for kind in kinds))
    expected: tuple[Delivery, ...] = DELIVERY * kinds.count("claim")
    assert machine.send_failed() == expected


def test_back_pressure_goes_on_inside() -> None:
    """A pipeline of any length is read in portions, between MULTI and EXEC, too."""
    machine = connection()
    machine.receive_data(request(b"MULTI") + request(b"XLEN", b"q") * 3000 + request(b"EXEC"))
    commands: list[Command[Any]] = []
    while not commands or not isinstance(commands[-1], Exec):
        portion = 0
        while (event := machine.next_event()) is not PAUSED:
            assert isinstance(event, Command)
            commands.append(event)
            portion += 1
            if isinstance(event, Exec):
                break
        assert portion <= MAX_UNANSWERED
        for command in commands[-portion:]:
            machine.send(_made_up(command))
    assert len(commands) == 3002
    assert isinstance(commands[-1], Exec)
    assert len(commands[-1].commands) == 3000


def test_so_many_commands_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """One command too many is refused, and EXEC aborts."""
    monkeypatch.setattr(transaction, "MAX_COMMANDS", 3)
    assert isinstance(_ask(connection(), "MULTI", *["PING"] * 3, "EXEC")[-1], Exec)
    events = _ask(connection(), "MULTI", *["PING"] * 4, "EXEC")
    assert "at most 3 commands" in _error(events[4])
    assert _error(events[5]) == ABORT


def test_so_many_that_are_about_no_queue_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their replies are weighed by nobody; those about queues, and a new transaction, go on."""
    monkeypatch.setattr(transaction, "MAX_OTHERS", 3)
    machine = connection()
    lines = ("MULTI", "PING", "XLEN q", "COMMAND", "TIME", *["XLEN q"] * 3)
    for _ in range(2):
        assert isinstance(_ask(machine, *lines, "EXEC")[-1], Exec)
    events = _ask(machine, *lines, "ECHO x", "XLEN q", "EXEC")
    assert _error(events[-3]) == Text.TOO_MANY_OTHERS.format(most=3)
    assert _error(events[-1]) == ABORT


def test_so_many_bytes_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is bounded in bytes, empty words count, too; then all of it is let go."""
    monkeypatch.setattr(transaction, "MAX_BYTES", 4 * (transaction.WORD_COST * 2 + 14))
    line = "ECHO 0123456789"
    assert isinstance(_ask(connection(), "MULTI", *[line] * 4, "EXEC")[-1], Exec)
    machine = connection()
    events = _ask(machine, "MULTI", *[line] * 5)
    assert "the transaction is too long" in _error(events[-1])
    assert machine._transaction._commands == []
    assert _error(_ask(machine, "EXEC")[0]) == ABORT


def test_the_session_tells_how_many_are_queued() -> None:
    """As CLIENT LIST shows it: none without MULTI, then the number; over with the connection."""
    machine = connection()
    seen = []
    for line in ("PING", "MULTI", "PING", "XLEN q", "EXEC"):
        _ask(machine, line)
        seen.append(_session(machine).queued)
    assert seen == [None, 0, 1, 2, None]
    _ask(machine, "MULTI", "PING")
    machine.send_failed()
    assert _session(machine).queued is None


def test_the_session_tells_the_last_command() -> None:
    """As CLIENT LIST shows it; one that is no command is not one."""
    machine = connection()
    seen = []
    for line in ("PING", "client GETNAME", "NOSUCH", "MULTI", "XLEN q"):
        _ask(machine, line)
        seen.append(_session(machine).command)
    assert seen == ["PING", "CLIENT GETNAME", "CLIENT GETNAME", "MULTI", "XLEN"]


@pytest.mark.parametrize("line", ["XCLAIM q g w x 1-1", "XINFO STREAM q bad"])
def test_what_would_fail_is_refused_before_it_is_too_late(line: str) -> None:
    """Also a command that otherwise asks first whether there is such a queue or group."""
    events = _ask(connection(), "MULTI", line, "EXEC")
    assert isinstance(events[1], BadCommand)
    assert _error(events[2]) == ABORT


def test_exec_with_arguments_ends_the_transaction() -> None:
    """As in Redis: with its own error, and what was queued is forgotten."""
    machine = connection()
    events = _ask(machine, "MULTI", "XLEN q", "EXEC now", "XLEN q", "EXEC")
    assert _error(events[2]).startswith("EXECABORT Transaction discarded because of: wrong number")
    assert isinstance(events[3], XLen)
    assert _error(events[4]) == "ERR EXEC without MULTI"
