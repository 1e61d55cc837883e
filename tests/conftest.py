"""What concerns the whole suite, whatever it tests."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Generator

import pytest


def pytest_collection_finish() -> None:
    """Have the collector of circles leave alone what lives to the end.

    Modules, tests and their parameters are a hundred thousand objects and more, and whatever makes
    many objects, hypothesis above all, had Python look at all of those again and again.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Have coverage look away from a test that is marked `unmeasured`.

    It is called for each line, so a test that runs the same ones a hundred thousand times takes up
    to five times as long with it. (The marker that pytest-cov has for this does nothing in the
    processes of xdist: they hold two measurements, and where one pauses the other goes on.)
    """
    here, in_threads = sys.gettrace(), threading.gettrace()
    if here is None or item.get_closest_marker("unmeasured") is None:
        return (yield)
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        threading.settrace(in_threads)
        sys.settrace(here)
