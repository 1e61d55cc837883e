"""The report: plain Markdown tables that can be pasted into the docs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bench.figures import Samples

_NOTES = (
    "Each figure: the best of the runs, in brackets their median. A cycle is push, claim, ack; "
    "every task was verified to be claimed once and acked.",
    "÷ Redis: EZRA full against Redis with every write fsynced before its reply, by medians; "
    "for latencies, less than 1 is faster.",
    "A star: the load generator had used up its own core, the server could do more.",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: how to read it from samples, which end is good, how to write it."""

    title: str
    scenario: str
    read: Callable[[Samples], list[float]]
    best: Callable[[Iterable[float]], float]
    write: Callable[[float], str]


def rate(title: str, scenario: str) -> Row:
    """Return the row of a rate: operations per second."""
    return Row(title, scenario, Samples.rates, max, "{:,.0f}".format)


def latency(title: str, scenario: str, percent: float) -> Row:
    """Return the row of a latency's percentile, written in microseconds."""
    return Row(
        title,
        scenario,
        lambda samples: samples.latencies(percent),
        min,
        lambda seconds: f"{seconds * 1e6:,.0f} µs",
    )


Results: TypeAlias = Mapping[str, Mapping[str, Samples]]
"""Scenario, then server, to samples; the server that is compared with Redis comes first."""

REDIS = "Redis always"
"""Redis' column."""


def main_table(rows: Sequence[Row], results: Results) -> str:
    """Return the table of all figures, with ratios where Redis was measured, too."""
    first, *others = servers = _servers(results)
    ratios = REDIS in others
    lines = []
    for row in rows:
        samples = results[row.scenario]
        cells = [_cell(row, samples[server]) for server in servers]
        if ratios:
            cells.append(f"{_median(row, samples[first]) / _median(row, samples[REDIS]):.2f}")
        lines.append([row.title, *cells])
    table = _table(["", *servers, *(["÷ Redis"] if ratios else [])], lines)
    return "\n\n".join([table, *_NOTES])


def cost_table(results: Results) -> str:
    """Return the table of what an operation costs the server in CPU time."""
    lines = [
        [scenario, *(f"{samples.server_cost() * 1e6:,.0f} µs" for samples in measured.values())]
        for scenario, measured in results.items()
    ]
    return _table(["the server's CPU time for one operation", *_servers(results)], lines)


def _servers(results: Results) -> list[str]:
    return list(next(iter(results.values())))


def growth_table(row: Row, samples: Mapping[int, Samples]) -> str:
    """Return the table of the cycle rate against the size of the file."""
    first = statistics.median(row.read(next(iter(samples.values()))))
    lines = [
        [
            f"{size:,}: half done, half delayed",
            _cell(row, taken),
            f"{_median(row, taken) / first:.2f}",
        ]
        for size, taken in samples.items()
    ]
    return _table(["tasks in the file before", row.title, "÷ the smallest"], lines)


def _median(row: Row, samples: Samples) -> float:
    return statistics.median(row.read(samples))


def _cell(row: Row, samples: Samples) -> str:
    best = row.write(row.best(row.read(samples)))
    star = "*" if samples.saturated() else ""
    return f"{best} ({row.write(_median(row, samples))}){star}"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns also stand in line as plain text."""
    widths = [max(len(line[at]) for line in [head, *lines]) for at in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(cells, widths) for cells in [head, rule, *lines])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return f"| {' | '.join([first, *rest])} |"
