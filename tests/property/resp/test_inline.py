"""Laws of inline requests: Redis' quoting rules, told once more by a reader of single bytes."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.errors import RemoteProtocolError, Text
from ezra.sansio.resp.inline import split_inline
from ezra.sansio.resp.limits import MAX_LINE
from tests.property.resp.delivery import law

CONTROLS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\x08", b"a": b"\x07"}
HEX = b"0123456789abcdefABCDEF"

written = st.lists(
    st.sampled_from([b"a", b"\\", b'"', b"'", b" ", b"\t", b"\v", b"x", b"4", b"F", b"n", b"\xff"]),
    max_size=14,
).map(b"".join)


def model(line: bytes) -> list[bytes] | None:
    """Return the words of a line, or None for unbalanced quotes; one byte after the other."""
    words = []
    rest = line.lstrip()
    while rest:
        word = b""
        while rest and rest[:1] not in (b" ", b"\t", b"\r", b"\n"):
            if rest[:1] in (b'"', b"'"):
                quoted, after = unquote(rest[1:], rest[:1])
                if quoted is None or after[:1].strip():
                    return None
                word, rest = word + quoted, after
                break
            word, rest = word + rest[:1], rest[1:]
        words.append(word)
        rest = rest.lstrip()
    return words


def unquote(rest: bytes, quote: bytes) -> tuple[bytes | None, bytes]:
    """Return what is quoted, and what comes after it; None for a quote that stays open."""
    quoted = b""
    while rest and rest[:1] != quote:
        taken, meant = 1, rest[:1]
        if quote == b"'" and rest[:2] == b"\\'":
            taken, meant = 2, b"'"
        elif quote == b'"' and rest[:2] == b"\\x" and len(rest) > 3 and {*rest[2:4]} <= {*HEX}:
            taken, meant = 4, bytes([int(rest[2:4], 16)])
        elif quote == b'"' and rest[:1] == b"\\":
            taken, meant = 2, CONTROLS.get(rest[1:2], rest[1:2])
        quoted, rest = quoted + meant, rest[taken:]
    return (quoted, rest[1:]) if rest else (None, b"")


@law
@given(written)
def test_words_are_split_as_the_rules_say(line: bytes) -> None:
    words = model(line)
    if words is None:
        with pytest.raises(RemoteProtocolError, match=Text.UNBALANCED_QUOTES):
            split_inline(line)
    else:
        assert split_inline(line) == words
        assert split_inline(line + b"\r\n") == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", []),
        (b"  \t ", []),
        (b"PING", [b"PING"]),
        (b' AUTH  "s3cret" ', [b"AUTH", b"s3cret"]),
        (rb'SET k "\x00\xfF\n\r\t\b\a\\\"\q"', [b"SET", b"k", b'\x00\xff\n\r\t\b\a\\"q']),
        (rb'"\x4" "\xzz"', [b"x4", b"xzz"]),
        (rb"'it\'s \n'", [rb"it's \n"]),
        (b"''", [b""]),
        (b'a"b c"', [b"ab c"]),
        (b"a\x00b", [b"a\x00b"]),
        (b"a\vb", [b"a\vb"]),
    ],
)
def test_examples(line: bytes, words: list[bytes]) -> None:
    assert split_inline(line) == words
    assert model(line) == words


@pytest.mark.parametrize("line", [b'"', b"'", b'"a', b'a"', b'"a"b', b"'a'b", b"'a'\"b\"", b'"\\"'])
def test_unbalanced_quotes(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=Text.UNBALANCED_QUOTES):
        split_inline(line)


@law
@given(st.lists(st.binary(max_size=8), max_size=5))
def test_any_word_can_be_quoted(words: list[bytes]) -> None:
    for quote in (hexed, single):
        assert split_inline(b" ".join(quote(word) for word in words)) == words


def hexed(word: bytes) -> bytes:
    """Quote every byte as its two digits."""
    return b'"%b"' % b"".join(b"\\x%02x" % byte for byte in word)


def single(word: bytes) -> bytes:
    """Quote in '...', unless a backslash would be taken for the one before a quote."""
    if b"\\" in word:
        return hexed(word)
    return b"'%b'" % word.replace(b"'", rb"\'")


@pytest.mark.parametrize("piece", [b"a", b'\\"', b"\\'", b"\\", b'a"b" ', b"' ", b"\\x4", b"  "])
@pytest.mark.parametrize("opening", [b"", b'"', b"'", b'a"'])
def test_no_line_makes_the_pattern_go_back(opening: bytes, piece: bytes) -> None:
    """A longest line of anything is read in no time; a pattern that goes back would take hours."""
    line = opening + piece * (MAX_LINE // len(piece))
    with suppress(RemoteProtocolError):
        assert len(split_inline(line)) <= MAX_LINE
