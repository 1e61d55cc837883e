"""Where the halves of the core meet: every command about queues is one operation, or one look."""

from __future__ import annotations

import pytest

from ezra.sansio.commands import TABLE, ConnectionCommand, Exec, ServerCommand, parse
from ezra.sansio.errors import Text
from ezra.sansio.model import (
    FOREVER,
    MAX_ID,
    MILLISECOND,
    SECOND,
    Address,
    Dedup,
    NackMode,
    NewTask,
)
from ezra.sansio.queue import looks
from ezra.sansio.queue.looks import Look
from ezra.sansio.queue.operations import (
    Ack,
    AddWorker,
    Claim,
    ConfigureQueue,
    CreateQueue,
    DeleteQueues,
    Erase,
    Extend,
    Nack,
    Operation,
    Push,
    RemoveGroup,
    RemoveWorker,
    TakeIdle,
    TakeOver,
    Trim,
)
from ezra.sansio.translation import as_claim, as_look, as_operation
from tests.property.wire import split

NOW = 1_700_000_000_000_000
Q, R, DEAD = Address("q"), Address("r"), Address("q", dead=True)
ID = 5 << 20
TASK = NewTask(payload=b"x")
KEYED = NewTask(payload=b"x", dedup=Dedup(b"p", b"i", limited=True))

OPERATIONS: list[tuple[str, Operation]] = [
    ("XADD q * payload x", Push("q", TASK)),
    ("XADD q NOMKSTREAM * payload x", Push("q", TASK, create=False)),
    ("XADD q IDMP p i * payload x", Push("q", KEYED)),
    ("XADD q 0-1 '' ''", CreateQueue("q")),
    ("XREADGROUP GROUP g ann STREAMS q >", Claim((Q,), "ann", group="g")),
    (
        "XREADGROUP GROUP g ann COUNT 7 BLOCK 3 NOACK STREAMS q q::dead > >",
        Claim((Q, DEAD), "ann", 7, NOW + 3 * MILLISECOND, done_at_once=True, group="g"),
    ),
    (
        "XREADGROUP GROUP g ann BLOCK 0 STREAMS q >",
        Claim((Q,), "ann", deadline=FOREVER, group="g"),
    ),
    (
        "XREADGROUP GROUP g ann STREAMS q 0",
        Claim((), "ann", 10_000, group="g", rereads=((Q, 0),)),
    ),
    (
        "XREADGROUP GROUP g ann COUNT 3 STREAMS q r 5-0 >",
        Claim((R,), "ann", 3, group="g", rereads=((Q, ID),)),
    ),
    (
        "XREADGROUP GROUP g ann CLAIM 9 STREAMS q >",
        Claim((Q,), "ann", group="g", min_idle=9 * MILLISECOND),
    ),
    ("XACK q g 5-0 6-0", Ack("q", (ID, 6 << 20))),
    ("XACK q::dead g 5-0", Ack("q", (ID,))),
    ("XDEL q 5-0", Nack("q", (ID,), counts_done=True)),
    ("XNACK q g 5-0", Nack("q", (ID,), strict=True)),
    (
        "XNACK q g FATAL IDS 1 5-0 RETRYCOUNT 2 DELAY 0.5 REASON broken ATTEMPT 1",
        Nack("q", (ID,), NackMode.FATAL, 500 * MILLISECOND, "broken", attempt=1, attempts=2),
    ),
    ("XACKDEL q g IDS 1 5-0", Erase("q", (ID,), acks=True)),
    ("XDELEX q IDS 1 5-0", Erase("q", (ID,))),
    ("XTRIM q MAXLEN 9", Trim(Q, 9)),
    ("XTRIM q::dead MINID ~ 5 LIMIT 7", Trim(DEAD, below=ID, most=7)),
    ("XCLAIM q g ann 0 5-0 JUSTID", Extend("q", "ann", (ID,), "g")),
    ("XCLAIM q g ann 0 5-0 IDLE 0 JUSTID", Extend("q", "ann", (ID,), "g")),
    ("XCLAIM q g ann 0 5-0", TakeOver("q", "g", "ann", 0, (ID,))),
    ("XCLAIM q g ann 3 5-0 JUSTID", TakeOver("q", "g", "ann", 3_000, (ID,))),
    ("XCLAIM q g ann 0 5-0 JUSTID FORCE", TakeOver("q", "g", "ann", 0, (ID,), force=True)),
    (
        "XCLAIM q g ann 0 5-0 JUSTID RETRYCOUNT 0",
        TakeOver("q", "g", "ann", 0, (ID,), attempts=0),
    ),
    ("XAUTOCLAIM q g ann 3 5 COUNT 7", TakeIdle("q", "g", "ann", 3_000, ID, 7)),
    ("XAUTOCLAIM q g ann 3 5 JUSTID", TakeIdle("q", "g", "ann", 3_000, ID, renews=True)),
    ("XGROUP CREATE q g $ MKSTREAM", CreateQueue("q", "g")),
    ("XGROUP CREATE q g $", CreateQueue("q", "g", create=False)),
    ("XGROUP CREATECONSUMER q g ann", AddWorker("q", "g", "ann")),
    ("XGROUP DELCONSUMER q g ann", RemoveWorker("q", "g", "ann")),
    ("XGROUP DESTROY q g", RemoveGroup("q", "g")),
    ("EZRA.QUEUE SET q max_attempts 5", ConfigureQueue("q", (("max_attempts", 5),))),
    (
        "XCFGSET q IDMP-DURATION 7",
        ConfigureQueue("q", (("dedup_window", 7 * SECOND),), create=False),
    ),
    ("DEL q r q::dead", DeleteQueues(("q", "r"))),
    ("UNLINK q", DeleteQueues(("q",))),
]

LOOKS: list[tuple[str, Look]] = [
    ("XLEN q::dead", looks.Length(DEAD)),
    ("XRANGE q - +", looks.Range(Q, 0, MAX_ID, 10_000)),
    ("XRANGE q 5 (5-0 COUNT 7", looks.Range(Q, ID, ID - 1, 7)),
    ("XREVRANGE q::dead + 5 COUNT 7", looks.Range(DEAD, ID, MAX_ID, 7, backwards=True)),
    ("XRANGE q - + COUNT 0", looks.Exists((Q,))),
    ("XREVRANGE q + - COUNT -1", looks.Exists((Q,))),
    ("XPENDING q g", looks.Pending("q", "g")),
    ("XPENDING q g - + 9", looks.PendingTasks("q", "g", 0, MAX_ID, 9)),
    (
        "XPENDING q g IDLE 3 5-0 + 9 ann",
        looks.PendingTasks("q", "g", ID, MAX_ID, 9, "ann", 3_000),
    ),
    ("XCLAIM q g ann 0 bad", looks.Pending("q", "g")),
    ("XINFO STREAM q", looks.Info("q")),
    ("XINFO STREAM q FULL", looks.Details("q", 10)),
    ("XINFO STREAM q FULL COUNT 3", looks.Details("q", 3)),
    ("XINFO STREAM q bad", looks.Exists((Q,))),
    ("XINFO GROUPS q", looks.Groups("q")),
    ("XINFO CONSUMERS q g", looks.Workers("q", "g")),
    ("XGROUP SETID q g $", looks.FindGroup("q", "g")),
    ("EZRA.QUEUE GET q", looks.Info("q")),
    ("EZRA.QUEUE LIST", looks.Infos()),
    (
        "DEL q::dead",
        looks.Exists((DEAD,), Text.DELETE_DEAD.format(name="q::dead", queue="q")),
    ),
    ("ZCOUNT q 0 1", looks.Exists((Q,), Text.WRONG_TYPE)),
    ("EXISTS q q::dead", looks.Exists((Q, DEAD))),
    ("SCAN 7 COUNT 3", looks.Names(7, 3)),
    ("RANDOMKEY", looks.Names(count=1)),
    ("KEYS *", looks.Names()),
    ("DBSIZE", looks.Names()),
    *[
        (line, looks.Exists((Q,)))
        for line in (
            "TYPE q",
            "TTL q",
            "PTTL q",
            "EXPIRETIME q",
            "PEXPIRETIME q",
            "OBJECT ENCODING q",
            "OBJECT IDLETIME q",
            "MEMORY USAGE q",
        )
    ],
]


@pytest.mark.parametrize(("line", "operation"), OPERATIONS)
def test_a_command_becomes_its_operation(line: str, operation: Operation) -> None:
    """Every argument arrives; a BLOCK counts from now; and it is no look as well."""
    command = parse(split(line))
    assert as_operation(command, NOW) == operation
    assert as_look(command) is None


@pytest.mark.parametrize(("line", "look"), LOOKS)
def test_a_command_becomes_its_look(line: str, look: Look) -> None:
    """Every argument arrives; and it is no operation as well."""
    command = parse(split(line))
    assert as_look(command) == look
    assert as_operation(command, NOW) is None


def test_a_claim_may_be_asked_for_by_itself() -> None:
    """The blocking path needs to know that it is a claim."""
    command = parse(split("XREADGROUP GROUP g ann BLOCK 5 STREAMS q >"))
    assert as_claim(command, NOW) == as_operation(command, NOW)  # type: ignore[arg-type] # it is


def test_every_command_is_translated() -> None:
    """Each command in the table is one of the cases, unless a connection or a driver answers it."""
    covered = {
        name
        for name in TABLE
        for line, _ in [*OPERATIONS, *LOOKS]
        if line == name or line.startswith(f"{name} ")
    }
    answered_elsewhere = {
        name
        for name, command in TABLE.items()
        if issubclass(command, ConnectionCommand | ServerCommand | Exec)
    }
    assert covered | answered_elsewhere == set(TABLE)
    assert not covered & answered_elsewhere


@pytest.mark.parametrize("line", ["PING", "XINFO HELP", "EXEC"])
def test_what_is_not_about_queues_is_neither(line: str) -> None:
    """Such a command is not the engine's."""
    command = parse(split(line))
    assert as_operation(command, NOW) is None
    assert as_look(command) is None
