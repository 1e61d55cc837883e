"""Protected mode: where nobody can be known, only this machine's own clients are served."""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ezra.sansio.errors import Text
from ezra.threaded.clock import SystemClock
from ezra.threaded.server import is_loopback, needs_protection
from ezra.threaded.settings import MEMORY, Settings
from tests.integration.local_server import LocalServer
from tests.integration.raw_client import encode

ANYWHERE = Settings(data_dir=MEMORY, port=0, host="0.0.0.0")  # noqa: S104 - what the tests are about

HERE, THERE = "10.203.117.1", "10.203.117.2"
"""Two ends of a cable that only a test has."""

ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) as peer:
    try:
        peer.sendall(bytes.fromhex(sys.argv[3]))
        peer.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it was refused before it had asked
    while data := peer.recv(4096):
        sys.stdout.buffer.write(data)
"""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """Return the name of a network namespace that stands for another machine."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("a network namespace needs root and iproute2")
    name, cable = f"ezra-{os.getpid()}", f"ez{os.getpid() % 100_000}"
    steps = (
        f"ip netns add {name}",
        f"ip link add {cable}a type veth peer name {cable}b netns {name}",
        f"ip addr add {HERE}/24 dev {cable}a",
        f"ip link set {cable}a up",
        f"ip -n {name} addr add {THERE}/24 dev {cable}b",
        f"ip -n {name} link set {cable}b up",
        f"ip -n {name} link set lo up",
    )
    try:
        for step in steps:
            done = subprocess.run(step.split(), capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"no network namespace here: {step}: {done.stderr.strip()}")
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)  # noqa: S607


def ask(namespace: str, port: int, *words: str) -> bytes:
    """Send a command from the other machine; return all that it answers."""
    line = ["ip", "netns", "exec", namespace, "python3", "-c", ASK, HERE, str(port)]
    done = subprocess.run(
        [*line, encode(*words).hex()], capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_stranger_is_told_what_to_do(elsewhere: str) -> None:
    """It gets DENIED with the remedies and is closed; nothing of what it asked is done."""
    with LocalServer(ANYWHERE, SystemClock()) as server:
        port = server.address[1]
        answer = ask(elsewhere, port, "XADD", "q", "*", "payload", "x")
        assert answer == f"-{Text.PROTECTED_MODE}\r\n".encode()
        assert server.engine.queues() == []
        with LocalServer(replace(ANYWHERE, host="127.0.0.1"), SystemClock()) as local:
            assert local.client().call("PING") == b"PONG"


@pytest.mark.parametrize(
    "change", [{"protected_mode": False}, {"password": "guess"}], ids=["off", "password"]
)
def test_a_stranger_is_served_where_that_is_wanted(
    elsewhere: str, change: dict[str, object]
) -> None:
    """With protected mode off, and where there is a password to be asked for."""
    with LocalServer(replace(ANYWHERE, **change), SystemClock()) as server:  # type: ignore[arg-type]
        answer = ask(elsewhere, server.address[1], "PING")
        assert answer.startswith(b"-NOAUTH" if "password" in change else b"+PONG")


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - as above
        ("::", False),
        ("fe80::1%eth0", False),
        ("192.168.1.4", False),
    ],
)
def test_what_is_this_machine_s_own(host: str, own: bool) -> None:
    """The loopback of either family, also as IPv6 writes that of IPv4."""
    assert ipaddress.ip_address(host)
    assert is_loopback(host) is own


def test_who_can_be_known_is_not_kept_out() -> None:
    """A password, a CA of clients or the flag: each of them ends it."""
    assert needs_protection(ANYWHERE)
    assert not needs_protection(replace(ANYWHERE, protected_mode=False))
    assert not needs_protection(replace(ANYWHERE, password="guess"))  # noqa: S106 - the test's own
    file = Path("file.pem")
    tls = replace(ANYWHERE, tls_cert=file, tls_key=file)
    assert needs_protection(tls)
    assert not needs_protection(replace(tls, tls_client_ca=file))
