"""Clients that send or read too little: each costs bounded memory, and disturbs nobody."""

from __future__ import annotations

import dataclasses
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NoReturn

import pytest

from ezra.sansio.errors import Text
from ezra.sansio.model import MILLISECOND, SECOND
from ezra.threaded.budget import LEAST, UNCOUNTED, Account, Budget, default_limit
from ezra.threaded.clock import SystemClock
from ezra.threaded.deadlines import Deadlines
from ezra.threaded.settings import MEMORY, Settings
from tests.faults.many_workers import enough_files, memory
from tests.integration.local_server import LocalServer
from tests.integration.raw_client import RawClient, encode
from tests.integration.server_process import ServerProcess
from tests.integration.waiting import until

MIB = 1024 * 1024
SETTINGS = Settings(data_dir=MEMORY, port=0)


@contextmanager
def undisturbed(server: ServerProcess) -> Iterator[None]:
    """Before, meanwhile and after, a push reaches a blocked worker."""
    worker, producer = server.client(), server.client()

    def check() -> None:
        worker.send_pop("quiet")
        pushed = producer.push("quiet", "x")
        task = worker.popped()
        assert task is not None
        assert task.id == pushed

    check()
    yield
    check()


def buffers(client: RawClient) -> int:
    """Return what INFO says is on its way in large requests and replies."""
    lines = client.call("INFO", "ezra").split(b"\r\n")
    return int(next(line for line in lines if line.startswith(b"buffer_bytes:")).split(b":")[1])


@pytest.mark.memory
def test_announcing_costs_nothing_and_idling_little() -> None:
    """A thousand idle connections, and one that announces 512 MiB and sends none of it."""
    with (
        enough_files(2_000),
        ServerProcess(":memory:", "--max-payload-bytes", str(512 * MIB)) as server,
        ExitStack() as sockets,
    ):
        with undisturbed(server):
            before = memory(server.process.pid)
            for _ in range(1_000):
                sockets.enter_context(socket.create_connection(server.address))
            liars = [server.client() for _ in range(20)]
            for liar in liars:
                liar.send_bytes(b"*5\r\n$4\r\nXADD\r\n$1\r\nq\r\n$1\r\n*\r\n$7\r\npayload\r\n")
                liar.send_bytes(b"$536870912\r\n")
            asking = server.client()
            until(lambda: b"connected_clients:1023" in asking.call("INFO"), "all to be served")
        assert memory(server.process.pid) - before < 1_000 * 40 * 1024
        assert buffers(asking) == 0


@pytest.mark.memory
def test_what_arrives_slowly_costs_what_has_arrived() -> None:
    """And it is counted, until its client goes."""
    with ServerProcess(":memory:", "--max-payload-bytes", str(512 * MIB)) as server:
        slow, asking = server.client(), server.client()
        before = memory(server.process.pid)
        slow.send_bytes(b"*2\r\n$4\r\nECHO\r\n$536870912\r\n" + bytes(8 * MIB))
        until(lambda: buffers(asking) >= 8 * MIB, "it to be counted")
        assert buffers(asking) < 9 * MIB
        assert memory(server.process.pid) - before < 24 * MIB
        slow.close()
        until(lambda: buffers(asking) == 0, "it to be given back")


@pytest.mark.memory
@pytest.mark.parametrize("way", ["unfinished requests", "kept transactions"])
def test_many_who_hold_much_are_refused_together(way: str) -> None:
    """Each is within its own limits, their sum would not be: the last are told and sent away."""
    most = 64 * MIB
    with ServerProcess(":memory:", "--max-buffer-bytes", str(most)) as server, undisturbed(server):
        asking = server.client()
        before = memory(server.process.pid)
        piece = bytes(8 * MIB)
        refused = 0
        for number in range(12):
            client = server.client()
            if way == "unfinished requests":
                sent = b"*2\r\n$4\r\nECHO\r\n$16777216\r\n" + piece
            else:
                sent = encode("MULTI") + encode("XADD", "q", "*", "payload", piece)
            refused += was_refused(client, sent, asking, (number + 1 - refused) * len(piece))
        assert 4 <= refused <= 5
        assert buffers(asking) <= most
        assert memory(server.process.pid) - before < 3 * most


def was_refused(client: RawClient, sent: bytes, asking: RawClient, counted: int) -> bool:
    """Send, and tell whether the client was sent away for it; else it is counted."""
    client.socket.settimeout(0.01)
    pending = memoryview(sent)
    found = b""
    while b"OOM " not in found:
        try:
            if pending:
                pending = pending[client.socket.send(pending) :]
            found += client.socket.recv(4096)
        except TimeoutError:
            if not pending and buffers(asking) >= counted:
                return False
        except ConnectionError:
            break
    assert Text.NO_MEMORY_FOR_REQUEST.encode() in found
    return True


def test_a_reply_for_which_there_is_no_memory_is_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What it would have handed out is free again, and the connection goes on; so says the log."""
    caplog.set_level(logging.INFO, "ezra.threaded.handler")
    small = dataclasses.replace(SETTINGS, max_buffer_bytes=4 * MIB, max_payload_bytes=MIB)
    with LocalServer(small, SystemClock()) as server:
        client = server.client()
        ids = [client.push("q", bytes(MIB // 2)) for _ in range(60)]
        assert client.error("XRANGE", "q", "-", "+") == Text.NO_MEMORY_FOR_REPLY
        assert len(client.call("XRANGE", "q", "-", "+", "COUNT", 4)) == 4
        claim = ("XREADGROUP", "GROUP", "g", "w", "COUNT", 60, "STREAMS", "q", ">")
        assert client.error(*claim) == Text.NO_MEMORY_FOR_REPLY
        until(lambda: client.call("XLEN", "q") == 60, "the tasks to be released")
        assert "there is no memory for its reply; tasks released: 32" in caplog.text
        task = client.pop("q")
        assert task is not None
        assert (task.id, task["attempts"]) == (ids[0], b"1")
        assert buffers(client) == 0


def test_a_reply_that_was_sent_makes_room_for_the_next() -> None:
    """Also while more requests of the same packet wait: each that may wait is answered alone."""
    small = dataclasses.replace(SETTINGS, max_buffer_bytes=4 * MIB, max_payload_bytes=MIB)
    with LocalServer(small, SystemClock()) as server:
        client = server.client()
        for _ in range(12):
            client.push("q", bytes(MIB))
        claim = ("XREADGROUP", "GROUP", "g", "w", "BLOCK", 0, "STREAMS", "q", ">")
        client.send_bytes(encode(*claim) * 12)
        assert [len(tasks) for [[_, tasks]] in client.replies(12)] == [1] * 12
        until(lambda: buffers(client) == 0, "all to be given back")


def test_who_takes_no_replies_before_logging_in_is_cut_off() -> None:
    """A few replies are on their way to it at the most."""
    locked = dataclasses.replace(SETTINGS, password="guess")  # noqa: S106 - the test's own
    patient = Deadlines(login=3600 * SECOND, send=3600 * SECOND, link=3600 * SECOND)
    with LocalServer(locked, SystemClock(), patient) as server:
        deaf = RawClient.__new__(RawClient)
        deaf.socket = socket.socket()
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        deaf.socket.connect(server.address)
        deaf.socket.settimeout(10)
        with deaf.socket, pytest.raises(ConnectionError):
            send_without_end(deaf)
        until(lambda: server.server.clients == 0, "its thread to end")


def send_without_end(client: RawClient) -> NoReturn:
    """Send until that is ended; who is not even read from any more ends with TimeoutError."""
    while True:
        client.send("PING")


@pytest.mark.parametrize("reads", [0, 16])
def test_who_does_not_read_a_reply_is_given_up(reads: int) -> None:
    """Also who reads a little now and then: a reply may take as long as its size is worth."""
    soon = Deadlines(send=SECOND // 2, link=60 * SECOND, slowest=64 * MIB)
    with LocalServer(SETTINGS, SystemClock(), soon) as server:
        slow = server.client()
        slow.hold_little()
        slow.send("ECHO", bytes(8 * MIB))
        gone = threading.Event()
        thread = threading.Thread(target=read_slowly, args=(slow, reads, gone), daemon=True)
        thread.start()
        until(lambda: server.server.clients == 1, "it to be served")
        until(lambda: server.server.clients == 0, "it to be given up")
        gone.set()
        thread.join(10)


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_USER_TIMEOUT is Linux'")
def test_a_large_reply_waits_for_who_reads_it_later() -> None:
    """A worker that stands still for a moment is not taken for one whose link is cut."""
    deadlines = Deadlines(link=SECOND // 2)
    with LocalServer(SETTINGS, SystemClock(), deadlines) as server:
        late = server.client()
        payload = bytes(15 * MIB)
        late.send("ECHO", payload)
        [peer] = server.server._clients._handlers

        def probes() -> int:
            """Return how often in a row the kernel has asked whether the client reads again."""
            return peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 5)[4]

        until(lambda: probes() >= 3, "more than a second to pass")
        assert late.reply() == payload
        patience = (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert peer.getsockopt(*patience) == deadlines.for_sending(len(payload) + 12) // MILLISECOND
        assert late.call("PING") == b"PONG"
        assert peer.getsockopt(*patience) == deadlines.link // MILLISECOND


def test_who_does_not_read_can_be_killed() -> None:
    """While its reply stands still; whoever kills it does not wait for that."""
    patient = Deadlines(send=3600 * SECOND, link=3600 * SECOND)
    with LocalServer(SETTINGS, SystemClock(), patient) as server:
        deaf, admin = server.client(), server.client()
        deaf.hold_little()
        deaf.send("ECHO", bytes(8 * MIB))
        address = "{}:{}".format(*deaf.socket.getsockname())
        [session] = [each for each in server.server._clients.sessions() if each.address == address]
        until(lambda: session.command == "ECHO", "it to be answered")
        assert admin.call("CLIENT", "KILL", address) == b"OK"
        until(lambda: server.server.clients == 1, "it to be gone")


def read_slowly(client: RawClient, size: int, gone: threading.Event) -> None:
    """Read so many KiB every hundredth of a second."""
    while not gone.wait(0.01):
        try:
            if size and not client.socket.recv(size * 1024):
                return
        except OSError:
            return


def test_a_budget_counts_what_is_much() -> None:
    """Little is free, much is counted, and giving back always works."""
    budget = Budget(limit=10 * UNCOUNTED, largest_request=UNCOUNTED)
    one, other = Account(budget), Account(budget)
    assert one.hold(UNCOUNTED)
    assert budget.used == 0
    share = 10 * UNCOUNTED // 4
    assert one.hold(share)
    assert not one.hold(share + 1)
    assert budget.used == share
    assert one.add(0)
    assert not one.add(1)
    accounts = [Account(budget) for _ in range(4)]
    assert [account.hold(share) for account in accounts] == [True, True, True, False]
    assert not other.hold(UNCOUNTED + 1)
    assert one.hold(0)
    assert other.hold(UNCOUNTED + 1)


def test_the_default_is_a_part_of_the_machine_s_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the container's, where that has less; and enough for a few payloads in any case."""
    gigabyte = 1024 * MIB
    for whole, part in ((24 * gigabyte, 6 * gigabyte), (512 * MIB, 128 * MIB), (MIB, LEAST)):
        monkeypatch.setattr("ezra.threaded.budget._memory_of_machine", lambda whole=whole: whole)
        assert default_limit() == part
