"""The command line: every flag and every variable, valid and invalid."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ezra.cli import main
from ezra.options import OPTIONS, parse
from ezra.sansio.errors import EngineError, OutcomeUnknown
from ezra.sansio.model import SECOND, Defaults
from ezra.threaded.clock import Clock, SystemClock
from ezra.threaded.engine import Engine
from ezra.threaded.memory_engine import MemoryEngine
from ezra.threaded.process import fit_files, one_core
from ezra.threaded.service import open_engine
from ezra.threaded.settings import MEMORY, Settings
from ezra.version import VERSION
from tests.integration.certificates import Certificates
from tests.integration.waiting import until

VALID: list[tuple[str, str, str, object]] = [
    ("--data-dir", "/srv/ezra", "data_dir", Path("/srv/ezra")),
    ("--data-dir", ":memory:", "data_dir", MEMORY),
    ("--port", "0", "port", 0),
    ("--port", "65535", "port", 65535),
    ("--host", "::1", "host", "::1"),
    ("--visibility-timeout", "0.000001", "visibility_timeout", 1),
    ("--visibility-timeout", "90", "visibility_timeout", 90 * SECOND),
    ("--max-attempts", "1", "max_attempts", 1),
    ("--retention-seconds", "0", "retention", 0),
    ("--retention-seconds", "1.5", "retention", 3 * SECOND // 2),
    ("--scheduler-ms", "1", "scheduler", 1000),
    ("--scheduler-ms", "2500", "scheduler", 2_500_000),
    ("--synchronous", "normal", "synchronous", "normal"),
    ("--synchronous", "full", "synchronous", "full"),
    ("--max-clients", "1", "max_clients", 1),
    ("--max-payload-bytes", "1024", "max_payload_bytes", 1024),
    ("--protected-mode", "no", "protected_mode", False),
    ("--protected-mode", "yes", "protected_mode", True),
    ("--max-buffer-bytes", "1048576", "max_buffer_bytes", 1024 * 1024),
    ("--tls-cert", "cert.pem", "tls_cert", Path("cert.pem")),
    ("--tls-key", "key.pem", "tls_key", Path("key.pem")),
    ("--tls-client-ca", "ca.pem", "tls_client_ca", Path("ca.pem")),
    ("--idle-timeout", "0.001", "idle_timeout", 1000),
    ("--idle-timeout", "300", "idle_timeout", 300 * SECOND),
    ("--min-free-bytes", "0", "min_free_bytes", 0),
    ("--min-free-bytes", "1024", "min_free_bytes", 1024),
]

BESIDE = {
    "--tls-cert": ["--tls-key=key.pem"],
    "--tls-key": ["--tls-cert=cert.pem"],
    "--tls-client-ca": ["--tls-cert=cert.pem", "--tls-key=key.pem"],
}
"""What an option needs to stand beside it."""

INVALID: list[tuple[str, str]] = [
    ("--data-dir", ""),
    ("--port", "65536"),
    ("--port", "-1"),
    ("--port", "http"),
    ("--port", ""),
    ("--port", "4_2"),
    ("--port", "٤٢"),
    ("--host", ""),
    ("--visibility-timeout", "0"),
    ("--visibility-timeout", "0.0000001"),
    ("--visibility-timeout", "-3"),
    ("--visibility-timeout", "nan"),
    ("--visibility-timeout", "inf"),
    ("--visibility-timeout", "1e3"),
    ("--visibility-timeout", "99999999999999"),
    ("--max-attempts", "0"),
    ("--max-attempts", "2.5"),
    ("--retention-seconds", "off"),
    ("--scheduler-ms", "0"),
    ("--synchronous", "off"),
    ("--synchronous", "FULL"),
    ("--max-clients", "0"),
    ("--max-payload-bytes", "16M"),
    ("--max-payload-bytes", "0"),
    ("--protected-mode", "off"),
    ("--max-buffer-bytes", "1048575"),
    ("--tls-cert", ""),
    ("--tls-key", ""),
    ("--tls-client-ca", ""),
    ("--idle-timeout", "0"),
    ("--idle-timeout", "never"),
    ("--min-free-bytes", "64M"),
    ("--min-free-bytes", "-1"),
]


def variable(flag: str) -> str:
    """Return the variable of a flag."""
    return "EZRA_" + flag[2:].replace("-", "_").upper()


def setting(settings: Settings, name: str) -> object:
    """Return a setting by its name."""
    return getattr(settings.defaults if hasattr(settings.defaults, name) else settings, name)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the files that TLS needs."""
    folder = tmp_path_factory.mktemp("tls")
    Certificates.make(folder)
    return folder


@pytest.mark.parametrize(("flag", "text", "name", "value"), VALID)
def test_a_flag_and_its_variable_mean_the_same(
    flag: str,
    text: str,
    name: str,
    value: object,
    certificates: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Either sets the one setting, and nothing else."""
    monkeypatch.chdir(certificates)
    beside = BESIDE.get(flag, [])
    by_flag = parse([flag, text, *beside], {})
    assert by_flag == parse([f"{flag}={text}", *beside], {})
    assert by_flag == parse(beside, {variable(flag): text})
    assert setting(by_flag, name) == value
    given = {each.partition("=")[0] for each in [flag, *beside]}
    for option in OPTIONS:
        if option.flags[-1] not in given:
            assert setting(by_flag, option.setting) == setting(Settings(), option.setting)


@pytest.mark.parametrize("flag", BESIDE)
def test_what_needs_another_option_says_so(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and the error names both as a person types them."""
    with pytest.raises(SystemExit) as stopped:
        parse([f"{flag}=file.pem"], {})
    assert stopped.value.code == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "--tls-cert" in error
    assert "--tls-key" in error


def test_every_option_is_tried() -> None:
    """The tables above leave no option out; passwords have tests of their own."""
    flags = {option.flags[-1] for option in OPTIONS if not option.secret}
    assert {flag for flag, *_ in VALID} == {flag for flag, _ in INVALID} == flags


@pytest.mark.parametrize(("flag", "text"), INVALID)
def test_an_invalid_flag_is_named(flag: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and the error says which flag and what it was given."""
    with pytest.raises(SystemExit) as stopped:
        parse([f"{flag}={text}"], {})
    assert stopped.value.code == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"ezra: error: {flag}: must ")
    assert repr(text) in error


@pytest.mark.parametrize(("flag", "text"), INVALID)
def test_an_invalid_variable_is_named(
    flag: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and the error says which variable, also an empty one."""
    with pytest.raises(SystemExit) as stopped:
        parse([], {variable(flag): text})
    assert stopped.value.code == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"ezra: error: {variable(flag)}: must ")


@pytest.mark.parametrize("name", ["EZRA_PORTS", "EZRA_", "EZRA_PASSWORT", "EZRA_port"])
def test_an_unknown_variable_is_an_error(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing that begins with EZRA_ is ignored."""
    with pytest.raises(SystemExit) as stopped:
        parse([], {name: "1"})
    assert stopped.value.code == 2
    assert f"{name}: there is no such variable" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--ports", "1"], ["--por", "1"], ["serve"], ["--port"]])
def test_an_unknown_or_shortened_flag_is_an_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """So is a word too many, and a flag without its value."""
    with pytest.raises(SystemExit) as stopped:
        parse(arguments, {})
    assert stopped.value.code == 2
    assert "ezra: error: " in capsys.readouterr().err


def test_the_flag_wins_over_the_variable() -> None:
    """Flag, else variable, else default."""
    settings = parse(["-p", "1", "-d", "here"], {"EZRA_PORT": "2", "EZRA_HOST": "::1"})
    assert (settings.port, settings.host, settings.data_dir) == (1, "::1", Path("here"))


def test_an_invalid_variable_is_an_error_even_where_a_flag_wins(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is ignored."""
    with pytest.raises(SystemExit):
        parse(["--port", "1"], {"EZRA_PORT": "http"})
    assert "EZRA_PORT: must" in capsys.readouterr().err


def test_without_anything_the_defaults_hold() -> None:
    """As the table of flags says them."""
    assert parse([], {"PATH": "/bin"}) == Settings(
        data_dir=Path("ezra-data"),
        host="127.0.0.1",
        port=42002,
        defaults=Defaults(30 * SECOND, 3, 0, None),
        scheduler=5 * SECOND,
        synchronous="full",
        max_clients=10_000,
        max_payload_bytes=16 * 1024 * 1024,
    )


@pytest.mark.usefixtures("own_process")
@pytest.mark.parametrize("flag", ["-v", "--version"])
def test_the_version(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is printed, with exit code 0."""
    with pytest.raises(SystemExit) as stopped:
        main([flag])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"ezra {VERSION}\n"


@pytest.mark.usefixtures("own_process")
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_help_names_every_flag(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 0."""
    with pytest.raises(SystemExit) as stopped:
        main([flag])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert all(name in shown for option in OPTIONS for name in option.flags)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"port": -1}, ValueError),
        ({"port": "1"}, TypeError),
        ({"synchronous": "off"}, ValueError),
        ({"host": ""}, ValueError),
        ({"data_dir": ""}, ValueError),
        ({"scheduler": 0}, ValueError),
        ({"max_clients": 0}, ValueError),
        ({"max_payload_bytes": 2**40}, ValueError),
        ({"defaults": Defaults(visibility_timeout=0)}, ValueError),
        ({"defaults": Defaults(max_attempts=0)}, ValueError),
        ({"defaults": Defaults(retry_delay=-1)}, ValueError),
        ({"defaults": Defaults(retention=-1)}, ValueError),
    ],
)
def test_settings_are_checked_wherever_they_come_from(
    wrong: dict[str, Any], error: type[Exception]
) -> None:
    """The text names the field."""
    name = next(iter(wrong))
    with pytest.raises(error, match="|".join([name, *Defaults.__slots__])):
        Settings(**wrong)


@pytest.mark.usefixtures("own_process")
@pytest.mark.parametrize("where", ["memory", "disk"])
def test_main_serves_until_a_signal(
    where: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It returns 0, and leaves the signals as they were."""
    before = signal.getsignal(signal.SIGTERM), signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def interrupt() -> None:
        try:
            until(lambda: " serves " in caplog.text, "the server to start")
        finally:
            # To the thread that waits: pytest's other ones do not block signals.
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    with caplog.at_level(logging.INFO):
        thread = threading.Thread(target=interrupt)
        thread.start()
        data = ":memory:" if where == "memory" else str(tmp_path)
        assert main(["--data-dir", data, "--port", "0", "--host", "0.0.0.0"]) == 0  # noqa: S104 - to see the warning
        thread.join()
    assert "no password" in caplog.text
    assert caplog.messages[-1] == "stopped after SIGTERM"
    after = signal.getsignal(signal.SIGTERM), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert after == before


@pytest.mark.usefixtures("own_process")
def test_a_signal_is_taken_however_early_it_comes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It waits for who takes it, and so do others behind it, which then are nobody's."""

    def hasty(*_: object) -> Engine:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            signal.pthread_kill(threading.get_ident(), number)
        return MemoryEngine(Defaults(), SystemClock())

    monkeypatch.setattr("ezra.threaded.service.open_engine", hasty)
    let_through: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {
        each: signal.signal(each, lambda each, _: let_through.append(each)) for each in numbers
    }
    try:
        with caplog.at_level(logging.INFO):
            assert main(["--port", "0"]) == 0
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert caplog.messages[-1] in ("stopped after SIGTERM", "stopped after SIGINT")
    assert let_through == []


@pytest.mark.usefixtures("own_process")
def test_main_returns_1_when_the_storage_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The engine's report is a reason to end like a signal."""

    def failing(settings: Settings, clock: Clock, failed: Callable[[EngineError], None]) -> Engine:
        failed(OutcomeUnknown("the disk has gone"))
        return open_engine(settings, clock)

    monkeypatch.setattr("ezra.threaded.service.open_engine", failing)
    assert main(["--data-dir", str(tmp_path), "--port", "0"]) == 1
    assert caplog.messages[-1] == "the storage failed: the disk has gone"


@pytest.mark.usefixtures("own_process")
def test_main_returns_1_when_it_cannot_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And logs why."""
    (tmp_path / "file").touch()
    assert main(["--data-dir", str(tmp_path / "file"), "--port", "0"]) == 1
    assert str(tmp_path) in caplog.messages[-1]


@pytest.mark.parametrize(
    ("limit", "served"),
    [((100, 100), 36), ((100, 5000), 1000), ((5000, 5000), 1000), ((10, 10), 1)],
)
def test_clients_are_fitted_to_the_files_that_may_be_open(
    limit: tuple[int, int], served: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is raised as far as it may be; what is still missing comes off the clients."""
    monkeypatch.setattr("resource.getrlimit", lambda _: limit)
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)
    assert fit_files(Settings(max_clients=1000)).max_clients == served


def test_a_server_s_threads_stay_on_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that the process was allowed, and only meanwhile; a Python without the GIL keeps all."""
    allowed = os.sched_getaffinity(0)
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True, raising=False)
    with one_core():
        assert len(os.sched_getaffinity(0)) == 1
        assert os.sched_getaffinity(0) <= allowed
        assert os.sched_getscheduler(0) == os.SCHED_BATCH
    assert os.sched_getaffinity(0) == allowed
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    with one_core():
        assert os.sched_getaffinity(0) == allowed


def test_a_server_runs_where_it_may_not_choose_its_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some sandboxes forbid it; that is no reason not to serve."""

    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    monkeypatch.setattr(os, "sched_setscheduler", forbidden)
    with one_core():
        pass
