"""Every type of RESP once, with its bytes: one table for the tests of reading and of writing."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hypothesis import strategies as st

from ezra.sansio.resp import (
    NULL_ARRAY,
    OK,
    Attribute,
    BigNumber,
    BulkError,
    Map,
    NullArray,
    Push,
    Set,
    SimpleError,
    SimpleString,
    Value,
    VerbatimString,
    to_bytes,
    to_text,
)


@dataclass(frozen=True, slots=True)
class Case:
    """A value, and how it is written in each protocol."""

    name: str
    value: Value
    resp3: bytes
    resp2: bytes


CASES = [
    Case("simple string", OK, b"+OK\r\n", b"+OK\r\n"),
    Case("empty simple string", SimpleString(""), b"+\r\n", b"+\r\n"),
    Case("not UTF-8", SimpleString("\udcff"), b"+\xff\r\n", b"+\xff\r\n"),
    Case("simple error", SimpleError("ERR no"), b"-ERR no\r\n", b"-ERR no\r\n"),
    Case("bulk error", BulkError("ERR a\r\nb"), b"!8\r\nERR a\r\nb\r\n", b"-ERR a  b\r\n"),
    Case("integer", 42, b":42\r\n", b":42\r\n"),
    Case("negative", -1, b":-1\r\n", b":-1\r\n"),
    Case("largest", 2**63 - 1, b":9223372036854775807\r\n", b":9223372036854775807\r\n"),
    Case("smallest", -(2**63), b":-9223372036854775808\r\n", b":-9223372036854775808\r\n"),
    Case(
        "big number",
        BigNumber(2**64),
        b"(18446744073709551616\r\n",
        b"$20\r\n18446744073709551616\r\n",
    ),
    Case("small big number", BigNumber(-5), b"(-5\r\n", b"$2\r\n-5\r\n"),
    Case("double", 1.5, b",1.5\r\n", b"$3\r\n1.5\r\n"),
    Case("exponent", 1e-300, b",1e-300\r\n", b"$6\r\n1e-300\r\n"),
    Case("infinity", math.inf, b",inf\r\n", b"$3\r\ninf\r\n"),
    Case("minus infinity", -math.inf, b",-inf\r\n", b"$4\r\n-inf\r\n"),
    Case("not a number", math.nan, b",nan\r\n", b"$3\r\nnan\r\n"),
    Case("minus zero", -0.0, b",-0.0\r\n", b"$4\r\n-0.0\r\n"),
    Case("true", True, b"#t\r\n", b":1\r\n"),
    Case("false", False, b"#f\r\n", b":0\r\n"),
    Case("null", None, b"_\r\n", b"$-1\r\n"),
    Case("null array", NULL_ARRAY, b"_\r\n", b"*-1\r\n"),
    Case("bulk string", b"a\r\nb", b"$4\r\na\r\nb\r\n", b"$4\r\na\r\nb\r\n"),
    Case("empty bulk string", b"", b"$0\r\n\r\n", b"$0\r\n\r\n"),
    Case("verbatim", VerbatimString("hi"), b"=6\r\ntxt:hi\r\n", b"$2\r\nhi\r\n"),
    Case("markdown", VerbatimString("", "mkd"), b"=4\r\nmkd:\r\n", b"$0\r\n\r\n"),
    Case("array", (1, b"a"), b"*2\r\n:1\r\n$1\r\na\r\n", b"*2\r\n:1\r\n$1\r\na\r\n"),
    Case("empty array", (), b"*0\r\n", b"*0\r\n"),
    Case("nested", ((), (None,)), b"*2\r\n*0\r\n*1\r\n_\r\n", b"*2\r\n*0\r\n*1\r\n$-1\r\n"),
    Case("set", Set((1, True)), b"~2\r\n:1\r\n#t\r\n", b"*2\r\n:1\r\n:1\r\n"),
    Case("empty set", Set(()), b"~0\r\n", b"*0\r\n"),
    Case(
        "map",
        Map(((b"k", (1,)),)),
        b"%1\r\n$1\r\nk\r\n*1\r\n:1\r\n",
        b"*2\r\n$1\r\nk\r\n*1\r\n:1\r\n",
    ),
    Case("odd key", Map((((1,), None),)), b"%1\r\n*1\r\n:1\r\n_\r\n", b"*2\r\n*1\r\n:1\r\n$-1\r\n"),
    Case("empty map", Map(()), b"%0\r\n", b"*0\r\n"),
    Case("push", Push((b"a", 1)), b">2\r\n$1\r\na\r\n:1\r\n", b"*2\r\n$1\r\na\r\n:1\r\n"),
    Case(
        "attribute",
        Attribute(((b"k", 1),), (2,)),
        b"|1\r\n$1\r\nk\r\n:1\r\n*1\r\n:2\r\n",
        b"*1\r\n:2\r\n",
    ),
    Case("empty attribute", Attribute((), 2), b"|0\r\n:2\r\n", b":2\r\n"),
    Case(
        "deep",
        (Attribute((), Map(((1, Set(((),))),))),),
        b"*1\r\n|0\r\n%1\r\n:1\r\n~1\r\n*0\r\n",
        b"*1\r\n*2\r\n:1\r\n*1\r\n*0\r\n",
    ),
]


def in_resp2(value: Value) -> Value:
    """Return what a RESP2 reader sees of a value: an independent account of the stand-ins."""
    match value:
        case bool():
            return int(value)
        case float() | BigNumber() | VerbatimString():
            return _bulk(value)
        case BulkError(text):
            return SimpleError(text.replace("\r", " ").replace("\n", " "))
        case tuple() | Set() | Push() | Map():
            return tuple(in_resp2(item) for item in items_of(value))
        case Attribute(_, annotated):
            return in_resp2(annotated)
        case _:
            return value


def in_resp3(value: Value) -> Value:
    """Return what a RESP3 reader sees of a value: there is one null only."""
    return None if isinstance(value, NullArray) else value


def _bulk(value: float | BigNumber | VerbatimString) -> bytes:
    match value:
        case BigNumber(number):
            return str(number).encode()
        case VerbatimString(text):
            return to_bytes(text)
        case _:
            return str(value).encode()


def items_of(value: tuple[Value, ...] | Set | Push | Map) -> tuple[Value, ...]:
    """Return what an aggregate holds, in order; of a map, its keys and values."""
    match value:
        case Set(items) | Push(items):
            return items
        case Map(pairs):
            return tuple(item for pair in pairs for item in pair)
        case _:
            return value


texts = st.binary(max_size=20).map(to_text)
lines = st.binary(max_size=20).map(lambda data: to_text(data.translate(None, b"\r\n")))

plain_scalars: st.SearchStrategy[Value] = st.one_of(
    st.binary(max_size=40),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.builds(SimpleString, lines),
    st.builds(SimpleError, lines),
    st.none(),
)
"""What both protocols have and write alike, the null excepted."""

common_scalars: st.SearchStrategy[Value] = st.one_of(
    plain_scalars,
    st.booleans(),
    st.floats(),
    st.builds(BigNumber, st.integers()),
    st.builds(VerbatimString, texts, st.sampled_from(["txt", "mkd", "\r\n:"])),
)
"""What `hiredis` reads as well."""

scalars: st.SearchStrategy[Value] = st.one_of(common_scalars, st.builds(BulkError, texts))


def _tuples(items: st.SearchStrategy[Value]) -> st.SearchStrategy[tuple[Value, ...]]:
    return st.lists(items, max_size=4).map(tuple)


def _pairs(items: st.SearchStrategy[Value]) -> st.SearchStrategy[tuple[tuple[Value, Value], ...]]:
    return st.lists(st.tuples(items, items), max_size=3).map(tuple)


def _aggregates(items: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return st.one_of(
        _tuples(items),
        st.builds(Set, _tuples(items)),
        st.builds(Push, _tuples(items)),
        st.builds(Map, _pairs(items)),
        st.builds(Attribute, _pairs(items), items),
    )


def _common_aggregates(items: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    keys = st.one_of(st.binary(max_size=5), st.integers(-5, 5))
    pairs = st.lists(st.tuples(keys, items), max_size=3, unique_by=lambda pair: pair[0])
    return st.one_of(
        _tuples(items), st.builds(Set, _tuples(items)), st.builds(Map, pairs.map(tuple))
    )


values: st.SearchStrategy[Value] = st.recursive(scalars, _aggregates, max_leaves=15)
"""Any value of RESP3."""

resp2_values: st.SearchStrategy[Value] = st.recursive(
    st.one_of(plain_scalars, st.just(NULL_ARRAY)), _tuples, max_leaves=15
)
"""Any value of the types that RESP2 has."""

common_values: st.SearchStrategy[Value] = st.recursive(
    common_scalars, _common_aggregates, max_leaves=15
)
"""Any value that `hiredis` reads as we do; `test_hiredis` says why it is not any value."""

FRAGMENTS = [
    b"*2\r\n", b"*1\r\n", b"*0\r\n", b"*-1\r\n", b"*7\r\n", b"*?\r\n", b"$3\r\n", b"$0\r\n",
    b"$-1\r\n", b"$9\r\n", b"$25\r\n", b"$?\r\n", b";2\r\n", b";0\r\n", b".\r\n", b"%1\r\n",
    b"%?\r\n", b"~1\r\n", b"~?\r\n", b"|1\r\n", b"|0\r\n", b">1\r\n", b"=5\r\n", b"!3\r\n",
    b"txt:a\r\n", b"abc\r\n", b"ab\r\n", b"123456789\r\n", b"\r\n", b"\r", b"\n", b":1\r\n",
    b"+OK\r\n", b"-E\r\n", b",1.5\r\n", b"(5\r\n", b"#t\r\n", b"_\r\n", b"PING\r\n", b'"', b"'",
    b"'a b' \"\\x41\"\r\n", b"POST ", b" ", b"$", b"*", b"x" * 25,
    b"$300\r\n" + b"y" * 300 + b"\r\n",
]  # fmt: skip
"""Pieces of RESP, well and badly formed."""

garbage = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=14).map(b"".join),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=6)), max_size=10).map(
        b"".join
    ),
    st.binary(max_size=60),
)
"""Any bytes, most of them close enough to RESP to get far into a decoder."""
