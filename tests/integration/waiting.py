"""Waiting for a condition that nothing announces: what a test can only see by looking."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

PATIENCE = float(os.environ.get("TEST_PATIENCE", "10"))
"""Seconds after which what does not happen fails the test."""


def until(condition: Callable[[], object], what: str) -> None:
    """Return as soon as the condition holds; fail, saying what was awaited, when it never does."""
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        pause.wait(0.001)
