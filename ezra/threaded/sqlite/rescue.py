"""`python -m ezra recover`: the way on where a start refuses a damaged log.

What SQLite can read is brought into a copy of the database, which takes the place of the damaged
one only if all of `checking` finds it sound. A log may be damaged in a part that is in the
database already; then what SQLite reads of it is older than that, and the database without the log
may be the sound one. So both are tried, and the newer one is taken. Whatever was there is kept.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ezra.sansio.errors import StartError
from ezra.threaded.sqlite import inspection, probe, statements
from ezra.threaded.sqlite.checking import Line, check
from ezra.threaded.sqlite.database import DATABASE_FILE
from ezra.threaded.sqlite.keeping import moment_of, sync_directory, sync_file
from ezra.threaded.sqlite.lock import DirectoryLock
from ezra.threaded.sqlite.place import real_path
from ezra.threaded.sqlite.probe import companion, size_of
from ezra.threaded.sqlite.statements_of_checks import NEWEST

WORKSHOP = "recovering"
"""The directory, in the data directory, in which a sound database is made."""


def recover(directory: Path) -> Iterator[Line]:
    """Put a sound database in the place of a damaged one; yield what was done.

    Raises:
        StartError: the directory is in use, or nothing sound could be made; nothing was changed.
        OSError: the disk has no room, or fails; nothing was changed, or it can be done again.
    """
    lock = DirectoryLock(directory)
    try:
        yield from _recover(real_path(directory / DATABASE_FILE))
    finally:
        lock.release()


def _recover(path: Path) -> Iterator[Line]:
    damage = _damage_of(path)
    if damage is None:
        yield Line(f"{path}: nothing is damaged, and nothing was changed")
        return
    yield Line(str(damage), sound=False)
    workshop = path.parent / WORKSHOP
    try:
        made, how = _make_sound(path, workshop, with_log=not damage.ahead)
        yield Line(f"sound: {how}")
        yield Line(f"kept: what was there, in {_replace(path, made)}")
        yield Line(f"{path}: can be started on. {_not_in_it(damage)}")
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _damage_of(path: Path) -> inspection.Damage | None:
    """Return what a start would refuse. Raises StartError for what this cannot help with."""
    try:
        with inspection.inspected(path) as (connection, _):
            inspection.inspect_pages(connection, path)
    except inspection.Damage as damage:
        return damage
    return None


def _make_sound(path: Path, workshop: Path, *, with_log: bool) -> tuple[Path, str]:
    """Return the newest sound database that can be made, and how it came about.

    Args:
        path: the damaged one.
        workshop: a directory to make it in.
        with_log: whether the log may have something that the database has not.
    """
    shutil.rmtree(workshop, ignore_errors=True)
    ways = (
        (True, "what SQLite can read of the log is in the database"),
        (False, "the database as it was when the log last went into it, without the log"),
    )
    sound = []
    for number, (played_in, how) in enumerate(ways[not with_log :]):
        made = _try(path, workshop / str(number), with_log=played_in)
        if all(line.sound for line in check(made, checksums=False)):
            sound.append((_newest_in(made), played_in, made, how))
    if sound:
        return max(sound)[2:]
    raise StartError(
        f"neither {path} with what can be read of its log nor {path} alone is sound; nothing was "
        "changed. Put a backup in its place, or save single rows with the .recover command of the "
        "sqlite3 shell"
    )


def _newest_in(made: Path) -> tuple[int, int]:
    """Return the last id and the last moment that a database knows, to tell the newer of two."""
    with probe.reading(made) as connection:
        found: tuple[int, int] = connection.execute(NEWEST).fetchone()
        return found


def _try(path: Path, workshop: Path, *, with_log: bool) -> Path:
    """Make a database of copies; whether it is any good is for others to say."""
    workshop.mkdir(0o700, parents=True)
    made = workshop / path.name
    shutil.copyfile(path, made)
    if with_log and size_of(companion(path, "-wal")):
        shutil.copyfile(companion(path, "-wal"), companion(made, "-wal"))
    made.chmod(0o600)
    try:
        with closing(sqlite3.connect(made, isolation_level=None)) as connection:
            connection.execute(statements.CHECKPOINT).fetchall()
    except sqlite3.Error:
        pass  # the check says what is wrong
    sync_file(made)
    return made


def _replace(path: Path, made: Path) -> Path:
    """Put the new database in the place of the old one; return where the old one is.

    There is a database under its name at every moment. If it ends in between, the damaged log is
    still there, and a start refuses as before.
    """
    kept = _new_directory(path)
    log = companion(path, "-wal")
    for each in (path, log):
        if each.exists():
            _keep(each, kept / each.name)
    sync_directory(kept)
    made.replace(path)
    sync_directory(path.parent)
    for each in (log, companion(path, "-shm")):
        each.unlink(missing_ok=True)
    sync_directory(path.parent)
    return kept


def _keep(path: Path, kept: Path) -> None:
    """Give a file a second name; where the file system has no such thing, copy it."""
    try:
        os.link(path, kept)
    except OSError:
        shutil.copyfile(path, kept)
        kept.chmod(0o600)
        sync_file(kept)


def _new_directory(path: Path) -> Path:
    number = 1
    while True:
        name = f"damaged-{moment_of(path)}" + (f"-{number}" if number > 1 else "")
        try:
            path.with_name(name).mkdir(0o700)
        except FileExistsError:
            number += 1
        else:
            return path.with_name(name)


def _not_in_it(damage: inspection.Damage) -> str:
    if damage.findings is None:
        return "What was in the log alone is not in it"
    if not damage.findings.frames:
        return "Nothing was in the log alone"
    return f"Not in it: {inspection.count_lost(damage.findings)}, the last that were committed"
