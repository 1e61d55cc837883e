"""Laws of reading values: round trip, chunking, garbage, depth, and the strictness of numbers.

What is in `scalars` and in `aggregates` has its laws here and in `test_encoder.py`, too.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.errors import RemoteProtocolError, Text
from ezra.sansio.resp import (
    NEED_DATA,
    NULL_ARRAY,
    Attribute,
    BigNumber,
    Decoder,
    Limits,
    Map,
    NeedData,
    Push,
    Set,
    SimpleString,
    Value,
    VerbatimString,
    encode,
)
from ezra.sansio.resp.limits import DEFAULT_LIMITS
from tests.property.resp.cases import (
    CASES,
    Case,
    garbage,
    in_resp2,
    in_resp3,
    resp2_values,
    values,
)
from tests.property.resp.delivery import SMALL, bytewise, cut, cuts, decode, every_way, law, texts


def refusal(data: bytes, limits: Limits = DEFAULT_LIMITS) -> str:
    """Return the text of the error that these bytes are answered with, however they are cut."""
    (text,) = {repr(decode(Decoder(limits), chunks)) for chunks in every_way(data)}
    (error,) = decode(Decoder(limits), [data])
    assert isinstance(error, RemoteProtocolError)
    assert repr([error]) == text
    return str(error)


def value_of(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Value:
    """Return the one value that these bytes are."""
    decoder = Decoder(limits)
    decoder.receive_data(data)
    value = decoder.next_value()
    assert not isinstance(value, NeedData)
    assert decoder.next_value() is NEED_DATA
    return value


# Round trip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_value_is_read_as_the_table_says_however_it_is_delivered(case: Case) -> None:
    after = b"+after\r\n"
    for wire, value in ((case.resp3, in_resp3(case.value)), (case.resp2, in_resp2(case.value))):
        for chunks in every_way(wire):
            assert texts(decode(Decoder(), chunks)) == texts([value])
        for chunks in every_way(wire + after):
            assert texts(decode(Decoder(), chunks)) == texts([value, SimpleString("after")])


@pytest.mark.unmeasured
@law
@given(values)
def test_what_is_written_is_read_again(value: Value) -> None:
    assert repr(value_of(encode(value, 3))) == repr(value)
    assert repr(value_of(encode(value, 2))) == repr(in_resp2(value))


@pytest.mark.unmeasured
@law
@given(resp2_values)
def test_what_resp2_has_goes_through_resp2_unchanged(value: Value) -> None:
    assert value_of(encode(value, 2)) == value


# Chunking


@pytest.mark.unmeasured
@law
@given(st.lists(values, max_size=4), cuts)
def test_cuts_change_nothing(sent: list[Value], points: list[int]) -> None:
    wire = b"".join(encode(value, 3) for value in sent)
    expected = texts(sent)
    assert texts(decode(Decoder(), cut(wire, points))) == expected
    assert texts(decode(Decoder(), bytewise(wire))) == expected


@pytest.mark.unmeasured
@law
@given(garbage, cuts, st.sampled_from([SMALL, Limits()]))
def test_any_bytes_give_the_same_however_cut_and_never_crash(
    data: bytes, points: list[int], limits: Limits
) -> None:
    whole = texts(decode(Decoder(limits), [data]))
    assert texts(decode(Decoder(limits), cut(data, points))) == whole
    assert texts(decode(Decoder(limits), bytewise(data))) == whole


@law
@given(garbage)
def test_after_an_error_there_is_only_that_error(data: bytes) -> None:
    decoder = Decoder(SMALL)
    events = decode(decoder, [data, b"\r\nwrong"])
    if events and isinstance(events[-1], RemoteProtocolError):
        for more in (b"", b"+OK\r\n"):
            assert texts(decode(decoder, [more])) == texts(events[-1:])


# Streamed forms


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        (b"$?\r\n;4\r\nabcd\r\n;2\r\nef\r\n;0\r\n", b"abcdef"),
        (b"$?\r\n;0\r\n", b""),
        (b"*?\r\n:1\r\n*?\r\n.\r\n.\r\n", (1, ())),
        (b"~?\r\n:1\r\n.\r\n", Set((1,))),
        (b"%?\r\n:1\r\n$?\r\n;1\r\na\r\n;0\r\n.\r\n", Map(((1, b"a"),))),
        (b"*1\r\n*?\r\n|0\r\n:1\r\n.\r\n", ((Attribute((), 1),),)),
    ],
)
def test_streamed_forms_are_read_as_what_they_amount_to(wire: bytes, value: Value) -> None:
    for chunks in every_way(wire):
        assert decode(Decoder(), chunks) == [value]


@pytest.mark.parametrize(
    ("wire", "byte"),
    [
        (b".\r\n", "."),
        (b"*1\r\n.\r\n", "."),
        (b"*?\r\n.x\r\n", "."),
        (b"%?\r\n:1\r\n.\r\n", "."),
        (b"*?\r\n|1\r\n:1\r\n.\r\n", "."),
        (b";1\r\n", ";"),
        (b"*?\r\n;0\r\n", ";"),
        (b"$?\r\n+a\r\n", "+"),
        (b"$?\r\n$1\r\n", "$"),
        (b"$?\r\n.\r\n", "."),
    ],
)
def test_streamed_forms_have_their_order(wire: bytes, byte: str) -> None:
    assert refusal(wire) == Text.OUT_OF_PLACE.format(byte=byte)


# What is refused


@pytest.mark.parametrize("body", ["1_0", " 7", "7 ", "", "+", "--1", "1.0", "٣", "0x1", "1e3"])
@pytest.mark.parametrize("marker", [":", "("])
def test_whole_numbers_are_ascii_digits(marker: str, body: str) -> None:
    assert refusal(f"{marker}{body}\r\n".encode()) == Text.INVALID_VALUE.format(byte=marker)


@pytest.mark.parametrize(
    "body",
    ["1_0.0", " 1", "", ".5", "1.", "1e", "e5", "infinity", "INF", "NaN", "0x1p3", "١", "1 "],
)
def test_doubles_are_ascii_digits(body: str) -> None:
    assert refusal(f",{body}\r\n".encode()) == Text.INVALID_VALUE.format(byte=",")


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        (b":+7\r\n", 7),
        (b":-0\r\n", 0),
        (b":007\r\n", 7),
        (b"(+7\r\n", BigNumber(7)),
        (b",+1\r\n", 1.0),
        (b",10E-1\r\n", 1.0),
        (b",1e999\r\n", math.inf),
        (b",-inf\r\n", -math.inf),
        (b"$-1\r\n", None),
        (b"*-1\r\n", NULL_ARRAY),
        (b"=4\r\n::::\r\n", VerbatimString("", ":::")),
        (b"*1\r\n>0\r\n", (Push(()),)),
    ],
)
def test_every_form_that_the_protocol_allows_is_read(wire: bytes, value: Value) -> None:
    assert repr(value_of(wire)) == repr(value)


@pytest.mark.parametrize(
    "length", [b"1_0", b" 1", b"+1", b"01", b"-0", b"", b"-2", b"1.", b"9" * 30]
)
def test_lengths_are_canonical(length: bytes) -> None:
    for marker in b"$=!":
        assert refusal(b"%c%b\r\n" % (marker, length)) == Text.INVALID_BULK_LENGTH
    for marker in b"*%~>|":
        assert refusal(b"%c%b\r\n" % (marker, length)) == Text.INVALID_MULTIBULK_LENGTH


@pytest.mark.parametrize("marker", ["%", "~", ">", "|"])
def test_only_arrays_and_strings_have_a_null_of_their_own(marker: str) -> None:
    assert refusal(f"{marker}-1\r\n".encode()) == Text.INVALID_MULTIBULK_LENGTH


@pytest.mark.parametrize("marker", [">", "|"])
def test_pushes_and_attributes_are_not_streamed(marker: str) -> None:
    assert refusal(f"{marker}?\r\n".encode()) == Text.INVALID_MULTIBULK_LENGTH


@pytest.mark.parametrize(
    "wire",
    [
        b"#\r\n", b"#x\r\n", b"#tt\r\n", b"_x\r\n", b"+a\rb\r\n", b"-\r\r\n", b"+a\n", b"+\n",
        b":9223372036854775808\r\n", b":-9223372036854775809\r\n", b"(" + b"1" * 640 + b"\r\n",
        b"(" + b"1" * 5000 + b"\r\n", b"," + b"1" * 641 + b"\r\n",
        b"=3\r\ntxt\r\n", b"=5\r\ntx:ab\r\n", b"=4\r\nt\xff\xff:\r\n",
    ],
)  # fmt: skip
def test_a_body_that_does_not_fit_its_type_is_refused(wire: bytes) -> None:
    text = Text.INVALID_VALUE.format(byte=chr(wire[0]))
    (error,) = decode(Decoder(), [wire])
    assert str(error) == text
    assert texts(decode(Decoder(), bytewise(wire))) == texts([error])


@pytest.mark.parametrize("wire", [b"x\r\n", b"\xff\r\n", b"@1\r\n", b"\r\n", b"PING\r\n"])
def test_an_unknown_type_is_named(wire: bytes) -> None:
    byte = wire[:1].decode("utf-8", "surrogateescape")
    assert refusal(wire) == Text.UNKNOWN_TYPE.format(byte=byte)


@pytest.mark.parametrize("end", [b"xx", b"\n\r", b"\r\r", b"\rx"])
def test_the_crlf_after_a_bulk_string_is_verified(end: bytes) -> None:
    assert refusal(b"$1\r\na" + end) == Text.CRLF_EXPECTED


# Limits


def test_each_limit_is_met_at_its_number_and_not_before() -> None:
    assert value_of(b"$8\r\n" + b"x" * 8 + b"\r\n", SMALL) == b"x" * 8
    assert refusal(b"$9\r\n", SMALL) == Text.INVALID_BULK_LENGTH
    assert value_of(b"+" + b"x" * 21 + b"\r\n", SMALL) == SimpleString("x" * 21)
    assert refusal(b"+" + b"x" * 23, SMALL) == Text.LINE_TOO_LONG
    assert value_of(b"*6\r\n" + b":1\r\n" * 6, SMALL) == (1,) * 6
    assert refusal(b"*7\r\n", SMALL) == Text.INVALID_MULTIBULK_LENGTH
    assert value_of(b"*5\r\n" + b":1\r\n" * 4 + b"*1\r\n:1\r\n", SMALL) == (1, 1, 1, 1, (1,))
    assert refusal(b"*6\r\n" + b":1\r\n" * 5 + b"*1\r\n:1\r\n", SMALL) == Text.TOO_LARGE
    assert refusal(b"*?\r\n" + b":1\r\n" * 7, SMALL) == Text.TOO_LARGE
    assert value_of(b"*1\r\n" * 3 + b":1\r\n", SMALL) == (((1,),),)
    assert refusal(b"*1\r\n" * 4, SMALL) == Text.TOO_DEEP


def test_a_value_has_so_many_bytes_in_all() -> None:
    # 4 + 3 × (4 + 8 + 2) = 46 of the 48 bytes that are allowed; another line is too much.
    head = b"*4\r\n" + (b"$8\r\n" + b"x" * 8 + b"\r\n") * 3
    assert refusal(head + b":1\r\n", SMALL) == Text.TOO_LARGE
    assert refusal(head[:-14] + b"$8\r\n12345678\r\n$1\r\n", SMALL) == Text.TOO_LARGE
    wire = (b"*3\r\n" + (b"$8\r\n" + b"x" * 8 + b"\r\n") * 3) * 5
    assert decode(Decoder(SMALL), [wire]) == [(b"x" * 8,) * 3] * 5  # each value has its own


DEPTH = 100_000


@pytest.mark.parametrize("opening", [b"*1\r\n", b"%1\r\n+k\r\n", b"~?\r\n", b"|0\r\n", b">1\r\n"])
def test_deep_nesting_is_refused_and_does_not_crash(opening: bytes) -> None:
    (error,) = decode(Decoder(), [opening * DEPTH])
    assert str(error) == Text.TOO_DEEP


@pytest.mark.unmeasured
def test_nothing_recurses() -> None:
    """With the limit out of the way, depth costs memory and nothing else, there and back."""
    wire = b"*1\r\n" * DEPTH + b":1\r\n"
    value = value_of(wire, Limits(max_depth=DEPTH))
    assert encode(value, 3) == wire
    assert encode(value, 2) == wire
    while isinstance(value, tuple):
        (value,) = value
    assert value == 1
