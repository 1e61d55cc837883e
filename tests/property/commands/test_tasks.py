"""Laws of `ezra.sansio.commands.tasks`: how XADD and XACK are read."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ezra.sansio.commands import XAck, XAdd, parse
from ezra.sansio.model import NO_ID, Address, Dedup, NewTask
from tests.property.commands.books import FIVE, NINE
from tests.property.wire import split

PUSH = NewTask(b"x")
WORDS = st.text("ab", max_size=2).map(str.encode)
TRIMS = [
    "MAXLEN 5",
    "maxlen = 5",
    "MAXLEN ~ 5",
    "MaxLen ~ 5 LIMIT 0",
    "LIMIT 9 MAXLEN ~ 0",
    "MINID 5",
    "minid = 5-1",
    "MINID ~ 5-1 limit 10",
]


@given(
    st.permutations(["NOMKSTREAM", "KEEPREF", "", "nomkstream", "DelRef", "acked"]),
    st.sampled_from(["", *TRIMS]),
    st.sampled_from(["XADD", "xadd", "XaDd"]),
)
def test_options_stand_in_any_order(options: list[str], trim: str, name: str) -> None:
    """XADD's options before the id come in any order and case; trimming is taken and not done."""
    before, after = " ".join(options[:3]), " ".join(options[3:])
    command = parse(split(f"{name} q {before} {trim} {after} * payload x"))
    assert command == XAdd(Address("q"), PUSH, create=False)


def test_the_queue_is_created_unless_told_otherwise() -> None:
    """Without NOMKSTREAM a push creates its queue."""
    assert parse(split("XADD q * payload x")) == XAdd(Address("q"), PUSH)
    assert XAdd(Address("q"), PUSH).create


def test_ids_may_be_chosen() -> None:
    """`*` has the queue make an id; `<ms>-<seq>` and `<ms>` choose one."""
    for word, chosen in (("*", None), ("1-5", FIVE), ("0-1", 1), ("1", 1 << 20)):
        command = parse(split(f"XADD q {word} payload x"))
        assert command == XAdd(Address("q"), NewTask(b"x", id=chosen))


def test_an_option_after_the_id_is_a_field() -> None:
    """What stands behind the id is data, whatever it looks like."""
    command = parse(split("XADD q * MAXLEN 5 payload x"))
    assert command == XAdd(Address("q"), NewTask(b"x", ((b"MAXLEN", b"5"),)))


def test_a_queue_may_be_made_without_a_task() -> None:
    """Walrus adds `0-1` with an empty field only to delete it: that creates, and pushes nothing."""

    def creates_only(line: str) -> bool:
        command = parse(split(line))
        assert isinstance(command, XAdd)
        return command.creates_only

    assert parse(split("XADD q 0-1 '' ''")) == XAdd(Address("q"), NewTask(None, ((b"", b""),), 1))
    assert creates_only("xadd q MAXLEN 5 0-1 '' ''")
    for line in ("0-2 '' ''", "* '' ''", "0-1 '' x", "0-1 a ''", "0-1 payload ''"):
        assert not creates_only(f"XADD q {line}")
    assert not creates_only("XADD q NOMKSTREAM 0-1 '' ''")
    assert not creates_only("XADD q 0-1 '' '' '' ''")
    assert not creates_only("XADD q 0-1 '' '' ezra.ttl 5")


def _dedup(line: str) -> Dedup | None:
    command = parse(split(line))
    assert isinstance(command, XAdd)
    return command.task.dedup


@pytest.mark.parametrize(
    "options", ["IDMP p i", "NOMKSTREAM idmp p i", "IDMP p i MAXLEN ~ 5 ACKED"]
)
def test_a_producers_own_word_for_a_push(options: str) -> None:
    """IDMP stands anywhere before the id; any word may name the push."""
    assert _dedup(f"XADD q {options} * payload x") == Dedup(b"p", b"i", limited=True)
    assert _dedup("XADD q IDMP IDMP * * payload x") == Dedup(b"IDMP", b"*", limited=True)
    assert _dedup("XADD q * payload x") is None


ENTRIES = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=3)


@example([(b"ab", b"")], [(b"a", b"b")])
@example([(b"a", b"b"), (b"b", b"a")], [(b"b", b"a"), (b"a", b"b")])
@given(ENTRIES, ENTRIES)
def test_the_same_content_is_the_same_push(
    one: list[tuple[bytes, bytes]], other: list[tuple[bytes, bytes]]
) -> None:
    """IDMPAUTO goes by the fields in their order, and by where each of them ends."""

    def key(producer: bytes, entry: list[tuple[bytes, bytes]]) -> bytes:
        fields = chain.from_iterable(entry)
        command = parse([b"XADD", b"q", b"IDMPAUTO", producer, b"*", *fields])
        assert isinstance(command, XAdd)
        dedup = command.task.dedup
        assert dedup is not None
        assert dedup == Dedup(producer, dedup.key, limited=True)
        return dedup.key

    assert key(b"p", one) == key(b"r", one)
    assert (key(b"p", one) == key(b"p", other)) == (one == other)


def test_acks() -> None:
    """XACK takes any number of ids; one that no task can have is kept as such."""
    ids = (FIVE, NINE, NO_ID, FIVE)
    command = parse(split("xack q::dead g 1-5 2-9 99999999999999-0 1-5"))
    assert command == XAck(Address("q", dead=True), "g", ids)
