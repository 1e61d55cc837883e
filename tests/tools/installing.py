"""Install a tool into its folder under `.tools/`, unless it is there already.

A stamp in the folder says what was installed; one that does not fit has the folder made anew. The
folder of all is locked meanwhile: installations share pip's and npm's caches and the system.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import assert_never

from scripts.system import ROOT, environment, install_packages, locked, run, say
from tests.clients import node_runtime
from tests.clients.catalogue import Apt, Npm, Pip
from tests.tools.catalogue import Package, Tool, Unpacked

CACHE = ROOT / ".tools"
SCRIPTS = Path(__file__).parent / "scripts"
FETCH = ROOT / "tests" / "clients" / "debian" / "fetch.sh"

PIP_OPTIONS = ("--quiet", "--no-input", "--disable-pip-version-check")
NPM_OPTIONS = (
    "--no-audit",
    "--no-fund",
    "--no-package-lock",
    "--ignore-scripts",
    "--loglevel=error",
)


def install(tool: Tool) -> None:
    """Make a tool ready to run.

    Raises:
        SetUpFailed: a registry refused.
    """
    CACHE.mkdir(exist_ok=True)
    with locked(CACHE):
        folder, wanted = home(tool), _fingerprint(tool)
        stamp = folder / "installed.stamp"
        if isinstance(tool.package, Apt):
            install_packages(tool.package.packages)
        elif stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
            return
        else:
            shutil.rmtree(folder, ignore_errors=True)
            say(f"installing {tool.name}")
        folder.mkdir(exist_ok=True)
        _fetch(tool.package, folder)
        stamp.write_text(wanted, encoding="utf-8")


def home(tool: Tool) -> Path:
    """Return the tool's folder; tools of the same packages share one."""
    match tool.package:
        case Pip(words) | Npm(words) | Apt(words) | Unpacked(words):
            # Dramatiq looks for its files with patterns, where a bracket in the path means more.
            return CACHE / re.sub(r"[^a-z0-9.]+", "-", words[0]).strip("-")
        case _:
            assert_never(tool.package)


def version(tool: Tool) -> str:
    """Return the version of an installed tool: what we asked for, or what Debian has."""
    match tool.package:
        case Pip(words):
            return words[0].rpartition("==")[2]
        case Npm(words):
            return words[0].rpartition("@")[2]
        case Apt(words):
            asked = ["dpkg-query", "--show", "--showformat=${Version}", words[0]]
            return subprocess.run(asked, capture_output=True, text=True, check=False).stdout
        case Unpacked(words):
            return _newest_change(home(tool) / "usr/share/doc" / words[0])
        case _:
            assert_never(tool.package)


def command(tool: Tool) -> list[str]:
    """Return what starts its script, but for host and port."""
    places = {"home": home(tool), "script": SCRIPTS / tool.script, "name": tool.script}
    return [word.format(**places) for word in tool.command]


def variables(tool: Tool) -> dict[str, str]:
    """Return the environment of its script: what tools write home goes into its folder."""
    folder = home(tool)
    path = [str(folder / "bin"), str(folder / "usr/bin"), node_runtime.search_path(CACHE)]
    own = {"HOME": str(folder), "PATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1"}
    if tool.command[0] == sys.executable:
        own["PYTHONPATH"] = str(ROOT)
    return environment() | own


def _newest_change(documents: Path) -> str:
    """Return the version that stands at the top of a Debian changelog."""
    if not documents.exists():
        return ""  # it could not be had
    with gzip.open(documents / "changelog.Debian.gz", "rt", encoding="utf-8") as changes:
        return changes.readline().partition("(")[2].partition(")")[0]


def _fetch(package: Package, folder: Path) -> None:
    match package:
        case Pip(words):
            run(sys.executable, "-m", "venv", "--without-pip", folder)
            pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python")
            run(*pip, "install", *PIP_OPTIONS, *words)
        case Npm(words):
            node_runtime.ensure(CACHE)
            run("npm", "install", *NPM_OPTIONS, "--prefix", folder, *words, cwd=folder)
            (folder / "programs").symlink_to(SCRIPTS)
        case Unpacked(words):
            run("sh", FETCH, "unpack", "bookworm", *words, cwd=folder)
        case Apt():
            pass  # installed for the whole system; the folder is only its HOME
        case _:
            assert_never(package)


def _fingerprint(tool: Tool) -> str:
    return f"{tool.package!r} for Python {sys.version} in {ROOT}"
