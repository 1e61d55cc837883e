"""What concerns the whole suite, whatever it tests."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """Have the collector of circles leave alone what lives to the end.

    Modules, tests and their parameters are a hundred thousand objects and more, and whatever makes
    many objects, hypothesis above all, had Python look at all of those again and again.
    """
    gc.collect()
    gc.freeze()
