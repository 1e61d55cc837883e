"""A disk that is nearly full: pushes are refused and told so, workers go on, and it passes.

On a file system of its own in memory; mounting one needs root.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.raw_client import RawClient
from tests.integration.server_process import ServerProcess

MIB = 1024 * 1024
SIZE = 48 * MIB
LEAST = 4 * MIB
PAYLOAD = "x" * 100_000


@pytest.fixture(name="disk")
def a_small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of `SIZE` bytes, and take it away afterwards."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root only")
    try:
        yield place
    finally:
        away = ["umount", "--lazy", str(place)]
        subprocess.run(away, check=True)


def fill(client: RawClient) -> tuple[list[bytes], str]:
    """Push until that is refused; return the ids, and the error."""
    pushed: list[bytes] = []
    while len(pushed) < SIZE // len(PAYLOAD):
        reply = client.call("XADD", "q", "*", "payload", PAYLOAD)
        if not isinstance(reply, bytes):
            return pushed, str(reply)
        pushed.append(reply)
    raise AssertionError("the disk never fills up")


def info(client: RawClient, name: str) -> int:
    """Return a figure of INFO."""
    text: bytes = client.call("INFO", "ezra")
    return int(dict(line.split(b":", 1) for line in text.split() if b":" in line)[name.encode()])


def work_off(client: RawClient, ids: list[bytes]) -> None:
    """Claim and ack every task, in order."""
    for number in ids:
        entry = client.pop("q")
        assert entry is not None
        assert entry.id == number
        assert client.call("XACK", "q", "g", number) == 1


def test_pushes_are_refused_before_the_disk_is_full(disk: Path) -> None:
    """Whatever was pushed is worked off meanwhile; with space again, pushes are accepted."""
    with ServerProcess(disk, "--min-free-bytes", str(LEAST)) as server:
        client = server.client()
        ids, error = fill(client)
        assert error.startswith("ERR the disk is nearly full: ")
        assert (info(client, "pushes_refused"), len(ids) > 20) == (1, True)
        assert LEAST // 2 < info(client, "disk_free_bytes") < LEAST + 2 * 16 * MIB
        (disk / "something else").write_bytes(b"x" * info(client, "disk_free_bytes"))
        assert info(client, "disk_free_bytes") == 0
        work_off(client, ids[:10])
        (disk / "something else").unlink()
        work_off(client, ids[10:])
        assert client.call("XTRIM", "q", "MAXLEN", 0) == len(ids)
        assert fill(client)[1].startswith("ERR the disk is nearly full: ")
        assert server.stop() == 0
        assert sum("pushes are refused" in line for line in server.log) == 1
