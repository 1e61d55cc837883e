"""A wall clock that jumps: on a living server nothing notices, and a start makes the best of it.

While a server runs, leases, delays, ttls and BLOCK are kept by the monotonic clock. At a start the
wall clock is read anew: ids go on where they were, whatever it says; what was in flight or waits
can be claimed; what was delayed comes at the moment that it was given, by the clock as it is now.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from ezra.sansio.model import SECOND, SEQUENCE_BITS
from tests.faults import workload
from tests.faults.clocks import DAY, HOUR, WallClock, rebooted, without_reboots, without_shim
from tests.faults.history import assert_legal
from tests.faults.recorder import ListNotes, Recorder, moment
from tests.faults.records import Deed, Delivery, Push, Restart, Rules
from tests.integration.server_process import ServerProcess
from tests.integration.waiting import until

LEASE = SECOND
DELAY = 700_000
"""Microseconds, a little less than a lease."""

A_MOMENT = 10_000
"""Microseconds between the sending of a command and the noting of when."""

SETTINGS = ("--visibility-timeout", "1", "--max-attempts", "100")

shifting = pytest.mark.skipif(without_shim() is not None, reason=str(without_shim()))
rebooting = pytest.mark.skipif(without_reboots() is not None, reason=str(without_reboots()))
jumps = pytest.mark.parametrize("jump", [-2 * HOUR, 10 * DAY], ids=["back 2 h", "on 10 d"])


class Bench:
    """A server that can be started anew, and a client that notes everything."""

    def __init__(self, directory: Path, variables: dict[str, str] | None = None) -> None:
        self._directory = directory
        self._variables = variables or {}
        self._clients: list[Recorder] = []
        self.notes = ListNotes()
        self.client = self.new_client("w")
        self.start()

    def new_client(self, name: str) -> Recorder:
        """Return one more client."""
        client = Recorder(lambda: self.server.address, self.notes, name, LEASE)
        self._clients.append(client)
        return client

    def start(self, under: list[str] | None = None) -> None:
        """Start the server, by another program if one is given."""
        self.server = ServerProcess(
            self._directory / "data", *SETTINGS, variables=self._variables, under=under or ()
        )

    def restart(self, under: list[str] | None = None) -> None:
        """Kill it and start it anew."""
        begun = moment()
        self.kill()
        self.start(under)
        self.notes.records.append(Restart(begun, moment()))

    def kill(self) -> None:
        """Kill it."""
        for client in self._clients:
            client.close()
        self.server.kill()

    def push(self, *, delay: int = 0, queue: str = "a") -> int:
        """Push a task and return its id."""
        self.client.push(queue, self.client.new_key(), delay=delay)
        push = self.notes.records[-1]
        assert isinstance(push, Push)
        assert push.id is not None
        return push.id

    def claim(self, *, block: int | None = None, client: Recorder | None = None) -> int | None:
        """Claim a task and return its id; `block` in milliseconds."""
        tasks = (client or self.client).claim("a", block=block)
        return tasks[0].id if tasks else None

    def check(self, *, drained: bool = True, steady: bool = True) -> None:
        """Judge what the clients have seen."""
        with self.server.client() as client:
            rest = workload.remnants(client)
        rules = Rules(max_attempts=100, aftermath=0, drained=drained, steady=steady)
        assert_legal(self.notes.records, rest, rules)


@pytest.fixture
def wall_clock(tmp_path: Path) -> WallClock:
    """Be right until moved."""
    return WallClock(tmp_path)


@pytest.fixture
def bench(tmp_path: Path, wall_clock: WallClock) -> Iterator[Bench]:
    """Serve under the wall clock that a test moves."""
    bench = Bench(tmp_path, wall_clock.variables)
    yield bench
    bench.kill()


@shifting
@jumps
def test_a_living_server_does_not_notice(bench: Bench, wall_clock: WallClock, jump: int) -> None:
    """Lease, delay, run_at, ttl and BLOCK, all pending as it jumps, end when they would have."""
    client, other = bench.client, bench.new_client("other")
    held = bench.push()
    assert bench.claim() == held
    later = bench.push(delay=DELAY)
    with bench.server.client() as raw, bench.server.client() as blocked:
        raw.push("planned", "p", "run_at", f"{wall_clock.now() + DELAY / SECOND:.6f}")
        raw.push("fleeting", "p", "ttl", f"{DELAY / SECOND}")
        blocked.send_pop("nothing", block=DELAY // 1_000)
        due = moment() + DELAY
        wall_clock.jump(jump)
        # Nothing is over yet. (That the delayed one is not early is for the checker to say.)
        assert bench.claim(client=other) is None
        assert raw.pop("planned") is None
        assert raw.call("XLEN", "fleeting") == 1
        client.act(Deed.EXTEND, "a", Delivery(held, "", 1))
        # Ids go on as if nothing had been.
        new = bench.push()
        assert 0 < (new - held) >> SEQUENCE_BITS < 60_000
        assert bench.claim(client=other) == new
        # Everything ends in its time.
        assert blocked.popped() is None
        assert moment() >= due - A_MOMENT
        assert bench.claim(block=10_000, client=other) == later
        assert bench.claim(block=10_000, client=other) == held
        assert raw.pop("planned") is not None
        until(lambda: raw.call("XLEN", "fleeting") == 0, "the ttl to be over")
    bench.check(drained=False)
    assert bench.server.stop() == 0
    shown = datetime.fromisoformat(bench.server.log[-1].split()[0]).timestamp()
    assert abs(shown - wall_clock.now()) < HOUR, "the server's wall clock has not moved"


@shifting
@jumps
def test_a_start_under_another_clock_goes_on(
    bench: Bench, wall_clock: WallClock, jump: int
) -> None:
    """Ids increase, what was in flight waits again, what waits can be claimed; and back again."""
    held, waiting, over = bench.push(), bench.push(), bench.push()
    assert [bench.claim(), bench.claim(), bench.claim()] == [held, waiting, over]
    bench.client.act(Deed.RELEASE, "a", Delivery(waiting, "", 1))
    bench.client.act(Deed.ACK, "a", Delivery(over, "", 1))
    for step in (jump, -jump):
        wall_clock.jump(step)
        bench.restart()
        new = bench.push()
        with bench.server.client() as client:
            assert workload.books(client)["available"] == 3
        assert [bench.claim(), bench.claim(), bench.claim()] == [held, waiting, new]
        bench.client.act(Deed.ACK, "a", Delivery(new, "", 1))
        delayed = bench.push(delay=DELAY)
        assert bench.claim() is None
        assert bench.claim(block=10_000) == delayed
        bench.client.act(Deed.ACK, "a", Delivery(delayed, "", 1))
    bench.check(drained=False)


@shifting
@jumps
def test_what_is_delayed_comes_by_the_clock_of_the_start(
    bench: Bench, wall_clock: WallClock, jump: int
) -> None:
    """Its moment stays what it was: with a clock set on it has come, with one set back it has not.

    As soon as the clock is right again it comes when it should have come.
    """
    delayed = bench.push(delay=HOUR * SECOND)
    wall_clock.jump(jump)
    bench.restart()
    assert bench.claim() == (delayed if jump > 0 else None)
    wall_clock.jump(HOUR - wall_clock.shift)
    bench.restart()
    assert bench.claim() == delayed
    bench.check(drained=False, steady=False)


@rebooting
def test_a_monotonic_clock_that_starts_anew_changes_nothing(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """As after a reboot: ids increase, what was in flight waits again, leases and delays hold."""
    bench = Bench(tmp_path)
    request.addfinalizer(bench.kill)
    held = bench.push()
    assert bench.claim() == held
    for uptime in (5, 100 * DAY):
        bench.restart(rebooted(uptime))
        delayed = bench.push(delay=DELAY)
        assert bench.claim() == held
        assert bench.claim(block=10_000) == delayed
        # Its lease lapses, in its time (says the checker).
        assert bench.claim(block=10_000) == held
        bench.client.act(Deed.RELEASE, "a", Delivery(held, "", 1))
        bench.client.act(Deed.ACK, "a", Delivery(delayed, "", 1))
    bench.check(drained=False)
