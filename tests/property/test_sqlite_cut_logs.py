"""A log that has lost its end: refused where its index proves it, said where a trace is left."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ezra.sansio.errors import OutcomeUnknown, StartError
from ezra.threaded.sqlite import checkpoints, probe
from ezra.threaded.sqlite.checking import check
from ezra.threaded.sqlite.database import DATABASE_FILE, open_database
from ezra.threaded.sqlite.engine import SqliteEngine
from ezra.threaded.sqlite.index import read_index, sync_index
from ezra.threaded.sqlite.pool import Synchronous
from ezra.threaded.sqlite.probe import companion
from ezra.threaded.sqlite.rescue import recover
from ezra.threaded.sqlite.wal import HEADER_SIZE, checksum
from tests.property.fake_clock import FakeClock
from tests.property.operations import DEFAULTS
from tests.property.sqlite_worlds import by_hand, crashed_with, engine_in, push, stored_tasks
from tests.property.test_sqlite_start import FRAME, PUSHES, SHELL, flip, log_of, refusal

Spoil = Callable[[Path], None]


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """Return a directory as a crash leaves it: eight answered pushes, all of them in the log."""
    return crashed_with(tmp_path, PUSHES)


def index_of(directory: Path) -> Path:
    """Return the index of the database's log."""
    return companion(directory / DATABASE_FILE, "-shm")


def cut(directory: Path, size: int) -> None:
    """Leave so many bytes of the log; of a negative number, all but so many."""
    there_are = log_of(directory).stat().st_size
    os.truncate(log_of(directory), size if size >= 0 else there_are + size)


def cut_to_half(directory: Path) -> None:
    """Leave half of the log."""
    cut(directory, log_of(directory).stat().st_size // 2)


def cut_transaction(directory: Path) -> None:
    """Leave all but the last transaction, which is a push of five pages."""
    cut(directory, -5 * FRAME)


def zero_last_frame(directory: Path) -> None:
    """Leave zeros where the last frame was, as a file system may."""
    size = log_of(directory).stat().st_size
    cut(directory, -FRAME)
    os.truncate(log_of(directory), size)


def rot_in_last_frame(directory: Path) -> None:
    """Change a bit of the last page: without an index that looks like a torn write."""
    flip(log_of(directory), log_of(directory).stat().st_size - 100)


def to(size: int) -> Spoil:
    """Cut it to so many bytes, or by so many."""
    return lambda directory: cut(directory, size)


def started(directory: Path, synchronous: Synchronous = "full") -> int:
    """Start, and return how many tasks there are."""
    connection, _ = open_database(directory / DATABASE_FILE, synchronous)
    count: int = connection.execute("SELECT count(*) FROM tasks").fetchone()[0]
    connection.close()
    return count


def checked(directory: Path) -> list[str]:
    """Return what a check finds wrong in the log."""
    lines = check(directory / DATABASE_FILE)
    return [line.text for line in lines if not line.sound and line.text.startswith("log: ")]


LOSSES = [
    cut_to_half,
    cut_transaction,
    zero_last_frame,
    rot_in_last_frame,
    *(to(size) for size in (-1, 0, 10, HEADER_SIZE, HEADER_SIZE + 1)),
]


@pytest.mark.parametrize("spoil", LOSSES)
def test_an_end_that_the_index_proves_is_missed(crashed: Path, spoil: Spoil) -> None:
    """By the start and by the check, however often; a copy is kept, and `recover` is the way on."""
    spoil(crashed)
    left = log_of(crashed).read_bytes()
    said = refusal(crashed)
    assert "has lost its end: by its index" in said
    assert f"python -m ezra recover -d {crashed}" in said
    (found,) = checked(crashed)
    assert "has lost its end" in found
    assert refusal(crashed) == said
    (copy,) = crashed.glob("*.damaged-*")
    assert copy.read_bytes() == left
    assert "Not in it: " in [line.text for line in recover(crashed)][-1]
    assert started(crashed) < PUSHES


@pytest.mark.parametrize(
    "spoil", [zero_last_frame, to(-1), to(-3000), to(-FRAME), to(10), to(-5 * FRAME + 7)]
)
def test_a_transaction_without_its_end_is_said_and_kept(
    crashed: Path, spoil: Spoil, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where no index tells that it was committed; the check says the same."""
    index_of(crashed).unlink()
    spoil(crashed)
    left = log_of(crashed).read_bytes()
    lines = [line.text for line in check(crashed / DATABASE_FILE)]
    assert [line for line in lines if line.startswith("log: torn at frame")]
    with caplog.at_level(logging.WARNING, "ezra"):
        assert started(crashed) < PUSHES
    (copy,) = crashed.glob("*.torn-*")
    assert copy.read_bytes() == left
    assert "ends in the middle of a transaction" in caplog.text
    assert copy.name in caplog.text


def old_run(directory: Path) -> None:
    """Make the index one of an older run."""
    _rewrite_index(directory, 32)


def half_written(directory: Path) -> None:
    """Make the index one that a power loss has caught between its two copies."""
    flip(index_of(directory), 16)


def wrong_sums(directory: Path) -> None:
    """Have both copies say something that their checksum does not confirm."""
    flip(index_of(directory), 16)
    flip(index_of(directory), 48 + 16)


def cut_index(directory: Path) -> None:
    """Leave too little of the index."""
    os.truncate(index_of(directory), 3)


def _rewrite_index(directory: Path, at: int) -> None:
    content = bytearray(index_of(directory).read_bytes())
    content[at] ^= 1
    sums = checksum(bytes(content[:40]), (0, 0), big_endian=sys.byteorder == "big")
    content[40:48] = b"".join(each.to_bytes(4, sys.byteorder) for each in sums)
    content[48:96] = content[:48]
    index_of(directory).write_bytes(content)


@pytest.mark.parametrize("age", [old_run, half_written, wrong_sums, cut_index])
def test_an_index_that_proves_nothing_refuses_nothing(crashed: Path, age: Spoil) -> None:
    """As a power loss may leave it, of any moment before."""
    cut_transaction(crashed)
    age(crashed)
    assert started(crashed) == PUSHES - 1


def test_no_power_loss_makes_an_index_that_refuses_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be of any moment since it was fsynced, beside the log and the database as they are."""
    alive, again = tmp_path / "alive", tmp_path / "again"
    moments: list[bytes] = []
    pushed = 0

    def fsynced(path: Path) -> None:
        if path == index_of(alive):  # and not that of a start after a power loss
            moments.clear()
            lose_power()

    def lose_power() -> None:
        moments.append(index_of(alive).read_bytes())
        for moment in moments:
            shutil.copytree(alive, again)
            index_of(again).write_bytes(moment)
            assert started(again) == pushed
            shutil.rmtree(again)

    with engine_in(alive) as engine, monkeypatch.context() as patched:
        patched.setattr(checkpoints, "sync_index", fsynced)
        for bring_in in ("PASSIVE", "RESTART", "emptied", "PASSIVE"):
            for _ in range(2):
                push(engine)
                pushed += 1
                lose_power()
            connection = engine._writer.connection
            if bring_in == "emptied":
                assert checkpoints.make_empty(connection, alive / DATABASE_FILE)
            else:
                connection.execute(f"PRAGMA wal_checkpoint({bring_in})").fetchall()
            lose_power()


def test_what_the_database_has_is_not_lost_with_an_empty_log(crashed: Path) -> None:
    """But what is left of a log may be older than the database, and SQLite would read it."""
    edited(crashed, "PRAGMA wal_checkpoint(PASSIVE)")
    content = log_of(crashed).read_bytes()
    cut_to_half(crashed)
    assert "SQLite would take the database back" in refusal(crashed)
    whole = crashed.parent / "whole"
    shutil.copytree(crashed, whole)
    assert "Nothing was in the log alone" in [line.text for line in recover(whole)][-1]
    assert started(whole) == PUSHES
    log_of(crashed).write_bytes(content)
    cut(crashed, 0)
    assert started(crashed) == PUSHES


def test_recovery_does_not_take_the_database_back(crashed: Path) -> None:
    """Where what is left of the log is whole, and as new by its ids: a deletion gives out none."""
    before = read_index(index_of(crashed))
    assert before is not None
    erase = "DELETE FROM tasks WHERE id = (SELECT max(id) FROM tasks)"
    edited(crashed, erase, "PRAGMA wal_checkpoint(PASSIVE)")
    cut(crashed, HEADER_SIZE + before.frames * FRAME)
    assert "Nothing was in the log alone" in [line.text for line in recover(crashed)][-1]
    assert started(crashed) == PUSHES - 1


def edited(directory: Path, *statements: str) -> None:
    """Change something by hand, as if that had crashed, too."""
    with by_hand(directory) as connection:
        for statement in statements:
            connection.execute(statement).fetchall()
        content = {path: path.read_bytes() for path in directory.glob(f"{DATABASE_FILE}*")}
    for path, content_of in content.items():
        path.write_bytes(content_of)


@pytest.mark.parametrize("spoil", LOSSES)
def test_without_fsync_nothing_is_proven(
    crashed: Path, spoil: Spoil, caplog: pytest.LogCaptureFixture
) -> None:
    """With `normal` the index may be on disk before the log: it is said, and started."""
    spoil(crashed)
    with caplog.at_level(logging.WARNING, "ezra"):
        assert started(crashed, "normal") < PUSHES
    assert "are left out" in caplog.text


def test_the_index_is_fsynced_before_the_log_is_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a power loss could leave an empty log beside an index that tells of frames in it."""
    seen: list[tuple[int, int]] = []

    def look(path: Path) -> None:
        index = read_index(path)
        assert index is not None
        seen.append((index.unwritten, log_of(tmp_path).stat().st_size))

    with engine_in(tmp_path) as engine:
        push(engine)
        monkeypatch.setattr(checkpoints, "sync_index", look)
    assert [(unwritten, size > 0) for unwritten, size in seen] == [(0, True)]


def test_the_index_is_fsynced_by_the_descriptor_that_sqlite_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To close another one would drop this process' locks; where there is none, nothing is done."""
    synced: list[str] = []
    sync_index(index_of(tmp_path))
    with engine_in(tmp_path) as engine:
        push(engine)
        monkeypatch.setattr(
            "ezra.threaded.sqlite.index.os.fsync",
            lambda handle: synced.append(os.readlink(f"/dev/fd/{handle}")),
        )
        sync_index(index_of(tmp_path))
        monkeypatch.undo()
    assert synced == [str(index_of(tmp_path))]
    index_of(tmp_path).touch()
    sync_index(index_of(tmp_path))


def test_an_index_that_cannot_be_fsynced_is_no_orderly_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log stays as it is, and the next start finds what is in it."""

    def broken(_: Path) -> None:
        raise OSError(5, "Input/output error")

    engine = SqliteEngine(tmp_path, DEFAULTS, FakeClock())
    push(engine)
    monkeypatch.setattr(checkpoints, "sync_index", broken)
    with pytest.raises(OutcomeUnknown, match="at the very end"):
        engine.close()
    monkeypatch.undo()
    assert len(stored_tasks(tmp_path)) == 1


def test_an_index_that_somebody_uses_is_not_put_back(crashed: Path) -> None:
    """It is that one's; what was there before would tell it of another moment."""
    path = crashed / DATABASE_FILE
    before = index_of(crashed).read_bytes()
    with probe.left_as_found(path):
        shell = [sys.executable, "-c", SHELL, str(path)]
        other = subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
    assert index_of(crashed).read_bytes() != before
    other.communicate()


def test_an_index_of_a_log_that_has_changed_is_not_put_back(crashed: Path) -> None:
    """Somebody has written meanwhile, and gone."""
    with probe.left_as_found(crashed / DATABASE_FILE):
        cut(crashed, 0)
        index_of(crashed).write_bytes(b"new")
    assert index_of(crashed).read_bytes() == b"new"


def test_a_refused_start_leaves_the_index(crashed: Path) -> None:
    """Whatever it is refused for: the next one has to see the same."""
    flip(log_of(crashed), HEADER_SIZE + FRAME + 2000)
    before = index_of(crashed).read_bytes()
    with pytest.raises(StartError):
        open_database(crashed / DATABASE_FILE, "full")
    assert index_of(crashed).read_bytes() == before
