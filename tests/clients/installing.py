"""Install a client into its folder, step by step, and only what is not there yet.

Each step leaves a stamp: a digest of itself, of the steps before it and of what else it depends on.
A step whose stamp does not fit runs again, and so do those after it; when it is the first, the
folder is emptied before. One folder is locked for all installations: they share pip's and npm's
caches, the system's packages, and sometimes a home.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

from scripts.system import ROOT, install_packages, locked, run, say
from tests.clients import node_runtime
from tests.clients.catalogue import Apt, Build, Client, Npm, Pip, Step
from tests.clients.places import CACHE, filled, home, program, variables

PIP_OPTIONS = ("--quiet", "--no-input", "--disable-pip-version-check")
NPM_OPTIONS = (
    *("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"),
    "--before=2026-11-20",  # what a client brings along is as it was on that day
)


def install(client: Client) -> None:
    """Make a client ready to run.

    Raises:
        SetUpFailed: a registry or a compiler refused; what was done before it stays.
    """
    CACHE.mkdir(exist_ok=True)
    with locked(CACHE):
        digest = _first_digest(client)
        for number, step in enumerate(client.install):
            digest = _digest(digest, client, step)
            _perform(client, number, step, digest)


def _perform(client: Client, number: int, step: Step, digest: str) -> None:
    """Run one step, unless its stamp fits. Debian's packages are looked up in any case."""
    stamp = home(client) / f"step-{number}.stamp"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        if isinstance(step, Apt):
            install_packages(step.packages)
        return
    if number == 0:
        shutil.rmtree(home(client), ignore_errors=True)
    home(client).mkdir(exist_ok=True)
    say(f"{client.name}: {_summary(step)}")
    _take(client, step)
    stamp.write_text(digest, encoding="utf-8")


def _take(client: Client, step: Step) -> None:
    match step:
        case Pip(requirements):
            _install_from_pypi(home(client), filled(client, requirements))
        case Npm(packages):
            _install_from_npm(client, packages)
        case Apt(packages):
            install_packages(packages)
        case Build(command):
            run(*filled(client, command), cwd=home(client), variables=variables(client))
        case _:
            assert_never(step)


def _install_from_pypi(folder: Path, requirements: Sequence[str]) -> None:
    """Make a virtual environment; the pip that fills it is that of the running Python."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python")
    run(*pip, "install", *PIP_OPTIONS, *requirements)


def _install_from_npm(client: Client, packages: tuple[str, ...]) -> None:
    node_runtime.ensure(CACHE)
    folder = home(client)
    npm = ("npm", "install", *NPM_OPTIONS, "--prefix", folder)
    run(*npm, *packages, cwd=folder, variables=variables(client))
    link = folder / "programs"
    link.unlink(missing_ok=True)
    link.symlink_to(program(client).parent)


def _first_digest(client: Client) -> str:
    """Return what every step depends on: this Python, this place, the client's variables."""
    surroundings = (sys.version, os.fspath(ROOT), client.environment)
    return hashlib.sha256(repr(surroundings).encode()).hexdigest()


def _digest(before: str, client: Client, step: Step) -> str:
    digest = hashlib.sha256(f"{before} {step!r}".encode())
    if isinstance(step, Build):
        for source in sorted(program(client).parent.rglob("*")):
            if source.is_file():
                digest.update(source.read_bytes())
    return digest.hexdigest()


def _summary(step: Step) -> str:
    match step:
        case Pip(words) | Npm(words) | Apt(words):
            return f"installing {' '.join(words)}"
        case Build(words):
            return f"running {' '.join(words)}"
        case _:
            assert_never(step)
