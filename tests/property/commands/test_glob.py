"""Laws of `ezra.sansio.commands.glob`. Beside a real Redis: tests/integration/test_glob.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands.glob import MAX_PATTERN, check_pattern, matcher
from ezra.sansio.errors import CommandError

SPECIAL = b"*?[]^\\-"
NAMES = st.binary(max_size=12)


@given(NAMES)
def test_a_name_fits_itself_when_escaped(name: bytes) -> None:
    """Behind a backslash every byte stands for itself, and nothing else fits."""
    fits = matcher(b"".join(b"\\" + bytes([byte]) for byte in name))
    assert fits(name)
    assert not fits(name + b"x")


@given(NAMES, NAMES, NAMES)
def test_a_star_is_any_run_of_bytes(before: bytes, between: bytes, after: bytes) -> None:
    """Also an empty one, and one with line breaks."""
    head, tail = (part.translate(None, SPECIAL) for part in (before, after))
    assert matcher(head + b"*" + tail)(head + between + tail)
    assert matcher(b"*" + head + b"**" + tail + b"*")(between + head + between + tail)


@given(st.lists(st.sampled_from([b"a", b"b", b"*", b"?"]), max_size=8), st.text("ab", max_size=8))
def test_stars_mean_what_they_mean(parts: list[bytes], name: str) -> None:
    """A pattern fits exactly if the name can be cut so that each part fits its piece."""
    pattern, data = b"".join(parts), name.encode()
    assert bool(matcher(pattern)(data)) == _fits(pattern, data)


def _fits(pattern: bytes, name: bytes) -> bool:
    if not pattern:
        return not name
    if pattern[:1] == b"*":
        return any(_fits(pattern[1:], name[cut:]) for cut in range(len(name) + 1))
    return bool(name) and pattern[:1] in (b"?", name[:1]) and _fits(pattern[1:], name[1:])


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        (b"h[ae]llo", b"hello hallo", b"hillo hllo h[ae]llo"),
        (b"h[^e]llo", b"hallo hbllo", b"hello hllo"),
        (b"h[a-c]llo", b"hallo hbllo hcllo", b"hdllo h-llo"),
        (b"h[c-a]llo", b"hallo hbllo hcllo", b"hdllo h-llo"),
        (b"[\\]]", b"]", b"\\ a"),
        (b"[a\\-c]", b"a - c", b"b"),
        (b"[a", b"a", b"[a b"),
        (b"[", b"", b"[ a"),
        (b"[]", b"", b"a ] []"),
        (b"[^]", b"a ]", b"ab"),
        (b"[a-", b"a -", b"b"),
        (b"a\\", b"a\\", b"a"),
        (b"\\*", b"*", b"a"),
        (b"[^^]", b"a", b"^"),
        (b"[.+]", b". +", b"a"),
    ],
)
def test_classes(pattern: bytes, fitting: bytes, others: bytes) -> None:
    """Classes, ranges, escapes, and what Redis makes of those that lack an end."""
    fits = matcher(pattern)
    assert all(fits(name) for name in fitting.split())
    assert not any(fits(name) for name in others.split())


def test_no_pattern_takes_long() -> None:
    """Stars upon stars that fit nowhere: what tries every way to cut the name never ends."""
    assert not matcher(b"*a" * 30 + b"*b")(b"a" * 500)
    assert not matcher(b"a*" * 30 + b"b")(b"a" * 500)
    assert matcher(b"*a" * 500)(b"a" * 500)


@pytest.mark.parametrize("pattern", [b"?", b"[^]", b"[^a]", b"[\n]", b"*?*", b"\n"])
def test_a_line_break_is_a_byte(pattern: bytes) -> None:
    """Names are bytes; none of them is special but those of patterns."""
    assert matcher(pattern)(b"\n")


def test_a_pattern_is_bounded() -> None:
    """Four thousand bytes and some; more is an error."""
    assert check_pattern(b"x" * MAX_PATTERN) == b"x" * 4_096
    with pytest.raises(CommandError, match="ERR invalid pattern: expected 0 to 4096 bytes"):
        check_pattern(b"x" * (MAX_PATTERN + 1))
