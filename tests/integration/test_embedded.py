"""The embedded API: the same queues, in one's own process."""

from __future__ import annotations

import inspect
import math
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

import ezra
from ezra import Ezra, EzraError, Task
from ezra.sansio.commands import MAX_CLAIM
from ezra.sansio.errors import EngineClosed, EngineError, OutcomeUnknown
from ezra.sansio.model import SECOND
from ezra.sansio.resp.limits import MAX_BULK, MAX_REST
from ezra.threaded.clock import Clock
from ezra.threaded.engine import Engine
from ezra.threaded.service import open_engine
from ezra.threaded.settings import Settings
from ezra.version import VERSION
from tests.integration.raw_client import RawClient
from tests.integration.server_process import environment
from tests.integration.waiting import PATIENCE, until
from tests.property.fake_clock import FakeClock
from tests.property.sqlite_worlds import make_faulty


@pytest.fixture(params=["memory", "disk"])
def data_dir(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a place for the tasks of each kind."""
    return ":memory:" if request.param == "memory" else str(tmp_path / "data")


@pytest.fixture
def queue(data_dir: str) -> Iterator[Ezra]:
    """Open a queue with the system's clock."""
    with Ezra(data_dir) as queue:
        yield queue


@pytest.fixture
def timed(data_dir: str, clock: FakeClock) -> Iterator[Ezra]:
    """Open a queue with a clock that the test moves."""
    with Ezra(data_dir, clock=clock, visibility_timeout=30) as queue:
        yield queue


def popped(task: Task | None) -> Task:
    """Return the task, which must be there."""
    assert task is not None
    return task


def test_the_public_names_are_these() -> None:
    """`__all__` names all that is public, and every name in it is there."""
    assert all(getattr(ezra, name) for name in ezra.__all__)
    defined = {
        name
        for name, value in vars(ezra).items()
        if not (name.startswith("_") or inspect.ismodule(value))
    }
    assert defined - {"annotations", "TYPE_CHECKING"} == set(ezra.__all__) - {"__version__"}
    assert set(ezra._HOMES) | {"__version__"} == set(ezra.__all__)
    assert ezra.__version__ == VERSION
    with pytest.raises(AttributeError, match="Esra"):
        getattr(ezra, "Esra")  # noqa: B009 - mypy would not let a dot pass


def test_every_public_name_and_method_is_documented() -> None:
    """A docstring each; the methods a worker uses have an example."""
    for name in set(ezra.__all__) - {"__version__"}:
        assert inspect.getdoc(getattr(ezra, name))
    for name, method in inspect.getmembers(Ezra, inspect.isfunction):
        assert name.startswith("_") or inspect.getdoc(method), name
    for name in ("push", "push_many", "pop", "ack", "nack"):
        assert f"ezra.{name}(" in (inspect.getdoc(getattr(Ezra, name)) or "")


def test_the_pure_core_is_imported_alone() -> None:
    """`import ezra.sansio` brings no thread, socket or database with it."""
    script = "import sys, ezra.sansio; print(*sorted(m for m in sys.modules if m[:4] == 'ezra'))"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert shown.stdout.split() == [b"ezra", b"ezra.sansio", b"ezra.version"]


def test_push_pop_ack(queue: Ezra) -> None:
    """A task goes through with its payload and headers, and its ack counts once."""
    number = queue.push("q", b"hello", headers=[("lang", "en"), (b"raw", b"\xff")])
    task = popped(queue.pop("q", worker="me"))
    assert task == Task(
        number, "q", b"hello", ((b"lang", b"en"), (b"raw", b"\xff")), 1, 3, "me", claim=1
    )
    assert [queue.ack(task), queue.ack(task)] == [True, False]
    assert queue.pop("q") is None


def test_a_str_is_utf_8(queue: Ezra) -> None:
    """Payloads and headers may be text."""
    queue.push("q", "grüß", headers=[("a", "1"), ("a", "2")])
    task = popped(queue.pop("q"))
    assert task.payload == "grüß".encode()
    assert task.headers == ((b"a", b"1"), (b"a", b"2"))


def test_push_many_and_pop_many(queue: Ezra) -> None:
    """Many in one commit, out again in order and up to the count."""
    ids = queue.push_many("q", [b"1", "2", bytearray(b"3")], priority=1)
    assert [task.id for task in queue.pop_many("q", count=2)] == ids[:2]
    assert [task.payload for task in queue.pop_many("q", count=2)] == [b"3"]
    assert queue.pop_many("q", count=2) == []
    assert queue.push_many("q", []) == []


def test_ack_by_id(queue: Ezra) -> None:
    """An id and its queue are enough; another queue's name is not."""
    number = queue.push("q", b"x")
    queue.pop("q")
    assert not queue.ack(number, "other")
    assert queue.ack(number, "q")


def test_options(timed: Ezra, clock: FakeClock) -> None:
    """Seconds, with fractions; higher priority first; a ttl ends in nothing."""
    late = timed.push("q", b"late", delay=0.5)
    timed.push("q", b"gone", ttl=0.25)
    at = timed.push("q", b"at", run_at=clock.now() / SECOND + 0.5)
    low, high = timed.push("q", b"low", priority=-128), timed.push("q", b"high", priority=127)
    clock.advance(SECOND // 4)
    assert [task.id for task in timed.pop_many("q", count=9)] == [high, low]
    clock.advance(SECOND // 4)
    assert {task.id for task in timed.pop_many("q", count=9)} == {late, at}


def test_a_task_s_own_limits(timed: Ezra, clock: FakeClock) -> None:
    """Its max_attempts and visibility_timeout go before the queue's."""
    timed.push("q", b"x", max_attempts=1, visibility_timeout=2)
    assert popped(timed.pop("q")).max_attempts == 1
    clock.advance(2 * SECOND)
    assert timed.pop("q") is None
    dead = popped(timed.pop("q::dead"))
    assert dead.queue == "q::dead"
    assert timed.ack(dead)


def test_nack(timed: Ezra, clock: FakeClock) -> None:
    """Again after the delay, uncounted, or dead at once; only for who holds the task."""
    timed.push("q", b"x")
    first = popped(timed.pop("q"))
    assert timed.nack(first, delay=1.5, reason="busy")
    assert timed.pop("q") is None
    clock.advance(3 * SECOND // 2)
    second = popped(timed.pop("q"))
    assert second.attempts == 2
    assert not timed.nack(first)
    assert timed.nack(second, mode="SILENT")
    third = popped(timed.pop("q"))
    assert third.attempts == 2
    assert timed.nack(third, mode="FATAL")
    assert popped(timed.pop("q::dead")).id == first.id


def test_extend(timed: Ezra, clock: FakeClock) -> None:
    """The visibility timeout begins anew, until the task is somebody else's."""
    timed.push("q", b"x")
    task = popped(timed.pop("q", worker="slow"))
    clock.advance(20 * SECOND)
    assert timed.extend(task)
    clock.advance(20 * SECOND)
    assert timed.pop("q", worker="other") is None
    clock.advance(10 * SECOND)
    assert timed.pop("q", worker="other") is not None
    assert not timed.extend(task)


def test_a_thread_that_lost_its_task_to_another_extends_nothing(
    timed: Ezra, clock: FakeClock
) -> None:
    """Threads without a name of their own are different workers."""
    timed.push("q", b"x")
    task = popped(timed.pop("q"))
    clock.advance(30 * SECOND)
    thread, taken = in_thread(lambda: timed.pop("q"))
    thread.join()
    assert popped(taken[0]).id == task.id
    assert not timed.extend(task)
    assert timed.extend(taken[0])


def test_an_ack_counts_whoever_holds_the_task(timed: Ezra, clock: FakeClock) -> None:
    """It says that the work is done; who has it now need not do it again."""
    timed.push("q", b"x")
    task = popped(timed.pop("q", worker="slow"))
    clock.advance(30 * SECOND)
    other = popped(timed.pop("q", worker="other"))
    assert timed.ack(task)
    assert not timed.ack(other)


def test_a_claim_has_the_wire_s_bound(queue: Ezra) -> None:
    """More than so many tasks are not taken at once."""
    queue.push_many("q", [b""] * (MAX_CLAIM + 1))
    assert len(queue.pop_many("q", count=2**31)) == MAX_CLAIM


@pytest.mark.parametrize("worker", ["one", None])
def test_who_was_too_slow_takes_nothing_from_the_next_one(
    timed: Ezra, clock: FakeClock, worker: str | None
) -> None:
    """Not even of a dead-letter queue, where both are on the same attempt; nor by its own name."""
    timed.push("q", b"x")
    timed.nack(popped(timed.pop("q")), mode="FATAL")
    slow = popped(timed.pop("q::dead", worker=worker))
    clock.advance(30 * SECOND)
    holder = popped(timed.pop("q::dead", worker=worker and "another"))
    assert slow.attempts == holder.attempts
    assert not timed.extend(slow)
    assert not timed.nack(slow)
    assert timed.extend(holder)
    assert timed.nack(holder)


def test_the_books(queue: Ezra) -> None:
    """queue_info and queues show what is where."""
    assert queue.queue_info("q") is None
    queue.push_many("q", [b"1", b"2"])
    queue.push("r", b"x", delay=60)
    queue.pop("q")
    info = queue.queue_info("q")
    assert info is not None
    assert (info.ready, info.in_flight, info.pushed) == (1, 1, 2)
    assert [(info.name, info.scheduled) for info in queue.queues()] == [("q", 0), ("r", 1)]


def in_thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Start the call in a thread; return the thread and where its result will be."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    return thread, results


def raised(call: Callable[[], object]) -> EzraError:
    """Return the error that the call must raise."""
    with pytest.raises(EzraError) as caught:
        call()
    return caught.value


def blocked(queue: Ezra) -> int:
    """Return how many wait for a task."""
    engine: Any = queue._lifetime._engine
    return len(engine._parked if hasattr(engine, "_parked") else engine._committer._parked)


def test_block_waits(queue: Ezra) -> None:
    """Until a task comes, for ever if need be."""
    for block in (60, math.inf):
        thread, results = in_thread(partial(queue.pop, "q", block=block))
        until(lambda: blocked(queue) == 1, "the pop to wait")
        number = queue.push("q", b"x")
        thread.join()
        assert [task.id for task in results] == [number]


@pytest.mark.parametrize("block", [None, 0, 0.0])
def test_without_block_nothing_waits(queue: Ezra, block: float | None) -> None:
    """None and 0 answer at once."""
    assert queue.pop("q", block=block) is None


def test_block_ends(timed: Ezra, clock: FakeClock) -> None:
    """After its seconds a pop without a task answers None."""
    thread, results = in_thread(lambda: timed.pop("q", block=1.5))
    until(lambda: blocked(timed) == 1, "the pop to wait")
    clock.advance(3 * SECOND // 2)
    thread.join()
    assert results == [None]


def test_close_ends_a_wait(data_dir: str) -> None:
    """Who waits is answered with None; later calls raise; closing again does nothing."""
    queue = Ezra(data_dir)
    thread, results = in_thread(lambda: queue.pop("q", block=math.inf))
    until(lambda: blocked(queue) == 1, "the pop to wait")
    queue.close()
    thread.join()
    assert results == [None]
    queue.close()
    for call in (lambda: queue.push("q", b"x"), lambda: queue.pop("q"), queue.queues):
        with pytest.raises(EngineClosed):
            call()


def test_ctrl_c_ends_a_wait_and_loses_nothing(queue: Ezra) -> None:
    """KeyboardInterrupt comes through, the waiter is gone, the next task is free."""

    def interrupt() -> None:
        until(lambda: blocked(queue) == 1, "the pop to wait")
        # To the thread that waits: Python would not wake it for one that another has taken.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread, _ = in_thread(interrupt)
    with pytest.raises(KeyboardInterrupt):
        queue.pop("q", block=math.inf)
    thread.join()
    assert blocked(queue) == 0
    queue.push("q", b"x")
    assert popped(queue.pop("q")).attempts == 1


def test_instances_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Two in memory, two on disk: each has its own tasks."""
    places: list[str | Path] = [":memory:", ":memory:", tmp_path / "a", tmp_path / "b"]
    queues = [Ezra(place) for place in places]
    for number, queue in enumerate(queues):
        queue.push("q", str(number))
    queues[0].close()
    for number, queue in enumerate(queues[1:], start=1):
        assert popped(queue.pop("q")).payload == str(number).encode()
        queue.close()


def test_a_directory_belongs_to_one_at_a_time(tmp_path: Path) -> None:
    """The second is told so; after a close the tasks are there, those in flight too."""
    with Ezra(tmp_path) as first:
        number = first.push("q", b"x")
        first.pop("q")
        with pytest.raises(EzraError, match="in use"):
            Ezra(tmp_path)
    with Ezra(tmp_path) as second:
        assert popped(second.pop("q")).id == number


def test_a_port_beside(data_dir: str) -> None:
    """What is pushed over the network is popped here, and the other way round."""
    with Ezra(data_dir, port=0) as queue:
        assert queue.address is not None
        host, port = queue.address
        with closing(redis.Redis(host, port)) as client:
            client.xadd("q", {"payload": "from outside"})
            assert popped(queue.pop("q")).payload == b"from outside"
            number = queue.push("q", b"from inside")
            reply: Any = client.xreadgroup("g", "w", {"q": ">"})
            assert number.encode() in str(reply).encode()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port))


def test_without_a_port_there_is_no_address(queue: Ezra) -> None:
    """Nothing listens."""
    assert queue.address is None


def test_a_taken_port_leaves_nothing_open(tmp_path: Path) -> None:
    """The error names the port, and the directory is free again."""
    with Ezra(":memory:", port=0) as first:
        assert first.address is not None
        with pytest.raises(EzraError, match=str(first.address[1])):
            Ezra(tmp_path, port=first.address[1])
    Ezra(tmp_path).close()


def fail_the_disk(queue: Ezra) -> None:
    """Have each COMMIT fail from now on, as it does when the disk returns an error."""
    error = sqlite3.OperationalError("injected")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    engine: Any = queue._lifetime._engine
    make_faulty(engine).fails = lambda text: error if text == "COMMIT" else None


@pytest.mark.parametrize("by_a_client", [True, False])
def test_a_failed_storage_ends_the_port(tmp_path: Path, *, by_a_client: bool) -> None:
    """Whoever noticed it: clients are told, and sent away; the owner hears of it once, then."""
    told: list[tuple[EzraError, tuple[str, int] | None]] = []
    heard = threading.Event()

    def on_failure(error: EzraError) -> None:
        told.append((error, ours.address))
        heard.set()

    ours = Ezra(tmp_path, port=0, on_failure=on_failure)
    address = ours.address
    assert address is not None
    with RawClient(address) as idle, RawClient(address) as worker, RawClient(address) as client:
        idle.call("PING")
        worker.send("XREADGROUP", "GROUP", "g", "w", "BLOCK", 0, "STREAMS", "q", ">")
        thread, own = in_thread(lambda: raised(lambda: ours.pop("q", block=math.inf)))
        until(lambda: blocked(ours) == 2, "the two to wait")
        fail_the_disk(ours)
        if by_a_client:
            assert client.error("XADD", "q", "*", "payload", "x").startswith("UNKNOWN ")
        else:
            assert isinstance(raised(lambda: ours.push("q", b"x")), OutcomeUnknown)
        assert str(worker.reply()).startswith("UNKNOWN ")
        assert idle.is_closed()
        assert worker.is_closed()
        thread.join()
        assert isinstance(own[0], OutcomeUnknown)
        assert heard.wait(PATIENCE)
    [(error, address_then)] = told
    assert isinstance(error, OutcomeUnknown)
    assert address_then is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    ours.close()
    assert len(told) == 1


def test_after_a_failed_storage_each_call_says_so(tmp_path: Path) -> None:
    """And that nothing was done; the owner may close from where he is told, and another opens."""
    closed = threading.Event()

    def on_failure(_: EzraError) -> None:
        ours.close()
        closed.set()

    ours = Ezra(tmp_path, on_failure=on_failure)
    number = ours.push("q", b"x")
    task = popped(ours.pop("q"))
    fail_the_disk(ours)
    with pytest.raises(OutcomeUnknown):
        ours.push("q", b"y")
    assert closed.wait(PATIENCE)
    calls: list[Callable[[], object]] = [
        lambda: ours.push("q", b"z"),
        lambda: ours.pop("q", block=1),
        lambda: ours.ack(task),
        lambda: ours.nack(task),
        lambda: ours.extend(task),
        lambda: ours.queue_info("q"),
        ours.queues,
    ]
    for call in calls:
        with pytest.raises(EngineClosed, match="storage has failed: nothing was done"):
            call()
    ours.close()
    with Ezra(tmp_path) as another:
        assert popped(another.pop("q")).id == number


def test_a_failed_storage_ends_the_port_of_who_did_not_ask(tmp_path: Path) -> None:
    """Without `on_failure` the clients are sent away all the same."""
    with Ezra(tmp_path, port=0) as queue:
        assert queue.address is not None
        with RawClient(queue.address) as idle:
            idle.call("PING")
            fail_the_disk(queue)
            with pytest.raises(OutcomeUnknown):
                queue.push("q", b"x")
            assert idle.is_closed()
        until(lambda: queue.address is None, "the port to end")


def test_a_storage_that_fails_at_once_ends_the_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The timer may have found out before there is a port to be ended."""

    def failing(settings: Settings, clock: Clock, failed: Callable[[EngineError], None]) -> Engine:
        failed(OutcomeUnknown("the disk has gone"))
        return open_engine(settings, clock)

    monkeypatch.setattr("ezra.embedded_lifetime.open_engine", failing)
    told: list[EzraError] = []
    with Ezra(tmp_path, port=0, on_failure=told.append) as queue:
        until(lambda: told, "the owner to be told")
        assert queue.address is None
    assert str(told[0]) == "the disk has gone"


def test_who_closes_is_told_of_no_failure(data_dir: str) -> None:
    """`on_failure` is for a storage that fails, and the thread that would call it ends."""
    told: list[EzraError] = []
    before = threading.enumerate()
    with Ezra(data_dir, port=0, on_failure=told.append) as queue:
        started = set(threading.enumerate()) - set(before)
        queue.push("q", b"x")
    for thread in started:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert told == []


WRONG: list[tuple[Callable[[Any], object], type[Exception], str]] = [
    (lambda q: q.push("", b"x"), ValueError, "queue"),
    (lambda q: q.push("q::dead", b"x"), ValueError, "q::dead"),
    (lambda q: q.push("q" * 513, b"x"), ValueError, "queue"),
    (lambda q: q.push(5, b"x"), TypeError, "queue"),
    (lambda q: q.push("q", 5), TypeError, "payload"),
    (lambda q: q.push("q", None), TypeError, "payload"),
    (lambda q: q.push("q", bytes(16 * 1024 * 1024 + 1)), ValueError, "payload"),
    (lambda q: q.push("q", b"x", headers={"a": 5}), TypeError, "header"),
    (lambda q: q.push("q", b"x", headers={"a": bytes(MAX_BULK + 1)}), ValueError, "header b'a'"),
    (
        lambda q: q.push("q", b"x", headers=[("a", bytes(MAX_REST // 2))] * 3),
        ValueError,
        "headers .* together",
    ),
    (lambda q: q.push("q", b"x", headers={"ttl": "5"}), ValueError, "ttl"),
    (lambda q: q.push("q", b"x", headers={"payload": "5"}), ValueError, "payload"),
    (lambda q: q.push("q", b"x", headers={"ezra.ttl": "5"}), ValueError, r"ezra\.ttl"),
    (lambda q: q.push("q", b"x", ttl=0), ValueError, "ttl"),
    (lambda q: q.push("q", b"x", ttl=-1), ValueError, "ttl"),
    (lambda q: q.push("q", b"x", ttl=math.nan), ValueError, "ttl"),
    (lambda q: q.push("q", b"x", ttl="5"), TypeError, "ttl"),
    (lambda q: q.push("q", b"x", ttl=True), TypeError, "ttl"),
    (lambda q: q.push("q", b"x", delay=math.inf), ValueError, "delay"),
    (lambda q: q.push("q", b"x", delay=1, run_at=1), ValueError, "run_at"),
    (lambda q: q.push("q", b"x", priority=128), ValueError, "priority"),
    (lambda q: q.push("q", b"x", priority=1.5), ValueError, "priority"),
    (lambda q: q.push("q", b"x", max_attempts=0), ValueError, "max_attempts"),
    (lambda q: q.push("q", b"x", visibility_timeout=0), ValueError, "visibility_timeout"),
    (lambda q: q.push("q", b"x", speed=1), TypeError, "speed"),
    (lambda q: q.push_many("q", [b"x", 5]), TypeError, "payload"),
    (lambda q: q.push_many("q", "abc"), TypeError, "payloads must be .* not one str"),
    (lambda q: q.push_many("q", b"abc"), TypeError, "payloads must be .* not one bytes"),
    (lambda q: q.push_many("q", bytearray(3)), TypeError, "payloads"),
    (lambda q: q.push_many("q", memoryview(b"abc")), TypeError, "payloads"),
    (lambda q: q.pop(), TypeError, "queue"),
    (lambda q: q.pop(""), ValueError, "queue"),
    (lambda q: q.pop(*["q"] * 1001), ValueError, "at most 1000 queues"),
    (lambda q: q.pop("q", block=-1), ValueError, "block"),
    (lambda q: q.pop("q", block=math.nan), ValueError, "block"),
    (lambda q: q.pop("q", block="1"), TypeError, "block"),
    (lambda q: q.pop("q", worker=5), TypeError, "worker"),
    (lambda q: q.pop("q", worker="w" * 513), ValueError, "worker"),
    (lambda q: q.pop_many("q", count=0), ValueError, "count"),
    (lambda q: q.ack("1-1"), TypeError, "queue"),
    (lambda q: q.ack("one", "q"), ValueError, "ID"),
    (lambda q: q.nack("1-1"), TypeError, "task"),
    (lambda q: q.queue_info("q::dead"), ValueError, "q::dead"),
]


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_a_wrong_argument_is_named_and_nothing_happens(queue: Ezra, number: int) -> None:
    """ValueError or TypeError, before anything is done."""
    call, error, name = WRONG[number]
    with pytest.raises(error, match=name):
        call(queue)
    assert queue.queues() == []


@pytest.mark.parametrize("wrong", [{"delay": -1}, {"reason": 5}, {"mode": "MAYBE"}])
def test_a_wrong_nack_changes_nothing(queue: Ezra, wrong: dict[str, Any]) -> None:
    """The task stays with its worker."""
    queue.push("q", b"x")
    task = popped(queue.pop("q"))
    with pytest.raises((ValueError, TypeError)):
        queue.nack(task, **wrong)
    assert queue.ack(task)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"visibility_timeout": 0}, ValueError),
        ({"visibility_timeout": "30"}, TypeError),
        ({"max_attempts": 0}, ValueError),
        ({"max_attempts": 1.5}, ValueError),
        ({"retention_seconds": -1}, ValueError),
        ({"scheduler_ms": 0}, ValueError),
        ({"synchronous": "off"}, ValueError),
        ({"port": 65536}, ValueError),
        ({"port": "42"}, TypeError),
        ({"host": ""}, ValueError),
        ({"max_payload_bytes": 0}, ValueError),
        ({"max_clients": 0}, ValueError),
        ({"speed": 1}, TypeError),
    ],
)
def test_a_wrong_option_is_named(
    tmp_path: Path, options: dict[str, Any], error: type[Exception]
) -> None:
    """And no directory is made."""
    [name] = options
    with pytest.raises(error, match=name.removesuffix("_seconds").removesuffix("_ms")):
        Ezra(tmp_path / "data", **options)
    assert not (tmp_path / "data").exists()


def test_options_are_obeyed(clock: FakeClock) -> None:
    """visibility_timeout, max_attempts and retention_seconds mean what the flags mean."""
    with Ezra(
        ":memory:", clock=clock, visibility_timeout=2.5, max_attempts=1, retention_seconds=1
    ) as queue:
        queue.push_many("q", [b"1", b"2"])
        done, _ = queue.pop_many("q", count=2)
        assert queue.ack(done)
        clock.advance(5 * SECOND // 2)
        info = queue.queue_info("q")
        assert info is not None
        assert (info.done, info.dead) == (0, 1)


def test_serve(tmp_path: Path) -> None:
    """`ezra.serve` serves in the foreground until Ctrl-C and returns 0."""
    script = (
        "import logging, sys, ezra; logging.basicConfig(level='INFO');"
        "sys.exit(ezra.serve(sys.argv[1], port=0, max_attempts=7))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process, process.stderr as lines:
        line = next(line for line in lines if "serves" in line)
        port = int(line.split("127.0.0.1:")[1].split(",")[0])
        with closing(redis.Redis("127.0.0.1", port)) as client:
            client.xadd("q", {"payload": "x"})
            assert "max_attempts" in str(client.xreadgroup("g", "w", {"q": ">"}))
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_serve_outside_the_main_thread_says_what_to_use(tmp_path: Path) -> None:
    """Signals do not arrive there; the error comes before anything is opened."""
    errors: list[RuntimeError] = []

    def run() -> None:
        with pytest.raises(RuntimeError) as caught:
            ezra.serve(tmp_path / "data", port=0)
        errors.append(caught.value)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    [error] = errors
    assert "Ezra(..., port=...)" in str(error)
    assert not (tmp_path / "data").exists()
