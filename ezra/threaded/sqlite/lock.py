"""The lock on a data directory: one engine at a time, and whoever comes second learns who it is.

The lock is the operating system's (`flock`), so it goes away with its holder, however that ends.
The file that carries it also says who holds it; that text is for people and is never obeyed.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from ezra.sansio.errors import StartError

LOCK_FILE = "ezra.lock"
OWNER_ONLY = 0o600
"""What EZRA creates, only its own user can read: tasks may hold anything."""


class DirectoryLock:
    """Holds a data directory from its making to `release`.

    Raises:
        StartError: another engine holds the directory, or the file cannot be opened.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / LOCK_FILE
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
        except OSError as error:
            raise StartError(f"cannot open {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._file, 200).decode(errors="replace").strip()
            os.close(self._file)
            raise StartError(_taken(directory, holder)) from error
        self._sign()

    def release(self) -> None:
        """Let the directory go. The file stays: removing it would race with the next engine."""
        os.ftruncate(self._file, 0)
        # A process that was forked meanwhile has the file open, too, and would keep it locked.
        fcntl.flock(self._file, fcntl.LOCK_UN)
        os.close(self._file)

    def _sign(self) -> None:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        with suppress(OSError):  # a full disk: it is locked without a name, too
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"pid {os.getpid()} since {since}\n".encode(), 0)


def _taken(directory: Path, holder: str) -> str:
    return (
        f"{directory} is in use by another EZRA ({holder or 'it has not said which'}); "
        "stop that one, or choose another data directory"
    )
