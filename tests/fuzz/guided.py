"""One target under atheris, libFuzzer for Python: the process that `tests.fuzz` starts.

    python -m tests.fuzz.guided TARGET [libFuzzer's arguments]

Only EZRA's own modules are instrumented, and they are imported for the first time in here.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["ezra"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()
