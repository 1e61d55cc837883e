"""The runner of the clients: what a program says is told as it is, and nothing is made up."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.system import SetUpFailed
from tests.clients import campaign, installing, places, running
from tests.clients.catalogue import SCENARIOS, Build, Client
from tests.clients.everyone import CLIENTS, chosen
from tests.clients.installing import install
from tests.clients.outcome import Outcome
from tests.clients.running import run_program
from tests.clients.table import table
from tests.integration.server_process import ServerProcess

ALL_WELL = "; ".join(f"print('ok {scenario}')" for scenario in SCENARIOS)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Serve in a process of its own."""
    with ServerProcess(tmp_path / "data") as server:
        yield server


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the clients a folder that ends with the test."""
    folder = tmp_path / "clients"
    for module in (places, installing):
        monkeypatch.setattr(module, "CACHE", folder)
    return folder


def client_that(code: str, *steps: Build) -> Client:
    """Return a client whose program is this line of Python."""
    return Client(
        name="made-up",
        version="1.0",
        language="Python",
        program="python/reporting.py",
        command=(sys.executable, "-c", code),
        install=steps,
        protocols=(2,),
    )


def outcome_of(code: str, server: ServerProcess) -> Outcome:
    """Run a program, and return what came of it."""
    client = client_that(code)
    places.home(client).mkdir(parents=True)
    return run_program(client, 2, server.address)


def test_all_scenarios_make_a_good_run(server: ServerProcess) -> None:
    outcome = outcome_of(f"print('version 1.0'); {ALL_WELL}", server)
    assert outcome.good
    assert (outcome.version, outcome.passed) == ("1.0", list(SCENARIOS))


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (f"print('version 2.0'); {ALL_WELL}", "it is version 2.0, and not 1.0"),
        (f"print('version 1.0'); {ALL_WELL}; print('well?')", "unexpected output: well?"),
        (f"print('version 1.0'); {ALL_WELL}; raise SystemExit('oh')", "exit code 1: oh"),
        ("print('version 1.0'); print('FAIL retry: no')", "retry: no"),
        ("print('version 1.0')", f"not reported: {', '.join(SCENARIOS)}"),
    ],
    ids=["version", "chatter", "exit", "failed", "silent"],
)
def test_whatever_is_wrong_is_told(code: str, failure: str, server: ServerProcess) -> None:
    outcome = outcome_of(code, server)
    assert failure in outcome.failures
    assert not outcome.good


def test_a_program_that_hangs_is_ended(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "TIME_LIMIT", 0.5)
    outcome = outcome_of("import time; time.sleep(600)", server)
    assert "not at its end after 0.5 s" in outcome.failures


def test_a_connection_that_is_not_there_is_not_cut(server: ServerProcess) -> None:
    """And the program is answered nevertheless, so that it comes to its end."""
    code = f"print('version 1.0'); {ALL_WELL}; print('cut 4711', flush=True); input()"
    outcome = outcome_of(code, server)
    assert outcome.failures == ["CLIENT KILL ID 4711 was answered with 0"]


def test_steps_run_once_and_again_when_they_change(cache: Path) -> None:
    """Each run of the step appends a line to a file in the client's folder."""
    record = cache / "made-up" / "record"
    append = Build(("sh", "-c", "echo ran >>{home}/record"))
    more = Build(("sh", "-c", "echo more >>{home}/record"))
    for steps, wanted in [((append,), "ran "), ((append,), "ran "), ((append, more), "ran more ")]:
        install(client_that("", *steps))
        assert record.read_text(encoding="utf-8").replace("\n", " ") == wanted
    install(client_that("", more))
    assert record.read_text(encoding="utf-8") == "more\n", "a changed first step empties the folder"


def test_what_cannot_be_installed_is_told(server: ServerProcess) -> None:
    """It is the outcome of the client's runs, and is tried again the next time."""
    broken = client_that("", Build(("false",)))
    with pytest.raises(SetUpFailed):
        install(broken)
    [outcome] = campaign.outcomes(campaign.runs_of([broken]), server.address)
    assert outcome.failures == ["set-up failed: false"]
    assert not outcome.good


def test_names_are_unique_and_shared_folders_hold_the_same() -> None:
    assert len({client.name for client in CLIENTS}) == len(CLIENTS)
    installed = {client.home: client.install for client in CLIENTS}
    assert all(installed[client.home] == client.install for client in CLIENTS)


def test_every_client_has_its_program_and_its_version() -> None:
    for client in CLIENTS:
        assert client.missing or places.program(client).is_file(), client.name
        assert client.missing or client.version, client.name


def test_clients_are_chosen_by_name() -> None:
    assert [client.name for client in chosen(["coredis"])] == ["coredis"]
    assert {client.language for client in chosen(["node-redis-*"])} == {"Node.js"}
    assert chosen([]) == list(CLIENTS)
    with pytest.raises(ValueError, match="no client is called cordis; there are: redis-py-4, "):
        chosen(["cordis"])


def test_the_table_names_what_failed_and_what_cannot_be_had() -> None:
    good = Outcome(client_that(""), 2, "1.0", list(SCENARIOS), [])
    bad = Outcome(client_that(""), 3, "1.0", ["retry"], ["blocking: no"])
    absent = Client("gone", "0.1", "Cobol", "", (), (), missing="no registry has it")
    text = table([good, bad], [absent])
    assert "| made-up | 1.0     | Python   | 2    | 10 of 10" in text
    assert "| made-up | 1.0     | Python   | 3    | 1 of 10" in text
    assert "| not run: no registry has it |" in text
    assert "made-up, RESP3: blocking: no" in text
    assert "1 of 2 runs passed: 1 clients in 1 languages; 1 could not be had" in text
