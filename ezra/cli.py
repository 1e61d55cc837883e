"""The command line: what `python -m ezra` does, from its arguments to its exit code.

Exit codes: 0 after SIGTERM or Ctrl-C, 1 when the server cannot run or its storage fails, 2 for a
wrong flag or variable. What is not serving is in `ezra.maintenance`.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Sequence

from ezra import maintenance
from ezra.options import parse
from ezra.threaded import failpoints
from ezra.threaded.process import start_again_with_small_caches
from ezra.threaded.service import serve

log = logging.getLogger(__name__)

THREAD_STACK = 512 * 1024
"""Bytes of a thread's stack. What is not used costs address space only, but of that the platform's
default takes 8 MiB a client; much less than this, and deep C code could end the process."""

UMASK = 0o077
"""Whatever file the server makes, nobody else may read it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `python -m ezra` with these arguments, the process' own by default.

    Returns the exit code. Wrong arguments leave through SystemExit(2), as argparse does it.
    """
    os.umask(UMASK)
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in maintenance.COMMANDS:
        return maintenance.run(words, os.environ)
    log_to_stderr()
    if arguments is None:
        # Before anything is read: a password may come from a pipe, which gives it once.
        start_again_with_small_caches()
    settings = parse(words, os.environ)
    arm_failpoints(os.environ.get(failpoints.VARIABLE, ""))
    threading.stack_size(THREAD_STACK)
    return serve(settings)


def arm_failpoints(text: str) -> None:
    """Arm what the variable asks for, and say so: nobody wants that but a test."""
    points = failpoints.read(text)
    failpoints.arm(points)
    if points:
        log.warning("failpoints are armed, this is no server to be used: %s", text)


class OneLine(logging.Formatter):
    """Formats an event as one line, whatever the event's text holds."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    @staticmethod
    def converter(seconds: float | None) -> time.struct_time:
        """Return the time in UTC, as the letter at its end says."""
        return time.gmtime(seconds)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with the line ends of a traceback written out."""
        return super().format(record).replace("\n", "\\n").replace("\r", "\\r")


def log_to_stderr() -> None:
    """Send EZRA's log to stderr, one line an event."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("ezra")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
