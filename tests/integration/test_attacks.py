"""Attacks: what somebody sends who means harm. It is refused, and nobody else is disturbed.

Around each attack a client of good will goes on with its work on its own connection, and what the
server logs meanwhile is neither an error nor more than one line a time.
"""

from __future__ import annotations

import logging
import re
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import hiredis
import pytest

from ezra.threaded.settings import Settings
from tests.fuzz import words
from tests.integration.local_server import LocalServer
from tests.integration.raw_client import RawClient, Word, encode
from tests.integration.server_process import ServerProcess
from tests.integration.waiting import until

MEBIBYTE = 1024 * 1024


def work(client: RawClient) -> None:
    """Push a task, claim it and finish it, as any honest client does."""
    pushed = client.push("honest", "x")
    task = client.pop("honest")
    assert task is not None
    assert (task.id, task["payload"], task["attempts"]) == (pushed, b"x", b"1")
    assert client.call("XACK", "honest", "g", pushed) == 1


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return those of a server with a file: what is attacked here does not know the engine."""
    return Settings(data_dir=tmp_path / "data", port=0)


@pytest.fixture
def honest(server: LocalServer, caplog: pytest.LogCaptureFixture) -> Iterator[RawClient]:
    """Return a client that works before the attack and after it, on the same connection."""
    caplog.set_level(logging.DEBUG)
    client = server.client()
    work(client)
    yield client
    work(client)
    for record in caplog.records:
        assert record.levelno < logging.ERROR, record.getMessage()
        assert record.getMessage().isprintable()


def queues(server: LocalServer) -> list[str]:
    """Return the names of the queues that are not the honest client's."""
    return [info.name for info in server.engine.queues() if info.name != "honest"]


PUSH = encode("XADD", "stolen", "*", "payload", "x")


# Other protocols


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nHost: localhost:42002\r\nContent-Length: 99\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost:42002\r\n\r\n",
        b"PUT /x HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nAccept: */*\r\nHOST: 127.0.0.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nHost: x\r\n",
    ],
)
def test_a_web_page_gets_no_command_through(
    server: LocalServer, honest: RawClient, head: bytes
) -> None:
    """Whatever a browser is made to send, its headers end the connection before its body."""
    assert honest.call("PING") == b"PONG"
    client = server.client()
    client.send_bytes(head + PUSH + b"XADD stolen * payload x\r\n")
    assert _until_closed(client).count(b"stolen") == 0
    assert queues(server) == []


@pytest.mark.parametrize(
    "hello", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"SSH-2.0-x\r\n"]
)
def test_a_client_of_another_protocol_is_told_or_sent_away(
    server: LocalServer, honest: RawClient, hello: bytes
) -> None:
    """TLS where there is none, SSH: words that are no command, and nothing more."""
    assert honest.call("PING") == b"PONG"
    client = server.client()
    client.send_bytes(hello + b"\r\n")
    assert _first_line(client).startswith(b"-ERR unknown command")


def _until_closed(client: RawClient) -> bytes:
    """Return everything that is read until the server closes the connection."""
    read = b""
    try:
        while data := client.socket.recv(65536):
            read += data
    except ConnectionResetError:
        pass
    return read


def _first_line(client: RawClient) -> bytes:
    with client.socket.makefile("rb") as lines:
        return lines.readline()


SMUGGLED = b"x\r\n*1\r\n$8\r\nFLUSHALL\r\n" + PUSH + b"POST / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.usefixtures("honest")
def test_what_looks_like_requests_inside_a_payload_stays_a_payload(server: LocalServer) -> None:
    """Its length says where it ends, nothing else does; it comes back to the byte."""
    client = server.client()
    pushed = client.push("q", SMUGGLED, "header", SMUGGLED)
    task = client.pop("q")
    assert task is not None
    assert (task.id, task["payload"], task["header"]) == (pushed, SMUGGLED, SMUGGLED)
    assert queues(server) == ["q"]


INJECTED = b"x\r\n+OK\r\n$3\r\nfoo\r\n"


REPEATING: list[tuple[Word, ...]] = [
    (INJECTED,),
    ("NOSUCH", INJECTED),
    ("CLIENT", INJECTED),
    ("CLIENT", "SETNAME", INJECTED),
    ("CLIENT", "SETINFO", "LIB-NAME", INJECTED),
    ("XGROUP", "SETID", "q", INJECTED, "0"),
    ("XCLAIM", "q", INJECTED, "w", "5", "1-1"),
    ("XADD", "q", "*", "payload", "x", b"ezra." + INJECTED, "1"),
    ("EZRA.QUEUE", "SET", "q", INJECTED, "1"),
    ("COMMAND", "GETKEYS", INJECTED, "x"),
    ("ACL", "CAT", INJECTED),
    ("AUTH", INJECTED, INJECTED),
]


@pytest.mark.usefixtures("honest")
def test_nobody_gets_a_second_reply_into_an_error(server: LocalServer) -> None:
    """An error that repeats a client's words is one line all the same."""
    client = server.client()
    client.push("q", "x")
    with client.socket.makefile("rb") as lines:
        for request_ in REPEATING:
            client.send_bytes(encode(*request_) + encode("PING"))
            assert lines.readline().startswith(b"-"), request_
            assert lines.readline() == b"+PONG\r\n", request_


# What is announced, nested and never sent


ANNOUNCEMENTS = [
    b"*2147483647\r\n",
    b"*-2147483648\r\n*1048577\r\n",
    b"*99999999999999999999\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n$99999999999999999999\r\n",
    b"*1\r\n$-1\r\n",
    b"*1_0\r\n",
    b"* 1\r\n",
    b"*+1\r\n",
    b"*1\r\n$1_0\r\n",
    b"*1\r\n$+4\r\nPING\r\n",
    b"*1\r\n$4 \r\nPING\r\n",
    b"*1\r\n" * 1000,
    b"*1\r\n%1\r\n",
    b"*" + b"1" * 70_000,
    b"*1\r\n$" + b"1" * 70_000,
    b'"' * 70_001,
]


@pytest.mark.usefixtures("honest")
def test_an_announcement_that_makes_no_sense_ends_its_connection(server: LocalServer) -> None:
    """Lengths that only `int()` would take, absurd ones, and requests inside of requests."""
    for announcement in ANNOUNCEMENTS:
        with RawClient(server.address) as client:
            client.send_bytes(announcement)
            assert str(client.reply()).startswith("ERR Protocol error"), announcement[:40]
            assert client.is_closed()


@pytest.mark.memory
def test_what_is_announced_and_never_sent_costs_nothing(tmp_path: Path) -> None:
    """Fifty clients announce half a gigabyte each, a million words each, and fall silent."""
    with ServerProcess(tmp_path) as server:
        honest = server.client()
        work(honest)
        before = server.memory()
        for _ in range(25):
            server.client().send_bytes(b"*3\r\n$4\r\nXADD\r\n$536870912\r\nx")
            server.client().send_bytes(b"*1048576\r\n$4\r\nXADD\r\n")
        until(lambda: _clients(honest) == 51, "all of them to be served")
        assert server.memory() - before < 8 * MEBIBYTE
        work(honest)


@pytest.mark.memory
def test_a_thousand_idle_clients_cost_little_and_disturb_nobody(tmp_path: Path) -> None:
    """They connect, say nothing, and stay."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, most), most))
    with ServerProcess(tmp_path) as server, ExitStack() as idle:
        honest = server.client()
        work(honest)
        before = server.memory()
        for _ in range(1000):
            idle.enter_context(socket.create_connection(server.address))
        until(lambda: _clients(honest) == 1001, "all of them to be served")
        assert server.memory() - before < 1000 * 64 * 1024
        work(honest)


def _clients(client: RawClient) -> int:
    reply = client.call("INFO", "clients")
    (line,) = [one for one in reply.splitlines() if one.startswith(b"connected_clients:")]
    return int(line.partition(b":")[2])


@pytest.mark.memory
def test_who_never_reads_its_replies_is_not_read_from_either(tmp_path: Path) -> None:
    """A pipeline without end costs what one turn may hold, and others nothing."""
    with ServerProcess(tmp_path) as server:
        honest, deaf = server.client(), server.client()
        work(honest)
        before = server.memory()
        deaf.hold_little()
        deaf.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            deaf.send_bytes(encode("ECHO", bytes(100)) * 150_000)
        assert server.memory() - before < 16 * MEBIBYTE
        work(honest)


# Words that mean something elsewhere


SQL = ["'; DROP TABLE tasks; --", '"; DELETE FROM queues; --', "x' OR '1'='1", "%", "_", "q\0r"]


@pytest.mark.parametrize("word", SQL)
@pytest.mark.usefixtures("honest")
def test_sql_is_a_word_like_any_other(server: LocalServer, word: str) -> None:
    """As a queue, a group, a worker, a field, a reason and a key it is stored and given back."""
    client = server.client()
    client.push("other", "x")
    pushed = client.push(word, word, word, word, "dedup_key", word)
    assert client.push(word, word, "dedup_key", word) == pushed
    client.send("XREADGROUP", "GROUP", word, word, "STREAMS", word, ">")
    task = client.popped()
    assert task is not None
    assert (task.queue, task.id, task[word]) == (word, pushed, word.encode())
    told = ("SILENT", "IDS", 1, pushed, "REASON", word)
    assert client.call("XNACK", word, word, *told) == 1
    assert client.call("XLEN", word) == client.call("XLEN", "other") == 1
    assert queues(server) == sorted(["other", word])


@pytest.mark.usefixtures("honest")
def test_a_queue_is_named_in_utf_8_or_not_at_all(server: LocalServer) -> None:
    """Bytes that are no text, and texts written in more bytes than they need, are refused."""
    client = server.client()
    for name in (b"\xff\xfe", b"caf\xe9", b"\xc0\x80", b"\xed\xa0\x80", b""):
        for request_ in (
            ("XADD", name, "*", "payload", "x"),
            ("XREADGROUP", "GROUP", "g", "w", "STREAMS", name, ">"),
            ("EZRA.QUEUE", "SET", name, "max_attempts", 1),
        ):
            assert client.error(*request_).startswith("ERR invalid queue")
    assert queues(server) == []


NO_NUMBERS = [word for word in words.WRONG_NUMBERS if not re.fullmatch(rb"-?[1-9]\d{0,18}", word)]


@pytest.mark.usefixtures("honest")
def test_numbers_are_digits_everywhere(server: LocalServer) -> None:
    """`1_0`, ` +7 `, `1e3`, other scripts' digits and 700 of our own are no numbers for anybody."""
    client = server.client()
    reading = ("XREADGROUP", "GROUP", "g", "w")
    for number in NO_NUMBERS:
        for request_ in (
            *(("HELLO", number), ("SELECT", number), ("XADD", "q", number, "payload", "x")),
            ("XADD", "q", "*", "payload", "x", "max_attempts", number),
            ("XADD", "q", "*", "payload", "x", "priority", number),
            (*reading, "COUNT", number, "STREAMS", "q", ">"),
            (*reading, "BLOCK", number, "STREAMS", "q", ">"),
            ("XDELEX", "q", "IDS", number, "1-1"),
            ("XTRIM", "q", "MAXLEN", number),
        ):
            assert client.error(*request_), request_
    assert queues(server) == []


# Commands that are not for anybody

FORBIDDEN = """
    FLUSHALL, FLUSHDB, SHUTDOWN, SHUTDOWN NOSAVE, DEBUG SEGFAULT, DEBUG SLEEP 100,
    EVAL return(1) 0, EVALSHA x 0, FCALL f 0, FUNCTION LOAD x, SCRIPT LOAD x, SCRIPT FLUSH,
    CONFIG SET dir /etc, CONFIG SET requirepass x, CONFIG SET maxclients 1, CONFIG REWRITE,
    SLAVEOF 10.0.0.1 6379, REPLICAOF 10.0.0.1 6379, MODULE LOAD /tmp/x.so, MODULE LOADEX /tmp/x.so,
    SAVE, BGSAVE, BGREWRITEAOF, MIGRATE h 1 k 0 9, RESTORE k 0 x, DUMP k, MONITOR, SYNC, PSYNC ? -1,
    ACL SETUSER x on, ACL DELUSER default, ACL SAVE, ACL LOAD, FAILOVER, SWAPDB 0 1, MOVE k 1,
    RENAME honest stolen, COPY honest stolen, OBJECT FREQ honest, SET k v, GET k, SUBSCRIBE c,
    SORT k BY nosort GET /etc/passwd, CLUSTER RESET, CLUSTER FORGET x, SELECT 1
"""


@pytest.mark.usefixtures("honest")
def test_what_redis_is_broken_into_with_is_an_error(server: LocalServer) -> None:
    """No script, no other server's replica, no file of anybody's choice; also not in MULTI."""
    client = server.client()
    for line in map(str.split, FORBIDDEN.split(",")):
        assert client.error(*line), line
        assert client.call("MULTI") == b"OK"
        client.call(*line)
        ended = client.call("EXEC")
        (answer,) = ended if isinstance(ended, list) else [ended]
        assert isinstance(answer, hiredis.ReplyError), line
    assert queues(server) == []


@pytest.mark.usefixtures("honest")
def test_an_unknown_command_is_repeated_in_128_bytes_at_most(server: LocalServer) -> None:
    """However long it is, and however many its arguments are."""
    client = server.client()
    long = "x" * 100_000
    for request_ in ((long,), ("NOSUCH", long), ("NOSUCH", *"abcdefgh" * 1000), ("CLIENT", long)):
        error = client.error(*request_)
        assert len(error) < 128 + 80, len(error)


@pytest.mark.usefixtures("honest")
def test_no_pattern_takes_long(server: LocalServer) -> None:
    """The longest name there is, and stars enough to make a simple matcher try for ever."""
    client = server.client()
    client.push("a" * 512, "x")
    for pattern in ("*a" * 250 + "b", "a*" * 250 + "b", "[" * 4000, "?*" * 2000):
        for request_ in (("KEYS",), ("SCAN", 0, "MATCH"), ("CONFIG", "GET")):
            assert not isinstance(client.call(*request_, pattern), hiredis.ReplyError)
