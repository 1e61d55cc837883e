"""The servers under test: started in a directory of their own on a free port, stopped always."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.client import Address, BenchError

_BINARIES = ("redis-server", "redis-check-rdb")
"""Where Debian keeps Redis: one binary, which looks at the name by which it is started. The second
comes with the package redis-tools, which starts no service on the machine."""

_START = 30.0
"""Seconds that a server may take to start, or to stop, before it is given up."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs and accepts connections."""

    address: Address
    process: int

    def cpu(self) -> float:
        """Return how many seconds of CPU time it has used so far, all threads together."""
        stat = Path(f"/proc/{self.process}/stat").read_text(encoding="ascii")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def ezra(directory: Path, synchronous: str) -> AbstractContextManager[Server]:
    """Run EZRA from this checkout, its data in `directory`, with that `--synchronous`."""
    where = ("--data-dir", str(directory / "data"), "--host", "127.0.0.1", "--port", "0")
    started = re.compile(r"serves 127\.0\.0\.1:(\d+)")
    return _running(
        [sys.executable, "-m", "ezra", *where, "--synchronous", synchronous],
        directory,
        lambda log: (match := started.search(log)) and int(match[1]),
    )


def redis(directory: Path) -> AbstractContextManager[Server]:
    """Run Redis with every write fsynced before its reply, and nothing else that writes.

    The rewriting of its file is off: it would fall into one run or another.
    """
    port = _free_port()
    durable = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
    quiet = ("--auto-aof-rewrite-percentage", "0", "--bind", "127.0.0.1")
    return _running(
        ["redis-server", "--port", str(port), "--dir", str(directory), *durable, *quiet],
        directory,
        lambda log: port if "Ready to accept connections" in log else None,
        executable=redis_binary(),
    )


def redis_binary() -> str | None:
    """Return the path of Redis' server, to be started by the name redis-server; or None."""
    found = (path for name in _BINARIES if (path := shutil.which(name)))
    return next(found, None)


def redis_version() -> str | None:
    """Return the version of the Redis that is installed; None where there is none."""
    binary = redis_binary()
    if binary is None:
        return None
    said = subprocess.run(
        ["redis-server", "--version"],
        executable=binary,
        capture_output=True,
        text=True,
        check=True,
    )
    return said.stdout.partition("v=")[2].split()[0]


@contextmanager
def _running(
    words: Sequence[str],
    directory: Path,
    port_of: Callable[[str], int | None],
    *,
    executable: str | None = None,
) -> Iterator[Server]:
    """Run a server until the block ends; `port_of` finds its port in its log once it is ready.

    `executable` is the program, where that is not what the first of the words names.
    """
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            words,
            executable=executable,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(),
        )
    try:
        port = _wait_for_port(process, log, port_of)
        yield Server(("127.0.0.1", port), process.pid)
    finally:
        _stop(process)


def _environment() -> dict[str, str]:
    """Return the environment without what would configure EZRA behind the flags' back."""
    return {name: value for name, value in os.environ.items() if not name.startswith("EZRA_")}


def _wait_for_port(
    process: subprocess.Popen[bytes], log: Path, port_of: Callable[[str], int | None]
) -> int:
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        said = log.read_text(encoding="utf-8", errors="replace")
        if port := port_of(said):
            return port
        if ended:
            raise BenchError(f"the server did not start:\n{said}")
        time.sleep(0.02)
    raise BenchError(f"the server was not ready within {_START:g} s:\n{said}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_START)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    """Return a port that was free a moment ago: Redis takes no 0 for one of its own choice."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
