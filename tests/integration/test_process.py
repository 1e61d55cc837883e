"""The server as a process: how it starts, what it says, and how it ends."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from ezra.version import VERSION
from tests.integration.raw_client import encode
from tests.integration.server_process import ServerProcess, command, environment, run
from tests.integration.waiting import PATIENCE, until

BLOCKING_POP = encode("XREADGROUP", "GROUP", "g", "w", "BLOCK", 0, "STREAMS", "q", ">")
MEBIBYTE = 1024 * 1024
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what the test is about

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="prlimit is Linux'")


def test_the_start_line_says_what_one_wants_to_know(tmp_path: Path) -> None:
    """Version, address, data directory, what was recovered, and how safe it is."""
    data = tmp_path / "data"
    with ServerProcess(data) as server:
        client = server.client()
        client.push("q", "held")
        client.push("q", "waiting")
        client.pop("q")
        assert server.stop() == 0
    with ServerProcess(data, "--synchronous", "normal") as server:
        line = server.start_line
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO EZRA ", line)
        assert VERSION in line
        assert f"127.0.0.1:{server.address[1]}" in line
        assert str(data) in line
        assert "synchronous normal" in line
        assert "recovered" in line
        assert server.client().call("XLEN", "q") == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_signal_ends_the_server_in_order(
    tmp_path: Path, number: signal.Signals, where: str
) -> None:
    """Blocked workers are answered with null, idle clients closed, exit 0 within 5 seconds."""
    with ServerProcess(":memory:" if where == "memory" else tmp_path) as server:
        idle, blocked, blocked3 = server.client(), server.client(), server.client(protocol=3)
        for worker in (blocked, blocked3):
            # In one segment: the answer to the first says that the second has arrived.
            worker.send_bytes(encode("PING") + BLOCKING_POP)
            assert worker.reply() == b"PONG"
        started = time.monotonic()
        server.send_signal(number)
        assert blocked.popped() is None
        assert blocked3.popped() is None
        assert blocked.is_closed()
        assert idle.is_closed()
        assert server.ended() == 0
        assert time.monotonic() - started < 5
        assert not any("ERROR" in line or "Traceback" in line for line in server.log)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_heard_while_a_client_connects(tmp_path: Path, number: signal.Signals) -> None:
    """The thread that accepts is awake then, too, and may be the one that the kernel interrupts."""
    for attempt in range(4):
        with ServerProcess(tmp_path / str(attempt)) as server:
            server.client().call("PING")
            with socket.create_connection(server.address):
                server.send_signal(number)
                assert server.ended() == 0


def test_a_client_that_never_reads_does_not_hold_the_end_up(tmp_path: Path) -> None:
    """Exit 0 within 5 seconds although a reply is stuck on its way."""
    with ServerProcess(tmp_path) as server:
        deaf = server.client()
        deaf.hold_little()
        deaf.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            deaf.send_bytes(encode("ECHO", bytes(1024 * 1024)) * 100)
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 5


def test_what_was_answered_is_there_after_an_orderly_end(tmp_path: Path) -> None:
    """And the write-ahead log is folded into the database."""
    with ServerProcess(tmp_path) as server:
        ids = [server.client().push("q", n) for n in range(3)]
        assert server.stop() == 0
    wal = tmp_path / "ezra.db-wal"
    assert not wal.exists() or wal.stat().st_size == 0
    with ServerProcess(tmp_path) as server:
        client = server.client()
        found = [client.pop("q") for _ in ids]
        assert [task and task.id for task in found] == ids


def test_who_reads_in_another_tool_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Within five seconds all the same; what is not in the database yet is in its log."""
    with ServerProcess(tmp_path) as server:
        client = server.client()
        client.push("q", 1)
        with closing(sqlite3.connect(tmp_path / "ezra.db", isolation_level=None)) as tool:
            tool.execute("BEGIN")
            tool.execute("SELECT count(*) FROM tasks").fetchall()
            client.push("q", 2)
            started = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - started < 5
    with ServerProcess(tmp_path) as server:
        assert server.client().call("XLEN", "q") == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_start_that_takes_long(tmp_path: Path, number: signal.Signals) -> None:
    """Here it waits for another program's lock; nobody is served yet."""
    with ServerProcess(tmp_path) as server:
        assert server.stop() == 0
    with closing(sqlite3.connect(tmp_path / "ezra.db", isolation_level=None)) as tool:
        tool.execute("BEGIN EXCLUSIVE")
        line = command("--data-dir", str(tmp_path), "--port", "0")
        pipe = subprocess.PIPE
        with subprocess.Popen(line, env=environment(), stderr=pipe, text=True) as starting:
            holder = f"pid {starting.pid} "
            until(lambda: holder in (tmp_path / "ezra.lock").read_text(), "it to open the database")
            starting.send_signal(number)
            _, log = starting.communicate(timeout=PATIENCE)
        assert (starting.returncode, number.name in log) == (0, True)


@linux_only
def test_the_end_of_a_terminal_loses_nothing(tmp_path: Path) -> None:
    """SIGHUP has no meaning of its own: it ends the process as a kill does.

    Unless whoever has started it wants it ignored, as `nohup` does; here that is undone.
    """
    with ServerProcess(tmp_path, under=("env", "--default-signal=HUP")) as server:
        pushed = server.client().push("q", "x")
        server.send_signal(signal.SIGHUP)
        assert server.ended() == -signal.SIGHUP
    with ServerProcess(tmp_path) as server:
        task = server.client().pop("q")
        assert task is not None
        assert (task.id, task["attempts"]) == (pushed, b"1")


@linux_only
def test_when_the_storage_fails_the_server_ends(tmp_path: Path) -> None:
    """Nothing more is acknowledged, exit code 1 for the supervisor; what was answered is there."""
    with ServerProcess(tmp_path) as server:
        client, other = server.client(), server.client()
        answered = client.push("q", "x")
        other.send_bytes(encode("PING") + BLOCKING_POP.replace(b"q", b"r"))
        assert other.reply() == b"PONG"
        used = (tmp_path / "ezra.db-wal").stat().st_size
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (used, used))
        assert client.error("XADD", "q", "*", "payload", bytes(1024 * 1024)).startswith("UNKNOWN ")
        assert str(other.reply()).startswith("UNKNOWN ")
        assert server.ended() == 1
        assert any("CRITICAL" in line and "storage failed" in line for line in server.log)
        assert not any("hangs" in line for line in server.log)
    with ServerProcess(tmp_path) as server:
        task = server.client().pop("q")
        assert task is not None
        assert task.id == answered


def test_a_second_server_on_the_directory_says_who_holds_it(tmp_path: Path) -> None:
    """It exits with 1 at once, and the first goes on."""
    with ServerProcess(tmp_path) as server:
        second = run("--data-dir", str(tmp_path), "--port", "0")
        assert second.returncode == 1
        [line] = second.stderr.splitlines()
        assert "in use" in line
        assert str(server.process.pid) in line
        assert server.client().push("q", "x")


def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    """Exit code 1; the line names the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("--data-dir", str(tmp_path), "--port", str(port))
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert f"127.0.0.1:{port}" in line


def test_an_unknown_host_is_a_clear_error(tmp_path: Path) -> None:
    """Exit code 1; the line names the host."""
    result = run("--data-dir", str(tmp_path), "--port", "0", "--host", "no.such.host.invalid")
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert "no.such.host.invalid" in line


@pytest.mark.parametrize("kind", ["a file", "below a file"])
def test_a_directory_that_cannot_be_used_is_a_clear_error(tmp_path: Path, kind: str) -> None:
    """Exit code 1; the line names the path."""
    (tmp_path / "file").write_text("not a directory")
    path = tmp_path / "file" if kind == "a file" else tmp_path / "file" / "data"
    result = run("--data-dir", str(path), "--port", "0")
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert str(path) in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_directory_is_a_clear_error(tmp_path: Path) -> None:
    """Exit code 1; the line names the path."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    result = run("--data-dir", str(locked), "--port", "0")
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert str(locked) in line


def test_a_wrong_variable_ends_the_process_with_2(tmp_path: Path) -> None:
    """Before anything is made."""
    data = tmp_path / "data"
    result = run(variables={"EZRA_DATA_DIR": str(data), "EZRA_PORT": "http"})
    assert result.returncode == 2
    assert "EZRA_PORT" in result.stderr
    assert not data.exists()


def test_variables_start_a_server(tmp_path: Path) -> None:
    """The environment counts as the flags do."""
    variables = {"EZRA_MAX_ATTEMPTS": "1", "EZRA_VISIBILITY_TIMEOUT": "3600"}
    with ServerProcess(tmp_path, variables=variables) as server:
        client = server.client()
        client.push("q", "x")
        task = client.pop("q")
        assert task is not None
        assert task["max_attempts"] == b"1"


def test_a_port_open_to_the_network_is_warned_of(tmp_path: Path) -> None:
    """There is no password yet, and the log says so."""
    with ServerProcess(tmp_path, "--host", EVERYWHERE) as server:
        assert any("WARNING" in line and "password" in line for line in server.log)
    with ServerProcess(":memory:") as server:
        assert not any("WARNING" in line for line in server.log)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_ipv6_is_served(tmp_path: Path) -> None:
    """An address of the newer kind is bound and printed."""
    with ServerProcess(tmp_path, "--host", "::1") as server:
        assert server.client().call("PING") == b"PONG"


@linux_only
def test_max_clients_is_lowered_to_what_the_machine_allows(tmp_path: Path) -> None:
    """A process that may open few files takes fewer clients, and says so."""
    with ServerProcess(tmp_path, open_files=100) as server:
        assert any("max-clients lowered to 36" in line for line in server.log)
        assert server.client().call("PING") == b"PONG"


@pytest.mark.memory
def test_a_claim_of_any_count_takes_a_bounded_amount_of_memory(tmp_path: Path) -> None:
    """A thousand tasks are asked for, 160 MiB lie there: what is loaded is a claim's size."""
    with ServerProcess(tmp_path) as server:
        client = server.client()
        for _ in range(20):
            client.push("q", bytes(8 * MEBIBYTE))
        before = server.memory()
        client.send("XREADGROUP", "GROUP", "g", "w", "COUNT", 1000, "STREAMS", "q", ">")
        [[_, tasks]] = client.reply()
        assert len(tasks) == 2
        assert server.peak_memory() < before + 96 * MEBIBYTE


@pytest.mark.memory
@pytest.mark.parametrize("together", [1, 50])
def test_looks_at_very_much_take_a_bounded_amount_of_memory(tmp_path: Path, together: int) -> None:
    """One client may hold 32 MiB here: a look at more ends there, many that fit end together."""
    with ServerProcess(tmp_path, "--max-buffer-bytes", str(64 * MEBIBYTE)) as server:
        client = server.client()
        for _ in range(20):
            client.push("q", bytes(8 * MEBIBYTE))
        before = server.memory()
        count = 20 if together == 1 else 3
        client.send_bytes(encode("XRANGE", "q", "-", "+", "COUNT", count) * together)
        replies = [client.reply() for _ in range(together)]
        refused = [reply for reply in replies if str(reply).startswith("OOM ")]
        assert len(refused) == (1 if together == 1 else together - 1)
        assert server.peak_memory() < before + 128 * MEBIBYTE


@pytest.mark.memory
@pytest.mark.parametrize("way", ["pipelined", "in a transaction"])
def test_looks_at_very_many_take_a_bounded_amount_of_memory(tmp_path: Path, way: str) -> None:
    """Ten thousand tasks in flight are shown thirty times; a push beside that goes through."""
    shown = encode("XPENDING", "q", "g", "-", "+", 10_000) * 30
    with ServerProcess(tmp_path, "--max-buffer-bytes", str(64 * MEBIBYTE)) as server:
        client, other = server.client(), server.client()
        client.send_bytes(encode("XADD", "q", "*", "payload", "") * 10_000)
        client.replies(10_000)
        claim = ("XREADGROUP", "GROUP", "g", "w", "COUNT", 10_000, "STREAMS", "q", ">")
        [[_, tasks]] = client.call(*claim)
        assert len(tasks) == 10_000
        before = server.memory()
        if way == "pipelined":
            client.send_bytes(shown)
            replies = client.replies(30)
            assert sum(isinstance(reply, list) for reply in replies) == 3
        else:
            client.send_bytes(encode("MULTI") + shown + encode("EXEC"))
            other.push("other", "x")
            refused = client.replies(32)[-1]
            assert str(refused).startswith("EXECABORT Transaction rolled back")
            assert "OOM" in str(refused)
        assert server.peak_memory() < before + 128 * MEBIBYTE
