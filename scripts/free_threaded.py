"""Run the suite on a CPython without the GIL, built once from Debian's own source package.

    python -m scripts.free_threaded [pytest's arguments]

With the GIL only one thread runs Python at a time, and a race that is one bytecode wide may never
be met. Without it threads run at the very same moment, and whatever leans on the GIL has a chance
to fail. Debian's Pythons all have the GIL, so this builds the package `python3.13` of its release
`RELEASE` with `--disable-gil`: that takes some three minutes, 1 GB meanwhile and 250 MB in the end.
All of it is in `.free-threaded`; a stamp tells what is there, so nothing is done twice.

The source comes by apt, verified as any package is, from the archive that this machine uses
already, but with a list, an index and a cache of our own: the machine's own apt is not touched.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from scripts import lacking
from scripts.system import ROOT, SetUpFailed, environment, install_packages, locked, run, say

RELEASE = "trixie"
"""The release of Debian whose source package is built; an older one can build it, too."""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""Debian's keys, which sign every release of it."""

NEEDED = (
    *("build-essential", "debian-archive-keyring", "dpkg-dev", "xz-utils"),
    *("libbz2-dev", "libffi-dev", "liblzma-dev", "libsqlite3-dev", "libssl-dev", "zlib1g-dev"),
)
"""Debian's packages that the build and the tests' own needs of the standard library come to."""

ROOM = 1_500_000_000
"""Bytes that must be free before a build begins."""

OPTIONS = ("--disable-gil", "--disable-test-modules", "--without-static-libpython")

CACHE = ROOT / ".free-threaded"
PREFIX = CACHE / "python"
VENV = CACHE / "venv"
PYTHON = VENV / "bin" / "python"
STAMP = CACHE / "made.stamp"

TIMEOUT = 600
"""Seconds for one test: every thread is slower alone than with the GIL, and the machine may be busy
with other things. What hangs still fails."""

PLUGIN = ("-p", "scripts.lacking")
"""Skips whatever needs what cannot be installed."""

IGNORED = {
    "tests/integration/test_clients.py": "drives clients in environments of their own",
    "tests/integration/test_tools.py": "drives tools in environments of their own",
}
"""Test files that are not run here, and why."""


def main(arguments: list[str]) -> int:
    """Make the Python and its environment where they are missing; return pytest's exit code."""
    CACHE.mkdir(exist_ok=True)
    with locked(CACHE):
        if not _is_made():
            _make()
    for path, why in IGNORED.items():
        say(f"not run without the GIL: {path} ({why})")
    ignored = [f"--ignore={path}" for path in IGNORED]
    command = [str(PYTHON), "-m", "pytest", f"--timeout={TIMEOUT}", *PLUGIN, *ignored, *arguments]
    # Extensions that do not know of free threading would switch the GIL on; this keeps it off.
    variables = environment() | {"PYTHON_GIL": "0", "TEST_PATIENCE": "60"}
    return subprocess.run(command, cwd=ROOT, env=variables, check=False).returncode


def _make() -> None:
    """Build the Python, unless only its environment is out of date."""
    if not _runs_free():
        install_packages(NEEDED)
        _check_room()
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="build-") as folder:
            _build(_fetch(Path(folder)))
        if not _runs_free():
            raise SetUpFailed(f"{PREFIX} was built, but has the GIL: is it another source?")
    say("installing what the tests need into .free-threaded")
    shutil.rmtree(VENV, ignore_errors=True)
    run(_interpreter(), "-m", "venv", VENV)
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check")
    with locked(ROOT):  # `--editable` writes there, as the set-up of `.venv` does
        # Rather an older release of a library that has a wheel for this Python than building it.
        pip = (PYTHON, "-m", "pip", "install", *quiet, "--prefer-binary")
        run(*pip, "--editable", ".", *_requirements())
    STAMP.write_text(_fingerprint(), encoding="utf-8")


# -- Building --------------------------------------------------------------------------------------


def _fetch(folder: Path) -> Path:
    """Download the source package into the folder; return the directory it is unpacked in."""
    archive = _archive()
    say(f"fetching the source of python3.13 ({RELEASE})")
    sources = folder / "sources.list"
    sources.write_text(f"deb-src [signed-by={KEYRING}] {archive} {RELEASE} main\n", "utf-8")
    for own in ("state/lists/partial", "cache/archives/partial"):
        (folder / own).mkdir(parents=True)
    settings = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": folder / "state",
        "Dir::State::Lists": folder / "state/lists",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",  # its own user may not enter our folder
    }
    apt = ["apt-get", "-q", *(f"-o{name}={value}" for name, value in settings.items())]
    run(*apt, "update", cwd=folder)
    run(*apt, "source", "--download-only", "python3.13", cwd=folder)
    # Upstream's release as it is: Debian's patches are about how Debian installs it.
    (tarball,) = folder.glob("python3.13_*.orig.tar.xz")
    (folder / "source").mkdir()
    run("tar", "-xf", tarball, "-C", folder / "source", "--strip-components=1")
    return folder / "source"


def _archive() -> str:
    """Return the address of the Debian archive that this machine's apt uses."""
    asked = ["apt-get", "--print-uris", "update"]  # tells what it would fetch, and fetches nothing
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    for address, release in re.findall(r"^'(\S+)/dists/([^/\s]+)/InRelease'", told, re.MULTILINE):
        if "debian" in address and "-" not in release:  # neither -security nor -updates
            return str(address)
    raise SetUpFailed(
        "apt on this machine knows no archive of Debian's, from which the source of "
        "python3.13 could come: run this on Debian, or add a deb line for it"
    )


def _build(source: Path) -> None:
    """Compile and install the Python; what it says goes into a log."""
    say("building a CPython without the GIL, which takes some minutes")
    jobs = f"-j{len(os.sched_getaffinity(0))}"
    shutil.rmtree(PREFIX, ignore_errors=True)
    steps = (
        ("./configure", "--quiet", f"--prefix={PREFIX}", *OPTIONS),
        ("make", "-s", jobs),
        ("make", "-s", "install"),
    )
    log = CACHE / "build.log"
    with log.open("wb") as output:
        for step in steps:
            done = subprocess.run(
                step, cwd=source, env=environment(), stdout=output, stderr=output, check=False
            )
            if done.returncode:
                raise SetUpFailed(f"`{' '.join(step)}` failed; its last words are in {log}")


def _check_room() -> None:
    free = shutil.disk_usage(CACHE).free
    if free < ROOM:
        raise SetUpFailed(
            f"building a CPython takes {ROOM // 10**6} MB for a while, and {CACHE} has "
            f"{free // 10**6} MB left: make room and try again"
        )


# -- What is there ---------------------------------------------------------------------------------


def _is_made() -> bool:
    made = STAMP.exists() and STAMP.read_text(encoding="utf-8") == _fingerprint()
    return made and _runs_free()


def _runs_free() -> bool:
    """Say whether the Python is there and runs without the GIL."""
    if not _interpreter().exists():
        return False
    probe = "import sqlite3, ssl, ctypes, zlib, sys; sys.exit(sys._is_gil_enabled())"
    asked = [str(_interpreter()), "-c", probe]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _interpreter() -> Path:
    return PREFIX / "bin" / "python3"


def _requirements() -> Iterator[str]:
    """Yield what the extra `test` asks for, but for what cannot be had here."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    for requirement in [*extras["client"], *extras["test"]]:
        if requirement.startswith("ezra["):
            continue
        lacking_ones = lacking.LACKING.items()
        why = next((why for name, why in lacking_ones if requirement.startswith(name)), None)
        if why is None:
            yield requirement
        else:
            say(f"not installed without the GIL: {requirement} ({why})")


def _fingerprint() -> str:
    """Return what the environment depends on: this place, these scripts, the requirements."""
    files = (Path(__file__), Path(lacking.__file__), ROOT / "pyproject.toml")
    parts = (os.fsencode(ROOT), *(file.read_bytes() for file in files))
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SetUpFailed as failure:
        sys.exit(str(failure))
