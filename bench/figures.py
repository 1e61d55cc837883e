"""From runs to figures: samples of one load on one server, their best and their median."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

from bench.servers import Server
from bench.workloads import Run, Workload

SATURATED = 0.95
"""From this share of one core on, the generator may have been what held the server back."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run, and what the generator and the server spent on it in CPU time."""

    run: Run
    generator_load: float
    """Cores that the generator kept busy, at most 1."""
    server_cpu: float
    """Seconds."""


@dataclass(slots=True)
class Samples:
    """All runs of one load on one server."""

    taken: list[Sample] = field(default_factory=list)

    def rates(self) -> list[float]:
        """Return each run's operations per second."""
        return [sample.run.rate for sample in self.taken]

    def latencies(self, percent: float) -> list[float]:
        """Return that percentile of each run's latencies, in seconds."""
        return [percentile(sample.run.latencies, percent) for sample in self.taken]

    def saturated(self) -> bool:
        """Say whether the generator used up its core in half of the runs or more."""
        return statistics.median(s.generator_load for s in self.taken) >= SATURATED

    def server_cost(self) -> float:
        """Return the server's CPU time for one operation, in seconds: the median run's."""
        return statistics.median(s.server_cpu / s.run.operations for s in self.taken)


def take(workload: Workload, server: Server, seconds: float) -> Sample:
    """Run the load once and measure what both sides spent on it."""
    server_before, own_before, began = server.cpu(), time.process_time(), perf_counter()
    run = workload(server.address, seconds)
    own = (time.process_time() - own_before) / (perf_counter() - began)
    return Sample(run, own, server.cpu() - server_before)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that `percent` per cent of them do not exceed (the nearest rank)."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
