"""Laws of `ezra.sansio.commands.config`: settings are shown under Redis' names, and stay."""

from __future__ import annotations

import pytest

from ezra.sansio.commands import ConfigGet, parse
from ezra.sansio.commands.config import settings
from tests.property.fake_host import FACTS, FakeHost
from tests.property.wire import reply, session, split

ASKED = {
    "save": "",
    "appendonly": "yes",
    "appendfsync": "always",
    "maxclients": "100",
    "port": "42002",
    "bind": "127.0.0.1",
    "databases": "1",
    "timeout": "0",
    "maxmemory": "0",
    "maxmemory-policy": "noeviction",
    "proto-max-bulk-len": "1024",
    "requirepass": "",
    "io-threads": "1",
    "tcp-keepalive": "3",
    "dir": "/data",
}
"""What exporters, benchmarks and browsers are known to ask for."""


@pytest.mark.parametrize("name", ASKED)
def test_what_is_asked_for_is_there(name: str) -> None:
    """By its name, in any case; a map in RESP3."""
    found = ConfigGet((name.upper().encode(),)).answer(FakeHost(), session())
    assert found == {name.upper(): ASKED[name]}
    assert reply(f"CONFIG GET {name}", protocol=3).startswith(b"%1\r\n")


def test_patterns() -> None:
    """Any of several patterns; each setting once; everything by a star."""
    assert reply("CONFIG GET s?ve *clients") == (
        b"*4\r\n$10\r\nmaxclients\r\n$3\r\n100\r\n$4\r\nsave\r\n$0\r\n\r\n"
    )
    assert reply("config get SAVE save") == b"*2\r\n$4\r\nSAVE\r\n$0\r\n\r\n"
    assert reply("CONFIG GET nosuch") == b"*0\r\n"
    everything = ConfigGet((b"*", b"*a*")).answer(FakeHost(), session())
    assert everything == settings(FACTS)
    assert list(everything) == sorted(everything)


@pytest.mark.parametrize(
    ("synchronous", "appendonly", "appendfsync"),
    [("full", "yes", "always"), ("normal", "yes", "everysec"), ("off", "no", "no")],
)
def test_how_safe_a_write_is(synchronous: str, appendonly: str, appendfsync: str) -> None:
    """In Redis' words; redis-benchmark prints them above its figures."""
    host = FakeHost()
    host.change(synchronous=synchronous)
    found = ConfigGet((b"append*",)).answer(host, session())
    assert found == {"appendfsync": appendfsync, "appendonly": appendonly}


def test_nothing_is_set() -> None:
    """SET and REWRITE are refused with the reason; RESETSTAT counts anew."""
    assert reply("CONFIG SET maxclients 5").startswith(b"-ERR CONFIG SET is not supported by EZRA")
    assert reply("CONFIG REWRITE") == b"-ERR The server is running without a config file\r\n"
    host = FakeHost()
    parse(split("CONFIG RESETSTAT")).answer(host, session())  # type: ignore[attr-defined]  # a ServerCommand
    assert host.resets == 1
    assert reply("CONFIG RESETSTAT") == b"+OK\r\n"
