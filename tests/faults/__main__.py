"""`make soak`: every campaign for long, and one table of what came of it.

    python -m tests.faults [--seconds N] [--only NAME …] [--list]

Each campaign is given so many seconds (120 unless said otherwise) and returns a `Tally`; one that
finds a fault raises, which is printed, with its seed, and counts as a failure; the others go on.
The exit code is 1 if anything was lost or failed, and 130 after Ctrl-C, which ends the campaign
that is under way, with all that it has started, and prints what there is.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from tests.faults import (
    bit_rot,
    clocks,
    crashes,
    file_systems,
    full_disk,
    fuzzing,
    io_errors,
    live,
    long_tests,
    many_workers,
    network,
    ordering,
    power_loss,
    races,
    soup,
)
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
    "engines agree": long_tests.agreement,
    "soak tests": long_tests.soak_tests,
    "soup of commands": soup.campaign,
    "thread races": races.campaign,
    "a log that rots": bit_rot.campaign,
}
"""By the name that the table shows."""

ROW = "{name:<28}{faults:>9}{operations:>12}{bad_inputs:>12}{lost:>6}  {note}"


def main(arguments: list[str]) -> int:
    """Run the campaigns and print the table; return the exit code."""
    parser = argparse.ArgumentParser(prog="make soak", description="EZRA's long campaigns.")
    parser.add_argument("--seconds", type=float, default=120, help="for each campaign (120)")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=CAMPAIGNS, default=CAMPAIGNS)
    parser.add_argument("--list", action="store_true", help="print their names and do nothing")
    given = parser.parse_args(arguments)
    if given.list:
        print("\n".join(CAMPAIGNS))
        return 0
    print(row("campaign"), flush=True)
    total, failed, interrupted = run_all(given.only, given.seconds)
    print(row("total", total))
    for name, error in failed.items():
        print(f"failed: {name}: {error}")
    print(f"lost: {total.lost}")
    if interrupted:
        return 130
    return 1 if total.lost or failed else 0


def run_all(names: Iterable[str], seconds: float) -> tuple[Tally, dict[str, Exception], bool]:
    """Run campaigns one after the other, and print a row for each.

    Returns:
        Their sum, the errors of those that failed, and whether Ctrl-C ended them.
    """
    total = Tally()
    failed: dict[str, Exception] = {}
    for name in names:
        begun = time.monotonic()
        try:
            tally = CAMPAIGNS[name](seconds)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            return total, failed, True
        except Exception as error:
            # With its notes, where the campaigns write their seeds.
            traceback.print_exc()
            failed[name] = error
            print(row(name, Tally(note="FAILED, see above")), flush=True)
            continue
        total += replace(tally, note="")
        print(row(name, tally), f"({time.monotonic() - begun:.0f} s)", flush=True)
    return total, failed, False


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
