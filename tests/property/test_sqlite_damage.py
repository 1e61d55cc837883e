"""What the disk gives back is compared with what was pushed, before anybody is given it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.model import (
    FOREVER,
    SECOND,
    Address,
    Claimed,
    Defaults,
    Entry,
    NackMode,
    NewTask,
    QueueInfo,
    Status,
    Taken,
)
from ezra.sansio.queue.lifecycle import CHECKSUM_WRONG, HEADERS_UNREADABLE, PAYLOAD_MISSING
from ezra.sansio.queue.looks import Range
from ezra.sansio.queue.operations import Ack, Claim, Extend, Nack, Push, TakeIdle, TakeOver
from ezra.threaded.sqlite import statements
from ezra.threaded.sqlite.engine import SqliteEngine
from ezra.threaded.sqlite.rows import Damaged, checksum, pack_headers, unpack
from tests.property.fake_clock import FakeClock
from tests.property.sqlite_worlds import (
    by_hand,
    claimed,
    counted_books,
    engine_in,
    make_faulty,
    one,
    push,
    stored_tasks,
    take,
)

Q, DEAD = Address("q"), Address("q", dead=True)
MANY = Defaults(max_attempts=9, visibility_timeout=30 * SECOND)
HEADERS = ((b"user", b"alice"), (b"", b"\x00"))

UNCHECKED = "DROP TRIGGER payloads_repaired"
"""What a disk does is no edit: no trigger sees it."""

DAMAGE: dict[str, tuple[str, str]] = {
    "a flipped bit of the payload": ("payload = x'71'", CHECKSUM_WRONG),
    "a payload that is longer": ("payload = x'7000'", CHECKSUM_WRONG),
    "an empty payload": ("payload = x''", CHECKSUM_WRONG),
    "a payload that is none": ("payload = NULL", CHECKSUM_WRONG),
    "a flipped bit of a header": ("headers = x'343a757365722c353a616c6963642c'", CHECKSUM_WRONG),
    "no headers": ("headers = x''", CHECKSUM_WRONG),
    "a checksum of another task": ("checksum = checksum + 1", CHECKSUM_WRONG),
    "headers that are none, unchecked": ("headers = x'39', checksum = NULL", HEADERS_UNREADABLE),
}


@pytest.fixture(name="clock")
def a_clock() -> FakeClock:
    """Stand still."""
    return FakeClock()


@pytest.fixture(name="engine")
def an_engine(tmp_path: Path, clock: FakeClock) -> Iterator[SqliteEngine]:
    """Open an engine and close it."""
    with engine_in(tmp_path, clock, MANY) as engine:
        yield engine


def damage(directory: Path, task: int, what: str = "payload = x'71'") -> None:
    """Change what is stored of a task behind everybody's back."""
    with by_hand(directory) as connection:
        trigger = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE name = 'payloads_repaired'"
        ).fetchone()[0]
        connection.execute(UNCHECKED)
        changed = connection.execute(f"UPDATE payloads SET {what} WHERE task_id = ?", (task,))
        assert changed.rowcount == 1
        connection.execute(trigger)


def lose(directory: Path, task: int) -> None:
    """Lose the row with what was pushed."""
    with by_hand(directory) as connection:
        connection.execute("DELETE FROM payloads WHERE task_id = ?", (task,))


def info_of(engine: SqliteEngine) -> QueueInfo:
    """Return the books of q."""
    info = engine.info("q")
    assert info is not None
    return info


def ids(tasks: tuple[Claimed, ...]) -> list[int]:
    """Return their ids."""
    return [task.id for task in tasks]


# -- The checksum ----------------------------------------------------------------------------------

payloads = st.none() | st.binary(max_size=40)
headers = st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=9)), max_size=4).map(tuple)


@given(st.integers(1, 2**63 - 1), payloads, headers)
def test_what_was_pushed_is_unpacked_again(
    task: int, payload: bytes | None, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    """Whatever it was; and where no checksum is known nothing is compared."""
    packed = pack_headers(headers)
    stored = checksum(task, payload, packed)
    assert unpack(task, payload, packed, stored) == (payload, headers)
    assert unpack(task, payload, packed, None) == (payload, headers)


Stored = tuple[int, bytes | None, bytes, int]
"""A task's id, payload, headers and checksum, as they are stored."""


def flipped(data: st.DataObject, whole: bytes) -> bytes:
    """Return the bytes with one bit of them another."""
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    return (int.from_bytes(whole, "big") ^ (1 << bit)).to_bytes(len(whole), "big")


def damaged(data: st.DataObject, task: int, payload: bytes | None, packed: bytes) -> Stored:
    """Return the task with one thing about it another."""
    stored = checksum(task, payload, packed)
    variants: list[Stored] = [
        (task ^ 1 << data.draw(st.integers(0, 39)), payload, packed, stored),
        (task, payload, packed, stored ^ 1 << data.draw(st.integers(0, 31))),
        (task, b"" if payload is None else None, packed, stored),
    ]
    if payload:
        variants.append((task, flipped(data, payload), packed, stored))
        variants.append((task, payload[:-1], payload[-1:] + packed, stored))
    if packed:
        variants.append((task, payload, flipped(data, packed), stored))
    return data.draw(st.sampled_from(variants))


@given(st.integers(1, 2**40), payloads, headers, st.data())
def test_any_one_flipped_bit_is_found(
    task: int,
    payload: bytes | None,
    headers: tuple[tuple[bytes, bytes], ...],
    data: st.DataObject,
) -> None:
    """In the id, the payload, the headers or the checksum; none is not empty, nor is a bound moved.

    A CRC finds every single flipped bit; the two others differ in the length that goes into it.
    """
    variant = damaged(data, task, payload, pack_headers(headers))
    with pytest.raises(Damaged, match=CHECKSUM_WRONG):
        unpack(*variant)


def test_every_push_has_its_checksum(engine: SqliteEngine, tmp_path: Path) -> None:
    """Also one in a batch, and one without a payload."""
    push(engine, headers=HEADERS)
    engine.execute([Push("q", NewTask(None, HEADERS)), Push("q", NewTask(b""))])
    with by_hand(tmp_path) as connection:
        rows = connection.execute("SELECT task_id, payload, headers, checksum FROM payloads")
        found = rows.fetchall()
    assert [row[3] for row in found] == [checksum(*row[:3]) for row in found]
    assert len({row[3] for row in found}) == 3


# -- Every way to be given a task ------------------------------------------------------------------


@pytest.mark.parametrize("what", [*DAMAGE, "a payload that is lost"])
def test_a_claim_sets_aside_what_is_damaged_and_goes_on(
    engine: SqliteEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    """In one commit: the next task is delivered; who looks learns what happened to the other."""
    before, bad, after = push(engine), push(engine, headers=HEADERS), push(engine)
    sql, finding = DAMAGE.get(what, ("", PAYLOAD_MISSING))
    if sql:
        damage(tmp_path, bad, sql)
    else:
        lose(tmp_path, bad)
    commits: list[str] = []
    make_faulty(engine).fails = commits.append
    with caplog.at_level(logging.ERROR):
        assert ids(take(engine, count=3)) == [before, after]
    assert commits.count(statements.COMMIT) == 1
    (record,) = caplog.records
    assert record.getMessage().endswith(f"of 'q' is dead: {finding}")
    check_set_aside(engine, tmp_path, bad, finding)


def check_set_aside(engine: SqliteEngine, directory: Path, bad: int, finding: str) -> None:
    """Check that the task is dead and counted, that a view shows it, and that nobody gets it."""
    rows = "SELECT id, damaged, last_error FROM dead_tasks"
    with by_hand(directory) as connection:
        assert connection.execute(rows).fetchall() == [(bad, 1, finding)]
    assert (info_of(engine).dead, info_of(engine).damaged) == (1, 1)
    kept, counted = counted_books(directory)
    assert kept == counted
    assert take(engine, dead=True, count=9) == ()


def test_a_dead_task_that_is_damaged_is_given_to_nobody(
    engine: SqliteEngine, tmp_path: Path, clock: FakeClock
) -> None:
    """Nor does one that is set aside hold up those behind it, or wake who waits there."""
    bad, good = push(engine), push(engine)
    take(engine, count=2)
    one(engine, Nack("q", (bad, good), NackMode.FATAL))
    damage(tmp_path, bad)
    assert ids(take(engine, dead=True, count=9)) == [good]
    assert one(engine, Ack("q", (good,))) == 1
    check_set_aside(engine, tmp_path, bad, CHECKSUM_WRONG)
    waiting = engine.submit([Claim((DEAD,), "ann", deadline=clock.now() + SECOND)])
    lost = push(engine)
    lose(tmp_path, lost)
    assert take(engine) == ()
    clock.advance(SECOND)
    assert waiting.wait() == [()]


def test_a_worker_who_reads_its_own_again_loses_what_is_damaged(
    engine: SqliteEngine, tmp_path: Path
) -> None:
    """The others come, as many as it asked for."""
    tasks = [push(engine) for _ in range(4)]
    take(engine, count=4)
    damage(tmp_path, tasks[0])
    damage(tmp_path, tasks[1])
    again = Claim((), "ann", 2, rereads=((Q, 0),))
    assert ids(claimed(one(engine, again))) == tasks[2:]
    assert [task.status for task in stored_tasks(tmp_path)][:2] == [Status.DEAD] * 2
    assert info_of(engine).damaged == 2
    assert [task.attempts for task in stored_tasks(tmp_path)] == [1] * 4


def test_who_takes_over_gets_nothing_that_is_damaged(
    engine: SqliteEngine, tmp_path: Path, clock: FakeClock
) -> None:
    """By its id, by a search, in a claim that asks for idle ones; who holds it may ack it still."""
    tasks = [push(engine) for _ in range(6)]
    take(engine, count=6)
    one(engine, Claim((), "bob", group="g", rereads=((Q, 0),)))
    clock.advance(SECOND)
    for task in tasks[:3]:
        damage(tmp_path, task)
    taken = one(engine, TakeOver("q", "g", "bob", 1, (tasks[0], tasks[3])))
    assert isinstance(taken, tuple)
    assert [each.id for each in taken if isinstance(each, Claimed)] == [tasks[3]]
    clock.advance(SECOND)
    found = one(engine, TakeIdle("q", "g", "bob", min_idle=2 * SECOND, start=tasks[1], count=1))
    assert isinstance(found, Taken)
    assert ids(found.tasks) == [tasks[4]]
    assert info_of(engine).damaged == 3
    damage(tmp_path, tasks[5])
    idle = one(engine, Claim((Q,), "cid", 9, min_idle=2 * SECOND))
    assert ids(claimed(idle)) == []
    assert info_of(engine).damaged == 4
    assert one(engine, Ack("q", (tasks[0],))) == 1
    assert (info_of(engine).damaged, info_of(engine).done) == (3, 1)
    kept, counted = counted_books(tmp_path)
    assert kept == counted


def test_a_heartbeat_and_an_ack_need_no_payload(engine: SqliteEngine, tmp_path: Path) -> None:
    """Who has the task in hand has it whole."""
    task = push(engine)
    take(engine)
    damage(tmp_path, task)
    assert one(engine, Extend("q", "ann", (task,))) == (task,)
    assert one(engine, Ack("q", (task,))) == 1


def test_a_parked_worker_is_given_the_next_whole_task(engine: SqliteEngine, tmp_path: Path) -> None:
    """Or waits on: what was damaged is no reason to be sent away."""
    waiting = engine.submit([Claim((Q,), "ann", deadline=FOREVER)])
    engine.sweep()
    bad = push(engine, delay=SECOND)
    damage(tmp_path, bad)
    with by_hand(tmp_path) as connection:
        connection.execute("UPDATE tasks SET available_at = 0")
    engine.sweep()
    assert info_of(engine).damaged == 1
    good = push(engine)
    assert ids(claimed(waiting.wait()[0])) == [good]


def test_many_damaged_tasks_are_set_aside_by_one_claim(
    engine: SqliteEngine, tmp_path: Path
) -> None:
    """However many stand before the first whole one."""
    engine.execute([Push("q", NewTask(b"%d" % each)) for each in range(2_500)])
    good = push(engine)
    damage_all = "UPDATE payloads SET checksum = checksum + 1 WHERE task_id < ?"
    with by_hand(tmp_path) as connection:
        connection.execute(damage_all, (good,))
    assert ids(take(engine, count=5)) == [good]
    assert (info_of(engine).damaged, info_of(engine).ready) == (2_500, 0)


def test_a_claim_of_the_dead_does_not_read_what_was_set_aside(
    engine: SqliteEngine, tmp_path: Path
) -> None:
    """Counted in steps of SQLite's machine: a thousand of them cost it no more than one."""
    steps: list[int] = []

    def looked() -> int:
        steps.clear()
        engine._writer.connection.set_progress_handler(lambda: steps.append(1), 1)
        assert take(engine, dead=True) == ()
        engine._writer.connection.set_progress_handler(None, 0)
        return len(steps)

    def set_aside(count: int) -> None:
        engine.execute([Push("q", NewTask()) for _ in range(count)])
        with by_hand(tmp_path) as connection:
            connection.execute("UPDATE payloads SET checksum = checksum + 1")
        assert take(engine) == ()

    set_aside(1)
    looked()
    few = looked()
    set_aside(1_000)
    looked()
    assert looked() == few


# -- Looking ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [*DAMAGE, "a payload that is lost"])
def test_a_look_shows_that_a_task_is_damaged(
    engine: SqliteEngine, tmp_path: Path, what: str
) -> None:
    """It neither fails, nor shows what was never pushed, nor leaves the task out."""
    task = push(engine, headers=HEADERS)
    sql, finding = DAMAGE.get(what, ("", PAYLOAD_MISSING))
    if sql:
        damage(tmp_path, task, sql)
    else:
        lose(tmp_path, task)
    entry = Entry(task, None, ((b"ezra.damaged", finding.encode()),))
    assert engine.look(Range(Q)) == (entry,)
    assert info_of(engine).first == entry
    assert take(engine) == ()
    assert engine.look(Range(DEAD)) == (entry,)


# -- What a person does about it -------------------------------------------------------------------


def set_aside(engine: SqliteEngine, directory: Path) -> int:
    """Have a task set aside."""
    task = push(engine)
    damage(directory, task)
    assert take(engine) == ()
    assert info_of(engine).damaged == 1
    return task


def test_what_a_person_has_repaired_is_given_out_again(
    engine: SqliteEngine, tmp_path: Path
) -> None:
    """From the dead-letter queue at once, or after a redrive; nothing is compared any more."""
    task = set_aside(engine, tmp_path)
    with by_hand(tmp_path) as connection:
        connection.execute("UPDATE payloads SET payload = x'78' WHERE task_id = ?", (task,))
        row = connection.execute("SELECT checksum FROM payloads").fetchone()
    assert row == (None,)
    assert (info_of(engine).dead, info_of(engine).damaged) == (1, 0)
    (held,) = take(engine, dead=True)
    assert held.payload == b"x"
    one(engine, Nack("q", (task,)))
    with by_hand(tmp_path) as connection:
        connection.execute("UPDATE tasks SET status = 'available'")
    assert [each.payload for each in take(engine)] == [b"x"]


def test_what_was_lost_can_be_put_back(engine: SqliteEngine, tmp_path: Path) -> None:
    """By a new row with what was pushed, as far as anybody knows."""
    task = push(engine)
    lose(tmp_path, task)
    assert take(engine) == ()
    with by_hand(tmp_path) as connection:
        connection.execute("INSERT INTO payloads (task_id, payload) VALUES (?, x'79')", (task,))
    assert [each.payload for each in take(engine, dead=True)] == [b"y"]


def test_a_redrive_without_a_repair_ends_where_it_began(
    engine: SqliteEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is waiting meanwhile, for it is looked at anew; and whoever redrives it is told again."""
    task = set_aside(engine, tmp_path)
    caplog.clear()
    with by_hand(tmp_path) as connection:
        connection.execute("UPDATE tasks SET status = 'available'")
    assert (info_of(engine).ready, info_of(engine).damaged) == (1, 0)
    assert take(engine) == ()
    check_set_aside(engine, tmp_path, task, CHECKSUM_WRONG)
    assert len(caplog.records) == 1


def test_a_damaged_task_leaves_by_an_explicit_command(engine: SqliteEngine, tmp_path: Path) -> None:
    """As every dead one does, and the books know."""
    task = set_aside(engine, tmp_path)
    with by_hand(tmp_path) as connection:
        connection.execute("DELETE FROM tasks WHERE id = ?", (task,))
    assert (info_of(engine).dead, info_of(engine).damaged) == (0, 0)


def test_what_was_set_aside_stays_so_over_a_restart(tmp_path: Path) -> None:
    """It is in the file, and known at once."""
    with engine_in(tmp_path) as engine:
        task = set_aside(engine, tmp_path)
    with engine_in(tmp_path) as engine:
        check_set_aside(engine, tmp_path, task, CHECKSUM_WRONG)


def test_a_finding_is_told_once_and_after_its_commit(
    engine: SqliteEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when the batch had to be done again the careful way."""
    bad = push(engine)
    damage(tmp_path, bad)
    refused = engine.submit([Push("q" * 600, NewTask())])
    claim = engine.submit([Claim((Q,), "ann")])
    with caplog.at_level(logging.ERROR):
        assert claim.wait() == [()]
    assert isinstance(refused.wait()[0], Exception)
    assert len([each for each in caplog.records if "damaged" in each.getMessage()]) == 1
