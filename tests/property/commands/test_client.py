"""Laws of `ezra.sansio.commands.client`: what CLIENT does to a session."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands import (
    ClientGetName,
    ClientId,
    ClientNoEvict,
    ClientNoTouch,
    ClientReply,
    ClientSetInfo,
    ClientSetName,
    parse,
)
from ezra.sansio.session import Replies
from tests.property.wire import connection, reply, request, session, split

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)


@given(NAMES)
def test_names_come_back(name: str) -> None:
    """Any printable name is kept and given back; the empty one is no name."""
    own = session()
    command = parse([b"client", b"setName", name.encode()])
    assert command == ClientSetName(name)
    ClientSetName(name).answer(own)
    get = ClientGetName()
    assert get.reply(get.answer(own), 2) == (name.encode() or None)


def test_the_library_is_noted() -> None:
    """LIB-NAME and LIB-VER are separate, in any case, and touch nothing else."""
    own = session()
    for line in ("CLIENT SETINFO LIB-NAME redis-py", "client setinfo lib-ver 8.1.0"):
        command = parse(split(line))
        assert isinstance(command, ClientSetInfo)
        command.answer(own)
    expected = session()
    expected.lib_name, expected.lib_ver = "redis-py", "8.1.0"
    assert own == expected


def test_the_id_is_the_sessions() -> None:
    """CLIENT ID answers the session's number."""
    assert parse(split("client id")) == ClientId()
    assert parse(split("client getname")) == ClientGetName()
    assert ClientId().answer(session()) == 7


def test_switches_are_noted() -> None:
    """NO-EVICT and NO-TOUCH are kept for CLIENT LIST, and switched off again."""
    own = session()
    for line, command in {
        "CLIENT NO-EVICT on": ClientNoEvict(on=True),
        "client no-touch ON": ClientNoTouch(on=True),
    }.items():
        assert parse(split(line)) == command
        command.answer(own)
        assert command.reply(None, 2) == command.reply(None, 3)
    assert (own.no_evict, own.no_touch) == (True, True)
    for line in ("CLIENT NO-EVICT off", "CLIENT NO-TOUCH OFF"):
        parse(split(line)).answer(own)  # type: ignore[attr-defined]  # both are ConnectionCommands
    assert own == session()
    assert reply("CLIENT NO-EVICT maybe") == b"-ERR syntax error\r\n"


@pytest.mark.parametrize(
    ("modes", "heard"),
    [
        (["ON"], "OK PONG PONG"),
        (["OFF"], ""),
        (["OFF", "ON"], "OK PONG PONG"),
        (["SKIP"], "PONG"),
        (["skip", "SKIP"], "PONG"),
        (["OFF", "SKIP"], ""),
        (["OFF", "SKIP", "ON"], "OK PONG PONG"),
        (["OFF", "RESET"], "RESET PONG PONG"),
    ],
)
def test_who_wants_no_replies_hears_none(modes: list[str], heard: str) -> None:
    """OFF silences all until ON, SKIP the next one; errors, too. Then two PINGs and their like."""
    machine = connection()
    lines = ["RESET" if mode == "RESET" else f"CLIENT REPLY {mode}" for mode in modes]
    sent = b""
    for line in [*lines, "PING", "PING"]:
        machine.receive_data(request(*split(line)))
        event = machine.next_event()
        assert event.answer(machine._session) is None  # type: ignore[union-attr]  # all are ConnectionCommands
        sent += machine.send(None)
    assert sent.replace(b"+", b"").split() == heard.encode().split()


def test_the_replies_before_it_are_heard() -> None:
    """In one pipeline: what was asked before CLIENT REPLY OFF is answered, what comes after not."""
    machine = connection()
    machine.receive_data(
        request(b"PING") + request(*split("CLIENT REPLY OFF")) + request(b"NOSUCH")
    )
    events = [machine.next_event() for _ in range(3)]
    results = [None, None, events[2].error]  # type: ignore[union-attr]  # it is a BadCommand
    assert [machine.send(result) for result in results] == [b"+PONG\r\n", b"", b""]


def test_modes_of_replies() -> None:
    """One of three words; anything else changes nothing."""
    assert parse(split("client reply off")) == ClientReply(Replies.OFF)
    assert reply("CLIENT REPLY maybe") == b"-ERR syntax error\r\n"
