"""Line by line beside a real Redis: the same replies, errors and closed connections, byte by byte.

Each script runs on a new connection to either server, in both protocols.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest

from tests.integration.pair import Pair
from tests.integration.side_by_side import Servers, side_by_side


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Start both."""
    with side_by_side() as servers:
        pair = servers.pair()
        pair.same("XGROUP", "CREATE", "q", "g", "0", "MKSTREAM")
        pair.close()
        yield servers


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def pair(servers: Servers, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Connect to both in one of the protocols."""
    pair = servers.pair()
    if request.param == 3:
        pair.call("HELLO", 3)
    yield pair
    pair.close()


LINES = """
    PING | PING x | PING x y | ECHO | ECHO x | ECHO x y | SELECT 0 | SELECT 1000 | SELECT x
    SELECT | HELLO 4 | HELLO x | HELLO 2 BAD | HELLO 2 SETNAME | HELLO 2 AUTH default
    HELLO 2 SETNAME 'a b' | HELLO 2 AUTH nobody x | AUTH x | AUTH | AUTH a b c | AUTH nobody x
    AUTH default x | CLIENT SETNAME me ; CLIENT GETNAME | CLIENT GETNAME | CLIENT SETNAME 'a b'
    CLIENT | CLIENT NOSUCH | CLIENT SETNAME | CLIENT ID x | CLIENT KILL | CLIENT KILL 1.2.3.4:5
    CLIENT KILL ID x | CLIENT KILL NOSUCH x | CLIENT KILL ID 999999999 | CLIENT NO-EVICT on
    CLIENT NO-EVICT x | CLIENT REPLY x | CLIENT REPLY on | CLIENT UNBLOCK 999999999
    CLIENT UNBLOCK x | CLIENT UNBLOCK 1 x | CLIENT GETREDIR | CLIENT LIST TYPE x
    CLIENT LIST ID x | MULTI ; MULTI ; EXEC | EXEC | DISCARD | MULTI ; DISCARD | MULTI x
    MULTI ; EXEC | MULTI ; NOSUCH ; PING ; EXEC ; PING
    MULTI ; PING ; EXEC x ; PING | EXEC x | MULTI ; XADD q ; DISCARD ; EXEC
    MULTI ; PING ; ECHO a ; EXEC | MULTI ; WATCH a ; EXEC | UNWATCH | MULTI ; RESET ; EXEC
    MULTI ; PING ; QUIT | RESET | RESET x | RESET ; PING
    CLIENT SETNAME me ; RESET ; CLIENT GETNAME | NOSUCH a b | nosuch 'a b' c | NoSuch | XADD
    XADD q | XADD q * | XADD q * a | XADD q * a b c | xadd q * a | XLEN | XLEN a b | XLEN nokey
    XREADGROUP | XREADGROUP GROUP g | XREADGROUP GROUP g w COUNT x STREAMS q >
    XREADGROUP GROUP g w BLOCK x STREAMS q > | XREADGROUP GROUP g w BLOCK -5 STREAMS q >
    XREADGROUP GROUP g w STREAMS q $ | XREADGROUP GROUP g w STREAMS q bad
    XREADGROUP COUNT 1 BLOCK 1 NOACK STREAMS q > | XREADGROUP GROUP g w BAD STREAMS q > | XACK
    XACK q g | XACK q g bad | XACK nokey g 1-1 | XDEL | XDEL q | XDEL nokey 1-1 | XDEL q bad
    XADD q bad a b | XADD q 0-0 a b | XADD q MAXLEN x * a b | XADD q MAXLEN -1 * a b
    XADD q MAXLEN 1 MINID 1 * a b | XADD q MAXLEN 1 LIMIT 1 * a b | XADD q MINID bad * a b
    XADD q LIMIT 1 * a b | XADD nokey NOMKSTREAM * a b | XADD q MAXLEN ~ 1 LIMIT -1 * a b | XGROUP
    XGROUP NOSUCH | XGROUP CREATE | XGROUP CREATE nokey g 0 | XGROUP CREATE nokey g bad MKSTREAM
    XGROUP CREATE nokey g 0 BAD | XGROUP SETID nokey g 0 | XGROUP DESTROY nokey g
    XGROUP CREATECONSUMER nokey g w | XGROUP DELCONSUMER nokey g w | XGROUP HELP x
    XGROUP CREATE nokey g 0 MKSTREAM ENTRIESREAD x
    XGROUP CREATE nokey g 0 MKSTREAM ENTRIESREAD -2 | XPENDING | XPENDING nokey | XPENDING nokey g
    XPENDING nokey g - + | XPENDING nokey g - + x | XPENDING nokey g bad + 1
    XPENDING nokey g IDLE x - + 1 | XPENDING nokey g IDLE 1 | XPENDING nokey g - + 1 | XCLAIM
    XCLAIM nokey g w 0 | XCLAIM nokey g w 0 1-1 | XCLAIM nokey g w x 1-1 | XCLAIM nokey g w 0 bad
    XCLAIM nokey g w 0 1-1 BAD | XCLAIM nokey g w 0 1-1 IDLE x
    XCLAIM nokey g w 0 1-1 RETRYCOUNT x | XCLAIM nokey g w 0 1-1 LASTID bad
    XCLAIM nokey g w 0 1-1 TIME x | XAUTOCLAIM | XAUTOCLAIM nokey g w 0 | XAUTOCLAIM nokey g w 0 0
    XAUTOCLAIM nokey g w x 0 | XAUTOCLAIM nokey g w 0 bad | XAUTOCLAIM nokey g w 0 0 COUNT 0
    XAUTOCLAIM nokey g w 0 0 COUNT x | XAUTOCLAIM nokey g w 0 0 BAD | XRANGE | XRANGE nokey - +
    XRANGE nokey - | XRANGE nokey bad + | XRANGE nokey - + COUNT | XRANGE nokey - + COUNT x
    XRANGE nokey - + COUNT 0 | XRANGE nokey - + BAD 1 | XRANGE nokey (- +
    XRANGE nokey (18446744073709551615-18446744073709551615 + | XREVRANGE nokey + -
    XREVRANGE nokey bad - | XRANGE nokey - + COUNT -1 | XREVRANGE nokey + (0-0 | XINFO
    XINFO NOSUCH | XINFO STREAM | XINFO STREAM nokey | XINFO STREAM nokey BAD
    XINFO STREAM nokey FULL | XINFO STREAM nokey FULL COUNT | XINFO STREAM nokey FULL COUNT x
    XINFO GROUPS nokey | XINFO CONSUMERS nokey g | XINFO CONSUMERS nokey | XINFO GROUPS | XTRIM
    XTRIM nokey MAXLEN | XTRIM nokey MAXLEN 0 | XTRIM nokey BAD 0 | XTRIM nokey MAXLEN -1
    XTRIM nokey MAXLEN x | XTRIM nokey MINID bad | XTRIM nokey MAXLEN 0 LIMIT 1
    XTRIM nokey MAXLEN ~ 0 LIMIT 1 | DEL | DEL nokey | DEL nokey nokey | UNLINK nokey | EXISTS
    EXISTS nokey nokey | TYPE | TYPE nokey | TTL nokey | PTTL nokey | TTL | SCAN | SCAN x
    SCAN 0 BAD | SCAN 0 COUNT 0 | SCAN 0 COUNT x | KEYS | SCAN 0 MATCH nokey* | KEYS nokey*
    RANDOMKEY x | OBJECT ENCODING nokey | OBJECT | OBJECT NOSUCH x | TIME x | CONFIG
    CONFIG NOSUCH | CONFIG GET | CONFIG GET nosuch | CONFIG GET save | CONFIG GET maxmemory-policy
    CONFIG RESETSTAT | CLUSTER INFO | CLUSTER SLOTS | CLUSTER NODES | CLUSTER SHARDS | CLUSTER
    LATENCY LATEST | LATENCY HISTORY x | LATENCY RESET | LATENCY NOSUCH | SLOWLOG GET
    SLOWLOG LEN | SLOWLOG RESET | SLOWLOG NOSUCH | SLOWLOG GET x | WAIT x 0 | WAIT 0 -1 | WAIT 0 0
    COMMAND COUNT x | COMMAND NOSUCH | COMMAND INFO nosuch | COMMAND DOCS nosuch
    COMMAND GETKEYS xlen q | COMMAND GETKEYS xadd q * a b
    COMMAND GETKEYS xreadgroup GROUP g w STREAMS a b > > | ACL WHOAMI | MODULE NOSUCH
    ZCOUNT nokey 0 1 | ZCOUNT nokey
"""
"""What both answer alike, each on a new connection of its own; `;` stands between commands.

The queue `q` is there, empty, with the group `g`; the key `nokey` is never made."""

SCRIPTS = [script.strip() for line in LINES.strip().splitlines() for script in line.split(" | ")]


@pytest.mark.parametrize("script", SCRIPTS)
def test_both_answer_alike(pair: Pair, script: str) -> None:
    """Replies and errors are Redis' own, in both protocols."""
    for command in script.split(" ; "):
        pair.same(*shlex.split(command))


BYTES = [
    b"*1\r\n$4\r\nPING\r\n",
    b"PING\r\n",
    b"ping\n",
    b"  echo   'a b' \r\n",
    b'echo "a\\x41\\n"\r\n',
    b"echo 'a\\'b'\r\n",
    b'echo "unbalanced\r\n',
    b"echo 'a'b\r\n",
    b"\r\n\r\nPING\r\n",
    b"*0\r\nPING\r\n",
    b"*-1\r\nPING\r\n",
    b"*x\r\n",
    b"*1 \r\n",
    b"*1\r\n:1\r\n",
    b"*1\r\n$x\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$600000000\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\n\r\n",
    b"*1\r\n$4\r\nPOST\r\n*1\r\n$4\r\nPING\r\n",
    b"*2\r\n$5\r\nhOsT:\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\n",
    b"*3\r\n$4\r\nECHO\r\n$1\r\na\r\n$1\r\nb\r\nPING\r\n",
    b"QUIT\r\nPING\r\n",
]


@pytest.mark.parametrize("data", BYTES)
def test_both_take_bytes_alike(pair: Pair, data: bytes) -> None:
    """Inline commands, empty ones, what is no RESP: the same replies, the same end."""
    for peer in (pair.ezra, pair.redis):
        peer.send_bytes(data)
        peer.end()
    assert pair.ezra.rest() == pair.redis.rest()
