"""`make soak`: every campaign for long, and one table of what came of it.

    python -m tests.faults [--seconds N] [--only NAME …]

Each campaign is given so many seconds (120 unless said otherwise) and returns a `Tally`; one that
finds a fault raises, which is printed and counts as a failure. The exit code is 1 if anything was
lost or failed.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Mapping

from tests.faults import (
    crashes,
    file_systems,
    full_disk,
    fuzzing,
    io_errors,
    live,
    many_workers,
    ordering,
    power_loss,
)
from tests.faults import clocks, crashes, network
from tests.faults.tally import Tally

Campaign = Callable[[float], Tally]
"""Runs for about so many seconds."""

CAMPAIGNS: Mapping[str, Campaign] = {
    "power loss, modelled": power_loss.campaign,
    "power loss, file systems": file_systems.campaign,
    "fsync before reply": ordering.campaign,
    "the N-th I/O fails": io_errors.campaign,
    "I/O error under load": live.campaign,
    "disk full": full_disk.campaign,
    "server killed": crashes.kills,
    "workers killed, all stopped": crashes.stops,
    "fuzzed inputs": fuzzing.campaign,
    "ten thousand workers": many_workers.campaign,
    "wall clock jumps": clocks.jumps,
    "packets lost, link cut": network.troubles,
}
"""By the name that the table shows."""

ROW = "{name:<28}{faults:>9}{operations:>12}{bad_inputs:>12}{lost:>6}  {note}"


def main(arguments: list[str]) -> int:
    """Run the campaigns and print the table; return the exit code."""
    parser = argparse.ArgumentParser(prog="make soak", description="EZRA's long campaigns.")
    parser.add_argument("--seconds", type=float, default=120, help="for each campaign (120)")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=CAMPAIGNS, default=CAMPAIGNS)
    given = parser.parse_args(arguments)
    total = Tally()
    failed = []
    print(row("campaign"), flush=True)
    for name in given.only:
        begun = time.monotonic()
        try:
            tally = CAMPAIGNS[name](given.seconds)
        except Exception:
            traceback.print_exc()
            failed.append(name)
            continue
        total += tally
        print(row(name, tally), f"({time.monotonic() - begun:.0f} s)", flush=True)
    print(row("total", total))
    if failed:
        print(f"failed: {', '.join(failed)}")
    print(f"lost: {total.lost}")
    return 1 if total.lost or failed else 0


def row(name: str, tally: Tally | None = None) -> str:
    """Return a line of the table; without a tally, its head."""
    if tally is None:
        heads = {"faults": "faults", "operations": "operations", "bad_inputs": "bad inputs"}
        return ROW.format(name=name, lost="lost", note="", **heads)
    return ROW.format(
        name=name,
        faults=tally.faults,
        operations=tally.operations,
        bad_inputs=tally.bad_inputs,
        lost=tally.lost,
        note=tally.note,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
