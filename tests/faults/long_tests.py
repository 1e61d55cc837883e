"""What the suite does briefly, done for long: the agreement of the engines, and the soak tests."""

from __future__ import annotations

import re
import subprocess
import sys
import time

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from ezra.sansio.queue.looks import Look
from ezra.sansio.queue.operations import Operation
from tests.faults.tally import Tally
from tests.property.test_agreement import Agreement

AT_A_TIME = settings(
    max_examples=4,
    stateful_step_count=50,
    deadline=None,
    database=None,  # a new history each time; what fails is printed and can be replayed
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
"""Histories that are tried before the time is looked at."""


def agreement(seconds: float) -> Tally:
    """For so long, hold the engines against the pure queue in random histories."""
    operations = 0

    class Counted(Agreement):
        """Counts what it asks."""

        def applied(self, operation: Operation | Look, now: int) -> object:
            """Count one operation that all of them have been asked."""
            nonlocal operations
            operations += 1
            return super().applied(operation, now)

    end = time.monotonic() + seconds
    while not operations or time.monotonic() < end:
        run_state_machine_as_test(Counted, settings=AT_A_TIME)
    return Tally(operations=operations)


PASSED = re.compile(r"(\d+) passed")


def soak_tests(_: float) -> Tally:
    """Run the tests that are marked so. They take as long as they take: some minutes."""
    line = [sys.executable, "-m", "pytest", "-m", "soak", "-q", "tests"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = PASSED.search(done.stdout)
    assert found, done.stdout
    return Tally(note=f"{found[1]} tests")
