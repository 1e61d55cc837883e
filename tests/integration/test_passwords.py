"""Passwords as options: from flags, variables and files, and never shown by anything."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from ezra.embedded import Ezra
from ezra.options import parse
from ezra.sansio.access import Role
from ezra.threaded.settings import PASSWORDS, Settings
from tests.integration.server_process import ServerProcess, run
from tests.integration.waiting import PATIENCE

SECRET = "S3CRET-horse"  # noqa: S105 - so that it can be looked for
NAMES = ["password", "push-password", "work-password"]


def given(name: str) -> list[str]:
    """Return the words that have to stand beside a password of this name."""
    return [] if name == "password" else ["--password", "main"]


def variable(flag: str) -> str:
    """Return the variable of a flag without its dashes."""
    return "EZRA_" + flag.replace("-", "_").upper()


def refused(
    arguments: list[str], variables: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> str:
    """Return the error that these are answered with, which must not show the secret."""
    with pytest.raises(SystemExit) as stopped:
        parse(arguments, variables)
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    assert SECRET not in shown.err + shown.out
    return shown.err.splitlines()[-1].removeprefix("ezra: error: ")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that holds the secret, and that only its owner may read."""
    path = tmp_path / "password"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_each_way_means_the_same(name: str, file: Path) -> None:
    """A flag, its variable, a file named by either."""
    ways = [
        parse([*given(name), f"--{name}", SECRET], {}),
        parse([*given(name), f"--{name}={SECRET}"], {}),
        parse(given(name), {variable(name): SECRET}),
        parse([*given(name), f"--{name}-file", str(file)], {}),
        parse(given(name), {variable(name + "-file"): str(file)}),
    ]
    assert all(way == ways[0] for way in ways)
    field = name.replace("-", "_")
    assert getattr(ways[0], field) == SECRET
    assert {getattr(ways[0], other) for other in PASSWORDS} - {SECRET, "main"} == {None}


@pytest.mark.parametrize(
    ("content", "password"),
    {
        b"word": "word",
        b"word\n": "word",
        b"word\r\n": "word",
        b" two words \n": " two words ",
        b"\xff\xfe\n": "\udcff\udcfe",
        "p\u00e4ss\n".encode(): "p\u00e4ss",
        b"x" * 16_384 + b"\r\n": "x" * 16_384,
    }.items(),
)
def test_a_file_is_one_line_whose_end_is_not_meant(
    content: bytes, password: str, tmp_path: Path
) -> None:
    """Whatever bytes stand in it."""
    path = tmp_path / "file"
    path.write_bytes(content)
    path.chmod(0o600)
    settings = parse(["--password-file", str(path)], {})
    assert settings.password == password
    assert settings.access.role_of(None, content.rstrip(b"\r\n")) is Role.DEFAULT


@pytest.mark.parametrize(
    ("content", "reason"),
    {
        b"": "must not be empty",
        b"\n": "must not be empty",
        b"one\ntwo\n": "must be one line",
        b"one\n\n": "must be one line",
        b"one\rtwo": "must be one line",
        b"one\0two": "must be one line",
        b"x" * 16_385: "must be at most 16384 bytes",
        b"x" * 16_386: "must be at most 16384 bytes",
        b"x" * 1_000_000: "must be at most 16384 bytes",
    }.items(),
    ids=str,
)
@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_holds_something_else_is_refused(
    name: str, content: bytes, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the flag and says what would be right."""
    path = tmp_path / SECRET
    path.write_bytes(content)
    error = refused([*given(name), f"--{name}-file", str(path)], {}, capsys)
    assert error == f"--{name}-file: must name a file that holds a password, which {reason}"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (SECRET, "No such file or directory"),
        ("/", "Is a directory"),
        ("", "No such file or directory"),
        (f"{SECRET}\0", "its name has a NUL byte"),
    ],
)
def test_a_file_that_is_not_there_is_refused(
    path: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its name: somebody will give the password itself for that."""
    error = refused([f"--password-file={path}"], {}, capsys)
    assert error == f"--password-file: must name a file that can be read: {reason}"


@pytest.mark.parametrize(
    ("mode", "warned"), [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1), (0o444, 1), (0o620, 0)]
)
def test_a_file_that_others_may_read_is_warned_of(
    mode: int, warned: int, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And read: the secrets of a container are mounted like that."""
    file.chmod(mode)
    assert parse(["--password-file", str(file)], {}).password == SECRET
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * warned
    assert SECRET not in caplog.text


def test_a_start_warns_of_a_file_once(file: Path) -> None:
    """Though the server starts itself again: what it reads, it reads afterwards."""
    file.chmod(0o644)
    unset = ("env", "-u", "GLIBC_TUNABLES")
    with ServerProcess(":memory:", "--password-file", str(file), under=unset) as server:
        assert sum("can be read by others" in line for line in server.log) == 1


def test_a_file_may_be_a_pipe() -> None:
    """As a shell makes one of `<(pass show ezra)`."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(f"{SECRET}\n".encode())
    try:
        assert parse(["--password-file", f"/dev/fd/{reading}"], {}).password == SECRET
    finally:
        os.close(reading)


@pytest.mark.parametrize("name", NAMES)
def test_both_forms_from_one_source_are_an_error(
    name: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody could say which is meant; a flag wins over a variable in either form."""
    one, other = f"--{name}", f"--{name}-file"
    both = f"{one} and {other} are both given: choose one of them"
    assert refused([*given(name), one, SECRET, other, str(file)], {}, capsys) == both
    variables = {variable(name): SECRET, variable(name + "-file"): str(file)}
    both = f"{variable(name)} and {variable(name + '-file')} are both given: choose one of them"
    assert refused(given(name), variables, capsys) == both
    by_flag = parse([*given(name), other, str(file)], {variable(name): "other"})
    assert getattr(by_flag, name.replace("-", "_")) == SECRET


@pytest.mark.parametrize(
    "text", ["", f"{SECRET}\n", f"{SECRET}\r", f"{SECRET}\0", SECRET * 2000], ids=range(5)
)
@pytest.mark.parametrize("name", NAMES)
def test_no_error_shows_a_password(
    name: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only which flag or variable it was, and what is wrong."""
    by_flag = refused([*given(name), f"--{name}={text}"], {}, capsys)
    by_variable = refused(given(name), {variable(name): text}, capsys)
    assert by_flag.startswith(f"--{name}: must ")
    assert by_variable.startswith(f"{variable(name)}: must ")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--push-password", SECRET], "--push-password needs --password beside it: "),
        (["--password", SECRET, "--work-password", SECRET], "--work-password must not be the same"),
        (["--work-password-file", "FILE"], "--work-password-file needs --password beside it: "),
        ([f"--pasword={SECRET}"], "unrecognized arguments: --pasword"),
        (["--pasword", SECRET], "unrecognized arguments: --pasword"),
        ([SECRET], "unrecognized arguments: 1 of them belong to no flag"),
    ],
    ids=range(6),
)
def test_a_slip_of_the_pen_shows_no_password(
    arguments: list[str], error: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What makes no sense together is refused, and so is a flag that there is not."""
    words = [str(file) if word == "FILE" else word for word in arguments]
    assert refused(words, {}, capsys).startswith(error)
    assert refused([], {"EZRA_PASWORD": SECRET}, capsys).startswith("EZRA_PASWORD: there is no ")


@pytest.mark.parametrize(
    ("given_by", "error"),
    [
        ({"EZRA_PUSH_PASSWORD": SECRET}, "EZRA_PUSH_PASSWORD needs --password beside it: "),
        (
            {"EZRA_PASSWORD": SECRET, "EZRA_PUSH_PASSWORD": SECRET},
            "EZRA_PUSH_PASSWORD must not be the same as EZRA_PASSWORD: ",
        ),
    ],
    ids=range(2),
)
def test_variables_that_make_no_sense_together_are_named(
    given_by: dict[str, str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As they were given: nobody looks for a flag that they have not typed."""
    assert refused([], given_by, capsys).startswith(error)
    named = error.replace("EZRA_PUSH_PASSWORD", "--push-password")
    assert refused(["--push-password", SECRET], given_by, capsys).startswith(named)


@pytest.mark.parametrize("name", PASSWORDS)
def test_settings_never_show_a_password(name: str) -> None:
    """Neither as text nor in the error about one that is wrong."""
    given: dict[str, Any] = {"password": "main", name: SECRET}
    settings = Settings(**given)
    assert SECRET not in repr(settings) + str(settings) + repr(settings.access)
    with pytest.raises(TypeError, match=f"^{name} must be a str$"):
        Ezra(":memory:", **(given | {name: SECRET.encode()}))
    with pytest.raises(ValueError, match=f"^{name} must not be empty"):
        Ezra(":memory:", **(given | {name: ""}))


def test_protected_mode_is_yes_or_no() -> None:
    """In one's own process it is a bool."""
    with pytest.raises(TypeError, match=r"^protected_mode must be True or False"):
        Settings(protected_mode="yes")  # type: ignore[arg-type]  # as somebody may try
    assert parse(["--protected-mode", "no"], {}).protected_mode is False


def test_the_help_says_that_a_command_line_can_be_seen() -> None:
    """Beside each flag that takes a password as it is."""
    shown = " ".join(run("--help").stdout.split())
    assert shown.count("`ps` shows it to everybody, so rather use a file") == len(NAMES)


def test_a_password_may_come_from_a_pipe(tmp_path: Path) -> None:
    """Which gives it once, though the server starts itself again: `--password-file <(…)`."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    writer = threading.Thread(target=pipe.write_text, args=(SECRET + "\n",), daemon=True)
    writer.start()
    unset = ("env", "-u", "GLIBC_TUNABLES")
    with ServerProcess(":memory:", "--password-file", str(pipe), under=unset) as server:
        assert server.client().call("AUTH", SECRET) == b"OK"
    writer.join(PATIENCE)
