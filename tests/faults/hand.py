"""A worker in a process of its own, to be killed and stopped.

    python -m tests.faults.hand PLACE NOTES NAME SEED LEASE

PLACE is a file that holds the server's address. It works until its standard input ends.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
from pathlib import Path

from tests.faults.recorder import Address, FileNotes, Recorder
from tests.faults.workload import work


def read_address(place: Path) -> Address:
    """Return the address that the file holds."""
    host, port = place.read_text(encoding="ascii").split()
    return host, int(port)


def main(place: str, notes: str, name: str, seed: str, lease: str) -> None:
    """Work until the standard input ends."""
    recorder = Recorder(lambda: read_address(Path(place)), FileNotes(Path(notes)), name, int(lease))
    # Ctrl-C reaches everybody in the terminal; whoever started this one ends it in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = threading.Event()
    worker = threading.Thread(target=work, args=(recorder, random.Random(seed), stop))
    worker.start()
    sys.stdin.read()
    stop.set()
    worker.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
