"""How much room the disk has, and whether new tasks are still welcome on it.

A full disk stops acks, too: SQLite needs room to write down that a task is done. So pushes are
refused while some is left, and workers go on and make more. Nobody has to do anything when there is
space again: the next push sees it.

To what has to be free comes as much as the write-ahead log is long. All of it may be new pages, for
which the database has to grow when they are brought in, and until they are the log cannot begin
anew. When pushes begin to be refused they are brought in at once, while there is room.

Where nothing is kept free, or other programs take it, the disk becomes really full. Only a commit
that fails tells; of that, too, a person is told once, and once when it is over.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from ezra.sansio.errors import Text
from ezra.sansio.model import SECOND

log = logging.getLogger(__name__)

LOOK_EVERY = SECOND // 100
"""Microseconds between two looks at the disk: too few to write much, and enough that looking costs
nothing."""


ROOM_AGAIN = 1024 * 1024
"""Bytes that are free when a disk is not full any more. With less a push may find room in what the
log has, and the next one none: it would be told of again and again."""


def free_bytes(directory: Path) -> int:
    """Return how much an ordinary user can still write there."""
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


class FreeSpace:
    """Belongs to whoever leads the commit, but for `refusing` and `free`, which anybody may ask.

    Args:
        directory: where the database is.
        least: bytes that have to be free for a push; 0 for none.
        log_size: tells how long the write-ahead log is, in bytes.
        probe: tells how many are free. It may raise OSError; nothing is changed then.
    """

    def __init__(
        self,
        directory: Path,
        least: int,
        log_size: Callable[[], int],
        probe: Callable[[Path], int] = free_bytes,
    ) -> None:
        self.refusing = False
        """Whether pushes are refused, as far as is known."""
        self._directory = directory
        self._least = least
        self._log_size = log_size
        self._probe = probe
        self._next_look = 0
        self._refusal: str | None = None
        self._began = False
        self._full = False

    def refusal(self, now: int) -> str | None:
        """Return the error that a push is answered at a moment; None when it is welcome."""
        if self._least and now >= self._next_look:
            self._next_look = now + LOOK_EVERY
            self._look()
        return self._refusal

    def began(self) -> bool:
        """Say, once, that pushes have begun to be refused since this was asked last."""
        began, self._began = self._began, False
        return began

    def expect_change(self) -> None:
        """Have the next push look at the disk, whenever it comes."""
        self._next_look = 0

    def ran_out(self) -> None:
        """Note that a commit has found no room, and tell a person."""
        if not self._full:
            log.warning("the disk is full: what needs room on it is refused")
        self._full = True

    def had_room(self) -> None:
        """Note that a push has found room, and tell a person if it is over."""
        if self._full and (free := self.free()) >= ROOM_AGAIN:
            log.warning("the disk has room again: %d bytes are free", free)
            self._full = False

    def free(self) -> int:
        """Return how many bytes are free now; 0 where that cannot be told."""
        try:
            return self._probe(self._directory)
        except OSError:
            return 0

    def _look(self) -> None:
        try:
            free = self._probe(self._directory)
        except OSError:
            return
        least = self._least + self._log_size()
        short = free < least
        self._refusal = Text.LOW_ON_SPACE.format(free=free, least=least) if short else None
        if short and not self.refusing:
            self._began = True
            log.warning("pushes are refused: %d bytes are free, fewer than %d", free, least)
        elif self.refusing and not short:
            log.warning("pushes are accepted again: %d bytes are free", free)
        self.refusing = short
