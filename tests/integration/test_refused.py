"""What is refused is gone at once: no error keeps the payload that it is about.

An exception holds the frames that it passed, and they may hold the exception. Such a circle stays
until Python's collector of circles comes by, and that counts objects, not megabytes.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.local_server import LocalServer
from tests.integration.raw_client import Word, encode
from tests.integration.server_process import ServerProcess

PAYLOAD = bytes(1000)
TOO_SMALL = ("XADD", "q", "0-1", "payload", PAYLOAD)
REFUSED: dict[str, tuple[tuple[Word, ...], ...]] = {
    "as it is read": (("XADD", "q", "*", "payload", PAYLOAD, "ttl", "x"),),
    "by its name": (("NOSUCH", PAYLOAD),),
    "by the queue": (TOO_SMALL,),
    "by the queue's rules": (("XNACK", "q", "g", "1-1"),),
    "for want of a group": (("XCLAIM", "q", "none", "w", "5", "1-1"),),
    "for want of a queue": (("XGROUP", "CREATECONSUMER", "none", "g", "w"),),
    "by a look": (("XINFO", "STREAM", "none"),),
    "in a transaction, as it is read": (("MULTI",), ("XADD", "q", "*", "payload"), ("EXEC",)),
    "in a transaction, by the queue": (("MULTI",), TOO_SMALL, ("PING",), ("EXEC",)),
}


@pytest.fixture
def circles() -> Iterator[list[object]]:
    """Return the list to which the collector adds what only it has found; it stands still."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("why", REFUSED)
def test_what_is_refused_leaves_no_circle(
    server: LocalServer, circles: list[object], why: str
) -> None:
    """Wherever a command is refused, its error and its payload end with its reply."""
    client = server.client()
    client.push("q", "x")
    for words in REFUSED[why] * 3:
        client.call(*words)
    client.call("PING")  # by now the last turn has been left
    gc.collect()
    assert [one for one in circles if isinstance(one, BaseException)] == []


def test_a_broken_frame_leaves_no_circle(server: LocalServer, circles: list[object]) -> None:
    """Nor does what is not RESP, with all that its connection has read."""
    client = server.client()
    client.send_bytes(b"*2\r\n$1000\r\n" + PAYLOAD + b"\r\n:5\r\n")
    assert str(client.reply()).startswith("ERR Protocol error")
    client.close()
    server.stop()
    gc.collect()
    assert [one for one in circles if isinstance(one, BaseException)] == []


@pytest.mark.memory
def test_refused_payloads_do_not_pile_up(tmp_path: Path) -> None:
    """Of many large payloads that are refused, the server holds no more than a few at a time."""
    size = 4 * 1024 * 1024
    late: tuple[Word, ...] = ("*", "payload", bytes(size), "ttl", "x")
    small: tuple[Word, ...] = ("0-1", "payload", bytes(size))
    with ServerProcess(tmp_path) as server:
        client = server.client()
        client.push("q", "x")
        before = server.memory()
        for words in (late, small):
            request = encode("XADD", "q", *words)
            for _ in range(25):
                client.send_bytes(request)
                assert str(client.reply()).startswith("ERR")
                assert server.memory() - before < 8 * size
