"""A driver that tells what a test makes up, and notes what it was asked to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ezra.sansio.host import Facts, Host, Recovered, Usage
from ezra.sansio.model import SECOND, QueueInfo
from ezra.sansio.session import Session

NOW = 1_700_000_000 * SECOND
FACTS = Facts(
    started_at=NOW - 90_061 * SECOND,
    process_id=4711,
    run_id="f" * 40,
    system="Linux 6.1 x86_64",
    python="CPython 3.11.2",
    host="127.0.0.1",
    port=42002,
    max_clients=100,
    max_payload=1024,
    engine="sqlite",
    synchronous="full",
    data_dir="/data",
    recovered=Recovered(1, 2, 3, 4, 5),
)
USAGE = Usage(
    *(1536, 5 * 1024**2, 250_000, 1_500_000, 4096, 7, 1, 20, 2),
    buffers=512,
    wal=1024,
    disk_free=65536,
    pushes_refused=True,
)


class FakeHost(Host):
    """Stands still."""

    def __init__(self, *clients: Session, queues: Sequence[QueueInfo] = ()) -> None:
        self.killed: list[int] = []
        self.unblocked: list[tuple[int, bool]] = []
        self.resets = 0
        self.backups: list[str] = []
        self._facts = FACTS
        self._clients = clients
        self._queues = queues

    def change(self, **facts: object) -> None:
        """Make some of the facts others."""
        self._facts = replace(self._facts, **facts)  # type: ignore[arg-type]  # the test knows them

    @property
    def facts(self) -> Facts:
        """What does not change."""
        return self._facts

    def now(self) -> int:
        """Return the one moment."""
        return NOW

    def usage(self) -> Usage:
        """Return what was made up."""
        return USAGE

    def queues(self) -> Sequence[QueueInfo]:
        """Return the test's queues."""
        return self._queues

    def clients(self) -> Sequence[Session]:
        """Return the test's clients."""
        return self._clients

    def kill(self, client: Session) -> None:
        """Note it."""
        self.killed.append(client.id)

    def unblock(self, client: Session, *, error: bool) -> bool:
        """Note it; who is blocked was."""
        self.unblocked.append((client.id, error))
        return client.blocked

    def back_up(self, name: str) -> tuple[str, int]:
        """Note it; the size is made up."""
        self.backups.append(name)
        return f"/data/backups/{name}", 4096

    def reset_counters(self) -> None:
        """Note it."""
        self.resets += 1
