"""The server's settings: frozen, validated, in the units that the rest of the program uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ezra.sansio.access import Access
from ezra.sansio.commands.arguments import MAX_ATTEMPTS, MAX_SECONDS
from ezra.sansio.model import MILLISECOND, SECOND, Defaults

MEMORY: Literal[":memory:"] = ":memory:"
"""The data directory that stands for no directory: tasks live as long as the process."""

MAX_PORT = 65_535

MAX_CLIENTS = 1_000_000
"""More threads than any machine will run; the limit of open files comes first."""

MAX_DURATION = MAX_SECONDS * SECOND
"""The longest duration, in microseconds."""

MAX_PAYLOAD_BYTES = 512 * 1024 * 1024
"""Redis' own limit for one value, and well under what SQLite stores in one field (10⁹ bytes)."""

MEBIBYTE = 1024 * 1024

MAX_BUFFER_BYTES = 2**50
"""More memory than any machine has."""

PASSWORDS = ("password", "push_password", "work_password")
"""The settings that nobody is to see; an error about one of them never shows it."""

MAX_FREE_BYTES = 2**63 - 1
"""More than there is on any disk: whoever wants no pushes at all may say so."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a server can be told. Durations are microseconds.

    Raises:
        ValueError, TypeError: a setting is none that there is; the text names the field first.
    """

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
    max_buffer_bytes: int | None = None
    """For what all clients together have on its way, requests and replies; None is a quarter of the
    machine's memory."""
    min_free_bytes: int = 64 * 1024 * 1024
    """Free space on the disk below which pushes are refused; 0 never refuses."""
    password: str | None = field(default=None, repr=False)
    """None where nobody needs one. The two others may push only, or work only."""
    push_password: str | None = field(default=None, repr=False)
    work_password: str | None = field(default=None, repr=False)
    protected_mode: bool = True
    """Whether only the loopback is served as long as there is no password."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    """Whose certificates clients must show."""
    idle_timeout: int | None = None
    """After how long without a word a client that waits for nothing is cut off; None for never."""

    def __post_init__(self) -> None:
        """Check every field's range."""
        check_range("port", self.port, 0, MAX_PORT)
        check_range("scheduler", self.scheduler, MILLISECOND, MAX_DURATION)
        check_range("max_clients", self.max_clients, 1, MAX_CLIENTS)
        check_range("max_payload_bytes", self.max_payload_bytes, 1, MAX_PAYLOAD_BYTES)
        if self.max_buffer_bytes is not None:
            check_range("max_buffer_bytes", self.max_buffer_bytes, MEBIBYTE, MAX_BUFFER_BYTES)
        if self.idle_timeout is not None:
            check_range("idle_timeout", self.idle_timeout, MILLISECOND, MAX_DURATION)
        check_range("min_free_bytes", self.min_free_bytes, 0, MAX_FREE_BYTES)
        check_range("visibility_timeout", self.defaults.visibility_timeout, 1, MAX_DURATION)
        check_range("max_attempts", self.defaults.max_attempts, 1, MAX_ATTEMPTS)
        check_range("retry_delay", self.defaults.retry_delay, 0, MAX_DURATION)
        if self.defaults.retention is not None:
            check_range("retention", self.defaults.retention, 0, MAX_DURATION)
        if self.synchronous not in ("full", "normal"):
            raise ValueError(f"synchronous must be full or normal, not {self.synchronous!r}")
        if not self.host:
            raise ValueError("host must not be empty")
        if not str(self.data_dir):
            raise ValueError("data_dir must not be empty")
        for name in PASSWORDS:
            if not isinstance(getattr(self, name), str | None):
                raise TypeError(f"{name} must be a str")
        if not isinstance(self.protected_mode, bool):
            raise TypeError(f"protected_mode must be True or False, not {self.protected_mode!r}")
        _ = self.access
        check_tls(self)

    @property
    def access(self) -> Access:
        """Who gets in, and as whom."""
        return Access.of(self.password, self.push_password, self.work_password)


def check_tls(settings: Settings) -> None:
    """Raise ValueError unless what TLS needs is there together."""
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise ValueError("tls_cert and tls_key belong together: give both, or neither")
    if settings.tls_client_ca is not None and settings.tls_cert is None:
        raise ValueError("tls_client_ca needs tls_cert and tls_key beside it")


def check_range(name: str, value: int, lowest: int, highest: int) -> None:
    """Raise an error that names the field unless the value lies within the bounds."""
    if not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if not lowest <= value <= highest:
        raise ValueError(f"{name} must be from {lowest} to {highest}, not {value}")
