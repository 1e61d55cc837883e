"""What an answer weighs is what it takes in memory while its reply is put together."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ezra.sansio.commands import (
    Command,
    Keys,
    QueueList,
    XClaim,
    XInfoConsumers,
    XInfoGroups,
    XInfoStream,
    XPending,
    XRange,
    XReadGroup,
)
from ezra.sansio.commands.pending import PendingRange
from ezra.sansio.errors import CommandError
from ezra.sansio.model import (
    MAX_ID,
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
    WorkerInfo,
)
from ezra.sansio.queue.allowance import HELD, NUMBER, Room, weight
from ezra.sansio.resp.encoder import encode

ROWS = 1_000
Q = Address("q")
FIRST = MAX_ID >> 1
"""An id, a moment, or any other large number, of which no two rows share one."""


def name(number: int, size: int) -> str:
    """Return a name of so many bytes that no other row has."""
    return f"{number:x>{size}}"


def books(number: int, size: int) -> QueueInfo:
    """Return a queue's books."""
    large, small = FIRST + number, 1_000 + number
    settings = QueueSettings(*[large + more for more in range(5)])
    counts = [small + more for more in range(9)]
    stamps = [large + more for more in range(3)]
    return QueueInfo(large, name(number, size), settings, *counts, *stamps, None, None)  # type: ignore[arg-type, call-arg]  # in this order


def headers(number: int, count: int) -> tuple[tuple[bytes, bytes], ...]:
    """Return so many headers."""
    return tuple([(b"%d-%d" % (number, each), b"%d" % each) for each in range(count)])


def held(number: int, size: int) -> Held:
    """Return a task in flight."""
    return Held(FIRST + number, name(number, size), FIRST - number, FIRST - 1 - number, 1_000)


def worker(number: int, size: int) -> WorkerInfo:
    """Return a worker."""
    return WorkerInfo(name(number, size), 1_000 + number, FIRST + number, FIRST - number)


def details(groups: int, workers: int, tasks: int) -> QueueDetails:
    """Return a queue in full; each worker holds as many of its tasks as any other."""
    return QueueDetails(
        books(0, 1),
        (),
        tuple(
            [
                GroupDetails(name(group, 4), tuple([worker(each, 8) for each in range(workers)]))
                for group in range(groups)
            ]
        ),
        tuple([Held(FIRST + each, name(each % 5, 8), each, FIRST, 1_000) for each in range(tasks)]),
    )


Make = Callable[[int], object]
"""Makes an answer with names or payloads of so many bytes."""

ANSWERS: dict[str, tuple[Command[Any], Make]] = {
    "XPENDING, listed": (
        XPending(Q, "g", PendingRange(0, 1, 1)),
        lambda size: tuple([held(each, size) for each in range(ROWS)]),
    ),
    "XPENDING, counted": (
        XPending(Q, "g"),
        lambda size: PendingSummary(
            ROWS, 1, 2, tuple([(name(each, size), 1_000 + each) for each in range(ROWS)])
        ),
    ),
    "XINFO CONSUMERS": (
        XInfoConsumers(Q, "g"),
        lambda size: (FIRST, tuple([worker(each, size) for each in range(ROWS)])),
    ),
    "XINFO GROUPS": (
        XInfoGroups(Q),
        lambda size: (
            books(0, 1),
            tuple([GroupInfo(name(each, size), 1_000 + each) for each in range(ROWS)]),
        ),
    ),
    "XINFO STREAM FULL, groups": (XInfoStream(Q, 1), lambda _: details(ROWS, 0, 0)),
    "XINFO STREAM FULL, workers": (XInfoStream(Q, 1), lambda _: details(1, ROWS, 0)),
    "XINFO STREAM FULL, tasks": (XInfoStream(Q, 1), lambda _: details(3, 5, ROWS)),
    "KEYS": (
        Keys(b"*"),
        lambda size: tuple([QueueName(each, name(each, size), dead=False) for each in range(ROWS)]),
    ),
    "KEYS, with the dead": (
        Keys(b"*"),
        lambda size: tuple([QueueName(each, name(each, size), dead=True) for each in range(ROWS)]),
    ),
    "EZRA.QUEUE LIST": (
        QueueList(),
        lambda size: tuple([books(each, size) for each in range(ROWS)]),
    ),
    "XCLAIM JUSTID": (
        XClaim(Q, "g", "w", just_ids=True),
        lambda _: tuple([FIRST + each for each in range(ROWS)]),
    ),
    "XRANGE": (
        XRange(Q, 0, 1),
        lambda size: tuple([Entry(FIRST + each, bytes(size), ()) for each in range(ROWS)]),
    ),
    "XRANGE, headers": (
        XRange(Q, 0, 1),
        lambda _: tuple([Entry(FIRST + each, b"", headers(each, 20)) for each in range(ROWS)]),
    ),
    "XREADGROUP": (
        XReadGroup("g", "w", ((Q, None),)),
        lambda size: (
            Delivery(
                Q,
                tuple([Claimed(FIRST + each, bytes(size), (), 1, 3, 1) for each in range(ROWS)]),
            ),
        ),
    ),
    "XREADGROUP, headers": (
        XReadGroup("g", "w", ((Q, None),)),
        lambda _: (
            Delivery(
                Q,
                tuple(
                    [Claimed(FIRST + each, b"", headers(each, 20), 1, 3, 1) for each in range(ROWS)]
                ),
            ),
        ),
    ),
}


@pytest.mark.memory
@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("size", [4, 64])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_a_weight_is_what_was_measured(
    answer: tuple[Command[Any], Make], size: int, protocol: int
) -> None:
    """Not much more, or clients would be refused for nothing; a little less for larger payloads."""
    command, make = answer
    gc.collect()
    tracemalloc.start()
    try:
        result = make(size)
        encode(command.reply(result, protocol), protocol)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.9 < weight(result) / peak < 2, f"{weight(result) / ROWS} for {peak / ROWS} a row"


def test_a_room_admits_row_by_row() -> None:
    """What follows the row for which there is no room is not even made."""
    made = []

    def rows() -> Iterator[Held]:
        for number in range(100):
            made.append(number)
            yield Held(number, "", 0, 0, 0)

    assert len(Room(100 * HELD).admit(rows())) == 100
    made.clear()
    with pytest.raises(CommandError, match=r"^OOM "):
        Room(10 * HELD - 1).admit(rows(), 2)
    assert made == [0, 1, 2, 3, 4]


def test_what_weighs_nothing() -> None:
    """A number by itself, as most answers are; what only says yes or no; an error."""
    for answer in (None, 5, True, (True, False), (), CommandError("ERR")):
        assert weight(answer) == 0
    assert weight((5, 6)) == 2 * NUMBER
