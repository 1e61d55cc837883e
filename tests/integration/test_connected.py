"""CLIENT and the commands about the server over a socket: who is connected, and what it tells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ezra.sansio.model import SECOND
from ezra.threaded import dispatcher
from ezra.threaded.clock import SystemClock
from ezra.threaded.settings import MEMORY, Settings
from tests.integration.local_server import LocalServer
from tests.integration.raw_client import RawClient, encode
from tests.integration.waiting import until
from tests.property.fake_clock import FakeClock


def listed(client: RawClient, *options: str | int) -> dict[int, dict[str, str]]:
    """Return what CLIENT LIST shows, by the clients' numbers."""
    text = client.call("CLIENT", "LIST", *options)
    lines = [line.split(" ") for line in str(text, "ascii").splitlines()]
    shown = [dict(pair.split("=", 1) for pair in line) for line in lines]
    return {int(line["id"]): line for line in shown}


def info(client: RawClient, section: str) -> dict[str, str]:
    """Return the fields of a section of INFO."""
    text: Any = client.call("INFO", section)
    lines = text.decode().split("\r\n") if isinstance(text, bytes) else text.split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


def number(client: RawClient) -> int:
    """Return the client's number."""
    return int(client.call("CLIENT", "ID"))


def test_everybody_is_listed(server: LocalServer) -> None:
    """With names, addresses, what they do just now, and nothing of those that have gone."""
    own, worker, gone = server.client(), server.client(protocol=3), server.client()
    ids = [number(own), number(worker), number(gone)]
    worker.call("CLIENT", "SETNAME", "worker-1")
    worker.call("CLIENT", "SETINFO", "LIB-NAME", "raw")
    worker.send_pop("q")
    server.until_blocked(1)
    gone.close()
    until(lambda: ids[2] not in listed(own), "one client less")
    shown = listed(own)
    assert list(shown) == ids[:2]
    host, port = worker.socket.getsockname()
    expected = {
        "name": "worker-1",
        "lib-name": "raw",
        "resp": "3",
        "flags": "b",
        "multi": "-1",
        "cmd": "xreadgroup",
        "addr": f"{host}:{port}",
        "user": "default",
        "laddr": f"{server.address[0]}:{server.address[1]}",
    }
    assert {name: shown[ids[1]][name] for name in expected} == expected
    assert (shown[ids[0]]["cmd"], shown[ids[0]]["flags"]) == ("client|list", "N")
    assert list(listed(own, "ID", ids[1])) == [ids[1]]
    assert str(own.call("CLIENT", "INFO"), "ascii").startswith(f"id={ids[0]} addr=")


def test_ages_are_counted_by_the_servers_clock(timed_server: LocalServer, clock: FakeClock) -> None:
    """Age since it connected, idle since it last sent something; a transaction is shown."""
    own, other = timed_server.client(), timed_server.client()
    other_id = number(other)
    clock.advance(60 * SECOND)
    other.call("MULTI")
    other.call("PING")
    clock.advance(5 * SECOND)
    line = listed(own)[other_id]
    assert (line["age"], line["idle"], line["multi"], line["flags"]) == ("65", "5", "1", "x")


@pytest.mark.parametrize("old_form", [True, False])
@pytest.mark.parametrize("blocked", [True, False])
def test_a_killed_client_is_cut_off(server: LocalServer, old_form: bool, blocked: bool) -> None:
    """Idle or blocked: its connection ends, its waiter goes, and nobody else is disturbed."""
    own, other = server.client(), server.client()
    target = number(other)
    if blocked:
        other.send_pop("q")
        server.until_blocked(1)
    if old_form:
        host, port = other.socket.getsockname()
        assert own.call("CLIENT", "KILL", f"{host}:{port}") == b"OK"
    else:
        assert own.call("CLIENT", "KILL", "ID", target) == 1
    assert other.is_closed()
    until(lambda: server.blocked == 0, "the waiter to be gone")
    until(lambda: list(listed(own)) == [number(own)], "the client to be gone")
    own.push("q", "x")
    task = own.pop("q")
    assert task is not None
    assert task["attempts"] == b"1"


def test_who_kills_himself_is_answered_first(server: LocalServer) -> None:
    """SKIPME no: the reply comes, then the end."""
    own, other = server.client(), server.client()
    number(other)
    assert own.call("CLIENT", "KILL", "TYPE", "normal") == 1
    assert other.is_closed()
    assert own.call("CLIENT", "KILL", "ID", number(own), "SKIPME", "no") == 1
    assert own.is_closed()


def test_a_blocked_client_is_unblocked(server: LocalServer) -> None:
    """With null or an error, as asked; it can go on, and its next wait is undisturbed."""
    own, worker = server.client(), server.client()
    target = number(worker)
    assert own.call("CLIENT", "UNBLOCK", target) == 0
    worker.send_pop("q")
    until(lambda: own.call("CLIENT", "UNBLOCK", target, "ERROR"), "the client to be blocked")
    assert str(worker.reply()) == "UNBLOCKED client unblocked via CLIENT UNBLOCK"
    worker.send_pop("q")
    until(lambda: own.call("CLIENT", "UNBLOCK", target), "the client to be blocked")
    assert worker.reply() is None
    worker.send_pop("q")
    server.until_blocked(1)
    own.push("q", "x")
    assert worker.popped() is not None
    assert own.call("CLIENT", "UNBLOCK", target) == 0
    assert own.call("CLIENT", "UNBLOCK", 999) == 0


def test_replies_can_be_silenced(server: LocalServer) -> None:
    """OFF and SKIP over a socket, in one pipeline; what is not heard happens all the same."""
    client = server.client()
    off, on = encode("CLIENT", "REPLY", "OFF"), encode("CLIENT", "REPLY", "ON")
    xadd = encode("XADD", "q", "*", "payload", "x")
    skip = encode("CLIENT", "REPLY", "SKIP")
    client.send_bytes(off + xadd + encode("NOSUCH") + on + skip + xadd + encode("XLEN", "q"))
    assert client.replies(2) == [b"OK", 2]


def test_reset_begins_anew(server: LocalServer) -> None:
    """RESP2, no name: as if just connected; replies before it keep the old protocol."""
    client = server.client(protocol=3)
    client.call("CLIENT", "SETNAME", "me")
    client.send_bytes(encode("CLIENT", "TRACKINGINFO") + encode("RESET"))
    assert client.replies(2) == [
        {b"flags": [b"off"], b"redirect": -1, b"prefixes": []},
        b"RESET",
    ]
    assert client.call("CLIENT", "GETNAME") is None
    assert client.call("HELLO")[5] == 2


@pytest.mark.parametrize("protocol", [2, 3])
def test_info_over_a_socket(server: LocalServer, protocol: int) -> None:
    """The figures are those of this server, at this moment."""
    client, worker = server.client(protocol=protocol), server.client()
    client.push("q", "x")
    worker.send_pop("r")
    server.until_blocked(1)
    assert info(client, "clients")["connected_clients"] == "2"
    until(lambda: info(client, "clients")["blocked_clients"] == "1", "one to be blocked")
    assert int(info(client, "memory")["used_memory"]) > 1024**2
    assert info(client, "server")["tcp_port"] == str(server.address[1])
    assert info(client, "keyspace")["db0"] == "keys=1,expires=0,avg_ttl=0"
    own = info(client, "ezra")
    assert (own["queues"], own["tasks_ready"]) == ("1", "1")
    in_memory = server.settings.data_dir == MEMORY
    assert own["engine"] == ("memory" if in_memory else "sqlite")
    assert (int(own["database_bytes"]) > 0) == (not in_memory)
    assert client.call("WAITAOF", 1, 0, 0) == [0 if in_memory else 1, 0]


def test_counters(settings: Settings) -> None:
    """Connections, commands, errors and refusals are counted, and counted anew when asked."""
    with LocalServer(replace(settings, max_clients=2), SystemClock()) as server:
        client = server.client()
        gone = server.client()
        gone.call("NOSUCH")
        refused = server.client()
        assert "max number of clients" in str(refused.reply())
        gone.close()
        until(lambda: info(client, "clients")["connected_clients"] == "1", "one less")
        before = info(client, "stats")
        assert (before["total_connections_received"], before["total_error_replies"]) == ("2", "1")
        assert before["rejected_connections"] == "1"
        after = info(client, "stats")
        counted = [int(each["total_commands_processed"]) for each in (before, after)]
        assert counted[1] == counted[0] + 1
        assert client.call("CONFIG", "RESETSTAT") == b"OK"
        anew = info(client, "stats")
        assert (anew["total_connections_received"], anew["total_commands_processed"]) == ("0", "1")


def test_config_over_a_socket(server: LocalServer) -> None:
    """What redis-benchmark asks first."""
    client = server.client()
    in_memory = server.settings.data_dir == MEMORY
    assert client.call("CONFIG", "GET", "save") == [b"save", b""]
    found = client.call("CONFIG", "GET", "appendonly")
    assert found == [b"appendonly", b"no" if in_memory else b"yes"]


def test_a_long_trim_goes_piece_by_piece(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small the pieces, all of what was asked goes, and no more."""
    monkeypatch.setattr(dispatcher, "PIECE", 3)
    client = server.client()
    for payload in range(20):
        client.push("q", payload)
    done = [client.pop("q") for _ in range(17)]
    assert client.call("XACK", "q", "g", *[task.id for task in done if task]) == 17
    assert client.call("XTRIM", "q", "MAXLEN", "~", 0, "LIMIT", 4) == 4
    assert client.call("XTRIM", "q", "MAXLEN", 7) == 6
    assert client.call("XTRIM", "q", "MAXLEN", 0) == 7
    assert client.call("XLEN", "q") == 3


def test_a_queue_goes_only_when_all_is_done(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DEL refuses a queue with unfinished tasks, and then removes what is done piece by piece."""
    monkeypatch.setattr(dispatcher, "PIECE", 3)
    client = server.client()
    for payload in range(10):
        client.push("q", payload)
    done = [client.pop("q") for _ in range(9)]
    client.call("XACK", "q", "g", *[task.id for task in done if task])
    assert "still has unfinished tasks: 1 waiting" in client.error("DEL", "q")
    books = server.engine.info("q")
    assert books is not None
    assert books.done == 9
    client.send_pop("q", block=None)
    last = client.popped()
    assert last is not None
    assert "1 in flight" in client.error("DEL", "other", "q")
    client.call("XACK", "q", "g", last.id)
    assert client.call("DEL", "q", "nosuch") == 1
    assert client.call("EXISTS", "q") == 0
