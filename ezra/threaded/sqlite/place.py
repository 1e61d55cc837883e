"""What stands under a database's name, before anything is read: a file, and one to be written?"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from ezra.sansio.errors import StartError
from ezra.threaded.sqlite.probe import COMPANIONS, companion


def real_path(path: Path) -> Path:
    """Return where a database is: where a link leads, for there SQLite keeps its log, too.

    Raises:
        StartError: the link leads nowhere.
    """
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if not target.exists():
        raise StartError(
            f"{path} is a link to {target}, which is not there: something else has that name, and "
            "was left as it is. Is the disk not mounted? To begin with an empty database, remove "
            "the link"
        )
    return target


def check_regular(path: Path) -> None:
    """Raise `StartError` if something that is no file has a database's name."""
    if path.exists() and not path.is_file():
        raise StartError(
            f"{path} is not a file: something else has that name, and was left as it is; choose "
            "another data directory, or move it away"
        )


def check_writable(path: Path) -> None:
    """Raise `StartError` unless this user may write a database and what SQLite keeps beside it."""
    for each in (path, *(companion(path, suffix) for suffix in COMPANIONS), path.parent):
        if each.exists() and not os.access(each, os.W_OK, effective_ids=_EFFECTIVE):
            raise StartError(_not_writable(each))


_EFFECTIVE = os.access in os.supports_effective_ids


def _not_writable(path: Path) -> str:
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return f"{path} cannot be written: it is mounted read-only; mount it to be written"
    found = path.stat()
    return (
        f"{path} cannot be written by this user (uid {os.geteuid()}): it belongs to uid "
        f"{found.st_uid} and has mode {found.st_mode & 0o7777:04o}; give it to the user that the "
        "server runs as (chown), or start the server as its owner"
    )


def check_no_journal(path: Path) -> None:
    """Raise `StartError` if there is a rollback journal that SQLite would play back.

    EZRA writes none. SQLite takes one for alive whose first byte is not 0.
    """
    journal = companion(path, "-journal")
    try:
        with journal.open("rb") as file:
            alive = file.read(1) not in (b"", b"\0")
    except FileNotFoundError:
        return
    if alive:
        raise StartError(
            f"{journal} is there: another program was ended while it wrote to a database of this "
            "name. Was it this one, have SQLite undo what is half done: "
            f"sqlite3 {shlex.quote(str(path))} 'PRAGMA user_version'. Was it another, as when a "
            "backup was put in its place, move the journal away"
        )
