"""A server in the test's own process: its engine and its clock are there to be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from ezra.threaded.clock import Clock
from ezra.threaded.deadlines import Deadlines
from ezra.threaded.engine import Engine
from ezra.threaded.memory_engine import MemoryEngine
from ezra.threaded.server import Server
from ezra.threaded.service import open_engine
from ezra.threaded.settings import Settings
from ezra.threaded.sqlite.engine import SqliteEngine
from tests.integration.raw_client import RawClient
from tests.integration.waiting import until


class LocalServer:
    """Serves on a free port from its making to `stop`."""

    def __init__(
        self, settings: Settings, clock: Clock, deadlines: Deadlines | None = None
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.engine: Engine = open_engine(settings, clock)
        self.server = Server(settings, self.engine, clock, deadlines)
        self.server.start()
        self._stopped = False
        self._clients: list[RawClient] = []

    @property
    def address(self) -> tuple[str, int]:
        """Where it serves."""
        return self.server.address

    @property
    def database(self) -> Path:
        """The database's file."""
        return Path(self.settings.data_dir) / "ezra.db"

    def client(self, *, protocol: int = 2) -> RawClient:
        """Return a new connection, which is closed with the server."""
        client = RawClient(self.address, protocol=protocol)
        self._clients.append(client)
        return client

    @property
    def blocked(self) -> int:
        """How many claims wait for a task."""
        if isinstance(self.engine, MemoryEngine):
            return len(self.engine._parked)
        assert isinstance(self.engine, SqliteEngine)
        return len(self.engine._committer._parked)

    def until_blocked(self, workers: int) -> None:
        """Return when exactly so many workers wait for a task."""
        until(lambda: self.blocked == workers, f"{workers} blocked workers")

    def stop(self) -> None:
        """Shut down in order. Calling it again does nothing."""
        if self._stopped:
            return
        self._stopped = True
        self.server.stop()
        self.engine.close()
        for client in self._clients:
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
