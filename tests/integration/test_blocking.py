"""Workers that wait: what wakes them, in which order, and what becomes of those that go away."""

from __future__ import annotations

import socket

import pytest

from ezra.sansio.model import SECOND
from tests.integration.local_server import LocalServer
from tests.integration.raw_client import RawClient, encode
from tests.integration.waiting import until
from tests.property.fake_clock import FakeClock

VISIBILITY_TIMEOUT = 30 * SECOND


def test_block_0_is_woken_by_a_push(server: LocalServer) -> None:
    """A worker that waits for ever gets the task that is pushed."""
    worker = server.client()
    worker.send_pop("q")
    server.until_blocked(1)
    pushed = server.client().push("q", "hello")
    task = worker.popped()
    assert task is not None
    assert (task.id, task["payload"]) == (pushed, b"hello")


def test_block_0_is_woken_by_a_nack(server: LocalServer) -> None:
    """A worker that waits for ever gets the task that another one gives back."""
    holder, worker = server.client(), server.client()
    pushed = holder.push("q", "hello")
    assert holder.pop("q") is not None
    worker.send_pop("q")
    server.until_blocked(1)
    assert holder.call("XDEL", "q", pushed) == 1
    task = worker.popped()
    assert task is not None
    assert (task.id, task["attempts"]) == (pushed, b"2")


def test_block_0_is_woken_by_a_lapsed_lease(timed_server: LocalServer, clock: FakeClock) -> None:
    """A worker that waits for ever gets the task that another one has kept too long."""
    holder, worker = timed_server.client(), timed_server.client()
    pushed = holder.push("q", "hello")
    assert holder.pop("q") is not None
    worker.send_pop("q")
    timed_server.until_blocked(1)
    clock.advance(VISIBILITY_TIMEOUT - 1)
    timed_server.engine.sweep()
    assert timed_server.blocked == 1
    clock.advance(1)
    task = worker.popped()
    assert task is not None
    assert (task.id, task["attempts"]) == (pushed, b"2")


def test_block_0_is_woken_by_a_delay_falling_due(
    timed_server: LocalServer, clock: FakeClock
) -> None:
    """A worker that waits for ever gets a delayed task at its time, and not before."""
    producer, worker = timed_server.client(), timed_server.client()
    pushed = producer.push("q", "hello", "delay", "60")
    worker.send_pop("q")
    timed_server.until_blocked(1)
    clock.advance(60 * SECOND - 1)
    timed_server.engine.sweep()
    assert timed_server.blocked == 1
    clock.advance(1)
    task = worker.popped()
    assert task is not None
    assert task.id == pushed


def test_block_0_on_the_dead_letter_queue_is_woken_by_a_death(server: LocalServer) -> None:
    """Who waits at `q::dead` gets the task whose last attempt fails."""
    worker, undertaker = server.client(), server.client()
    pushed = worker.push("q", "hello", "max_attempts", "1")
    undertaker.send_pop("q::dead")
    server.until_blocked(1)
    assert worker.pop("q") is not None
    assert worker.call("XNACK", "q", "g", pushed) == b"OK"
    task = undertaker.popped()
    assert task is not None
    assert (task.queue, task.id, task["attempts"]) == ("q::dead", pushed, b"1")


@pytest.mark.parametrize(("protocol", "null"), [(2, b"*-1\r\n"), (3, b"_\r\n")])
def test_block_ends_with_null_at_its_deadline(
    timed_server: LocalServer, clock: FakeClock, protocol: int, null: bytes
) -> None:
    """BLOCK n answers null when n milliseconds have gone by, and not before."""
    worker = timed_server.client(protocol=protocol)
    worker.send_pop("q", block=1500)
    timed_server.until_blocked(1)
    clock.advance(1500 * 1000 - 1)
    timed_server.engine.sweep()
    assert timed_server.blocked == 1
    clock.advance(1)
    assert worker.socket.recv(100) == null


def test_five_blocked_workers_are_served_in_the_order_they_came(server: LocalServer) -> None:
    """First blocked, first served, whatever the order of their connections."""
    workers = [server.client() for _ in range(5)]
    order = [3, 0, 4, 1, 2]
    for position, number in enumerate(order):
        workers[number].send_pop("q")
        server.until_blocked(position + 1)
    producer = server.client()
    pushed = [producer.push("q", n) for n in range(5)]
    received = [workers[number].popped() for number in order]
    assert [task and task.id for task in received] == pushed


def test_a_worker_waits_on_several_queues_in_strict_priority(server: LocalServer) -> None:
    """Two queues in one XREADGROUP: the first that has a task gives it, and either wakes."""
    worker, producer = server.client(), server.client()
    producer.push("low", 1)
    producer.push("high", 2)
    popped = [worker.pop("high", "low") for _ in range(2)]
    assert [task and task.queue for task in popped] == ["high", "low"]
    worker.send_pop("high", "low")
    server.until_blocked(1)
    producer.push("low", 3)
    task = worker.popped()
    assert task is not None
    assert (task.queue, task["payload"]) == ("low", b"3")


def test_a_blocked_worker_that_disconnects_takes_nothing_with_it(server: LocalServer) -> None:
    """Its waiter is gone within a second, and the next task goes to who is there."""
    gone, worker, producer = server.client(), server.client(), server.client()
    gone.send_pop("q")
    server.until_blocked(1)
    gone.close()
    until(lambda: server.blocked == 0, "the waiter to be gone")
    producer.push("q", "hello")
    task = worker.pop("q")
    assert task is not None
    assert task["attempts"] == b"1"


def test_a_waiter_is_gone_within_a_second(server: LocalServer) -> None:
    """Nobody has to push for EZRA to notice that a blocked client has hung up."""
    gone = server.client()
    gone.send_pop("q")
    server.until_blocked(1)
    started = server.clock.now()
    gone.close()
    until(lambda: server.blocked == 0, "the waiter to be gone")
    assert server.clock.now() - started < SECOND


def test_a_waiter_goes_although_its_client_sent_more(server: LocalServer) -> None:
    """Unread commands behind the blocking one do not hide that the client has hung up."""
    gone = server.client()
    gone.send_pop("q")
    server.until_blocked(1)
    gone.send("PING")
    gone.close()
    until(lambda: server.blocked == 0, "the waiter to be gone")


def test_a_waiter_goes_when_its_connection_is_reset(server: LocalServer) -> None:
    """A client that dies with a reset is gone as well as one that closes in order."""
    gone = server.client()
    gone.send_pop("q")
    server.until_blocked(1)
    gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    gone.close()
    until(lambda: server.blocked == 0, "the waiter to be gone")
    assert until_clients(server, 0)


def until_clients(server: LocalServer, number: int) -> bool:
    """Wait until the server serves so many clients."""
    until(lambda: server.server.clients == number, f"{number} clients")
    return True


def test_one_of_many_waiters_goes_and_the_others_keep_their_places(server: LocalServer) -> None:
    """Of three blocked workers the second hangs up: the first and the third are served."""
    workers = [server.client() for _ in range(3)]
    for position, worker in enumerate(workers):
        worker.send_pop("q")
        server.until_blocked(position + 1)
    workers[1].close()
    server.until_blocked(2)
    producer = server.client()
    pushed = [producer.push("q", n) for n in range(2)]
    received = [workers[0].popped(), workers[2].popped()]
    assert [task and task.id for task in received] == pushed


def test_a_connection_can_block_again_and_again(server: LocalServer) -> None:
    """Watching a connection leaves nothing behind that would disturb its next wait."""
    worker, producer = server.client(), server.client()
    for round_ in range(3):
        worker.send_pop("q")
        server.until_blocked(1)
        producer.push("q", round_)
        task = worker.popped()
        assert task is not None
        assert task["payload"] == b"%d" % round_
    worker.send_pop("q")
    server.until_blocked(1)
    worker.close()
    until(lambda: server.blocked == 0, "the waiter to be gone")


def test_replies_before_a_blocking_command_do_not_wait_with_it(server: LocalServer) -> None:
    """A pipeline of a push elsewhere and a claim that blocks: the push is answered at once."""
    worker = server.client()
    worker.send("XADD", "other", "*", "payload", "x")
    worker.send_pop("q")
    assert isinstance(worker.reply(), bytes)
    server.until_blocked(1)
    server.client().push("q", "hello")
    assert worker.popped() is not None


def test_a_pipeline_that_pushes_and_then_blocks_gets_its_own_task(server: LocalServer) -> None:
    """XADD and XREADGROUP BLOCK 0 in one segment: both are answered, nothing waits."""
    worker = server.client()
    worker.send_bytes(
        encode("XADD", "q", "*", "payload", "x")
        + encode("XREADGROUP", "GROUP", "g", "w", "BLOCK", 0, "STREAMS", "q", ">")
        + encode("PING")
    )
    pushed = worker.reply()
    task = worker.popped()
    assert task is not None
    assert task.id == pushed
    assert worker.reply() == b"PONG"


def test_what_follows_a_blocking_command_is_answered_after_it(server: LocalServer) -> None:
    """Replies keep the order of the commands, also behind one that waits."""
    worker = server.client()
    worker.send_pop("q")
    worker.send("PING")
    server.until_blocked(1)
    server.client().push("q", "hello")
    assert worker.popped() is not None
    assert worker.reply() == b"PONG"


def test_blocked_count_takes_all_that_one_commit_brings(server: LocalServer) -> None:
    """A worker blocked with COUNT 10 is given what is pushed together, up to its count."""
    worker: RawClient = server.client()
    worker.send("XREADGROUP", "GROUP", "g", "w", "COUNT", 10, "BLOCK", 0, "STREAMS", "q", ">")
    server.until_blocked(1)
    server.client().push("q", "hello")
    [[_, entries]] = worker.reply()
    assert len(entries) == 1


def test_a_wait_keeps_its_deadline_when_another_is_served(
    timed_server: LocalServer, clock: FakeClock
) -> None:
    """A task that another worker takes first does not begin anybody's BLOCK anew."""
    first, second = timed_server.client(), timed_server.client()
    first.send_pop("q")
    timed_server.until_blocked(1)
    second.send_pop("q", block=1500)
    timed_server.until_blocked(2)
    clock.advance(SECOND)
    timed_server.client().push("q", "hello")
    assert first.popped() is not None
    clock.advance(SECOND // 2 - 1)
    timed_server.engine.sweep()
    assert timed_server.blocked == 1
    clock.advance(1)
    assert second.popped() is None


def test_a_wait_with_claim_takes_idle_tasks_first(
    timed_server: LocalServer, clock: FakeClock
) -> None:
    """XREADGROUP CLAIM BLOCK takes over what lies idle at once, and only else waits."""
    holder, worker = timed_server.client(), timed_server.client()
    pushed = holder.push("q", "hello")
    assert holder.pop("q") is not None
    claim = ("XREADGROUP", "GROUP", "g", "other", "BLOCK", 0, "CLAIM", 100, "STREAMS", "q", ">")
    clock.advance(SECOND)
    worker.send(*claim)
    [[_, [[number, fields, idle, deliveries]]]] = worker.reply()
    assert (number, idle, deliveries) == (pushed, 1000, 1)
    assert b"hello" in fields
    worker.send(*claim)
    timed_server.until_blocked(1)
    fresh = holder.push("q", "new")
    [[_, [[number, _, idle, deliveries]]]] = worker.reply()
    assert (number, idle, deliveries) == (fresh, 0, 0)


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n"])
def test_a_browser_is_left_without_a_word(server: LocalServer, line: bytes) -> None:
    """As Redis does: the connection closes, and nobody is told what EZRA is."""
    client = server.client()
    client.send_bytes(line)
    assert client.is_closed()
