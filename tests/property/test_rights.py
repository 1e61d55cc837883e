"""Laws of `ezra.sansio.rights`: every command with every role, and what a pusher never learns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ezra.sansio.access import Role
from ezra.sansio.commands import TABLE
from ezra.sansio.connection import BadCommand, Closed, Connection, Read, Signal
from ezra.sansio.errors import CommandError, RemoteProtocolError
from ezra.sansio.model import Defaults
from ezra.sansio.rights import ABOUT_ONESELF, RIGHTS, may
from ezra.threaded.dispatcher import Dispatcher
from ezra.threaded.memory_engine import MemoryEngine
from tests.property.fake_clock import FakeClock
from tests.property.fake_host import FakeHost
from tests.property.wire import PASSWORDS, request, session, split

ANYBODY = "AUTH | HELLO | QUIT | RESET"
EITHER = """
    PING | ECHO | SELECT | CLIENT SETNAME | CLIENT GETNAME | CLIENT ID | CLIENT INFO
    CLIENT SETINFO | CLIENT REPLY | CLIENT NO-EVICT | CLIENT NO-TOUCH | CLIENT HELP
    CLIENT TRACKING | CLIENT TRACKINGINFO | CLIENT GETREDIR | CLIENT CACHING | COMMAND
    COMMAND COUNT | COMMAND LIST | COMMAND INFO | COMMAND DOCS | COMMAND GETKEYS | COMMAND HELP
    MULTI | EXEC | DISCARD | WATCH | UNWATCH | INFO | TIME | WAIT | WAITAOF | ROLE | CLUSTER
    ACL WHOAMI | XGROUP CREATE
"""
PUSH = "XADD"
WORK = """
    XREADGROUP | XACK | XNACK | XDEL | XACKDEL | XCLAIM | XAUTOCLAIM | XPENDING | XLEN | XRANGE
    XREVRANGE | EXISTS | TYPE | XINFO STREAM | XINFO GROUPS | XINFO CONSUMERS | XINFO HELP
    XGROUP CREATECONSUMER | XGROUP DELCONSUMER | XGROUP SETID | XGROUP HELP | EZRA.QUEUE GET
"""


def _names(*lists: str) -> set[str]:
    return {name.strip() for text in lists for line in text.split("\n") for name in line.split("|")}


MAY = {
    Role.NOBODY: _names(ANYBODY),
    Role.DEFAULT: {"", *TABLE},
    Role.PUSH: _names(ANYBODY, EITHER, PUSH),
    Role.WORK: _names(ANYBODY, EITHER, WORK),
}
"""What is meant, said once more: a right that is given by mistake has to be given twice."""


def _machine(role: Role) -> Connection:
    own = session(access=PASSWORDS)
    own.role = role
    return Connection(own)


def _read(machine: Connection, words: Sequence[bytes]) -> Read:
    machine.receive_data(request(*words))
    event = machine.next_event()
    assert not isinstance(event, Signal | Closed)
    return event


def _refusal(role: Role, name: str) -> str:
    if role is Role.NOBODY:
        begin = "EXECABORT Transaction discarded because of: " if name == "EXEC" else ""
        return begin + "NOAUTH Authentication required."
    wire = name.lower().replace(" ", "|")
    return f"NOPERM User {role.value} has no permissions to run the '{wire}' command"


def _words(name: str) -> list[bytes]:
    """Return the command with as many arguments as it takes, which mean nothing."""
    names = name.encode().split()
    return [*names, *[b"\xff?"] * max(abs(TABLE[name].SPEC.arity) - len(names), 0)]


@pytest.mark.parametrize(("name", "role"), list(product(TABLE, Role)))
def test_every_command_with_every_role(
    name: str, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused by its name, or read; and nothing behind the name is, until that is decided."""
    looked: list[str] = []

    def parse(arguments: Sequence[bytes]) -> None:  # noqa: ARG001 - it only has to be asked
        looked.append(name)
        raise CommandError("ERR read")

    monkeypatch.setattr(TABLE[name], "parse", parse)
    event = _read(_machine(role), _words(name))
    assert isinstance(event, BadCommand)
    if name in MAY[role]:
        assert looked
    else:
        assert not looked
        assert str(event.error) == _refusal(role, name)
        assert "?" not in str(event.error)


def test_the_table_has_no_command_that_is_not_there() -> None:
    """A slip of the pen would give a right to nobody."""
    assert set().union(*RIGHTS.values()) <= set(TABLE)
    assert RIGHTS[Role.PUSH] & RIGHTS[Role.WORK] >= ABOUT_ONESELF


@pytest.mark.parametrize("role", RIGHTS)
def test_what_is_new_is_refused(role: Role) -> None:
    """Until somebody has thought about who needs it."""
    assert not may(role, "EZRA.NEW COMMAND")
    assert may(Role.DEFAULT, "EZRA.NEW COMMAND")


@pytest.mark.parametrize(
    "line", ["NOSUCH a b", "CLIENT NOSUCH x", "XADD q", "CLIENT", "xreadgroup"]
)
@pytest.mark.parametrize("role", Role)
def test_what_is_no_command_is_told_to_everybody_alike(role: Role, line: str) -> None:
    """As in Redis, where an unknown name and a wrong number of words come before all else."""
    asked, owner = (_read(_machine(each), split(line)) for each in (role, Role.DEFAULT))
    assert isinstance(asked, BadCommand)
    assert isinstance(owner, BadCommand)
    assert str(asked.error) == str(owner.error)


CONNECTING = {
    "redis-py": "HELLO 3 AUTH {} | "
    "CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type internal-ip | CLIENT SETNAME me | "
    "CLIENT SETINFO LIB-NAME redis-py | CLIENT SETINFO LIB-VER 8.1.0 | PING",
    "redis-py 5": "AUTH {} | CLIENT SETINFO LIB-NAME redis-py | "
    "CLIENT SETINFO LIB-VER 5 | SELECT 0",
    "node-redis": "HELLO 3 AUTH {} SETNAME me | CLIENT SETINFO LIB-VER 6.3.1 | "
    "CLIENT SETINFO LIB-NAME node-redis | "
    "CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type external-ip",
    "ioredis": "hello 3 AUTH {} | client setname me | client SETINFO LIB-VER 6.0.0 | "
    "client SETINFO LIB-NAME ioredis | info",
    "ioredis 4": "auth {} | info | client setname me | select 0",
    "go-redis": "hello 3 auth {} setname me | client setname me | "
    "client maint_notifications on moving-endpoint-type internal-ip | "
    "client setinfo LIB-NAME go-redis(,go1.27.3) | client setinfo LIB-VER 9.22.0",
    "rueidis": "HELLO 3 AUTH {} SETNAME me | CLIENT TRACKING ON OPTIN | "
    "CLIENT SETINFO LIB-NAME rueidis | CLIENT SETINFO LIB-VER 1.0.76 | CLUSTER SHARDS | "
    "CLIENT CACHING YES",
    "valkey-glide": "HELLO 3 AUTH {} | CLIENT SETNAME me | CLIENT SETINFO LIB-NAME GlidePy | "
    "CLIENT SETINFO LIB-VER 0.1.0 | INFO REPLICATION",
    "coredis": "HELLO 3 AUTH {} | CLIENT NO-EVICT ON | CLIENT NO-TOUCH ON | CLIENT TRACKINGINFO | "
    "CLIENT GETREDIR | CLIENT ID",
    "StackExchange.Redis": "AUTH {} | CLIENT SETNAME me | CLIENT ID | INFO replication | ECHO x | "
    "CLUSTER NODES | TIME | PING",
    "redis-cli": "AUTH {} | HELLO 3 | COMMAND DOCS | COMMAND | ROLE | CLIENT REPLY ON | RESET",
    "a pool's health check": "HELLO 3 AUTH {} | PING | ECHO x | UNWATCH | MULTI | DISCARD | QUIT",
}
"""What libraries send while they connect and keep a connection, as it was recorded of each."""


@pytest.mark.parametrize(
    ("client", "role"), list(product(CONNECTING, [Role.DEFAULT, Role.PUSH, Role.WORK]))
)
def test_every_client_can_connect_with_every_role(client: str, role: Role) -> None:
    """Nothing that a library sends by itself is beyond any password's rights."""
    password = {Role.DEFAULT: "main", Role.PUSH: "pushes", Role.WORK: "works"}[role]
    for user in (role.value, "default"):
        peer = _Peer()
        for line in CONNECTING[client].format(f"{user} {password}").split(" | "):
            answer = peer.ask(split(line))
            assert not answer.startswith((b"-NO", b"-WRONGPASS")), line


SECRET = b"S3CRET"
"""Stands in all that somebody else has pushed or named."""


class _Peer:
    """A client of a server in memory, in which somebody else has work."""

    def __init__(self) -> None:
        self._own = session(access=PASSWORDS)
        self._connection = Connection(self._own)
        self._dispatcher = Dispatcher(ENGINE, CLOCK, FakeHost(self._own, OTHER))

    def ask(self, words: Sequence[bytes]) -> bytes:
        """Send a command; return the reply's bytes."""
        if self._connection.closing:
            return b""
        self._connection.receive_data(request(*words))
        replies = b""
        while True:
            try:
                event = self._connection.next_event()
            except RemoteProtocolError as error:
                return replies + self._connection.send(error)
            if isinstance(event, Signal | Closed):
                return replies
            [result] = self._dispatcher.carry_out([event], self._own, lambda _, result: result)
            replies += self._connection.send(result)


CLOCK = FakeClock()
ENGINE = MemoryEngine(Defaults(), CLOCK)
OTHER = session(access=PASSWORDS)
OTHER.name = OTHER.lib_name = SECRET.decode()


def _somebody_else() -> list[bytes]:
    """Have work of all kinds done by another client; return the ids."""
    peer = _Peer()
    peer.ask(split("AUTH main"))
    ids = []
    for options in ("", "delay 60", "dedup_key key", "", ""):
        task = [b"payload", SECRET, SECRET, SECRET, *split(options)]
        ids.append(peer.ask([b"XADD", b"q", b"*", *task]).split(b"\r\n")[1])
    peer.ask([*split("XADD q IDMP producer once *"), b"payload", SECRET])
    peer.ask([*split("XREADGROUP GROUP"), SECRET, SECRET, *split("COUNT 2 STREAMS q >")])
    nack = [b"XNACK", b"q", SECRET, b"FATAL", b"IDS", b"1", ids[0], b"REASON", SECRET]
    assert peer.ask(nack) == b":1\r\n"
    return ids


IDS = _somebody_else()
WORDS = st.sampled_from(
    [
        *split("q q::dead r * 0 1 > - + $ 0-0 g w key default push work main wrong pushes"),
        *split("GROUP STREAMS COUNT 10 JUSTID FULL IDS MKSTREAM NOMKSTREAM AUTH MATCH TYPE"),
        *split("payload own dedup_key IDMP producer once IDMPAUTO MAXLEN ezra.ttl ON YES ALL"),
        *split("~ BLOCK GETNAME LIST DOCS xadd ID 7 1-1"),
        *IDS,
    ]
)
LONG = {"COMMAND", "COMMAND DOCS", "COMMAND INFO"}  # and the same whatever was asked before
NAMES = [name.encode().split() for name in TABLE if name not in LONG | {"AUTH"}]
READING = [
    "XREVRANGE q::dead + -",
    "XREADGROUP GROUP g w COUNT 10 STREAMS q q::dead > >",
    "XREADGROUP GROUP g w COUNT 10 STREAMS q 0",
    "XRANGE q - +",
    "XINFO STREAM q FULL",
    "XINFO CONSUMERS q g",
    "XPENDING q g - + 10",
    "XAUTOCLAIM q g w 0 0",
    "CLIENT LIST",
    "EZRA.QUEUE LIST",
    "SCAN 0",
]
PUSHING = [
    "XADD q * payload own dedup_key key",
    "XADD q IDMP producer once * payload own",
    "XADD q IDMPAUTO producer * payload own",
    "XADD q 1-1 payload own",
    "XADD q::dead * payload own",
    "XADD q MAXLEN 0 * payload own",
    "XADD q * payload own ezra.nosuch x",
    "MULTI",
    "EXEC",
    "RESET",
    "AUTH push pushes",
    "HELLO 3 AUTH default pushes",
]
any_command = st.tuples(st.sampled_from(NAMES), st.lists(WORDS, max_size=8)).map(
    lambda pair: [*pair[0], *pair[1]]
) | st.sampled_from([split(line) for line in READING + PUSHING])


@pytest.mark.unmeasured
@settings(max_examples=60)
@given(st.lists(any_command, min_size=1, max_size=12))
def test_who_pushes_never_reads_what_somebody_else_pushed(commands: list[list[bytes]]) -> None:
    """No sequence of commands yields a byte of it, not as a repeat's reply nor in an error."""
    peer = _Peer()
    peer.ask(split("AUTH push pushes"))
    for words in commands:
        if b"main" not in words:
            assert SECRET not in peer.ask(words), words


def _seen(commands: Iterable[str], password: str) -> list[bool]:
    peer = _Peer()
    peer.ask(split(f"AUTH {password}"))
    return [SECRET in peer.ask(split(line)) for line in commands]


def test_that_law_would_see_it() -> None:
    """The same commands show it to those who may read; to who pushes, and to strangers, nothing."""
    assert all(_seen(READING[:9], "main"))
    assert any(_seen(READING, "works"))
    assert not any(_seen(READING, "pushes"))
    assert not any(_seen(READING, "wrong"))


def test_only_the_owner_learns_where_the_data_is() -> None:
    """INFO leaves the directory out for the lesser roles, and so does everything else they may."""
    told = {}
    for password in ("main", "pushes", "works"):
        peer = _Peer()
        peer.ask(split(f"AUTH {password}"))
        asked = [peer.ask(split(line)) for line in ("INFO", "INFO ezra", "CONFIG GET *")]
        told[password] = [b"/data" in answer for answer in asked]
        assert b"tasks_dead:" in asked[1]
    assert told == {"main": [True] * 3, "pushes": [False] * 3, "works": [False] * 3}
