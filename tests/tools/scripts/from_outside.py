"""What the scripts share that start a tool and look at it from outside."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.integration.raw_client import RawClient

PATIENCE = 15.0
"""Seconds within which a tool must answer."""

Address = tuple[str, int]


def address() -> Address:
    """Return the server's address from the command line."""
    return sys.argv[1], int(sys.argv[2])


def program(name: str) -> str:
    """Return where a program is installed."""
    path = shutil.which(name)
    assert path, f"{name} is not installed"
    return path


def fill(server: Address) -> None:
    """Push a task to each of two queues; one worker of a group holds that of the first."""
    with RawClient(server) as client:
        client.push("mails", "hello", "to", "alice")
        client.push("app:orders", "42")
        client.call("XGROUP", "CREATE", "mails", "workers", "0")
        client.call("XREADGROUP", "GROUP", "workers", "worker-1", "STREAMS", "mails", ">")


def free_port() -> int:
    """Return a port that nobody uses: for a tool that does not take 0."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(words: Sequence[str]) -> Iterator[None]:
    """Run a program during the block. What it says goes where ours goes."""
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def fetch(url: str, body: bytes | None = None) -> str:
    """Return what a web server answers, as soon as it serves."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, body, timeout=PATIENCE) as answer:  # noqa: S310 - our own
                text: str = answer.read().decode()
                return text
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionError) or time.monotonic() > until:
                raise
            time.sleep(0.05)


def fetch_json(url: str, body: bytes | None = None) -> Any:
    """Return the same, read as JSON."""
    return json.loads(fetch(url, body))
