"""Copies of what is damaged, kept beside it before anybody tries to mend it.

A copy is named with the moment at which the file was last written. So a server that a supervisor
starts again and again makes one copy, not one each time.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from ezra.threaded.sqlite.lock import OWNER_ONLY

ROOM = 16 * 1024 * 1024
"""Bytes that a copy must leave free on the disk."""


def keep_copy(path: Path, kind: str) -> str:
    """Copy a file to a name of its own beside it, durably; return a clause that says so.

    Args:
        path: the file.
        kind: what it is a copy of, in a word that becomes a part of the name.

    Never raises: a copy that cannot be made is no reason to leave out what the clause is part of.
    """
    try:
        return f"a copy is kept as {_copy(path, kind)}"
    except OSError as error:
        return f"no copy could be kept ({error.strerror or error}): make one before you go on"


def moment_of(path: Path) -> str:
    """Return when a file was last written, for the name of a copy."""
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return written.strftime("%Y%m%dT%H%M%SZ")


def sync_directory(directory: Path) -> None:
    """Make a new name in the directory survive a power loss."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make a file's content survive a power loss. Not for a database that SQLite has open."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _copy(path: Path, kind: str) -> Path:
    name = f"{path.name}.{kind}-{moment_of(path)}"
    number = 1
    copy = path.with_name(name)
    while copy.exists():
        if filecmp.cmp(path, copy, shallow=False):
            return copy
        number += 1
        copy = path.with_name(f"{name}-{number}")
    if shutil.disk_usage(path.parent).free < path.stat().st_size + ROOM:
        raise OSError("there is no room for it")
    unfinished = path.with_name(f"{path.name}.{kind}.unfinished")
    try:
        _write_copy(path, unfinished)
        unfinished.rename(copy)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
    return copy


def _write_copy(path: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY)
    with path.open("rb") as source, os.fdopen(handle, "wb") as copy:
        shutil.copyfileobj(source, copy, 1024 * 1024)
        copy.flush()
        os.fsync(copy.fileno())
