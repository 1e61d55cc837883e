"""Laws of writing: the table of cases, and what may never get onto the wire."""

from __future__ import annotations

import enum
from typing import get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.errors import LocalProtocolError
from ezra.sansio.resp import SimpleError, SimpleString, Value, encode
from tests.property.resp.cases import CASES, Case
from tests.property.resp.delivery import law


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_value_is_written_as_the_table_says(case: Case) -> None:
    assert encode(case.value, 3) == case.resp3
    assert encode(case.value, 2) == case.resp2


def test_the_table_of_cases_has_every_type_of_the_union() -> None:
    kinds = {get_origin(kind) or kind for kind in get_args(Value)}
    assert {type(case.value) for case in CASES} == kinds


@law
@given(st.text(alphabet="a\r\n é\udcff"), st.sampled_from([2, 3]))
def test_a_text_cannot_end_its_line(text: str, protocol: int) -> None:
    for value in (SimpleString(text), SimpleError(text)):
        line = encode(value, protocol)
        assert line.endswith(b"\r\n")
        assert not {*b"\r\n"} & {*line[:-2]}


class Count(enum.IntEnum):
    """An int, but not exactly one."""

    ONE = 1


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("wrong", ["text", [1], {1: 2}, {1}, object(), Count.ONE])
def test_what_is_no_value_is_refused_also_within_one(wrong: object, protocol: int) -> None:
    for value in (wrong, (1, wrong)):
        with pytest.raises(LocalProtocolError, match="not a RESP value"):
            encode(value, protocol)  # type: ignore[arg-type] # that it is refused is the law


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**4000])
def test_an_integer_of_more_than_64_bits_is_refused(number: int, protocol: int) -> None:
    with pytest.raises(LocalProtocolError, match="64 bits"):
        encode((number,), protocol)
