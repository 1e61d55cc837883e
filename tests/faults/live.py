"""Faults of the disk under a server that is at work: an error, or slowness.

strace does it to the real process, from outside: it is there from the start, or it is attached when
the server is under load.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ezra.threaded.sqlite.database import DATABASE_FILE
from tests.faults.books import Books, balance, start_once, work, work_together
from tests.faults.strace import injecting, missing
from tests.faults.tally import Tally
from tests.integration.server_process import ServerProcess
from tests.integration.waiting import PATIENCE, until

CLIENTS = 8
UNDER_LOAD = 100
"""Pushes that have been answered when the fault comes."""

ERRORS = (
    "fdatasync:error=EIO:when=1",
    "fdatasync:error=ENOSPC:when=3",
    "pwrite64:error=EIO:when=5",
    "pwrite64:error=EIO:when=1+",
)
"""What goes wrong, in strace's notation."""


@contextmanager
def attached(pid: int, log: Path, fault: str) -> Iterator[None]:
    """Have a running process meet with a fault until it ends, or this block does."""
    call = fault.partition(":")[0]
    words = ["-f", "-p", str(pid), "-e", f"trace={call}", "-e", f"inject={fault}", "-o", str(log)]
    tracer = subprocess.Popen(["strace", *words], stderr=subprocess.PIPE, text=True)
    try:
        assert tracer.stderr is not None
        told = tracer.stderr.readline()
        assert "attached" in told, told
        yield
    finally:
        tracer.terminate()
        tracer.communicate(timeout=PATIENCE)


def live_error(folder: Path, fault: str) -> Books:
    """Have a server under load meet with an error that it cannot know the consequences of.

    It has to tell those whose commands were under way that nobody knows, to end with 1, and to have
    kept everything that it had answered.
    """
    books, directory = Books(), folder / "data"
    with ServerProcess(directory) as server:
        workers = [
            threading.Thread(target=work, args=(server.client(), books, f"{number}", 10**6))
            for number in range(CLIENTS)
        ]
        for worker in workers:
            worker.start()
        until(lambda: len(books.pushed) >= UNDER_LOAD, "the server to be under load")
        with attached(server.process.pid, folder / "log", fault):
            assert server.ended() == 1, server.log
        for worker in workers:
            worker.join()
    assert books.unknown, "nobody was told that an outcome is unknown"
    assert any("CRITICAL" in line and "storage failed" in line for line in server.log), server.log
    start_once(directory)
    balance(books, directory / DATABASE_FILE)
    return books


@dataclass(frozen=True, slots=True)
class Slow:
    """What a server did on a slow disk."""

    books: Books
    syncs: int


def slow_disk(folder: Path, clients: int, rounds: int, milliseconds: int) -> Slow:
    """Have every fsync take so long, and so many clients work meanwhile."""
    log, books, directory = folder / "log", Books(), folder / "data"
    fault = f"fdatasync:delay_exit={milliseconds * 1000}"
    paths = [directory / "ezra.db-wal"]
    with ServerProcess(directory, under=injecting(log, paths, fault)) as server:
        work_together(server, books, clients, rounds)
        assert server.stop() == 0, server.log
    balance(books, directory / DATABASE_FILE)
    return Slow(books, log.read_text().count("(DELAYED)"))


def campaign(seconds: float) -> Tally:
    """Server after server, each with an error under load."""
    if reason := missing():
        return Tally(note=f"live errors: {reason}")
    faults = operations = unknown = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        fault = ERRORS[faults % len(ERRORS)]
        with tempfile.TemporaryDirectory() as folder:
            books = live_error(Path(folder), fault)
        faults += 1
        operations += books.operations
        unknown += books.unknown
    return Tally(faults, operations, note=f"{unknown} replies UNKNOWN")
