r"""Patterns for names, as KEYS and SCAN take them: `*`, `?`, `[a-z]`, `[^a]`, `\` before a byte.

Redis' matcher, to its oddities: a class may lack its `]`, a range may run backwards, an empty class
matches nothing.

Strategy: a pattern is cut at its stars. Each piece between two stars stands for a fixed number of
bytes, so the leftmost place where it fits is as good as any other, and is never given up again. A
match takes at most as many steps as name and pattern are long, multiplied; never more, whatever
stars somebody writes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from ezra.sansio.errors import CommandError, Text

MAX_PATTERN = 4096
"""Bytes of a pattern: eight for each byte of the longest name."""

_NOTHING = rb"(?!)"
_ANYTHING = rb"."


@functools.lru_cache(maxsize=64)
def matcher(pattern: bytes) -> Callable[[bytes], object]:
    """Return what tells, by a true value, whether a name, all of it, fits the pattern."""
    first, *others = _pieces(pattern)
    if not others:
        return re.compile(first, re.DOTALL).fullmatch
    *middle, last = others
    leftmost = b"".join([rb"(?>.*?%b)" % piece for piece in middle])
    return re.compile(first + leftmost + b".*" + last, re.DOTALL).fullmatch


def check_pattern(pattern: bytes) -> bytes:
    """Return the pattern, or raise `CommandError`: it is too long."""
    if len(pattern) > MAX_PATTERN:
        raise CommandError(Text.INVALID_BYTES.format(name="pattern", least=0, most=MAX_PATTERN))
    return pattern


def _pieces(pattern: bytes) -> list[bytes]:
    """Return the pattern between its stars, each piece as a regular expression."""
    pieces, piece, at = [], b"", 0
    while at < len(pattern):
        if pattern[at : at + 1] == b"*":
            pieces.append(piece)
            piece, at = b"", at + 1
        else:
            one, at = _one(pattern, at)
            piece += one
    return [*pieces, piece]


def _one(pattern: bytes, at: int) -> tuple[bytes, int]:
    """Return the expression for the one byte that the pattern has here, and where it goes on."""
    mark = pattern[at : at + 1]
    if mark == b"?":
        return _ANYTHING, at + 1
    if mark == b"[":
        return _class(pattern, at + 1)
    if mark == b"\\" and at + 1 < len(pattern):
        at += 1
    return re.escape(pattern[at : at + 1]), at + 1


def _class(pattern: bytes, at: int) -> tuple[bytes, int]:
    """Return the expression for what stands behind a `[`, and where the pattern goes on."""
    negated = pattern[at : at + 1] == b"^"
    at += negated
    members: set[int] = set()
    while at < len(pattern) and pattern[at : at + 1] != b"]":
        found, at = _members(pattern, at)
        members |= found
    if not members:
        return _ANYTHING if negated else _NOTHING, at + 1
    listed = b"".join([re.escape(bytes([member])) for member in sorted(members)])
    return b"[%b%b]" % (b"^" if negated else b"", listed), at + 1


def _members(pattern: bytes, at: int) -> tuple[set[int], int]:
    """Return the bytes that the next item of a class stands for, and where the class goes on."""
    left = len(pattern) - at
    if left >= 2 and pattern[at : at + 1] == b"\\":
        return {pattern[at + 1]}, at + 2
    if left >= 3 and pattern[at + 1 : at + 2] == b"-":
        low, high = sorted((pattern[at], pattern[at + 2]))
        return set(range(low, high + 1)), at + 3
    return {pattern[at]}, at + 1
