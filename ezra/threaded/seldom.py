"""Events that anybody may cause as often as they like, and a log that they must not fill.

Of each kind one line is written, and then none for a while; the next line says how many there were
in between.
"""

from __future__ import annotations

import logging
import threading

from ezra.sansio.model import SECOND
from ezra.threaded.clock import Clock

log = logging.getLogger(__name__)

SILENCE = 10 * SECOND
"""Microseconds between two lines."""


class Seldom:
    """Writes one kind of event. Any thread may use it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._next = 0
        self._left_out = 0

    def warning(self, text: str, *values: object) -> None:
        """Write a warning, unless one was written just now."""
        self._write(logging.WARNING, text, *values)

    def error(self, text: str, *values: object) -> None:
        """Write an error, unless one was written just now."""
        self._write(logging.ERROR, text, *values)

    def _write(self, level: int, text: str, *values: object) -> None:
        with self._lock:
            now = self._clock.now()
            if now < self._next:
                self._left_out += 1
                return
            self._next = now + SILENCE
            before, self._left_out = self._left_out, 0
        if before:
            text += f" (and {before} like it before)"
        log.log(level, text, *values)
