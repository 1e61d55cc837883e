"""tarsk with its Redis broker: a worker process, two tasks, each done once.

Between tasks tarsk looks for revoked and delayed ones, in sorted sets and by Lua. That this is
refused it only counts; what is sent to be done at once is done.
"""

# mypy: disable-error-code="import-not-found"
# tarsk is installed in an environment of its own.

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PATIENCE = 10
"""Seconds within which both tasks must be done."""


def main(file: Path) -> None:
    """Send two tasks and run a worker until they are done."""
    from tarsk_app import note  # noqa: PLC0415 - it reads its broker's address when it is imported

    worker = subprocess.Popen(
        [Path(sys.executable).with_name("tarsk"), "worker", "--app", "tarsk_app:app"],
        cwd=Path(__file__).parent,
    )
    try:
        for number in (1, 2):
            note.send(str(file), number)
        until = time.monotonic() + PATIENCE
        while not file.exists() or len(file.read_text("ascii").split()) < 2:
            assert time.monotonic() < until, "Error: the tasks were not done"
            assert worker.poll() is None, "Error: the worker died"
            time.sleep(0.05)
    finally:
        worker.terminate()
        worker.wait(PATIENCE)
    assert sorted(file.read_text("ascii").split()) == ["1", "2"], "Error: not once each"


if __name__ == "__main__":
    os.environ["TARSK_BROKER"] = f"redis://{sys.argv[1]}:{sys.argv[2]}/0"
    with tempfile.TemporaryDirectory() as directory:
        main(Path(directory) / "done")
