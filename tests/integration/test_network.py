"""A network that loses packets, and one that is cut: nothing is lost, and who has gone is noticed.

The network is made for the test (`tests/faults/network.py`, which has the long campaign, too).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import crashes
from tests.faults.network import Network, without_network
from tests.integration.raw_client import RawClient
from tests.integration.server_process import ServerProcess
from tests.integration.waiting import until

WHY = without_network()
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))

NOTICED = 9.0
"""Seconds: five or six of the kernel's, and some for a busy machine."""


@pytest.fixture
def network() -> Iterator[Network]:
    """Make a network of two hosts."""
    network = Network()
    yield network
    network.close()


def test_a_tenth_of_all_packets_is_lost_and_nothing_else(network: Network) -> None:
    """Both ways, with producers and workers at work; then all the work is done, each task once."""
    network.lose(10)
    with crashes.world(seed=1, around=network.surroundings()) as world:
        while network.dropped() < 30:
            world.progress(100)
        network.lose(0)
        world.finish(crashes.AFTERMATH)


def names(client: RawClient) -> set[str]:
    """Return the names of the connected clients."""
    words = client.call("CLIENT", "LIST").decode().split()
    return {word.removeprefix("name=") for word in words if word.startswith("name=")}


def blocked_worker(client: RawClient, name: str, queue: str) -> RawClient:
    """Have the client wait for a task, under that name."""
    client.call("CLIENT", "SETNAME", name)
    client.send_pop(queue, worker=name)
    return client


def test_a_cut_link_is_noticed_and_its_workers_get_nothing_more(
    network: Network, tmp_path: Path
) -> None:
    """What was sent into the cut comes to another worker, as does all that is pushed later."""
    around = network.surroundings()
    lease = ("--visibility-timeout", "2")
    with ServerProcess(tmp_path, *around.arguments, *lease, under=around.under) as server:
        far = blocked_worker(network.connect(server.address), "far", "q")
        idle = blocked_worker(network.connect(server.address), "idle", "other")
        producer = network.connect_beside(server.address)
        until(lambda: blocked(producer) == 2, "both to wait")
        near = blocked_worker(network.connect_beside(server.address), "near", "q")
        until(lambda: blocked(producer) == 3, "all to wait")
        network.cut()
        begun = time.monotonic()
        first = producer.push("q", "sent into the cut")
        task = near.popped()
        assert task is not None
        assert (task.id, task["attempts"]) == (first, b"2")
        assert near.call("XACK", "q", "g", first) == 1
        near.send_pop("q", worker="near")
        until(lambda: not {"far", "idle"} & names(producer), "those beyond the cut to be gone")
        assert time.monotonic() - begun < NOTICED
        # Nobody beyond the cut stands before the one who is here.
        second = producer.push("q", "at once")
        task = near.popped()
        assert task is not None
        assert (task.id, task["attempts"]) == (second, b"1")
        network.mend()
        for client in (far, idle):
            client.close()
        with network.connect(server.address) as back:
            third = back.push("q", "goes on")
            task = back.pop("q")
            assert task is not None
            assert (task.id, task["attempts"]) == (third, b"1")
        for client in (near, producer):
            client.close()


def blocked(client: RawClient) -> int:
    """Return how many clients wait for a task."""
    info = client.call("INFO", "clients").decode()
    return int(info.partition("blocked_clients:")[2].split()[0])
