"""The core in another server: the asyncio example, as a process, under redis-py's asyncio client.

Waits are bounded by BLOCK, and what must have come before something else is made sure of by a
round trip: the example serves bytes in the order in which they reach its machine.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import hiredis
import pytest
import redis.asyncio
from redis.exceptions import ResponseError

from tests.integration.raw_client import RawClient, encode
from tests.integration.waiting import PATIENCE, until

EXAMPLE = Path(__file__).parents[2] / "examples" / "asyncio_server.py"
BLOCK = int(PATIENCE * 1_000)
"""Milliseconds that a worker waits for what is sure to come."""

Redis: TypeAlias = Any  # redis-py types what a client answers as either the reply or an awaitable
Entries: TypeAlias = list[tuple[str, dict[str, str]]]


class Example:
    """The example in a process of its own, on a free port."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(EXAMPLE), "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        host, _, port = self.process.stdout.readline().removeprefix("serves ").partition(":")
        self.address = (host, int(port))

    def client(self, protocol: int) -> Redis:
        """Return one of redis-py's clients. It gives up on a reply only after a long BLOCK."""
        host, port = self.address
        return redis.asyncio.Redis(
            host=host,
            port=port,
            protocol=protocol,
            decode_responses=True,
            socket_timeout=2 * PATIENCE,
        )

    def stop(self, number: signal.Signals) -> tuple[int, str]:
        """Send it the signal; return its exit code and what it said on stderr."""
        self.process.send_signal(number)
        _, complaints = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, complaints


@pytest.fixture(scope="module")
def example() -> Iterator[Example]:
    """Run the example; whatever the tests did to it, it ends in order and has not complained."""
    example = Example()
    yield example
    assert example.stop(signal.SIGTERM) == (0, "")


@pytest.fixture
def another() -> Iterator[Example]:
    """Run one more, which the test ends."""
    another = Example()
    yield another
    another.process.kill()


NUMBERS = itertools.count(1)


@pytest.fixture
def q() -> str:
    """Return the name of a queue that no other test has: they share the process."""
    return f"q{next(NUMBERS)}"


Scene: TypeAlias = Callable[[Redis], Awaitable[None]]


@pytest.fixture(params=[2, 3])
def play(example: Example, request: pytest.FixtureRequest) -> Callable[[Scene], None]:
    """Return what runs a coroutine function with a client of the example, in either protocol."""

    async def with_client(scene: Scene) -> None:
        async with example.client(request.param) as client:
            await scene(client)

    return lambda scene: asyncio.run(with_client(scene))


async def claim(client: Redis, queue: str, **options: Any) -> Entries:
    """XREADGROUP; return the entries, whatever shape the protocol gives the reply."""
    reply = await client.xreadgroup("g", "w", {queue: ">"}, **options)
    return entries(reply)


def entries(reply: Any) -> Entries:
    """Return all the entries of XREADGROUP's reply."""
    if isinstance(reply, dict):
        return [entry for batches in reply.values() for batch in batches for entry in batch]
    return [entry for _, batch in reply for entry in batch]


@asynccontextmanager
async def blocked_worker(client: Redis, q: str) -> AsyncIterator[asyncio.Task[Entries]]:
    """Have the client wait for a task of the queue; yield its claim once the server knows of it."""
    connection = await client.connection_pool.get_connection()
    group = ("GROUP", "g", "w")
    await connection.send_command("XREADGROUP", *group, "BLOCK", 0, "STREAMS", q, ">")
    await client.ping()  # on another connection: what was sent before it has been looked at

    async def answer() -> Entries:
        reply = await connection.read_response()
        pairs = reply.items() if isinstance(reply, dict) else reply
        return [
            (number, dict(zip(fields[::2], fields[1::2], strict=True)))
            for _, batch in pairs
            for number, fields in batch
        ]

    yield asyncio.create_task(answer())
    await client.connection_pool.release(connection)


Play: TypeAlias = Callable[[Scene], None]


def test_a_task_is_pushed_claimed_and_acked(play: Play, q: str) -> None:
    """It carries payload, headers and attempts; after the ack it is done and nobody's."""

    async def scene(client: Redis) -> None:
        number = await client.xadd(q, {"payload": "Hi", "to": "alice"})
        assert await client.xlen(q) == 1
        [(claimed, fields)] = await claim(client, q)
        assert claimed == number
        assert fields == {"payload": "Hi", "to": "alice", "attempts": "1", "max_attempts": "3"}
        assert await client.xack(q, "g", number) == 1
        assert await client.xack(q, "g", number) == 0
        books = await client.xinfo_stream(q)
        assert (books["length"], books["in-flight"], books["done"]) == (0, 0, 1)
        assert await claim(client, q) == []

    play(scene)


def test_a_blocked_claim_is_woken_by_a_push(play: Play, q: str) -> None:
    """A worker that waits for ever gets the task as it is pushed."""

    async def scene(client: Redis) -> None:
        async with blocked_worker(client, q) as answer:
            number = await client.xadd(q, {"payload": "x"})
            [(claimed, _)] = await asyncio.wait_for(answer, PATIENCE)
            assert claimed == number

    play(scene)


def test_a_blocked_claim_is_answered_with_null_in_time(play: Play, q: str) -> None:
    """BLOCK is a promise: nothing there, and the reply says so."""

    async def scene(client: Redis) -> None:
        assert await claim(client, q, block=1) == []

    play(scene)


def test_a_nack_brings_the_task_to_the_next_worker(play: Play, q: str) -> None:
    """XDEL and XNACK: tried again, on the next attempt, also by a worker that waits for it."""

    async def scene(client: Redis) -> None:
        number = await client.xadd(q, {"payload": "x"})
        await claim(client, q)
        async with blocked_worker(client, q) as answer:
            assert await client.xdel(q, number) == 1
            [(claimed, fields)] = await asyncio.wait_for(answer, PATIENCE)
        assert (claimed, fields["attempts"]) == (number, "2")
        nack = f"XNACK {q} g FAIL IDS 1 {number} DELAY 3600 ATTEMPT".split()
        assert await client.execute_command(*nack, 1) == 0
        assert await client.execute_command(*nack, 2) == 1
        assert await claim(client, q) == []
        assert await client.xlen(q) == 1

    play(scene)


def test_a_lapsed_lease_brings_the_task_to_the_next_worker(play: Play, q: str) -> None:
    """The timer wakes whoever waits, at the moment that the lease is over."""

    async def scene(client: Redis) -> None:
        await client.xadd(q, {"payload": "x", "visibility_timeout": "0.02"})
        assert len(await claim(client, q)) == 1
        [(_, fields)] = await claim(client, q, block=BLOCK)
        assert fields["attempts"] == "2"

    play(scene)


def test_a_delay_falling_due_wakes_a_worker(play: Play, q: str) -> None:
    """The timer follows a task that is due earlier than what it slept for."""

    async def scene(client: Redis) -> None:
        await client.xadd(q, {"payload": "late", "delay": 3600})
        await client.xadd(q, {"payload": "soon", "delay": "0.02"})
        [(_, fields)] = await claim(client, q, block=BLOCK)
        assert fields["payload"] == "soon"
        assert await client.xlen(q) == 1

    play(scene)


def test_a_task_without_attempts_left_is_a_dead_letter(play: Play, q: str) -> None:
    """It waits in q::dead, can be claimed there, and comes back there when that fails."""

    async def scene(client: Redis) -> None:
        number = await client.xadd(q, {"payload": "x", "max_attempts": 1})
        await claim(client, q)
        assert await client.xdel(q, number) == 1
        assert (await client.xlen(q), await client.xlen(f"{q}::dead")) == (0, 1)
        assert [entry[0] for entry in await claim(client, f"{q}::dead")] == [number]
        assert await client.xdel(f"{q}::dead", number) == 1
        assert await client.xlen(f"{q}::dead") == 1
        with pytest.raises(ResponseError, match=f"dead-letter queue of {q}"):
            await client.xadd(f"{q}::dead", {"payload": "x"})

    play(scene)


def test_a_worker_reads_its_own_tasks_again_and_new_ones_with_them(play: Play, q: str) -> None:
    """Ids ask for what it holds, `>` for new tasks; the count is over both."""

    async def scene(client: Redis) -> None:
        held, new = f"{q}-held", f"{q}-new"
        for queue in (held, new):
            for payload in "ab":
                await client.xadd(queue, {"payload": payload})
        await claim(client, held)
        reply = await client.xreadgroup("g", "w", {held: "0", new: ">"}, count=2)
        assert [fields["attempts"] for _, fields in entries(reply)] == ["1", "1"]
        assert (await client.xlen(held), await client.xlen(new)) == (1, 1)

    play(scene)


def test_commands_in_one_write_are_answered_in_order(play: Play, q: str) -> None:
    """A pipeline, with a wrong command and a claim that could wait in the middle of it."""

    async def scene(client: Redis) -> None:
        pipeline = client.pipeline(transaction=False)
        pipeline.xgroup_create(q, "g", mkstream=True)
        pipeline.xadd(q, {"payload": "x"})
        pipeline.execute_command("GET", q)
        pipeline.xreadgroup("g", "w", {q: ">"}, block=BLOCK)
        pipeline.xlen(q)
        created, _, unknown, claimed, length = await pipeline.execute(raise_on_error=False)
        assert (created, length) == (True, 0)
        assert "unknown command 'GET'" in str(unknown)
        assert len(entries(claimed)) == 1

    play(scene)


def test_what_is_wrong_is_an_error_and_the_connection_goes_on(play: Play, q: str) -> None:
    """A group for no queue, a queue that is not there, a malformed option, EZRA's own commands."""

    async def scene(client: Redis) -> None:
        for error, wrong in {
            "requires the key to exist": f"XGROUP CREATE {q} g $",
            "no such key": f"XINFO STREAM {q}",
            "invalid delay": f"XADD {q} * payload x delay soon",
        }.items():
            with pytest.raises(ResponseError, match=error):
                await client.execute_command(*wrong.split())
        assert await client.xlen(q) == 0

    play(scene)


def test_fifty_clients_at_once(example: Example, q: str) -> None:
    """Fifty workers wait, fifty tasks come: each worker gets exactly one, and it is done."""

    async def work(protocol: int) -> str:
        async with example.client(protocol) as client:
            [(number, _)] = await claim(client, q, block=BLOCK)
            assert await client.xack(q, "g", number) == 1
            return number

    async def push() -> str:
        async with example.client(3) as client:
            number: str = await client.xadd(q, {"payload": "x"})
            return number

    async def scene() -> None:
        workers = [asyncio.create_task(work(2 + number % 2)) for number in range(50)]
        pushed = await asyncio.gather(*(push() for _ in range(50)))
        assert sorted(await asyncio.gather(*workers)) == sorted(pushed)

    asyncio.run(scene())


@pytest.mark.parametrize("reset", [False, True])
def test_a_worker_that_hangs_up_while_blocked_takes_nothing(
    example: Example, q: str, reset: bool
) -> None:
    """Its ticket is gone with it: the task that comes later waits for the next, uncounted."""
    with RawClient(example.address) as healthy:
        with RawClient(example.address) as worker:
            worker.call("PING")
            worker.send_pop(q)
            healthy.call("PING")
            torn = struct.pack("ii", reset, 0)  # lingering for no time resets the connection
            worker.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, torn)
        healthy.call("PING")
        healthy.push(q, "x")
        assert healthy.call("XLEN", q) == 1
        task = healthy.pop(q)
        assert task is not None
        assert task["attempts"] == b"1"


def test_blocked_workers_are_served_in_the_order_they_came(example: Example, q: str) -> None:
    """First blocked, first served; also behind one that has gone."""
    workers = [RawClient(example.address) for _ in range(4)]
    for number, worker in enumerate(workers):
        worker.call("PING")
        worker.send_pop(q, worker=str(number))
        with RawClient(example.address) as other:
            other.call("PING")
    workers.pop(1).close()
    with RawClient(example.address) as producer:
        for payload, worker in enumerate(workers):
            producer.push(q, payload)
            task = worker.popped()
            assert task is not None
            assert task["payload"] == str(payload).encode()
            worker.close()


def test_what_cannot_be_delivered_is_released(example: Example, q: str) -> None:
    """A worker that vanishes with its reply half sent has not had the task: no attempt counts."""
    payload = b"x" * 12 * 1024 * 1024  # more than the kernel takes for a peer that does not read
    with RawClient(example.address) as healthy:
        healthy.push(q, payload)
        with RawClient(example.address) as worker:
            worker.send_pop(q, block=None)
            until(lambda: healthy.call("XLEN", q) == 0, "the claim")
        healthy.send_pop(q, block=BLOCK)
        task = healthy.popped()
        assert task is not None
        assert task["attempts"] == b"1"
        assert task["payload"] == payload


def test_what_a_blocked_client_sends_is_answered_when_its_turn_comes(
    example: Example, q: str
) -> None:
    """Commands behind a claim that waits are kept; the reader goes on where it stopped."""
    with RawClient(example.address) as worker, RawClient(example.address) as producer:
        worker.call("PING")
        worker.send_pop(q)
        producer.call("PING")
        worker.send("ECHO", "behind")
        producer.call("PING")
        producer.push(q, "x")
        assert worker.popped() is not None
        assert worker.reply() == b"behind"
        assert worker.call("PING") == b"PONG"


def test_a_blocked_client_cannot_make_the_server_hold_all_it_sends(
    example: Example, q: str
) -> None:
    """Past one largest request it is cut off, and what it waited for goes to another."""
    with RawClient(example.address) as healthy, RawClient(example.address) as flood:
        flood.send_pop(q)
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            flood.send_bytes(b" " * 64 * 1024 * 1024)
        healthy.push(q, "x")
        assert healthy.pop(q) is not None


@pytest.mark.parametrize(
    ("malformed", "error"),
    [
        (b"*abc\r\n", "invalid multibulk length"),
        (b"*1\r\n$abc\r\n", "invalid bulk length"),
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (b'"open\r\n', "unbalanced quotes"),
        (b"x" * 100_000, "too big inline request"),
        (b"*abc\r\n" + b"x" * 8 * 1024 * 1024, "invalid multibulk length"),
    ],
    ids=["array", "bulk", "type", "quotes", "line", "much more behind it"],
)
def test_what_is_not_resp_is_answered_and_the_connection_closed(
    example: Example, malformed: bytes, error: str
) -> None:
    """After the replies to all that came before; nobody else is disturbed."""
    with RawClient(example.address) as healthy, RawClient(example.address) as client:
        client.send_bytes(encode("PING") + malformed + encode("PING"))
        assert client.reply() == b"PONG"
        reply = client.reply()
        assert isinstance(reply, hiredis.ReplyError)
        assert error in str(reply)
        assert client.is_closed()
        assert healthy.call("PING") == b"PONG"


def test_an_oversized_payload_is_refused_and_the_connection_goes_on(
    example: Example, q: str
) -> None:
    """What is larger than the limit is thrown away as it comes."""
    with RawClient(example.address) as client:
        assert "too large" in client.error("XADD", q, "*", "payload", b"x" * (16 * 1024**2 + 1))
        assert client.call("XLEN", q) == 0


def test_the_end_of_a_clients_bytes_is_no_end_of_its_replies(example: Example) -> None:
    """`printf … | nc`: it sends no more, and reads all that it asked for; QUIT ends it, too."""
    with RawClient(example.address) as client:
        client.send_bytes(encode("PING") * 3)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.replies(3) == [b"PONG"] * 3
        assert client.is_closed()
    with RawClient(example.address) as client:
        assert client.call("QUIT") == b"OK"
        assert client.is_closed()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(another: Example, number: signal.Signals) -> None:
    """Whoever is connected, blocked or not: exit code 0, and not a word of complaint."""
    with RawClient(another.address) as idle, RawClient(another.address) as worker:
        worker.send_pop("q")
        idle.call("PING")
        assert another.stop(number) == (0, "")
        assert worker.is_closed()
        assert idle.is_closed()
