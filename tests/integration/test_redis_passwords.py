"""Line by line beside a real Redis that wants a password, and has a user who may do little.

As in `test_redis_lines.py`; the passwords and what the user `push` may do are the same on either.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ezra.sansio.access import Role
from ezra.sansio.resp.values import SimpleError, Value
from ezra.sansio.rights import RIGHTS, wire_name
from tests.integration.pair import Pair
from tests.integration.side_by_side import PATIENT, Servers, side_by_side

SETTINGS = replace(PATIENT, password="main", push_password="pushes", work_password="works")  # noqa: S106 - the tests'
REDIS_LACKS = {
    "QUIT",
    "CLIENT NO-TOUCH",
    "CLIENT SETINFO",
    "WAITAOF",
    "XNACK",
    "XACKDEL",
    "EZRA.QUEUE GET",
}
"""What Redis 7 knows no right for."""

NEWER = {
    re.compile(r"NOPERM User \w+ has"): "NOPERM this user has",
    re.compile("HELLO <proto> AUTH <user>"): "HELLO AUTH <user>",
}
"""What Redis says since version 8, as EZRA does, and how the one at hand says it."""


def user(role: Role, password: str) -> list[str]:
    """Return the words of Redis' command line that make a user of a role."""
    names = sorted(map(wire_name, RIGHTS[role] - REDIS_LACKS))
    return [
        "--user",
        role.value,
        "on",
        f">{password}",
        "~*",
        "&*",
        "-@all",
        *[f"+{n}" for n in names],
    ]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Start both."""
    rights = [*user(Role.PUSH, "pushes"), *user(Role.WORK, "works")]
    with side_by_side(SETTINGS, "--requirepass", "main", *rights) as servers:
        pair = servers.pair()
        pair.same("AUTH", "main")
        pair.same("XGROUP", "CREATE", "q", "g", "0", "MKSTREAM")
        pair.close()
        yield servers


@pytest.fixture
def pair(servers: Servers) -> Iterator[Pair]:
    """Connect to both, and say nothing."""
    pair = servers.pair()
    yield pair
    pair.close()


def older(value: Value) -> Value:
    """Return a reply as the Redis at hand words it."""
    if not isinstance(value, SimpleError):
        return value
    text = value.text
    for new, old in NEWER.items():
        text = new.sub(old, text)
    return SimpleError(text)


LINES = """
    PING | EXEC | EXEC x | MULTI | DISCARD | WATCH | WATCH a | NOSUCH a | nosuch 'a b' c | XLEN
    XADD q * | XADD q * a b | CLIENT | CLIENT NOSUCH x | CLIENT LIST | CLIENT SETNAME 'a b'
    COMMAND | COMMAND DOCS | INFO | SELECT 99 | HELLO | HELLO 3 | HELLO 4 | HELLO x | HELLO 3 BAD
    HELLO 3 SETNAME me | HELLO 3 AUTH default bad | HELLO 3 AUTH push main | HELLO 2 AUTH default
    HELLO 3 AUTH default bad SETNAME me ; AUTH main ; CLIENT GETNAME
    HELLO 2 SETNAME 'a b' AUTH default main ; PING | AUTH | AUTH a b c | AUTH bad ; PING
    AUTH default bad ; PING | AUTH nobody main ; PING | AUTH push main ; PING | AUTH main ; PING
    AUTH default main ; PING | AUTH DEFAULT main | AUTH '' main | AUTH default '' | AUTH ''
    AUTH main ; AUTH bad ; PING | AUTH main ; AUTH push bad ; CLIENT LIST ID x
    AUTH main ; RESET ; PING | AUTH main ; MULTI ; RESET ; PING | RESET ; PING | QUIT | RESET x
    AUTH main ; HELLO 2 AUTH default bad ; PING | AUTH main ; CLIENT KILL USER push
    AUTH main ; CLIENT KILL USER nosuch | AUTH main ; ACL WHOAMI
    AUTH main ; MULTI ; AUTH bad ; EXEC
    AUTH main ; MULTI ; AUTH push pushes ; PING ; EXEC ; XLEN q | AUTH push pushes ; ACL WHOAMI
    AUTH main ; AUTH push pushes ; XLEN q ; AUTH main ; XLEN q
"""
"""What both answer alike, each on a new connection that has said no password yet."""

OF_PUSH = """
    PING | ACL WHOAMI | XLEN q | XLEN | XREADGROUP GROUP g c STREAMS q > | XREADGROUP | XDEL q 1-1
    XRANGE q - + | CLIENT LIST | CLIENT KILL ID 1 | CLIENT NOSUCH | CLIENT | NOSUCH | EXEC | DEL q
    XADD q NOMKSTREAM MAXLEN x * a b | XADD q | XADD nokey NOMKSTREAM * a b | RESET ; PING
    MULTI ; XLEN q ; EXEC | MULTI ; XLEN q ; PING ; EXEC ; PING | MULTI ; CLIENT LIST ; DISCARD
    MULTI ; AUTH main ; XLEN q ; EXEC ; XLEN q | MULTI ; PING ; EXEC | XINFO STREAM q | KEYS *
    AUTH default bad ; PING ; XLEN q | AUTH work works ; XLEN q ; XADD q * a b | AUTH main ; XLEN q
    XGROUP DESTROY q g | XGROUP CREATE nokey g 0 | CONFIG GET dir | CONFIG RESETSTAT | SELECT 0
    CLIENT SETNAME 'a b' | HELLO 3 BAD ; XLEN q
    HELLO 2 AUTH default bad ; PING ; XLEN q | SCAN 0 | TYPE q | EXISTS q | XTRIM q MAXLEN 0
"""
OF_WORK = """
    PING | ACL WHOAMI | XLEN q | XADD q * a b | XADD q | DEL q | XTRIM q MAXLEN 0 | KEYS * | SCAN 0
    XGROUP DESTROY q g | CLIENT LIST | CLIENT KILL ID 1 | CLIENT UNBLOCK 1 | CONFIG RESETSTAT
    XACK q g 1-1 | XDEL q 1-1 | XREADGROUP GROUP g c STREAMS q > | XRANGE q - + | TYPE nokey
    EXISTS nokey | XPENDING q g | MULTI ; XADD q * a b ; EXEC | MULTI ; XLEN q ; EXEC
    XINFO STREAM nokey | XGROUP CREATE nokey g 0 | RESET ; XLEN q | AUTH push pushes ; XLEN q
"""


def scripts(lines: str) -> list[str]:
    """Return the scripts that the lines hold."""
    return [script.strip() for line in lines.strip().splitlines() for script in line.split(" | ")]


def both_answer_alike(pair: Pair, script: str) -> None:
    """Send each command to both."""
    for command in script.split(" ; "):
        ours, theirs = pair.call(*shlex.split(command))
        assert older(ours) == theirs, f"{command}: EZRA says {ours!r}, Redis {theirs!r}"


@pytest.mark.parametrize("script", scripts(LINES))
def test_before_the_password(pair: Pair, script: str) -> None:
    """NOAUTH, WRONGPASS and what comes before them are Redis' own."""
    both_answer_alike(pair, script)


@pytest.mark.parametrize("script", scripts(OF_PUSH))
def test_who_may_push(pair: Pair, script: str) -> None:
    """NOPERM where Redis has it for a user with the same rights, and all else as ever."""
    both_answer_alike(pair, f"AUTH push pushes ; {script}")


@pytest.mark.parametrize("script", scripts(OF_WORK))
def test_who_may_work(pair: Pair, script: str) -> None:
    """The same for the other user."""
    both_answer_alike(pair, f"AUTH work works ; {script}")


BYTES = [
    b"*11\r\n",
    b"*1000\r\n",
    b"*10\r\n$4\r\nPING\r\n",
    b"*1\r\n$16385\r\n",
    b"*1\r\n$16384\r\n",
    b"*1\r\n$600000000\r\n",
    b"*1\r\n$-1\r\n",
    b"*x\r\n",
    b"PING\r\n*11\r\nPING\r\n",
    b"x" * 70_000,
    b"PING" + b" x" * 11 + b"\r\nECHO" + b" y" * 30_000 + b"\r\nPING\r\n",
    b"POST / HTTP/1.1\r\n\r\n",
    b"HoSt: x\r\nPING\r\n",
    b"*1\r\n$4\r\nPOST\r\n*1\r\n$4\r\nPING\r\n",
    b"*2\r\n$5\r\nhOsT:\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\n",
    b'AUTH "main"\r\nPING\r\n',
    b"AUTH bad\r\nPING\r\n",
    b"AUTH main\r\n*12\r\n$4\r\nECHO\r\n" + b"$1\r\na\r\n" * 11 + b"PING\r\n",
    b"AUTH main\r\n*2\r\n$4\r\nECHO\r\n$20000\r\n" + b"a" * 20_000 + b"\r\nPING\r\n",
    b"AUTH main\r\nRESET\r\n*11\r\nPING\r\n",
    b"PING\r\n" * 50 + b"QUIT\r\n",
]


@pytest.mark.parametrize("data", BYTES, ids=range(len(BYTES)))
def test_both_take_bytes_alike(pair: Pair, data: bytes) -> None:
    """A stranger's limits, and the same end; after the password the limits of everybody."""
    for peer in (pair.ezra, pair.redis):
        peer.send_bytes(data)
        peer.end()
    assert pair.ezra.rest() == pair.redis.rest()
