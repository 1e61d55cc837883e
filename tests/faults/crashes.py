"""kill -9 in a loop, and processes that stand still: nothing is lost, and no task is held twice.

Producers, workers that are threads, and workers that are processes put a server under load, while
it is killed and started anew on the same directory, several times a second; or it lives on and it
is the workers that are killed, and whoever it may be is stopped (SIGSTOP) for a while and then goes
on as if nothing had been. When the faults are over everything must come to its end, and the history
of all that the clients saw is judged.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ezra.sansio.model import SECOND
from tests.faults import workload
from tests.faults.hand import read_address
from tests.faults.history import assert_legal
from tests.faults.recorder import Address, ListNotes, Recorder, moment, read_notes
from tests.faults.records import Act, Deed, Record, Restart, Rules
from tests.faults.tally import Tally
from tests.integration.raw_client import RawClient
from tests.integration.server_process import ServerProcess, command, environment
from tests.integration.waiting import until

PRODUCERS = 3
WORKERS = 5
HANDS = 3
"""Workers that are processes."""

LEASE = SECOND // 2
"""Microseconds; short, so that what is walked away from comes again soon."""

MAX_ATTEMPTS = 6

KILLED_WITHIN = 300
"""Answered commands after which, at the latest, a server is killed."""

AFTERMATH = 10 * SECOND
"""Microseconds for which a stopped or busy server may take to get to a dead client's command."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where and how a server and its clients run."""

    arguments: Sequence[str] = ()
    """What the server is told beside `SETTINGS`."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """For the server's environment."""
    under: Sequence[str] = ()
    """The program that starts the server."""
    connect: Callable[[Address], RawClient] = RawClient
    """How a client that is a thread connects."""
    clients_under: Sequence[str] = ()
    """The program that starts a client that is a process."""


HERE = Surroundings()


class Hand:
    """A worker in a process of its own."""

    def __init__(
        self, directory: Path, place: Path, name: str, seed: int, under: Sequence[str]
    ) -> None:
        self._notes = directory / f"{name}.notes"
        self._process = subprocess.Popen(
            [
                *under,
                sys.executable,
                "-m",
                "tests.faults.hand",
                place,
                self._notes,
                name,
                str(seed),
                str(LEASE),
            ],
            stdin=subprocess.PIPE,
            env=environment(),
        )

    def kill(self) -> list[Record]:
        """Kill it; return what it noted."""
        self._process.kill()
        return self._end()

    def stop(self) -> list[Record]:
        """Have it finish; return what it noted."""
        return self._end()

    def stand_still(self, pause: Callable[[], None]) -> None:
        """Stop it for a while."""
        self._process.send_signal(signal.SIGSTOP)
        pause()
        self._process.send_signal(signal.SIGCONT)

    def _end(self) -> list[Record]:
        self._process.communicate(timeout=30)
        return read_notes(self._notes, moment()) if self._notes.exists() else []


class World:
    """A server, everybody who uses it, and what they note.

    Args:
        directory: for the server's data and the notes of processes.
        seed: decides what everybody does; not when.
        around: where everybody runs.
    """

    def __init__(self, directory: Path, seed: int, around: Surroundings = HERE) -> None:
        self._around = around
        self.chance = random.Random(seed)
        self.notes = ListNotes()
        self.faults = 0
        self._directory = directory
        self._place = directory / "address"
        self._hands: list[Hand] = []
        self._stop_pushing, self._stop_working = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []
        self._start()
        for number in range(PRODUCERS):
            self._employ(f"p{number}", workload.produce, self._stop_pushing)
        for number in range(WORKERS):
            self._employ(f"w{number}", workload.work, self._stop_working)
        for _ in range(HANDS):
            self._employ_hand()

    # -- Faults ------------------------------------------------------------------------------------

    def kill_server(self) -> None:
        """Kill it in the middle of whatever it does, and start it anew."""
        begun = moment()
        self._server.kill()
        self.faults += 1
        if self.chance.random() < 0.25:
            self._kill_while_it_starts()
        self._start()
        self.notes.records.append(Restart(begun, moment()))

    def stop_server(self) -> None:
        """Have it stand still for less than a lease."""
        self._server.send_signal(signal.SIGSTOP)
        self.wait(0.4)
        self._server.send_signal(signal.SIGCONT)
        self.faults += 1

    def kill_hand(self) -> None:
        """Kill a worker, whatever it holds, and employ another."""
        hand = self._hands.pop(self.chance.randrange(len(self._hands)))
        self.notes.records += hand.kill()
        self._employ_hand()
        self.faults += 1

    def stop_hand(self) -> None:
        """Have a worker stand still for longer than its lease, and then go on."""
        hand = self.chance.choice(self._hands)
        hand.stand_still(lambda: self.wait(1.2 * LEASE / SECOND, least=1.1 * LEASE / SECOND))
        self.faults += 1

    def progress(self, most: int) -> None:
        """Let the load go on until some number of commands has been answered."""
        enough = len(self.notes.records) + self.chance.randrange(1, most)
        until(lambda: len(self.notes.records) >= enough, f"{enough} answers")

    def wait(self, most: float, least: float = 0.0) -> None:
        """Let the load go on for a while: the load itself, not a synchronisation."""
        threading.Event().wait(self.chance.uniform(least, most))

    # -- The end -----------------------------------------------------------------------------------

    def finish(self, aftermath: int, *, steady: bool = True) -> Tally:
        """End the faults, let everything be done, and judge what was noted (see `Rules`)."""
        self._stop_pushing.set()
        for producer in self._threads[:PRODUCERS]:
            producer.join()  # a push of its own may have been on its way for long
        workload.drain(self._connect)
        self._leave()
        with self._connect() as client:
            rest = workload.remnants(client)
            self._count_done(workload.done(client))
        assert self._server.stop() == 0, "\n".join(self._server.log)
        assert_legal(self.notes.records, rest, Rules(MAX_ATTEMPTS, aftermath, steady=steady))
        return Tally(faults=self.faults, operations=len(self.notes.records))

    def _count_done(self, done: int) -> None:
        """Whatever was acked is kept as done; of an ack without an answer nobody knows."""
        acks = [it for it in self.notes.records if isinstance(it, Act) and it.deed is Deed.ACK]
        acked = {it.id for it in acks if it.counted}
        perhaps = {it.id for it in acks if it.counted is None} - acked
        assert len(acked) <= done <= len(acked) + len(perhaps), (len(acked), done, len(perhaps))

    def close(self) -> None:
        """End everybody, whatever has happened."""
        self._leave()
        if self._server.process.poll() is None:
            self._server.kill()

    def _leave(self) -> None:
        self._stop_pushing.set()
        self._stop_working.set()
        for thread in self._threads:
            thread.join()
        while self._hands:
            self.notes.records += self._hands.pop().stop()

    # -- Beginnings --------------------------------------------------------------------------------

    def _connect(self) -> RawClient:
        return self._around.connect(self._server.address)

    def _start(self) -> None:
        self._server = ServerProcess(
            self._directory / "data",
            *SETTINGS,
            *self._around.arguments,
            under=self._around.under,
            variables=self._around.variables,
        )
        written = self._place.with_suffix(".new")
        written.write_text(" ".join(map(str, self._server.address)), encoding="ascii")
        written.replace(self._place)

    def _kill_while_it_starts(self) -> None:
        """Start a server and kill it before, or just after, it has recovered what there is."""
        line = command("--data-dir", str(self._directory / "data"), "--port", "0", *SETTINGS)
        its = environment(self._around.variables)
        with subprocess.Popen(line, env=its, stderr=subprocess.DEVNULL) as process:
            self.wait(0.5, least=0.1)
            process.kill()
        self.faults += 1

    def _employ(
        self,
        name: str,
        job: Callable[[Recorder, random.Random, threading.Event], None],
        stop: threading.Event,
    ) -> None:
        recorder = Recorder(
            lambda: read_address(self._place), self.notes, name, LEASE, self._around.connect
        )
        chance = random.Random(self.chance.random())
        self._threads.append(threading.Thread(target=job, args=(recorder, chance, stop)))
        self._threads[-1].start()

    def _employ_hand(self) -> None:
        name = f"h{self.chance.getrandbits(40):x}"
        seed = self.chance.getrandbits(32)
        under = self._around.clients_under
        self._hands.append(Hand(self._directory, self._place, name, seed, under))


SETTINGS = (
    *("--visibility-timeout", str(LEASE / SECOND)),
    *("--max-attempts", str(MAX_ATTEMPTS)),
    *("--scheduler-ms", str(100)),
)


@contextmanager
def world(seed: int, around: Surroundings = HERE) -> Iterator[World]:
    """Make a world and end it; a failure tells the seed."""
    with tempfile.TemporaryDirectory(prefix="ezra-crashes-") as directory:
        one = World(Path(directory), seed, around)
        try:
            yield one
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        finally:
            one.close()


Harm = Callable[[World], None]
"""Does one thing, or a few, to a world under load."""


def kill(one: World) -> None:
    """Kill the server in the middle of its work."""
    one.progress(KILLED_WITHIN)
    one.kill_server()


def stop(one: World) -> None:
    """Kill a worker, or have a worker or the server stand still."""
    one.chance.choice([one.kill_hand, one.stop_hand, one.stop_server])()
    one.wait(0.1)


def kills(seconds: float) -> Tally:
    """Kill the server again and again for so long."""
    # Of a dead server's commands none is carried out later.
    return rounds(seconds, kill, aftermath=0)


def stops(seconds: float) -> Tally:
    """Kill workers, and stop workers and the server, for so long. The server lives on."""
    return rounds(seconds, stop, AFTERMATH)


ROUND = 30.0
"""Seconds after which a long campaign drains, judges, and begins anew with an empty directory."""


def rounds(
    seconds: float,
    harm: Harm,
    aftermath: int,
    around: Surroundings = HERE,
    *,
    steady: bool = True,
    heal: Callable[[], None] = lambda: None,
) -> Tally:
    """Do harm for so long, in rounds that each begin with an empty directory and their own seed.

    Args:
        seconds: in all, at least one round.
        harm: what to do again and again.
        aftermath: see `Rules`.
        around: where everybody runs.
        steady: see `Rules`.
        heal: ends the faults, so that everything can be done.

    Raises:
        AssertionError: what was seen cannot be; with the round's seed.
    """
    total = Tally()
    end = time.monotonic() + seconds
    while not total.faults or time.monotonic() < end:
        round_end = min(end, time.monotonic() + ROUND)
        with world(random.SystemRandom().getrandbits(32), around) as one:
            while not one.faults or time.monotonic() < round_end:
                harm(one)
            heal()
            total += one.finish(aftermath, steady=steady)
    return total
