"""Whatever a client sends wrongly costs that client an error, and nobody anything else."""

from __future__ import annotations

import socket

import pytest

from tests.integration.local_server import LocalServer
from tests.integration.raw_client import RawClient, Word, encode

MALFORMED: list[tuple[tuple[Word, ...], str]] = [
    (("XADD", "q", "*", "payload"), "ERR wrong number of arguments for 'xadd' command"),
    (("XADD", "q", "*", "a", "b", "payload"), "ERR wrong number of arguments for 'xadd' command"),
    (("XADD", "q"), "ERR wrong number of arguments for 'xadd' command"),
    (("XADD", "q", "soon", "payload", "x"), "ERR Invalid stream ID specified as stream command"),
    (("XADD", "q::dead", "*", "payload", "x"), "ERR "),
    (("XADD", "", "*", "payload", "x"), "ERR invalid queue"),
    (("XREADGROUP", "GROUP", "g", "w", "q", ">"), "ERR "),
    (("XREADGROUP", "GROUP", "g", "w", "COUNT", "1", "q", ">"), "ERR syntax error"),
    (
        ("XREADGROUP", "GROUP", "g", "w", "COUNT", "abc", "STREAMS", "q", ">"),
        "ERR value is not an integer or out of range",
    ),
    (
        ("XREADGROUP", "GROUP", "g", "w", "BLOCK", "-1", "STREAMS", "q", ">"),
        "ERR timeout is negative",
    ),
    (("XREADGROUP", "GROUP", "g", "w", "STREAMS", "q", "r", ">"), "ERR Unbalanced"),
    (("XACK", "q", "g", "seven"), "ERR Invalid stream ID specified as stream command argument"),
    (("XDEL", "q", "1-2-3"), "ERR Invalid stream ID specified as stream command argument"),
    (("XNACK", "q", "g", "FAIL", "IDS", "x", "1-1"), "ERR "),
    (("GET", "q"), "ERR unknown command 'GET', with args beginning with: 'q'"),
    (("EZRA.QUEUE", "SET", "q", "speed", "9"), "ERR "),
    (("HELLO", "4"), "NOPROTO unsupported protocol version"),
    (("XGROUP", "FLY", "q"), "ERR "),
    (("CLIENT", "NONSENSE"), "ERR unknown subcommand 'NONSENSE'. Try CLIENT HELP."),
]


@pytest.mark.parametrize(("words", "expected"), MALFORMED)
def test_a_malformed_command_is_answered_with_an_error(
    server: LocalServer, words: tuple[Word, ...], expected: str
) -> None:
    """The error names what is wrong, nothing happens, and every connection goes on."""
    client, other = server.client(), server.client()
    assert client.error(*words).startswith(expected)
    assert client.call("PING") == other.call("PING") == b"PONG"
    assert server.engine.queues() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ttl", "soon"),
        ("ttl", "-1"),
        ("ttl", "1e3"),
        ("ttl", "0"),
        ("ttl", "nan"),
        ("max_attempts", "0"),
        ("max_attempts", "1.5"),
        ("visibility_timeout", "0"),
        ("visibility_timeout", ""),
        ("delay", "-0.1"),
        ("run_at", "tomorrow"),
        ("priority", "128"),
        ("priority", "-129"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "ezra."])
def test_a_malformed_option_is_named_and_pushes_nothing(
    server: LocalServer, name: str, value: str, prefix: str
) -> None:
    """`ERR invalid <name>: …`; the queue is not even created, the connection goes on."""
    client = server.client()
    error = client.error("XADD", "q", "*", "payload", "x", prefix + name, value)
    assert error.startswith(f"ERR invalid {name}: ")
    assert server.engine.queues() == []
    assert client.push("q", "x", prefix + name, "1")


def test_fifty_malformed_requests_change_nothing_for_a_healthy_client(
    server: LocalServer,
) -> None:
    """Between any two of them a healthy client pushes, pops and acks as ever."""
    healthy = server.client()
    rude = server.client()
    for number in range(50):
        words, expected = MALFORMED[number % len(MALFORMED)]
        assert rude.error(*words).startswith(expected)
        pushed = healthy.push("q", number)
        task = healthy.pop("q")
        assert task is not None
        assert (task.id, task["payload"]) == (pushed, b"%d" % number)
        assert healthy.call("XACK", "q", "g", pushed) == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"*1\r\n:5\r\n",
        b"*1\r\n$-4\r\n",
        b"*1\r\n$abc\r\n",
        b"*99999999999\r\n",
        b"*1\r\n$4\r\nPINGxx",
        b'SET "unbalanced\r\n',
        b"x" * 100_000,
    ],
)
def test_a_broken_frame_is_answered_and_closes_its_connection_only(
    server: LocalServer, garbage: bytes
) -> None:
    """The commands before it are answered, then the error comes, then the end."""
    client, other = server.client(), server.client()
    client.send_bytes(encode("XADD", "q", "*", "payload", "x") + garbage)
    assert isinstance(client.reply(), bytes)
    assert str(client.reply()).startswith("ERR Protocol error")
    assert client.is_closed()
    assert other.pop("q") is not None


def test_a_client_may_finish_its_sentence_before_it_hears_the_error(server: LocalServer) -> None:
    """What comes after a broken frame is thrown away for a while: no reset eats the error."""
    client = server.client()
    client.send_bytes(b"*1\r\n:5\r\n")
    assert client.socket.recv(1, socket.MSG_PEEK) == b"-"
    for _ in range(10):
        client.send_bytes(bytes(1000))
    client.socket.shutdown(socket.SHUT_WR)
    assert str(client.reply()).startswith("ERR Protocol error")
    assert client.is_closed()


@pytest.mark.parametrize(
    "words",
    [
        *(b"POST / HTTP/1.1\r\n", b"Host: localhost\r\n", b"Host:localhost\r\n"),
        *(encode("POST"), encode("host:", "localhost")),
    ],
)
def test_a_browser_is_sent_away_without_a_word(server: LocalServer, words: bytes) -> None:
    """Cross-protocol scripting gets no reply."""
    client = server.client()
    client.send_bytes(words + encode("XADD", "q", "*", "payload", "x"))
    assert client.is_closed()
    assert server.engine.queues() == []


def test_half_a_command_and_an_end_is_nothing(server: LocalServer) -> None:
    """A client that hangs up in the middle of a command has said nothing."""
    client = server.client()
    client.send_bytes(encode("XADD", "q", "*", "payload", "x")[:-4])
    client.close()
    assert server.client().call("PING") == b"PONG"
    assert server.engine.queues() == []


def test_a_command_may_arrive_byte_by_byte(server: LocalServer) -> None:
    """However the network cuts it."""
    client = server.client()
    for byte in encode("XADD", "q", "*", "payload", "x"):
        client.send_bytes(bytes([byte]))
    assert isinstance(client.reply(), bytes)


def test_a_half_closed_client_still_gets_its_replies(server: LocalServer) -> None:
    """`printf … | nc -N`: what was sent before the end is carried out and answered."""
    client: RawClient = server.client()
    client.send_bytes(encode("XADD", "q", "*", "payload", "x") + encode("XLEN", "q"))
    client.socket.shutdown(socket.SHUT_WR)
    assert isinstance(client.reply(), bytes)
    assert client.reply() == 1
    assert client.is_closed()
