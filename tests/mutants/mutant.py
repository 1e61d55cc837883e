"""What a mutant is: a piece of text in one file, and what stands there instead."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mutant:
    """One promise, broken."""

    name: str
    """What it breaks."""
    file: str
    """Relative to the tree."""
    old: str
    """Stands in the file exactly once."""
    new: str
    tests: str
    """The files that should notice, blanks between them, the quickest first."""

    def mutate(self, text: str) -> str:
        """Return the file's text, broken.

        Raises:
            AssertionError: the mutant has gone stale.
        """
        found = text.count(self.old)
        assert found == 1, f"{self.name}: {self.file} has its text {found} times: {self.old!r}"
        mutated = text.replace(self.old, self.new)
        compile(mutated, self.file, "exec")
        return mutated

    def apply(self, tree: Path) -> str:
        """Break the file in a tree; return what it was."""
        path = tree / self.file
        text = path.read_text(encoding="utf-8")
        path.write_text(self.mutate(text), encoding="utf-8")
        return text
