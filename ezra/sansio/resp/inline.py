r"""An inline request: one line as a person types it, with Redis' quoting rules.

Words stand between blanks. A word may end in a quoted part, and then a blank or the line's end must
follow: "..." knows the escapes \n \r \t \b \a \xhh, and \ before anything else is that itself;
'...' knows \' alone. Unlike Redis, whose strings end there, a NUL byte is a byte like any other.

Strategy: one pattern a word. Its repetitions are possessive, so any line takes linear time.
"""

from __future__ import annotations

import re

from ezra.sansio.errors import RemoteProtocolError, Text

_WORD = re.compile(
    rb"""
    (?P<plain> [^\x20\t\r\n"']*+ )
    (?: " (?P<double> (?: \\. | [^"\\] )*+ ) "
      | ' (?P<single> (?: \\' | [^'] )*+ ) '
    )?
    (?= \s | \Z )
    """,
    re.VERBOSE | re.DOTALL,
)
_BLANKS = re.compile(rb"\s*+")
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_CONTROLS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


def split_inline(line: bytes) -> list[bytes]:
    """Return the words of a line; none for a blank one.

    Raises:
        RemoteProtocolError: a quote is left open, or something else than a blank follows it.
    """
    words = []
    position = _after_blanks(line, 0)
    while position < len(line):
        word = _WORD.match(line, position)
        if word is None:
            raise RemoteProtocolError(Text.UNBALANCED_QUOTES)
        words.append(_unquote(word))
        position = _after_blanks(line, word.end())
    return words


def _after_blanks(line: bytes, position: int) -> int:
    blanks = _BLANKS.match(line, position)
    return blanks.end() if blanks else position


def _unquote(word: re.Match[bytes]) -> bytes:
    plain, double, single = word.group("plain", "double", "single")
    if double is not None:
        return plain + _ESCAPE.sub(_unescape, double)
    if single is not None:
        return plain + single.replace(rb"\'", b"'")
    return plain


def _unescape(escape: re.Match[bytes]) -> bytes:
    digits, other = escape.groups()
    return bytes.fromhex(digits.decode()) if digits else _CONTROLS.get(other, other)
