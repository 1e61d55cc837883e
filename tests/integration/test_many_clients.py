"""A thousand at once."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from tests.integration.local_server import LocalServer
from tests.integration.raw_client import encode
from tests.integration.waiting import until

WORKERS = 1_000


@pytest.fixture(autouse=True)
def _enough_files() -> Iterator[None]:
    """Both ends of every connection are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * WORKERS + 200
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"a process may open {hard} files here, not {needed}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.unmeasured
def test_a_thousand_blocked_workers_get_one_task_each_in_order(server: LocalServer) -> None:
    """1,000 workers on one queue, 1,000 pushes: first come, first served, and nobody twice."""
    workers = [server.client() for _ in range(WORKERS)]
    for number, worker in enumerate(workers):
        worker.send_pop("q", worker=f"w{number}")
        server.until_blocked(number + 1)
    producer = server.client()
    producer.send_bytes(b"".join(encode("XADD", "q", "*", "payload", n) for n in range(WORKERS)))
    pushed = producer.replies(WORKERS)
    received = [worker.popped() for worker in workers]
    assert [task and task.id for task in received] == pushed
    assert [task and task["payload"] for task in received] == [b"%d" % n for n in range(WORKERS)]
    info = server.engine.info("q")
    assert info is not None
    assert (info.in_flight, info.ready) == (WORKERS, 0)


@pytest.mark.unmeasured
def test_a_thousand_blocked_workers_can_all_hang_up(server: LocalServer) -> None:
    """Then nobody waits any more, no thread is left, and the next task is free."""
    workers = [server.client() for _ in range(WORKERS)]
    for worker in workers:
        worker.send_pop("q")
    server.until_blocked(WORKERS)
    for worker in workers:
        worker.close()
    server.until_blocked(0)
    until(lambda: server.server.clients == 0, "all threads to end")
    client = server.client()
    client.push("q", "x")
    assert client.pop("q") is not None
