"""The options that trim a stream, which XADD and XTRIM share: MAXLEN, MINID and their like.

They are checked as Redis checks them, wherever they stand among the others.
"""

from __future__ import annotations

from ezra.sansio.commands.arguments import Words, id_halves, integer, start_id
from ezra.sansio.errors import CommandError, Text

REFERENCES = frozenset((b"KEEPREF", b"DELREF", b"ACKED"))
"""What Redis is to do with a group's reference to what it drops. EZRA never drops a task that
somebody has, so they are taken and mean nothing."""


class Trimming:
    """What the options ask for, as they are taken one by one."""

    __slots__ = ("_approximate", "_limit", "below", "keep")

    def __init__(self) -> None:
        self.keep: int | None = None
        """MAXLEN: so many stay."""
        self.below: int | None = None
        """MINID: only ids below this one go."""
        self._approximate = False
        self._limit: int | None = None

    @property
    def given(self) -> bool:
        """Whether there was a MAXLEN or a MINID."""
        return self.keep is not None or self.below is not None

    @property
    def most(self) -> int | None:
        """At most so many go; None for all. LIMIT 0 is no limit, as in Redis."""
        return self._limit or None

    def take(self, option: bytes, words: Words) -> bool:
        """Take what follows the option, in capitals, if it is one of these; tell whether it is."""
        if option in (b"MAXLEN", b"MINID"):
            self._take_threshold(option, words)
        elif option == b"LIMIT":
            self._limit = _not_negative(words.take(), Text.NEGATIVE_LIMIT)
        else:
            return option in REFERENCES
        return True

    def check(self) -> None:
        """Check what can only be said of all options together.

        Raises:
            CommandError: there is a LIMIT where none may be.
        """
        if self._limit is not None and not self._approximate:
            text = Text.LIMIT_NEEDS_APPROXIMATE if self.given else Text.LIMIT_NEEDS_TRIM
            raise CommandError(text)

    def _take_threshold(self, option: bytes, words: Words) -> None:
        if self.given:
            raise CommandError(Text.TWO_TRIMS)
        self._approximate = words.take_if(b"~")
        if not self._approximate:
            words.take_if(b"=")
        word = words.take()
        if option == b"MAXLEN":
            self.keep = _not_negative(word, Text.NEGATIVE_MAXLEN)
        else:
            id_halves(word)  # an id and nothing else: not -, not (id
            self.below = start_id(word)


def _not_negative(word: bytes, error: str) -> int:
    number = integer(word)
    if number < 0:
        raise CommandError(error)
    return number
