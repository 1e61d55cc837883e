"""Make the virtual environment `.venv` hold what a make target needs.

    python scripts/set_up.py client test check

installs EZRA itself (editable) with those extras. Nothing happens when they are there already: a
stamp in `.venv` tells for which pyproject.toml, and for which place of the checkout, each extra was
installed. The checkout's directory is locked meanwhile, so that parallel makes wait for each other.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
VENV_PACKAGE = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
"""Debian's package that lets this very Python make virtual environments."""

OWN_SETTINGS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX")
"""Variables of whoever calls make that would lead pip to another place."""


def main(extras: list[str]) -> None:
    """Bring the virtual environment up to date for these extras."""
    with _locked(ROOT):
        if not _works():
            _create()
        missing = [extra for extra in extras if not _stamped(extra)]
        if missing:
            _install(missing)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _works() -> bool:
    """Say whether the environment has a Python and a pip that still start, at this place."""
    if not PYTHON.exists():
        return False
    probe = "import pip, sys; print(sys.prefix)"
    found = subprocess.run(
        [PYTHON, "-c", probe], capture_output=True, text=True, check=False, env=_environment()
    )
    return found.returncode == 0 and Path(found.stdout.strip()).resolve() == VENV


def _create() -> None:
    _say("making the virtual environment .venv")
    if not _can_make_environments():
        _install_system_package(VENV_PACKAGE)
    _run(sys.executable, "-m", "venv", "--clear", VENV)


def _can_make_environments() -> bool:
    """Say whether this Python has ensurepip; Debian keeps it in a package of its own."""
    probe = [sys.executable, "-c", "import ensurepip"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def _install_system_package(package: str) -> None:
    install = ["apt-get", "install", "-y", "--no-install-recommends", package]
    if not shutil.which("apt-get"):
        sys.exit(f"{sys.executable} cannot make virtual environments: it has no ensurepip")
    if os.geteuid() == 0:
        become: list[str] = []
    elif _may_sudo():
        become = ["sudo", "-n"]
    else:
        sys.exit(
            f"a system package is missing. Type this, then try again:\n\n    {_sudo(package)}\n"
        )
    _say(f"installing the system package {package}")
    _run(*become, "apt-get", "update", "-q")
    _run(*become, "env", "DEBIAN_FRONTEND=noninteractive", *install)


def _may_sudo() -> bool:
    if not shutil.which("sudo"):
        return False
    asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return asked.returncode == 0


def _sudo(package: str) -> str:
    return f"sudo apt-get update && sudo apt-get install {package}"


def _install(extras: list[str]) -> None:
    _say(f"installing what is needed for: {', '.join(extras)}")
    wanted = f".[{','.join(extras)}]"
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check")
    _run(PYTHON, "-m", "pip", "install", *quiet, "--editable", wanted)
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


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in OWN_SETTINGS}
    return kept | {"PIP_USER": "0"}


def _run(*words: str | Path) -> None:
    """Run a command in the checkout; without stdin, so that nothing can ask. Exit if it fails."""
    done = subprocess.run(
        words, cwd=ROOT, env=_environment(), stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        sys.exit(f"set-up failed: {shlex.join(map(str, words))}")


def _say(what: str) -> None:
    print(f"set-up: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
