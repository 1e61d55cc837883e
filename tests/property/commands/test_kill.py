"""Laws of `ezra.sansio.commands.kill`: whom CLIENT KILL ends, and whom not."""

from __future__ import annotations

import pytest

from ezra.sansio.commands import ClientKill, parse
from ezra.sansio.errors import CommandError
from ezra.sansio.model import SECOND
from ezra.sansio.session import ServerIdentity, Session
from tests.property.fake_host import NOW, FakeHost
from tests.property.wire import reply, split


def _clients() -> list[Session]:
    return [
        Session(
            number,
            ServerIdentity("1.2.3"),
            address=f"1.2.3.4:{number}",
            local_address="5.6.7.8:1" if number < 3 else "5.6.7.8:2",
            connected_at=NOW - number * 10 * SECOND,
        )
        for number in (1, 2, 3)
    ]


KILLED: dict[str, tuple[object, list[int]]] = {
    "CLIENT KILL 1.2.3.4:2": (1, [2]),
    "CLIENT KILL 1.2.3.4:1": (1, [1]),
    "client kill ID 2": (1, [2]),
    "CLIENT KILL ID 1": (0, []),
    "CLIENT KILL ID 1 SKIPME no": (1, [1]),
    "CLIENT KILL ID 99": (0, []),
    "CLIENT KILL ADDR 1.2.3.4:3": (1, [3]),
    "CLIENT KILL ADDR 1.2.3.4:3 ID 2": (0, []),
    "CLIENT KILL LADDR 5.6.7.8:1": (1, [2]),
    "CLIENT KILL LADDR 5.6.7.8:1 SKIPME NO": (2, [1, 2]),
    "CLIENT KILL TYPE normal": (2, [2, 3]),
    "CLIENT KILL TYPE pubsub": (0, []),
    "CLIENT KILL USER default": (2, [2, 3]),
    "CLIENT KILL MAXAGE 20": (2, [2, 3]),
    "CLIENT KILL MAXAGE 21": (1, [3]),
    "CLIENT KILL SKIPME yes": (2, [2, 3]),
    "CLIENT KILL ID 2 ID 3": (1, [3]),
}


@pytest.mark.parametrize("line", KILLED)
def test_to_whom_every_filter_applies(line: str) -> None:
    """Those and no others, asked by client 1; of a filter given twice the last counts."""
    clients = _clients()
    host = FakeHost(*clients)
    command = parse(split(line))
    assert isinstance(command, ClientKill)
    result, killed = KILLED[line]
    assert (command.answer(host, clients[0]), host.killed) == (result, killed)


def test_the_old_form_answers_ok_or_an_error() -> None:
    """By an address alone; the new one counts."""
    clients = _clients()
    old = ClientKill(address="1.2.3.4:9", skip_me=False, one=True)
    assert parse(split("CLIENT KILL 1.2.3.4:9")) == old
    answer = old.answer(FakeHost(*clients), clients[0])
    assert isinstance(answer, CommandError)
    assert str(answer) == "ERR No such client"
    assert reply("CLIENT KILL 1.2.3.4:9") == b"-ERR No such client\r\n"
    assert old.reply(1, 2) == old.reply(1, 3) != 1
    assert reply("CLIENT KILL ID 9") == b":0\r\n"


ERRORS = {
    "CLIENT KILL ID x": "ERR client-id should be greater than 0",
    "CLIENT KILL ID 0": "ERR client-id should be greater than 0",
    "CLIENT KILL TYPE foo": "ERR Unknown client type 'foo'",
    "CLIENT KILL USER nobody": "ERR No such user 'nobody'",
    "CLIENT KILL SKIPME maybe": "ERR syntax error",
    "CLIENT KILL FOO bar": "ERR syntax error",
    "CLIENT KILL ID 1 ADDR": "ERR syntax error",
    "CLIENT KILL MAXAGE x": "ERR maxage is not an integer or out of range",
    "CLIENT KILL MAXAGE 0": "ERR maxage should be greater than 0",
}


@pytest.mark.parametrize("line", ERRORS)
def test_texts(line: str) -> None:
    """Redis' own, to the byte."""
    assert reply(line) == f"-{ERRORS[line]}\r\n".encode()
