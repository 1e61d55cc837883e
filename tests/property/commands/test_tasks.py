"""Laws of `ezra.sansio.commands.tasks`: how XADD and XACK are read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands import XAck, XAdd, parse
from ezra.sansio.model import NO_ID, Address, NewTask
from tests.property.commands.books import FIVE, NINE
from tests.property.wire import split

PUSH = NewTask(b"x")
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


def test_walrus_creates_its_queues_so() -> None:
    """An empty field name is a name."""
    command = parse(split("XADD q 0-1 '' ''"))
    assert command == XAdd(Address("q"), NewTask(None, ((b"", b""),), 1))


def test_acks() -> None:
    """XACK takes any number of ids; one that no task can have is kept as such."""
    ids = (FIVE, NINE, NO_ID, FIVE)
    command = parse(split("xack q::dead g 1-5 2-9 99999999999999-0 1-5"))
    assert command == XAck(Address("q", dead=True), "g", ids)
