"""What the integration tests share: a server of each kind, and clients for it."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ezra.threaded.clock import SystemClock
from ezra.threaded.settings import MEMORY, Settings
from tests.integration.local_server import LocalServer
from tests.property.fake_clock import FakeClock

# What a shell starts in the background ignores Ctrl-C, and so would everything that we start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=["memory", "sqlite"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Return the settings of a server on a free port, once for each engine."""
    data_dir = MEMORY if request.param == "memory" else tmp_path / "data"
    return Settings(data_dir=data_dir, port=0)


@pytest.fixture
def server(settings: Settings) -> Iterator[LocalServer]:
    """Serve with the system's clock."""
    with LocalServer(settings, SystemClock()) as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    """Stand still until moved."""
    return FakeClock()


@pytest.fixture
def timed_server(settings: Settings, clock: FakeClock) -> Iterator[LocalServer]:
    """Serve with the clock that a test moves."""
    with LocalServer(settings, clock) as server:
        yield server


@pytest.fixture
def disk_server(tmp_path: Path) -> Iterator[LocalServer]:
    """Serve from a file, whose database can be looked at."""
    settings = Settings(data_dir=tmp_path / "data", port=0)
    with LocalServer(settings, SystemClock()) as server:
        yield server


@pytest.fixture
def own_process() -> Iterator[None]:
    """Put back what `ezra.cli.main` sets for its whole process."""
    logger, stack, umask = logging.getLogger("ezra"), threading.stack_size(), os.umask(0o022)
    os.umask(umask)
    handlers, level = list(logger.handlers), logger.level
    yield
    logger.handlers, logger.level = handlers, level
    threading.stack_size(stack)
    os.umask(umask)
