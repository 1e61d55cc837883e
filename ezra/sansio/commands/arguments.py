"""From the words of a command to what they mean: a cursor, and one strict parser for each kind.

Numbers are ASCII digits, as people and clients write them: `int()` and `float()` would also take
`1_0`, ` 7`, `+7`, `1e3`, `inf` and the digits of other scripts. Seconds become microseconds without
passing through a float. Every parser raises `CommandError` with the reply as its text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import (
    DEAD_SUFFIX,
    MAX_ID,
    MAX_SEQUENCE,
    SECOND,
    SEQUENCE_BITS,
    Address,
    pack_id,
)
from ezra.sansio.resp.scalars import MAX_INTEGER, MIN_INTEGER, strict_integer, to_text

MAX_NAME = 512
"""Bytes of a queue's, group's, worker's or client's name: rows, log lines and lists repeat it."""

MAX_REASON = 64 * 1024
"""Bytes of a nack's reason: room for any traceback, and not for a second payload."""

MAX_SECONDS = 100 * 365 * 24 * 60 * 60
"""The longest duration, a hundred years: longer is a mistake, and `now` plus it stays far below
the end of time."""

MAX_MOMENT = (MAX_ID >> SEQUENCE_BITS) // 1000
"""The latest `run_at`, in Unix seconds: ids count the milliseconds up to the year 2248. A moment
given in milliseconds by mistake is beyond it."""

MAX_ATTEMPTS = 1_000_000
"""The most attempts that a task can be given: enough for one a minute in two years."""

MAX_SHOWN = 128
"""Bytes of a client's own words that an error repeats, as in Redis."""

_SECONDS = re.compile(rb"([0-9]{1,15})(?:\.([0-9]{1,30}))?")
_ID = re.compile(rb"([0-9]{1,20})(?:-([0-9]{1,20}))?")
_PRINTABLE = re.compile(rb"[!-~]*")
_MAX_HALF = 2**64 - 1  # of an id, as in Redis


class Words:
    """A cursor over a command's arguments."""

    __slots__ = ("_next", "_words")

    def __init__(self, words: Sequence[bytes]) -> None:
        self._words = words
        self._next = 0

    @property
    def left(self) -> int:
        """How many words have not been taken yet."""
        return len(self._words) - self._next

    def take(self) -> bytes:
        """Return the next word; a command that ends too early is a syntax error."""
        if self._next == len(self._words):
            raise CommandError(Text.SYNTAX)
        word = self._words[self._next]
        self._next += 1
        return word

    def take_if(self, *expected: bytes) -> bool:
        """Take the next word if it is one of these, in capitals or not; tell whether it was."""
        found = self.left > 0 and self._words[self._next].upper() in expected
        self._next += found
        return found

    def take_many(self, count: int) -> Sequence[bytes]:
        """Return the next `count` words, which the caller knows to be there."""
        start, self._next = self._next, self._next + count
        return self._words[start : self._next]


def integer(word: bytes, error: str = Text.NOT_AN_INTEGER) -> int:
    """Return a whole number of 64 bits, written as Redis demands it: no plus, no leading zero."""
    number = strict_integer(word)
    if number is None or not MIN_INTEGER <= number <= MAX_INTEGER:
        raise CommandError(error)
    return number


@dataclass(frozen=True, slots=True)
class Whole:
    """A named whole number within bounds."""

    name: str
    least: int
    most: int

    def parse(self, word: bytes) -> int:
        """Return the number, or raise an error that names it and its bounds."""
        number = strict_integer(word)
        if number is None or not self.least <= number <= self.most:
            raise CommandError(
                Text.INVALID_WHOLE.format(name=self.name, least=self.least, most=self.most)
            )
        return number


@dataclass(frozen=True, slots=True)
class Seconds:
    """A named number of seconds within bounds, fractions allowed."""

    name: str
    least: int = 0
    """In microseconds, the smallest step there is; further digits are cut off."""
    most: int = MAX_SECONDS * SECOND
    """In microseconds."""

    def parse(self, word: bytes) -> int:
        """Return the microseconds, or raise an error that names it and its bounds."""
        if found := _SECONDS.fullmatch(word):
            whole, fraction = found.groups(b"")
            microseconds = int(whole) * SECOND + int(fraction[:6].ljust(6, b"0"))
            if self.least <= microseconds <= self.most:
                return microseconds
        raise CommandError(
            Text.INVALID_SECONDS.format(
                name=self.name, least=_in_seconds(self.least), most=_in_seconds(self.most)
            )
        )


def _in_seconds(microseconds: int) -> str:
    whole, fraction = divmod(microseconds, SECOND)
    return f"{whole}.{fraction:06}".rstrip("0").rstrip(".")


def text(name: str, word: bytes, most: int = MAX_NAME) -> str:
    """Return a text of at most `most` bytes of UTF-8; `name` is what the error calls it."""
    try:
        decoded = word.decode()
    except UnicodeDecodeError:
        decoded = None
    if decoded is None or len(word) > most:
        raise CommandError(Text.INVALID_TEXT.format(name=name, most=most))
    return decoded


def printable(word: bytes, error: str) -> str:
    """Return what a client says about itself: printable ASCII without spaces, for a list to show.

    At most `MAX_NAME` bytes, which Redis does not ask for: each connection keeps its own.
    """
    if not _PRINTABLE.fullmatch(word):
        raise CommandError(error)
    return text("client name or version", word)


def shown(word: bytes, room: int = MAX_SHOWN) -> str:
    """Return a client's word as an error repeats it: its first `room` bytes.

    Like Redis, which writes it as a C string, up to its first NUL.
    """
    return to_text(word[:room].partition(b"\0")[0])


@functools.lru_cache(maxsize=1024)  # queues are few and named in every command
def address(word: bytes) -> Address:
    """Return what a key names: a queue, or with `::dead` at its end the dead-letter queue."""
    try:
        name = word.decode()
    except UnicodeDecodeError:
        name = ""
    queue = name.removesuffix(DEAD_SUFFIX)
    if not 1 <= len(queue.encode()) <= MAX_NAME or queue.endswith(DEAD_SUFFIX):
        raise CommandError(Text.INVALID_QUEUE.format(most=MAX_NAME))
    return Address(queue, dead=queue != name)


def queue_name(word: bytes) -> str:
    """Return the name of a queue itself; a dead-letter queue's is an error."""
    key = address(word)
    if key.dead:
        raise CommandError(Text.DEAD_IS_NO_QUEUE.format(name=key.name, queue=key.queue))
    return key.queue


def id_halves(word: bytes) -> tuple[int, int]:
    """Return the milliseconds and the sequence of `<ms>-<seq>`, or of `<ms>`, which is `<ms>-0`."""
    if found := _ID.fullmatch(word):
        milliseconds, sequence = found.groups(b"0")
        halves = int(milliseconds), int(sequence)
        if max(halves) <= _MAX_HALF:
            return halves
    raise CommandError(Text.INVALID_ID)


def task_id(word: bytes) -> int:
    """Return a task's id, or `NO_ID` for one that is well formed and that no task can have."""
    return pack_id(*id_halves(word))


def task_ids(words: Sequence[bytes]) -> tuple[int, ...]:
    """Return the ids; one that is not well formed makes the whole command an error."""
    return tuple([task_id(word) for word in words])


def id_after(word: bytes) -> int:
    """Return the highest id, up to the given one, that a task can have."""
    milliseconds, sequence = id_halves(word)
    return min(milliseconds << SEQUENCE_BITS | min(sequence, MAX_SEQUENCE), MAX_ID)
