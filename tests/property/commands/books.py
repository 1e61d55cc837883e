"""Queues and tasks as an engine would report them, for the tests of replies."""

from __future__ import annotations

from ezra.sansio.model import (
    MILLISECOND,
    SECOND,
    SEQUENCE_BITS,
    Address,
    Claimed,
    Delivery,
    Entry,
    GroupDetails,
    GroupInfo,
    Held,
    PendingSummary,
    QueueDetails,
    QueueInfo,
    QueueName,
    QueueSettings,
    Taken,
    WorkerInfo,
)

NOW = 1_700_000_000 * SECOND
FIVE = 1 << SEQUENCE_BITS | 5
"""The task `1-5`."""
NINE = 2 << SEQUENCE_BITS | 9
"""The task `2-9`."""

TASK = Claimed(FIVE, b"body", ((b"b", b"1"), (b"a", b"2")), 2, 3, claim=2)
FOREIGN = Claimed(NINE, None, ((b"__data__", b"\x00\xff"), (b"ttl", b"x")), 1, 3, claim=1)
IDLE_TASK = Claimed(FIVE, b"body", (), 2, 3, claim=2, idle=7_500)
NEW_TASK = Claimed(NINE, None, ((b"f", b"w"),), 1, 3, claim=1)
DELIVERY = (Delivery(Address("q"), (TASK,)), Delivery(Address("r"), (FOREIGN,)))

FIRST = Entry(FIVE, b"body", ((b"h", b"v"),))
LAST = Entry(NINE, None, ((b"f", b"w"),))

EMPTY = QueueInfo(
    at=NOW,
    name="q",
    settings=QueueSettings(),
    ready=0,
    scheduled=0,
    in_flight=0,
    done=0,
    dead=0,
    damaged=0,
    pushed=0,
    expired=0,
    groups=0,
    last_id=0,
    last_claimed=0,
    oldest_waiting=None,
    first=None,
    last=None,
)
BUSY = QueueInfo(
    at=NOW,
    name="q",
    settings=QueueSettings(
        visibility_timeout=1_500_000,
        max_attempts=5,
        retry_delay=0,
        dedup_window=60_000_000,
        dedup_limit=50,
    ),
    ready=3,
    scheduled=4,
    in_flight=2,
    done=6,
    dead=1,
    damaged=1,
    pushed=17,
    expired=1,
    groups=2,
    last_id=NINE,
    last_claimed=FIVE,
    oldest_waiting=NOW - 2_500_999,
    first=FIRST,
    last=LAST,
)

HELD = Held(FIVE, "ann", NOW - 1_500 * MILLISECOND, 1_500_999, 2)
NO_PENDING = PendingSummary(0, 0, 0, ())
PENDING = PendingSummary(3, FIVE, NINE, (("ann", 2), ("bob", 1)))

GROUPS = (BUSY, (GroupInfo("g", 2), GroupInfo("h", 0)))
ANN = WorkerInfo("ann", 2, NOW - 1_500_999, NOW - 3_000_000)
BOB = WorkerInfo("bob", 1, None, None)
DETAILS = QueueDetails(BUSY, (FIRST,), (GroupDetails("g", (ANN, BOB)),), (HELD,))
BARE_DETAILS = QueueDetails(EMPTY, (), (), ())

TAKEN = Taken((IDLE_TASK,), NINE)
NAMES = (QueueName(3, "q", dead=True), QueueName(4, "r", dead=False))
