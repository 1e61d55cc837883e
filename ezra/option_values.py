"""What the text of an option may be: readers, which make a value of it or say what it must be.

Each raises ValueError with what is wanted; whoever calls it names the flag or variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from ezra.threaded.settings import MAX_DURATION, MEMORY


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    """Return a reader of whole numbers within the bounds, which raises ValueError."""

    def read(text: str) -> int:
        if re.fullmatch("[0-9]{1,20}", text) and lowest <= int(text) <= highest:
            return int(text)
        raise ValueError(f"must be a whole number from {lowest} to {highest}")

    return read


def duration(unit: int, *, lowest: int) -> Callable[[str], int]:
    """Return a reader of units (of so many microseconds) that answers microseconds.

    The reader raises ValueError for what is no number, or outside `lowest` and what EZRA can store.
    """

    def read(text: str) -> int:
        if re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,20})?", text):
            microseconds = int(Decimal(text) * unit)
            if lowest <= microseconds <= MAX_DURATION:
                return microseconds
        bounds = f"{Decimal(lowest) / unit:f} to {MAX_DURATION // unit}"
        raise ValueError(f"must be a number from {bounds}")

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """Return a reader of one of these words, which raises ValueError."""

    def read(text: str) -> str:
        if text in words:
            return text
        raise ValueError(f"must be {' or '.join(words)}")

    return read


def yes_or_no(text: str) -> bool:
    """Read yes or no. Raises ValueError."""
    return one_of("yes", "no")(text) == "yes"


def not_empty(text: str) -> str:
    """Read any text but the empty one. Raises ValueError."""
    if text and "\0" not in text:
        return text
    raise ValueError("must not be empty")


def path(text: str) -> Path:
    """Read the path of a file. Raises ValueError."""
    return Path(not_empty(text))


def directory(text: str) -> Path | str:
    """Read a directory, or the word that stands for none. Raises ValueError."""
    return text if text == MEMORY else Path(not_empty(text))
