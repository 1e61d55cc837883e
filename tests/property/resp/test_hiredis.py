"""An independent judge: `hiredis`, the C parser of the Redis project, reads what we read.

Where it differs, it is left out of the comparison, and this is why:

- It does not know bulk errors (`!`) and the streamed forms; ours does.
- It gives an attribute as a value of its own before the one that it belongs to, also within an
  array, whose length is then wrong; ours keeps the two together.
- It has no type for sets, verbatim and simple strings, and big numbers; its nulls are
  all alike. `lowered` says what becomes what.
- Its maps are dicts: they want keys that can be hashed, and a key that comes twice mixes up the
  values.
- It does not verify the CRLF after a bulk string, takes `.5` and no `+5` or `007`, and refuses a
  double that is too large for a double. Where only one of the two refuses, they still agree on
  everything before that.
"""

from __future__ import annotations

from typing import Any

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.errors import RemoteProtocolError
from ezra.sansio.resp import (
    BigNumber,
    Decoder,
    Map,
    NullArray,
    Push,
    Set,
    SimpleError,
    SimpleString,
    Value,
    VerbatimString,
    encode,
    to_bytes,
)
from tests.property.resp.cases import FRAGMENTS, common_values, items_of
from tests.property.resp.delivery import bytewise, cut, cuts, decode, law, texts

NOTHING = object()
COMMON = [piece for piece in FRAGMENTS if not {*b"?!|;"} & {*piece} and piece != b".\r\n"]
DIGITS = [b"0", b"1", b"9", b"+", b"-", b"_", b" ", b".", b"e", b"inf", b"nan", b"x"]

fuzz = st.one_of(
    st.lists(st.sampled_from(COMMON), max_size=14),
    st.lists(st.sampled_from(DIGITS), max_size=4).flatmap(
        lambda body: st.sampled_from([b":", b",", b"(", b"$", b"*", b"%"]).map(
            lambda marker: [marker, *body, b"\r\n"]
        )
    ),
).map(b"".join)


def by_hiredis(chunks: list[bytes]) -> list[object]:
    """Return everything that hiredis makes of the chunks, its error last."""
    reader = hiredis.Reader(notEnoughData=NOTHING)
    found: list[object] = []
    try:
        for chunk in chunks:
            reader.feed(chunk)
            while (value := reader.gets()) is not NOTHING:
                found.append(raised(value))
    except (hiredis.ProtocolError, TypeError) as error:
        found.append(error)
    return found


def raised(value: Any) -> object:
    """Return hiredis' value with its error replies as pairs, which can be compared."""
    match value:
        case hiredis.ReplyError():
            return ("error", str(value))
        case list():
            return [raised(item) for item in value]
        case dict():
            return {raised(key): raised(item) for key, item in value.items()}
        case _:
            return value


def lowered(value: Value) -> object:
    """Return our value in hiredis' fewer types."""
    match value:
        case SimpleString() | VerbatimString() | BigNumber():
            return to_bytes(str(value.number if isinstance(value, BigNumber) else value.text))
        case SimpleError(text):
            return ("error", to_bytes(text).decode("utf-8", "replace"))
        case tuple() | Set() | Push():
            return [lowered(item) for item in items_of(value)]
        case Map(pairs):
            return {lowered(key): lowered(item) for key, item in pairs}
        case NullArray():
            return None
        case _:
            return value


def by_ours(chunks: list[bytes]) -> list[Any]:
    """Return everything that our decoder makes of the chunks, its error last."""
    return decode(Decoder(), chunks)


@pytest.mark.unmeasured
@law
@given(st.lists(common_values, max_size=4), cuts)
def test_the_two_read_the_same_values_cut_anywhere(sent: list[Value], points: list[int]) -> None:
    wire = b"".join(encode(value, 3) for value in sent)
    for chunks in ([wire], cut(wire, points), bytewise(wire)):
        ours = [lowered(value) for value in by_ours(chunks)]
        assert texts(by_hiredis(chunks)) == texts(ours)
        assert len(ours) == len(sent)


@pytest.mark.unmeasured
@law
@given(fuzz)
def test_on_any_bytes_they_agree_up_to_the_first_error(data: bytes) -> None:
    ours, theirs = by_ours([data]), by_hiredis([data])
    refused = [isinstance(ours[-1], Exception) if ours else False]
    refused.append(isinstance(theirs[-1], Exception) if theirs else False)
    if refused[0]:
        ours.pop()
    if refused[1]:
        theirs.pop()
    shorter = min(len(ours), len(theirs))
    assert texts(lowered(value) for value in ours[:shorter]) == texts(theirs[:shorter])
    if len(ours) != len(theirs):
        assert refused[0 if len(ours) < len(theirs) else 1]


@pytest.mark.parametrize("wire", [b":1_0\r\n", b": +7 \r\n", b"$ 1\r\n", b"*1_0\r\n", b",1_0\r\n"])
def test_they_refuse_the_same_numbers(wire: bytes) -> None:
    (ours,), (theirs,) = by_ours([wire]), by_hiredis([wire])
    assert isinstance(ours, RemoteProtocolError)
    assert isinstance(theirs, hiredis.ProtocolError)
