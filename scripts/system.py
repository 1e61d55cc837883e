"""What every set-up does to the machine: run commands, lock a folder, add Debian's packages."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

OWN_SETTINGS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX")
"""Variables of whoever calls us that would lead pip to another place."""


class SetUpFailed(Exception):
    """Something could not be made ready; the text says what, and what a person can do."""


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep other set-ups that lock the same directory waiting until this block ends."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def run(*words: str | Path, cwd: Path = ROOT, variables: Mapping[str, str] | None = None) -> None:
    """Run a command; without stdin, so that nothing can ask.

    Its stdout is sent to stderr: what a set-up says is never a program's output.

    Args:
        words: the command.
        cwd: where it runs.
        variables: what it finds in its environment, beside `environment()`.

    Raises:
        SetUpFailed: it ended with another code than 0.
    """
    done = subprocess.run(
        words,
        cwd=cwd,
        env=environment() | dict(variables or {}),
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
        check=False,
    )
    if done.returncode:
        raise SetUpFailed(f"set-up failed: {shlex.join(map(str, words))}")


def environment() -> dict[str, str]:
    """Return the caller's variables without those that would mislead pip."""
    kept = {name: value for name, value in os.environ.items() if name not in OWN_SETTINGS}
    return kept | {"PIP_USER": "0"}


def install_packages(packages: Sequence[str]) -> None:
    """Install what is missing of these packages of Debian's.

    Raises:
        SetUpFailed: this is no Debian, or we may not; the text says what to type.
    """
    missing = [package for package in packages if not _is_installed(package)]
    if not missing:
        return
    become = _becoming_root(missing)
    say(f"installing the system packages {', '.join(missing)}")
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
    run(*become, "apt-get", "update", "-q")
    run(*become, "env", "DEBIAN_FRONTEND=noninteractive", *install)


def _is_installed(package: str) -> bool:
    if not shutil.which("dpkg-query"):
        return False
    asked = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    return found.stdout == "installed"


def _becoming_root(packages: Sequence[str]) -> list[str]:
    """Return what to put before a command so that root runs it."""
    wanted = " ".join(packages)
    if not shutil.which("apt-get"):
        raise SetUpFailed(f"missing, and there is no apt-get to install them: {wanted}")
    if os.geteuid() == 0:
        return []
    if not _may_sudo():
        advice = f"sudo apt-get update && sudo apt-get install {wanted}"
        raise SetUpFailed(
            f"system packages are missing. Type this, then try again:\n\n    {advice}\n"
        )
    return ["sudo", "-n"]


def _may_sudo() -> bool:
    if not shutil.which("sudo"):
        return False
    asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return asked.returncode == 0


def say(what: str) -> None:
    """Tell whoever waits what is being done."""
    print(f"set-up: {what}", file=sys.stderr, flush=True)
