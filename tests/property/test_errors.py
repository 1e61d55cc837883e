"""Laws of `ezra.sansio.errors`: one tree of errors, one table of texts, and none without a use.

What each text says is tested where it is sent: `commands/test_errors.py`, `resp/test_requests.py`,
`resp/test_decoder.py`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ezra
from ezra.sansio import errors
from ezra.sansio.errors import EzraError, Text

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not Text]
TEXTS = {name: text for name, text in vars(Text).items() if name.isupper()}
SOURCES = [path.read_text("utf-8") for path in Path(ezra.__file__).parent.rglob("*.py")]


@pytest.mark.parametrize("kind", KINDS)
def test_all_errors_are_in_one_tree_and_drawn_in_it(kind: type) -> None:
    """Whatever EZRA raises on purpose is an `EzraError`, and stands at the top of the file."""
    assert issubclass(kind, EzraError)
    assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_text_is_one_line_that_begins_with_its_prefix(name: str) -> None:
    """As Redis' errors do: an upper-case word that clients tell errors apart by."""
    assert re.match(r"[A-Z]+ \S", TEXTS[name])
    assert "\n" not in TEXTS[name]


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_text_is_sent_by_somebody(name: str) -> None:
    """A text that nothing sends would be a promise that nobody keeps."""
    assert any(re.search(rf"\bText\.{name}\b", source) for source in SOURCES)
