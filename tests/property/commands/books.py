"""Queues and tasks as an engine would report them, for the tests of replies."""

from __future__ import annotations

from ezra.sansio.model import (
    SECOND,
    SEQUENCE_BITS,
    Address,
    Claimed,
    Delivery,
    Entry,
    QueueInfo,
    QueueSettings,
)

NOW = 1_700_000_000 * SECOND
FIVE = 1 << SEQUENCE_BITS | 5
"""The task `1-5`."""
NINE = 2 << SEQUENCE_BITS | 9
"""The task `2-9`."""

TASK = Claimed(FIVE, b"body", ((b"b", b"1"), (b"a", b"2")), 2, 3)
FOREIGN = Claimed(NINE, None, ((b"__data__", b"\x00\xff"), (b"ttl", b"x")), 1, 3)
DELIVERY = (Delivery(Address("q"), (TASK,)), Delivery(Address("r"), (FOREIGN,)))

EMPTY = QueueInfo("q", QueueSettings(), 0, 0, 0, 0, 0, 0, 0, 0, 0, None, None, None)
BUSY = QueueInfo(
    name="q",
    settings=QueueSettings(visibility_timeout=1_500_000, max_attempts=5, retry_delay=0),
    ready=3,
    scheduled=4,
    in_flight=2,
    done=6,
    dead=1,
    pushed=17,
    expired=1,
    groups=2,
    last_id=NINE,
    oldest_waiting=NOW - 2_500_999,
    first=Entry(FIVE, b"body", ((b"h", b"v"),)),
    last=Entry(NINE, None, ((b"f", b"w"),)),
)
