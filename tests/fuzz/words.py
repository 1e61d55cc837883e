"""The words that EZRA listens for, taken from its own tables, so that no list of them goes stale.

A fuzzer that had to find XREADGROUP byte by byte would never get behind it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from ezra.sansio.commands.fields import DEDUP_OPTIONS, OPTIONS, PAYLOAD, PREFIX
from ezra.sansio.commands.table import TABLE
from ezra.sansio.model import DEAD_SUFFIX, QueueSettings
from tests.property.fake_clock import START
from tests.property.resp.cases import FRAGMENTS

_CAPITALS = re.compile(r"[A-Z][A-Z-]+")
_OPTIONS = [option.name.encode() for option in (*OPTIONS, *DEDUP_OPTIONS)]

NAMES = sorted({word.encode() for name in TABLE for word in name.split()})
"""Every word of every command's name."""

KEYWORDS = sorted(
    {word.encode() for each in TABLE.values() for word in _CAPITALS.findall(each.SPEC.arguments)}
)
"""Every word in capitals that some command takes."""

FIELDS = [PAYLOAD, *_OPTIONS, *(PREFIX + name for name in _OPTIONS)]
"""The fields of a task that the server obeys."""

SETTINGS = [field.name.encode() for field in dataclasses.fields(QueueSettings)]
"""What a queue can be told."""

QUEUES = [b"q", b"r", b"q" + DEAD_SUFFIX.encode(), "caf\u00e9".encode()]

GROUPS = [b"g", b"h"]

WORKERS = [b"w", b"v"]

NUMBERS = [b"0", b"1", b"2", b"3", b"10", b"100", b"0.001", b"0.5", b"-1", b"127", b"-128"]

WRONG_NUMBERS = [
    *(b"1_0", b" 7", b"+7", b"+7 ", b"1e3", b"inf", b"nan", b"", b"00", b"-0", b"1.", b".5"),
    *("\u0661".encode(), b"1" * 700, b"%d" % 2**31, b"%d" % 2**63, b"%d" % -(2**63), b"%d" % 2**64),
]
"""What Python, or a careless parser, might take for a number, or cannot store."""

FIRST_IDS = [b"%d-%d" % (START // 1000, number) for number in range(4)]
"""Ids that a server gives out whose clock has stood still since `START`."""

RANGES = [b"-", b"+", b">", b"$", b"*", b"~", b"=", b"(" + FIRST_IDS[0]]

WRONG_IDS = [b"0", b"0-0", b"1-1", b"1-2-3", b"x-1", b"18446744073709551615-18446744073709551615"]

RUDE = [
    *(
        b"",
        b"\0",
        b"\xff\xfe",
        b"\r\n",
        b"q\r\n+OK",
        b"'; DROP TABLE tasks; --",
        b"../../etc/passwd",
    ),
    *(b"%s%n", b"\x1b[31m", b"{}", b"x" * 513, b"::dead", b"q::dead::dead", b"*" * 40, b"[" * 40),
]
"""Words that have broken other servers."""

EVERYTHING = [
    *(*NAMES, *KEYWORDS, *FIELDS, *SETTINGS, *QUEUES, *GROUPS, *WORKERS, *NUMBERS),
    *(*WRONG_NUMBERS, *FIRST_IDS, *RANGES, *WRONG_IDS, *RUDE),
]


def dictionary() -> str:
    """Return all of it as a dictionary of libFuzzer's, the marks of RESP included."""
    bulks = [b"$%d\r\n%b\r\n" % (len(word), word) for word in (*NAMES, *KEYWORDS, *FIELDS)]
    counts = [b"*%d\r\n" % count for count in range(1, 13)]
    tokens = {word for word in (*EVERYTHING, *FRAGMENTS, *bulks, *counts) if 0 < len(word) < 64}
    return "".join(f'"{_escaped(token)}"\n' for token in sorted(tokens))


def _escaped(token: Iterable[int]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token)
