"""How long a client may keep its thread waiting: to log in, to be idle, after a wrong password."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time

import pytest

from ezra.sansio.model import SECOND
from ezra.threaded.clock import SystemClock
from ezra.threaded.deadlines import Deadlines
from ezra.threaded.link import prepare
from ezra.threaded.settings import MEMORY, Settings
from tests.integration.local_server import LocalServer
from tests.integration.raw_client import RawClient, encode
from tests.integration.waiting import until

SETTINGS = Settings(data_dir=MEMORY, port=0)
LOCKED = dataclasses.replace(SETTINGS, password="guess")  # noqa: S106 - the test's own
SOON = SECOND // 2


@pytest.mark.parametrize("busy", [False, True])
def test_who_says_no_password_in_time_is_cut_off(busy: bool) -> None:
    """The deadline is absolute: neither bytes nor whole commands renew it."""
    with LocalServer(LOCKED, SystemClock(), Deadlines(login=SOON)) as server:
        known, stranger = server.client(), server.client()
        assert known.call("AUTH", "guess") == b"OK"
        begun = time.monotonic()
        gone = threading.Event()
        if busy:
            threading.Thread(target=keep_sending, args=(stranger, gone), daemon=True).start()
        assert ends(stranger)
        gone.set()
        assert time.monotonic() - begun >= SOON / SECOND / 2
        until(lambda: server.server.clients == 1, "its thread to end")
        assert known.call("PING") == b"PONG"


def test_who_becomes_a_stranger_again_has_time_anew() -> None:
    """RESET takes the password back; the time to say it begins then, and only once."""
    hour = 3600 * SECOND
    with LocalServer(LOCKED, SystemClock(), Deadlines(login=hour)) as server:
        client = server.client()
        assert client.call("AUTH", "guess") == b"OK"
        [session] = server.server._clients.sessions()
        session.connected_at -= 2 * hour
        assert client.call("RESET") == b"RESET"
        client.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.socket.recv(1)
        assert client.call("RESET") == b"RESET"
        since = session.stranger_since
        assert session.active_at > since > session.connected_at + hour
        assert client.call("AUTH", "guess") == b"OK"


def keep_sending(client: RawClient, gone: threading.Event) -> None:
    """Send a byte, and now and then a command, until told."""
    while not gone.wait(0.02):
        try:
            client.send_bytes(b"\r\n")
        except OSError:
            return


def ends(client: RawClient) -> bool:
    """Wait for the server to close, whatever it says before."""
    try:
        while client.socket.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


def test_who_needs_no_password_may_be_silent() -> None:
    """Without a password there is no such deadline."""
    with LocalServer(SETTINGS, SystemClock(), Deadlines(login=1, idle=None)) as server:
        client = server.client()
        assert server.client().call("PING") == b"PONG"
        assert client.call("PING") == b"PONG"


def test_a_wrong_password_costs_its_own_client_a_pause() -> None:
    """One for each, also in a pipeline; nobody else waits meanwhile."""
    pause = SECOND // 5
    with LocalServer(LOCKED, SystemClock(), Deadlines(login_pause=pause)) as server:
        known, guesser = server.client(), server.client()
        assert known.call("AUTH", "guess") == b"OK"
        begun = time.monotonic()
        guesser.send_bytes(encode("AUTH", "a") + encode("AUTH", "b") + encode("AUTH", "guess"))
        assert known.call("PING") == b"PONG"
        wrong, wrong_too, right = guesser.replies(3)
        assert time.monotonic() - begun >= 2 * pause / SECOND
        assert str(wrong).startswith("WRONGPASS")
        assert str(wrong_too).startswith("WRONGPASS")
        assert right == b"OK"
        begun = time.monotonic()
        assert guesser.call("PING") == b"PONG"


def test_a_client_in_its_pause_can_be_killed_and_can_leave() -> None:
    """Neither has to wait for the pause, which here would outlast the test."""
    long = Deadlines(login=3600 * SECOND, login_pause=3600 * SECOND)
    with LocalServer(LOCKED, SystemClock(), long) as server:
        admin, killed, leaving = server.client(), server.client(), server.client()
        assert admin.call("AUTH", "guess") == b"OK"
        for client in (killed, leaving):
            client.send("AUTH", "wrong")
        until(lambda: pausing(server) == 2, "both pauses to begin")
        leaving.close()
        until(lambda: server.server.clients == 2, "the one that leaves to be gone")
        assert admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") == 1
        until(lambda: server.server.clients == 1, "the killed one to be gone")
        assert ends(killed)


def pausing(server: LocalServer) -> int:
    """Return how many wait for a wrong password's answer."""
    return sum(each._failed_logins for each in list(server.server._clients._handlers.values()))


def test_a_stop_does_not_wait_for_a_pause() -> None:
    """Nor for a client that is about to log in."""
    long = Deadlines(login=3600 * SECOND, login_pause=3600 * SECOND)
    with LocalServer(LOCKED, SystemClock(), long) as server:
        guesser, _silent = server.client(), server.client()
        guesser.send("AUTH", "wrong")
        until(lambda: server.server.clients == 2, "both to be served")
        until(lambda: pausing(server) == 1, "the pause to begin")
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 2
        assert server.server.clients == 0


def test_an_idle_client_is_cut_off_and_a_blocked_worker_is_not() -> None:
    """Waiting for a task is not idling, whatever the time; idling afterwards is."""
    idle = dataclasses.replace(SETTINGS, idle_timeout=SECOND // 4)
    with LocalServer(idle, SystemClock()) as server:
        worker, silent = server.client(), server.client()
        worker.send_pop("q")
        server.until_blocked(1)
        assert ends(silent)
        assert server.blocked == 1
        producer = server.client()
        producer.push("q", "x")
        assert worker.popped() is not None
        assert ends(worker)
        assert ends(producer)


def test_client_list_counts_idle_time_as_the_timeout_does() -> None:
    """From the last byte in either direction, so also from the end of a long wait."""
    with LocalServer(SETTINGS, SystemClock()) as server:
        worker = server.client()
        worker.send_pop("q")
        server.until_blocked(1)
        [session] = server.server._clients.sessions()
        asked = session.active_at
        server.client().push("q", "x")
        assert worker.popped() is not None
        until(lambda: session.active_at > asked, "the reply to count")
        answered = session.active_at
        worker.send_bytes(b"*")  # not a command yet
        until(lambda: session.active_at > answered, "the byte to count")


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="these are Linux'")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_dead_link_is_noticed_by_the_kernel(host: str) -> None:
    """Keepalive and the user timeout are set on accepted sockets, of either family."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"{host} is not to be had here")
    with listening, socket.create_connection(listening.getsockname()[:2]):
        peer = listening.accept()[0]
        with peer:
            prepare(peer, Deadlines())
            assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            wanted = {"TCP_KEEPIDLE": 3, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 3}
            for name, value in {**wanted, "TCP_USER_TIMEOUT": 5000}.items():
                assert peer.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) == value
