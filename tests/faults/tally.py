"""What a campaign comes to: one row of the table that `make soak` prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tally:
    """What was tried, and what was lost by it."""

    faults: int = 0
    """Crashes, errors, cut links, clock jumps … that the server was put through."""
    operations: int = 0
    """Commands that were answered meanwhile."""
    bad_inputs: int = 0
    """Inputs that no honest client sends."""
    lost: int = 0
    """Answered pushes that are gone, and whatever else the books do not account for."""
    note: str = ""
    """What else a reader should know, such as why a part was skipped."""

    def __add__(self, other: Tally) -> Tally:
        notes = dict.fromkeys(note for note in (self.note, other.note) if note)
        return Tally(
            self.faults + other.faults,
            self.operations + other.operations,
            self.bad_inputs + other.bad_inputs,
            self.lost + other.lost,
            "; ".join(notes),
        )
