"""What a driver tells about itself, so that commands about the server are answered purely.

INFO, CLIENT LIST, CONFIG GET and their like need to know what only a driver can: its clients, its
process, the time. A driver implements `Host`; `ServerCommand.answer` asks it, and everything else
about those commands (parsing, choosing, the shapes of replies) stays in the core.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ezra.sansio.model import QueueInfo
from ezra.sansio.session import Session


@dataclass(frozen=True, slots=True)
class Recovered:
    """What an engine found when it opened its file."""

    queues: int
    waiting: int
    dead: int
    put_back: int
    """Tasks that were in flight and wait again."""
    died: int
    """Tasks that were in flight and had no attempts left."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change while the server runs."""

    started_at: int
    """Unix microseconds."""
    process_id: int
    run_id: str
    """40 hexadecimal digits that no other run of a server has."""
    system: str
    """The operating system and the machine, as `Linux 6.1.0 x86_64`."""
    python: str
    """The Python that runs it, as `CPython 3.11.2`."""
    host: str
    """The address that it serves."""
    port: int
    max_clients: int
    max_payload: int
    """Bytes."""
    engine: str
    """`sqlite` or `memory`."""
    synchronous: Literal["full", "normal", "off"]
    """Whether a reply means that it is on disk; off where there is no disk."""
    data_dir: str
    """Empty where there is none."""
    recovered: Recovered | None = None
    """None where there is nothing to recover from."""
    max_buffers: int = 0
    """Bytes of requests and replies that all clients may have on their way."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the server has taken and done up to now."""

    memory: int
    """Bytes of memory that the process has."""
    memory_peak: int
    """The most that it ever had."""
    system_time: int
    """Processor time in the kernel, in microseconds."""
    user_time: int
    """The rest of its processor time."""
    database: int
    """Bytes of the database's files; 0 where there is none."""
    connections: int
    """Clients that were accepted since the start, or since CONFIG RESETSTAT; as are the rest."""
    rejected: int
    """Clients that were refused because there were too many."""
    commands: int
    """Commands that were carried out."""
    errors: int
    """Commands that were answered with an error."""
    buffers: int = 0
    """Bytes of large requests and replies that are on their way just now."""
    wal: int = 0
    """Bytes of the database that are its write-ahead log's."""
    disk_free: int = 0
    """Bytes that are free where the database is; 0 where there is none."""
    pushes_refused: bool = False
    """Whether pushes are refused because those are too few."""


class Host(ABC):
    """A driver, as the commands about the server see it. Any thread may ask."""

    @property
    @abstractmethod
    def facts(self) -> Facts:
        """What does not change."""

    @abstractmethod
    def now(self) -> int:
        """Return the present moment in Unix microseconds."""

    @abstractmethod
    def usage(self) -> Usage:
        """Return what was taken and done up to now."""

    @abstractmethod
    def queues(self) -> Iterable[QueueInfo]:
        """Return the books of all queues, by name; they are gone through once.

        Raises:
            EngineError: the engine cannot be read.
        """

    @abstractmethod
    def clients(self) -> Sequence[Session]:
        """Return who is connected, in the order in which they came."""

    @abstractmethod
    def kill(self, client: Session) -> None:
        """End a client's connection: at once, or after its reply where the client asks itself."""

    @abstractmethod
    def unblock(self, client: Session, *, error: bool) -> bool:
        """End a client's wait for a task, with null or with an error; tell whether it waited."""

    @abstractmethod
    def back_up(self, name: str) -> tuple[str, int]:
        """Write a backup of this name; return its path and its bytes.

        Raises:
            CommandError: none was made, and nothing is left of it.
        """

    @abstractmethod
    def reset_counters(self) -> None:
        """Count connections, commands and errors from 0 again."""
