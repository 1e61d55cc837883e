"""EZRA beside a real Redis: where both mean the same, they answer the same, in both protocols.

Both are sent the same words, with ids that the producer chooses, so that whole replies can be
compared. Where they mean something else the history says so: a finished task leaves EZRA's queue by
its XACK, and Redis' stream by an XDEL behind it; a length counts waiting tasks here, and entries
there; a renewed lease counts no delivery here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ezra.sansio.resp.values import Map, SimpleString, Value
from tests.integration.side_by_side import Servers, side_by_side
from tests.integration.waiting import until

LONG = 3_600_000
"""Milliseconds that no test takes: nothing is idle for so long."""

_running: list[Servers] = []
"""The servers, where a state machine, which hypothesis makes by itself, finds them."""


@pytest.fixture(scope="module", autouse=True)
def servers() -> Iterator[None]:
    """Start both."""
    with side_by_side() as running:
        _running.append(running)
        yield
        _running.clear()


# -- Histories of one group ------------------------------------------------------------------------

QUEUES = ("one", "two")
WORKERS = ("ann", "bob")
FIELDS = st.lists(
    st.tuples(st.sampled_from([b"", b"a", b"body", b"\xff\x00"]), st.binary(max_size=4)),
    min_size=1,
    max_size=3,
)
COUNTS = st.integers(min_value=1, max_value=5)

Command = tuple[str | bytes | int, ...]


class OneGroup(RuleBasedStateMachine):
    """Producers and two workers of one group, on two queues."""

    def __init__(self) -> None:
        super().__init__()
        self.servers = _running[0]
        self.pair = self.servers.pair()
        number = next(self.servers.names)
        self.queues = tuple(f"{name}{number}" for name in QUEUES)
        self.ids: dict[str, list[str]] = {queue: [] for queue in self.queues}
        self.held: dict[str, dict[str, str]] = {queue: {} for queue in self.queues}
        """Of each queue, the tasks in flight and who holds them."""
        self.recounted: set[str] = set()
        """Tasks whose delivery Redis has counted again where EZRA has renewed a lease."""

    @initialize(protocol=st.sampled_from([2, 3]))
    def connect(self, protocol: Literal[2, 3]) -> None:
        """Begin as a worker does."""
        self.pair.call("HELLO", protocol)
        for queue in self.queues:
            self.pair.same("XGROUP", "CREATE", queue, "g", "0", "MKSTREAM")
            # Redis 7.0 knows a worker from its first task on, later versions from its first visit.
            for worker in (*WORKERS, "eve"):
                self.pair.same("XGROUP", "CREATECONSUMER", queue, "g", worker)

    def teardown(self) -> None:
        """Hang up."""
        self.pair.close()

    @rule(queue=st.sampled_from([0, 1]), fields=FIELDS, short=st.booleans(), extra=st.booleans())
    def push(self, queue: int, fields: list[tuple[bytes, bytes]], short: bool, extra: bool) -> None:
        """XADD with an id of one's own, in either form."""
        name = self.queues[queue]
        number = next(self.servers.numbers)
        words = [word for field in fields for word in field]
        options = ("NOMKSTREAM", "MAXLEN", "~", 1000) if extra else ()
        self.pair.same("XADD", name, *options, number if short else f"{number}-0", *words)
        self.ids[name].append(f"{number}-0")

    @rule(queue=st.sampled_from([0, 1]), worker=st.sampled_from(WORKERS), count=COUNTS)
    def claim(self, queue: int, worker: str, count: int) -> None:
        """XREADGROUP of what is new."""
        name = self.queues[queue]
        words = ("GROUP", "g", worker, "COUNT", count, "STREAMS", name, ">")
        reply = self.pair.same("XREADGROUP", *words)
        for number in entries_of(reply):
            self.held[name][number] = worker

    @rule(queue=st.sampled_from([0, 1]), worker=st.sampled_from(WORKERS), count=COUNTS)
    def claim_blocking(self, queue: int, worker: str, count: int) -> None:
        """BLOCK waits for nothing where there is something, and for its time where there is not."""
        name = self.queues[queue]
        words = ("GROUP", "g", worker, "BLOCK", 1, "COUNT", count, "STREAMS", name, ">")
        for number in entries_of(self.pair.same("XREADGROUP", *words)):
            self.held[name][number] = worker

    @rule(data=st.data(), worker=st.sampled_from(WORKERS), both=st.booleans())
    def read_again(self, data: st.DataObject, worker: str, both: bool) -> None:
        """XREADGROUP of what one holds oneself, of one queue or of both."""
        names = self.queues if both else self.queues[:1]
        after = [data.draw(st.sampled_from(["0", "0-0", *self.ids[name]])) for name in names]
        reply = self.pair.same("XREADGROUP", "GROUP", "g", worker, "STREAMS", *names, *after)
        self.recounted.update(entries_of(reply))

    @rule(data=st.data(), queue=st.sampled_from([0, 1]))
    def finish(self, data: st.DataObject, queue: int) -> None:
        """XACK of any ids there are; what it took out leaves the stream, too."""
        name = self.queues[queue]
        numbers = data.draw(self.some_ids(name))
        self.pair.same("XACK", name, "g", *numbers)
        for number in dict.fromkeys(numbers):
            if self.held[name].pop(number, None):
                self.pair.redis.call("XDEL", name, number)

    @rule(data=st.data(), queue=st.sampled_from([0, 1]))
    def finish_wrongly(self, data: st.DataObject, queue: int) -> None:
        """XACK with one id that is none: an error, and none of the others is acked."""
        numbers = data.draw(self.some_ids(self.queues[queue]))
        self.pair.fails("XACK", self.queues[queue], "g", *numbers, "none")

    @rule(queue=st.sampled_from([0, 1]))
    def pending(self, queue: int) -> None:
        """XPENDING, the summary."""
        self.pair.same("XPENDING", self.queues[queue], "g")

    @rule(
        queue=st.sampled_from([0, 1]),
        worker=st.sampled_from(["", *WORKERS, "nobody"]),
        idle=st.sampled_from([None, 0, LONG]),
        count=st.integers(min_value=-1, max_value=6),
        data=st.data(),
    )
    def pending_tasks(
        self, queue: int, worker: str, idle: int | None, count: int, data: st.DataObject
    ) -> None:
        """XPENDING, task by task; how long each has been idle is nobody's reference."""
        name = self.queues[queue]
        first, last = data.draw(self.bounds(name))
        options = () if idle is None else ("IDLE", idle)
        who = (worker,) if worker else ()
        ours, theirs = self.pair.call("XPENDING", name, "g", *options, first, last, count, *who)
        assert self.comparable(ours) == self.comparable(theirs)

    @rule(data=st.data(), queue=st.sampled_from([0, 1]), just_ids=st.booleans())
    def renew(self, data: st.DataObject, queue: int, just_ids: bool) -> None:
        """XCLAIM by the holder, the heartbeat."""
        name = self.queues[queue]
        held = self.held[name]
        if not held:
            return
        worker = data.draw(st.sampled_from(sorted(set(held.values()))))
        own = [number for number, holder in held.items() if holder == worker]
        numbers = data.draw(
            st.lists(st.sampled_from([*own, "99999999-0"]), min_size=1, unique=True)
        )
        self.pair.same("XCLAIM", name, "g", worker, 0, *numbers, *["JUSTID"] * just_ids)
        if not just_ids:
            self.recounted.update(numbers)

    @rule(data=st.data(), queue=st.sampled_from([0, 1]), just_ids=st.booleans())
    def take_too_early(self, data: st.DataObject, queue: int, just_ids: bool) -> None:
        """XCLAIM and XAUTOCLAIM of what is not idle for so long: nothing."""
        name = self.queues[queue]
        others = [number for number, holder in self.held[name].items() if holder != "eve"]
        just = ["JUSTID"] * just_ids
        numbers = data.draw(st.lists(st.sampled_from([*others, "99999999-0"]), min_size=1))
        self.pair.same("XCLAIM", name, "g", "eve", LONG, *numbers, *just)
        self.pair.same("XAUTOCLAIM", name, "g", "eve", LONG, "0-0", *just)

    @rule(data=st.data(), queue=st.sampled_from([0, 1]), just_ids=st.booleans(), count=COUNTS)
    def take_own_again(self, data: st.DataObject, queue: int, just_ids: bool, count: int) -> None:
        """XAUTOCLAIM where all that is in flight is the worker's own."""
        name = self.queues[queue]
        holders = set(self.held[name].values())
        if len(holders) > 1:
            return
        worker = holders.pop() if holders else "ann"
        start = data.draw(st.sampled_from(["-", "0", "0-0", *self.ids[name]]))
        just = ["JUSTID"] * just_ids
        self.pair.same("XAUTOCLAIM", name, "g", worker, 0, start, "COUNT", count, *just)
        if not just_ids:
            self.recounted.update(self.held[name])

    @rule(data=st.data(), queue=st.sampled_from([0, 1]), just_ids=st.booleans())
    def take_over(self, data: st.DataObject, queue: int, just_ids: bool) -> None:
        """XCLAIM by anybody of what has lain idle for a moment."""
        name = self.queues[queue]
        if not self.held[name]:
            return
        self.until_idle(name)
        worker = data.draw(st.sampled_from(WORKERS))
        number = data.draw(st.sampled_from(sorted(self.held[name])))
        self.pair.same("XCLAIM", name, "g", worker, 1, number, *["JUSTID"] * just_ids)
        if just_ids or self.held[name][number] == worker:
            self.recounted.add(number)  # no delivery by JUSTID in Redis, nor by a renewal here
        self.held[name][number] = worker

    @rule(queue=st.sampled_from([0, 1]), worker=st.sampled_from(WORKERS), count=COUNTS)
    def take_all_over(self, queue: int, worker: str, count: int) -> None:
        """XAUTOCLAIM of what has lain idle for a moment, one's own included: a delivery more."""
        name = self.queues[queue]
        self.until_idle(name)
        reply = self.pair.same("XAUTOCLAIM", name, "g", worker, 1, "-", "COUNT", count)
        assert isinstance(reply, tuple)
        for number in ids_of(reply[1]):
            self.held[name][number] = worker

    @rule(data=st.data(), queue=st.sampled_from([0, 1]), backwards=st.booleans())
    def look(self, data: st.DataObject, queue: int, backwards: bool) -> None:
        """XRANGE and XREVRANGE."""
        name = self.queues[queue]
        first, last = data.draw(self.bounds(name))
        count = data.draw(st.sampled_from([(), ("COUNT", 0), ("COUNT", 2), ("COUNT", -1)]))
        if backwards:
            self.pair.same("XREVRANGE", name, last, first, *count)
        else:
            self.pair.same("XRANGE", name, first, last, *count)

    @rule(queue=st.sampled_from([0, 1]))
    def length(self, queue: int) -> None:
        """XLEN: EZRA counts what waits, Redis what has not been deleted."""
        ours, theirs = self.pair.call("XLEN", self.queues[queue])
        assert isinstance(ours, int)
        assert ours + len(self.held[self.queues[queue]]) == theirs

    @rule(queue=st.sampled_from([0, 1]))
    def books(self, queue: int) -> None:
        """XINFO STREAM: Redis' fields first, in its order; most have the same value."""
        ours, theirs = (
            named(reply) for reply in self.pair.call("XINFO", "STREAM", self.queues[queue])
        )
        assert list(ours)[: len(theirs)] == list(theirs)
        for same in (
            b"last-generated-id",
            b"entries-added",
            b"groups",
            b"first-entry",
            b"last-entry",
        ):
            assert ours[same] == theirs[same], same
        assert {type(ours[key]) for key in theirs} == {type(theirs[key]) for key in theirs}

    @rule(queue=st.sampled_from([0, 1]))
    def groups(self, queue: int) -> None:
        """XINFO GROUPS, but for what EZRA's one line of tasks makes of Redis' positions."""
        ours, theirs = self.pair.call("XINFO", "GROUPS", self.queues[queue])
        assert isinstance(ours, tuple)
        assert isinstance(theirs, tuple)
        assert [list(named(group)) for group in ours] == [list(named(group)) for group in theirs]
        for our, their in zip(map(named, ours), map(named, theirs), strict=True):
            for same in (b"name", b"consumers", b"pending", b"last-delivered-id"):
                assert our[same] == their[same], same

    @rule(queue=st.sampled_from([0, 1]))
    def workers(self, queue: int) -> None:
        """XINFO CONSUMERS: the same names and numbers."""
        ours, theirs = self.pair.call("XINFO", "CONSUMERS", self.queues[queue], "g")
        assert isinstance(ours, tuple)
        assert isinstance(theirs, tuple)
        for our, their in zip(map(named, ours), map(named, theirs), strict=True):
            assert list(our)[:3] == list(their)[:3]
            assert (our[b"name"], our[b"pending"]) == (their[b"name"], their[b"pending"])

    @rule(data=st.data(), wrong=st.sampled_from([None, ("XADD", "q"), ("NOSUCH", "a"), ("WATCH",)]))
    def transaction(self, data: st.DataObject, wrong: Command | None) -> None:
        """MULTI, commands of every kind, EXEC: the replies of each; a wrong one discards all."""
        name = data.draw(st.sampled_from(self.queues))
        number = next(self.servers.numbers)
        commands: list[Command] = data.draw(
            st.lists(
                st.sampled_from(
                    [
                        ("PING",),
                        ("ECHO", "x"),
                        ("XACK", name, "g", "99999999-0"),
                        ("XPENDING", name, "g"),
                        ("XRANGE", name, "-", "+"),
                        ("XREADGROUP", "GROUP", "g", "eve", "BLOCK", 9, "STREAMS", name, "0"),
                    ]
                ),
                max_size=4,
            )
        )
        self.pair.same("MULTI")
        self.pair.same("XADD", name, f"{number}-0", "a", "1")
        for command in commands:
            self.pair.same(*command)
        if wrong is not None:
            self.pair.fails(*wrong)
        self.pair.same("EXEC")
        if wrong is None:
            self.ids[name].append(f"{number}-0")

    @rule(name=st.sampled_from(QUEUES))
    def discarded(self, name: str) -> None:
        """DISCARD leaves everything as it was."""
        self.pair.same("MULTI")
        self.pair.same("XADD", name, f"{next(self.servers.numbers)}-0", "a", "1")
        self.pair.same("DISCARD")

    @precondition(lambda self: any(self.ids.values()))
    @rule(data=st.data(), queue=st.sampled_from([0, 1]))
    def push_too_small_an_id(self, data: st.DataObject, queue: int) -> None:
        """An id that is not above the last one of its queue."""
        name = self.queues[queue]
        if self.ids[name]:
            self.pair.fails("XADD", name, data.draw(st.sampled_from(self.ids[name])), "a", "1")

    @invariant()
    def still_there(self) -> None:
        """Nothing has gone out of step."""
        assert self.pair.same("PING") == SimpleString("PONG")

    def until_idle(self, name: str) -> None:
        """Return when every task in flight has been idle for some milliseconds on either side."""
        held = len(self.held[name])
        words = ("XPENDING", name, "g", "IDLE", 2, "-", "+", 1000)

        def idle() -> list[int]:
            return [len(rows_of(reply)) for reply in self.pair.call(*words)]

        until(lambda: idle() == [held, held], "idle tasks")

    def some_ids(self, name: str) -> st.SearchStrategy[list[str]]:
        """Draw ids, known ones and others, perhaps repeated."""
        return st.lists(
            st.sampled_from([*self.ids[name], "99999999", "0-0"]), min_size=1, max_size=4
        )

    def bounds(self, name: str) -> st.SearchStrategy[tuple[str, str]]:
        """Draw where a range begins and ends."""
        ids = self.ids[name]
        inside = [*ids, *(f"({number}" for number in ids), *(n.partition("-")[0] for n in ids)]
        return st.tuples(st.sampled_from(["-", "0", *inside]), st.sampled_from(["+", *inside]))

    def comparable(self, reply: Value) -> object:
        """Return XPENDING's rows without the idle time, and without counts that differ."""
        if not isinstance(reply, tuple):
            return reply
        rows = []
        for number, worker, idle, count in rows_of(reply):
            assert isinstance(number, bytes)
            assert isinstance(idle, int)
            rows.append((number, worker, None if number.decode() in self.recounted else count))
        return rows


def rows_of(reply: Value) -> list[tuple[Value, ...]]:
    """Return an array's items, which are arrays."""
    assert isinstance(reply, tuple), reply
    rows = [row for row in reply if isinstance(row, tuple)]
    assert len(rows) == len(reply)
    return rows


def ids_of(entries: Value) -> list[str]:
    """Return the ids of entries."""
    return [row[0].decode() for row in rows_of(entries) if isinstance(row[0], bytes)]


def entries_of(reply: Value) -> list[str]:
    """Return the ids in an XREADGROUP's reply, of either protocol; none in a null."""
    pairs = reply.pairs if isinstance(reply, Map) else reply
    if not isinstance(pairs, tuple):
        return []
    return [number for pair in rows_of(pairs) for number in ids_of(pair[1])]


def named(reply: Value) -> dict[bytes, Value]:
    """Return a map of RESP3, or the flat array that is one in RESP2, as a dict."""
    if isinstance(reply, tuple):
        reply = Map(tuple(zip(reply[::2], reply[1::2], strict=True)))
    assert isinstance(reply, Map), reply
    return {name: value for name, value in reply.pairs if isinstance(name, bytes)}


TestOneGroup = pytest.mark.unmeasured(OneGroup.TestCase)
TestOneGroup.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
