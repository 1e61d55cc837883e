"""The patterns of KEYS and SCAN beside a real Redis: the same names fit, whatever the pattern."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands.glob import matcher
from tests.integration.pair import Peer
from tests.integration.redis_process import RedisProcess

SPECIAL = b"ab*?[]^-\\\n"
WORDS = st.lists(st.sampled_from([SPECIAL[at : at + 1] for at in range(len(SPECIAL))]), max_size=9)
NAMES = sorted(
    {bytes((a, b, c)).strip(b"\n") for a in SPECIAL for b in SPECIAL for c in SPECIAL} - {b""}
)
"""Every name of three bytes that patterns are made of, and some that are shorter."""


@pytest.fixture(scope="module")
def redis() -> Iterator[Peer]:
    """Start a Redis that has all these names."""
    with (
        tempfile.TemporaryDirectory() as directory,
        RedisProcess(Path(directory)) as process,
        process.connect() as connection,
    ):
        peer = Peer(connection)
        pairs = [word for name in NAMES for word in (name, b"")]
        peer.call("MSET", *pairs)
        yield peer


@given(WORDS.map(b"".join))
def test_the_same_names_fit(redis: Peer, pattern: bytes) -> None:
    """Also for patterns that nobody would write."""
    fitting = redis.call("KEYS", pattern)
    assert isinstance(fitting, tuple)
    fits = matcher(pattern)
    assert {name for name in NAMES if fits(name)} == set(fitting)
