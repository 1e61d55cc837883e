"""Make the virtual environment `.venv` hold what a make target needs.

    python -m scripts.set_up client test check

installs EZRA itself (editable) with those extras. Nothing happens when they are there already: a
stamp in `.venv` tells for which pyproject.toml, and for which place of the checkout, each extra was
installed. The checkout's directory is locked meanwhile, so that parallel makes wait for each other.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.system import (
    ROOT,
    SetUpFailed,
    environment,
    install_packages,
    locked,
    run,
    say,
)

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
VENV_PACKAGE = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
"""Debian's package that lets this very Python make virtual environments."""

SYSTEM = {
    "test": (
        # The tests hold EZRA against a real Redis, which is one binary under several names; this
        # package has it without starting a service.
        (("redis-server", "redis-check-rdb"), "redis-tools"),
        # System calls are watched, and made to fail.
        (("strace",), "strace"),
        (("gcc",), "gcc libc6-dev"),
        # File systems are made, mounted and crashed.
        (("mkfs.ext4",), "e2fsprogs"),
        (("mkfs.xfs",), "xfsprogs"),
        # Networks are made, and packets dropped in them.
        (("ip",), "iproute2"),
        (("nft",), "nftables"),
    )
}
"""What an extra needs of the system: any one of the programs, or else the packages."""

SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where programs for the administrator are, which not everybody's PATH names."""


def main(extras: list[str]) -> None:
    """Bring the virtual environment up to date for these extras."""
    with locked(ROOT):
        if not _works():
            _create()
        install_packages([package for extra in extras for package in _packages(extra)])
        missing = [extra for extra in extras if not _stamped(extra)]
        if missing:
            _install(missing)


def _packages(extra: str) -> Iterator[str]:
    """Yield the packages whose programs an extra needs and does not find."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *SBIN))
    for programs, packages in SYSTEM.get(extra, ()):
        if not any(shutil.which(program, path=path) for program in programs):
            yield from packages.split()


def _works() -> bool:
    """Say whether the environment has a Python and a pip that still start, at this place."""
    if not PYTHON.exists():
        return False
    probe = "import pip, sys; print(sys.prefix)"
    found = subprocess.run(
        [PYTHON, "-c", probe], capture_output=True, text=True, check=False, env=environment()
    )
    return found.returncode == 0 and Path(found.stdout.strip()).resolve() == VENV


def _create() -> None:
    say("making the virtual environment .venv")
    if not _can_make_environments():
        install_packages([VENV_PACKAGE])
    run(sys.executable, "-m", "venv", "--clear", VENV)


def _can_make_environments() -> bool:
    """Say whether this Python has ensurepip; Debian keeps it in a package of its own."""
    probe = [sys.executable, "-c", "import ensurepip"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def _install(extras: list[str]) -> None:
    say(f"installing what is needed for: {', '.join(extras)}")
    wanted = f".[{','.join(extras)}]"
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check")
    run(PYTHON, "-m", "pip", "install", *quiet, "--editable", wanted)
    for extra in extras:
        _stamp(extra).write_text(_fingerprint(), encoding="utf-8")


def _stamp(extra: str) -> Path:
    return VENV / f"installed-{extra}.stamp"


def _stamped(extra: str) -> bool:
    stamp = _stamp(extra)
    return stamp.exists() and stamp.read_text(encoding="utf-8") == _fingerprint()


def _fingerprint() -> str:
    """Return what an installation depends on: a moved checkout needs a new one, too."""
    project = (ROOT / "pyproject.toml").read_bytes()
    return hashlib.sha256(os.fsencode(ROOT) + b"\0" + project).hexdigest()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SetUpFailed as failure:
        sys.exit(str(failure))
