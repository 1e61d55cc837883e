"""Every statement uses the index that its docstring names, and none reads a whole table."""

from __future__ import annotations

import ast
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ezra.threaded.sqlite import schema, statements
from tests.property.sqlite_worlds import by_hand, engine_in, push

SCANS_ALLOWED = {"LAST_ID", "TOTALS", "REBASE", "ALL_BOOKS"}
"""They read all queues, or run only at a start; their docstrings say so."""


def documented() -> Iterator[tuple[str, str]]:
    """Yield each statement's name and its docstring, from the source."""
    tree = ast.parse(Path(statements.__file__).read_text())
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, ast.get_docstring(node) or ""
        match node, after:
            case ast.Assign(targets=[ast.Name(name)]), ast.Expr(ast.Constant(str(text))):
                yield name, text


NAMED = [(name, text) for name, text in documented() if isinstance(getattr(statements, name), str)]
MADE = [(name, text) for name, text in documented() if callable(getattr(statements, name))]


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
    ("statement", "text", "name"),
    [
        *((getattr(statements, name), text, name) for name, text in NAMED if "PRAGMA" not in name),
        *((getattr(statements, name)(3), text, name) for name, text in MADE),
    ],
    ids=[name for name, _ in [*NAMED, *MADE]],
)
def test_a_statement_uses_the_index_that_it_names(statement: str, text: str, name: str) -> None:
    """No table is scanned; the index named is in the plan."""
    lines = plan(statement)
    for index in re.findall(r"tasks_\w+", text):
        assert any(re.search(rf"USING (COVERING )?INDEX {index}\b", line) for line in lines), lines
    if "Index: the primary key" in text and "UPDATE" in statement:
        assert any("USING INTEGER PRIMARY KEY" in line for line in lines), lines
    if name not in SCANS_ALLOWED:
        assert not [line for line in lines if re.match(r"SCAN (tasks|queues|payloads)", line)]
        assert not [line for line in lines if "TEMP B-TREE" in line and "ORDER" in line]


def test_statements_write_no_status_word() -> None:
    """Every status that is written is a parameter: words stand in filters only."""
    for name, _ in NAMED:
        written = re.findall(r"\bSET\b(.*?)\bWHERE\b", getattr(statements, name), re.DOTALL)
        assert not [one for one in written if "status" in one]
    for name, _ in MADE:
        assert "status = '" not in getattr(statements, name)(2)


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
            (statements.HELD, "tasks_held"),
            (statements.LAST_LIVE, "tasks_live"),
        ]:
            values = [0] * statement.count("?")
            rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
            assert any(index in row[3] for row in rows), rows
