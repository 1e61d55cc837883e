"""Every statement uses the index that its docstring names, and none reads a whole table."""

from __future__ import annotations

import ast
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from ezra.sansio.model import Address, NewTask
from ezra.sansio.queue.operations import Ack, Claim, CreateQueue, Push
from ezra.threaded.sqlite import schema, statements, statements_of_looks
from tests.property.sqlite_worlds import by_hand, claimed, engine_in, make_faulty, one, push

MODULES = (statements, statements_of_looks)

SCANS_ALLOWED = {"LAST_ID", "TOTALS", "REBASE", "FINISHED", "FIRST_FINISHED"}
"""They read all queues, or run only at a start; their docstrings say so."""

TABLES = "SCAN (tasks|queues|payloads|groups|dedup_keys)"

TRANSACTIONS = {"BEGIN", "COMMIT", "ROLLBACK", "SAVE", "KEEP", "UNDO", "CHECKPOINT", "BRING_IN"}
"""They say themselves what they are for."""

SORTS_ALLOWED = {"IDLE", "ALL_IDLE", "HELD", "LAPSED_IN_TURN"}
"""They put the tasks that a queue's workers hold in order."""


def documented(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Yield each statement's name and its docstring, from the source."""
    tree = ast.parse(Path(module.__file__ or "").read_text())
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, ast.get_docstring(node) or ""
        match node, after:
            case ast.Assign(targets=[ast.Name(name)]), ast.Expr(ast.Constant(str(text))):
                yield name, text


Named = tuple[str, str, str]
"""A statement, what its docstring says, and its name."""

NAMED: list[Named] = [
    (value, text, name)
    for module in MODULES
    for name, text in documented(module)
    if isinstance(value := getattr(module, name), str) and " " in value and "PRAGMA" not in value
    if name not in ("PUSHED", "SETTINGS")
]
MADE: list[Named] = [
    (made(3), text, name)
    for module in MODULES
    for name, text in documented(module)
    if callable(made := getattr(module, name))
]


def plan(statement: str) -> list[str]:
    """Return SQLite's plan, line by line."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.upgrade(connection)
    # As many parameters as the statement has; their values do not matter to the plan.
    numbered = [int(number) for number in re.findall(r"\?(\d+)", statement)]
    count = max(numbered) if numbered else statement.count("?")
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", [0] * count).fetchall()
    connection.close()
    return [row[3] for row in rows]


@pytest.mark.parametrize(
    ("statement", "text", "name"), [*NAMED, *MADE], ids=[name for _, _, name in [*NAMED, *MADE]]
)
def test_a_statement_uses_the_index_that_it_names(statement: str, text: str, name: str) -> None:
    """No table is scanned; the index named is in the plan."""
    lines = plan(statement)
    for index in re.findall(r"(?:tasks|dedup_keys)_\w+", text):
        assert any(re.search(rf"USING (COVERING )?INDEX {index}\b", line) for line in lines), lines
    if "Index: the primary key" in text and "UPDATE" in statement:
        assert any("USING INTEGER PRIMARY KEY" in line for line in lines), lines
    if name not in SCANS_ALLOWED:
        assert not [line for line in lines if re.match(TABLES, line)], lines
    if name not in SORTS_ALLOWED:
        assert not [line for line in lines if "TEMP B-TREE" in line], lines


def test_every_statement_says_what_it_is_for() -> None:
    """None is without its docstring, and the two modules have no name twice by mistake."""
    for module in MODULES:
        described = {name for name, _ in documented(module)}
        plain = {name for name in vars(module) if name.isupper() and not name.startswith("_")}
        assert plain - described <= {"LOADED", "PUSHED", "SETTINGS", *TRANSACTIONS}


def test_statements_write_no_status_word() -> None:
    """Every status that is written is a parameter: words stand in filters only."""
    for statement, _, _ in NAMED:
        written = re.findall(r"\bSET\b(.*?)\bWHERE\b", statement, re.DOTALL)
        assert not [one for one in written if "status" in one]
    for statement, _, _ in MADE:
        assert "status = '" not in statement


def test_a_plan_stays_when_a_person_has_analyzed_the_database(tmp_path: Path) -> None:
    """Statistics of a database that is nearly empty do not lead to a scan."""
    with engine_in(tmp_path) as engine:
        for _ in range(20):
            push(engine)
    with by_hand(tmp_path) as connection:
        connection.execute("ANALYZE")
        for statement, index in [
            (statements.READY, "tasks_ready"),
            (statements.LAPSED, "tasks_leases"),
            (statements.NEXT_PRIORITY, "tasks_turns"),
            (statements.PROMOTE_IN_TURN, "tasks_turns"),
            (statements.HELD, "tasks_held"),
            (statements.IDLE, "tasks_held"),
            (statements.OLDEST_DONE, "tasks_finished"),
            (statements.FINISHED, "tasks_finished"),
            (statements.FIND_KEY, "autoindex_dedup_keys"),
            (statements_of_looks.LAST_LIVE, "tasks_live"),
            (statements_of_looks.LIVE, "tasks_live"),
            (statements_of_looks.DEAD, "tasks_dead_ids"),
            (statements_of_looks.HELD_BY, "tasks_held"),
            (statements_of_looks.HELD_IN_ALL, "tasks_held"),
            (statements_of_looks.HELD_BY_ONE, "tasks_held"),
        ]:
            values = [0] * statement.count("?")
            rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
            assert any(index in row[3] for row in rows), rows


def test_the_statements_of_a_push_a_claim_and_an_ack(tmp_path: Path) -> None:
    """However many there are in a batch, these and no others: this is the way of every task.

    The group is known from the first claim on, and costs nothing from then on.
    """
    with engine_in(tmp_path) as engine:
        one(engine, CreateQueue("q"))
        one(engine, Claim((Address("q"),), "ann", group="g"))
        seen: list[str] = []
        make_faulty(engine).fails = seen.append
        for _ in range(2):
            seen.clear()
            engine.execute([Push("q", NewTask(b"p")) for _ in range(3)])
            claims = [Claim((Address("q"),), "ann", group="g") for _ in range(3)]
            taken = [claimed(outcome)[0].id for outcome in engine.execute(claims)]
            engine.execute([Ack("q", (task,)) for task in taken])
        assert seen == [
            *(statements.BEGIN, statements.DATA_VERSION),
            *(statements.insert_tasks(3), statements.insert_payloads(3)),
            *(statements.COMMIT, statements.BEGIN, statements.DATA_VERSION),
            *(statements.READY, statements.update_tasks(3)),
            *(statements.COMMIT, statements.BEGIN, statements.DATA_VERSION),
            *(statements.load_tasks(3), statements.update_tasks(3)),
            statements.COMMIT,
        ]
