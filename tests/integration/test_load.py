"""Many clients, and machines that give a server too little for them."""

from __future__ import annotations

import logging
import os
import resource
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ezra.threaded import process
from ezra.threaded.seldom import Seldom
from ezra.threaded.settings import Settings
from tests.faults import many_workers
from tests.integration.raw_client import RawClient
from tests.integration.server_process import ServerProcess
from tests.integration.waiting import until
from tests.property.fake_clock import FakeClock

WORKERS = 600
"""Few enough for a test, enough for what the server costs by itself not to count."""

NOBODY = 54_321
"""A user that nothing runs as, whose number of processes can be limited; root's cannot."""

THREADS = 6
"""Of a server with one client: the main one, last resort, timer, accept, watcher, the client's."""

AS_NOBODY = (
    "setpriv", f"--reuid={NOBODY}", "--clear-groups",
    "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
)  # fmt: skip


@pytest.mark.memory
def test_a_blocked_worker_costs_little_and_is_reached_at_once() -> None:
    """What the long campaign shows for ten thousand, with fewer."""
    # Without an fsync for each of thousands of commits, which change nothing about memory.
    measured = many_workers.measure(WORKERS, pushes=20, flags=["--synchronous", "normal"])
    assert measured.kib <= many_workers.MOST_KIB, measured
    assert len(measured.latencies) == 20


def cpu(server: ServerProcess) -> float:
    """Return the seconds of processor time that a server has taken."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text(encoding="ascii").split(")")[1]
    ticks = sum(map(int, fields.split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def let_half_a_second_pass(client: RawClient) -> None:
    """Have the server wait for so long, on a connection that has nothing to do with the rest."""
    client.send_pop("nothing", block=500)
    assert client.popped() is None


def limit(server: ServerProcess, what: int, most: int) -> None:
    """Change a limit of a running server."""
    _, hard = resource.getrlimit(what)
    resource.prlimit(server.process.pid, what, (most, hard))


def answered(clients: list[RawClient]) -> int:
    """Return how many have the reply to their PING, without waiting for any."""
    found = 0
    for client in clients:
        client.socket.setblocking(False)
        try:
            found += client.socket.recv(100, socket.MSG_PEEK) == b"+PONG\r\n"
        except BlockingIOError:
            continue
    return found


def said(server: ServerProcess, words: str) -> int:
    """Return how many lines of the log have these words in them."""
    return sum(words in line for line in server.log)


def test_without_file_descriptors_it_waits_and_goes_on() -> None:
    """Clients stay in the backlog meanwhile; no spinning, one line, and then they are served."""
    with ServerProcess(":memory:") as server:
        healthy = server.client()
        assert healthy.call("PING") == b"PONG"
        taken = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
        limit(server, resource.RLIMIT_NOFILE, taken + 2)
        clients = [server.client() for _ in range(6)]
        for client in clients:
            client.send("PING")
        until(lambda: said(server, "Too many open files"), "the shortage")
        begun = cpu(server)
        let_half_a_second_pass(healthy)
        assert cpu(server) - begun < 0.25
        assert answered(clients) == 2
        limit(server, resource.RLIMIT_NOFILE, taken + 100)
        until(lambda: answered(clients) == 6, "all to be served")
        assert said(server, "Too many open files") == 1


def allow_threads(server: ServerProcess, most: int) -> None:
    """Change how many a server may have, as its own user: root may need a right for that."""
    change = ("prlimit", f"--pid={server.process.pid}", f"--nproc={most}:")
    subprocess.run([*AS_NOBODY, *change], check=True)


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"),
    reason="to run as another user needs root and setpriv",
)
def test_without_threads_it_refuses_and_goes_on() -> None:
    """Who comes meanwhile is told that there are too many; no spinning, one line, no harm."""
    with ServerProcess(":memory:", under=AS_NOBODY) as server:
        healthy = server.client()
        assert healthy.call("PING") == b"PONG"
        tasks = Path(f"/proc/{server.process.pid}/task")
        until(lambda: len(list(tasks.iterdir())) == THREADS, "the start's own thread to end")
        allow_threads(server, THREADS)
        refused = [server.client() for _ in range(3)]
        begun = cpu(server)
        for client in refused:
            assert str(client.reply()) == "ERR max number of clients reached"
            assert client.is_closed()
        let_half_a_second_pass(healthy)
        assert cpu(server) - begun < 0.5
        assert said(server, "can't start new thread") >= 1
        assert said(server, "cannot take another client") == 1
        allow_threads(server, THREADS + 10)
        assert server.client().call("PING") == b"PONG"
        assert healthy.call("PING") == b"PONG"


@pytest.mark.parametrize(("limits", "lines"), [((9_999,), 1), ((10_000,), 0), ((5, 20_000), 1)])
def test_a_machine_too_small_is_spoken_of(
    limits: tuple[int, ...],
    lines: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At start, by the name of the limit, whatever else is enough."""

    def found() -> Iterator[tuple[str, int, int]]:
        yield from (("threads-max", most, most) for most in limits)

    monkeypatch.setattr(process, "_limits", found)
    process.warn_of_limits(Settings())
    assert len(caplog.records) == lines
    assert all("threads-max" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("clients", [0, -226])
def test_a_limit_that_leaves_nobody_is_spoken_of_in_words(
    clients: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is kept for everything else may be more than all there is."""
    monkeypatch.setattr(process, "_limits", lambda: [("the limit of processes", 30, clients)])
    process.warn_of_limits(Settings())
    expected = "maybe no client fits at all: the limit of processes is only 30; raise it"
    assert caplog.messages == [expected]


def test_every_limit_of_this_machine_is_a_number() -> None:
    """Those that there are can be read, and are enough for somebody."""
    found = list(process._limits())
    assert found
    assert all(clients > 0 for _, _, clients in found)


def test_whatever_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Also where the shell would let everybody read it."""
    data = tmp_path / "data"
    careless = ("sh", "-c", 'umask 0; exec "$@"', "sh")
    with ServerProcess(data, under=careless) as server:
        server.client().push("q", "x")
        made = [data, *data.rglob("*")]
        assert len(made) >= 4
        for path in made:
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_the_processes_malloc_is_told_to_keep_little() -> None:
    """A server that nobody has told starts itself again with it, as the same process."""
    with ServerProcess(":memory:", variables={"GLIBC_TUNABLES": ""}) as server:
        given = Path(f"/proc/{server.process.pid}/environ").read_bytes()
        assert b"GLIBC_TUNABLES=\0" in given  # whoever sets it is obeyed
    prefix = ("env", "-u", "GLIBC_TUNABLES")
    with ServerProcess(":memory:", under=prefix) as server:
        given = Path(f"/proc/{server.process.pid}/environ").read_bytes()
        assert b"GLIBC_TUNABLES=glibc.malloc.tcache_count=0" in given
        assert server.client().call("PING") == b"PONG"


def test_the_log_is_not_filled_by_whoever_likes_to(caplog: pytest.LogCaptureFixture) -> None:
    """One line, then silence, then one that says how many there were."""
    clock = FakeClock()
    events = Seldom(clock)
    with caplog.at_level(logging.WARNING):
        for number in range(5):
            events.warning("refused %d", number)
        clock.advance(10_000_000)
        events.error("refused %d", 5)
    assert [record.getMessage() for record in caplog.records] == [
        "refused 0",
        "refused 5 (and 4 like it before)",
    ]


def test_a_flood_of_refused_clients_fills_no_log() -> None:
    """Each is told; the log has one line."""
    with ServerProcess(":memory:", "--max-clients", "1") as server, ExitStack() as sockets:
        first = server.client()
        assert first.call("PING") == b"PONG"
        for _ in range(50):
            refused = sockets.enter_context(RawClient(server.address))
            assert str(refused.reply()) == "ERR max number of clients reached"
        assert said(server, "refused") == 1
