"""Plain redis-py against a real server, in both versions of the protocol."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Literal

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.integration.local_server import LocalServer
from tests.integration.waiting import until


@pytest.fixture(params=[2, 3])
def protocol(request: pytest.FixtureRequest) -> Literal[2, 3]:
    """Try both versions of RESP."""
    return 3 if request.param == 3 else 2


@pytest.fixture
def client(server: LocalServer, protocol: Literal[2, 3]) -> Iterator[Any]:
    """Connect as the README does."""
    with connect(server, protocol) as client:
        yield client


def connect(server: LocalServer, protocol: int, **options: Any) -> Any:
    """Return a client; `socket_timeout=None` lets a worker block as long as it likes."""
    host, port = server.address
    options = {"socket_timeout": None, **options}
    return closing(redis.Redis(host, port, protocol=protocol, decode_responses=True, **options))


def tasks_in(reply: Any) -> list[tuple[str, dict[str, str]]]:
    """Return the tasks of an XREADGROUP reply, which redis-py shapes by protocol and version."""
    queues = reply.items() if isinstance(reply, dict) else reply
    found = []
    for _, entries in queues:
        nested = entries and isinstance(entries[0], list)
        found += entries[0] if nested else entries
    return [(number, dict(fields)) for number, fields in found]


def test_push_pop_ack(client: Any) -> None:
    """The README's producer and worker."""
    number = client.xadd("emails", {"payload": "hello", "lang": "en"})
    [(popped, fields)] = tasks_in(client.xreadgroup("workers", "w1", {"emails": ">"}, count=1))
    assert popped == number
    assert fields == {"payload": "hello", "lang": "en", "attempts": "1", "max_attempts": "3"}
    assert client.xack("emails", "workers", number) == 1
    assert client.xlen("emails") == 0


def test_nothing_there(client: Any) -> None:
    """An empty answer, at once and after a wait."""
    assert not client.xreadgroup("workers", "w1", {"emails": ">"})
    assert not client.xreadgroup("workers", "w1", {"emails": ">"}, block=10)


def test_a_blocked_worker_is_woken(server: LocalServer, client: Any) -> None:
    """`block=0` waits until a task is pushed."""
    got: list[Any] = []

    def work() -> None:
        got.extend(tasks_in(client.xreadgroup("workers", "w1", {"emails": ">"}, block=0)))

    worker = threading.Thread(target=work)
    worker.start()
    server.until_blocked(1)
    with connect(server, 2) as producer:
        number = producer.xadd("emails", {"payload": "hello"})
    worker.join()
    assert [found for found, _ in got] == [number]


def test_the_default_socket_timeout_needs_a_longer_one_or_a_shorter_block(
    server: LocalServer, protocol: Literal[2, 3]
) -> None:
    """redis-py 8 gives up reading after its socket_timeout: no task is lost with its connection.

    Here 0.2 s stand for its default of 5 s, and no retries for its ten.
    """
    options = {"socket_timeout": 0.2, "retry": Retry(NoBackoff(), 0)}
    with connect(server, protocol, **options) as impatient:
        with pytest.raises(redis.TimeoutError):
            impatient.xreadgroup("workers", "w1", {"emails": ">"}, block=60_000)
        server.until_blocked(0)
        number = impatient.xadd("emails", {"payload": "hello"})
        [(found, fields)] = tasks_in(impatient.xreadgroup("workers", "w1", {"emails": ">"}))
        assert (found, fields["attempts"]) == (number, "1")
        assert not impatient.xreadgroup("workers", "w1", {"emails": ">"}, block=50)


def test_a_client_that_retries_its_block_gets_one_task_once(
    server: LocalServer, protocol: Literal[2, 3]
) -> None:
    """Each time-out closes, connects and asks again: only the last waiter is there to be served."""
    got: list[Any] = []
    options = {"socket_timeout": 0.1, "retry": Retry(NoBackoff(), 1000)}

    def work() -> None:
        with connect(server, protocol, **options) as impatient:
            got.extend(tasks_in(impatient.xreadgroup("workers", "w1", {"emails": ">"}, block=0)))

    worker = threading.Thread(target=work)
    worker.start()
    server.until_blocked(1)
    [first] = server.server._clients.sessions()
    until(lambda: first not in server.server._clients.sessions(), "the worker's next connection")
    with connect(server, 2) as producer:
        producer.xadd("emails", {"payload": "hello"})
    worker.join()
    assert [fields["payload"] for _, fields in got] == ["hello"]
    info = server.engine.info("emails")
    assert info is not None
    assert (info.ready, info.in_flight) == (0, 1)


def test_pipelines(client: Any) -> None:
    """Pushes in a pipeline come back in their order."""
    with client.pipeline(transaction=False) as pipeline:
        for number in range(100):
            pipeline.xadd("emails", {"payload": str(number)})
        ids = pipeline.execute()
    popped = tasks_in(client.xreadgroup("workers", "w1", {"emails": ">"}, count=100))
    assert [number for number, _ in popped] == ids
    assert client.xack("emails", "workers", *ids) == 100


def test_a_pipeline_is_a_transaction(client: Any) -> None:
    """redis-py's default wraps it in MULTI and EXEC: all of it is done, or nothing."""
    with client.pipeline() as pipeline:
        pipeline.xadd("emails", {"payload": "hello"})
        pipeline.xadd("letters", {"payload": "hello"})
        pipeline.xlen("emails")
        *_, length = pipeline.execute()
    assert length == 1
    with client.pipeline() as pipeline:
        pipeline.xadd("emails", {"payload": "again"})
        pipeline.xadd("letters", {"payload": "again"}, id="1-1")
        with pytest.raises(redis.exceptions.ExecAbortError, match="rolled back"):
            pipeline.execute()
    assert (client.xlen("emails"), client.xlen("letters")) == (1, 1)


def test_a_worker_that_starts_anew_reads_all_that_it_had(client: Any) -> None:
    """The history has no COUNT of 1 by default, as in Redis; a claim has."""
    ids = [client.xadd("emails", {"payload": "x"}) for _ in range(3)]
    client.xreadgroup("workers", "w1", {"emails": ">"}, count=3)
    own = tasks_in(client.xreadgroup("workers", "w1", {"emails": "0"}))
    assert [number for number, _ in own] == ids


def test_groups_streams_and_own_commands(client: Any) -> None:
    """xgroup_create, xinfo_stream and a generic call."""
    assert client.xgroup_create("emails", "workers", mkstream=True)
    client.xadd("emails", {"payload": "hello"})
    info = client.xinfo_stream("emails")
    assert (info["length"], info["groups"]) == (1, 1)
    assert client.execute_command("EZRA.QUEUE", "SET", "emails", "max_attempts", 7) == "OK"
    [(number, fields)] = tasks_in(client.xreadgroup("workers", "w1", {"emails": ">"}))
    assert fields["max_attempts"] == "3"
    assert client.execute_command("XNACK", "emails", "workers", number) == "OK"
    assert client.xlen("emails") == 1


def test_the_connection_says_who_it_is(client: Any) -> None:
    """CLIENT SETNAME, GETNAME, ID; ECHO; an unknown command raises and harms nothing."""
    assert client.client_setname("producer")
    assert client.client_getname() == "producer"
    assert client.client_id() > 0
    assert client.echo("hello") == "hello"
    with pytest.raises(redis.ResponseError, match="unknown command 'GET'"):
        client.get("emails")
    assert client.ping()
