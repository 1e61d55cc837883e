"""A disk that fills up under a server, and is given space again while that goes on.

The small file system is filled by the queue itself, or by somebody else's file to the last block.
Pushes are refused with a clean error then; nothing that was answered is lost; and when there is
space again everything goes on, without a restart.
"""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hiredis

from ezra.threaded.sqlite.database import DATABASE_FILE
from tests.faults.books import NO_WATERMARK, WATERMARK, Books, balance
from tests.faults.file_systems import MEBIBYTE, missing, mounted
from tests.faults.tally import Tally
from tests.integration.raw_client import RawClient
from tests.integration.server_process import ServerProcess
from tests.integration.waiting import until

SIZES = {"tmpfs": 8 * MEBIBYTE, "ext4": 10 * MEBIBYTE}
PAYLOAD = 32 * 1024
LARGE = 64 * MEBIBYTE
MOST_USED = 20 * MEBIBYTE
"""What the queue may take of the large one. The rest is enough for a whole WAL, twice."""


class FillingUp:
    """A server on a small file system, and a client of it.

    Args:
        place: where the file system is mounted.
        arguments: of the server.
    """

    def __init__(self, place: Path, *arguments: str) -> None:
        self.place = place
        self.books = Books()
        self.server = ServerProcess(place / "data", *arguments)
        self.client: RawClient = self.server.client()
        self._numbers = itertools.count()

    def push(self) -> bytes | hiredis.ReplyError:
        """Push a task of some size; return the id or the refusal."""
        payload = b"<%d>" % next(self._numbers) + bytes(PAYLOAD)
        reply = self.books.call(self.client, "XADD", "q", "*", "payload", payload)
        assert isinstance(reply, bytes | hiredis.ReplyError), reply
        return reply

    def push_until_refused(self) -> str:
        """Push until there is no room, and return how that is said."""
        for _ in range(1_000):
            reply = self.push()
            if isinstance(reply, hiredis.ReplyError):
                return str(reply)
        raise AssertionError("the disk is never full")

    def claim(self) -> Any:
        """Claim a task and return the reply."""
        words = ("XREADGROUP", "GROUP", "g", "w", "STREAMS", "q", ">")
        return self.books.call(self.client, *words)

    def work_off(self, count: int) -> None:
        """Take so many tasks off and finish them; every reply has to be a good one."""
        for _ in range(count):
            reply = self.claim()
            assert isinstance(reply, list), reply
            [[_, [[number, _]]]] = reply
            assert self.books.call(self.client, "XACK", "q", "g", number) == 1

    def end(self, full: int = 0) -> None:
        """Stop the server, which has lived all along, and balance the books.

        Args:
            full: how often the disk was; each time the server has to say once, and once the end.
        """
        assert self.server.stop() == 0, self.server.log
        for told in ("the disk is full", "the disk has room again"):
            assert sum(told in line for line in self.server.log) == full, self.server.log
        balance(self.books, self.place / "data" / DATABASE_FILE)


@contextmanager
def filling_up(folder: Path, kind: str, size: int, *arguments: str) -> Iterator[FillingUp]:
    """Serve from a new small file system."""
    with mounted(folder, kind, size) as place:
        filling = FillingUp(place, *arguments)
        with filling.server:
            yield filling


def fill_by_itself(folder: Path) -> Books:
    """Have the queue fill a tmpfs to the last block, then make the tmpfs larger.

    As long as it is full, a claim may be refused, too: it has to write.
    """
    with filling_up(folder, "tmpfs", SIZES["tmpfs"], *NO_WATERMARK) as filling:
        for _ in range(3):
            check_refusal(filling.push_until_refused())
            reply = filling.claim()
            if isinstance(reply, hiredis.ReplyError):
                check_refusal(str(reply))
        enlarge(filling.place, 2 * SIZES["tmpfs"])
        assert isinstance(filling.push(), bytes), "it did not go on by itself"
        filling.work_off(10)
        filling.end(full=1)
    return filling.books


def fill_to_watermark(folder: Path) -> Books:
    """Have the queue fill a tmpfs to the watermark; work it off; then make the tmpfs larger.

    What is left free is enough for all claims and acks.
    """
    watermark = str(LARGE - MOST_USED)
    with filling_up(folder, "tmpfs", LARGE, WATERMARK, watermark) as filling:
        check_refusal(filling.push_until_refused())
        filling.work_off(len(filling.books.pushed))
        check_refusal(filling.push_until_refused())
        enlarge(filling.place, 2 * LARGE)
        until(lambda: isinstance(filling.push(), bytes), "pushes to be accepted again")
        filling.work_off(1)
        filling.end()
    return filling.books


def enlarge(place: Path, size: int) -> None:
    """Make a mounted tmpfs larger."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)


def fill_from_outside(folder: Path, kind: str) -> Books:
    """Have somebody else fill the disk to the last block, and make room again."""
    with filling_up(folder, kind, SIZES[kind], *NO_WATERMARK) as filling:
        for _ in range(20):
            assert isinstance(filling.push(), bytes)
        filler = filling.place / "filler"
        for _ in range(3):
            fill(filler)
            check_refusal(filling.push_until_refused())
            filler.unlink()
            assert isinstance(filling.push(), bytes), "it did not go on by itself"
            filling.work_off(2)
        filling.end(full=3)
    return filling.books


def check_refusal(error: str) -> None:
    """Fail unless an error says clearly that the disk is full and nothing was stored."""
    assert not error.startswith("UNKNOWN"), error
    assert "full" in error or "space" in error, error


def fill(filler: Path) -> None:
    """Take all the space that there is."""
    with filler.open("wb", buffering=0) as file:
        for size in (64 * 1024, 4096, 512):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        os.fsync(file.fileno())


def campaign(seconds: float) -> Tally:
    """Fill one disk after the other."""
    faults = operations = 0
    notes = {missing(kind): None for kind in SIZES if missing(kind)}
    end = time.monotonic() + seconds
    while time.monotonic() < end and not notes:
        for kind in SIZES:
            with tempfile.TemporaryDirectory() as folder:
                operations += fill_from_outside(Path(folder), kind).operations
        with tempfile.TemporaryDirectory() as folder:
            operations += fill_by_itself(Path(folder)).operations
        with tempfile.TemporaryDirectory() as folder:
            operations += fill_to_watermark(Path(folder)).operations
        faults += 10
    return Tally(faults, operations, note="; ".join(notes))
