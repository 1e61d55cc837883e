"""An EZRA and a real Redis, side by side for as long as a module's tests run."""

from __future__ import annotations

import itertools
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bench.servers import redis_version
from ezra.sansio.model import SECOND, Defaults
from ezra.threaded.clock import SystemClock
from ezra.threaded.deadlines import Deadlines
from ezra.threaded.settings import MEMORY, Settings
from tests.integration.local_server import LocalServer
from tests.integration.pair import Pair
from tests.integration.redis_process import RedisProcess

PATIENT = Settings(
    data_dir=MEMORY,
    port=0,
    defaults=Defaults(visibility_timeout=24 * 3600 * SECOND, max_attempts=1_000_000),
)
"""No lease lapses, as none does in Redis, and no task dies."""

AT_ONCE = Deadlines(login_pause=0)
"""A wrong password is answered without the pause that Redis does not make either."""


class Servers:
    """Both of them."""

    def __init__(self, ezra: LocalServer, redis: RedisProcess) -> None:
        self._ezra = ezra
        self._redis = redis
        self.numbers = itertools.count(1)
        """Ids grow over all queues of an EZRA server, so all examples share one count."""
        self.names = itertools.count(1)

    def pair(self) -> Pair:
        """Connect to both."""
        return Pair(lambda: socket.create_connection(self._ezra.address), self._redis.connect)


COMPARED_WITH = "7."
"""The Redis whose texts the comparisons know: Debian 12's. Later ones have changed a few."""


@contextmanager
def side_by_side(settings: Settings = PATIENT, *options: str) -> Iterator[Servers]:
    """Start both, and end them; skip where the Redis at hand is none to compare with.

    Args:
        settings: EZRA's.
        options: further words of Redis' command line.
    """
    version = redis_version() or ""
    if not version.startswith(COMPARED_WITH):
        pytest.skip(f"compared with Redis {COMPARED_WITH}x; here is {version or 'none'}")
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="redis-"))
        redis = stack.enter_context(RedisProcess(Path(directory), *options))
        ezra = stack.enter_context(LocalServer(settings, SystemClock(), AT_ONCE))
        yield Servers(ezra, redis)
