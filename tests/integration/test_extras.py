"""What pyproject.toml promises: `pip install -e '.[test]'` brings all that the tests import.

The fuzzer has an extra of its own, which only `make fuzz` and `make soak` install.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"bench", "examples", "ezra", "scripts", "tests"}
PROGRAMS = (ROOT / "tests" / "clients" / "python", ROOT / "tests" / "tools" / "scripts")
"""What runs in environments of its own, with the libraries that it tries out."""

FUZZER = ROOT / "tests" / "fuzz" / "guided.py"


def required(extras: dict[str, list[str]], name: str) -> Iterator[str]:
    """Yield the projects that an extra installs, those of the extras that it names included."""
    for requirement in extras[name]:
        if own := re.fullmatch(r"ezra\[(\w+)\]", requirement):
            yield from required(extras, own[1])
        else:
            yield re.split(r"[^\w-]", requirement)[0]


def imported(path: Path) -> Iterator[str]:
    """Yield the top-level modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.unmeasured
def test_the_extra_for_tests_brings_what_they_import() -> None:
    """Whoever installs it can run the suite."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    files = {path for path in (ROOT / "tests").rglob("*.py") if path.parent not in PROGRAMS}
    for extra, parts in (("test", files - {FUZZER}), ("fuzz", {FUZZER})):
        used = {name for path in parts for name in imported(path)}
        assert used - OURS - sys.stdlib_module_names <= set(required(extras, extra))
