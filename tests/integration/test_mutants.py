"""The catalogue of mutants does not rot: each still applies, to a copy that is then what runs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.trial import ROOT, attempt, copied_tree, environment, imported_from

VERSION = Mutant("another version", "ezra/version.py", 'VERSION = "', 'VERSION = "99.', "")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_still_applies(mutant: Mutant) -> None:
    """Its text is there, once; what stands there instead compiles; its tests exist."""
    text = (ROOT / mutant.file).read_text("utf-8")
    assert mutant.mutate(text) != text
    assert mutant.tests.split()
    assert all((ROOT / name).is_file() for name in mutant.tests.split())


def test_each_mutant_breaks_something_of_its_own() -> None:
    """No two have the same name or are the same."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)
    assert len(MUTANTS) >= 16


def test_a_stale_mutant_fails_loudly() -> None:
    """So that somebody brings it up to date."""
    with pytest.raises(AssertionError, match="has its text 0 times"):
        Mutant("stale", "ezra/version.py", "no such text", "", "").mutate("VERSION = 1")


def test_a_broken_copy_is_what_its_tests_and_servers_run(tmp_path: Path) -> None:
    """Though the environment was made for this tree; and this tree stays as it is."""
    probe = (
        "from tests.integration.server_process import run\n"
        "def test_version() -> None:\n"
        "    assert '99.' not in run('--version').stdout\n"
    )
    with copied_tree() as tree:
        assert imported_from(tree) == tree / "ezra" / "__init__.py"
        (tree / "tests" / "test_probe.py").write_text(probe, encoding="utf-8")
        tried = replace(VERSION, tests="tests/test_probe.py")
        assert attempt(tried, tree, whole=False).killer == "tests/test_probe.py::test_version"
        assert (tree / VERSION.file).read_text("utf-8") == (ROOT / VERSION.file).read_text("utf-8")
        VERSION.apply(tree)
        line = [sys.executable, "-m", "ezra", "--version"]
        shown = subprocess.run(
            line, cwd=tmp_path, env=environment(tree), capture_output=True, text=True, check=True
        )
        assert "99." in shown.stdout
    assert imported_from(ROOT) == ROOT / "ezra" / "__init__.py"
