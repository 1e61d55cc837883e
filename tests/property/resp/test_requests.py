"""Laws of reading requests: agreement with the general decoder, chunking, garbage, and limits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.errors import RemoteProtocolError, Text
from ezra.sansio.resp import Decoder, Limits, Oversized, RequestDecoder, SimpleError, encode
from ezra.sansio.resp.buffer import NEED_DATA
from ezra.sansio.resp.limits import DEFAULT_LIMITS
from ezra.sansio.resp.requests import _SHORT, WORD_COST
from tests.property.resp.cases import garbage
from tests.property.resp.delivery import (
    SMALL,
    Ledger,
    bytewise,
    cut,
    cuts,
    decode,
    every_way,
    law,
    pieces,
    texts,
)

LARGE = Limits(max_bulk=_SHORT, max_announced_bulk=4096, max_rest=0, max_words=6)
"""Limits that are met by requests of short words, which are read on the fast path."""

requests = st.lists(st.lists(st.binary(max_size=12), min_size=1, max_size=8), max_size=5)


def array(*request: bytes) -> bytes:
    """Return a request as clients send it."""
    return encode(request, 2)


def refusal(data: bytes, limits: Limits = DEFAULT_LIMITS) -> str:
    """Return the text of the error that these bytes are answered with, however they are cut."""
    for chunks in every_way(data):
        (error,) = decode(RequestDecoder(limits), chunks)
        assert isinstance(error, RemoteProtocolError)
        assert repr(error) == repr(*decode(RequestDecoder(limits), [data]))
    return str(error)


def sole(data: bytes, limits: Limits) -> object:
    """Return the one request that these bytes are, however they are cut."""
    for chunks in every_way(data):
        (event,) = decode(RequestDecoder(limits), chunks)
        assert texts([event]) == texts(decode(RequestDecoder(limits), [data]))
    return event


# Agreement and chunking


@pytest.mark.unmeasured
@law
@given(requests, cuts)
def test_both_decoders_agree_on_requests_cut_anywhere(
    sent: list[list[bytes]], points: list[int]
) -> None:
    wire = b"".join(array(*request) for request in sent)
    for chunks in ([wire], cut(wire, points), bytewise(wire)):
        assert decode(RequestDecoder(), chunks) == sent
        assert decode(Decoder(), chunks) == [tuple(request) for request in sent]


@pytest.mark.parametrize("size", [_SHORT - 1, _SHORT, _SHORT + 1])
def test_short_and_long_words_are_read_alike(size: int) -> None:
    request = [b"a", b"x" * size, b"", b"\r\n" * (size // 2), b"b"]
    for chunks in every_way(array(*request))[:: max(1, size // 100)]:
        assert decode(RequestDecoder(), chunks) == [request]


@pytest.mark.unmeasured
@law
@given(garbage, cuts, st.sampled_from([SMALL, LARGE, Limits()]))
def test_any_bytes_give_the_same_however_cut_and_never_crash(
    data: bytes, points: list[int], limits: Limits
) -> None:
    whole = texts(decode(RequestDecoder(limits), [data]))
    assert texts(decode(RequestDecoder(limits), cut(data, points))) == whole
    assert texts(decode(RequestDecoder(limits), bytewise(data))) == whole


@pytest.mark.unmeasured
@law
@given(st.lists(st.sampled_from([0, 1, 7, 300, 1023, 1024, 1025, 4096, 4097]), max_size=8), cuts)
def test_the_limits_are_the_same_on_the_fast_path(sizes: list[int], points: list[int]) -> None:
    wire = array(*(b"x" * size for size in sizes)) + array(b"PING")
    whole = texts(decode(RequestDecoder(LARGE), [wire]))
    assert texts(decode(RequestDecoder(LARGE), cut(wire, points))) == whole
    assert texts(decode(RequestDecoder(LARGE), pieces(wire, 97))) == whole


@law
@given(garbage)
def test_after_an_error_there_is_only_that_error(data: bytes) -> None:
    decoder = RequestDecoder(SMALL)
    events = decode(decoder, [data, b"\r\n*x\r\n"])
    if events and isinstance(events[-1], RemoteProtocolError):
        for more in (b"", b"PING\r\n"):
            assert texts(decode(decoder, [more])) == texts(events[-1:])


@pytest.mark.parametrize("nothing", [b"\r\n", b"\n", b" \t\r\n", b"*0\r\n", b"*-1\r\n", b"*-9\r\n"])
def test_what_is_no_request_is_ignored(nothing: bytes) -> None:
    for data in (nothing, nothing * 3):
        assert decode(RequestDecoder(), [data]) == []
        for chunks in every_way(data + array(b"a", b"b") + nothing + b"PING x\r\n" + data):
            assert decode(RequestDecoder(), chunks) == [[b"a", b"b"], [b"PING", b"x"]]


def test_inline_requests_end_with_or_without_a_carriage_return() -> None:
    for chunks in every_way(b'PING\nECHO "a b"\r\n\nQUIT\r\n'):
        assert decode(RequestDecoder(), chunks) == [[b"PING"], [b"ECHO", b"a b"], [b"QUIT"]]


@pytest.mark.parametrize("make", [Decoder, RequestDecoder])
@pytest.mark.parametrize("size", [100, 1000, 64 * 1024])
def test_each_byte_is_joined_at_most_twice(
    size: int, make: type[Decoder] | type[RequestDecoder]
) -> None:
    small = array(b"XADD", b"emails", b"*", b"payload", b"x" * 100, b"ttl", b"60")
    wire = small * 500 + array(b"ECHO", b"x" * 2**20) + small * 500
    decoder, buffer = make(), Ledger()
    decoder._buffer = buffer
    assert len(decode(decoder, pieces(wire, size))) == 1001
    assert buffer.joined <= 2 * len(wire)


# Redis' errors


@pytest.mark.parametrize("count", [b"x", b"", b"1_0", b" 1", b"+1", b"01", b"-0", b"1 ", b"9" * 30])
def test_invalid_multibulk_length(count: bytes) -> None:
    assert refusal(b"*%b\r\n" % count) == "ERR Protocol error: invalid multibulk length"


@pytest.mark.parametrize(
    "size", [b"x", b"", b"-1", b"1_0", b" 1", b"+1", b"01", b"1 ", b"536870913", b"9" * 30]
)
def test_invalid_bulk_length(size: bytes) -> None:
    assert refusal(b"*1\r\n$%b\r\n" % size) == "ERR Protocol error: invalid bulk length"


def test_the_other_errors_are_redis_own_to_the_byte() -> None:
    near = Limits(max_line=20)
    assert refusal(b"*1\r\n:5\r\n") == "ERR Protocol error: expected '$', got ':'"
    foreign = SimpleError(refusal(b"*1\r\n\xff\r\n"))
    assert encode(foreign, 2) == b"-ERR Protocol error: expected '$', got '\xff'\r\n"
    assert refusal(b"GET 'x\r\n") == "ERR Protocol error: unbalanced quotes in request"
    assert refusal(b"P" * 21, near) == "ERR Protocol error: too big inline request"
    assert refusal(b"*" + b"1" * 20, near) == "ERR Protocol error: too big mbulk count string"
    text = "ERR Protocol error: too big bulk count string"
    assert refusal(b"*1\r\n$" + b"1" * 20, near) == text
    assert refusal(b"*1\r\n" + b"x" * 21, near) == text


@pytest.mark.parametrize("line", [b"*1\n", b"*1\rx\n"])
def test_the_line_end_of_a_count_is_verified(line: bytes) -> None:
    assert refusal(line) == Text.INVALID_MULTIBULK_LENGTH
    assert refusal(b"*1\r\n" + line.replace(b"*", b"$")) == Text.INVALID_BULK_LENGTH


@pytest.mark.parametrize("end", [b"xx", b"\n\r", b"\r\r", b"\rx"])
def test_the_crlf_after_a_word_is_verified(end: bytes) -> None:
    assert refusal(b"*2\r\n$1\r\na" + end) == Text.CRLF_EXPECTED


# Numbers: ASCII digits and nothing else, wherever a length is announced

NO_NUMBERS = [
    *(b"1_0", b" +7 ", b" 7", b"7 ", b"+7", b"07", b"-0", b"--1", b"7.0", b"1e1", b"0x7", b"\t7"),
    *(b"7\x00", b"\x007", b"7L", b"", b"\xb2", "\u0663".encode(), "\uff17".encode(), b"7\r"),
]


@pytest.mark.parametrize("word", NO_NUMBERS)
def test_a_number_is_ascii_digits(word: bytes) -> None:
    assert refusal(b"*%b\r\n" % word) == Text.INVALID_MULTIBULK_LENGTH
    assert refusal(b"*1\r\n$%b\r\n" % word) == Text.INVALID_BULK_LENGTH


# Limits


def strangers_refusal(data: bytes) -> str:
    """Return the text of the error that a client without its password is answered with."""
    found = set()
    for chunks in every_way(data):
        decoder = RequestDecoder()
        decoder.stranger = True
        (error,) = decode(decoder, chunks)
        assert isinstance(error, RemoteProtocolError)
        found.add(str(error))
    (text,) = found
    return text


def test_a_stranger_may_send_little() -> None:
    assert strangers_refusal(b"*11\r\n") == "ERR Protocol error: unauthenticated multibulk length"
    assert strangers_refusal(b"*9999999\r\n") == Text.STRANGERS_MULTIBULK
    text = "ERR Protocol error: unauthenticated bulk length"
    assert strangers_refusal(b"*1\r\n$16385\r\n") == text
    assert strangers_refusal(b"*2\r\n$1\r\na\r\n$536870912\r\n") == text
    assert strangers_refusal(b"*1\r\n$536870913\r\n") == Text.INVALID_BULK_LENGTH
    decoder = RequestDecoder()
    decoder.stranger = True
    largest = [b"x" * 16_384] * 10
    assert decode(decoder, [array(*largest)]) == [largest]
    assert decode(decoder, [b"x" * 65_535 + b"\n"]) == [[b"x" * 65_535]]
    assert texts(decode(decoder, [b"x" * 65_536 + b"\n"])) == [
        repr(RemoteProtocolError(Text.BIG_INLINE_REQUEST))
    ]


def test_what_has_arrived_is_read_by_the_limits_of_the_moment() -> None:
    long = array(*[b"x" * 20_000] * 11)
    decoder = RequestDecoder()
    decoder.stranger = True
    decoder.receive_data(array(b"AUTH", b"p") + long * 2)
    assert decoder.next_request() == [b"AUTH", b"p"]
    decoder.stranger = False
    assert decoder.next_request() == [b"x" * 20_000] * 11
    decoder.stranger = True
    with pytest.raises(RemoteProtocolError, match="unauthenticated multibulk"):
        decoder.next_request()


def test_a_word_may_be_as_long_as_the_limit() -> None:
    assert sole(array(b"PUSH", b"x" * 8), SMALL) == [b"PUSH", b"x" * 8]
    assert sole(array(b"PUSH", b"x" * 9), SMALL) == Oversized(9, 8)
    assert sole(array(b"x" * 24, b"y"), SMALL) == Oversized(24, 8)
    assert sole(array(b"PUSH", b"x" * 10, b"y" * 24), SMALL) == Oversized(10, 8)
    assert refusal(b"*1\r\n$25\r\n", SMALL) == Text.INVALID_BULK_LENGTH


def test_a_request_may_be_as_long_as_the_limit() -> None:
    # A word of one byte takes 7 on the wire, one of 7 bytes 13: 48 are allowed.
    assert sole(array(*[b"a"] * 5, b"1234567"), SMALL) == [*[b"a"] * 5, b"1234567"]
    assert sole(array(*[b"a"] * 5, b"12345678"), SMALL) == Oversized(49, 48)


def test_a_request_may_have_as_many_words_as_the_limit() -> None:
    assert sole(array(*[b"a"] * 6), SMALL) == [b"a"] * 6
    assert refusal(b"*7\r\n", SMALL) == Text.INVALID_MULTIBULK_LENGTH


def test_the_connection_goes_on_after_what_was_too_large() -> None:
    large = array(b"PUSH", b"x" * 20, b"y" * 3, b"z" * 20)
    for chunks in every_way(large + array(b"PING") + large + b"ECHO a\r\n"):
        assert decode(RequestDecoder(SMALL), chunks) == [
            Oversized(20, 8),
            [b"PING"],
            Oversized(20, 8),
            [b"ECHO", b"a"],
        ]


def test_nothing_of_what_is_too_large_is_held() -> None:
    decoder = RequestDecoder(replace(LARGE, max_rest=4096))
    assert (
        decode(decoder, [b"*4\r\n$4\r\nPUSH\r\n$2000\r\n" + b"x" * 2000, b"\r\n$1\r\na\r\n"]) == []
    )
    assert (decoder._words, len(decoder._buffer)) == ([], 0)
    assert decode(decoder, [b"$1\r\nb\r\n"]) == [Oversized(2000, 1024)]


@pytest.mark.unmeasured
@given(requests, cuts)
def test_what_is_held_is_what_has_arrived(sent: list[list[bytes]], points: list[int]) -> None:
    """Of an unfinished request, each word with its cost; of what was read, nothing."""
    decoder = RequestDecoder()
    arrived = 0
    for piece in cut(b"".join(array(*words) for words in sent), points):
        decoder.receive_data(piece)
        arrived += len(piece)
        while decoder.next_request() is not NEED_DATA:
            pass
        assert 0 <= decoder.held <= arrived + WORD_COST * len(decoder._words)
    assert decoder.held == 0


def test_an_announced_length_is_not_held() -> None:
    decoder = RequestDecoder()
    decoder.receive_data(b"*3\r\n$4\r\nECHO\r\n$1000000\r\n" + bytes(2000))
    assert decoder.next_request() is NEED_DATA
    assert 2004 + WORD_COST <= decoder.held < 2100 + WORD_COST


def test_what_is_skipped_must_be_well_formed_too() -> None:
    assert refusal(b"*1\r\n$9\r\n123456789xx", SMALL) == Text.CRLF_EXPECTED
