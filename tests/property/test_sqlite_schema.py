"""The database: what may be opened, how it is upgraded, and what a person may do in it by hand."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ezra.sansio.errors import StartError
from ezra.sansio.model import FOREVER, SECOND, Address, NackMode, Status, wire_id
from ezra.sansio.queue.operations import Ack, Claim, Nack
from ezra.threaded.sqlite import faults, schema
from ezra.threaded.sqlite.database import DATABASE_FILE
from tests.property.fake_clock import FakeClock
from tests.property.sqlite_worlds import (
    by_hand,
    claimed,
    counted_books,
    engine_in,
    length,
    number,
    one,
    push,
    stored_tasks,
    take,
)


def test_a_new_database_says_whose_it_is_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    """Application id, version, WAL, and mode 600 on every file."""
    with engine_in(tmp_path / "data") as engine:
        push(engine)
        with by_hand(tmp_path / "data") as connection:
            pragmas = ("application_id", "user_version", "journal_mode", "page_size")
            values = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    assert values == [schema.APPLICATION_ID, len(schema.UPGRADES), "wal", 4096]
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_damaged_database_is_refused_with_a_way_on(tmp_path: Path) -> None:
    """What can be saved is a matter for a person and the sqlite3 shell."""
    with engine_in(tmp_path) as engine:
        for _ in range(300):
            push(engine)
    with (tmp_path / DATABASE_FILE).open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * 20_000)
    with pytest.raises(StartError, match=r"is damaged: .*\.recover"), engine_in(tmp_path):
        pass


def test_a_wal_without_its_database_is_kept(tmp_path: Path) -> None:
    """Somebody has lost a file; beginning anew would destroy what is left."""
    (tmp_path / "ezra.db-wal").write_bytes(b"frames")
    with pytest.raises(StartError, match="bring the database back"), engine_in(tmp_path):
        pass
    assert (tmp_path / "ezra.db-wal").read_bytes() == b"frames"


def test_no_room_for_an_upgrade_says_so(tmp_path: Path) -> None:
    """SQLite rolls back by itself then, and its error is the one that is raised."""
    connection = sqlite3.connect(tmp_path / "small.db", isolation_level=None)
    connection.execute("PRAGMA max_page_count = 3").fetchall()
    with pytest.raises(sqlite3.OperationalError, match="full") as caught:
        schema.upgrade(connection)
    connection.close()
    assert "free some space" in faults.cannot_start(tmp_path / "small.db", caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"not a database, but somebody's only copy of something" * 9, "not an SQLite database"),
        (b"SQLite format 3\0", "not an SQLite database"),
    ],
)
def test_a_file_that_is_no_database_is_refused_untouched(
    tmp_path: Path, content: bytes, says: str
) -> None:
    """The text says what it is and what to do; the directory is as it was but for the lock."""
    (tmp_path / DATABASE_FILE).write_bytes(content)
    with pytest.raises(StartError, match=says), engine_in(tmp_path):
        pass
    assert (tmp_path / DATABASE_FILE).read_bytes() == content
    assert {path.name for path in tmp_path.iterdir()} == {DATABASE_FILE, "ezra.lock"}


@pytest.mark.parametrize(
    ("pragma", "says"),
    [("application_id = 7", r"is not EZRA's"), ("user_version = 99", r"newer EZRA \(format 99")],
)
def test_a_foreign_or_newer_database_is_refused_untouched(
    tmp_path: Path, pragma: str, says: str
) -> None:
    """Whether the number is in the file already or only in its WAL."""
    with engine_in(tmp_path):
        pass
    with by_hand(tmp_path) as connection:
        connection.execute(f"PRAGMA {pragma}")
        with pytest.raises(StartError, match=says), engine_in(tmp_path):
            pass
    before = (tmp_path / DATABASE_FILE).read_bytes()
    with pytest.raises(StartError, match=says), engine_in(tmp_path):
        pass
    assert (tmp_path / DATABASE_FILE).read_bytes() == before


def test_an_empty_file_and_the_rest_of_a_crash_become_a_database(tmp_path: Path) -> None:
    """A database is made whole or not at all: what was begun before is thrown away."""
    (tmp_path / DATABASE_FILE).touch()
    (tmp_path / f"{DATABASE_FILE}.new").write_bytes(b"half")
    with engine_in(tmp_path) as engine:
        push(engine)
    with engine_in(tmp_path) as engine:
        assert engine.recovered.waiting == 1
    assert not (tmp_path / f"{DATABASE_FILE}.new").exists()


def test_an_old_library_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is made."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    with pytest.raises(StartError, match=r"too old: EZRA needs 3\.37"), engine_in(tmp_path):
        pass
    assert not (tmp_path / DATABASE_FILE).exists()


@pytest.mark.parametrize(
    ("version", "warned"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 0), True),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
        ((4, 0, 0), False),
    ],
)
def test_a_library_that_can_damage_a_database_is_named(
    version: tuple[int, int, int], warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line that says what is safe and what is not."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    warning = schema.library_warning()
    assert (warning is not None) == warned
    assert warning is None or ("reading is safe" in warning and "\n" not in warning)


def test_upgrades_are_all_made_or_none() -> None:
    """A step that fails takes those before it back; a good one leaves the version's number."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    steps: tuple[tuple[str, ...], ...] = (("CREATE TABLE a (x)",), ("CREATE TABLE b (x)",))
    with pytest.raises(sqlite3.OperationalError):
        schema.upgrade(connection, (*steps, ("CREATE TABLE a (x)",)))
    assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    assert schema.upgrade(connection, steps[:1]) == 0
    assert schema.upgrade(connection, steps) == 1
    assert schema.upgrade(connection, steps) == 2
    tables = connection.execute("SELECT name FROM sqlite_schema").fetchall()
    assert tables == [("a",), ("b",)]
    connection.close()


# -- By hand ---------------------------------------------------------------------------------------


def test_a_dead_task_set_available_is_redriven(tmp_path: Path) -> None:
    """One UPDATE is all that it takes: attempts begin anew, and a worker gets the task."""
    with engine_in(tmp_path) as engine:
        task = push(engine)
        take(engine)
        one(engine, Nack("q", (task,), NackMode.FATAL))
        with by_hand(tmp_path) as connection:
            found = connection.execute("SELECT wire_id, payload, queue FROM dead_tasks").fetchall()
            assert found == [(wire_id(task), "p", "q")]
            connection.execute("UPDATE tasks SET status = 'available' WHERE status = 'dead'")
        (stored,) = stored_tasks(tmp_path)
        assert (stored.status, stored.attempts, stored.dead_at) == (Status.AVAILABLE, 0, None)
        assert [held.id for held in take(engine)] == [task]


def test_a_task_in_flight_set_available_is_taken_from_its_worker(tmp_path: Path) -> None:
    """Lease and worker are cleared; the attempt counts."""
    with engine_in(tmp_path) as engine:
        push(engine)
        take(engine)
        with by_hand(tmp_path) as connection:
            connection.execute("UPDATE tasks SET status = 'available'")
        (stored,) = stored_tasks(tmp_path)
        assert (stored.worker, stored.claimed_at, stored.lease_until) == (None, None, None)
        assert [held.attempts for held in take(engine)] == [2]


@pytest.mark.parametrize("status", ["available", "done", "dead"])
def test_any_status_but_in_flight_can_be_set_by_hand(tmp_path: Path, status: str) -> None:
    """From every status; the other columns follow, and the books count it."""
    with engine_in(tmp_path) as engine:
        for _ in range(4):
            push(engine)
        tasks = [held.id for held in take(engine, count=3)]
        one(engine, Ack("q", tuple(tasks[:1])))
        one(engine, Nack("q", tuple(tasks[1:2]), NackMode.FATAL))
        with by_hand(tmp_path) as connection:
            connection.execute("UPDATE tasks SET status = ?", (status,))
        for stored in stored_tasks(tmp_path):
            assert stored.status == status
            assert stored.lease_until is None
            assert (stored.finished_at is not None) == (status == "done")
            assert stored.dead_at is not None or status != "dead"
            assert stored.dead_at is None or status != "available"
        kept, counted = counted_books(tmp_path)
        assert kept == counted


def test_a_time_set_by_hand_is_obeyed(tmp_path: Path) -> None:
    """A ready task that is moved into the future is not handed out before."""
    clock = FakeClock()
    with engine_in(tmp_path, clock) as engine:
        task = push(engine)
        with by_hand(tmp_path) as connection:
            connection.execute("UPDATE tasks SET available_at = available_at + 60000000")
        assert take(engine) == ()
        clock.advance(60 * SECOND)
        assert [held.id for held in take(engine)] == [task]


def test_a_task_inserted_by_hand_reaches_a_parked_worker_at_the_next_sweep(tmp_path: Path) -> None:
    """A row in `tasks` and one in `payloads`; its id is above all others, and so are later ones."""
    with engine_in(tmp_path) as engine:
        first = push(engine, "other")
        claim = engine.submit([Claim((Address("q"),), "ann", deadline=FOREVER)])
        engine.sweep()
        with by_hand(tmp_path) as connection:
            connection.execute("INSERT INTO queues (name, created_at) VALUES ('q', 0)")
            connection.execute("BEGIN")
            connection.execute(
                "INSERT INTO tasks (queue_id, available_at) SELECT id, 0 FROM queues"
                " WHERE name = 'q'"
            )
            connection.execute(
                "INSERT INTO payloads (task_id, payload) SELECT max(id), x'70' FROM tasks"
            )
            connection.execute("COMMIT")
        engine.sweep()
        (task,) = claimed(claim.wait()[0])
        assert (task.payload, task.headers) == (b"p", ())
        assert first < task.id < push(engine)


def test_rows_deleted_by_hand_keep_the_books_right(tmp_path: Path) -> None:
    """Tasks take their payloads along, queues their tasks; ids are not used again."""
    with engine_in(tmp_path) as engine:
        push(engine)
        last = push(engine)
        other = push(engine, "other")
        with by_hand(tmp_path) as connection:
            connection.execute("DELETE FROM tasks WHERE id = ?", (last,))
            assert connection.execute("SELECT count(*) FROM payloads").fetchone() == (2,)
            assert length(engine, "q") == 1
            connection.execute("DELETE FROM queues")
            for table in ("tasks", "payloads", "queues"):
                assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        assert engine.queues() == []
        assert one(engine, Ack("q", (last,))) == 0
        assert push(engine) > other
    with engine_in(tmp_path, FakeClock(1)) as engine:
        newest = push(engine)
        assert newest > other
        with by_hand(tmp_path) as connection:
            connection.execute("DELETE FROM queues")
    with engine_in(tmp_path, FakeClock(1)) as engine:
        assert push(engine) > newest


def test_settings_edited_by_hand_hold_from_the_next_operation_on(tmp_path: Path) -> None:
    """What the writer remembers of a queue never outlives an edit."""
    clock = FakeClock()
    with engine_in(tmp_path, clock) as engine:
        push(engine)
        with by_hand(tmp_path) as connection:
            connection.execute("UPDATE queues SET visibility_timeout = 7, max_attempts = 9")
        take(engine)
        push(engine)
        leased, fresh = stored_tasks(tmp_path)
        assert (leased.lease_until, fresh.max_attempts) == (clock.now() + 7, 9)


@pytest.mark.parametrize(
    "edit",
    [
        "status = 'finished'",
        "status = 'in_flight'",
        "priority = 128",
        "attempts = -1",
        "attempts = 4",
        "max_attempts = 0",
        "visibility_timeout = 0",
        "lapsed = 2",
        "available_at = 'tomorrow'",
        "queue_id = NULL",
        "id = id + 1",
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, edit: str) -> None:
    """An illegal row cannot be stored, whoever tries."""
    with engine_in(tmp_path) as engine:
        push(engine)
        before = stored_tasks(tmp_path)
        with by_hand(tmp_path) as connection, pytest.raises(sqlite3.IntegrityError):
            connection.execute(f"UPDATE tasks SET {edit}")
        assert stored_tasks(tmp_path) == before


STATUSES = ("available", "done", "dead")
PLACES = (("available", 0), ("available", 1), ("in_flight", 0), ("done", 0), ("dead", 0))


@given(
    st.lists(
        st.tuples(
            st.integers(1, 6),
            st.sampled_from(
                [
                    *(f"UPDATE tasks SET status = '{status}'" for status in STATUSES),
                    "UPDATE tasks SET scheduled = 1 - scheduled",
                    "UPDATE tasks SET queue_id = 3 - queue_id",
                    "UPDATE tasks SET queue_id = 3 - queue_id, status = 'dead'",
                    "UPDATE tasks SET available_at = available_at + 1",
                    "UPDATE tasks SET damaged = 1 - damaged",
                    "UPDATE tasks SET damaged = 1, queue_id = 3 - queue_id",
                    "UPDATE tasks SET damaged = 1, status = 'done'",
                    "DELETE FROM tasks",
                ]
            ),
        )
    )
)
@settings(max_examples=60, deadline=None)
def test_the_books_are_right_after_any_edits(edits: list[tuple[int, str]]) -> None:
    """Every counter is what counting gives, whatever is done to which task."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.upgrade(connection)
    connection.execute("INSERT INTO queues (name, created_at) VALUES ('a', 0), ('b', 0)")
    for task, status in enumerate(STATUSES * 2, 1):
        connection.execute(
            "INSERT INTO tasks (id, queue_id, status) VALUES (?, ?, ?)",
            (task, task % 2 + 1, status),
        )
    for task, edit in edits:
        connection.execute(f"{edit} WHERE id = ?", (task,))
    for queue in (1, 2):
        kept = connection.execute(
            "SELECT ready, scheduled, in_flight, done, dead, damaged FROM queues WHERE id = ?",
            (queue,),
        ).fetchone()
        rows = connection.execute(
            "SELECT status, scheduled, damaged FROM tasks WHERE queue_id = ?", (queue,)
        ).fetchall()
        counted = [[row[:2] for row in rows].count(place) for place in PLACES]
        assert kept == (*counted, sum(damaged for *_, damaged in rows))
        assert all(status == "dead" for status, _, damaged in rows if damaged)
    connection.close()


def test_a_view_shows_what_waits_and_what_is_held(tmp_path: Path) -> None:
    """With names, payloads and times that a person can read."""
    with engine_in(tmp_path) as engine:
        push(engine, headers=((b"user", b"alice"),))
        with by_hand(tmp_path) as connection:
            row = connection.execute("SELECT queue, payload, headers, pushed FROM waiting_tasks")
            assert row.fetchone() == ("q", "p", "4:user,5:alice,", "2023-11-14 22:13:20")
            take(engine)
            held = connection.execute("SELECT queue, worker, attempts FROM held_tasks").fetchone()
            assert held == ("q", "ann", 1)
        assert number(one(engine, Ack("q", (stored_tasks(tmp_path)[0].id,)))) == 1
