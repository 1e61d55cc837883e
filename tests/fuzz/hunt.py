"""Hunting with a fuzzer that learns: one target, so many seconds, in a process of its own.

What it begins with, what it has learnt and what it has found stay in `.fuzz`, a folder for each
target; the next hunt goes on from there.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import targets, words

PLACE = Path(__file__).resolve().parents[2] / ".fuzz"

LONGEST = {"session": 8192}
"""Bytes of an input; `USUAL` where nothing is said."""
USUAL = 1024

SLOWEST = 10
"""Seconds that one input may take, however busy the machine."""

MOST_MEMORY_MB = 1024
"""What the whole process may take."""

_STATISTIC = re.compile(r"^stat::(\w+):\s+(\d+)", re.MULTILINE)
_FOUND = re.compile(r"Test unit written to (\S+)")


class Found(AssertionError):
    """An input breaks what it must not break. The text says which, and how to see it again."""


@dataclass(frozen=True, slots=True)
class Hunt:
    """What a hunt came to that has found nothing."""

    target: str
    inputs: int
    """How many were tried."""
    a_second: int
    corpus: int
    """Inputs that are kept, each for a way through the code that no other takes."""
    memory_mb: int
    """The most that the process ever had."""


def hunt(target: str, seconds: float, *, place: Path = PLACE) -> Hunt:
    """Try inputs on a target for so many seconds.

    Raises:
        Found: one of them broke it.
    """
    corpus, found, dictionary = _prepare(target, place)
    line = [
        *(sys.executable, "-m", "tests.fuzz.guided", target, str(corpus)),
        *(f"-max_total_time={max(1, round(seconds))}", f"-dict={dictionary}"),
        *(f"-artifact_prefix={found}/", f"-max_len={LONGEST.get(target, USUAL)}"),
        *(f"-timeout={SLOWEST}", f"-rss_limit_mb={MOST_MEMORY_MB}", "-print_final_stats=1"),
    ]
    done = subprocess.run(line, cwd=PLACE.parent, capture_output=True, text=True, check=False)
    told = done.stdout + done.stderr
    if done.returncode:
        raise Found(_what_was_found(target, told))
    return _summary(target, corpus, told)


def replay(target: str, path: Path) -> None:
    """Try one input that was found; it raises what it raised."""
    targets.TARGETS[target](path.read_bytes())


def _prepare(target: str, place: Path) -> tuple[Path, Path, Path]:
    """Return the folder of inputs, with the seeds in it; that of what is found; the dictionary."""
    corpus, found, dictionary = place / target, place / "found" / target, place / "words.dict"
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    dictionary.write_text(words.dictionary(), encoding="ascii")
    for seed in targets.seeds(target):
        (corpus / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    return corpus, found, dictionary


def _what_was_found(target: str, told: str) -> str:
    path = _FOUND.search(told)
    if path is None:
        return f"the fuzzer itself failed:\n{told[-2000:]}"
    _, _, error = told.partition("=== Uncaught Python exception: ===")
    found = Path(path[1])
    how, shown = found.name.partition("-")[0], found.read_bytes()  # crash, timeout or oom
    again = f'make fuzz ARGS="--target {target} --replay {path[1]}"'
    return f"{target}: {how} on {shown!r}\n{error.strip()[:2000]}\nSee it again: {again}"


def _summary(target: str, corpus: Path, told: str) -> Hunt:
    statistics = {name: int(number) for name, number in _STATISTIC.findall(told)}
    return Hunt(
        target,
        statistics["number_of_executed_units"],
        statistics["average_exec_per_sec"],
        len(list(corpus.iterdir())),
        statistics["peak_rss_mb"],
    )
