"""Headers in the database: exact for any bytes, readable for a person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.threaded.sqlite.rows import pack_headers, unpack_headers


@given(st.lists(st.tuples(st.binary(), st.binary())).map(tuple))
def test_headers_come_back_as_they_were(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    """Any names and values, in their order."""
    assert unpack_headers(pack_headers(headers)) == headers


def test_headers_are_netstrings() -> None:
    """As any SQLite browser shows them."""
    assert pack_headers(((b"user", b"alice"),)) == b"4:user,5:alice,"


@pytest.mark.parametrize(
    "packed",
    [
        *(b"4:user", b"4:user,", b"x:user,", b"user", b"4:user;5:alice,", b"0:,-4:"),
        *(b"+1:a,0:,", b" 1:a,0:,", b"1_0:0123456789,0:,", b"01:a,0:,", b"9999999999:a,0:,"),
    ],
)
def test_other_bytes_are_not_taken_for_headers(packed: bytes) -> None:
    """What was broken by hand is an error, not other headers, and never read for ever."""
    with pytest.raises(ValueError, match=r"netstring|shorter"):
        unpack_headers(packed)


@given(st.lists(st.sampled_from([*b"0123456789:,-+_ a"]), max_size=24).map(bytes))
def test_what_is_taken_for_headers_is_packed_just_so(packed: bytes) -> None:
    """There is one way to write headers; anything else is an error."""
    try:
        headers = unpack_headers(packed)
    except ValueError:
        return
    assert pack_headers(headers) == packed
