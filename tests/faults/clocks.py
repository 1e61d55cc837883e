"""A wall clock that jumps under a server, and a monotonic clock that starts anew.

`WallClock` moves the wall clock of the processes that are given its `variables`, at any moment and
no other clock, by a few lines of C that are loaded before the C library (`wall_clock.c`).
`rebooted` has a process count the monotonic clock from elsewhere, as after a reboot; the kernel can
do that (a time namespace), but only from a process's start on.
"""

from __future__ import annotations

import functools
import mmap
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.crashes import AFTERMATH, Surroundings, World, rounds
from tests.faults.tally import Tally

SOURCE = Path(__file__).with_name("wall_clock.c")

HOUR = 3_600
DAY = 24 * HOUR
SHIFT = struct.Struct("q")


def without_shim() -> str | None:
    """Return why a wall clock cannot be moved here; None where it can."""
    return None if shutil.which("gcc") else "needs gcc, to build what moves a clock"


@functools.cache
def shim() -> Path:
    """Return the library that moves the wall clock, built at the first call."""
    library = Path(tempfile.mkdtemp(prefix="ezra-clock-")) / "wall_clock.so"
    subprocess.run(
        ["gcc", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o", library, SOURCE],
        check=True,
    )
    return library


class WallClock:
    """The wall clock of whatever is started with its `variables`."""

    def __init__(self, directory: Path) -> None:
        self.shift = 0
        """Seconds by which it is ahead of the real one."""
        path = directory / "shift"
        path.write_bytes(SHIFT.pack(0))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), SHIFT.size)
        self.variables = {"LD_PRELOAD": str(shim()), "WALL_CLOCK_SHIFT": str(path)}

    def jump(self, seconds: int) -> None:
        """Move it, at once and for everybody."""
        self.shift += seconds
        SHIFT.pack_into(self._page, 0, self.shift)

    def now(self) -> float:
        """Return what it says: Unix seconds."""
        return time.time() + self.shift


def rebooted(monotonic: int) -> list[str]:
    """Return what starts a program whose monotonic clock stands at so many seconds."""
    return ["unshare", "--time", "--monotonic", str(monotonic - int(time.monotonic()))]


def without_reboots() -> str | None:
    """Return why `rebooted` does not work here; None where it does."""
    probe = [*rebooted(1_000_000), sys.executable, "-c", "import time; print(time.monotonic())"]
    if not shutil.which(probe[0]):
        return "needs unshare, to start a monotonic clock anew"
    found = subprocess.run(probe, capture_output=True, text=True, check=False)
    if found.returncode or float(found.stdout) < 1_000_000:
        return f"no time namespaces here: {found.stderr.strip() or 'the clock stays as it is'}"
    return None


def jumps(seconds: float) -> Tally:
    """For so long, let the wall clock jump under a server under load, and while it is down."""
    why = without_shim()
    if why:
        return Tally(note=why)
    with tempfile.TemporaryDirectory(prefix="ezra-clock-") as directory:
        clock = WallClock(Path(directory))
        started_at = clock.shift

        def harm(one: World) -> None:
            nonlocal started_at
            one.wait(0.3)
            one.faults += 1
            if one.chance.random() < 0.7:
                clock.jump(one.chance.choice([-2 * HOUR, 10 * DAY, -1, 1, HOUR, -10 * DAY]))
                return
            # A start under a clock that was set back lets what is delayed wait for longer: only on.
            started_at += one.chance.choice([0, 1, 2 * HOUR, 10 * DAY])
            clock.jump(started_at - clock.shift)
            one.kill_server()

        around = Surroundings(variables=clock.variables)
        return rounds(seconds, harm, AFTERMATH, around, steady=False)
