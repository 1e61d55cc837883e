"""Trying a mutant: a copy of the tree, one file of it broken, and the tests run in there.

The copy has no environment of its own. `PYTHONPATH` puts it before the tree that the environment
was installed for, also in the servers that tests start; `imported_from` tells whether that is so.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parents[2]
"""The tree."""

LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv", ".*_cache", ".fuzz", ".hypothesis", ".coverage*", "__pycache__"),
    *("*.egg-info", ".clients", ".tools", "ezra-data", "build"),
)
SHARED = (".clients", ".tools")
"""Downloads, which a copy uses where they are."""

ABOUT_MUTANTS = "tests/integration/test_mutants.py"
"""Fails over every mutant, because its text is not there any more; that proves nothing."""

EACH_TEST = 120
"""Seconds for one test: a mutant may well make one wait for ever."""

SELECTION = 600
WHOLE = 1800
"""Seconds for the named tests, and for all of them."""

_RED = re.compile(r"^(?:FAILED|ERROR) (\S+::.+?)(?: - .*)?$", re.MULTILINE)
_HANGING = re.compile(r'/(tests/\S+\.py)", line \d+, in (test_\w+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a trial."""

    mutant: str
    killer: str | None
    """The test that noticed; None: the mutant survived."""
    seconds: float


@contextmanager
def copied_tree() -> Iterator[Path]:
    """Lend a copy of the tree as it is now."""
    with TemporaryDirectory(prefix="ezra-mutant-") as place:
        tree = Path(place) / "tree"
        shutil.copytree(ROOT, tree, ignore=LEFT_OUT, symlinks=True)
        for name in SHARED:
            if (ROOT / name).exists():
                (tree / name).symlink_to(ROOT / name)
        yield tree


def imported_from(tree: Path, module: str = "ezra") -> Path:
    """Return the file from which a process that runs in the tree, as servers do, imports EZRA."""
    line = [sys.executable, "-c", f"import {module}; print({module}.__file__)"]
    done = subprocess.run(
        line, cwd="/", env=environment(tree), capture_output=True, text=True, check=True
    )
    return Path(done.stdout.strip())


def environment(tree: Path) -> dict[str, str]:
    """Return the variables of a process that is to use the tree."""
    return os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}


def red(tree: Path, tests: Sequence[str], patience: float) -> str | None:
    """Run tests in a tree up to the first that is red; return its name, or None: all were green.

    Raises:
        AssertionError: they could not even be collected.
    """
    options = ("-x", "-q", "--no-header", f"--timeout={EACH_TEST}", f"--ignore={ABOUT_MUTANTS}")
    plugins = ("-p", "no:cacheprovider", "-p", "tests.mutants.unshrunk")
    line = [sys.executable, "-m", "pytest", *plugins, *options, *tests]
    process = subprocess.Popen(
        line,
        cwd=tree,
        env=environment(tree),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        told, _ = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        return f"nothing within {patience:.0f} s"
    finally:
        _end(process)
    return None if process.returncode == 0 else _first_red(told)


def _end(process: subprocess.Popen[str]) -> None:
    """End the run and the servers that it may have left behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def _first_red(told: str) -> str:
    found = _RED.search(told)
    if found:
        return found[1]
    assert "Timeout" in told, f"no test was run:\n{told[-3000:]}"
    names = ["::".join(found) for found in _HANGING.findall(told)]
    return f"{names[0] if names else 'a test'} hung"


def attempt(mutant: Mutant, tree: Path, *, whole: bool) -> Verdict:
    """Break the tree, run the tests that should notice, then all if none did, and mend the tree."""
    begun = time.monotonic()
    text = mutant.apply(tree)
    try:
        killer = red(tree, mutant.tests.split(), SELECTION)
        if killer is None and whole:
            killer = red(tree, (), WHOLE)
    finally:
        (tree / mutant.file).write_text(text, encoding="utf-8")
    return Verdict(mutant.name, killer, time.monotonic() - begun)
