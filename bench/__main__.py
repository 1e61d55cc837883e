"""`python -m bench`: start the servers, run every load on each in turn, print the report.

Rounds are interleaved: each load runs on each server before the next round begins, so that whatever
else the machine does disturbs all of them alike. Progress goes to stderr, the report to stdout.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shlex
import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import growth, report
from bench.client import BenchError
from bench.figures import Samples, take
from bench.machine import describe, flushes, require_disk
from bench.report import Results
from bench.servers import Server, ezra, redis, redis_version
from bench.workloads import Workload, cycles, latency, pushes
from ezra.version import VERSION


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    seconds: float
    """How long the producers of one run push."""
    sizes: tuple[int, ...]
    """How many tasks the files hold whose growth is measured: half of them done, half delayed."""


FULL = Plan(rounds=5, seconds=1.0, sizes=(1_000, 100_000, 1_000_000))
QUICK = Plan(rounds=2, seconds=0.5, sizes=(1_000, 100_000))

SCENARIOS: dict[str, Workload] = {
    "push, 1 connection": pushes(1),
    "push, 50 connections": pushes(50),
    "push, 50 connections, 16 deep": pushes(50, depth=16),
    "cycle, 8 + 8, COUNT 1": cycles(8, 8, 1),
    "cycle, 8 + 8, COUNT 10": cycles(8, 8, 10),
    "push to blocked worker": latency,
}

ROWS = (
    report.rate("pushes/s, 1 connection", "push, 1 connection"),
    report.rate("pushes/s, 50 connections", "push, 50 connections"),
    report.rate("pushes/s, 50 connections, pipelined 16 deep", "push, 50 connections, 16 deep"),
    report.rate("cycles/s, 8 producers, 8 workers, COUNT 1", "cycle, 8 + 8, COUNT 1"),
    report.rate("cycles/s, 8 producers, 8 workers, COUNT 10", "cycle, 8 + 8, COUNT 10"),
    report.latency("push to blocked worker, p50", "push to blocked worker", 50),
    report.latency("push to blocked worker, p99", "push to blocked worker", 99),
)

GROWTH_ROW = report.rate("cycles/s, 8 + 8, COUNT 1", "")


def main() -> None:
    """Run what the flags say; exit 1 with the reason when a run fails."""
    options = _flags()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options.dir.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=options.dir) as directory:
            _measure(QUICK if options.quick else FULL, Path(directory))
    except BenchError as error:
        sys.exit(f"bench: {error}")


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description="EZRA's load generator")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    parser.add_argument(
        "--dir", type=Path, default=Path("build"), help="a directory on a real disk (./build)"
    )
    return parser.parse_args()


def _measure(plan: Plan, directory: Path) -> None:
    require_disk(directory)
    began = datetime.datetime.now(datetime.UTC)
    flushed: list[float] = []
    results = _compare(plan, directory, flushed)
    grown = _grow(plan, directory)
    print(_heading(plan, began), describe(directory, flushed), sep="\n\n", end="\n\n")
    print(report.main_table(ROWS, results), end="\n\n")
    print(report.cost_table(results), end="\n\n")
    print(report.growth_table(GROWTH_ROW, grown))


def _heading(plan: Plan, began: datetime.datetime) -> str:
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    version = redis_version()
    beside = f"Redis {version}" if version else "no redis-server installed"
    runs = f"{plan.rounds} runs of {plan.seconds:g} s each"
    return f"`{command}`, {began:%Y-%m-%d %H:%M} UTC, EZRA {VERSION}, {beside}, {runs}."


def _compare(plan: Plan, directory: Path, flushed: list[float]) -> Results:
    """Run every load on every server; add to `flushed` what the disk took meanwhile."""
    with ExitStack() as stack:
        servers = {
            "EZRA full": stack.enter_context(ezra(directory / "full", "full")),
            "EZRA normal": stack.enter_context(ezra(directory / "normal", "normal")),
        }
        if redis_version():
            servers[report.REDIS] = stack.enter_context(redis(directory / "redis"))
        results: Results = {name: {each: Samples() for each in servers} for name in SCENARIOS}
        for turn in range(plan.rounds):
            _progress(f"round {turn + 1} of {plan.rounds}")
            flushed += flushes(directory)
            _round(plan, servers, results)
    return results


def _round(plan: Plan, servers: dict[str, Server], results: Results) -> None:
    """Run each load on each server in turn and add what was measured to the results."""
    for scenario, workload in SCENARIOS.items():
        for name, server in servers.items():
            results[scenario][name].taken.append(take(workload, server, plan.seconds))


def _grow(plan: Plan, directory: Path) -> dict[int, Samples]:
    samples = {size: Samples() for size in plan.sizes}
    with ExitStack() as stack:
        filled = {}
        for size in plan.sizes:
            _progress(f"filling a file with {size:,} tasks")
            server = stack.enter_context(ezra(directory / f"grown-{size}", "full"))
            filled[size] = (server, cycles(8, 8, 1, growth.fill(server.address, size)))
        os.sync()  # what the filling left behind in the kernel is not part of the figures
        for turn in range(plan.rounds):
            _progress(f"round {turn + 1} of {plan.rounds}: cycles in filled files")
            for size, (server, workload) in filled.items():
                samples[size].taken.append(take(workload, server, plan.seconds))
    return samples


def _progress(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
