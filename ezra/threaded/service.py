"""A whole server in the foreground: opens the engine and the port, waits for a reason to end.

Signals have no handlers here. Every thread blocks them, so that they stay with the process, and the
main thread does nothing but take the first (`sigwait`). With handlers, which Python carries out in
the main thread only, one that comes just before that thread goes to sleep would have to wait until
something else wakes it. An engine whose storage fails sends such a signal, too, and leaves a note.
Until the engine is open, a thread beside it takes them and ends the process.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from ezra.sansio.errors import EngineError, EzraError
from ezra.threaded.budget import budget_of
from ezra.threaded.clock import Clock, SystemClock
from ezra.threaded.engine import Engine
from ezra.threaded.memory_engine import MemoryEngine
from ezra.threaded.process import fit_files, one_core, warn_of_limits
from ezra.threaded.server import Server, is_loopback, needs_protection, show_address
from ezra.threaded.settings import MEMORY, Settings
from ezra.threaded.sqlite.engine import SqliteEngine
from ezra.threaded.sqlite.schema import library_warning
from ezra.version import VERSION

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)

STEP = 0.1
"""Seconds after which it is seen, at the latest, that the engine is open."""

LAST_RESORT = 10.0
"""Seconds that an orderly end has after the storage has failed: it takes three, unless it hangs."""


def serve(settings: Settings) -> int:
    """Serve until a signal comes or the storage fails; return the exit code.

    To be called in the main thread, as Python's signals want it.
    """
    failures: list[EngineError] = []
    clock = SystemClock()
    failed = threading.Event()
    waiting = threading.get_ident()

    def fail(error: EngineError) -> None:
        failures.append(error)
        failed.set()
        signal.pthread_kill(waiting, signal.SIGTERM)

    settings = fit_files(settings)
    warn_of_limits(settings)
    try:
        with (
            one_core(),
            signals_held(),
            ended_after(failed),
            closing(open_unless_told_to_end(settings, clock, fail)) as engine,
        ):
            server = Server(settings, engine, clock)
            warn_of_strangers(settings, server.address)
            warning = library_warning()
            if warning and isinstance(engine, SqliteEngine):
                log.warning("%s", warning)
            number = serve_until_signal(server, describe(settings, engine))
    except EzraError as error:
        log.critical("%s", error)
        return 1
    if failures:
        log.critical("the storage failed: %s", failures[0])
        return 1
    log.info("stopped after %s", number.name)
    return 0


def open_unless_told_to_end(
    settings: Settings, clock: Clock, failed: Callable[[EngineError], None]
) -> Engine:
    """Open the engine; a signal meanwhile ends the process where it is.

    Looking through a large database, or waiting for a lock of another program, may take long. To be
    cut off there is as safe as `kill -9` is, and nobody is served yet.
    """
    opened = threading.Event()

    def listen() -> None:
        while not opened.is_set():
            taken = signal.sigtimedwait(SIGNALS, STEP)
            if taken is None:
                continue
            if opened.is_set():
                os.kill(os.getpid(), taken.si_signo)  # it is for who waits now
            else:
                name = signal.Signals(taken.si_signo).name
                log.info("stopped after %s, before anything was served", name)
                os._exit(0)

    threading.Thread(target=listen, name="ezra-start", daemon=True).start()
    try:
        return open_engine(settings, clock, failed)
    finally:
        opened.set()


def serve_until_signal(server: Server, data: str) -> signal.Signals:
    """Serve clients until there is a signal to end; return it when all of them have gone."""
    where = show_address(*server.address)
    server.start()
    log.info("EZRA %s serves %s, %s", VERSION, where, data)
    number = signal.Signals(signal.sigwait(SIGNALS))
    server.stop()
    return number


def warn_of_strangers(settings: Settings, address: tuple[str, int]) -> None:
    """Say at start what those who reach the port from elsewhere may do, if that is worth a word."""
    if is_loopback(address[0]):
        return
    where = show_address(*address)
    known = settings.access.needed or settings.tls_client_ca is not None
    if needs_protection(settings):
        log.warning(
            "%s refuses all clients but this machine's own: there is no password "
            "(protected mode; see --password-file, --tls-client-ca)",
            where,
        )
    elif not known:
        log.warning("whoever reaches %s may use it: there is no password", where)
    if settings.tls_cert is None:
        log.warning("%s is served without TLS: whoever is on the way reads along", where)


def open_engine(
    settings: Settings, clock: Clock, failed: Callable[[EngineError], None] = lambda _: None
) -> Engine:
    """Open the engine that the settings ask for; `failed` is called when its storage fails.

    Raises:
        EzraError: it cannot be opened; the text says why and what to do.
    """
    # What no client may hold, nobody needs to read.
    defaults = replace(settings.defaults, answer_size=budget_of(settings).share)
    if settings.data_dir == MEMORY:
        return MemoryEngine(defaults, clock, scheduler=settings.scheduler)
    return SqliteEngine(
        Path(settings.data_dir),
        defaults,
        clock,
        synchronous=settings.synchronous,
        scheduler=settings.scheduler,
        min_free_bytes=settings.min_free_bytes,
        on_failure=failed,
    )


def describe(settings: Settings, engine: Engine) -> str:
    """Return where the tasks are kept, how safely, and what was recovered from there."""
    if not isinstance(engine, SqliteEngine):
        return "tasks in memory only: they end with this process"
    found = engine.recovered
    return (
        f"data in {settings.data_dir} (synchronous {settings.synchronous}), recovered "
        f"{found.queues} queues with {found.waiting} waiting and {found.dead} dead tasks; "
        f"{found.put_back} that were in flight wait again, {found.died} died"
    )


@contextmanager
def ended_after(failed: threading.Event) -> Iterator[None]:
    """From that event on, have this end within `LAST_RESORT`, or the process with it.

    A disk that fails may never answer again, and a server that hangs in it is restarted by nobody.
    The thread is there before it is needed: a process in trouble may not get another.
    """
    over = threading.Event()

    def end() -> None:
        failed.wait()
        if over.wait(LAST_RESORT):
            return
        log.critical("the server hangs after its storage has failed: it is ended")
        os._exit(1)

    threading.Thread(target=end, name="ezra-last-resort", daemon=True).start()
    try:
        yield
    finally:
        over.set()
        failed.set()


@contextmanager
def signals_held() -> Iterator[None]:
    """Meanwhile, in this thread and all that it starts, have SIGTERM and Ctrl-C wait to be taken.

    Those that nobody has taken in the end are dropped: whoever sent them has what they wanted.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        while signal.sigtimedwait(SIGNALS, 0):
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
