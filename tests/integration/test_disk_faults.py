"""The disk fails, once or for ever, at any of its accesses, or is slow; the books balance."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ezra.threaded.sqlite.database import DATABASE_FILE
from tests.faults import io_errors, live
from tests.faults.books import Books, balance, start_once, work
from tests.faults.strace import injecting, missing
from tests.integration.server_process import ServerProcess, command, environment
from tests.integration.waiting import PATIENCE

traced = pytest.mark.skipif(bool(missing()), reason=missing())

CLIENTS = 64
ROUNDS = 4


@pytest.mark.skipif(bool(io_errors.missing()), reason=io_errors.missing())
def test_any_access_to_the_disk_may_fail() -> None:
    """Every 23rd write, every 7th fsync …, until none is left; `make soak` has all of them."""
    report = io_errors.loop(short=True)
    assert all(report.reached.values()), report
    total = report.total
    assert total.reached > 150
    assert total.unknown
    assert total.refused_starts
    assert total.recovered


@traced
@pytest.mark.parametrize("fault", live.ERRORS[::2])
def test_an_error_under_load_ends_the_server(tmp_path: Path, fault: str) -> None:
    """Whoever waited is told UNKNOWN, the exit code is 1, and nothing that was answered is lost."""
    assert len(live.live_error(tmp_path, fault).pushed) > CLIENTS


@traced
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_an_error_at_the_start_is_said_and_harms_nothing(tmp_path: Path, error: str) -> None:
    """The recovery of what a killed server has left fails: one clear line, exit code 1."""
    books, directory = Books(), tmp_path / "data"
    with ServerProcess(directory) as server:
        work(server.client(), books, "before", 8)
        server.kill()
    files = [directory / DATABASE_FILE, directory / (DATABASE_FILE + "-wal")]
    faulty = injecting(tmp_path / "log", files, f"pwrite64:error={error}:when=2+")
    refused = subprocess.run(
        [*faulty, *command("--data-dir", str(directory), "--port", "0")],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert refused.returncode == 1
    assert "INJECTED" in (tmp_path / "log").read_text()
    [line] = [line for line in refused.stderr.splitlines() if "CRITICAL" in line]
    assert str(directory / DATABASE_FILE) in line
    assert "Traceback" not in refused.stderr
    start_once(directory)
    balance(books, directory / DATABASE_FILE)


@traced
def test_a_slow_disk_is_shared(tmp_path: Path) -> None:
    """With an fsync of 20 ms, 64 clients are all answered, several with each fsync."""
    slow = live.slow_disk(tmp_path, CLIENTS, ROUNDS, milliseconds=20)
    assert len(slow.books.pushed) == CLIENTS * ROUNDS
    assert not slow.books.unknown
    assert not slow.books.refused
    assert 0 < slow.syncs * 8 < slow.books.operations
