"""The reply shapes that clients depend on, byte for byte in both protocols, as one table."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ezra.sansio.model import Address, Delivery
from tests.property.commands.books import BUSY, DELIVERY, EMPTY, FIVE, NOW, TASK
from tests.property.wire import reply, reply_to


@dataclass(frozen=True, slots=True)
class Shape:
    """What was sent, what it came to, and what is read; CRLF is written as a space."""

    line: str
    result: object
    resp2: str
    resp3: str = ""
    """Where it differs."""


READ = "XREADGROUP GROUP g w STREAMS q r > >"
ENTRY = (
    "*2 $3 1-5 *10 $7 payload $4 body $1 b $1 1 $1 a $1 2 $8 attempts $1 2 $12 max_attempts $1 3 "
)
BOOKS = (
    "$4 name $1 q $18 visibility_timeout {timeout} $12 max_attempts {most} $11 retry_delay {delay} "
    "$9 available :{n} $9 scheduled :{s} $9 in_flight :{f} $4 done :{o} $4 dead :{d} "
    "$6 pushed :{p} $7 expired :{e} "
)
BUSY_BOOKS = BOOKS.replace("{most}", ":5")
BUSY_COUNTS = {"n": 3, "s": 4, "f": 2, "o": 6, "d": 1, "p": 17, "e": 1}
EMPTY_COUNTS = dict.fromkeys("nsfodpe", 0)
INFO = (
    "$6 length :{length} $15 radix-tree-keys :1 $16 radix-tree-nodes :2 "
    "$17 last-generated-id $3 {last} $20 max-deleted-entry-id $3 0-0 $13 entries-added :{added} "
    "$23 recorded-first-entry-id $3 {first} $6 groups :{groups} "
    "$11 first-entry {entry} $10 last-entry {final} "
)
STANDING = (
    "$9 available :3 $9 scheduled :4 $9 in-flight :2 $4 done :6 $4 dead :1 "
    "$17 oldest-waiting-ms :2500 "
)
IDLE = (
    "$9 available :0 $9 scheduled :0 $9 in-flight :0 $4 done :0 $4 dead :0 "
    "$17 oldest-waiting-ms {none} "
)
BUSY_INFO = (
    INFO.format(
        length=7,
        last="2-9",
        added=17,
        first="1-5",
        groups=2,
        entry="*2 $3 1-5 *4 $7 payload $4 body $1 h $1 v",
        final="*2 $3 2-9 *2 $1 f $1 w",
    )
    + STANDING
)
DEAD_INFO = (
    INFO.format(
        length=1, last="2-9", added=17, first="0-0", groups=2, entry="{none}", final="{none}"
    )
    + STANDING
)
EMPTY_INFO = (
    INFO.format(
        length=0, last="0-0", added=0, first="0-0", groups=0, entry="{none}", final="{none}"
    )
    + IDLE
)
GREETING = (
    "$6 server $5 redis $7 version $5 8.2.0 $5 proto :{proto} $2 id :7 $4 mode $10 standalone "
    "$4 role $6 master $7 modules *1 "
)
MODULE = "$4 name $4 ezra $3 ver :10203 $4 path $0  $4 args *0 "

SHAPES = [
    # connection
    Shape("HELLO", None, "*14 " + GREETING.format(proto=2) + "*8 " + MODULE,
          "%7 " + GREETING.format(proto=3) + "%4 " + MODULE),
    Shape("HELLO 2", None, "*14 " + GREETING.format(proto=2) + "*8 " + MODULE),
    Shape("hello 3", None, "%7 " + GREETING.format(proto=3) + "%4 " + MODULE),
    Shape("HELLO 3 AUTH root x", None,
          "-WRONGPASS invalid username-password pair or user is disabled. "),
    Shape("PING", None, "+PONG "),
    Shape("ping hi", None, "$2 hi "),
    Shape("ECHO hi", None, "$2 hi "),
    Shape("SELECT 0", None, "+OK "),
    Shape("QUIT", None, "+OK "),
    Shape("CLIENT SETNAME me", None, "+OK "),
    Shape("CLIENT GETNAME", None, "$-1 ", "_ "),
    Shape("CLIENT ID", None, ":7 "),
    Shape("CLIENT SETINFO LIB-NAME x", None, "+OK "),
    # tasks
    Shape("XADD q * payload x", FIVE, "$3 1-5 "),
    Shape("XADD q NOMKSTREAM * payload x", None, "$-1 ", "_ "),
    Shape(READ, DELIVERY[:1], "*1 *2 $1 q *1 " + ENTRY, "%1 $1 q *1 " + ENTRY),
    Shape(READ, (DELIVERY[0], Delivery(Address("r"), (TASK,))),
          "*2 *2 $1 q *1 " + ENTRY + "*2 $1 r *1 " + ENTRY,
          "%2 $1 q *1 " + ENTRY + "$1 r *1 " + ENTRY),
    Shape(READ, (), "*-1 ", "_ "),
    Shape("XREADGROUP GROUP g w STREAMS q 0", (Delivery(Address("q"), ()),),
          "*1 *2 $1 q *0 ", "%1 $1 q *0 "),
    Shape("XREADGROUP GROUP g w STREAMS q::dead >", (Delivery(Address("q", dead=True), (TASK,)),),
          "*1 *2 $7 q::dead *1 " + ENTRY, "%1 $7 q::dead *1 " + ENTRY),
    Shape("XACK q g 1-5", 1, ":1 "),
    Shape("XDEL q 1-5", 0, ":0 "),
    Shape("XNACK q g 1-5", 1, "+OK "),
    Shape("XNACK q g 1-5", 0, "-ERR no such task is in flight in this queue "),
    Shape("XNACK q g FAIL IDS 1 1-5", 0, ":0 "),
    Shape("XNACK q g FAIL IDS 1 1-5", 2, ":2 "),
    # inspection and groups
    Shape("XLEN q", 12, ":12 "),
    Shape("XINFO STREAM q", (BUSY, NOW), "*32 " + BUSY_INFO, "%16 " + BUSY_INFO),
    Shape("XINFO STREAM q", (EMPTY, NOW), "*32 " + EMPTY_INFO.format(none="$-1"),
          "%16 " + EMPTY_INFO.format(none="_")),
    Shape("XINFO STREAM q::dead", (BUSY, NOW), "*32 " + DEAD_INFO.format(none="$-1"),
          "%16 " + DEAD_INFO.format(none="_")),
    Shape("XINFO STREAM q", None, "-ERR no such key "),
    Shape("XGROUP CREATE q g $", None, "+OK "),
    # EZRA's own
    Shape("EZRA.QUEUE LIST", [], "*0 "),
    Shape("EZRA.QUEUE LIST", [EMPTY, BUSY],
          "*2 *22 " + BOOKS.format(timeout="$-1", most="$-1", delay="$-1", **EMPTY_COUNTS)
          + "*22 " + BUSY_BOOKS.format(timeout="$3 1.5", delay="$3 0.0", **BUSY_COUNTS),
          "*2 %11 " + BOOKS.format(timeout="_", most="_", delay="_", **EMPTY_COUNTS)
          + "%11 " + BUSY_BOOKS.format(timeout=",1.5", delay=",0.0", **BUSY_COUNTS)),
    Shape("EZRA.QUEUE GET q", BUSY,
          "*22 " + BUSY_BOOKS.format(timeout="$3 1.5", delay="$3 0.0", **BUSY_COUNTS),
          "%11 " + BUSY_BOOKS.format(timeout=",1.5", delay=",0.0", **BUSY_COUNTS)),
    Shape("EZRA.QUEUE GET q", None, "-ERR no such key "),
    Shape("EZRA.QUEUE SET q max_attempts 5", None, "+OK "),
]  # fmt: skip


def _wire(shape: str) -> bytes:
    """Return the bytes: CRLF for each space that ends a line; error texts keep theirs."""
    if shape.startswith("-"):
        return shape[:-1].encode() + b"\r\n"
    return shape.replace(" ", "\r\n").encode()


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.line)
def test_shape(shape: Shape) -> None:
    """Every reply has Redis' shape in RESP2 and in RESP3, to the byte."""
    assert reply(shape.line, shape.result, 2) == _wire(shape.resp2)
    assert reply(shape.line, shape.result, 3) == _wire(shape.resp3 or shape.resp2)


def test_a_foreign_entry_comes_back_byte_for_byte() -> None:
    """Nothing is added to an entry without `payload`, and its fields keep their order."""
    entry = b"*2\r\n$3\r\n2-9\r\n*4\r\n$8\r\n__data__\r\n$2\r\n\x00\xff\r\n$3\r\nttl\r\n$1\r\nx\r\n"
    assert reply(READ, DELIVERY[1:], 3) == b"%1\r\n$1\r\nr\r\n*1\r\n" + entry


def test_what_is_repeated_is_binary_safe() -> None:
    """ECHO and PING give back any bytes."""
    assert reply_to([b"ECHO", b"\r\n\x00\xff"]) == b"$4\r\n\r\n\x00\xff\r\n"
    assert reply_to([b"PING", b"\xff"]) == b"$1\r\n\xff\r\n"
