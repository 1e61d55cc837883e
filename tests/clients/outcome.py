"""What came of one run of a client's program."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from tests.clients.catalogue import SCENARIOS, Client


@dataclass(slots=True)
class Outcome:
    """Filled in line by line while the program runs, and closed when it has ended."""

    client: Client
    protocol: int
    version: str = ""
    """What the program says that the library is."""
    passed: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """One line each: a scenario and what went wrong, or what kept the program from its end."""

    @property
    def good(self) -> bool:
        """Say whether every scenario passed and nothing else went wrong."""
        return not self.failures and self.passed == list(SCENARIOS)

    def take_in(self, line: str) -> None:
        """Note what a line of the program's output says."""
        word, _, rest = line.partition(" ")
        match word:
            case "version":
                self.version = rest
            case "ok":
                self.passed.append(rest)
            case "FAIL":
                self.failures.append(rest)
            case _:
                self.failures.append(f"unexpected output: {line}")

    def close(self) -> None:
        """Name the scenarios of which nothing was heard, and a version that was not promised."""
        heard = {*self.passed, *(failure.partition(":")[0] for failure in self.failures)}
        missing = [scenario for scenario in SCENARIOS if scenario not in heard]
        if missing:
            self.failures.append(f"not reported: {', '.join(missing)}")
        if not fnmatchcase(self.version, self.client.version):
            self.failures.append(f"it is version {self.version}, and not {self.client.version}")
