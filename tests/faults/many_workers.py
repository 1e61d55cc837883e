"""Load: very many blocked workers on one server, and what each of them costs it.

    python -m tests.faults.many_workers [--workers 10000]

starts a server in a process of its own with its default settings, connects the workers, has each do
one task (so that what it costs is what a worker costs that has worked), blocks all of them on one
queue, and prints the server's memory for each worker and how long a push takes to reach one.
"""

from __future__ import annotations

import argparse
import resource
import select
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ezra.threaded.process import VARIABLE
from tests.faults.tally import Tally
from tests.integration.raw_client import RawClient, encode
from tests.integration.server_process import ServerProcess
from tests.integration.waiting import until

WORKERS = 10_000
"""The server's default for --max-clients: with the one that pushes, one less fits."""

MOST_KIB = 30.0
"""Memory that a worker may cost the server, in KiB."""

PUSHES = 200

SPARE_FILES = 200


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it."""

    workers: int
    connecting: float
    """Seconds until all were connected, had done a task each, and were blocked."""
    kib: float
    """KiB of the server's memory (RSS) for each worker."""
    latencies: Sequence[float]
    """Milliseconds from sending a push to having its task, of each push."""

    def __str__(self) -> str:
        return (
            f"{self.workers} blocked workers: {self.kib:.1f} KiB each, "
            f"ready after {self.connecting:.1f} s, a push reaches one in "
            f"{statistics.median(self.latencies):.1f} ms (median of {len(self.latencies)}), "
            f"{max(self.latencies):.1f} ms at the most"
        )


def measure(workers: int, pushes: int = PUSHES, *, flags: Sequence[str] = ()) -> Load:
    """Block so many workers and push to them.

    Args:
        workers: how many.
        pushes: how many of them are reached.
        flags: for a server with other settings than the default ones.

    Raises:
        AssertionError: a worker got what it should not have, or nothing.
    """
    with (
        enough_files(workers + SPARE_FILES),
        tempfile.TemporaryDirectory() as data,
        ServerProcess(Path(data), *flags, under=("env", "-u", VARIABLE)) as server,
        ExitStack() as sockets,
    ):
        producer = server.client()
        warm_up(server, producer)
        before = memory(server.process.pid)
        begun = time.monotonic()
        peers = [work_and_block(server.address, producer, sockets) for _ in range(workers)]
        until(lambda: blocked(producer) == workers, f"{workers} blocked workers")
        connecting = time.monotonic() - begun
        kib = (memory(server.process.pid) - before) / workers / 1024
        latencies = list(reach(peers, producer, min(pushes, workers)))
        assert blocked(producer) == workers - len(latencies)
        return Load(workers, connecting, kib, latencies)


def warm_up(server: ServerProcess, producer: RawClient) -> None:
    """Have the server make what it makes once, however many workers there will be."""
    with ExitStack() as sockets:
        for _ in range(20):
            work_and_block(server.address, producer, sockets)
        until(lambda: blocked(producer) == 20, "the first to be blocked")
    until(lambda: blocked(producer) == 0, "them to be gone")


def work_and_block(
    address: tuple[str, int], producer: RawClient, sockets: ExitStack
) -> socket.socket:
    """Connect a worker, have it do one task, and let it wait for another."""
    task = producer.push("first", "x")
    peer = sockets.enter_context(socket.create_connection(address, timeout=30))
    peer.sendall(encode("XREADGROUP", "GROUP", "g", "w", "STREAMS", "first", ">"))
    reply = peer.recv(4096)
    assert task in reply, reply
    peer.sendall(encode("XACK", "first", "g", task))
    acked = peer.recv(4096)
    assert acked == b":1\r\n", acked
    peer.sendall(encode("XREADGROUP", "GROUP", "g", "w", "BLOCK", 0, "STREAMS", "q", ">"))
    return peer


def reach(peers: Sequence[socket.socket], producer: RawClient, pushes: int) -> Iterator[float]:
    """Push one task after the other; yield the milliseconds that each took to reach its worker."""
    by_number = {peer.fileno(): peer for peer in peers}
    with select.epoll() as epoll:
        for number in by_number:
            epoll.register(number, select.EPOLLIN)
        for _ in range(pushes):
            begun = time.perf_counter()
            task = producer.push("q", "x")
            [(number, _)] = epoll.poll(30)  # one push wakes one worker
            assert task in by_number[number].recv(4096)
            yield (time.perf_counter() - begun) * 1000


def blocked(client: RawClient) -> int:
    """Return how many workers wait, as the server counts them."""
    lines = client.call("INFO", "clients").split(b"\r\n")
    return int(next(line for line in lines if line.startswith(b"blocked_clients:")).split(b":")[1])


def memory(process: int) -> int:
    """Return the bytes of a process' memory (RSS)."""
    pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


@contextmanager
def enough_files(number: int) -> Iterator[None]:
    """Have this process open so many files at a time.

    Raises:
        OSError: it may not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < number:
        raise OSError(f"a process may open {hard} files here, not {number} (ulimit -n)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def campaign(seconds: float) -> Tally:
    """Hold the full load, once or as often as the time lets."""
    until_when = time.monotonic() + seconds
    total = Tally()
    while True:
        load = measure(WORKERS - 1)
        assert load.kib <= MOST_KIB, load
        total += Tally(operations=3 * load.workers + len(load.latencies), note=str(load))
        if time.monotonic() + load.connecting > until_when:
            return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What a blocked worker costs.")
    parser.add_argument("--workers", type=int, default=WORKERS - 1)
    print(measure(parser.parse_args().workers))
