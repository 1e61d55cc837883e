"""A tarsk application, which its worker and whoever sends it tasks import."""

# mypy: disable-error-code="import-not-found, untyped-decorator"
# tarsk is installed in an environment of its own.

from __future__ import annotations

import os
from pathlib import Path

from tarsk import App

app = App(broker=os.environ["TARSK_BROKER"])


@app.task(retries=1, timeout=30)
def note(file: str, number: int) -> None:
    """Write the number into the file: a task done twice shows."""
    with Path(file).open("a", encoding="ascii") as lines:
        lines.write(f"{number}\n")
