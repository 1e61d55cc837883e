"""File systems of our own: one that loses its power, and ones that are full.

A file system in a file is mounted through a loop device. The kernel's own ioctl shuts it down as it
is, its journal unwritten: whatever was not synced is lost, as in a power loss, while the file with
what was synced stays. All this needs root.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ezra.threaded.sqlite.database import DATABASE_FILE
from tests.faults.books import (
    NO_WATERMARK,
    Books,
    balance,
    integrity,
    start_once,
    stored,
    work,
)
from tests.faults.tally import Tally
from tests.integration.server_process import ServerProcess
from tests.integration.waiting import until

SHUTDOWN = 0x8004587D
"""The ioctl, the same for ext4 and XFS."""
NO_LOG_FLUSH = struct.pack("I", 2)
"""Its argument: do not even write the journal."""

MEBIBYTE = 1024 * 1024
SIZES = {"ext4": 64 * MEBIBYTE, "xfs": 300 * MEBIBYTE}
"""By kind, how large a file system is made; XFS refuses smaller ones. The files are sparse."""

CLIENTS = 8
UNDER_LOAD = 100
"""Pushes that are answered before the power goes."""

PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


@cache
def missing(kind: str) -> str:
    """Return why such a file system cannot be mounted here; empty when it can."""
    if os.geteuid() != 0:
        return "mounting needs root"
    if kind != "tmpfs" and not shutil.which(f"mkfs.{kind}", path=PATH):
        return f"mkfs.{kind} is not installed"
    try:
        with tempfile.TemporaryDirectory() as folder, mounted(Path(folder), kind):
            return ""
    except subprocess.CalledProcessError as error:
        return f"{kind} cannot be mounted here: {error.stderr.strip()}"


@dataclass(slots=True)
class Image:
    """A file system in a file.

    Args:
        folder: where the file and the mount point are.
        kind: `ext4` or `xfs`.
        size: in bytes.
    """

    folder: Path
    kind: str
    size: int = 0
    number: int = 0

    def __post_init__(self) -> None:
        self.make()

    @property
    def file(self) -> Path:
        """The file that it is in."""
        return self.folder / f"image-{self.number}"

    def make(self) -> None:
        """Make it anew, and empty."""
        with self.file.open("wb") as file:
            file.truncate(self.size or SIZES[self.kind])
        quiet = {"ext4": "-qF", "xfs": "-qf"}[self.kind]
        _run(f"mkfs.{self.kind}", quiet, str(self.file))

    def power_returns(self) -> None:
        """Go on with a copy of what was kept.

        The kernel may not have let go of the file system that was shut down: a process with mounts
        of its own, that was started meanwhile, keeps it. Mounted again, it would still be down.
        """
        before = self.file
        self.number += 1
        _run("cp", "--sparse=always", str(before), str(self.file))
        before.unlink()

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """Mount it, and yield where."""
        place = self.folder / "mounted"
        place.mkdir(exist_ok=True)
        options = {"ext4": "loop", "xfs": "loop,nouuid"}[self.kind]
        _run("mount", "-o", options, str(self.file), str(place))
        with _unmounting(place):
            yield place


@contextmanager
def mounted(folder: Path, kind: str, size: int = 0) -> Iterator[Path]:
    """Mount a new file system and yield where; it is gone afterwards, whatever happens."""
    if kind != "tmpfs":
        with Image(folder, kind, size).mounted() as place:
            yield place
        return
    place = folder / "mounted"
    place.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={size or MEBIBYTE}", "tmpfs", str(place))
    with _unmounting(place):
        yield place


@contextmanager
def _unmounting(place: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _run("umount", "-l", str(place))  # somebody may still have a file open in it
        raise
    _run("umount", str(place))


def _run(*words: str) -> None:
    subprocess.run(
        words, check=True, capture_output=True, text=True, env=os.environ | {"PATH": PATH}
    )


def cut_power(place: Path) -> None:
    """Have the file system lose everything that was not synced, and fail from now on."""
    handle = os.open(place, os.O_RDONLY)
    try:
        fcntl.ioctl(handle, SHUTDOWN, NO_LOG_FLUSH)
    finally:
        os.close(handle)


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """Have a process do nothing meanwhile, not even in the kernel.

    An fsync that is under way while the file system is shut down may return success for what it has
    lost: the shutdown, unlike a power loss, leaves somebody there to be told so. A process that was
    stopped has brought each of its system calls to an end.
    """
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: set(_states(pid)) == {"T"}, "every thread to stop")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _states(pid: int) -> Iterator[str]:
    """Yield the state of each thread: one letter."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        yield (thread / "stat").read_text().rpartition(")")[2].split()[0]


# -- Power loss ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Losses:
    """What came of some power losses."""

    cycles: int = 0
    operations: int = 0
    losing: int = 0
    """Cycles after which something was gone that had been answered."""


def power_losses(image: Image, cycles: int) -> Losses:
    """Cut the power of a server under load again and again; its books have to balance each time."""
    books, losses = Books(), Losses()
    for number in range(cycles):
        _work_until_power_is_cut(image, books, f"{number}", "full")
        with image.mounted() as place:
            start_once(place / "data")
            balance(books, place / "data" / DATABASE_FILE)
        losses.cycles += 1
    losses.operations = books.operations
    return losses


def losses_without_sync(image: Image, cycles: int) -> Losses:
    """Do the same with `synchronous` NORMAL, in a new directory each time; count the losses.

    The database itself must be sound nevertheless.
    """
    losses = Losses()
    for number in range(cycles):
        books = Books()
        _work_until_power_is_cut(image, books, f"{number}", "normal")
        with image.mounted() as place:
            data = place / "data"
            start_once(data, "normal")
            assert integrity(data / DATABASE_FILE) == "ok"
            losses.losing += bool(books.lost(stored(data / DATABASE_FILE)))
            shutil.rmtree(data)
        losses.cycles += 1
        losses.operations += books.operations
    return losses


def _work_until_power_is_cut(image: Image, books: Books, name: str, synchronous: str) -> None:
    books.new_server()
    enough = len(books.pushed) + UNDER_LOAD
    with (
        image.mounted() as place,
        ServerProcess(
            place / "data",
            "--max-attempts",
            "1000",
            "--synchronous",
            synchronous,
            *NO_WATERMARK,
        ) as server,
    ):
        workers = [
            threading.Thread(target=work, args=(server.client(), books, f"{name}-{n}", 10**6))
            for n in range(CLIENTS)
        ]
        for worker in workers:
            worker.start()
        until(lambda: len(books.pushed) >= enough, "the server to be under load")
        with standing_still(server.process.pid):
            cut_power(place)
        for worker in workers:
            worker.join()
        assert server.ended() == 1, server.log
    image.power_returns()


def campaign(seconds: float) -> Tally:
    """Cut the power on every kind of file system, and of a server that does not sync."""
    faults = operations = 0
    notes = []
    for kind in SIZES:
        if reason := missing(kind):
            notes.append(reason)
            continue
        with tempfile.TemporaryDirectory() as folder:
            image = Image(Path(folder), kind)
            end = time.monotonic() + seconds / len(SIZES) * 2 / 3
            while time.monotonic() < end:
                image.make()
                losses = power_losses(image, 10)
                faults += losses.cycles
                operations += losses.operations
            image.make()
            control = losses_without_sync(image, 10)
            assert control.losing, f"the control loses nothing on {kind}"
            notes.append(f"{kind}: NORMAL lost in {control.losing} of {control.cycles} cycles")
    return Tally(faults, operations, note="; ".join(notes))
