"""The table that tells what came of every tool."""

from __future__ import annotations

from collections.abc import Sequence

from tests.tools.catalogue import Absent
from tests.tools.installing import version
from tests.tools.trial import Outcome

Row = tuple[str, str, str, str]

HEAD: Row = ("tool", "version", "what it did", "result")


def table(outcomes: Sequence[Outcome], absent: Sequence[Absent]) -> str:
    """Return the table as Markdown, what was not as expected below it, and the sums."""
    rows = [HEAD, *map(_row, outcomes)]
    rows += [(one.name, "–", "–", f"not tried: {one.because}") for one in absent]
    lines = _aligned(rows)
    lines.insert(1, "|".join(["", *("-" * len(cell) for cell in lines[0].split("|")[1:-1]), ""]))
    surprises = [_surprise(outcome) for outcome in outcomes if not outcome.expected]
    return "\n".join([*lines, "", *surprises, _sum(outcomes, absent)])


def _row(outcome: Outcome) -> Row:
    tool = outcome.tool
    return (tool.name, version(tool), tool.does, _result(outcome))


def _result(outcome: Outcome) -> str:
    refused = ", ".join(exchange.name for exchange in outcome.refused)
    if not outcome.failure:
        return "works" + (f" (refused: {refused})" if refused else "")
    if outcome.tool.works or outcome.stopper is None:
        return "FAILS"
    return f"cannot: {outcome.tool.because}; refused: {_short(outcome.stopper.command)}"


def _short(command: str) -> str:
    return command if len(command) <= 60 else f"{command[:59]}…"


def _surprise(outcome: Outcome) -> str:
    tool = outcome.tool
    if tool.works and outcome.failure:
        return f"{tool.name} should work: {outcome.failure}"
    if tool.works:
        return f"{tool.name} left {outcome.left} tasks, not {tool.leaves}"
    if not outcome.failure:
        return f"{tool.name} works, though EZRA is said to lack what it needs"
    names = " or ".join(tool.stopped_by)
    return f"{tool.name} should be stopped by {names}, not by: {outcome.failure}"


def _aligned(rows: Sequence[Row]) -> list[str]:
    cells = [[cell.replace("|", "│") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in cells
    ]


def _sum(outcomes: Sequence[Outcome], absent: Sequence[Absent]) -> str:
    good = [outcome.tool for outcome in outcomes if outcome.expected]
    working = sum(tool.works for tool in good)
    text = f"{working} of {sum(one.tool.works for one in outcomes)} that should work do"
    if stopped := len(good) - working:
        text += f"; {stopped} cannot, as said"
    return text + (f"; {len(absent)} were not tried" if absent else "")
