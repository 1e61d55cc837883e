"""What has a database's name: a link, no file, half of one, another user's, one half written."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ezra.sansio.errors import OutcomeUnknown, StartError
from ezra.threaded.sqlite import faults
from ezra.threaded.sqlite.checking import check
from ezra.threaded.sqlite.checkpoints import Checkpoints
from ezra.threaded.sqlite.database import DATABASE_FILE
from ezra.threaded.sqlite.place import check_writable
from ezra.threaded.sqlite.probe import companion
from ezra.threaded.sqlite.rescue import recover
from tests.property.sqlite_worlds import by_hand, engine_in, error_of, push, stored_tasks
from tests.property.test_sqlite_start import files_in, flip, log_of, refusal

PAGE = 4096


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data directory with a task, closed in order."""
    directory = tmp_path / "data"
    with engine_in(directory) as engine:
        push(engine)
    return directory


def cannot_start(directory: Path) -> str:
    """Return why an engine does not start."""
    with pytest.raises(StartError) as caught, engine_in(directory):
        pass
    return str(caught.value)


# -- Links, and what is no file --------------------------------------------------------------------


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    """A disk that is not mounted, say: an empty queue in its place would take its tasks' ids."""
    link, target = tmp_path / DATABASE_FILE, tmp_path / "volume" / "there.db"
    link.symlink_to(target)
    said = cannot_start(tmp_path)
    assert f"is a link to {target}, which is not there" in said
    assert "something else has that name" in said
    assert link.is_symlink()
    assert not target.parent.exists()


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    """It leads nowhere, too."""
    (tmp_path / DATABASE_FILE).symlink_to(tmp_path / DATABASE_FILE)
    assert "which is not there" in cannot_start(tmp_path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """And stays what it is."""
    make(tmp_path / DATABASE_FILE)
    before = stat.S_IFMT((tmp_path / DATABASE_FILE).lstat().st_mode)
    assert "something else has that name" in cannot_start(tmp_path)
    assert stat.S_IFMT((tmp_path / DATABASE_FILE).lstat().st_mode) == before
    assert {path.name for path in tmp_path.iterdir()} == {DATABASE_FILE, "ezra.lock"}


def linked(directory: Path, to: Path) -> Path:
    """Move a database to another directory, with a link in its place; return where it is."""
    to.mkdir()
    for path in directory.glob(f"{DATABASE_FILE}*"):
        path.rename(to / path.name)
    (directory / DATABASE_FILE).symlink_to(to / DATABASE_FILE)
    return to


def test_a_link_to_a_database_leads_to_its_log(data: Path, tmp_path: Path) -> None:
    """SQLite keeps the log beside the file, not beside the link; there it is looked for."""
    volume = linked(data, tmp_path / "volume")
    with engine_in(data) as engine:
        push(engine)
        checkpoints: Checkpoints = engine._checkpoints
        assert checkpoints.size() == log_of(volume).stat().st_size > 0
        crashed = tmp_path / "crashed"
        shutil.copytree(volume, crashed)
    assert (data / DATABASE_FILE).is_symlink()
    assert len(stored_tasks(data)) == 2
    (data / DATABASE_FILE).unlink()
    (data / DATABASE_FILE).symlink_to(crashed / DATABASE_FILE)
    flip(log_of(crashed), 17)
    assert "is damaged in its header" in cannot_start(data)
    assert "can be started on" in [line.text for line in recover(data)][-1]
    with engine_in(data):
        assert (data / DATABASE_FILE).is_symlink()


# -- A file that has lost its end ------------------------------------------------------------------


@pytest.mark.parametrize("lost", [1, PAGE, 10 * PAGE])
def test_a_database_that_has_lost_its_end_is_damaged(data: Path, lost: int) -> None:
    """It is said, a copy is kept, and there is a way on, which says that it led nowhere."""
    path = data / DATABASE_FILE
    whole = path.stat().st_size
    os.truncate(path, whole - lost)
    said = refusal(data)
    assert f"is damaged: {whole - lost} bytes are left of {whole}, its end is missing" in said
    assert f"python -m ezra recover -d {data}" in said
    (copy,) = data.glob("*.damaged-*")
    assert copy.name in said
    lines = [line.text for line in check(path) if not line.sound]
    assert "its end is missing" in lines[0]
    before = files_in(data)
    with pytest.raises(StartError, match="Put a backup in its place"):
        list(recover(data))
    assert files_in(data) == before


def test_what_sqlite_calls_malformed_is_damage_from_its_opening_on(data: Path) -> None:
    """Where the header does not say for certain how long the file was."""
    flip(data / DATABASE_FILE, 21)
    said = refusal(data)
    assert "is damaged: " in said
    assert len(list(data.glob("*.damaged-*"))) == 1


def test_a_database_may_be_short_while_its_log_has_the_rest(data: Path, tmp_path: Path) -> None:
    """A checkpoint that is cut off has written the first page, and not yet the last."""
    crashed = tmp_path / "crashed"
    path = data / DATABASE_FILE
    with engine_in(data) as engine:
        before = path.stat().st_size
        push(engine, payload=bytes(20 * PAGE))
        shutil.copytree(data, crashed)
        engine._writer.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        with path.open("rb") as file:
            first = file.read(PAGE)
    short = crashed / DATABASE_FILE
    short.write_bytes(first + short.read_bytes()[PAGE:])
    assert short.stat().st_size == before < int.from_bytes(first[28:32], "big") * PAGE
    with engine_in(crashed):
        pass
    assert len(stored_tasks(crashed)) == 2


# -- Another user's --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [DATABASE_FILE, f"{DATABASE_FILE}-wal", "."])
def test_what_this_user_may_not_write_is_refused(
    data: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, with its owner and its mode; before anything is changed."""
    companion(data / DATABASE_FILE, "-wal").touch()
    wrong = data / name
    monkeypatch.setattr("os.access", lambda path, *_, **__: Path(path) != wrong)
    mode = f"{stat.S_IMODE(wrong.stat().st_mode):04o}"
    said = refusal(data)
    assert f"{wrong} cannot be written by this user (uid {os.geteuid()})" in said
    assert f"has mode {mode}; give it to" in said


def test_what_is_mounted_read_only_is_said_to_be(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To give it to somebody would not help."""

    class Found:
        f_flag = os.ST_RDONLY

    monkeypatch.setattr("os.access", lambda *_, **__: False)
    monkeypatch.setattr("os.statvfs", lambda _: Found)
    with pytest.raises(StartError, match="mounted read-only"):
        check_writable(data / DATABASE_FILE)


def test_why_a_start_cannot_write_is_said(tmp_path: Path) -> None:
    """Not that somebody may ask again: nobody has asked yet."""
    unknown = OutcomeUnknown("UNKNOWN ask again")
    unknown.__cause__ = error_of(sqlite3.SQLITE_READONLY)
    assert faults.cannot_start(tmp_path, unknown) == (
        f"cannot use {tmp_path}: injected; see that this user may write it, its directory, and "
        "what is beside it"
    )


@pytest.mark.parametrize("error", [PermissionError(13, "no"), error_of(sqlite3.SQLITE_CANTOPEN)])
def test_what_cannot_be_looked_at_is_not_called_damaged(
    data: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what is in it."""

    def refused(*_: object) -> None:
        raise error

    monkeypatch.setattr("ezra.threaded.sqlite.inspection.read_header", refused)
    with pytest.raises(StartError, match="cannot be looked at"):
        list(check(data / DATABASE_FILE))


# -- What a person or another program has left -----------------------------------------------------


def test_a_format_that_no_ezra_writes_is_refused(data: Path) -> None:
    """The first one is 1: its steps would run on tables that are there."""
    with by_hand(data) as connection:
        connection.execute("PRAGMA user_version = 0")
    said = refusal(data)
    assert "has format 0, which no EZRA writes" in said
    assert "Set it back" in said


def test_a_rollback_journal_is_refused_and_left(data: Path, tmp_path: Path) -> None:
    """Of whom it is nobody can tell. What the text names has SQLite undo what is half done."""
    path, half = data / DATABASE_FILE, tmp_path / "half"
    with by_hand(data) as connection:
        connection.execute("PRAGMA journal_mode = delete").fetchall()
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE made AS SELECT zeroblob(100000) FROM tasks")
        shutil.copytree(data, half)
    journal = companion(half / DATABASE_FILE, "-journal")
    said = refusal(half)
    assert f"{journal} is there" in said
    assert f"sqlite3 {half / DATABASE_FILE} 'PRAGMA user_version'" in said
    with closing(sqlite3.connect(half / DATABASE_FILE)) as shell:
        shell.execute("PRAGMA user_version").fetchall()
    with engine_in(half):
        pass
    assert len(stored_tasks(half)) == 1
    companion(path, "-journal").write_bytes(bytes(512))
    with engine_in(data):
        pass
