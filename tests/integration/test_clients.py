"""A dozen real clients, in at least six languages, each in both protocols that it speaks.

They are installed when they are not there yet, which takes a minute the first time. A client that
cannot be installed fails its tests: nothing is passed over in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.campaign import Run, outcomes, runs_of
from tests.clients.everyone import CLIENTS
from tests.clients.outcome import Outcome
from tests.integration.server_process import ServerProcess

QUICK = [client for client in CLIENTS if client.quick]
RUNS = runs_of(QUICK)

pytestmark = pytest.mark.timeout(600)
"""The first test waits until everything is installed, and has run."""


def name_of(run: Run) -> str:
    """Return what the run is called in pytest's output."""
    client, protocol = run
    return f"{client.name}-RESP{protocol}"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    """Run them all, some side by side, against one server."""
    data_dir: Path = tmp_path_factory.mktemp("data")
    with ServerProcess(data_dir, "--max-attempts", "3") as server:
        names = [name_of(run) for run in RUNS]
        yield dict(zip(names, outcomes(RUNS, server.address), strict=True))


@pytest.mark.parametrize("run", RUNS, ids=name_of)
def test_every_scenario_passes(run: Run, done: dict[str, Outcome]) -> None:
    """The program passes all scenarios, and its library is of the version it is said to be."""
    outcome = done[name_of(run)]
    assert outcome.failures == []
    assert outcome.good


def test_they_are_a_dozen_in_six_languages() -> None:
    """What runs with every test is telling for the rest."""
    assert len(QUICK) >= 12
    assert len({client.language for client in QUICK}) >= 6
    assert not any(client.missing for client in QUICK)
