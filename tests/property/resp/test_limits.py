"""Laws of the limits: what one peer can make a decoder hold is bounded, whatever it sends."""

from __future__ import annotations

import tracemalloc
from collections import deque
from dataclasses import FrozenInstanceError
from itertools import chain, repeat

import pytest

from ezra.sansio.errors import RemoteProtocolError
from ezra.sansio.resp import Decoder, Limits, RequestDecoder
from ezra.sansio.resp.limits import MAX_ANNOUNCED_BULK, MAX_BULK
from tests.property.resp.delivery import AnyDecoder, events, receive

TIGHT = Limits(
    max_bulk=8 * 1024,
    max_announced_bulk=512 * 1024 * 1024,
    max_rest=8 * 1024,
    max_line=2 * 1024,
    max_words=250,
    max_depth=100,
)
SENT = 128 * 1024
CHUNK = 4 * 1024
BOUND = 64 * 1024

ENDLESS = {
    "a line without an end": (b"", b"x" * 1000),
    "a bulk string of half a gigabyte": (b"*1\r\n$536870912\r\n", b"x" * 1000),
    "the longest bulk strings": (b"*250\r\n", b"$8192\r\n" + b"x" * 8192 + b"\r\n"),
    "empty words": (b"*250\r\n", b"$0\r\n\r\n"),
    "small words": (b"*250\r\n", b"$2\r\nab\r\n"),
    "nesting": (b"", b"*1\r\n"),
    "a streamed array": (b"*?\r\n", b"_\r\n"),
    "a streamed string": (b"$?\r\n", b";5\r\nabcde\r\n"),
    "wide arrays in wide arrays": (b"", b"*250\r\n" + b"%0\r\n" * 99),
    "attributes": (b"", b"|1\r\n+k\r\n+v\r\n"),
    "a multibulk count": (b"*", b"1" * 100),
    "a quoted word": (b'"', b"x" * 1000),
}


def run(decoder: AnyDecoder, head: bytes, piece: bytes) -> None:
    """Send the head and then the piece over and over, up to an error or 128 KiB."""
    chunk = piece * max(1, CHUNK // len(piece))
    for data in chain([head], repeat(chunk, SENT // len(chunk))):
        decoder.receive_data(data)
        if isinstance(deque(events(decoder), maxlen=1).pop(), RemoteProtocolError):
            break


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.parametrize("make", [Decoder, RequestDecoder])
def test_memory_is_bounded_whatever_comes(
    name: str, make: type[Decoder] | type[RequestDecoder]
) -> None:
    decoder = make(TIGHT)
    tracemalloc.start()
    try:
        run(decoder, *ENDLESS[name])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < BOUND


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "announced", [b"*1000000\r\n", b"*2\r\n$16000000\r\n", b"%1000000\r\n", b"$16000000\r\n"]
)
@pytest.mark.parametrize("make", [Decoder, RequestDecoder])
def test_nothing_is_allocated_from_an_announced_length(
    announced: bytes, make: type[Decoder] | type[RequestDecoder]
) -> None:
    decoder = make()
    tracemalloc.start()
    try:
        receive(decoder, announced)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000


def test_limits_are_values() -> None:
    assert Limits().max_bulk == MAX_BULK < MAX_ANNOUNCED_BULK == Limits().max_announced_bulk
    assert Limits(max_bulk=5, max_rest=7).max_request == 12
    with pytest.raises(FrozenInstanceError):
        Limits().max_bulk = 1  # type: ignore[misc] # that it is an error is what is tested
