"""The schema's steps: a database that an older version made is brought up to date, whole."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ezra.sansio.model import SECOND, Defaults, NackMode, QueueName, Status
from ezra.sansio.queue.lifecycle import RESTARTED
from ezra.sansio.queue.looks import Info, Names
from ezra.sansio.queue.operations import Ack, Nack
from ezra.threaded.sqlite import schema
from ezra.threaded.sqlite.database import DATABASE_FILE
from tests.property.fake_clock import START, FakeClock
from tests.property.sqlite_worlds import (
    by_hand,
    counted_books,
    engine_in,
    one,
    push,
    stored_groups,
    stored_keys,
    stored_tasks,
    take,
)

RELEASED = (
    "5baac65b11bae1e0631ba7966880afb01347893d15ee827e13b982719e4ddbad",
    "9ba70bc53e9120d1c0f2febfb321fa7ec4e981b823332b5ed7dfa281af5c130c",
)
"""What each released step was, by its SHA-256: people have databases made by it."""

QUEUES = (
    "INSERT INTO queues (id, name, retry_delay, created_at) VALUES (1, 'q', 7, 0), (2, 'r', 0, 0)"
)

TASKS = """
    INSERT INTO tasks (id, queue_id, status, available_at, scheduled, created_at, attempts,
        worker, claimed_at, lease_until, lapsed, last_error, finished_at, dead_at)
    VALUES (1, 1, 'available', 5, 0, 5, 0, NULL, NULL, NULL, 0, NULL, NULL, NULL),
        (2, 1, 'available', 9000000000000000, 1, 5, 0, NULL, NULL, NULL, 0, NULL, NULL, NULL),
        (3, 1, 'available', 5, 0, 5, 1, NULL, NULL, NULL, 1, 'lapsed', NULL, NULL),
        (4, 1, 'in_flight', 5, 0, 5, 1, 'ann', 6, 9000000000000000, 0, NULL, NULL, NULL),
        (5, 1, 'done', 5, 0, 5, 1, 'ann', 6, NULL, 0, NULL, 7, NULL),
        (6, 1, 'dead', 5, 0, 5, 3, NULL, NULL, NULL, 0, 'broken', NULL, 8),
        (7, 1, 'in_flight', 5, 0, 5, 3, 'ann', 6, 9000000000000000, 0, 'broken', NULL, 8),
        (8, 1, 'available', 5, 0, 5, 0, NULL, NULL, NULL, 0, NULL, NULL, NULL),
        (9, 2, 'available', 5, 0, 5, 0, NULL, NULL, NULL, 0, NULL, NULL, NULL)
"""
"""A task in every state that the first version knows; the last queue's was never claimed."""

PAYLOADS = """
    INSERT INTO payloads (task_id, payload, headers) SELECT id, CAST(id AS BLOB), x'' FROM tasks
"""


def test_what_was_released_is_never_edited() -> None:
    """A step that changes under a database that it has made leaves that one behind for ever."""
    made = [hashlib.sha256("\0".join(step).encode()).hexdigest() for step in schema.UPGRADES]
    assert tuple(made[: len(RELEASED)]) == RELEASED


def older(directory: Path, version: int) -> None:
    """Make a database as that version left it."""
    with closing(sqlite3.connect(directory / DATABASE_FILE, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = wal").fetchall()
        schema.upgrade(connection, schema.UPGRADES[:version])
        for statement in (QUEUES, TASKS, PAYLOADS, "INSERT INTO groups VALUES (1, 'g')"):
            connection.execute(statement)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_database_of_an_older_version_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, version: int
) -> None:
    """Every task is where it was, but for the leases that any start cuts; and all of it works."""
    older(tmp_path, version)
    with caplog.at_level(logging.INFO), engine_in(tmp_path, defaults=Defaults()) as engine:
        assert f"had format {version} and has {len(schema.UPGRADES)} now" in caplog.text
        found = {task.id: task for task in stored_tasks(tmp_path)}
        assert [task.payload for task in found.values()] == [b"%d" % each for each in range(1, 10)]
        assert [found[each].status for each in (1, 2, 3, 5, 6, 8, 9)] == [
            *[Status.AVAILABLE] * 3,
            *(Status.DONE, Status.DEAD),
            *[Status.AVAILABLE] * 2,
        ]
        assert (found[4].status, found[4].last_error) == (Status.AVAILABLE, RESTARTED)
        assert (found[7].status, found[7].dead_at) == (Status.DEAD, START)
        assert {(task.renewed_at, task.claims) for task in found.values()} == {(None, 0)}
        assert stored_groups(tmp_path) == {"q": {"g"}, "r": set()}
        assert stored_keys(tmp_path) == []
        assert one(engine, Ack("q", (3,))) == 1
        assert [task.id for task in take(engine, count=9)] == [1, 8]
        assert one(engine, Nack("q", (8,), NackMode.FATAL)) == 1
        assert [task.id for task in take(engine, dead=True, count=9)] == [6, 7, 8]
        assert push(engine) > 9
        assert all(info.damaged == 0 for info in engine.queues())
        kept, counted = counted_books(tmp_path)
        assert kept == counted


def test_what_was_claimed_is_known_after_an_upgrade(tmp_path: Path) -> None:
    """As far as the tasks tell that are left; a queue without any was never claimed from."""
    older(tmp_path, 1)
    with engine_in(tmp_path) as engine:
        infos = [engine.info(name) for name in ("q", "r")]
        assert [info and info.last_claimed for info in infos] == [7, 0]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_upgraded_database_is_like_a_new_one(tmp_path: Path, version: int) -> None:
    """The same tables, indexes, triggers and views, to the letter."""
    (tmp_path / "new").mkdir()
    (tmp_path / "old").mkdir()
    older(tmp_path / "old", version)
    found = []
    for name in ("old", "new"):
        with engine_in(tmp_path / name), by_hand(tmp_path / name) as connection:
            rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")
            found.append(set(rows.fetchall()))
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert found[0] == found[1]


# -- What the second step made, by hand ------------------------------------------------------------


@pytest.mark.parametrize("status", ["available", "done", "dead"])
def test_a_renewed_lease_leaves_no_trace_when_a_person_ends_it(tmp_path: Path, status: str) -> None:
    """Whatever a person makes of the task."""
    with engine_in(tmp_path) as engine:
        push(engine)
        take(engine)
        with by_hand(tmp_path) as connection:
            connection.execute("UPDATE tasks SET renewed_at = claimed_at + 5")
            connection.execute("UPDATE tasks SET status = ?", (status,))
        (stored,) = stored_tasks(tmp_path)
        assert (stored.status, stored.renewed_at) == (status, None)


def test_what_a_person_inserts_has_no_renewed_lease(tmp_path: Path) -> None:
    """A row is put in order as it comes, too."""
    with engine_in(tmp_path) as engine:
        push(engine)
        with by_hand(tmp_path) as connection:
            connection.execute("INSERT INTO tasks (queue_id, renewed_at) VALUES (1, 5)")
        assert [task.renewed_at for task in stored_tasks(tmp_path)] == [None, None]


def test_a_queue_removed_by_hand_takes_its_keys_and_its_number_along(tmp_path: Path) -> None:
    """What was remembered of it is gone, and no later queue has its number."""
    clock = FakeClock()
    with engine_in(tmp_path, clock) as engine:
        push(engine, "p")
        push(engine, "q")
        with by_hand(tmp_path) as connection:
            connection.execute("INSERT INTO groups VALUES (2, 'g')")
            connection.execute("INSERT INTO dedup_keys VALUES (9, 2, x'', x'01', 0, 99)")
            connection.execute("DELETE FROM queues WHERE name = 'q'")
            for table in ("groups", "dedup_keys"):
                assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        push(engine, "q")
        assert engine.look(Names()) == (
            QueueName(1, "p", dead=False),
            QueueName(3, "q", dead=False),
        )


@pytest.mark.parametrize(
    "edit", ["dedup_window = -1", "dedup_limit = -1", "last_claimed = NULL", "dedup_limit = 'ten'"]
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, edit: str) -> None:
    """Whoever tries."""
    with engine_in(tmp_path) as engine:
        push(engine)
        with by_hand(tmp_path) as connection, pytest.raises(sqlite3.IntegrityError):
            connection.execute(f"UPDATE queues SET {edit}")
        assert engine.look(Info("q"))


def test_a_task_moved_by_hand_is_known_as_claimed_where_it_is(tmp_path: Path) -> None:
    """The books of its new queue say so."""
    with engine_in(tmp_path) as engine:
        task = push(engine)
        take(engine)
        push(engine, "r", delay=SECOND)
        with by_hand(tmp_path) as connection:
            connection.execute("UPDATE tasks SET queue_id = 2 WHERE id = ?", (task,))
        info = engine.info("r")
        assert info is not None
        assert (info.in_flight, info.last_claimed) == (1, task)


# -- What the third step made, by hand -------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
def test_of_rows_that_were_there_no_checksum_is_known(tmp_path: Path, version: int) -> None:
    """They are handed out as they are; what is pushed from now on is compared."""
    older(tmp_path, version)
    with engine_in(tmp_path) as engine:
        new = push(engine)
        with by_hand(tmp_path) as connection:
            known = "SELECT task_id FROM payloads WHERE checksum IS NOT NULL"
            assert connection.execute(known).fetchall() == [(new,)]
        assert [task.payload for task in take(engine, count=9)][-1] == b"p"


def test_what_a_person_edits_or_inserts_is_not_compared(tmp_path: Path) -> None:
    """Payload, headers, or to which task they belong: the checksum is not known then."""
    with engine_in(tmp_path) as engine:
        tasks = [push(engine) for _ in range(3)]
        edits = ("payload = x'78'", "headers = x''", "task_id = task_id")
        with by_hand(tmp_path) as connection:
            for task, edit in zip(tasks, edits, strict=True):
                connection.execute(f"UPDATE payloads SET {edit} WHERE task_id = ?", (task,))
            assert set(connection.execute("SELECT checksum FROM payloads")) == {(None,)}
        assert [task.payload for task in take(engine, count=3)] == [b"x", b"p", b"p"]


def test_a_damaged_task_moved_by_hand_is_counted_where_it_is(tmp_path: Path) -> None:
    """And one that a person writes as damaged is, while it is dead."""
    with engine_in(tmp_path) as engine:
        task = push(engine)
        push(engine, "r")
        with by_hand(tmp_path) as connection:
            connection.execute("UPDATE tasks SET status = 'dead', damaged = 1 WHERE queue_id = 1")
            connection.execute("UPDATE tasks SET queue_id = 2 WHERE id = ?", (task,))
            connection.execute(
                "INSERT INTO tasks (queue_id, status, damaged)"
                " VALUES (1, 'dead', 1), (2, 'available', 1)"
            )
        infos = {info.name: (info.dead, info.damaged) for info in engine.queues()}
        assert infos == {"q": (1, 1), "r": (1, 1)}
        kept, counted = counted_books(tmp_path)
        assert kept == counted


@pytest.mark.parametrize("edit", ["damaged = 2", "damaged = NULL"])
def test_damaged_is_yes_or_no(tmp_path: Path, edit: str) -> None:
    """Whoever writes it."""
    with engine_in(tmp_path) as engine:
        push(engine)
        with by_hand(tmp_path) as connection, pytest.raises(sqlite3.IntegrityError):
            connection.execute(f"UPDATE tasks SET {edit}")
