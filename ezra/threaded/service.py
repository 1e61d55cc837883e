"""A whole server in the foreground: opens the engine and the port, waits for a reason to end.

Reasons come from elsewhere (a signal, the engine whose storage fails) and go through one queue,
whose `put` is safe in a signal handler. The main thread does nothing but wait for the first.

Signals must reach that thread. The kernel gives a process's signal to any thread that does not
block it, and Python carries out handlers in the main thread only: one that sleeps on would never
learn of it. So every thread is started with the signals blocked, and the main thread lets them
through while it waits.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

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

LAST_RESORT = 10.0
"""Seconds that an orderly end has after the storage has failed: it takes three, unless it hangs."""

Reasons = queue.SimpleQueue[signal.Signals | EngineError]
"""Why to end: a signal, or the storage's failure."""


def serve(settings: Settings) -> int:
    """Serve until a signal comes or the storage fails; return the exit code.

    To be called in the main thread, as Python's signals want it.
    """
    reasons = Reasons()
    clock = SystemClock()
    failed = threading.Event()

    def fail(error: EngineError) -> None:
        reasons.put(error)
        failed.set()

    settings = fit_files(settings)
    warn_of_limits(settings)
    try:
        with (
            one_core(),
            signals_into(reasons),
            ended_after(failed),
            closing(open_engine(settings, clock, fail)) as engine,
        ):
            server = Server(settings, engine, clock)
            warn_of_strangers(settings, server.address)
            warning = library_warning()
            if warning and isinstance(engine, SqliteEngine):
                log.warning("%s", warning)
            reason = serve_until(reasons, server, describe(settings, engine))
    except EzraError as error:
        log.critical("%s", error)
        return 1
    if isinstance(reason, EngineError):
        log.critical("the storage failed: %s", reason)
        return 1
    log.info("stopped after %s", reason.name)
    return 0


def serve_until(reasons: Reasons, server: Server, data: str) -> signal.Signals | EngineError:
    """Serve clients until there is a reason to end; return it when all of them have gone."""
    where = show_address(*server.address)
    server.start()
    log.info("EZRA %s serves %s, %s", VERSION, where, data)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    reason = reasons.get()
    server.stop()
    return reason


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
def signals_into(reasons: Reasons) -> Iterator[None]:
    """Meanwhile, SIGTERM and Ctrl-C are reasons to end and nothing more.

    They are blocked in every thread that is started meanwhile, and in this one until it waits.
    """

    def note(number: int, _: FrameType | None) -> None:
        reasons.put(signal.Signals(number))

    before = {number: signal.signal(number, note) for number in SIGNALS}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number, handler in before.items():
            signal.signal(number, handler)
