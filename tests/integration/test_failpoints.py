"""Each failpoint in a real process, with each of its actions; afterwards the books balance.

Also what a failure of the storage means from outside: everybody is told, and the process is gone
within a bounded time, with another exit code than after an orderly end, whatever its clients do.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ezra.sansio.errors import Text
from ezra.sansio.model import Defaults
from ezra.threaded.clock import SystemClock
from ezra.threaded.failpoints import EXIT_CODE
from ezra.threaded.sqlite.engine import SqliteEngine
from tests.integration.raw_client import RawClient
from tests.integration.server_process import ServerProcess, environment, run
from tests.integration.waiting import PATIENCE, until

DELAY = 0.3
"""Seconds that a delay takes here: enough to be told from none, on any machine."""

DELAYED = f"delay:{DELAY}"


def server(directory: Path, points: str) -> ServerProcess:
    """Start a server with these failpoints."""
    return ServerProcess(directory, variables={"EZRA_FAILPOINTS": points})


def found(directory: Path) -> list[tuple[object, ...]]:
    """Return the status and the payload of every task, as the next start finds them."""
    SqliteEngine(directory, Defaults(), SystemClock()).close()
    connection = sqlite3.connect(f"file:{directory / 'ezra.db'}?mode=ro", uri=True)
    rows = connection.execute(
        "SELECT status, payload FROM tasks JOIN payloads ON task_id = id ORDER BY id"
    ).fetchall()
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    return rows


def answer(client: RawClient, *words: str) -> str:
    """Return what a command is answered, in words; "lost" when the server goes without a reply."""
    try:
        return str(client.call(*words))
    except ConnectionError:
        return "lost"


PUSHED = [("available", b"first"), ("available", b"second")]


FIRST, SECOND = ("available", b"first"), ("available", b"second")


@pytest.mark.parametrize(
    ("points", "answered", "code", "expected"),
    [
        ("before_commit=exit@3", "lost", EXIT_CODE, [FIRST]),
        ("after_commit=exit@3", "lost", EXIT_CODE, [FIRST, SECOND]),
        ("before_commit=raise@3", Text.OUTCOME_UNKNOWN, 1, [FIRST]),
        ("after_commit=raise@3", Text.OUTCOME_UNKNOWN, 1, [FIRST, SECOND]),
    ],
)
def test_a_push_whose_commit_is_cut_off(
    tmp_path: Path, points: str, answered: str, code: int, expected: list[tuple[object, ...]]
) -> None:
    """Before COMMIT it is not there, after it it is; an answer is never more than is there."""
    with server(tmp_path, points) as cut:
        assert any("WARNING failpoints are armed" in line for line in cut.log)
        idle, blocked, client = cut.client(), cut.client(), cut.client()
        assert idle.call("PING") == b"PONG"
        client.push("q", "first")
        blocked.send_pop("other")
        until(lambda: b"blocked_clients:1" in client.call("INFO", "clients"), "a blocked worker")
        idle.send_bytes(b"*1")  # and hangs in the middle of its next command
        assert answer(client, "XADD", "q", "*", "payload", "second") == answered
        if code == 1:
            assert str(blocked.reply()) == Text.OUTCOME_UNKNOWN
        assert cut.ended() == code
    assert found(tmp_path) == expected


def test_a_delay_holds_the_answer_back(tmp_path: Path) -> None:
    """At each point that a claim passes, one after the other; it changes nothing else."""
    points = f"before_commit={DELAYED}@2;after_commit={DELAYED}@2;after_claim={DELAYED}"
    with server(tmp_path, points) as slow:
        client = slow.client()
        client.push("q", "first")
        begun = time.monotonic()
        assert client.pop("q") is not None
        assert time.monotonic() - begun >= 3 * DELAY
        assert slow.stop() == 0
    assert found(tmp_path) == [FIRST]


def test_a_claim_that_is_cut_off_before_its_reply(tmp_path: Path) -> None:
    """It was on disk: the next start takes the task back, with an attempt that counts."""
    with server(tmp_path, "after_claim=exit") as cut:
        client = cut.client()
        client.push("q", "first")
        assert answer(client, "XREADGROUP", "GROUP", "g", "w", "STREAMS", "q", ">") == "lost"
        assert cut.ended() == EXIT_CODE
    with ServerProcess(tmp_path) as again:
        entry = again.client().pop("q")
        assert entry is not None
        assert (entry["payload"], entry["attempts"]) == (b"first", b"2")


def test_a_claim_whose_link_is_lost_is_released(tmp_path: Path) -> None:
    """The server goes on, and the attempt does not count."""
    with server(tmp_path, "after_claim=raise@1") as lossy:
        client = lossy.client()
        client.push("q", "first")
        assert answer(client, "XREADGROUP", "GROUP", "g", "w", "STREAMS", "q", ">") == "lost"
        waiting = lossy.client()
        waiting.send_pop("q")
        entry = waiting.popped()
        assert entry is not None
        assert (entry["payload"], entry["attempts"]) == (b"first", b"1")
        assert lossy.stop() == 0


@pytest.mark.parametrize(("action", "code"), [("exit", EXIT_CODE), ("raise", 1), (DELAYED, 0)])
def test_a_checkpoint_that_is_cut_off(tmp_path: Path, action: str, code: int) -> None:
    """Every push that was answered is in the log, wherever it ends: here as the server stops."""
    with server(tmp_path, f"before_checkpoint={action}") as cut:
        cut.client().push("q", "first")
        begun = time.monotonic()
        assert cut.stop() == code
        assert code or time.monotonic() - begun >= DELAY
    assert found(tmp_path) == [FIRST]


def test_a_checkpoint_under_way_is_seen_to_fail(tmp_path: Path) -> None:
    """In the middle of a load: whoever is answered afterwards is told, and the process ends."""
    answered = 0
    with server(tmp_path, "before_checkpoint=raise") as cut:
        client = cut.client()
        for number in range(40):
            reply = answer(client, "XADD", "q", "*", "payload", f"{number:02}" * 500_000)
            if reply == Text.OUTCOME_UNKNOWN:
                break
            answered += 1
        assert 5 < answered < 39
        assert cut.ended() == 1
        assert any("the storage failed" in line for line in cut.log)
    payloads = [payload for _, payload in found(tmp_path)]
    expected = [f"{number:02}".encode() * 500_000 for number in range(answered + 1)]
    assert payloads in (expected, expected[:-1])


@pytest.mark.parametrize("text", ["after_commit", "nowhere=exit", "after_commit=explode", ";"])
def test_a_malformed_variable_is_a_start_error(tmp_path: Path, text: str) -> None:
    """Which names it; nothing is started."""
    ended = run("--data-dir", str(tmp_path / "data"), variables={"EZRA_FAILPOINTS": text})
    assert ended.returncode == 2
    assert "EZRA_FAILPOINTS: must be points as in" in ended.stderr
    assert not (tmp_path / "data").exists()


HANGS = """
import threading
from ezra.threaded import service
service.LAST_RESORT = 0.1
failed = threading.Event()
with service.ended_after(failed):
    failed.set()
    threading.Event().wait()
"""


def test_a_server_that_hangs_after_a_failure_is_ended() -> None:
    """A disk that never answers again must not keep it from being restarted."""
    ended = subprocess.run(
        [sys.executable, "-c", HANGS], env=environment(), timeout=PATIENCE, check=False
    )
    assert ended.returncode == 1
