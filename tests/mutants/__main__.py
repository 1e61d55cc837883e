"""`make mutants`: break a copy of EZRA in every way of the catalogue; the tests must notice.

    python -m tests.mutants [--only WORDS …] [--quick] [--jobs N] [--unbroken]

For each mutant the tests that it names are run, and the whole suite if those stay green. Prints
which test noticed, and ends with code 1 if a mutant survives. First of all the named tests are run
in a copy that is not broken: there they have to be green, or red would mean nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.trial import WHOLE, Verdict, attempt, copied_tree, imported_from, red

ROW = "{:<54}{:>8}  {}"


def main(arguments: Sequence[str]) -> int:
    """Try the mutants and print the table; return the exit code."""
    parser = argparse.ArgumentParser(prog="make mutants", description="Break EZRA on purpose.")
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORDS", help="parts of names")
    parser.add_argument("--quick", action="store_true", help="only the tests that a mutant names")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="side by side")
    parser.add_argument("--unbroken", action="store_true", help="take green without a mutant as so")
    given = parser.parse_args(arguments)
    chosen = [one for one in MUTANTS if any(words in one.name for words in given.only)]
    if not given.unbroken:
        _check_unbroken(chosen)
    print(ROW.format("mutant", "seconds", "noticed by"), flush=True)
    with ThreadPoolExecutor(given.jobs) as pool:
        verdicts = list(pool.map(partial(_try, whole=not given.quick), chosen))
    survivors = [verdict.mutant for verdict in verdicts if verdict.killer is None]
    print(f"{len(verdicts)} mutants, {len(survivors)} survived")
    return 1 if survivors else 0


def _check_unbroken(chosen: Sequence[Mutant]) -> None:
    """Check that the copy is what is imported, and that the named tests are green in it."""
    tests = sorted({name for mutant in chosen for name in mutant.tests.split()})
    with copied_tree() as tree:
        assert imported_from(tree).is_relative_to(tree), "the copy is not what is imported"
        noticed = red(tree, tests, WHOLE)
    assert noticed is None, f"red without any mutant: {noticed}"
    print(f"without a mutant: {len(tests)} files of tests are green", flush=True)


def _try(mutant: Mutant, *, whole: bool) -> Verdict:
    with copied_tree() as tree:
        verdict = attempt(mutant, tree, whole=whole)
    told = verdict.killer or "NOBODY: it survived"
    print(ROW.format(verdict.mutant, f"{verdict.seconds:.1f}", told), flush=True)
    return verdict


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
