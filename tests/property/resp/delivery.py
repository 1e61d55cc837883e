"""Delivers bytes to a decoder, cut in every way, and collects what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hypothesis import settings
from hypothesis import strategies as st

from ezra.sansio.errors import RemoteProtocolError
from ezra.sansio.resp import NEED_DATA, Decoder, Limits, RequestDecoder
from ezra.sansio.resp.buffer import Buffer

law = settings(deadline=None, derandomize=True, max_examples=200)
"""How laws are tried: the same examples on every run, however slow the machine."""

AnyDecoder = Decoder | RequestDecoder

SMALL = Limits(
    max_bulk=8, max_announced_bulk=24, max_rest=40, max_line=24, max_words=6, max_depth=3
)
"""Limits so near that arbitrary bytes meet every one of them."""


def events(decoder: AnyDecoder) -> Iterator[object]:
    """Yield what comes out of a decoder now; NEED_DATA or an error comes last."""
    read = decoder.next_value if isinstance(decoder, Decoder) else decoder.next_request
    event: object = None
    while event is not NEED_DATA and not isinstance(event, RemoteProtocolError):
        try:
            event = read()
        except RemoteProtocolError as error:
            event = error
        yield event


def receive(decoder: AnyDecoder, data: bytes) -> list[object]:
    """Deliver one chunk; return what came out of it, an error last."""
    decoder.receive_data(data)
    return [event for event in events(decoder) if event is not NEED_DATA]


def decode(decoder: AnyDecoder, chunks: Iterable[bytes]) -> list[object]:
    """Deliver the chunks up to an error; return everything that came out."""
    found: list[object] = []
    for chunk in chunks:
        found += receive(decoder, chunk)
        if found and isinstance(found[-1], RemoteProtocolError):
            break
    return found


def texts(found: Iterable[object]) -> list[str]:
    """Return the events in a form that tells True from 1 and 1.0, and takes nan for nan."""
    return [repr(event) for event in found]


def bytewise(data: bytes) -> list[bytes]:
    """Cut between any two bytes."""
    return [data[i : i + 1] for i in range(len(data))]


def cut(data: bytes, points: Iterable[int]) -> list[bytes]:
    """Cut at these points, counted round from the start."""
    ends = sorted({point % (len(data) + 1) for point in points} | {len(data)})
    return [data[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def every_way(data: bytes) -> Sequence[list[bytes]]:
    """Return one delivery whole, one byte by byte, and one for each place to cut it in two."""
    return [[data], bytewise(data), *([data[:i], data[i:]] for i in range(1, len(data)))]


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Cut into pieces of that size."""
    return (data[i : i + size] for i in range(0, len(data), size))


class Ledger(Buffer):
    """A buffer that counts the bytes that it joins."""

    __slots__ = ("joined",)

    def __init__(self) -> None:
        super().__init__()
        self.joined = 0

    def _join(self) -> None:
        super()._join()
        self.joined += len(self.data)


cuts = st.lists(st.integers(min_value=0, max_value=10_000), max_size=12)
"""Places at which to cut."""
