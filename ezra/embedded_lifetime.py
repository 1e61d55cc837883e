"""The engine of an embedded queue and its port, from opening to closing or to a failed storage.

Such a failure is reported in the thread that noticed it, a client's or the timer's, in which the
port and the engine cannot be ended. So another waits for it, ends the port and tells the owner.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from ezra.sansio.errors import EngineClosed, EngineError, EzraError
from ezra.threaded.clock import Clock
from ezra.threaded.engine import Engine
from ezra.threaded.server import Server
from ezra.threaded.service import open_engine
from ezra.threaded.settings import Settings


class Lifetime:
    """An engine, and a server beside it if one is wanted. Any thread may use it.

    Args:
        settings: what was asked for.
        clock: tells the time.
        on_failure: called once if the storage fails, after the port has ended.
        port: whether there is to be one.

    Raises:
        EzraError: the engine or the port cannot be opened; nothing is left open.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        on_failure: Callable[[EzraError], object] | None,
        *,
        port: bool,
    ) -> None:
        self._on_failure = on_failure
        self._failure: EngineError | None = None
        self._over = threading.Event()
        """Set when the storage has failed, and at the end."""
        self._closing = threading.Lock()
        self._engine = open_engine(settings, clock, self._fail)
        self._server = self._open_port(settings, clock) if port else None
        # There before it is needed: a process in trouble may not get another.
        threading.Thread(target=self._see_to_failure, name="ezra-failure", daemon=True).start()

    @property
    def address(self) -> tuple[str, int] | None:
        """The host and port of the server; None without one, or once it has ended."""
        server = self._server
        return server.address if server else None

    @property
    def engine(self) -> Engine:
        """The engine, open or closed.

        Raises:
            EngineClosed: its storage has failed.
        """
        if self._failure is not None:
            raise EngineClosed(
                "the storage has failed: nothing was done, and nothing will be; close this Ezra, "
                "and open the directory anew in another process"
            ) from self._failure
        return self._engine

    def close(self) -> None:
        """End the port, then the engine. Calling it again does nothing.

        Raises:
            EngineError: as the engine's `close`.
        """
        with self._closing:
            self._close_port()
            try:
                self._engine.close()
            finally:
                self._over.set()

    def _open_port(self, settings: Settings, clock: Clock) -> Server:
        try:
            server = Server(settings, self._engine, clock)
        except EzraError:
            self._engine.close()
            raise
        server.start()
        return server

    def _close_port(self) -> None:
        """End the port and its clients, if that is still to be done. Needs `_closing`."""
        server, self._server = self._server, None
        if server:
            server.stop()

    def _fail(self, error: EngineError) -> None:
        """Take note that the storage has failed. May be called by a thread that is to end."""
        self._failure = error
        self._over.set()

    def _see_to_failure(self) -> None:
        """When the storage has failed, end the port and tell the owner."""
        self._over.wait()
        if self._failure is None:
            return  # closed in order
        with self._closing:
            self._close_port()
        if self._on_failure:
            self._on_failure(self._failure)
