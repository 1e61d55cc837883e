"""A network of its own, in which packets get lost and links are cut.

Two network namespaces, one for the server and one for its clients, and one link between them;
nothing in them reaches anything else. The addresses are of those set aside for documentation. It
needs root, and what `ip` and `nft` need of the kernel.

A socket belongs to the namespace in which it was made: a thread of the test enters the clients'
one, connects, and comes back (`Network.connect`).
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.crashes import AFTERMATH, Surroundings, World, rounds
from tests.faults.recorder import Address
from tests.faults.tally import Tally
from tests.integration.raw_client import RawClient
from tests.integration.server_process import run

SERVER, CLIENTS = "192.0.2.1", "192.0.2.2"
"""Who has which address."""

LOSS = """
table inet loss {{
    chain arriving {{
        type filter hook input priority 0
        numgen random mod 100 < {percent} counter drop
    }}
}}
"""

COUNTED = re.compile(r"counter packets (\d+)")

NEW_NETWORK = 0x40000000
"""CLONE_NEWNET of Linux' sched.h."""

LIBC = ctypes.CDLL(None, use_errno=True)


class Network:
    """The namespaces and the link. Close it.

    Raises:
        subprocess.CalledProcessError: it cannot be made here.
    """

    def __init__(self) -> None:
        name = f"ezra-{os.getpid()}-{id(self) & 0xFFFF:x}"
        self.server, self.clients = f"{name}-s", f"{name}-c"
        self._both = (self.server, self.clients)
        try:
            for namespace in self._both:
                ip("netns", "add", namespace)
                ip("-n", namespace, "link", "set", "lo", "up")
            peer = ("peer", "name", "eth0", "netns", self.clients)
            ip("-n", self.server, "link", "add", "eth0", "type", "veth", *peer)
            for namespace, address in ((self.server, SERVER), (self.clients, CLIENTS)):
                ip("-n", namespace, "address", "add", f"{address}/24", "dev", "eth0")
                ip("-n", namespace, "link", "set", "eth0", "up")
        except subprocess.CalledProcessError:
            self.close()
            raise

    def close(self) -> None:
        """Remove it, whatever there is of it."""
        for namespace in self._both:
            command = ["ip", "netns", "delete", namespace]
            subprocess.run(command, check=False, capture_output=True)

    def connect(self, address: Address) -> RawClient:
        """Return a client beyond the link."""
        with inside(self.clients):
            return RawClient(address)

    def connect_beside(self, address: Address) -> RawClient:
        """Return a client on the server's side of the link."""
        with inside(self.server):
            return RawClient(address)

    def lose(self, percent: int) -> None:
        """From now on, lose so many of all packets, in both directions."""
        rules = "flush ruleset\n" + (LOSS.format(percent=percent) if percent else "")
        for namespace in self._both:
            nft = ["ip", "netns", "exec", namespace, "nft", "-f", "-"]
            subprocess.run(nft, input=rules, text=True, check=True, capture_output=True)

    def dropped(self) -> int:
        """Return how many packets were lost since the last `lose`."""
        lists = (["ip", "netns", "exec", n, "nft", "list", "ruleset"] for n in self._both)
        texts = (subprocess.run(nft, capture_output=True, text=True, check=True) for nft in lists)
        return sum(int(found) for it in texts for found in COUNTED.findall(it.stdout))

    def cut(self) -> None:
        """Take the cable out at the clients' end: the server is told nothing."""
        ip("-n", self.clients, "link", "set", "eth0", "down")

    def mend(self) -> None:
        """Put it in again."""
        ip("-n", self.clients, "link", "set", "eth0", "up")

    def surroundings(self) -> Surroundings:
        """Return how a server and its clients are started in it."""
        return Surroundings(
            arguments=("--host", SERVER, *open_to_strangers()),
            under=within(self.server),
            connect=self.connect,
            clients_under=within(self.clients),
        )


def ip(*words: str) -> None:
    """Run `ip`."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


def within(namespace: str) -> tuple[str, ...]:
    """Return what starts a program in the namespace."""
    return ("ip", "netns", "exec", namespace)


def open_to_strangers() -> tuple[str, ...]:
    """Return what a server must be told in order to serve others than the loopback."""
    asked = "--protected-mode"
    return (asked, "no") if asked in run("--help").stdout else ()


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Be, with this thread alone, in a network namespace."""
    with (
        Path("/proc/thread-self/ns/net").open("rb") as home,
        Path("/run/netns", namespace).open("rb") as there,
    ):
        enter(there.fileno())
        try:
            yield
        finally:
            enter(home.fileno())


def enter(namespace: int) -> None:
    """Have this thread enter an open namespace."""
    if LIBC.setns(namespace, NEW_NETWORK):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def without_network() -> str | None:
    """Return why no network can be made here; None where one can."""
    if os.geteuid():
        return "needs root, to make a network"
    missing = [program for program in ("ip", "nft") if not shutil.which(program)]
    if missing:
        return f"needs {' and '.join(missing)}, to make a network"
    try:
        network = Network()
    except subprocess.CalledProcessError as error:
        return f"no network can be made here: {error.stderr.decode().strip()}"
    try:
        network.lose(1)
    except subprocess.CalledProcessError as error:
        return f"no packets can be dropped here: {error.stderr.strip()}"
    finally:
        network.close()
    return None


def troubles(seconds: float) -> Tally:
    """For so long, lose packets and cut the link under load."""
    why = without_network()
    if why:
        return Tally(note=why)
    network = Network()

    def harm(one: World) -> None:
        network.lose(one.chance.choice([0, 2, 10, 25]))
        one.wait(3)
        if one.chance.random() < 0.5:
            network.cut()
            one.wait(8)
            network.mend()
        one.faults += 1

    try:
        return rounds(
            seconds, harm, AFTERMATH, network.surroundings(), heal=lambda: network.lose(0)
        )
    finally:
        network.close()
