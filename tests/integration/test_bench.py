"""The load generator proves what it measures, and refuses to measure anything else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import machine, servers, workloads
from bench.client import Address, BenchError, Link, Script, command, drive
from bench.figures import Sample, Samples, percentile
from bench.growth import fill
from bench.ledger import Ledger
from bench.report import growth_table, rate
from bench.workloads import PAYLOAD, Run
from ezra.threaded.clock import SystemClock
from ezra.threaded.settings import MEMORY, Settings
from tests.integration.local_server import LocalServer

BRIEFLY = 0.05
"""Seconds that producers push in these tests."""


@pytest.fixture
def address() -> Iterator[Address]:
    """Serve from memory."""
    with LocalServer(Settings(data_dir=MEMORY, port=0), SystemClock()) as server:
        yield server.address


@contextmanager
def serving(answer: bytes) -> Iterator[Address]:
    """Answer the first request of one connection with these bytes, then close it."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            thread.join()


def asking(request: bytes) -> Script:
    """Send one request and end with its reply."""
    yield request


def never() -> bool:
    """Say that a run is not finished."""
    return False


@pytest.mark.parametrize(
    "workload",
    [
        workloads.pushes(1),
        workloads.pushes(5, depth=4),
        workloads.cycles(3, 2, 1),
        workloads.cycles(2, 3, 10),
        workloads.latency,
    ],
    ids=["pushes", "pipelined", "cycles", "cycles by ten", "latency"],
)
def test_every_load_is_carried_out_and_verified(
    workload: workloads.Workload, address: Address
) -> None:
    """Each load ends by itself with something done."""
    run = workload(address, BRIEFLY)
    assert run.operations > 0
    assert run.rate > 0


def test_a_filled_queue_has_nothing_to_claim_and_cycles_run_in_it(address: Address) -> None:
    """Filling leaves done and delayed tasks only; a run in that queue claims its own tasks."""
    queue = fill(address, 1400)
    assert workloads.cycles(2, 2, 1, queue)(address, BRIEFLY).operations > 0
    with closing(Link(address)) as link:
        assert link.ask(command(b"XLEN", queue)) == 700


def test_a_lost_task_fails_the_run(address: Address) -> None:
    """A task that somebody takes and never acks stalls the run, which then fails."""
    queue, ledger = workloads.new_queue(address), Ledger()
    with closing(Link(address)) as link:
        ledger.pushed += [link.ask(workloads.push_command(queue)) for _ in range(3)]
        link.ask(workloads.claim_command(queue, b"thief", 1))
    worker = workloads.worker(ledger, queue, b"worker", 1)
    with pytest.raises(BenchError, match="stalled"):
        drive(address, [worker], ledger.all_acked, patience=1)
    assert ledger.acked == 2


def test_a_task_claimed_twice_fails_the_run(address: Address) -> None:
    """A task that comes back although it was claimed once is noticed."""
    queue, ledger = workloads.new_queue(address), Ledger()
    claim = workloads.claim_command(queue, b"worker", 1)
    with closing(Link(address)) as link:
        ledger.pushed.append(link.ask(workloads.push_command(queue)))
        for _ in range(2):
            (task_id,) = workloads.claimed_ids(link.ask(claim))
            ledger.note_claimed([task_id])
            link.ask(command(b"XNACK", queue, b"workers", task_id))
    with pytest.raises(BenchError, match="claimed twice"):
        ledger.verify()


def test_an_ack_that_acks_nothing_fails_the_run(address: Address) -> None:
    """The reply of an ack is compared with the number of tasks that it named."""
    queue, ledger = workloads.new_queue(address), Ledger()
    with closing(Link(address)) as link, pytest.raises(BenchError, match="ack of 1 tasks"):
        ledger.note_acked(link.ask(workloads.ack_command(queue, [b"1-0"])), 1)


@pytest.mark.parametrize(
    ("pushed", "claimed", "acked", "reason"),
    [
        ([b"1-0", b"2-0"], [b"1-0"], 1, "lost"),
        ([b"1-0"], [b"1-0", b"1-0"], 2, "claimed twice"),
        ([b"1-0"], [b"1-0", b"3-0"], 2, "never pushed"),
        ([b"1-0", b"1-0"], [b"1-0"], 1, "two pushes"),
        ([b"1-0"], [b"1-0"], 0, "0 acked"),
        ([b"1-0", 7], [b"1-0"], 1, "no id"),
    ],
)
def test_books_that_do_not_add_up_are_refused(
    pushed: list[object], claimed: list[bytes], acked: int, reason: str
) -> None:
    """Each way in which a task can go astray has its own complaint."""
    ledger = Ledger()
    ledger.pushed += pushed
    ledger.note_claimed(claimed)
    ledger.note_acked(acked, acked)
    with pytest.raises(BenchError, match=reason):
        ledger.verify()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"-ERR no such luck\r\n", "no such luck"), (b"", "closed"), (b"$3\r\nab", "closed")],
)
def test_an_error_reply_or_a_closed_connection_fails_the_run(answer: bytes, reason: str) -> None:
    """A server that refuses, or goes away, is not measured."""
    with serving(answer) as address, pytest.raises(BenchError, match=reason):
        drive(address, [asking(command(b"PING"))], never)


@pytest.mark.parametrize(
    "reply",
    [
        b"OK",
        [[b"q", [[b"1-0", [b"payload", b"another"]]]]],
        [[b"q", [[b"1-0", [b"header", PAYLOAD]]]]],
        [[b"q", [[b"1-0", None]]]],
    ],
)
def test_a_claim_that_brings_something_else_fails_the_run(reply: object) -> None:
    """A worker checks that it gets the payload that was pushed."""
    with pytest.raises(BenchError):
        workloads.claimed_ids(reply)


def test_a_claim_that_timed_out_brings_no_task() -> None:
    """Null is no error: the worker asks again."""
    assert workloads.claimed_ids(None) == []


def test_a_percentile_is_the_nearest_rank() -> None:
    """With a hundred values, the p-th percentile is the p-th of them; one value is all of them."""
    values = list(range(100, 0, -1))
    assert [percentile(values, percent) for percent in (1, 50, 99, 100)] == [1, 50, 99, 100]
    assert percentile([7.0], 50) == 7.0


def test_a_directory_in_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Durable figures from a file system in memory mean nothing, so there are none."""
    kind = machine.file_system(tmp_path)
    monkeypatch.setattr(machine, "_MEMORY_FILE_SYSTEMS", frozenset({kind}))
    with pytest.raises(BenchError, match="--dir"):
        machine.require_disk(tmp_path)


def test_a_saturated_generator_is_marked_in_the_report() -> None:
    """A figure that the generator limited carries a star, another does not."""
    run = Run(operations=1000, seconds=1.0)
    samples = {
        1_000: Samples([Sample(run, generator_load=0.99, server_cpu=0.5)]),
        100_000: Samples([Sample(run, generator_load=0.5, server_cpu=0.5)]),
    }
    table = growth_table(rate("cycles/s", ""), samples).splitlines()
    assert "1,000 (1,000)*" in table[2]
    assert "1,000 (1,000) " in table[3]


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    """What the server said before it ended is in the error."""
    with (
        pytest.raises(BenchError, match="synchronous"),
        servers.ezra(tmp_path / "server", "sometimes"),
    ):
        pass


@pytest.mark.parametrize("error", [BenchError("a run failed"), KeyboardInterrupt()])
def test_a_server_is_stopped_whatever_happens(tmp_path: Path, error: BaseException) -> None:
    """When the block ends, nothing serves at the address any more."""
    with pytest.raises(type(error)), servers.ezra(tmp_path / "server", "normal") as server:
        _fail(error)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address)


def _fail(error: BaseException) -> None:
    raise error


def test_the_whole_report_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each figure, the cost of each load and the growth stand under the machine's line."""
    monkeypatch.setattr(machine, "_MEMORY_FILE_SYSTEMS", frozenset())
    monkeypatch.setattr(bench, "QUICK", bench.Plan(rounds=1, seconds=BRIEFLY, sizes=(10, 600)))
    monkeypatch.setattr("sys.argv", ["bench", "--quick", "--dir", str(tmp_path)])
    bench.main()
    report = capsys.readouterr().out
    expected = [row.title for row in bench.ROWS] + list(bench.SCENARIOS)
    expected += ["fdatasync of an appended", "600: half done, half delayed"]
    assert [text for text in expected if text not in report] == []
    assert list(tmp_path.iterdir()) == []
