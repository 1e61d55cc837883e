"""Attacks on a server with passwords, by who has none, or one that is not meant for that."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from random import Random

import hiredis
import pytest

from ezra.threaded.clock import SystemClock
from ezra.threaded.deadlines import Deadlines
from ezra.threaded.settings import Settings
from tests.fuzz.soup import Cook
from tests.integration.local_server import LocalServer
from tests.integration.raw_client import RawClient, Word, encode

ALLOWED = (b"-NOAUTH", b"-WRONGPASS", b"-ERR", b"-NOPROTO", b"-EXECABORT", b"+OK", b"+RESET")
"""How every line begins that somebody without a password can be told."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    """Serve with all three passwords."""
    names = {"default": "password", "push": "push_password", "work": "work_password"}
    passwords = {name: f"{user}-secret" for user, name in names.items()}
    settings = Settings(tmp_path / "data", port=0, **passwords)  # type: ignore[arg-type]  # they fit
    with LocalServer(settings, SystemClock(), Deadlines(login_pause=0)) as server:
        yield server


def known(server: LocalServer, user: str) -> RawClient:
    """Return a client that has said a user's password."""
    client = server.client()
    assert client.call("AUTH", f"{user}-secret") == b"OK"
    return client


def test_soup_gets_a_stranger_nothing(
    server: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever he sends, he is told that he may not; the queues and the log say nothing of him."""
    caplog.set_level(logging.DEBUG)
    owner = known(server, "default")
    for seed in range(40):
        with RawClient(server.address) as stranger:
            stranger.send_bytes(Cook(Random(seed)).meal())
            stranger.socket.shutdown(socket.SHUT_WR)
            with stranger.socket.makefile("rb") as lines:
                for line in lines:
                    assert line.startswith(ALLOWED), (seed, line)
    assert owner.call("KEYS", "*") == []
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


BEFORE: list[tuple[Word, ...]] = [
    *(("MULTI",), ("HELLO", 3), ("HELLO", 3, "SETNAME", "x"), ("RESET",), ("CLIENT", "ID")),
    *(("AUTH", ""), ("AUTH", "default", ""), ("AUTH", "(none)", ""), ("AUTH", "push", "guess")),
    *(("AUTH", "default-secre"), ("AUTH", "default-secret\0"), ("AUTH", "default-secretx")),
    *(("AUTH", "work", "push-secret"), ("HELLO", 2, "AUTH", "push", "work-secret")),
]
"""What a stranger may try first, without a right password in it."""


@pytest.mark.parametrize("first", BEFORE, ids=str)
def test_nothing_but_a_password_opens_the_door(
    server: LocalServer, first: tuple[Word, ...]
) -> None:
    """Behind each of these, and in the same piece, everything is refused as before."""
    client = server.client()
    push = encode("XADD", "q", "*", "payload", "x")
    client.send_bytes(encode(*first) + push + encode("EXEC") + push)
    replies = [client.reply() for _ in range(4)]
    assert all(isinstance(reply, hiredis.ReplyError) for reply in replies[1:]), replies
    assert known(server, "default").call("KEYS", "*") == []


@pytest.mark.parametrize(
    ("user", "escape"),
    [
        (user, escape)
        for user in ("push", "work")
        for escape in (
            [("MULTI",)],
            [("RESET",)],
            [("HELLO", 3)],
            [("AUTH", "default", "guess")],
            [("HELLO", 3, "AUTH", "default", "guess")],
            [("MULTI",), ("AUTH", "default", "guess")],
            [("MULTI",), ("DISCARD",)],
            [("CLIENT", "SETNAME", "default")],
        )
    ],
    ids=str,
)
def test_no_role_gets_out_of_itself(
    server: LocalServer, user: str, escape: list[tuple[Word, ...]]
) -> None:
    """Neither by a transaction, nor by starting anew, nor by a guess at the first password."""
    owner, client = known(server, "default"), known(server, user)
    held = owner.push("q", "secret")
    for words in escape:
        client.call(*words)
    push = ("XADD", "q", "*", "payload", "x")
    claim = ("XREADGROUP", "GROUP", "g", "w", "STREAMS", "q", ">")
    for words in (("XDELEX", "q", "IDS", 1, held), ("CONFIG", "GET", "*"), ("CLIENT", "LIST")):
        assert client.error(*words)
    assert client.error(*(claim if user == "push" else push))
    client.call("EXEC")
    assert owner.call("XLEN", "q") == 1
    assert owner.pop("q") is not None
