"""The server as the commands about it see it: its clients, its process, its engine's books."""

from __future__ import annotations

import os
import platform
import resource
import secrets
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ezra.sansio.errors import CommandError, StartError, Text
from ezra.sansio.host import Facts, Host, Usage
from ezra.sansio.model import SECOND, QueueInfo
from ezra.sansio.session import Session
from ezra.threaded.budget import Budget
from ezra.threaded.clients import Clients
from ezra.threaded.clock import Clock
from ezra.threaded.engine import Engine
from ezra.threaded.handler import Handler
from ezra.threaded.settings import MEMORY, Settings
from ezra.threaded.sqlite.backup import BACKUPS, back_up
from ezra.threaded.sqlite.database import DATABASE_FILE
from ezra.threaded.sqlite.engine import SqliteEngine
from ezra.threaded.sqlite.place import real_path
from ezra.threaded.sqlite.probe import companion, size_of

STATM = Path("/proc/self/statm")
"""Where Linux tells a process how many pages of memory it has; the second number is meant."""

PEAK_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the most memory is told: macOS counts bytes, the others kilobytes."""


class ServerHost(Host):
    """What one server tells about itself."""

    def __init__(
        self,
        settings: Settings,
        address: tuple[str, int],
        engine: Engine,
        clock: Clock,
        clients: Clients,
        budget: Budget,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._clock = clock
        self._clients = clients
        self._budget = budget
        self._facts = gather(settings, address, engine, clock.now(), budget.limit)

    @property
    def facts(self) -> Facts:
        """What does not change."""
        return self._facts

    def now(self) -> int:
        """Return the present moment."""
        return self._clock.now()

    def usage(self) -> Usage:
        """Return what was taken and done up to now."""
        process = resource.getrusage(resource.RUSAGE_SELF)
        peak = process.ru_maxrss * PEAK_UNIT
        used = memory(peak)
        totals = self._clients.totals()
        wal = self._file_size("-wal")
        engine = self._engine
        space = engine.space if isinstance(engine, SqliteEngine) else None
        return Usage(
            memory=used,
            memory_peak=max(peak, used),  # the two are counted at different moments
            system_time=round(process.ru_stime * SECOND),
            user_time=round(process.ru_utime * SECOND),
            database=self._file_size() + wal,
            connections=totals.connections,
            rejected=totals.rejected,
            commands=totals.commands,
            errors=totals.errors,
            buffers=self._budget.used,
            wal=wal,
            disk_free=space.free() if space else 0,
            pushes_refused=space is not None and space.refusing,
        )

    def queues(self) -> Iterator[QueueInfo]:
        """Return the books of all queues, by name."""
        return self._engine.books()

    def clients(self) -> Sequence[Session]:
        """Return who is connected."""
        return self._clients.sessions()

    def kill(self, client: Session) -> None:
        """End a client's connection; the one that asks gets its reply."""
        self._clients.tell(client, _end)  # or it went by itself

    def unblock(self, client: Session, *, error: bool) -> bool:
        """End a client's wait for a task; tell whether it waited."""
        return self._clients.tell(client, lambda handler: handler.unblock(error=error))

    def back_up(self, name: str) -> tuple[str, int]:
        """Write a backup of this name, in the thread that asks, beside all others' work."""
        if self._settings.data_dir == MEMORY:
            raise CommandError(Text.BACKUP_OF_MEMORY)
        directory = Path(self._settings.data_dir).absolute()
        target = directory / BACKUPS / name
        reserve = self._settings.min_free_bytes
        return str(target), back_up(self._database(), target, reserve=reserve)

    def reset_counters(self) -> None:
        """Count from 0 again."""
        self._clients.reset()

    def _file_size(self, suffix: str = "") -> int:
        """Return the bytes of the database, or of the file beside it with that suffix."""
        if self._settings.data_dir == MEMORY:
            return 0
        with suppress(StartError, OSError):  # a link that leads nowhere any more
            return size_of(companion(self._database(), suffix))
        return 0

    def _database(self) -> Path:
        return real_path(Path(self._settings.data_dir, DATABASE_FILE).absolute())


def _end(handler: Handler) -> bool:
    if handler.thread == threading.get_ident():
        handler.stop()
    else:
        handler.cut()
    return True


def gather(
    settings: Settings, address: tuple[str, int], engine: Engine, now: int, max_buffers: int
) -> Facts:
    """Return what does not change while a server runs that starts now."""
    on_disk = isinstance(engine, SqliteEngine)
    system = platform.uname()
    host, port = address
    return Facts(
        started_at=now,
        process_id=os.getpid(),
        run_id=secrets.token_hex(20),
        system=f"{system.system} {system.release} {system.machine}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        host=host,
        port=port,
        max_clients=settings.max_clients,
        max_payload=settings.max_payload_bytes,
        max_buffers=max_buffers,
        engine="sqlite" if on_disk else "memory",
        synchronous=settings.synchronous if on_disk else "off",
        data_dir=str(Path(settings.data_dir).absolute()) if on_disk else "",
        recovered=engine.recovered if isinstance(engine, SqliteEngine) else None,
    )


def memory(peak: int) -> int:
    """Return the bytes of memory that the process has now; where nothing tells them, the most."""
    try:
        pages = int(STATM.read_text(encoding="ascii").split()[1])
    except OSError:
        return peak
    return pages * resource.getpagesize()
