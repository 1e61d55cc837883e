"""The server is killed in the middle of a load, again and again.

Nothing that it answered is lost: every answered push is there, once; every answered ack holds; what
was in flight waits again.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from tests.integration.server_process import ServerProcess

ROUNDS = 20
CONNECTIONS = 16
ANSWERS = 250
"""After so many answered commands of a round comes the kill."""


class Ledger:
    """What the server has answered, over all rounds. Any thread may write it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._enough = threading.Event()
        self._answers = 0
        self.payloads: dict[bytes, bytes] = {}
        """By id, the payload of each answered push."""
        self.acked: set[bytes] = set()
        self.pushed_in_round: list[bytes] = []
        self.held: set[bytes] = set()
        """What was popped in this round, and perhaps acked without an answer."""

    def push(self, number: bytes, payload: bytes) -> None:
        """Note an answered push."""
        with self._lock:
            assert number not in self.payloads, "an id was given out twice"
            self.payloads[number] = payload
            self.pushed_in_round.append(number)
        self._answered()

    def hold(self, number: bytes) -> None:
        """Note a task that is with a worker."""
        with self._lock:
            assert number not in self.held | self.acked, "two workers have the same task"
            self.held.add(number)

    def ack(self, number: bytes) -> None:
        """Note an ack that was answered with 1."""
        with self._lock:
            assert number not in self.acked, "a task was done twice"
            self.acked.add(number)
            self.held.discard(number)
        self._answered()

    def new_round(self) -> list[bytes]:
        """Begin to count anew; return the ids that were pushed in the last round."""
        with self._lock:
            pushed, self.pushed_in_round = self.pushed_in_round, []
            self._answers = 0
            self._enough.clear()
            self.held.clear()
            return pushed

    def until_enough(self) -> None:
        """Wait until the server is in the middle of its work."""
        assert self._enough.wait(20)

    def _answered(self) -> None:
        with self._lock:
            self._answers += 1
            if self._answers >= ANSWERS:
                self._enough.set()


def load(server: ServerProcess, ledger: Ledger, name: str) -> None:
    """Push two tasks and take one off, in turn, until the server is gone."""
    with server.client() as client:
        try:
            for count in range(1_000_000):
                payload = f"{name}:{count}".encode()
                ledger.push(client.push("q", payload), payload)
                task = client.pop("q") if count % 2 else None
                if task is None:
                    continue
                ledger.hold(task.id)
                # Every fourth is kept: it is in flight when the kill comes.
                if count % 8 > 1 and client.call("XACK", "q", "g", task.id):
                    ledger.ack(task.id)
        except OSError:
            return


def statuses(database: Path) -> dict[bytes, tuple[str, bytes]]:
    """Look into the file beside the server: by id, each task's status and payload."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    rows = connection.execute(
        "SELECT wire_id, status, payload FROM tasks JOIN payloads ON task_id = id"
    ).fetchall()
    connection.close()
    return {number.encode(): (status, payload) for number, status, payload in rows}


def halves(number: bytes) -> tuple[int, ...]:
    """Return what an id is ordered by."""
    return tuple(int(half) for half in number.split(b"-"))


def check(database: Path, ledger: Ledger) -> None:
    """Compare the file with what was answered."""
    found = statuses(database)
    for number, payload in ledger.payloads.items():
        assert found[number][1] == payload
    payloads = [payload for _, payload in found.values()]
    assert len(set(payloads)) == len(payloads), "a push is there twice"
    assert {number for number in ledger.acked if found[number][0] != "done"} == set()
    assert not any(status == "in_flight" for status, _ in found.values())
    # An ack that was under way when the kill came may have been carried out.
    back = [number for number in ledger.held if found[number][0] == "available"]
    assert len(back) >= len(ledger.held) - CONNECTIONS
    assert back or not ledger.payloads


def test_kill_9_in_the_middle_of_a_load_loses_nothing(tmp_path: Path) -> None:
    """Twenty times, from sixteen connections; the ids go on increasing throughout."""
    ledger = Ledger()
    highest: tuple[int, ...] = (0, 0)
    for round_ in range(ROUNDS + 1):
        with ServerProcess(tmp_path, "--max-attempts", "1000") as server:
            check(tmp_path / "ezra.db", ledger)
            pushed = ledger.new_round()
            if pushed:
                assert min(map(halves, pushed)) > highest
                highest = max(map(halves, pushed))
            if round_ == ROUNDS:
                assert server.stop() == 0
                return
            threads = [
                threading.Thread(target=load, args=(server, ledger, f"{round_}-{number}"))
                for number in range(CONNECTIONS)
            ]
            for thread in threads:
                thread.start()
            ledger.until_enough()
            server.kill()
            for thread in threads:
                thread.join()
