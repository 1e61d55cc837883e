"""Rude clients on a server's port, and an honest one beside them; `make soak` pours for long."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing, suppress
from random import Random

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from ezra.threaded.clock import SystemClock
from ezra.threaded.handler import Handler
from ezra.threaded.settings import MEMORY, Settings
from ezra.threaded.sqlite.engine import SqliteEngine
from tests.faults import fuzzing, soup
from tests.faults.soup import Kitchen
from tests.integration.local_server import LocalServer

FEW = tried(
    deadline=None,
    derandomize=True,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _as_booked(server: LocalServer) -> None:
    """Check the file: SQLite finds it whole, and the queues' books are their tasks, counted."""
    count = "SELECT queue_id, status, count(*) FROM tasks GROUP BY 1, 2"
    books = "SELECT id, ready + scheduled, in_flight, done, dead FROM queues"
    with closing(sqlite3.connect(server.database)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        counted = {(queue, status): number for queue, status, number in database.execute(count)}
        booked = {
            (queue, status): number
            for queue, *numbers in database.execute(books)
            for status, number in zip(
                ("available", "in_flight", "done", "dead"), numbers, strict=True
            )
            if number
        }
    assert booked == counted


def test_soup_harms_nobody(server: LocalServer, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever rude clients send, an honest one works on, and no push that was answered is lost."""
    caplog.set_level(logging.DEBUG)
    for seed in range(3):
        with Kitchen(server.address, Random(seed)) as kitchen:
            kitchen.rounds(5)
            kitchen.clean()
            assert kitchen.lost() == 0
            kitchen.forget()
    server.stop()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    if isinstance(server.engine, SqliteEngine):
        _as_booked(server)


@FEW
@given(chance=st.randoms(use_true_random=False))
def test_soup_of_any_kind_harms_nobody(chance: Random) -> None:
    """The same with what hypothesis chooses, which makes a failure small."""
    settings = Settings(data_dir=MEMORY, port=0)
    with (
        LocalServer(settings, SystemClock()) as server,
        Kitchen(server.address, chance) as kitchen,
    ):
        kitchen.round()
        assert kitchen.lost() == 0


def test_an_error_in_the_server_would_be_noticed(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler that dies of a command logs it as an error, which the above does not let pass."""
    answer = Handler._answer

    def fail(self: Handler, requests: list[object]) -> None:
        if len(requests) > 1:
            raise ZeroDivisionError
        answer(self, requests)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(Handler, "_answer", fail)
    with Kitchen(server.address, Random(1)) as kitchen, suppress(AssertionError, ConnectionError):
        kitchen.rounds(20)
    assert "an error in the server ended its connection" in caplog.text


def test_the_campaigns_run() -> None:
    """Short versions of what `make soak` runs, a server in a process of its own included."""
    assert soup.campaign(0.5).lost == 0
    assert fuzzing.unguided(0.2).bad_inputs > 0
