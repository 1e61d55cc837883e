"""Laws of `ezra.sansio.commands.trimming`: what XADD and XTRIM are told to drop.

Its errors stand in the table of `error_cases`.
"""

from __future__ import annotations

import pytest

from ezra.sansio.commands.arguments import Words
from ezra.sansio.commands.trimming import Trimming
from ezra.sansio.model import MAX_ID
from tests.property.wire import split


def _taken(line: str) -> Trimming:
    words, trimming = Words(split(line)), Trimming()
    while words.left:
        assert trimming.take(words.take().upper(), words)
    trimming.check()
    return trimming


@pytest.mark.parametrize(
    ("line", "keep", "below", "most"),
    [
        ("MAXLEN 5", 5, None, None),
        ("maxlen = 0", 0, None, None),
        ("MAXLEN ~ 5 LIMIT 7", 5, None, 7),
        ("limit 7 maxlen ~ 5", 5, None, 7),
        ("MAXLEN ~ 5 LIMIT 0", 5, None, None),
        ("MINID 5", None, 5 << 20, None),
        ("MINID = 5-3", None, 5 << 20 | 3, None),
        ("KEEPREF MINID ~ 5-1048576 ACKED LIMIT 1", None, 6 << 20, 1),
        ("MINID 18446744073709551615", None, MAX_ID, None),
        ("delref", None, None, None),
    ],
)
def test_thresholds(line: str, keep: int | None, below: int | None, most: int | None) -> None:
    """Options come in any order and case; an id that no task can have is the next that one can."""
    taken = _taken(line)
    assert (taken.keep, taken.below, taken.most) == (keep, below, most)
    assert taken.given == (keep is not None or below is not None)


def test_what_is_no_option_is_left() -> None:
    """Whoever asks finds out what else the word is."""
    words = Words(split("5-1 more"))
    assert not Trimming().take(words.take(), words)
    assert words.left == 1
