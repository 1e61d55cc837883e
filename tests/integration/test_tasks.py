"""The life of a task as a client sees it: pushed, popped, acked, nacked, dead, removed."""

from __future__ import annotations

import dataclasses
import sqlite3
from pathlib import Path

import pytest

from ezra.sansio.model import SECOND, Defaults
from ezra.threaded.settings import Settings
from tests.integration.local_server import LocalServer
from tests.integration.raw_client import RawClient, encode
from tests.property.fake_clock import FakeClock


@pytest.fixture
def client(server: LocalServer) -> RawClient:
    """Return a connection."""
    return server.client()


def pop_many(client: RawClient, count: int, *queues: str) -> list[tuple[str, bytes]]:
    """Pop up to `count` tasks; return (queue, id) of each."""
    ids = [">"] * len(queues)
    reply = client.call("XREADGROUP", "GROUP", "g", "w", "COUNT", count, "STREAMS", *queues, *ids)
    return [(queue.decode(), entry[0]) for queue, entries in reply or [] for entry in entries]


def test_count_10_with_10_waiting_gives_10(client: RawClient) -> None:
    """COUNT is how many come in one reply when they are there."""
    pushed = [client.push("q", n) for n in range(11)]
    assert pop_many(client, 10, "q") == [("q", number) for number in pushed[:10]]


def test_count_counts_over_all_queues(client: RawClient) -> None:
    """COUNT 3 with two tasks in each of two queues gives both of the first, one of the second."""
    high = [client.push("high", n) for n in range(2)]
    low = [client.push("low", n) for n in range(2)]
    assert pop_many(client, 3, "high", "low") == [
        ("high", high[0]),
        ("high", high[1]),
        ("low", low[0]),
    ]


def test_the_pipeline_sees_its_own_writes(client: RawClient) -> None:
    """Commands that arrive together see each other's effects, in order."""
    client.send_bytes(
        encode("XLEN", "q")
        + encode("XADD", "q", "*", "payload", "1")
        + encode("XADD", "q", "*", "payload", "2")
        + encode("XLEN", "q")
        + encode("XREADGROUP", "GROUP", "g", "w", "STREAMS", "q", ">")
        + encode("XLEN", "q")
    )
    before, _, _, both, popped, one = client.replies(6)
    assert (before, both, one) == (0, 2, 1)
    assert popped[0][0] == b"q"


def test_xack_and_xdel_take_several_ids(client: RawClient) -> None:
    """One XACK acks many tasks, one XDEL nacks many; each answers how many, XDEL also the done."""
    ids = [client.push("q", n) for n in range(4)]
    pop_many(client, 4, "q")
    assert client.call("XACK", "q", "g", ids[0], ids[1], "5-5") == 2
    assert client.call("XDEL", "q", ids[2], ids[3], ids[0], "5-5") == 3
    assert client.call("XLEN", "q") == 2


def test_an_id_given_twice_counts_once(client: RawClient) -> None:
    """XACK with the same id twice makes one task done."""
    number = client.push("q", "x")
    pop_many(client, 1, "q")
    assert client.call("XACK", "q", "g", number, number) == 1


def test_an_ack_against_another_queue_answers_0(client: RawClient) -> None:
    """An id belongs to its queue: acked against another one it stays in flight."""
    number = client.push("q", "x")
    pop_many(client, 1, "q")
    client.push("other", "x")
    assert client.call("XACK", "other", "g", number) == 0
    assert client.call("XACK", "nowhere", "g", number) == 0
    assert client.call("XACK", "q", "g", number) == 1


def test_an_ack_is_answered_once(client: RawClient) -> None:
    """The second ack of a task answers 0."""
    number = client.push("q", "x")
    pop_many(client, 1, "q")
    assert [client.call("XACK", "q", "g", number) for _ in range(2)] == [1, 0]


def status_of(database: Path, number: bytes) -> str:
    """Look a task's status up in the file, beside the server."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        milliseconds, sequence = number.split(b"-")
        row = connection.execute(
            "SELECT status FROM tasks WHERE id = ?", (int(milliseconds) << 20 | int(sequence),)
        ).fetchone()
    connection.close()
    return str(row[0])


def test_a_task_handed_to_a_blocked_worker_is_in_flight_in_the_database(
    disk_server: LocalServer,
) -> None:
    """What a blocked worker is given is written before it is sent, and its ack answers 1."""
    worker, producer = disk_server.client(), disk_server.client()
    worker.send_pop("q")
    disk_server.until_blocked(1)
    number = producer.push("q", "x")
    assert worker.popped() is not None
    assert status_of(disk_server.database, number) == "in_flight"
    assert worker.call("XACK", "q", "g", number) == 1
    assert status_of(disk_server.database, number) == "done"


def test_headers_come_back_in_order(client: RawClient) -> None:
    """Fields beside payload and the options are headers: kept in order, attempts at the end."""
    client.call(
        "XADD", "q", "*", "zeta", "1", "payload", "body", "alpha", b"\x00\xff", "ttl", 60, "m", ""
    )
    task = client.pop("q")
    assert task is not None
    assert task.fields == [
        b"payload", b"body", b"zeta", b"1", b"alpha", b"\x00\xff", b"m", b"",
        b"attempts", b"1", b"max_attempts", b"3",
    ]  # fmt: skip


def test_an_entry_without_payload_comes_back_byte_for_byte(client: RawClient) -> None:
    """A framework's entry keeps every field, options' names and repetitions included."""
    fields: list[str | bytes] = [
        "data",
        b"\x80\x04\r\n",
        "ttl",
        "soon",
        "data",
        "again",
        "",
        "",
        "attempts",
        "x",
    ]
    client.call("XADD", "q", "*", *fields)
    task = client.pop("q")
    assert task is not None
    assert task.fields == [f.encode() if isinstance(f, str) else f for f in fields]


def test_reading_the_dead_letter_queue_never_loses_a_task(
    timed_server: LocalServer, clock: FakeClock
) -> None:
    """Popped from `q::dead` and then nacked or forgotten, a dead task is dead again."""
    client = timed_server.client()
    number = client.push("q", "x", "max_attempts", 1)
    pop_many(client, 1, "q")
    assert client.call("XDEL", "q", number) == 1
    for give_up in (
        lambda: client.call("XNACK", "q::dead", "g", number),
        lambda: client.call("XNACK", "q", "g", "SILENT", "IDS", 1, number),
        lambda: clock.advance(30 * SECOND),
    ):
        assert client.call("XLEN", "q::dead") == 1
        assert pop_many(client, 1, "q::dead") == [("q::dead", number)]
        assert client.call("XLEN", "q::dead") == 0
        give_up()
        timed_server.engine.sweep()
    assert client.call("XLEN", "q::dead") == 1
    assert pop_many(client, 1, "q::dead") == [("q::dead", number)]
    assert client.call("XACK", "q::dead", "g", number) == 1
    assert client.call("XLEN", "q::dead") == 0


def test_retention_removes_done_tasks_only(settings: Settings, clock: FakeClock) -> None:
    """After the retention the done task is gone; waiting, in-flight and dead ones are there."""
    lasting = Defaults(retention=60 * SECOND, visibility_timeout=10**6 * SECOND)
    with LocalServer(dataclasses.replace(settings, defaults=lasting), clock) as server:
        client = server.client()
        done, dead, held, waiting = (client.push("q", n, "max_attempts", 1) for n in range(4))
        assert [number for _, number in pop_many(client, 3, "q")] == [done, dead, held]
        client.call("XACK", "q", "g", done)
        client.call("XDEL", "q", dead)
        clock.advance(60 * SECOND - 1)
        server.engine.sweep()
        info = server.engine.info("q")
        assert info is not None
        assert (info.done, info.dead, info.in_flight, info.ready) == (1, 1, 1, 1)
        clock.advance(1)
        server.engine.sweep()
        info = server.engine.info("q")
        assert info is not None
        assert (info.done, info.dead, info.in_flight, info.ready) == (0, 1, 1, 1)
        assert pop_many(client, 1, "q") == [("q", waiting)]
        assert client.call("XACK", "q", "g", held) == 1


def test_a_worker_reads_its_own_tasks_again(client: RawClient) -> None:
    """XREADGROUP with an id gives this worker's tasks in flight, and counts no attempt."""
    number = client.push("q", "x")
    assert client.pop("q", worker="me") is not None
    for worker, expected in (("me", [number]), ("you", [])):
        reply = client.call("XREADGROUP", "GROUP", "g", worker, "STREAMS", "q", "0")
        assert [entry[0] for entry in reply[0][1]] == expected
    reply = client.call("XREADGROUP", "GROUP", "g", "me", "STREAMS", "q", "0")
    assert reply[0][1][0][1][-4:] == [b"attempts", b"1", b"max_attempts", b"3"]


def test_own_tasks_come_before_new_ones_and_count_with_them(client: RawClient) -> None:
    """With an id for one queue and `>` for another, COUNT holds for both together."""
    mine = client.push("mine", "x")
    assert client.pop("mine") is not None
    fresh = [client.push("new", n) for n in range(3)]
    reply = client.call(
        "XREADGROUP", "GROUP", "g", "w", "COUNT", 3, "BLOCK", 0, "STREAMS", "new", "mine", ">", "0"
    )
    found = {queue: [entry[0] for entry in entries] for queue, entries in reply}
    assert found == {b"mine": [mine], b"new": fresh[:2]}


def test_noack_is_done_at_once(client: RawClient) -> None:
    """A task read with NOACK needs no ack and is not handed out again."""
    number = client.push("q", "x")
    reply = client.call("XREADGROUP", "GROUP", "g", "w", "NOACK", "STREAMS", "q", ">")
    assert reply[0][1][0][0] == number
    assert client.call("XACK", "q", "g", number) == 0
    assert client.pop("q") is None


def test_a_nack_says_when_and_why(timed_server: LocalServer, clock: FakeClock) -> None:
    """XNACK … DELAY REASON ATTEMPT: the task comes back at that time, if that was the attempt."""
    client = timed_server.client()
    number = client.push("q", "x")
    assert client.pop("q") is not None
    nack = ("XNACK", "q", "g", "FAIL", "IDS", 1, number, "DELAY", "2.5", "REASON", "busy")
    assert client.call(*nack, "ATTEMPT", 2) == 0
    assert client.call(*nack, "ATTEMPT", 1) == 1
    clock.advance(2_499_999)
    assert client.pop("q") is None
    clock.advance(1)
    task = client.pop("q")
    assert task is not None
    assert task["attempts"] == b"2"


def test_a_queue_s_own_settings(timed_server: LocalServer, clock: FakeClock) -> None:
    """EZRA.QUEUE SET changes what it names and leaves the rest; GET and LIST show it."""
    client = timed_server.client()
    assert client.call("EZRA.QUEUE", "SET", "q", "max_attempts", 1, "retry_delay", 5) == b"OK"
    assert client.call("EZRA.QUEUE", "SET", "q", "max_attempts", 2) == b"OK"
    info = timed_server.engine.info("q")
    assert info is not None
    assert (info.settings.max_attempts, info.settings.retry_delay) == (2, 5 * SECOND)
    number = client.push("q", "x")
    assert client.pop("q") is not None
    assert client.call("XDEL", "q", number) == 1
    assert client.pop("q") is None
    clock.advance(5 * SECOND)
    task = client.pop("q")
    assert task is not None
    assert task["max_attempts"] == b"2"
    assert client.call("EZRA.QUEUE", "SET", "q", "retry_delay", "default") == b"OK"
    info = timed_server.engine.info("q")
    assert info is not None
    assert (info.settings.max_attempts, info.settings.retry_delay) == (2, None)
    assert b"q" in str(client.call("EZRA.QUEUE", "GET", "q")).encode()
    assert len(client.call("EZRA.QUEUE", "LIST")) == 1


def test_xgroup_create_and_xinfo(client: RawClient) -> None:
    """A group can be created again and again; XINFO STREAM knows the queue, or there is no key."""
    assert client.error("XINFO", "STREAM", "q") == "ERR no such key"
    assert client.error("XGROUP", "CREATE", "q", "g", "$").startswith("ERR The XGROUP subcommand")
    assert client.call("XGROUP", "CREATE", "q", "g", "$", "MKSTREAM") == b"OK"
    assert client.call("XGROUP", "CREATE", "q", "g", "0") == b"OK"
    client.push("q", "x")
    info = client.call("XINFO", "STREAM", "q")
    books = dict(zip(info[::2], info[1::2], strict=True))
    assert (books[b"length"], books[b"groups"]) == (1, 1)


def test_a_task_that_is_done_is_never_queued_again(server: LocalServer) -> None:
    """XACK and then XDEL, as frameworks finish a task, also in one transaction."""
    client = server.client()
    for transaction in (False, True):
        pushed = client.push("q", "x")
        assert client.pop("q") is not None
        if transaction:
            client.call("MULTI")
        replies = [client.call("XACK", "q", "g", pushed), client.call("XDEL", "q", pushed)]
        if transaction:
            replies = client.call("EXEC")
        assert replies == [1, 1]
        assert client.call("XLEN", "q") == 0
        assert client.pop("q") is None


def test_one_invalid_id_acks_none(server: LocalServer) -> None:
    """XACK of a good id and a malformed one is an error, and the good one is still in flight."""
    client = server.client()
    pushed = client.push("q", "x")
    assert client.pop("q") is not None
    assert "Invalid stream ID" in client.error("XACK", "q", "g", pushed, "nonsense")
    assert client.call("XACK", "q", "g", pushed) == 1
