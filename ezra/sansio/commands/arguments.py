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
    MILLISECOND,
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
_HALF_BITS = 64  # of an id, as in Redis
_MAX_HALF = (1 << _HALF_BITS) - 1
_MAX_WHOLE = (1 << 2 * _HALF_BITS) - 1


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


@dataclass(frozen=True, slots=True)
class Bytes:
    """A named string of bytes within bounds of its length."""

    name: str
    least: int
    most: int

    def parse(self, word: bytes) -> bytes:
        """Return the bytes, or raise an error that names them and how many they may be."""
        if not self.least <= len(word) <= self.most:
            raise CommandError(
                Text.INVALID_BYTES.format(name=self.name, least=self.least, most=self.most)
            )
        return word


def _in_seconds(microseconds: int) -> str:
    whole, fraction = divmod(microseconds, SECOND)
    return f"{whole}.{fraction:06}".rstrip("0").rstrip(".")


def idle_time(word: bytes, error: str) -> int:
    """Return the microseconds of an idle time in milliseconds; below 0 is 0, as in Redis.

    Nothing is idle for longer than the longest duration, so more than that is that.
    """
    milliseconds = integer(word, error)
    return min(max(milliseconds, 0) * MILLISECOND, MAX_SECONDS * SECOND)


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


def id_halves(word: bytes, missing: int = 0) -> tuple[int, int]:
    """Return the milliseconds and the sequence of `<ms>-<seq>`; `<ms>` alone lacks `missing`."""
    if found := _ID.fullmatch(word):
        milliseconds, sequence = found.groups()
        halves = int(milliseconds), missing if sequence is None else int(sequence)
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
    return _at_most(milliseconds << _HALF_BITS | sequence)


def counted_ids(words: Words) -> tuple[int, ...]:
    """Take what follows IDS: their number, then so many ids."""
    count = integer(words.take(), Text.NUMBER_OF_IDS)
    if count < 1:
        raise CommandError(Text.NUMBER_OF_IDS)
    if count > words.left:
        raise CommandError(Text.IDS_DO_NOT_MATCH)
    return task_ids(words.take_many(count))


def interval(start: bytes, end: bytes) -> tuple[int, int]:
    """Return the first and the last id of a range, both included; first > last when it is empty.

    `-` and `+` are the lowest and the highest id, `(` before an id leaves that id out, and one
    without sequence stands for the first (as a start) or the last (as an end) of its millisecond.
    """
    first = _bound(start, 0, +1, Text.INVALID_START)
    last = _bound(end, _MAX_HALF, -1, Text.INVALID_END)
    lowest = _at_least(first)
    return (lowest, _at_most(last)) if lowest <= MAX_ID else (MAX_ID, 0)


def start_id(word: bytes) -> int:
    """Return the first id of a range that has no end: see `interval`."""
    return min(_at_least(_bound(word, 0, +1, Text.INVALID_START)), MAX_ID)


def _bound(word: bytes, missing: int, step: int, error: str) -> int:
    """Return one end of a range as one number of 128 bits; `step` leads into the range."""
    if word in (b"-", b"+"):
        return 0 if word == b"-" else _MAX_WHOLE
    exclusive = word[:1] == b"("
    milliseconds, sequence = id_halves(word[exclusive:], missing)
    whole = (milliseconds << _HALF_BITS | sequence) + (step if exclusive else 0)
    if not 0 <= whole <= _MAX_WHOLE:
        raise CommandError(error)
    return whole


def _at_least(whole: int) -> int:
    """Return the lowest id that a task can have from this one on; above MAX_ID there is none."""
    milliseconds, sequence = whole >> _HALF_BITS, whole & _MAX_HALF
    lowest = (milliseconds << SEQUENCE_BITS) + min(sequence, MAX_SEQUENCE + 1)
    return min(lowest, MAX_ID + 1)


def _at_most(whole: int) -> int:
    """Return the highest id that a task can have up to this one."""
    milliseconds, sequence = whole >> _HALF_BITS, whole & _MAX_HALF
    return min(milliseconds << SEQUENCE_BITS | min(sequence, MAX_SEQUENCE), MAX_ID)
