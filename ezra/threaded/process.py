"""What a server asks of the operating system for its process: files, threads, and one core."""

from __future__ import annotations

import logging
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ezra.threaded.settings import Settings

log = logging.getLogger(__name__)

SPARE_FILES = 64
"""File descriptors that stay free for the database and all else when every client is there."""

VARIABLE = "GLIBC_TUNABLES"

MALLOC = "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1"
"""What is asked of glibc's malloc. By default each thread keeps what it has freed for itself, some
20 KiB once it has been through SQLite: with ten thousand threads that wait, 200 MiB for nothing."""

SPARE_THREADS = 256
"""Threads for whatever else runs under the same limit."""

MAPS_OF_A_THREAD = 3
"""Stretches of memory that Linux counts for each: its stack, the guard page below, Python's own."""

SPARE_MAPS = 1024
"""And those that the process has anyway."""

PIDS_MAX = Path("/sys/fs/cgroup/pids.max")
"""How many threads a container may have."""


def fit_files(settings: Settings) -> Settings:
    """Raise the limit of open files to what all clients need, or else lower the clients' number."""
    needed = settings.max_clients + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return settings
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed == needed:
        return settings
    fitting = max(allowed - SPARE_FILES, 1)
    log.warning("max-clients lowered to %d: a process may open %d files here", fitting, allowed)
    return replace(settings, max_clients=fitting)


def warn_of_limits(settings: Settings) -> None:
    """Say which limit of the machine will be met before every client has its thread.

    The server goes on when it is: it takes no more clients until others have left.
    """
    needed = settings.max_clients
    for name, limit, clients in _limits():
        if clients <= 0:
            log.warning("maybe no client fits at all: %s is only %d; raise it", name, limit)
        elif clients < needed:
            log.warning(
                "at most %d of %d clients fit: %s is %d; raise it, or lower --max-clients",
                clients,
                needed,
                name,
                limit,
            )


def _limits() -> Iterator[tuple[str, int, int]]:
    """Yield each limit on threads: its name, what it is, and for how many clients it is enough.

    With what is left for everything else taken off, that may be none, or less.
    """
    processes, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if processes != resource.RLIM_INFINITY and os.geteuid() != 0:  # root has none
        yield "the limit of processes (ulimit -u)", processes, processes - SPARE_THREADS
    for path in (Path("/proc/sys/kernel/threads-max"), Path("/proc/sys/kernel/pid_max"), PIDS_MAX):
        limit = _number_in(path)
        if limit is not None:
            yield str(path), limit, limit - SPARE_THREADS
    maps = _number_in(Path("/proc/sys/vm/max_map_count"))
    if maps is not None:
        clients = (maps - SPARE_MAPS) // MAPS_OF_A_THREAD
        yield "/proc/sys/vm/max_map_count", maps, clients


def _number_in(path: Path) -> int | None:
    """Return the number in a file of the kernel's; None where there is none."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def start_again_with_small_caches() -> None:
    """Replace this process by the same program with `MALLOC` in force; return where it is already.

    glibc reads it before the program begins, so there is no other way. To be called before there is
    anything to lose: no thread, no open file.
    """
    if VARIABLE in os.environ or not _has_glibc() or not sys.executable:
        return  # whoever has set it has their reasons
    os.environ[VARIABLE] = MALLOC
    with suppress(OSError):
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - itself


def _has_glibc() -> bool:
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (AttributeError, OSError, ValueError):
        return False


@contextmanager
def one_core() -> Iterator[None]:
    """Have the threads started meanwhile run on one core, if Python lets only one run at a time.

    With the GIL a second core helps nobody, and handing the GIL to a thread that sleeps on another
    core means waking that core: threads that stay together do half as much again. The core is one
    that the process may use already, so whoever has chosen one for it is obeyed, and servers beside
    each other mostly take different ones. A Python without the GIL keeps all of them.

    They are scheduled as a batch, too (`sched(7)`): a thread that is woken does not push aside the
    one that woke it, which still holds the GIL that it is going to wait for.
    """
    gil = getattr(sys, "_is_gil_enabled", lambda: True)
    if sys.platform != "linux" or not gil():
        yield
        return
    allowed = os.sched_getaffinity(0)
    # A sandbox may forbid either; the server is slower then, and as good.
    with suppress(OSError):
        os.sched_setaffinity(0, {sorted(allowed)[os.getpid() % len(allowed)]})
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, allowed)
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
