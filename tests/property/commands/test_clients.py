"""Laws of `ezra.sansio.commands.clients`: who is connected, and how to wake one of them."""

from __future__ import annotations

import pytest

from ezra.sansio.commands import (
    ClientInfo,
    ClientList,
    ClientPause,
    ClientUnblock,
    ClientUnpause,
    parse,
)
from ezra.sansio.commands.clients import _flags, describe
from ezra.sansio.model import SECOND
from ezra.sansio.session import ServerIdentity, Session, Tracking
from tests.property.fake_host import NOW, FakeHost
from tests.property.wire import reply, split

FIELDS = (
    "id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem multi-mem "
    "rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver"
)
"""Redis 7.2's, in its order."""


def _client(number: int) -> Session:
    return Session(
        number,
        ServerIdentity("1.2.3"),
        address=f"1.2.3.4:{number}",
        local_address="5.6.7.8:42002",
        descriptor=9,
        connected_at=NOW - 61 * SECOND,
        active_at=NOW - 2 * SECOND,
    )


def _pairs(client: Session) -> dict[str, str]:
    line = describe(client, NOW)
    assert line.endswith("\n")
    return dict(pair.split("=", 1) for pair in line[:-1].split(" "))


class Changing(Session):
    """A session whose own thread takes back all it can, after any look at it."""

    def __getattribute__(self, name: str) -> object:
        found = super().__getattribute__(name)
        if name in ("queued", "tracking"):
            setattr(self, name, None)
        return found


def test_a_line_is_of_one_look_at_a_client_that_changes_meanwhile() -> None:
    """What its own thread takes back between two looks leaves no nonsense and no error."""
    client = Changing(1, ServerIdentity("1.2.3"), tracking=Tracking(redirect=7), queued=3)
    shown = _pairs(client)
    assert shown["multi"] == "3"
    assert shown["redir"] == "7"
    assert "B" in _flags(Changing(1, ServerIdentity("1.2.3"), tracking=Tracking(broadcast=True)))


def test_a_line_has_redis_fields_in_redis_order() -> None:
    """Tools read them by name, and some by position."""
    client = _client(3)
    client.name, client.lib_name, client.lib_ver, client.protocol = "me", "lib", "1.0", 3
    client.command = "CLIENT LIST"
    shown = _pairs(client)
    assert list(shown) == FIELDS.split()
    assert _pairs(_client(4))["cmd"] == "NULL"
    expected = {
        "id": "3",
        "addr": "1.2.3.4:3",
        "laddr": "5.6.7.8:42002",
        "fd": "9",
        "name": "me",
        "age": "61",
        "idle": "2",
        "flags": "N",
        "multi": "-1",
        "cmd": "client|list",
        "user": "default",
        "redir": "-1",
        "resp": "3",
        "lib-name": "lib",
        "lib-ver": "1.0",
    }
    assert {name: shown[name] for name in expected} == expected


def test_a_clock_that_steps_back_makes_nobody_younger_than_new() -> None:
    """Ages and idle times are never below 0."""
    client = _client(3)
    client.connected_at = client.active_at = NOW + SECOND
    assert (_pairs(client)["age"], _pairs(client)["idle"]) == ("0", "0")


def test_flags_tell_what_a_client_is_doing() -> None:
    """Redis' letters: blocked, in a transaction, tracking, what it asked for."""
    client = _client(3)
    client.queued, client.blocked, client.no_evict, client.no_touch = 2, True, True, True
    client.tracking = Tracking(broadcast=True, redirect=7)
    shown = _pairs(client)
    assert (shown["flags"], shown["multi"], shown["redir"]) == ("xbtBeT", "2", "7")
    client.tracking = Tracking()
    assert _pairs(client)["flags"] == "xbteT"


@pytest.mark.parametrize(
    ("line", "shown"),
    {
        "CLIENT LIST": [1, 2, 3],
        "client list type NORMAL": [1, 2, 3],
        "CLIENT LIST TYPE pubsub": [],
        "CLIENT LIST TYPE master": [],
        "CLIENT LIST TYPE replica": [],
        "CLIENT LIST TYPE slave": [],
        "CLIENT LIST ID 3": [3],
        "CLIENT LIST id 3 1 99 3": [1, 3],
    }.items(),
)
def test_some_clients_or_all(line: str, shown: list[int]) -> None:
    """A line for each of those that were asked for, in the order in which they came."""
    clients = [_client(number) for number in (1, 2, 3)]
    command = parse(split(line))
    assert isinstance(command, ClientList)
    expected = "".join(describe(clients[number - 1], NOW) for number in shown)
    assert command.answer(FakeHost(*clients), clients[0]) == expected


def test_its_own_line() -> None:
    """CLIENT INFO shows the connection that asks."""
    own = _client(5)
    assert ClientInfo().answer(FakeHost(), own) == describe(own, NOW)
    assert parse(split("client info")) == ClientInfo()


def test_the_text_is_verbatim_in_resp3() -> None:
    """A bulk string in RESP2, a verbatim string in RESP3."""
    assert reply("CLIENT INFO").startswith(b"$")
    assert reply("CLIENT LIST", protocol=3).startswith(b"=")


@pytest.mark.parametrize(("line", "error"), [(False, "TIMEOUT"), (True, "ERROR")])
def test_unblocking(line: bool, error: str) -> None:
    """The one that is named is woken, as it was asked; the reply tells whether it was blocked."""
    waiting, busy = _client(1), _client(2)
    waiting.blocked = True
    host = FakeHost(waiting, busy)
    command = parse(split(f"CLIENT UNBLOCK 1 {error.lower()}"))
    assert command == ClientUnblock(1, error=line)
    assert ClientUnblock(1, error=line).answer(host, busy)
    assert not ClientUnblock(2, error=line).answer(host, busy)
    assert not ClientUnblock(99, error=line).answer(host, busy)
    assert host.unblocked == [(1, line), (2, line)]
    assert parse(split("CLIENT UNBLOCK 1")) == ClientUnblock(1)
    assert ClientUnblock(1).reply(True, 3) == 1


def test_nobody_is_paused() -> None:
    """PAUSE is refused with the reason, UNPAUSE has nothing to do."""
    assert parse(split("CLIENT PAUSE 5 WRITE")) == ClientPause()
    assert reply("CLIENT PAUSE 5").startswith(b"-ERR CLIENT PAUSE is not supported")
    assert parse(split("CLIENT UNPAUSE")) == ClientUnpause()
    assert reply("CLIENT UNPAUSE") == b"+OK\r\n"


ERRORS = {
    "CLIENT LIST TYPE foo": "ERR Unknown client type 'foo'",
    "CLIENT LIST ID x": "ERR Invalid client ID",
    "CLIENT LIST ID": "ERR syntax error",
    "CLIENT LIST TYPE": "ERR syntax error",
    "CLIENT LIST foo": "ERR syntax error",
    "CLIENT UNBLOCK x": "ERR value is not an integer or out of range",
    "CLIENT UNBLOCK 1 FOO": "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
    "CLIENT UNBLOCK 1 ERROR X": (
        "ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP."
    ),
}


@pytest.mark.parametrize("line", ERRORS)
def test_texts(line: str) -> None:
    """Redis' own, to the byte."""
    assert reply(line) == f"-{ERRORS[line]}\r\n".encode()
