"""Laws of `ezra.sansio.commands.lookup`: every request is a command or an error, nothing else.

The texts of the errors stand in `test_errors.py`.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands import TABLE, Command, parse
from ezra.sansio.errors import CommandError
from ezra.sansio.resp import SimpleError, encode

NAMES = [name.encode().split() for name in TABLE]
WORDS = st.sampled_from(
    b"* > $ ~ = 0 1 -1 5-1 1-1-1 9223372036854775808 1e3 1_0 inf nan 0.5 -0 q q::dead g w "
    b"GROUP COUNT BLOCK NOACK STREAMS MAXLEN MINID LIMIT NOMKSTREAM IDMP SILENT FAIL FATAL IDS "
    b"RETRYCOUNT DELAY REASON ATTEMPT AUTH SETNAME LIB-NAME MKSTREAM ENTRIESREAD FULL "
    b"payload ttl run_at priority ezra.ttl ezra.x retry_delay max_attempts default".split()
)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_arity(name: str) -> None:
    """A command with too few words, or too many, is answered with Redis' text for it."""
    spec = TABLE[name].SPEC
    expected = f"wrong number of arguments for '{spec.wire_name}' command"
    names = name.lower().encode().split()
    least = abs(spec.arity)
    assert (spec.fits(least - 1), spec.fits(least)) == (False, True)
    assert spec.fits(least + 1) == (spec.arity < 0)
    wrong = [count for count in range(len(names), 9) if not spec.fits(count)]
    for count in wrong:
        with pytest.raises(CommandError, match=re.escape(expected)):
            parse(names + [b"x"] * (count - len(names)))


@given(
    st.sampled_from([*NAMES, [b"CLIENT"], [b"XGROUP"], [b"COMMAND"], []]),
    st.lists(WORDS | st.binary(max_size=8), max_size=12),
)
def test_any_words_are_a_command_or_an_error(names: list[bytes], more: list[bytes]) -> None:
    """Nothing else is ever raised, and every error can be written to the wire."""
    words = [*names, *more] or [b""]
    found: Command[Any] | CommandError
    try:
        found = parse(words)
    except CommandError as error:
        found = error
    if isinstance(found, CommandError):
        assert encode(SimpleError(str(found)), 2).startswith(b"-")
    else:
        assert isinstance(found, Command)
