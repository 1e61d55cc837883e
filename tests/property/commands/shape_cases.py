"""Every reply shape of the commands, byte for byte in both protocols, as one table of cases.

The tests of the replies are made of it, and the tables in docs/protocol.md. Error texts, which are
the same in both protocols, are cases like any other; those that need no result stand in
`error_cases`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ezra.sansio.model import Address, Delivery, Taken
from tests.property.commands.books import (
    ANN,
    BARE_DETAILS,
    BOB,
    BUSY,
    DELIVERY,
    DETAILS,
    EMPTY,
    FIRST,
    FIVE,
    GROUPS,
    HELD,
    IDLE_TASK,
    LAST,
    NAMES,
    NEW_TASK,
    NO_PENDING,
    NOW,
    PENDING,
    TAKEN,
    TASK,
)


@dataclass(frozen=True, slots=True)
class Case:
    """What was sent, what it came to, and what is read."""

    line: str
    result: object
    resp2: str
    """Each CRLF is written as a space; an error's text keeps the spaces that it has."""
    resp3: str = ""
    """Where it differs."""


def wire(shape: str) -> bytes:
    """Return a shape's bytes."""
    if shape.startswith("-"):
        return shape[:-1].encode() + b"\r\n"
    return shape.replace(" ", "\r\n").encode()


READ = "XREADGROUP GROUP g w STREAMS q r > >"
CLAIM = "XREADGROUP GROUP g w CLAIM 5 STREAMS q >"
ATTEMPTS = "$8 attempts $1 2 $12 max_attempts $1 3 "
ENTRY = f"*2 $3 1-5 *10 $7 payload $4 body $1 b $1 1 $1 a $1 2 {ATTEMPTS}"
IDLE_FIELDS = f"$3 1-5 *6 $7 payload $4 body {ATTEMPTS}"
IDLE_ENTRY = f"*2 {IDLE_FIELDS}"
FIRST_ENTRY = "*2 $3 1-5 *4 $7 payload $4 body $1 h $1 v "
LAST_ENTRY = "*2 $3 2-9 *2 $1 f $1 w "
CLAIMED = f"*2 *4 {IDLE_FIELDS}:7 :1 *4 $3 2-9 *2 $1 f $1 w :0 :0 "

TASKS = [
    Case("XADD q * payload x", FIVE, "$3 1-5 "),
    Case("XADD q NOMKSTREAM * payload x", None, "$-1 ", "_ "),
    Case("XADD q IDMP p i * payload x", FIVE, "$3 1-5 "),
    Case("XADD q 0-1 '' ''", None, "$3 0-1 "),
    Case(READ, DELIVERY[:1], f"*1 *2 $1 q *1 {ENTRY}", f"%1 $1 q *1 {ENTRY}"),
    Case(
        READ,
        (DELIVERY[0], Delivery(Address("r"), (TASK,))),
        f"*2 *2 $1 q *1 {ENTRY}*2 $1 r *1 {ENTRY}",
        f"%2 $1 q *1 {ENTRY}$1 r *1 {ENTRY}",
    ),
    Case(READ, (), "*-1 ", "_ "),
    Case(
        "XREADGROUP GROUP g w STREAMS q 0",
        (Delivery(Address("q"), ()),),
        "*1 *2 $1 q *0 ",
        "%1 $1 q *0 ",
    ),
    Case(
        "XREADGROUP GROUP g w STREAMS q::dead >",
        (Delivery(Address("q", dead=True), (TASK,)),),
        f"*1 *2 $7 q::dead *1 {ENTRY}",
        f"%1 $7 q::dead *1 {ENTRY}",
    ),
    Case(
        CLAIM,
        (Delivery(Address("q"), (IDLE_TASK, NEW_TASK)),),
        f"*1 *2 $1 q {CLAIMED}",
        f"%1 $1 q {CLAIMED}",
    ),
    Case("XACK q g 1-5", 1, ":1 "),
    Case("XACK nokey g 1-5", 0, ":0 "),
    Case("XDEL q 1-5", 0, ":0 "),
    Case("XNACK q g 1-5", 1, "+OK "),
    Case("XNACK q g FAIL IDS 1 1-5", 0, ":0 "),
    Case("XNACK q g FAIL IDS 1 1-5", 2, ":2 "),
    Case("XACKDEL q g IDS 2 1-5 2-9", (True, False), "*2 :1 :-1 "),
    Case("XDELEX q IDS 2 1-5 2-9", (False, True), "*2 :-1 :1 "),
    Case("XTRIM q MAXLEN 0", 7, ":7 "),
]
"""From the push to the end."""

PENDINGS = [
    Case("XPENDING q g", PENDING, "*4 :3 $3 1-5 $3 2-9 *2 *2 $3 ann $1 2 *2 $3 bob $1 1 "),
    Case("XPENDING q g", NO_PENDING, "*4 :0 $-1 $-1 *-1 ", "*4 :0 _ _ _ "),
    Case("XPENDING q g - + 10", (HELD,), "*1 *4 $3 1-5 $3 ann :1500 :2 "),
    Case("XPENDING q g IDLE 5 - + 10 ann", (), "*0 "),
    Case("XCLAIM q g w 0 1-5 JUSTID", (FIVE,), "*1 $3 1-5 "),
    Case("XCLAIM q g w 5 1-5 JUSTID", (IDLE_TASK,), "*1 $3 1-5 "),
    Case("XCLAIM q g w 5 1-5", (IDLE_TASK,), f"*1 {IDLE_ENTRY}"),
    Case("XCLAIM q g w 0 1-5", (), "*0 "),
    Case("XCLAIM q g w 0 1-5 bad", NO_PENDING, "-ERR Unrecognized XCLAIM option 'bad' "),
    Case("XCLAIM q g w 0 bad", NO_PENDING, "-ERR Unrecognized XCLAIM option 'bad' "),
    Case("XCLAIM q g w 0 1-5 IDLE", NO_PENDING, "-ERR Unrecognized XCLAIM option 'IDLE' "),
    Case("XCLAIM q g w x 1-5", PENDING, "-ERR Invalid min-idle-time argument for XCLAIM "),
    Case("XCLAIM q g w 0 1-5 TIME x", PENDING, "-ERR Invalid TIME option argument for XCLAIM "),
    Case("XCLAIM q g w 0 1-5 idle x", PENDING, "-ERR Invalid IDLE option argument for XCLAIM "),
    Case(
        "XCLAIM q g w 0 1-5 RETRYCOUNT 1.5",
        PENDING,
        "-ERR Invalid RETRYCOUNT option argument for XCLAIM ",
    ),
    Case(
        "XCLAIM q g w 0 1-5 LASTID x",
        PENDING,
        "-ERR Invalid stream ID specified as stream command argument ",
    ),
    Case("XAUTOCLAIM q g w 5 0", TAKEN, f"*3 $3 2-9 *1 {IDLE_ENTRY}*0 "),
    Case("XAUTOCLAIM q g w 5 0 JUSTID", TAKEN, "*3 $3 2-9 *1 $3 1-5 *0 "),
    Case("XAUTOCLAIM q g w 5 0", Taken((), 0), "*3 $3 0-0 *0 *0 "),
]
"""Tasks in flight."""

COMMON = (
    "$6 length :{length} $15 radix-tree-keys :1 $16 radix-tree-nodes :2 "
    "$17 last-generated-id $3 {last} $20 max-deleted-entry-id $3 0-0 $13 entries-added :{added} "
    "$23 recorded-first-entry-id $3 {first} "
)
ENDS = "$6 groups :{groups} $11 first-entry {entry}$10 last-entry {final}"
STANDING = (
    "$9 available :3 $9 scheduled :4 $9 in-flight :2 $4 done :6 $4 dead :1 "
    "$17 oldest-waiting-ms :2500 "
)
IDLE = (
    "$9 available :0 $9 scheduled :0 $9 in-flight :0 $4 done :0 $4 dead :0 "
    "$17 oldest-waiting-ms {none}"
)
BUSY_COMMON = COMMON.format(length=7, last="2-9", added=17, first="1-5")
DEAD_COMMON = COMMON.format(length=1, last="2-9", added=17, first="0-0")
EMPTY_COMMON = COMMON.format(length=0, last="0-0", added=0, first="0-0")
BUSY_INFO = BUSY_COMMON + ENDS.format(groups=2, entry=FIRST_ENTRY, final=LAST_ENTRY) + STANDING
NULL_ENDS = ENDS.replace("{entry}", "{none}").replace("{final}", "{none}")
DEAD_INFO = DEAD_COMMON + NULL_ENDS.replace("{groups}", "2") + STANDING
EMPTY_INFO = EMPTY_COMMON + NULL_ENDS.replace("{groups}", "0") + IDLE
GROUP_START = (
    "$4 name $1 g $17 last-delivered-id $3 1-5 $12 entries-read :10 $3 lag :3 $9 pel-count :2 "
    "$7 pending *1 *4 $3 1-5 $3 ann :1699999998500 :2 $9 consumers *2 "
)
ANN_FULL = (
    "$4 name $3 ann $9 seen-time :1699999998499 $11 active-time :1699999997000 $9 pel-count :2 "
    "$7 pending *1 *3 $3 1-5 :1699999998500 :2 "
)
BOB_FULL = (
    "$4 name $3 bob $9 seen-time :1700000000000 $11 active-time :-1 $9 pel-count :1 $7 pending *0 "
)
ENTRIES = f"$7 entries *1 {FIRST_ENTRY}"
GROUP = "$4 name $1 {name} $9 consumers :{workers} $7 pending :2 $17 last-delivered-id $3 1-5 "
GROUP_END = "$12 entries-read :10 $3 lag :3 "
G, H = (GROUP.format(name=name, workers=count) + GROUP_END for name, count in (("g", 2), ("h", 0)))
ANN_INFO = "$4 name $3 ann $7 pending :2 $4 idle :1500 $8 inactive :3000 "
BOB_INFO = "$4 name $3 bob $7 pending :1 $4 idle :0 $8 inactive :-1 "


def _full(common: str, entries: str, array: str, group: str, worker: str) -> str:
    """Return what FULL answers, the marks of its maps given."""
    workers = f"{worker}{ANN_FULL}{worker}{BOB_FULL}"
    groups = f"$6 groups *1 {group}{GROUP_START}{workers}"
    return f"{array}{common}{entries}{groups}{STANDING}"


INSPECTION = [
    Case("XLEN q", 12, ":12 "),
    Case("XLEN nokey", 0, ":0 "),
    Case("XRANGE q - +", (FIRST, LAST), f"*2 {FIRST_ENTRY}{LAST_ENTRY}"),
    Case("XREVRANGE q + -", (LAST, FIRST), f"*2 {LAST_ENTRY}{FIRST_ENTRY}"),
    Case("XRANGE nokey - +", (), "*0 "),
    Case("XRANGE q - + COUNT 0", 1, "*-1 ", "_ "),
    Case("XRANGE nokey - + COUNT 0", 0, "*0 "),
    Case("XINFO STREAM q", BUSY, f"*32 {BUSY_INFO}", f"%16 {BUSY_INFO}"),
    Case(
        "XINFO STREAM q",
        EMPTY,
        "*32 " + EMPTY_INFO.format(none="$-1 "),
        "%16 " + EMPTY_INFO.format(none="_ "),
    ),
    Case(
        "XINFO STREAM q::dead",
        BUSY,
        "*32 " + DEAD_INFO.format(none="$-1 "),
        "%16 " + DEAD_INFO.format(none="_ "),
    ),
    Case(
        "XINFO STREAM q FULL",
        DETAILS,
        _full(BUSY_COMMON, ENTRIES, "*30 ", "*14 ", "*10 "),
        _full(BUSY_COMMON, ENTRIES, "%15 ", "%7 ", "%5 "),
    ),
    Case(
        "XINFO STREAM q::dead FULL",
        DETAILS,
        _full(DEAD_COMMON, "$7 entries *0 ", "*30 ", "*14 ", "*10 "),
        _full(DEAD_COMMON, "$7 entries *0 ", "%15 ", "%7 ", "%5 "),
    ),
    Case(
        "XINFO STREAM q FULL COUNT 0",
        BARE_DETAILS,
        f"*30 {EMPTY_COMMON}$7 entries *0 $6 groups *0 " + IDLE.format(none="$-1 "),
        f"%15 {EMPTY_COMMON}$7 entries *0 $6 groups *0 " + IDLE.format(none="_ "),
    ),
    Case("XINFO STREAM nokey bad", 0, "-ERR no such key "),
    Case("XINFO GROUPS q", GROUPS, f"*2 *12 {G}*12 {H}", f"*2 %6 {G}%6 {H}"),
    Case("XINFO GROUPS q", (EMPTY, ()), "*0 "),
    Case(
        "XINFO CONSUMERS q g",
        (NOW, (ANN, BOB)),
        f"*2 *8 {ANN_INFO}*8 {BOB_INFO}",
        f"*2 %4 {ANN_INFO}%4 {BOB_INFO}",
    ),
]
"""Looking at tasks and queues."""

GROUP_COMMANDS = [
    Case("XGROUP CREATE q g $", None, "+OK "),
    Case("XGROUP SETID q g $", None, "+OK "),
    Case("XGROUP CREATECONSUMER q g w", True, ":1 "),
    Case("XGROUP CREATECONSUMER q g w", False, ":0 "),
    Case("XGROUP DELCONSUMER q g w", 2, ":2 "),
    Case("XGROUP DESTROY q g", True, ":1 "),
    Case("XGROUP DESTROY q g", False, ":0 "),
    Case("XCFGSET q IDMP-DURATION 60", None, "+OK "),
]
"""Groups, workers, settings."""

BOOKS = (
    "$4 name $1 q $18 visibility_timeout {timeout}$12 max_attempts {most}$11 retry_delay {delay}"
    "$12 dedup_window {window}$11 dedup_limit {limit}"
)
COUNTS = (
    "$9 available :3 $9 scheduled :4 $9 in_flight :2 $4 done :6 $4 dead :1 $7 damaged :1 "
    "$6 pushed :17 $7 expired :1 "
)
NO_COUNTS = (
    "$9 available :0 $9 scheduled :0 $9 in_flight :0 $4 done :0 $4 dead :0 $7 damaged :0 "
    "$6 pushed :0 $7 expired :0 "
)
BUSY_SETTINGS_2 = BOOKS.format(
    timeout="$3 1.5 ", most=":5 ", delay="$3 0.0 ", window="$4 60.0 ", limit=":50 "
)
BUSY_SETTINGS_3 = BOOKS.format(
    timeout=",1.5 ", most=":5 ", delay=",0.0 ", window=",60.0 ", limit=":50 "
)
BUSY_2 = f"*28 {BUSY_SETTINGS_2}{COUNTS}"
BUSY_3 = f"%14 {BUSY_SETTINGS_3}{COUNTS}"
NAMED = ("timeout", "most", "delay", "window", "limit")
EMPTY_2 = "*28 " + BOOKS.format(**dict.fromkeys(NAMED, "$-1 ")) + NO_COUNTS
EMPTY_3 = "%14 " + BOOKS.format(**dict.fromkeys(NAMED, "_ ")) + NO_COUNTS

KEYS = [
    Case("DEL q r", 2, ":2 "),
    Case("UNLINK q q::dead", 1, ":1 "),
    Case("DEL q::dead", 0, ":0 "),
    Case("EXISTS q r q", 3, ":3 "),
    Case("TYPE q", 1, "+stream "),
    Case("TYPE nokey", 0, "+none "),
    Case("TTL q", 1, ":-1 "),
    Case("TTL nokey", 0, ":-2 "),
    Case("PTTL q", 1, ":-1 "),
    Case("EXPIRETIME q", 1, ":-1 "),
    Case("PEXPIRETIME nokey", 0, ":-2 "),
    Case("KEYS *", NAMES, "*3 $1 q $7 q::dead $1 r "),
    Case("KEYS ?", NAMES, "*2 $1 q $1 r "),
    Case("SCAN 0 COUNT 2", NAMES, "*2 $1 4 *3 $1 q $7 q::dead $1 r "),
    Case("SCAN 0 MATCH *dead", NAMES, "*2 $1 0 *1 $7 q::dead "),
    Case("SCAN 0 TYPE string", NAMES, "*2 $1 0 *0 "),
    Case("SCAN 4", (), "*2 $1 0 *0 "),
    Case("RANDOMKEY", NAMES[:1], "$1 q "),
    Case("RANDOMKEY", (), "$-1 ", "_ "),
    Case("DBSIZE", NAMES, ":3 "),
    Case("OBJECT ENCODING q", 1, "$6 stream "),
    Case("OBJECT ENCODING nokey", 0, "$-1 ", "_ "),
    Case("OBJECT IDLETIME q", 1, ":0 "),
    Case("OBJECT IDLETIME nokey", 0, "$-1 ", "_ "),
    Case("MEMORY USAGE q SAMPLES 0", 1, "$-1 ", "_ "),
    Case("ZCOUNT nokey -inf (5e3", 0, ":0 "),
]
"""Queues as keys."""

OWN = [
    Case("EZRA.QUEUE LIST", (), "*0 "),
    Case("EZRA.QUEUE LIST", (EMPTY, BUSY), f"*2 {EMPTY_2}{BUSY_2}", f"*2 {EMPTY_3}{BUSY_3}"),
    Case("EZRA.QUEUE GET q", BUSY, BUSY_2, BUSY_3),
    Case("EZRA.QUEUE SET q max_attempts 5", None, "+OK "),
    Case(
        "EZRA.BACKUP monday.db",
        ("/data/backups/monday.db", 4096),
        "*2 $23 /data/backups/monday.db :4096 ",
    ),
]
"""EZRA's own."""

GREETING = (
    "$6 server $5 redis $7 version $5 8.2.0 $5 proto :{proto} $2 id :7 $4 mode $10 standalone "
    "$4 role $6 master $7 modules *1 "
)
MODULE = "$4 name $4 ezra $3 ver :10203 $4 path $0  $4 args *0 "
GREETING_2 = f"*14 {GREETING.format(proto=2)}*8 {MODULE}"
GREETING_3 = f"%7 {GREETING.format(proto=3)}%4 {MODULE}"

CONNECTION = [
    Case("HELLO", None, GREETING_2, GREETING_3),
    Case("HELLO 2", None, GREETING_2),
    Case("hello 3", None, GREETING_3),
    Case("PING", None, "+PONG "),
    Case("ping hi", None, "$2 hi "),
    Case("ECHO hi", None, "$2 hi "),
    Case("SELECT 0", None, "+OK "),
    Case("QUIT", None, "+OK "),
    Case("CLIENT SETNAME me", None, "+OK "),
    Case("CLIENT GETNAME", None, "$-1 ", "_ "),
    Case("CLIENT ID", None, ":7 "),
    Case("CLIENT SETINFO LIB-NAME x", None, "+OK "),
    Case("AUTH default x", None, "+OK "),
    Case(
        "AUTH x",
        None,
        "-ERR AUTH <password> called without any password configured for the default user. "
        "Are you sure your configuration is correct? ",
    ),
    Case("AUTH root x", None, "-WRONGPASS invalid username-password pair or user is disabled. "),
    Case(
        "HELLO 3 AUTH root x",
        None,
        "-WRONGPASS invalid username-password pair or user is disabled. ",
    ),
    Case("MULTI", None, "+OK "),
    Case("EXEC", None, "-ERR EXEC without MULTI "),
    Case("DISCARD", None, "-ERR DISCARD without MULTI "),
    Case(
        "NOSUCH a b",
        None,
        "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b'  ",
    ),
    Case("XLEN", None, "-ERR wrong number of arguments for 'xlen' command "),
    Case("CLIENT NOSUCH", None, "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP. "),
]
"""The connection itself."""

FAMILIES: dict[str, list[Case]] = {
    "Tasks": TASKS,
    "Tasks in flight": PENDINGS,
    "Looking": INSPECTION,
    "Groups, workers, settings": GROUP_COMMANDS,
    "Keys": KEYS,
    "EZRA's own": OWN,
    "The connection": CONNECTION,
}
"""The whole table, under the titles that it has in the docs."""
