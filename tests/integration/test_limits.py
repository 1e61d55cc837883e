"""Where a client or the machine meets a limit: a clear error, and everybody else goes on."""

from __future__ import annotations

import dataclasses
import errno
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ezra.sansio.errors import Text
from ezra.sansio.model import MILLISECOND, SECOND
from ezra.threaded import handler
from ezra.threaded.clock import SystemClock
from ezra.threaded.deadlines import Deadlines
from ezra.threaded.settings import Settings
from ezra.threaded.watcher import has_hung_up
from tests.integration.local_server import LocalServer
from tests.integration.raw_client import encode
from tests.integration.waiting import until


@pytest.fixture
def small_server(settings: Settings) -> Iterator[LocalServer]:
    """Serve two clients and payloads of a thousand bytes."""
    small = dataclasses.replace(settings, max_clients=2, max_payload_bytes=1000)
    with LocalServer(small, SystemClock()) as server:
        yield server


def test_a_payload_over_the_limit_is_refused(small_server: LocalServer) -> None:
    """The error says both sizes, nothing is pushed, the connection goes on."""
    client = small_server.client()
    error = client.error("XADD", "q", "*", "payload", bytes(1001))
    assert error.startswith("ERR ")
    assert "1001" in error
    assert "1000" in error
    assert small_server.engine.queues() == []
    assert client.push("q", bytes(1000))


def test_a_client_too_many_is_refused(small_server: LocalServer) -> None:
    """It is told why; when another leaves there is room again."""
    first, _second = small_server.client(), small_server.client()
    assert first.call("PING") == b"PONG"
    until(lambda: small_server.server.clients == 2, "both to be served")
    refused = small_server.client()
    assert str(refused.reply()) == "ERR max number of clients reached"
    assert refused.is_closed()
    assert first.call("PING") == b"PONG"
    first.close()
    until(lambda: small_server.server.clients == 1, "the first to be gone")
    assert small_server.client().call("PING") == b"PONG"


def test_without_file_descriptors_the_server_waits_and_goes_on(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """EMFILE at accept costs a pause and one line in the log, not the server."""
    real = server.server.socket
    failures = iter([errno.EMFILE, errno.EMFILE, errno.EMFILE])

    class Exhausted:
        """A listening socket in a process that has no file descriptor left, three times."""

        def accept(self) -> Any:
            for number in failures:
                raise OSError(number, "Too many open files")
            return real.accept()

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    monkeypatch.setattr(server.server, "socket", Exhausted())
    with caplog.at_level(logging.ERROR):
        assert server.client().call("PING") == b"PONG"
    assert len([r for r in caplog.records if "Too many open files" in r.getMessage()]) == 1


def test_without_threads_a_client_is_refused_and_the_server_goes_on(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that cannot start costs the one client that it was for."""
    healthy = server.client()
    assert healthy.call("PING") == b"PONG"
    with monkeypatch.context() as patch:

        def start(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        patch.setattr(threading.Thread, "start", start)
        refused = server.client()
        assert str(refused.reply()) == "ERR max number of clients reached"
        assert refused.is_closed()
    assert healthy.call("PING") == b"PONG"
    assert server.client().call("PING") == b"PONG"
    assert server.server.clients == 2


def test_an_error_in_the_server_ends_one_connection_only(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What should never happen is logged, and its client's connection is closed."""
    healthy, unlucky = server.client(), server.client()
    assert healthy.call("PING") == unlucky.call("PING") == b"PONG"
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            raise ZeroDivisionError

        patch.setattr(handler.Handler, "_answer", fail)
        unlucky.send("PING")
        assert unlucky.is_closed()
    assert healthy.call("PING") == b"PONG"
    assert "ZeroDivisionError" in caplog.text


def test_an_undeliverable_reply_releases_what_it_hands_out(
    settings: Settings,
) -> None:
    """A worker that never reads a large reply loses its connection; the tasks are free again."""
    soon = Deadlines(send=SECOND // 2, link=200 * MILLISECOND, slowest=64 * 1024 * 1024)
    with LocalServer(settings, SystemClock(), soon) as server:
        producer = server.client()
        pushed = [producer.push("q", bytes(4 * 1024 * 1024)) for _ in range(4)]
        deaf = server.client()
        deaf.hold_little()
        deaf.send("XREADGROUP", "GROUP", "g", "w", "COUNT", 4, "STREAMS", "q", ">")
        until(lambda: producer.call("XLEN", "q") == 0, "the tasks to be claimed")
        until(lambda: producer.call("XLEN", "q") == 4, "the tasks to be released")
        task = producer.pop("q")
        assert task is not None
        assert (task.id, task["attempts"]) == (pushed[0], b"1")


def test_a_task_fed_to_a_worker_that_has_just_gone_is_released(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the commit that feeds a blocked worker and its reply the worker hangs up."""
    asked = threading.Event()
    gone = threading.Event()
    real = has_hung_up

    def ask_when_gone(peer: socket.socket) -> bool:
        asked.set()
        assert gone.wait(10)
        until(lambda: real(peer), "the end to arrive")
        return True

    monkeypatch.setattr("ezra.threaded.handler.has_hung_up", ask_when_gone)
    worker, producer = server.client(), server.client()
    worker.send_pop("q")
    server.until_blocked(1)
    pushed = producer.push("q", "x")
    assert asked.wait(10)
    assert producer.call("XLEN", "q") == 0
    worker.close()
    gone.set()
    until(lambda: producer.call("XLEN", "q") == 1, "the task to be released")
    monkeypatch.undo()
    task = producer.pop("q")
    assert task is not None
    assert (task.id, task["attempts"]) == (pushed, b"1")


def test_replies_that_went_out_before_are_not_released(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two claims in a pipeline only the one whose reply failed is undone."""
    worker, producer = server.client(), server.client()
    first = producer.push("first", "x")
    worker.send_bytes(
        encode("XREADGROUP", "GROUP", "g", "w", "STREAMS", "first", ">")
        + encode("XREADGROUP", "GROUP", "g", "w", "BLOCK", 0, "STREAMS", "second", ">")
    )
    task = worker.popped()
    assert task is not None
    assert task.id == first
    server.until_blocked(1)
    monkeypatch.setattr("ezra.threaded.handler.has_hung_up", lambda _: True)
    producer.push("second", "x")
    assert worker.is_closed()
    until(lambda: producer.call("XLEN", "second") == 1, "the second to be released")
    assert producer.call("XLEN", "first") == 0
    assert producer.call("XACK", "first", "g", first) == 1


def test_when_the_engine_takes_nothing_any_more_every_command_says_so(server: LocalServer) -> None:
    """Each is answered with the engine's error; the connection itself goes on."""
    client = server.client()
    assert client.call("PING") == b"PONG"
    server.engine.close()
    client.send_bytes(encode("XADD", "q", "*", "payload", "x") + encode("XACK", "q", "g", "1-1"))
    client.send_bytes(encode("XLEN", "q") + encode("EZRA.QUEUE", "SET", "q", "max_attempts", 1))
    client.send_bytes(encode("XREADGROUP", "GROUP", "g", "w", "STREAMS", "q", "0"))
    client.send_pop("q", block=None)
    client.send_pop("q", block=0)
    assert {str(reply) for reply in client.replies(7)} == {Text.SHUTTING_DOWN}
    client.send_pop("q", block=0)
    assert str(client.reply()) == Text.SHUTTING_DOWN
    assert client.call("PING") == b"PONG"


def test_an_answer_that_cannot_be_given_back_waits_for_its_lease(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the client and the engine have both gone, the connection still ends in order."""
    worker = server.client()
    worker.send_pop("q")
    server.until_blocked(1)

    def everything_ends(_: object) -> bool:
        server.engine.close()
        return True

    monkeypatch.setattr("ezra.threaded.handler.has_hung_up", everything_ends)
    server.client().push("q", "x")
    assert worker.is_closed()


def test_a_client_that_never_reads_is_cut_off_at_the_end(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`stop` waits for its reply no longer than it promises, and leaves no thread behind."""
    monkeypatch.setattr("ezra.threaded.server.GRACE", 0.1)
    monkeypatch.setattr("ezra.threaded.server.FAREWELL", 2)  # less than the kernel would take
    deaf = server.client()
    deaf.hold_little()
    deaf.socket.settimeout(1)
    with pytest.raises(TimeoutError):
        deaf.send_bytes(encode("ECHO", bytes(1024 * 1024)) * 100)
    server.stop()
    assert server.server.clients == 0
