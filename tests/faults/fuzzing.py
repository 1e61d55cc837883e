"""Inputs that no honest client sends, on everything that reads bytes: see `tests.fuzz`.

With atheris the fuzzer learns which inputs lead further; without it the targets are tried on soup.
"""

from __future__ import annotations

import importlib.util
import time
from random import Random

from tests.faults.tally import Tally
from tests.fuzz.hunt import hunt
from tests.fuzz.soup import Cook
from tests.fuzz.targets import TARGETS, script


def campaign(seconds: float) -> Tally:
    """Hunt for so long, on each target for its share."""
    if importlib.util.find_spec("atheris") is None:
        return unguided(seconds)
    hunts = [hunt(target, seconds / len(TARGETS)) for target in TARGETS]
    return Tally(bad_inputs=sum(each.inputs for each in hunts))


def unguided(seconds: float, *, seed: int = 0) -> Tally:
    """Try soup on the session, the seed of each said where one breaks it."""
    until = time.monotonic() + seconds
    first = seed
    while time.monotonic() < until:
        chance = Random(seed)
        made = script(chance, Cook(chance))
        try:
            TARGETS["session"](made)
        except Exception as error:
            raise AssertionError(f"seed {seed} breaks the session: {made!r}") from error
        seed += 1
    return Tally(bad_inputs=seed - first, note="not guided: atheris is missing (make fuzz)")
