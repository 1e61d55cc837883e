"""What the tests of the SQLite engine share: an engine on a directory, and a look into its file."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ezra.sansio.model import Address, Claimed, Dedup, Defaults, Delivery, NewTask
from ezra.sansio.queue.dedup import Remembered
from ezra.sansio.queue.looks import Length
from ezra.sansio.queue.operations import Claim, Operation, Outcome, Push
from ezra.sansio.queue.task import Task
from ezra.threaded.sqlite.database import DATABASE_FILE
from ezra.threaded.sqlite.engine import SqliteEngine
from ezra.threaded.sqlite.rows import LOADED, to_task, unpack_headers
from tests.property.fake_clock import FakeClock
from tests.property.operations import DEFAULTS


@contextmanager
def engine_in(
    directory: Path, clock: FakeClock | None = None, defaults: Defaults = DEFAULTS
) -> Iterator[SqliteEngine]:
    """Open an engine on the directory, under a fake clock, and close it afterwards."""
    engine = SqliteEngine(directory, defaults, clock or FakeClock())
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def by_hand(directory: Path) -> Iterator[sqlite3.Connection]:
    """Open the database as a person's tool does: no pragma set, every statement by itself."""
    with closing(sqlite3.connect(directory / DATABASE_FILE, isolation_level=None)) as connection:
        yield connection


def stored_tasks(directory: Path) -> list[Task]:
    """Return every task in the file, by id, with all its fields."""
    statement = f"""
        SELECT name, {LOADED}, payload, headers FROM tasks JOIN queues ON queues.id = queue_id
        LEFT JOIN payloads ON task_id = tasks.id ORDER BY tasks.id
    """
    with by_hand(directory) as connection:
        rows = connection.execute(statement).fetchall()
    return [to_task(row[1:], row[0], row[-2], unpack_headers(row[-1] or b"")) for row in rows]


def stored_keys(directory: Path) -> list[Remembered]:
    """Return every key that tells repeated pushes, by the id of its first push."""
    statement = """
        SELECT task_id, name, producer, key, limited, until
        FROM dedup_keys JOIN queues ON queues.id = queue_id ORDER BY task_id
    """
    with by_hand(directory) as connection:
        rows = connection.execute(statement).fetchall()
    return [
        Remembered(task_id, queue, Dedup(producer, key, limited=limited == 1), until)
        for task_id, queue, producer, key, limited, until in rows
    ]


def stored_groups(directory: Path) -> dict[str, set[str]]:
    """Return the names of each queue's groups, for all queues."""
    statement = """
        SELECT queues.name, groups.name FROM queues LEFT JOIN groups ON queue_id = queues.id
    """
    found: dict[str, set[str]] = {}
    with by_hand(directory) as connection:
        for queue, group in connection.execute(statement):
            found.setdefault(queue, set()).update([group] if group else [])
    return found


def counted_books(directory: Path) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Return each queue's counters as they are kept, and as counting all rows gives them."""
    kept = "SELECT id, ready, scheduled, in_flight, done, dead, damaged FROM queues ORDER BY id"
    counted = """
        SELECT queues.id, coalesce(sum(status = 'available' AND scheduled = 0), 0),
            coalesce(sum(status = 'available' AND tasks.scheduled = 1), 0),
            coalesce(sum(status = 'in_flight'), 0), coalesce(sum(status = 'done'), 0),
            coalesce(sum(status = 'dead'), 0), coalesce(sum(tasks.damaged), 0)
        FROM queues LEFT JOIN tasks ON queue_id = queues.id GROUP BY queues.id ORDER BY queues.id
    """.replace("AND scheduled", "AND tasks.scheduled")
    with by_hand(directory) as connection:
        return connection.execute(kept).fetchall(), connection.execute(counted).fetchall()


def push(engine: SqliteEngine, queue: str = "q", **options: object) -> int:
    """Push one task and return its id."""
    task = NewTask(**({"payload": b"p"} | options))  # type: ignore[arg-type]  # as the test says
    return number(one(engine, Push(queue, task)))


def take(
    engine: SqliteEngine, queue: str = "q", *, count: int = 1, dead: bool = False
) -> tuple[Claimed, ...]:
    """Claim what there is and return it."""
    return claimed(one(engine, Claim((Address(queue, dead),), "ann", count)))


def length(engine: SqliteEngine, queue: str, *, dead: bool = False) -> int:
    """Return how many tasks wait in a queue, or are dead in it."""
    answer = engine.look(Length(Address(queue, dead)))
    assert isinstance(answer, int), answer
    return answer


def one(engine: SqliteEngine, operation: Operation) -> Outcome:
    """Execute one operation and return its outcome."""
    (outcome,) = engine.execute([operation])
    return outcome


def number(outcome: Outcome) -> int:
    """Return an outcome that is a number."""
    assert isinstance(outcome, int), outcome
    return outcome


def claimed(outcome: Outcome) -> tuple[Claimed, ...]:
    """Return all tasks of a claim's outcome."""
    assert isinstance(outcome, tuple), outcome
    tasks: list[Claimed] = []
    for delivery in outcome:
        assert isinstance(delivery, Delivery)
        tasks.extend(delivery.tasks)
    return tuple(tasks)


def error_of(code: int) -> sqlite3.OperationalError:
    """Return an error as SQLite raises it."""
    error = sqlite3.OperationalError("injected")
    error.sqlite_errorcode = code
    return error


def crashed_with(folder: Path, pushes: int) -> Path:
    """Return a directory as a crash leaves it, with so many answered pushes, all in its log."""
    alive, directory = folder / "alive", folder / "crashed"
    with engine_in(alive) as engine:
        for number in range(pushes):
            push(engine, payload=b"%d" % number)
        shutil.copytree(alive, directory)
    return directory


class Faulty:
    """A connection on which some statement fails, once it is told to."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.fails: Callable[[str], BaseException | None] = lambda _: None

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Execute it, or raise what the test wants."""
        error = self.fails(statement)
        if error is not None:
            raise error
        return self.connection.execute(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


def make_faulty(engine: SqliteEngine) -> Faulty:
    """Put a faulty connection under the engine's writer."""
    faulty = Faulty(engine._writer.connection)
    engine._writer.connection = faulty  # type: ignore[assignment]  # stands in for it
    engine._writer._registry._connection = faulty  # type: ignore[assignment]  # the same
    return faulty
