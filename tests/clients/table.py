"""The table that tells what came of every client."""

from __future__ import annotations

from collections.abc import Sequence

from tests.clients.catalogue import SCENARIOS, Client
from tests.clients.outcome import Outcome

Row = tuple[str, str, str, str, str]

HEAD: Row = ("client", "version", "language", "RESP", "scenarios passed")


def table(outcomes: Sequence[Outcome], absent: Sequence[Client]) -> str:
    """Return the table as Markdown, what failed below it, and the sums.

    Args:
        outcomes: of each run, in the order of the rows.
        absent: the clients that cannot be had here.
    """
    rows = [_row(outcome) for outcome in outcomes] + [_absence(client) for client in absent]
    lines = _aligned([HEAD, *rows])
    lines.insert(1, "|".join(["", *("-" * len(cell) for cell in lines[0].split("|")[1:-1]), ""]))
    failures = [f"{_name(outcome)}: {text}" for outcome in outcomes for text in outcome.failures]
    return "\n".join([*lines, "", *failures, _sum(outcomes, absent)])


def _row(outcome: Outcome) -> Row:
    client = outcome.client
    score = f"{len(outcome.passed)} of {len(SCENARIOS)}"
    version = outcome.version or client.version
    return (client.name, version, client.language, str(outcome.protocol), score)


def _absence(client: Client) -> Row:
    return (client.name, client.version, client.language, "–", f"not run: {client.missing}")


def _aligned(rows: Sequence[Row]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]


def _name(outcome: Outcome) -> str:
    return f"{outcome.client.name}, RESP{outcome.protocol}"


def _sum(outcomes: Sequence[Outcome], absent: Sequence[Client]) -> str:
    good = sum(outcome.good for outcome in outcomes)
    names = len({outcome.client.name for outcome in outcomes})
    languages = len({outcome.client.language for outcome in outcomes})
    text = f"{good} of {len(outcomes)} runs passed: {names} clients in {languages} languages"
    return f"{text}; {len(absent)} could not be had" if absent else text
