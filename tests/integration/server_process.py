"""A server in a process of its own, as a person starts it: to be signalled and killed."""

from __future__ import annotations

import os
import queue
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from ezra.threaded.process import MALLOC
from tests.integration.raw_client import RawClient
from tests.integration.waiting import PATIENCE

START_PATIENCE = 3 * PATIENCE
"""Seconds for a start, on a machine where everything else runs at the same time."""

SERVES = re.compile(r" serves \[?(?P<host>.+?)\]?:(?P<port>\d+), ")


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a server: that of the tests, without any EZRA_ but those given."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("EZRA_")}
    # What the server would otherwise start a second time for, see `process.MALLOC`.
    return {"GLIBC_TUNABLES": MALLOC} | inherited | dict(variables or {})


def command(*arguments: str, module: str = "ezra") -> list[str]:
    """Return the command line of `python -m ezra`, or of a module of the tests in its place."""
    return [sys.executable, "-m", module, *arguments]


def run(
    *arguments: str, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a server that is to end by itself, and return how it did."""
    return subprocess.run(
        command(*arguments),
        env=environment(variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class ServerProcess:
    """A running server. Making it returns once the port is open.

    Args:
        data_dir: where its data is.
        arguments: what else it is told.
        variables: what its environment has beside the tests' own.
        open_files: the most descriptors that it may have.
        under: a program that starts it and becomes it, with its arguments (`strace -D …`).
        module: what to run in place of `ezra`.

    Raises:
        AssertionError: it ended instead; with what it said.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *arguments: str,
        variables: Mapping[str, str] | None = None,
        open_files: int | None = None,
        under: Sequence[str] = (),
        module: str = "ezra",
    ) -> None:
        line = command("--data-dir", str(data_dir), "--port", "0", *arguments, module=module)
        limited = [] if open_files is None else ["prlimit", f"--nofile={open_files}"]
        self.process = subprocess.Popen(
            [*limited, *under, *line],
            env=environment(variables),
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[str] = []
        """What it has said so far, line by line."""
        self._clients: list[RawClient] = []
        self._started: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.start_line = self._started.get(timeout=START_PATIENCE)
        found = SERVES.search(self.start_line)
        assert found, "\n".join(self.log)
        self.address = (found["host"], int(found["port"]))

    def client(self, *, protocol: int = 2) -> RawClient:
        """Return a new connection, which is closed at the end."""
        client = RawClient(self.address, protocol=protocol)
        self._clients.append(client)
        return client

    def memory(self) -> int:
        """Return how many bytes of memory it has now."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * resource.getpagesize()

    def peak_memory(self) -> int:
        """Return how many bytes of memory it has had at the most."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would, as far as the process is concerned; wait for that."""
        self.process.kill()
        self.ended()

    def ended(self) -> int:
        """Wait for its end and return the exit code."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def stop(self) -> int:
        """End it in order and return the exit code."""
        self.send_signal(signal.SIGTERM)
        return self.ended()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.log.append(line.rstrip("\n"))
                if SERVES.search(line):
                    self._started.put(line)
        self._started.put("")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        for client in self._clients:
            client.close()
