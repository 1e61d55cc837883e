"""The machine that the figures come from: cores, versions, the disk and its flushes."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from bench.client import BenchError
from bench.figures import percentile

_MEMORY_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs", "devtmpfs"})
_BLOCK = bytes(4096)
_FLUSHES = 200
"""In each round: a disk that others use is not the same from one round to the next."""


def require_disk(directory: Path) -> None:
    """Raise BenchError where `directory` lies in memory: durable figures mean nothing there."""
    kind = file_system(directory)
    if kind in _MEMORY_FILE_SYSTEMS:
        raise BenchError(f"{directory} is on {kind}, in memory: name a disk with --dir")


def flushes(directory: Path) -> list[float]:
    """Append blocks to a file in `directory`, fdatasync each; return how many seconds each took."""
    path = directory / "flushed"
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        return [_flush(handle) for _ in range(_FLUSHES)]
    finally:
        os.close(handle)
        path.unlink()


def _flush(handle: int) -> float:
    began = perf_counter()
    os.write(handle, _BLOCK)
    os.fdatasync(handle)
    return perf_counter() - began


def file_system(directory: Path) -> str:
    """Return the type of the file system that holds the directory, from Linux' own table."""
    place, found = directory.resolve(), ("", "unknown")
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, mounted, kind, *_ = line.split()
        mounted = mounted.replace("\\040", " ")
        if place.is_relative_to(mounted) and len(mounted) >= len(found[0]):
            found = (mounted, kind)
    return found[1]


def describe(directory: Path, flushed: Sequence[float]) -> str:
    """Return the machine in one line, with what the flushes of the whole bench took."""
    build = f"{platform.python_implementation()} {platform.python_version()}"
    p50, p99 = (percentile(flushed, percent) * 1e6 for percent in (50, 99))
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()} "
        f"{platform.release()}, {build}, SQLite {sqlite3.sqlite_version}, "
        f"{file_system(directory)}, fdatasync of an appended 4 KiB block: "
        f"p50 {p50:,.0f} µs, p99 {p99:,.0f} µs"
    )
