"""The server's settings: frozen, validated, in the units that the rest of the program uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ezra.sansio.model import Defaults

MEMORY = ":memory:"
"""The data directory that stands for no directory: tasks live as long as the process."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a server can be told. Durations are microseconds."""

    data_dir: Path | Literal[":memory:"] = Path("ezra-data")
    host: str = "127.0.0.1"
    port: int = 42002
    """0 picks a free one."""
    defaults: Defaults = field(default_factory=Defaults)
    scheduler: int = 5_000_000
    """The longest pause between two sweeps."""
    synchronous: Literal["full", "normal"] = "full"
    """Whether a commit is fsynced before it is answered, or at checkpoints only."""
    max_clients: int = 10_000
    max_payload_bytes: int = 16 * 1024 * 1024
