"""Laws of `ezra.sansio.commands.server`: the clock, and whether writes are safe."""

from __future__ import annotations

import pytest

from ezra.sansio.commands import Role, Time, WaitAof, parse
from tests.property.fake_host import NOW, FakeHost
from tests.property.wire import reply, session, split


def test_time_is_two_texts() -> None:
    """Seconds and the microseconds in the second."""
    assert reply("TIME") == b"*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n"
    assert Time().reply(NOW + 12, 3) == (b"1700000000", b"12")


def test_there_are_no_replicas() -> None:
    """WAIT answers at once, and ROLE shows a master alone."""
    assert reply("WAIT 3 0") == b":0\r\n"
    assert reply("WAIT -1 5") == b":0\r\n"
    assert parse(split("role")) == Role()
    assert reply("ROLE") == b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"


@pytest.mark.parametrize(
    ("synchronous", "expected"),
    {
        "full": b"*2\r\n:1\r\n:0\r\n",
        "normal": b"*2\r\n:0\r\n:0\r\n",
        "off": b"*2\r\n:0\r\n:0\r\n",
    }.items(),
)
def test_waitaof_is_honest(synchronous: str, expected: bytes) -> None:
    """Only where every reply means that it is fsynced is it so here."""
    host = FakeHost()
    host.change(synchronous=synchronous)
    safe = WaitAof().answer(host, session())
    assert safe == (synchronous == "full")
    assert WaitAof().reply(safe, 2) == (int(safe), 0)
    if synchronous == "full":
        assert reply("WAITAOF 1 0 100") == expected


ERRORS = {
    "WAIT x 0": "ERR value is not an integer or out of range",
    "WAIT 0 x": "ERR timeout is not an integer or out of range",
    "WAIT 0 -1": "ERR timeout is negative",
    "WAITAOF x 0 0": "ERR value is not an integer or out of range",
    "WAITAOF 2 0 0": "ERR value is out of range, must be between 0 and 1",
    "WAITAOF -1 0 0": "ERR value is out of range, must be between 0 and 1",
    "WAITAOF 0 x 0": "ERR value is not an integer or out of range",
    "WAITAOF 0 -1 0": "ERR value is out of range, must be positive",
    "WAITAOF 0 0 x": "ERR timeout is not an integer or out of range",
    "WAITAOF 0 0 -1": "ERR timeout is negative",
}


@pytest.mark.parametrize("line", ERRORS)
def test_texts(line: str) -> None:
    """Redis' own, to the byte."""
    assert reply(line) == f"-{ERRORS[line]}\r\n".encode()
