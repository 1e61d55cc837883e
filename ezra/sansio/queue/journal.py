"""How a transaction is undone: the changes it made, each with what puts it back.

Whoever changes something that a roll-back must restore notes how, right when it does so. Outside a
transaction nothing is kept. What a transaction costs is proportional to what it touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Journal:
    """What undoes the transaction that is running, if one is."""

    __slots__ = ("_undo",)

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] | None = None

    def note(self, undo: Callable[[], object]) -> None:
        """Keep what undoes a change, in case that the transaction fails."""
        if self._undo is not None:
            self._undo.append(undo)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo everything that was noted inside, the last change first, if an exception leaves it.

        One inside another is undone alone, or with the other one.
        """
        around, self._undo = self._undo, []
        changes = self._undo
        try:
            yield
        except BaseException:
            # What undoes must not be noted itself.
            self._undo = None
            while changes:
                changes.pop()()
            raise
        finally:
            if around is not None:
                around.extend(changes)
            self._undo = around
