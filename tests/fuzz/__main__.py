"""`make fuzz`: a fuzzer that is guided by coverage, on each target in turn.

    python -m tests.fuzz [--seconds N] [--target NAME …] [--replay FILE]

Prints how many inputs were tried, and how many a second. The exit code is 1 if one of them broke
something; then it is printed with how to see it again, which needs no fuzzer.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz.hunt import Found, hunt, replay
from tests.fuzz.targets import TARGETS

ROW = "{:<12}{:>14}{:>10}{:>10}{:>12}"


def main(arguments: list[str]) -> int:
    """Hunt, or replay; return the exit code."""
    parser = argparse.ArgumentParser(prog="make fuzz", description="Fuzz EZRA, guided by coverage.")
    parser.add_argument("--seconds", type=float, default=60, help="for each target (60)")
    parser.add_argument("--target", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--replay", type=Path, metavar="FILE", help="try this one input again")
    given = parser.parse_args(arguments)
    if given.replay:
        for target in given.target:
            replay(target, given.replay)
        print("nothing is broken by it")
        return 0
    return _hunt_all(given.target, given.seconds)


def _hunt_all(wanted: list[str], seconds: float) -> int:
    broken = 0
    print(ROW.format("target", "inputs", "a second", "corpus", "memory MB"), flush=True)
    for target in wanted:
        try:
            done = hunt(target, seconds)
        except Found as found:
            print(found, flush=True)
            broken = 1
            continue
        row = ROW.format(target, done.inputs, done.a_second, done.corpus, done.memory_mb)
        print(row, flush=True)
    return broken


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
