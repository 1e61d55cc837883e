"""The books of one run: what was pushed, claimed and acked, and whether it adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bench.client import BenchError


class Ledger:
    """What the scripts of one run have seen. Cheap to write, verified when the run is over."""

    def __init__(self, producers: int = 0) -> None:
        """Begin with that many producers still pushing."""
        self.producing = producers
        self.pushed: list[object] = []
        self.claimed: list[object] = []
        self.acked = 0

    def note_claimed(self, ids: list[bytes]) -> None:
        """Enter the ids of a claim's tasks."""
        self.claimed += ids

    def note_acked(self, reply: object, expected: int) -> None:
        """Enter an ack's reply; BenchError unless it acked all the tasks that it named."""
        if reply != expected:
            raise BenchError(f"an ack of {expected} tasks was answered {reply!r}")
        self.acked += expected

    def all_acked(self) -> bool:
        """Say whether all producers have ended and everything they pushed was acked."""
        return not self.producing and self.acked >= len(self.pushed)

    def all_pushed(self) -> bool:
        """Say whether all producers have ended."""
        return not self.producing

    def verify_pushed(self) -> None:
        """Raise BenchError unless every push was answered with an id of its own."""
        for reply in self.pushed:
            if type(reply) is not bytes:
                raise BenchError(f"a push was answered {reply!r}, which is no id")
        _refuse(_doubled(self.pushed), "answered to two pushes")

    def verify(self) -> None:
        """Raise BenchError unless every task pushed was claimed exactly once and acked."""
        self.verify_pushed()
        _refuse(_doubled(self.claimed), "claimed twice")
        _refuse(set(self.claimed) - set(self.pushed), "claimed, but never pushed")
        _refuse(set(self.pushed) - set(self.claimed), "lost: pushed, but never claimed")
        if self.acked != len(self.claimed):
            raise BenchError(f"{len(self.claimed)} tasks were claimed, {self.acked} acked")


def _doubled(ids: Iterable[object]) -> set[object]:
    return {task_id for task_id, times in Counter(ids).items() if times > 1}


def _refuse(ids: set[object], what: str) -> None:
    if ids:
        raise BenchError(f"{len(ids)} ids were {what}, such as {min(ids, key=repr)!r}")
