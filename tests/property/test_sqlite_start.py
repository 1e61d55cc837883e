"""The start-up sequence: what is refused is left as it is, with a copy of what is damaged."""

from __future__ import annotations

import logging
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ezra.sansio.errors import StartError
from ezra.threaded.sqlite import keeping, pool, probe
from ezra.threaded.sqlite.database import DATABASE_FILE, open_database
from ezra.threaded.sqlite.pool import Synchronous
from ezra.threaded.sqlite.probe import companion
from ezra.threaded.sqlite.rescue import recover
from ezra.threaded.sqlite.wal import FRAME_HEADER_SIZE, HEADER_SIZE
from tests.property.sqlite_worlds import by_hand, crashed_with, engine_in, stored_tasks

FRAME = FRAME_HEADER_SIZE + 4096
PUSHES = 8


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """Return a directory as a crash leaves it: eight answered pushes, all of them in the log."""
    return crashed_with(tmp_path, PUSHES)


def files_in(directory: Path) -> dict[str, bytes]:
    """Return every file that is somebody's data: not the lock, nor the index of a log.

    SQLite makes that anew whenever a database is opened after a crash.
    """
    files = [path for path in directory.iterdir() if path.is_file()]
    beside = ("ezra.lock", f"{DATABASE_FILE}-shm")
    return {path.name: path.read_bytes() for path in files if path.name not in beside}


def flip(path: Path, at: int) -> None:
    """Change one bit."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def refusal(directory: Path, synchronous: Synchronous = "full") -> str:
    """Return why the database there cannot be opened; every file must stay as it was."""
    before = files_in(directory)
    with pytest.raises(StartError) as caught:
        open_database(directory / DATABASE_FILE, synchronous)
    after = files_in(directory)
    assert {name: after.get(name) for name in before} == before
    assert all(".damaged-" in name for name in after.keys() - before.keys())
    return str(caught.value)


def log_of(directory: Path) -> Path:
    """Return the database's log."""
    return directory / f"{DATABASE_FILE}-wal"


def test_a_crash_costs_nothing(crashed: Path) -> None:
    """Every push is there, and the log is empty when the database is handed over."""
    connection, came_from = open_database(crashed / DATABASE_FILE, "full")
    assert came_from > 0
    assert log_of(crashed).stat().st_size == 0
    assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (PUSHES,)
    connection.close()


def test_a_flipped_bit_in_the_log_is_refused_and_the_log_kept(crashed: Path) -> None:
    """Once, however often a supervisor starts it again; the text names a command that helps."""
    flip(log_of(crashed), HEADER_SIZE + FRAME + 2000)
    damaged = log_of(crashed).read_bytes()
    said = refusal(crashed)
    assert "is damaged at frame 2: SQLite would drop" in said
    assert f"python -m ezra recover -d {crashed}" in said
    assert refusal(crashed) == said
    (copy,) = crashed.glob("*.damaged-*")
    assert copy.name in said
    assert copy.read_bytes() == damaged
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    log_of(crashed).write_bytes(damaged[:-1])
    assert "damaged" in refusal(crashed)
    assert len(list(crashed.glob("*.damaged-*"))) == 2


def _without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "ROOM", 2**60)


def test_without_room_for_a_copy_it_is_refused_all_the_same(
    crashed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it says so."""
    flip(log_of(crashed), HEADER_SIZE + FRAME + 2000)
    _without_room(monkeypatch)
    assert "no copy could be kept (there is no room for it)" in refusal(crashed)


def _header_of_log(directory: Path) -> None:
    flip(log_of(directory), 17)


def _page_size(directory: Path) -> None:
    with closing(sqlite3.connect(directory / "other.db", isolation_level=None)) as other:
        other.execute("PRAGMA page_size = 1024")
        other.execute("PRAGMA journal_mode = wal").fetchall()
        other.execute("CREATE TABLE t (x)")
        shutil.copyfile(directory / "other.db-wal", log_of(directory))
    (directory / "other.db").unlink()


def _log_removed(directory: Path) -> None:
    log_of(directory).unlink()


def _log_of_another(directory: Path) -> None:
    with closing(sqlite3.connect(directory / "backup.db", isolation_level=None)) as made:
        made.execute("CREATE TABLE t (x)")
        made.execute(f"PRAGMA application_id = {0x455A5241}")
        made.execute("PRAGMA user_version = 1")
    (directory / "backup.db").replace(directory / DATABASE_FILE)


def _database_page(directory: Path) -> None:
    with closing(sqlite3.connect(directory / DATABASE_FILE)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with (directory / DATABASE_FILE).open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xa5" * 4096)


def _foreign_in_log(directory: Path) -> None:
    _edit_in_log(directory, "PRAGMA application_id = 7")


def _newer_in_log(directory: Path) -> None:
    _edit_in_log(directory, "PRAGMA user_version = 99")


def _edit_in_log(directory: Path, statement: str) -> None:
    """Have an edit stand in the log alone, as a crash leaves it."""
    copy = directory / "copy"
    copy.mkdir()
    with by_hand(directory) as connection:
        connection.execute(statement)
        for path in directory.glob(f"{DATABASE_FILE}*"):
            shutil.copyfile(path, copy / path.name)
    for path in copy.iterdir():
        path.replace(directory / path.name)
    copy.rmdir()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_header_of_log, "is damaged in its header"),
        (_page_size, "has pages of 1024 bytes, the database of 4096"),
        (_log_removed, r"-wal is missing: \d+ frames of it were not in"),
        (_log_of_another, "belongs to another database"),
        (_database_page, r"ezra.db is damaged: .*\.recover"),
        (_foreign_in_log, "is not EZRA's"),
        (_newer_in_log, r"newer EZRA \(format 99"),
    ],
)
def test_what_is_refused_is_left_as_it_is(
    crashed: Path, spoil: Callable[[Path], None], says: str
) -> None:
    """To the byte, with no file more than a copy and none less."""
    spoil(crashed)
    assert re.search(says, refusal(crashed))


def test_a_refusal_leaves_no_file_behind(tmp_path: Path) -> None:
    """Neither a log nor its index, where there were none."""
    with engine_in(tmp_path):
        pass
    with by_hand(tmp_path) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = set(tmp_path.iterdir())
    assert "newer" in refusal(tmp_path)
    assert set(tmp_path.iterdir()) == before


SHELL = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("UPDATE high_water SET last_id = last_id")
print("open", flush=True)
sys.stdin.read()
"""


def test_an_index_that_somebody_uses_stays(tmp_path: Path) -> None:
    """Another program may open the database while we look: then the index is that one's."""
    with engine_in(tmp_path):
        pass
    path = tmp_path / DATABASE_FILE
    shell = [sys.executable, "-c", SHELL, str(path)]
    with probe.reading(path) as connection:
        connection.execute("PRAGMA user_version").fetchall()
        other = subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
    assert companion(path, "-shm").exists()
    other.communicate()
    with probe.reading(path) as connection:
        connection.execute("PRAGMA user_version").fetchall()
        assert companion(path, "-shm").exists()
    assert not companion(path, "-shm").exists()


def tear(directory: Path) -> None:
    """Leave the last page of the last transaction out, as a power loss may, and the index, too."""
    companion(directory / DATABASE_FILE, "-shm").unlink(missing_ok=True)
    with log_of(directory).open("r+b") as file:
        file.seek(0, 2)
        file.seek(file.tell() - 4096)
        file.write(bytes(4096))


def test_a_torn_transaction_is_said_and_kept(
    crashed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The database opens with all before it, and nothing of it is left in the log."""
    tear(crashed)
    torn = log_of(crashed).read_bytes()
    with caplog.at_level(logging.WARNING, "ezra"):
        connection, _ = open_database(crashed / DATABASE_FILE, "full")
    assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (PUSHES - 1,)
    assert log_of(crashed).stat().st_size == 0
    connection.close()
    (copy,) = crashed.glob("*.torn-*")
    assert copy.read_bytes() == torn
    assert "as a power loss leaves it" in caplog.text
    assert copy.name in caplog.text


def test_a_torn_transaction_must_be_gone_before_another_is_written(
    crashed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else, after the next power loss, what is left of it would look like damage."""
    tear(crashed)
    monkeypatch.setitem(pool._WRITER, "busy_timeout", 1)
    with by_hand(crashed) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM tasks").fetchall()
        with pytest.raises(StartError, match="another program reads the database"):
            open_database(crashed / DATABASE_FILE, "full")


def test_without_fsync_damage_cannot_be_told_from_a_power_loss(
    crashed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """So a server with `normal` starts, says what is left out, and keeps it."""
    flip(log_of(crashed), HEADER_SIZE + FRAME + 2000)
    with caplog.at_level(logging.WARNING, "ezra"):
        connection, _ = open_database(crashed / DATABASE_FILE, "normal")
    connection.close()
    assert list(crashed.glob("*.torn-*"))
    assert "are left out" in caplog.text


# -- The way on ------------------------------------------------------------------------------------


def recovered(directory: Path) -> list[str]:
    """Recover and return what was said."""
    return [line.text for line in recover(directory)]


def test_recovery_saves_what_stands_before_the_damage(crashed: Path) -> None:
    """Says what it does not, keeps what was there, and a server starts on the result."""
    flip(log_of(crashed), log_of(crashed).stat().st_size - 3 * FRAME * PUSHES // 2)
    before = files_in(crashed)
    refusal(crashed)
    said = recovered(crashed)
    assert "Not in it: " in said[-1]
    (kept,) = (path for path in crashed.iterdir() if path.is_dir())
    for name in (DATABASE_FILE, f"{DATABASE_FILE}-wal"):
        assert (kept / name).read_bytes() == before[name]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    with engine_in(crashed):
        found = [task.payload for task in stored_tasks(crashed)]
    assert 0 < len(found) < PUSHES
    assert found == [b"%d" % number for number in range(len(found))]


def test_recovery_of_a_log_whose_header_is_damaged(crashed: Path) -> None:
    """SQLite reads nothing of it, and nothing can be said of what was in it."""
    _header_of_log(crashed)
    assert "What was in the log alone is not in it" in recovered(crashed)[-1]
    with engine_in(crashed):
        assert stored_tasks(crashed) == []


def test_recovery_of_what_is_beyond_it_changes_nothing(crashed: Path) -> None:
    """Pages that are gone cannot be had back from anything that is there."""
    _database_page(crashed)
    before = files_in(crashed)
    with pytest.raises(StartError, match=r"nothing was changed.*\.recover"):
        recovered(crashed)
    assert files_in(crashed) == before
    assert {path.name for path in crashed.iterdir() if path.is_dir()} == set()


def test_recovery_of_what_is_sound_changes_nothing(crashed: Path) -> None:
    """Also the log stays."""
    before = files_in(crashed)
    assert "nothing is damaged" in recovered(crashed)[0]
    assert files_in(crashed) == before


def test_recovery_goes_past_a_log_that_is_older_than_the_database(crashed: Path) -> None:
    """A checkpoint has brought in frames behind the bad one: what SQLite reads would undo them."""
    with by_hand(crashed) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        content = {path: path.read_bytes() for path in crashed.glob(f"{DATABASE_FILE}*")}
    for path, content_of in content.items():
        path.write_bytes(content_of)
    flip(log_of(crashed), log_of(crashed).stat().st_size - 3 * FRAME * PUSHES // 2)
    assert "without the log" in "".join(recovered(crashed))
    with engine_in(crashed):
        assert len(stored_tasks(crashed)) == PUSHES


def test_recovery_goes_past_a_task_that_is_not_what_was_pushed(crashed: Path) -> None:
    """It is set aside when its turn comes: no reason to give up all the others."""
    with by_hand(crashed) as connection:
        connection.execute("UPDATE payloads SET payload = x'78' WHERE payload = x'30'")
        connection.execute("UPDATE payloads SET checksum = 0 WHERE payload = x'78'")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        content = {path: path.read_bytes() for path in crashed.glob(f"{DATABASE_FILE}*")}
    for path, content_of in content.items():
        path.write_bytes(content_of)
    _header_of_log(crashed)
    assert "can be started on" in recovered(crashed)[-1]
    with engine_in(crashed):
        found = [task.payload for task in stored_tasks(crashed)]
    assert found == [b"x", *(b"%d" % number for number in range(1, PUSHES))]


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a file system that knows no second names."""

    def refused(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refused)


@pytest.mark.usefixtures("no_links")
def test_recovery_where_files_have_one_name(crashed: Path) -> None:
    """They are copied, then; and a moment that is taken gets a number."""
    flip(log_of(crashed), log_of(crashed).stat().st_size - 3 * FRAME * PUSHES // 2)
    moment = keeping.moment_of(crashed / DATABASE_FILE)
    (crashed / f"damaged-{moment}").mkdir()
    before = (crashed / DATABASE_FILE).read_bytes()
    recovered(crashed)
    assert (crashed / f"damaged-{moment}-2" / DATABASE_FILE).read_bytes() == before
