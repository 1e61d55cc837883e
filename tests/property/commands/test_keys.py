"""Laws of `ezra.sansio.commands.keys`: how keys are named, listed and scanned."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands import DbSize, Del, Exists, Keys, RandomKey, Scan, Unlink, parse
from ezra.sansio.model import FOREVER, Address, QueueName
from tests.property.wire import split

Q, DEAD = Address("q"), Address("q", dead=True)


def test_deleting_a_queue_deletes_its_dead() -> None:
    """A dead-letter queue beside its own queue says nothing new; alone it is a question."""
    assert parse(split("del q r")) == Del(("q", "r"))
    assert parse(split("DEL q::dead q")) == Del(("q",))
    assert parse(split("UNLINK q q q::dead q::dead")) == Unlink(("q", "q"))
    assert parse(split("DEL q::dead r::dead")) == Del((), (DEAD, Address("r", dead=True)))


def test_plain_ones() -> None:
    """Any number of keys, one pattern, or nothing."""
    assert parse(split("exists q q::dead q")) == Exists((Q, DEAD, Q))
    assert parse(split("keys a*")) == Keys(b"a*")
    assert parse([b"dbsize"]) == DbSize()
    assert parse([b"randomkey"]) == RandomKey()


@given(st.permutations(["MATCH a*", "count 7", "TYPE String"]), st.integers(0, FOREVER))
def test_scan_options_stand_in_any_order(options: list[str], cursor: int) -> None:
    """The cursor first, then options; of one given twice the last holds."""
    command = parse(split(f"scan {cursor} COUNT 3 " + " ".join(options)))
    assert command == Scan(cursor, b"a*", 7, b"string")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0", Scan()),
        ("00", Scan()),
        (str(2**64 - 1), Scan(FOREVER)),
        (f"0 COUNT {2**63 - 1}", Scan(count=10_000)),
    ],
)
def test_scan_bounds(line: str, expected: Scan) -> None:
    """Ten queues by default, ten thousand at most; every cursor of 64 bits is one."""
    assert parse(split(f"SCAN {line}")) == expected


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 12))
def test_a_scan_sees_every_key_once(dead: list[bool], count: int) -> None:
    """Whatever the COUNT; and whoever scans by the cursors comes to an end."""
    queues = [QueueName(3 * n + 1, f"q{n}", has) for n, has in enumerate(dead)]
    seen: list[bytes] = []
    cursor, ended = 0, False
    while not ended:
        command = Scan(cursor, count=count)
        page = tuple(queue for queue in queues if queue.number > command.after)[: command.count]
        value = command.reply(page, 2)
        assert isinstance(value, tuple)
        word, names = value
        assert isinstance(word, bytes)
        assert isinstance(names, tuple)
        seen += [name for name in names if isinstance(name, bytes)]
        cursor, ended = int(word), word == b"0"
    expected = [[f"q{n}"] + [f"q{n}::dead"] * has for n, has in enumerate(dead)]
    assert seen == [name.encode() for names in expected for name in names]
    assert DbSize().reply(tuple(queues), 2) == len(seen)
