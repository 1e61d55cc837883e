"""MULTI and EXEC over a socket: all of it happens, at once, or nothing does."""

from __future__ import annotations

from typing import Any

import hiredis
import pytest

from tests.integration.local_server import LocalServer
from tests.integration.raw_client import RawClient, Word, encode
from tests.integration.waiting import until

POP = ("XREADGROUP", "GROUP", "g", "w", "STREAMS", "q", ">")
BLOCKED_POP = ("XREADGROUP", "GROUP", "g", "w", "BLOCK", 0, "STREAMS", "q", ">")


def transact(client: RawClient, *commands: tuple[Word, ...]) -> Any:
    """Send the commands between MULTI and EXEC in one segment; return EXEC's reply."""
    client.send_bytes(b"".join(encode(*words) for words in (("MULTI",), *commands, ("EXEC",))))
    assert client.replies(len(commands) + 1) == [b"OK", *[b"QUEUED"] * len(commands)]
    return client.reply()


def push(queue: str, payload: Word = "x", number: str = "*") -> tuple[Word, ...]:
    """Return the words of an XADD."""
    return ("XADD", queue, number, "payload", payload)


@pytest.mark.parametrize("protocol", [2, 3])
def test_several_queues_at_once(server: LocalServer, protocol: int) -> None:
    """Ack one task, push the next two, and look: each reply is what the command alone answers."""
    client = server.client(protocol=protocol)
    first = client.push("q", "one")
    assert client.pop("q") is not None
    acked, second, third, length = transact(
        client, ("XACK", "q", "g", first), push("q"), push("r"), ("XLEN", "q")
    )
    assert (acked, length) == (1, 1)
    assert first < second < third
    assert (client.call("XLEN", "q"), client.call("XLEN", "r")) == (1, 1)


def test_a_failing_command_undoes_all(server: LocalServer) -> None:
    """One id too small: no queue was made, no task pushed or acked, and EXEC says why."""
    client = server.client()
    held = client.push("q", "one")
    assert client.pop("q") is not None
    error = transact(client, ("XACK", "q", "g", held), push("new"), push("q", number="1-1"))
    assert isinstance(error, hiredis.ReplyError)
    assert str(error).startswith("EXECABORT Transaction rolled back, nothing of it was done: ")
    assert "equal or smaller than the target stream top item" in str(error)
    assert client.call("EXISTS", "new") == 0
    assert client.call("XLEN", "q") == 0
    assert client.call("XACK", "q", "g", held) == 1
    assert client.call("PING") == b"PONG"


def test_what_is_rolled_back_answered_nothing(server: LocalServer) -> None:
    """The commands about the connection are carried out when the rest has succeeded."""
    client = server.client()
    bad = push("q", number="0-1")
    transact(client, push("q"), ("CLIENT", "SETNAME", "wrong"), bad)
    assert client.call("CLIENT", "GETNAME") is None
    replies = transact(client, push("q"), ("CLIENT", "SETNAME", "me"), ("PING",), ("TIME",))
    assert replies[1:3] == [b"OK", b"PONG"]
    assert len(replies[3]) == 2
    assert client.call("CLIENT", "GETNAME") == b"me"
    assert transact(client, ("PING",), ("ECHO", "x")) == [b"PONG", b"x"]
    assert transact(client) == []


def test_a_refused_command_aborts(server: LocalServer) -> None:
    """What cannot even be queued is answered at once; EXEC then does nothing at all."""
    client = server.client()
    assert client.call("MULTI") == b"OK"
    assert client.call(*push("q")) == b"QUEUED"
    assert client.error("XADD", "q") == "ERR wrong number of arguments for 'xadd' command"
    assert client.call(*push("q")) == b"QUEUED"
    expected = "EXECABORT Transaction discarded because of previous errors."
    assert client.error("EXEC") == expected
    assert client.call("XLEN", "q") == 0
    assert client.error("EXEC") == "ERR EXEC without MULTI"


def test_discard_does_nothing(server: LocalServer) -> None:
    """What was queued is given up."""
    client = server.client()
    client.send_bytes(encode("MULTI") + encode(*push("q")) + encode("DISCARD"))
    assert client.replies(3) == [b"OK", b"QUEUED", b"OK"]
    assert client.call("XLEN", "q") == 0


@pytest.mark.parametrize(("protocol", "null"), [(2, b"*1\r\n*-1\r\n"), (3, b"*1\r\n_\r\n")])
def test_block_does_not_block(server: LocalServer, protocol: int, null: bytes) -> None:
    """XREADGROUP BLOCK 0 with nothing there answers null at once, and leaves no waiter."""
    client = server.client(protocol=protocol)
    client.send_bytes(encode("MULTI") + encode(*BLOCKED_POP) + encode("EXEC"))
    received = b""
    expected = b"+OK\r\n+QUEUED\r\n" + null
    while len(received) < len(expected):
        received += client.socket.recv(100)
    assert received == expected
    assert server.blocked == 0


def test_a_transaction_may_claim_what_it_pushed(server: LocalServer) -> None:
    """Each step sees what those before it did."""
    client = server.client()
    pushed, popped, length = transact(client, push("q", "mine"), POP, ("XLEN", "q"))
    [[queue, [[number, fields]]]] = popped
    assert (queue, number, fields[1], length) == (b"q", pushed, b"mine", 0)


def test_a_blocked_worker_is_served_by_exec_and_not_before(server: LocalServer) -> None:
    """What is queued is nowhere yet, and what is rolled back wakes nobody."""
    worker, client = server.client(), server.client()
    worker.send_pop("q")
    server.until_blocked(1)
    assert client.call("MULTI") == b"OK"
    assert client.call(*push("q", "hello")) == b"QUEUED"
    assert server.client().call("XLEN", "q") == 0
    assert client.call(*push("q", number="0-1")) == b"QUEUED"
    assert "rolled back" in client.error("EXEC")
    assert server.blocked == 1
    transact(client, push("q", "hello"))
    task = worker.popped()
    assert task is not None
    assert task["payload"] == b"hello"


@pytest.mark.unmeasured
def test_ten_thousand_pushes_in_one_transaction(server: LocalServer) -> None:
    """A pipeline far longer than what is read ahead is one EXEC, and all of it is there."""
    client = server.client()
    ids = transact(client, *[push("q", number) for number in range(10_000)])
    assert len(set(ids)) == 10_000
    assert client.call("XLEN", "q") == 10_000


def test_many_transactions_in_one_pipeline(server: LocalServer) -> None:
    """Each is one of its own: the one that fails undoes itself alone."""
    client = server.client()
    one = encode("MULTI") + encode(*push("q")) + encode("EXEC")
    bad = encode("MULTI") + encode(*push("q")) + encode(*push("q", number="0-1")) + encode("EXEC")
    client.send_bytes(one + bad + one + encode("XLEN", "q"))
    replies = client.replies(3 + 4 + 3 + 1)
    assert isinstance(replies[6], hiredis.ReplyError)
    assert [len(replies[place]) for place in (2, 9)] == [1, 1]
    assert replies[10] == 2


def test_what_exec_cannot_deliver_is_released(server: LocalServer) -> None:
    """A client that vanishes with EXEC's reply half sent has had nothing: no attempt counts."""
    payload = b"x" * 12 * 1024 * 1024  # more than the kernel takes for a peer that does not read
    healthy, gone = server.client(), server.client()
    healthy.push("q", payload)
    gone.send_bytes(encode("MULTI") + encode(*POP) + encode("EXEC"))
    until(lambda: healthy.call("XLEN", "q") == 0, "the claim")
    gone.close()
    until(lambda: healthy.call("XLEN", "q") == 1, "the release")
    task = healthy.pop("q")
    assert task is not None
    assert task["attempts"] == b"1"


def test_reset_and_quit_in_a_transaction(server: LocalServer) -> None:
    """Both work at once; nothing of the transaction happens."""
    client = server.client(protocol=3)
    client.send_bytes(encode("MULTI") + encode(*push("q")) + encode("RESET") + encode("QUIT"))
    assert client.replies(4) == [b"OK", b"QUEUED", b"RESET", b"OK"]
    assert client.is_closed()
    assert server.client().call("XLEN", "q") == 0


@pytest.mark.parametrize(
    "failing",
    [
        ("DEL", "q::dead"),
        ("DEL", "q"),
        ("ZCOUNT", "q", 0, 1),
        ("XINFO", "STREAM", "none"),
        ("XNACK", "q", "g", "1-1"),
        ("XPENDING", "q", "none"),
        ("XGROUP", "CREATE", "none", "g", 0),
        ("XADD", "q", "0-2", "a", "1"),
    ],
)
def test_whatever_fails_rolls_back(server: LocalServer, failing: tuple[Word, ...]) -> None:
    """A command that only looks no less than one that changes something."""
    client = server.client()
    client.push("q", "x", "max_attempts", 1)
    task = client.pop("q")
    assert task is not None
    assert client.call("XDEL", "q", task.id) == 1
    client.send_bytes(b"".join(encode(*one) for one in [("MULTI",), push("q"), failing]))
    client.replies(3)
    assert client.error("EXEC").startswith("EXECABORT Transaction rolled back")
    assert [client.call("XLEN", "q"), client.call("XLEN", "q::dead")] == [0, 1]
