"""Laws of `ezra.sansio.commands.erasing`: how XDELEX, XACKDEL and XTRIM are read."""

from __future__ import annotations

import pytest

from ezra.sansio.commands import XAckDel, XDelEx, XTrim, parse
from ezra.sansio.model import Address
from tests.property.commands.books import FIVE, NINE
from tests.property.wire import split

Q = Address("q")


@pytest.mark.parametrize(
    "line",
    ["IDS 2 1-5 2-9", "KEEPREF ids 2 1-5 2-9", "IDS 2 1-5 2-9 acked", "DELREF IDS 2 1-5 2-9"],
)
def test_ids_and_references_stand_in_any_order(line: str) -> None:
    """How Redis is to treat references means nothing here, and is accepted."""
    assert parse(split(f"xdelex q {line}")) == XDelEx(Q, (FIVE, NINE))
    assert parse(split(f"xackdel q g {line}")) == XAckDel(Q, "g", (FIVE, NINE))


def test_trim() -> None:
    """MAXLEN keeps so many, MINID those from an id on; the dead are trimmed by their own name."""
    assert parse(split("xtrim q MAXLEN 0 ACKED")) == XTrim(Q)
    assert parse(split("XTRIM q MAXLEN ~ 7 LIMIT 9")) == XTrim(Q, 7, None, 9)
    assert parse(split("XTRIM q::dead MINID 1-5")) == XTrim(Address("q", dead=True), 0, FIVE)
