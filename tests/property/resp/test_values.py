"""Laws of the values themselves."""

from __future__ import annotations

import pytest

from ezra.sansio import resp
from ezra.sansio.resp.limits import MAX_NUMBER


@pytest.mark.parametrize("kind", ["", "tx", "text", "тxt"])
def test_a_verbatim_strings_kind_is_three_ascii_characters(kind: str) -> None:
    with pytest.raises(ValueError, match="three characters"):
        resp.VerbatimString("text", kind)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_big_number_has_fewer_digits_than_any_reader_must_take(sign: int) -> None:
    largest = resp.BigNumber(sign * (10 ** (MAX_NUMBER - 1) - 1))
    decoder = resp.Decoder()
    decoder.receive_data(resp.encode(largest, 3))
    assert decoder.next_value() == largest
    with pytest.raises(ValueError, match="fewer than 640 digits"):
        resp.BigNumber(sign * 10 ** (MAX_NUMBER - 1))


def test_all_null_arrays_are_equal() -> None:
    assert resp.NullArray() == resp.NULL_ARRAY


def test_the_public_names_are_exactly_those_of_all() -> None:
    public = {
        name
        for name, value in vars(resp).items()
        if not name.startswith("_") and not isinstance(value, type(resp))
    }
    assert public == set(resp.__all__)
