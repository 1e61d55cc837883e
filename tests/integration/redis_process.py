"""A real Redis, to hold EZRA against: Debian's, started by the tests on a socket of its own."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from bench.servers import redis_binary
from tests.integration.waiting import PATIENCE


class RedisProcess:
    """A Redis that keeps everything in memory, from its making to `stop`.

    Args:
        directory: an empty one for its socket; its path must be short (108 bytes in all).
        options: further words of its command line.
    """

    def __init__(self, directory: Path, *options: str) -> None:
        self.path = directory / "redis.sock"
        words = ["redis-server", "--port", "0", "--unixsocket", str(self.path)]
        quiet = ["--save", "", "--appendonly", "no", "--dir", str(directory)]
        binary = redis_binary()
        assert binary, "no Redis here: install Debian's package redis-tools"
        self._process = subprocess.Popen(
            [*words, *quiet, *options],
            executable=binary,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.connect().close()

    def connect(self) -> socket.socket:
        """Return a new connection, as soon as Redis takes one."""
        deadline = time.monotonic() + PATIENCE
        while True:
            peer = socket.socket(socket.AF_UNIX)
            peer.settimeout(PATIENCE)
            try:
                peer.connect(str(self.path))
            except OSError:
                peer.close()
                assert time.monotonic() < deadline, "Redis did not start"
                assert self._process.poll() is None, "Redis ended at once"
                time.sleep(0.01)
            else:
                return peer

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
