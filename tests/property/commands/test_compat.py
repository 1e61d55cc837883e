"""Laws of `compat` and `diagnostics`: what EZRA has not is answered as Redis does without it."""

from __future__ import annotations

import pytest

from ezra.sansio.access import Role
from ezra.sansio.commands import (
    AclList,
    AclUsers,
    AclWhoAmI,
    ClientPause,
    LatencyGraph,
    Watch,
)
from tests.property.wire import PASSWORDS, reply, session

REPLIES = {
    "SLOWLOG LEN": ":0",
    "slowlog get": "*0",
    "SLOWLOG GET 10": "*0",
    "SLOWLOG GET -1": "*0",
    "SLOWLOG RESET": "+OK",
    "LATENCY LATEST": "*0",
    "LATENCY HISTORY x": "*0",
    "LATENCY RESET": ":0",
    "LATENCY RESET a b": ":0",
    "LATENCY HISTOGRAM": "*0",
    "MODULE LIST": "*1\r\n*8\r\n$4\r\nname\r\n$4\r\nezra\r\n$3\r\nver\r\n:10203\r\n"
    "$4\r\npath\r\n$0\r\n\r\n$4\r\nargs\r\n*0",
    "ACL WHOAMI": "$7\r\ndefault",
    "ACL USERS": "*1\r\n$7\r\ndefault",
    "ACL LIST": "*1\r\n$34\r\nuser default on nopass ~* &* +@all",
    "SCRIPT EXISTS a b": "*2\r\n:0\r\n:0",
    "UNWATCH": "+OK",
    "SLOWLOG GET -2": "-ERR count should be greater than or equal to -1",
    "SLOWLOG GET x": "-ERR count should be greater than or equal to -1",
    "SLOWLOG GET 1 2": (
        "-ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP."
    ),
    "LATENCY GRAPH x": "-ERR No samples available for event 'x'",
    "CLUSTER INFO": "-ERR This instance has cluster support disabled",
    "cluster SLOTS": "-ERR This instance has cluster support disabled",
    "CLUSTER": "-ERR wrong number of arguments for 'cluster' command",
    "SCRIPT LOAD x": (
        "-ERR EZRA runs no scripts; its own commands are atomic, and MULTI makes one of several"
    ),
    "SCRIPT NOSUCH": "-ERR unknown subcommand 'NOSUCH'. Try SCRIPT HELP.",
    "WATCH q": (
        "-ERR WATCH is not supported by EZRA: a transaction is carried out as a whole, "
        "whatever others do meanwhile"
    ),
}


@pytest.mark.parametrize("line", REPLIES)
def test_replies(line: str) -> None:
    """To the byte, in RESP2."""
    assert reply(line) == f"{REPLIES[line]}\r\n".encode()


def test_maps_and_texts_in_resp3() -> None:
    """Where Redis has a map or a text for people, so has EZRA."""
    assert reply("LATENCY HISTOGRAM", protocol=3) == b"%0\r\n"
    assert reply("LATENCY DOCTOR", protocol=3).startswith(b"=")
    assert reply("MODULE LIST", protocol=3).startswith(b"*1\r\n%4\r\n")


LOST = (
    "EVAL EVALSHA FLUSHALL FLUSHDB SAVE BGSAVE SHUTDOWN REPLICAOF DEBUG MONITOR SUBSCRIBE GET SET"
)


@pytest.mark.parametrize("name", LOST.split())
def test_what_would_lose_tasks_or_pretend_is_unknown(name: str) -> None:
    """No command throws tasks away or pretends to be what it is not."""
    assert reply(f"{name} x").startswith(f"-ERR unknown command '{name}', with".encode())


def test_who_is_always_refused_has_no_reply() -> None:
    """Asking for one is the driver's mistake, and is not taken for an OK."""
    for command in (Watch(), ClientPause(), LatencyGraph("x")):
        with pytest.raises(AssertionError, match="is always answered with an error"):
            command.reply(None, 2)


def test_who_can_log_in_and_what_for() -> None:
    """The owner is shown each user's rights, and of no password so much as a digest."""
    own = session(access=PASSWORDS)
    own.role = Role.DEFAULT
    assert AclUsers().answer(own) == (Role.DEFAULT, Role.PUSH, Role.WORK)
    assert AclUsers().reply(AclUsers().answer(own), 2) == (b"default", b"push", b"work")
    default, push, work = AclList().answer(own)
    assert default == "user default on ~* &* +@all"
    assert push.startswith("user push on ~* &* -@all +acl|whoami +auth ")
    assert {"+xadd", "+client|id"} <= set(push.split())
    assert set(push.split()).isdisjoint({"+xreadgroup", "+@all"})
    assert set(work.split()) - set(push.split()) >= {"+xreadgroup", "+ezra.queue|get"}
    own.role = Role.WORK
    assert AclWhoAmI().reply(AclWhoAmI().answer(own), 2) == b"work"
