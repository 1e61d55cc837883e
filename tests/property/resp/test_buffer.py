"""Laws of the buffer: it gives back what came in, and handles no byte more often than it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.errors import RemoteProtocolError, Text
from ezra.sansio.resp.buffer import Buffer
from tests.property.resp.delivery import Ledger, bytewise, law, pieces

LIMIT = 1000

arrivals = st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"abc", b"abc\r\ndef\r\n"])).map(
    b"".join
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), arrivals),
        st.tuples(st.sampled_from(["line", "peek"]), st.just(0)),
        st.tuples(st.sampled_from(["bulk", "skip", "advance"]), st.integers(0, 9)),
    ),
    max_size=40,
)


@law
@given(steps)
def test_it_behaves_like_one_string_of_bytes(history: list[tuple[str, bytes | int]]) -> None:
    buffer, model = Buffer(), b""
    for step, argument in history:
        if isinstance(argument, bytes):
            buffer.append(argument)
            model += argument
        elif step == "line":
            line, model = split(model, model.find(b"\n") + 1)
            assert buffer.take_line(LIMIT, "") == (line or None)
        elif step == "peek":
            assert buffer.peek() == (model[0] if model else None)
        elif step == "skip":
            skipped, model = split(model, argument)
            assert buffer.skip(argument) == len(skipped)
        elif step == "advance":
            ready = min(argument, len(buffer.data) - buffer.position)
            assert buffer.data[buffer.position :][:ready] == model[:ready]
            buffer.advance(buffer.position + ready)
            model = model[ready:]
        elif not take_bulk_as_model(buffer, model, argument):
            return
        else:
            model = model[argument + 2 :] if len(model) >= argument + 2 else model
        assert len(buffer) == len(model)


def split(data: bytes, at: int) -> tuple[bytes, bytes]:
    """Return the bytes before and from that place."""
    return data[:at], data[at:]


def take_bulk_as_model(buffer: Buffer, model: bytes, size: int) -> bool:
    """Take a bulk string and compare; return False after the error, where the buffer ends."""
    bulk, end = split(model[: size + 2], size)
    if len(end) == 2 and end != b"\r\n":
        with pytest.raises(RemoteProtocolError, match=Text.CRLF_EXPECTED):
            buffer.take_bulk(size)
        return False
    assert buffer.take_bulk(size) == (bulk if end == b"\r\n" else None)
    return True


@pytest.mark.parametrize("before", [b"", b"abc\r\n"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_line_may_be_as_long_as_the_limit_its_end_included(before: bytes, end: bytes) -> None:
    for length in range(12):
        for chunks in ([before, b"x" * length + end], bytewise(before + b"x" * length + end)):
            buffer = Buffer()
            for chunk in chunks:
                buffer.append(chunk)
            if before:
                assert buffer.take_line(8, "") == before
            # Without its end, a line of 8 bytes is already known to exceed 8 with it.
            if length + (len(end) or 1) > 8:
                with pytest.raises(RemoteProtocolError, match="too long"):
                    buffer.take_line(8, "too long")
            else:
                assert buffer.take_line(8, "too long") == (b"x" * length + end if end else None)


@pytest.mark.parametrize("size", [1, 2, 7, 1000, 4096])
def test_each_byte_is_joined_at_most_twice(size: int) -> None:
    buffer = Ledger()
    data = (b"$20000\r\n" + b"x" * 20_000 + b"\r\n" + b"$1\r\ny\r\n" * 30) * 3
    wanted: int | None = None
    for piece in pieces(data, size):
        buffer.append(piece)
        while True:
            taken = buffer.take_line(LIMIT, "") if wanted is None else buffer.take_bulk(wanted)
            if taken is None:
                break
            wanted = int(taken[1:]) if wanted is None else None
    assert len(buffer) == 0
    assert buffer.joined <= 2 * len(data)


def test_the_search_for_a_lines_end_goes_on_where_it_stopped() -> None:
    buffer = Buffer()
    for length in range(1, 100):
        buffer.append(b"x")
        assert buffer.take_line(LIMIT, "") is None
        assert buffer._searched == length


def test_what_has_been_read_is_let_go() -> None:
    buffer = Buffer()
    buffer.append(b"x" * 10_000 + b"\r\n")
    assert buffer.take_bulk(10_000) == b"x" * 10_000
    assert buffer.data == b""


def test_a_chunk_that_finds_the_buffer_empty_is_not_copied() -> None:
    buffer, chunk = Buffer(), b"$1\r\na\r\n"
    buffer.append(chunk)
    assert buffer.data is chunk
