"""Checkpoints: when they come, that an error in one is seen, and a log that is held up."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from ezra.sansio.errors import EngineError, OutcomeUnknown
from ezra.sansio.model import NewTask
from ezra.sansio.queue.operations import Push
from ezra.threaded.sqlite import checkpoints as checkpoints_module
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.engine import SqliteEngine
from tests.property.fake_clock import FakeClock
from tests.property.operations import DEFAULTS
from tests.property.sqlite_worlds import Faulty, by_hand, engine_in, error_of, make_faulty, push

PAGES = 50


def frequent(engine: SqliteEngine) -> Faulty:
    """Have checkpoints often, and return the writer's connection, which can be made to fail."""
    engine._writer.checkpoints.pages, engine._writer.checkpoints.every = PAGES, 1
    return make_faulty(engine)


def seen(faulty: Faulty) -> list[str]:
    """Return a list that will hold every checkpoint's statement."""
    found: list[str] = []
    faulty.fails = lambda text: found.append(text) if "checkpoint" in text else None
    return found


def until(engine: SqliteEngine, enough: Callable[[], object], size: int = 4_000) -> None:
    """Push until something has happened, which takes a thousand pushes at the most."""
    for _ in range(1_000):
        if enough():
            return
        push(engine, payload=b"x" * size)
    raise AssertionError("it never happens")


def wal_of(directory: Path) -> Path:
    """Return the log's file."""
    return directory / "ezra.db-wal"


def test_a_checkpoint_comes_when_the_log_has_its_pages(tmp_path: Path) -> None:
    """And then, when it has them anew: the file stays as long as it was."""
    with engine_in(tmp_path) as engine:
        done = seen(frequent(engine))
        sizes = []
        for _ in range(5):
            done.clear()
            until(engine, lambda: done)
            sizes.append(wal_of(tmp_path).stat().st_size)
        assert set(done) == {statements.BRING_IN}
        assert PAGES * 4_096 < sizes[0] < 2 * PAGES * 4_120
        assert max(sizes) < 2 * PAGES * 4_120


def test_one_is_looked_for_every_few_commits(tmp_path: Path) -> None:
    """Looking costs reads, which most commits do without."""
    with engine_in(tmp_path) as engine:
        engine._writer.checkpoints.pages, engine._writer.checkpoints.every = 1, 4
        done = seen(make_faulty(engine))
        found = []
        for _ in range(8):
            push(engine)
            found.append(len(done))
        first = found.index(1)
        assert found == [0] * first + [1] * 4 + [2] * (4 - first)


def test_without_its_pages_there_is_none(tmp_path: Path) -> None:
    """Nor does SQLite make one by itself, within a COMMIT, where nobody would see it fail."""
    with engine_in(tmp_path) as engine:
        done = seen(make_faulty(engine))
        for _ in range(10):
            engine.execute([Push("q", NewTask(b"x" * 4_000)) for _ in range(200)])
        assert done == []
        assert wal_of(tmp_path).stat().st_size > 8_000_000
        pragma = engine._writer.connection.execute("PRAGMA wal_autocheckpoint").fetchone()
        assert pragma == (0,)


@pytest.mark.parametrize(
    "error",
    [
        error_of(sqlite3.SQLITE_IOERR_FSYNC),
        error_of(sqlite3.SQLITE_IOERR_WRITE),
        error_of(sqlite3.SQLITE_CORRUPT),
        MemoryError(),
    ],
)
def test_an_error_in_a_checkpoint_ends_the_engine(tmp_path: Path, error: Exception) -> None:
    """Whoever asked is told, the owner is, and nothing is acknowledged any more."""
    told: list[EngineError] = []
    engine = SqliteEngine(tmp_path, DEFAULTS, FakeClock(), on_failure=told.append)
    frequent(engine).fails = lambda text: error if text == statements.BRING_IN else None
    with pytest.raises(OutcomeUnknown):
        until(engine, lambda: False)
    assert len(told) == 1
    with pytest.raises(OutcomeUnknown):
        push(engine)
    engine.close()


def test_a_checkpoint_on_a_full_disk_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Pushes go on as long as the log has room; it is told once; with space, it works."""
    with engine_in(tmp_path) as engine:
        faulty = frequent(engine)
        engine._writer.checkpoints.again = PAGES
        tried: list[str] = []

        def fails(text: str) -> Exception | None:
            if text != statements.BRING_IN:
                return None
            tried.append(text)
            return error_of(sqlite3.SQLITE_FULL)

        faulty.fails = fails
        with caplog.at_level(logging.WARNING):
            until(engine, lambda: len(tried) == 3)
        assert [record.getMessage() for record in caplog.records] == [
            f"no room to bring {wal_of(tmp_path)} into the database: it grows"
        ]
        done = seen(faulty)
        until(engine, lambda: len(done) == 2)
        assert wal_of(tmp_path).stat().st_size < 10 * PAGES * 4_120


def test_a_log_that_cannot_be_brought_in_is_told_and_made_short_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody else reads what was before it; when that is over, the disk has its space back."""
    long = 4 * PAGES * 4_120
    monkeypatch.setattr(checkpoints_module, "TOO_LONG", long)
    with engine_in(tmp_path) as engine:
        frequent(engine)
        engine._writer.checkpoints.again = PAGES
        push(engine)
        with by_hand(tmp_path) as reader, caplog.at_level(logging.WARNING):
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM tasks").fetchall()
            until(engine, lambda: wal_of(tmp_path).stat().st_size > 3 * long)
            (record,) = caplog.records
            assert "keeps a read transaction open on the database" in record.getMessage()
            assert str(wal_of(tmp_path)) in record.getMessage()
        until(engine, lambda: wal_of(tmp_path).stat().st_size < long)


def test_a_close_brings_everything_in(tmp_path: Path) -> None:
    """So that the file alone is a whole database."""
    with engine_in(tmp_path) as engine:
        push(engine)
    assert not wal_of(tmp_path).exists()


def test_an_error_as_it_closes_is_no_orderly_end(tmp_path: Path) -> None:
    """What was answered is in the log still, and the next start finds it."""
    engine = SqliteEngine(tmp_path, DEFAULTS, FakeClock())
    task = push(engine)
    before = (tmp_path / "ezra.db").read_bytes()
    error = error_of(sqlite3.SQLITE_IOERR_FSYNC)
    make_faulty(engine).fails = lambda text: error if text == statements.BRING_ALL_IN else None
    with pytest.raises(OutcomeUnknown, match="at the very end"):
        engine.close()
    assert wal_of(tmp_path).stat().st_size > 0
    assert (tmp_path / "ezra.db").read_bytes() == before
    with engine_in(tmp_path) as engine:
        assert push(engine) > task


def test_after_a_failure_a_close_leaves_the_files_as_they_are(tmp_path: Path) -> None:
    """What the page cache has may not be what is on disk: the next process reads that anew."""
    engine = SqliteEngine(tmp_path, DEFAULTS, FakeClock())
    push(engine)
    error = error_of(sqlite3.SQLITE_IOERR_FSYNC)
    make_faulty(engine).fails = lambda text: error if text == statements.COMMIT else None
    with pytest.raises(OutcomeUnknown):
        push(engine)
    before = {name: (tmp_path / name).read_bytes() for name in ("ezra.db", "ezra.db-wal")}
    engine.close()
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
