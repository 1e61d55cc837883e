"""`python -m ezra check`, `backup`, `recover`, and EZRA.BACKUP: on files, and beside a server."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import hiredis
import pytest

from ezra.cli import main
from ezra.sansio.errors import CommandError
from ezra.threaded.clock import SystemClock
from ezra.threaded.settings import Settings
from ezra.threaded.sqlite import backup
from ezra.threaded.sqlite.backup import back_up
from ezra.threaded.sqlite.wal import HEADER_SIZE
from tests.integration.local_server import LocalServer
from tests.integration.server_process import ServerProcess, run
from tests.property.sqlite_worlds import by_hand, engine_in, push, take
from tests.property.test_sqlite_start import FRAME, flip, log_of, tear
from tests.property.test_sqlite_upgrades import older

pytestmark = pytest.mark.usefixtures("own_process")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data directory with two queues, closed in order."""
    directory = tmp_path / "data"
    with engine_in(directory) as engine:
        for number in range(5):
            push(engine, payload=b"%d" % number)
        take(engine, count=2)
        push(engine, "r")
    return directory


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """Return a data directory whose pushes are in the log only."""
    with engine_in(tmp_path / "alive") as engine:
        for _ in range(6):
            push(engine)
        shutil.copytree(tmp_path / "alive", tmp_path / "crashed")
    (tmp_path / "crashed" / "ezra.db-shm").unlink()
    return tmp_path / "crashed"


def ezra(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, list[str]]:
    """Run a command; return its exit code and its lines."""
    code = main([str(word) for word in words])
    return code, capsys.readouterr().out.splitlines()


def content(directory: Path) -> dict[str, bytes]:
    """Return all files."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def edited(directory: Path, *statements: str) -> None:
    """Change what no statement of EZRA's and no trigger would."""
    with by_hand(directory) as connection:
        connection.execute("PRAGMA writable_schema = on")
        connection.execute("PRAGMA ignore_check_constraints = on")
        triggers = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
        made = connection.execute(triggers).fetchall()
        for name, _ in made:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, statement in made:
            connection.execute(statement)


# -- check -----------------------------------------------------------------------------------------


def test_a_sound_database_is_called_sound(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line is the verdict; a directory or a file may be named, and nothing is written."""
    before = content(data)
    code, lines = ezra(capsys, "check", "-d", data)
    assert (code, lines[-1]) == (0, "sound")
    assert "2 queues; tasks: 4 available, 2 in flight, 0 done, 0 dead" in lines
    assert ezra(capsys, "check", data) == ezra(capsys, "check", data / "ezra.db") == (code, lines)
    assert content(data) == before


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE queues SET ready = 9 WHERE name = 'r'", "books: 1 queues count .* 'r'"),
        ("UPDATE queues SET damaged = 1 WHERE name = 'r'", "damaged: 1 queues count .* 'r'"),
        ("DELETE FROM payloads", "tasks: 6 have lost what was pushed"),
        ("UPDATE tasks SET worker = NULL WHERE status = 'in_flight'", "statuses: 2 tasks"),
        ("UPDATE tasks SET finished_at = 1 WHERE status = 'available'", "statuses: 4 tasks"),
        ("UPDATE queues SET last_id = 0, last_claimed = 0 WHERE name = 'r'", "ids: 1 tasks"),
        ("UPDATE queues SET last_claimed = last_id + 1 WHERE name = 'r'", "claimed ids: 1 queues"),
        ("DELETE FROM high_water", "highest id of all: .* 1 rows"),
        ("INSERT INTO payloads (task_id) VALUES (77)", "payloads: 1 belong to no task"),
        ("INSERT INTO payloads (task_id) VALUES (77)", "payloads: row 77 refers to .* tasks"),
        ("UPDATE tasks SET priority = 1000", "pages: .*CHECK constraint failed"),
        ("DELETE FROM queues WHERE name = 'r'", "tasks: row .* refers to a row of queues"),
    ],
)
def test_what_is_wrong_is_found_and_named(
    data: Path, statement: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each promise that a row can break."""
    edited(data, statement)
    code, lines = ezra(capsys, "check", "-d", data)
    wrong = [line for line in lines if line.startswith("WRONG ")]
    assert [line for line in wrong if re.search(says, line)], lines
    assert (code, lines[-1]) == (1, f"DAMAGED: {len(wrong)} findings")


@pytest.mark.parametrize(
    ("statement", "wrong"),
    [
        ("UPDATE payloads SET checksum = NULL WHERE payload = x'30'", 0),
        ("UPDATE payloads SET payload = x'78' WHERE payload = x'31'", 1),
        ("UPDATE payloads SET payload = NULL, headers = x'31'", 6),
    ],
)
def test_checksums_are_looked_at_where_they_are_kept(
    data: Path, statement: str, wrong: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """NULL is not known; every other one must fit."""
    edited(data, statement)
    code, lines = ezra(capsys, "check", "-d", data)
    assert sum("is not what was pushed" in line for line in lines) == wrong, lines
    assert code == (1 if wrong else 0)


def test_what_is_no_database_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And what is not there is a wrong use."""
    (tmp_path / "ezra.db").write_bytes(b"something else" * 20)
    code, lines = ezra(capsys, "check", "-d", tmp_path)
    assert code == 1
    assert "is not an SQLite database" in lines[0]
    for words in (["check", "-d", str(tmp_path / "no")], ["backup", "-d", str(tmp_path / "no")]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2
    with pytest.raises(SystemExit):
        main(["recover", "-d", str(tmp_path / "no")])


def test_a_damaged_page_is_found(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SQLite's own words, and no traceback."""
    with (data / "ezra.db").open("r+b") as file:
        file.seek(4 * 4096)
        file.write(b"\xa5" * 4096)
    code, lines = ezra(capsys, "check", "-d", data)
    assert (code, lines[-1][:7]) == (1, "DAMAGED")


def test_a_database_of_the_first_version_can_be_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before it is upgraded, which has no way back."""
    older(tmp_path, 1)
    with by_hand(tmp_path) as connection:
        connection.execute("UPDATE queues SET last_id = 9")
    code, lines = ezra(capsys, "check", "-d", tmp_path)
    assert code == 0, lines


def test_a_log_is_looked_at_and_not_absorbed(
    crashed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sound, torn or damaged: it is there afterwards as it was, and so is the database."""
    before = content(crashed)
    assert ezra(capsys, "check", crashed)[0] == 0
    assert content(crashed) == before
    tear(crashed)
    before = content(crashed)
    code, lines = ezra(capsys, "check", crashed)
    assert code == 0
    assert [line for line in lines if line.startswith("log: torn at frame")]
    assert content(crashed) == before
    flip(log_of(crashed), HEADER_SIZE + FRAME + 100)
    before = content(crashed)
    code, lines = ezra(capsys, "check", crashed)
    assert code == 1
    assert "WRONG log: " in "".join(lines)
    flip(log_of(crashed), 20)
    assert "damaged in its header" in "".join(ezra(capsys, "check", crashed)[1])


def test_recovery_from_the_command_line(crashed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a refused start names can be typed as it stands, and then a server starts."""
    flip(log_of(crashed), log_of(crashed).stat().st_size - 9 * FRAME)
    refused = run("-d", str(crashed), "-p", "0")
    assert refused.returncode == 1
    assert f"python -m ezra recover -d {crashed}" in refused.stderr
    code, lines = ezra(capsys, "recover", "-d", crashed)
    assert (code, "can be started on" in lines[-1]) == (0, True)
    assert ezra(capsys, "check", "-d", crashed)[0] == 0
    with ServerProcess(crashed) as server:
        assert server.client().call("PING") == b"PONG"
        code, lines = ezra(capsys, "recover", "-d", crashed)
        assert code == 1
        assert "in use by another EZRA" in lines[0]


# -- Backups ---------------------------------------------------------------------------------------


def serve_from(backup_file: Path, directory: Path) -> ServerProcess:
    """Start a server on a backup, as the docs say: put as ezra.db into an empty directory."""
    directory.mkdir()
    shutil.copyfile(backup_file, directory / "ezra.db")
    return ServerProcess(directory)


def test_a_backup_of_a_running_server_is_served_from(tmp_path: Path) -> None:
    """What was in flight waits again; what came later is not in it."""
    with ServerProcess(tmp_path / "data", variables={}) as server:
        client = server.client()
        ids = [client.call("XADD", "q", "*", "payload", n) for n in range(20)]
        client.call("XREADGROUP", "GROUP", "g", "w", "COUNT", 3, "STREAMS", "q", ">")
        path, size = client.call("EZRA.BACKUP", "monday.db")
        client.call("XADD", "q", "*", "payload", "later")
        made = Path(path.decode())
        assert made == tmp_path / "data" / "backups" / "monday.db"
        assert made.stat().st_size == size
        assert stat.S_IMODE(made.stat().st_mode) == 0o600
        assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700
        assert os.listdir(made.parent) == ["monday.db"]
        again = client.call("EZRA.BACKUP", "monday.db")
        assert "monday.db is there already" in str(again)
    with serve_from(made, tmp_path / "restored") as server:
        client = server.client()
        assert client.call("XLEN", "q") == 20
        ((_, tasks),) = client.call(
            "XREADGROUP", "GROUP", "g", "w", "COUNT", 99, "STREAMS", "q", ">"
        )
        assert sorted(task[0] for task in tasks) == sorted(ids)


def test_a_log_that_was_left_beside_a_backup_is_noticed(tmp_path: Path) -> None:
    """SQLite would play it into the backup, page by page."""
    with ServerProcess(tmp_path / "data") as server:
        client = server.client()
        client.call("XADD", "q", "*", "payload", "p")
        path = Path(client.call("EZRA.BACKUP", "a")[0].decode())
        client.call("XADD", "q", "*", "payload", "later")
        server.kill()
    shutil.copyfile(path, tmp_path / "data" / "ezra.db")
    refused = run("-d", str(tmp_path / "data"), "-p", "0")
    assert refused.returncode == 1
    assert "belongs to another database" in refused.stderr


def test_the_command_line_backs_up_beside_a_server_and_without_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under a name, under the present moment, or wherever one says; the database is not touched."""
    data = tmp_path / "data"
    with ServerProcess(data) as server:
        server.client().call("XADD", "q", "*", "payload", "p")
        code, lines = ezra(capsys, "check", "-d", data)
        assert (code, lines[0], lines[-1]) == (0, "a server is running on it", "sound")
        words = ("backup", "-d", data, "--min-free-bytes", "0")
        assert ezra(capsys, *words, "one.db")[0] == 0
        server.kill()
    before = content(data)
    code, lines = ezra(capsys, *words)
    assert code == 0
    assert ezra(capsys, *words, tmp_path / "elsewhere.db")[0] == 0
    after = content(data)
    assert {name: after[name] for name in before if name != "ezra.db-shm"} == {
        name: text for name, text in before.items() if name != "ezra.db-shm"
    }
    backups = [*(data / "backups").iterdir(), tmp_path / "elsewhere.db"]
    assert len(backups) == 3
    for made in backups:
        code, lines = ezra(capsys, "check", made)
        assert (code, lines[-1]) == (0, "sound")
        assert "1 queues; tasks: 1 available, 0 in flight, 0 done, 0 dead" in lines
    code, lines = ezra(capsys, *words, "one.db")
    assert (code, lines[0][:7]) == (1, "FAILED:")


def test_a_damaged_log_is_not_backed_up_without(
    crashed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A backup that silently lacks commits would be the worst of all. A torn one is said."""
    words = ("backup", "-d", crashed, "--min-free-bytes", "0")
    tear(crashed)
    code, lines = ezra(capsys, *words, "torn.db")
    assert code == 0
    assert "as a power loss leaves it" in lines[0]
    flip(log_of(crashed), HEADER_SIZE + FRAME + 100)
    code, lines = ezra(capsys, *words, "damaged.db")
    assert code == 1
    assert "see `ezra check`" in lines[0]
    assert os.listdir(crashed / "backups") == ["torn.db"]


@pytest.mark.parametrize("words", ["..x", "a-wal", "a --min-free-bytes -1", "a --nosuch"])
def test_a_wrong_use_of_backup(data: Path, words: str) -> None:
    """Exit code 2, and no backup."""
    with pytest.raises(SystemExit) as stopped:
        main(["backup", "-d", str(data), *words.split()])
    assert stopped.value.code == 2
    assert not (data / "backups").exists()


@pytest.mark.parametrize(
    ("words", "variables", "error"),
    [
        ("backup --min-free-bytes x", {}, "--min-free-bytes: must be a whole number"),
        ("backup", {"EZRA_MIN_FREE_BYTES": "x"}, "EZRA_MIN_FREE_BYTES: must be a whole number"),
        ("backup", {"EZRA_MIN_FREE_BYTES": ""}, "EZRA_MIN_FREE_BYTES: must be a whole number"),
        ("check", {"EZRA_DATA_DIR": ""}, "EZRA_DATA_DIR: must not be empty"),
        ("check --data-dir=", {}, "--data-dir: must not be empty"),
        ("recover", {"EZRA_DATA_DIRECTORY": "."}, "EZRA_DATA_DIRECTORY: there is no such variable"),
    ],
)
def test_a_wrong_flag_or_variable_is_named(
    data: Path,
    words: str,
    variables: dict[str, str],
    error: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, as the server does it: nothing is ignored."""
    monkeypatch.setenv("EZRA_DATA_DIR", str(data))
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    command, *rest = words.split()
    with pytest.raises(SystemExit) as stopped:
        main([command, *rest])
    assert stopped.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"ezra {command}: error: {error}")


def test_an_empty_path_is_not_the_directory_by_default(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a shell makes one of a variable that is not set."""
    monkeypatch.setenv("EZRA_DATA_DIR", str(data))
    assert main(["check"]) == 0
    with pytest.raises(SystemExit) as stopped:
        main(["check", ""])
    assert stopped.value.code == 2


def test_the_server_s_variables_are_those_of_the_commands(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A flag wins, and what only the server has a use for is not in the way."""
    for name, text in {"EZRA_DATA_DIR": "no", "EZRA_PORT": "1", "EZRA_MIN_FREE_BYTES": "0"}.items():
        monkeypatch.setenv(name, text)
    assert ezra(capsys, "backup", "-d", data, "a.db")[0] == 0
    monkeypatch.setenv("EZRA_MIN_FREE_BYTES", str(2**62))
    assert ezra(capsys, "backup", "-d", data, "b.db")[0] == 1


def test_a_server_in_memory_has_nothing_to_back_up() -> None:
    """And says so."""
    with LocalServer(Settings(data_dir=":memory:", port=0), SystemClock()) as server:
        answer = server.client().call("EZRA.BACKUP", "a")
    assert "there is nothing to back up" in str(answer)


@pytest.fixture
def server(tmp_path: Path) -> LocalServer:
    """Return a server with a task, to be stopped by the test."""
    made = LocalServer(
        Settings(data_dir=tmp_path / "data", port=0, min_free_bytes=0), SystemClock()
    )
    made.client().call("XADD", "q", "*", "payload", "p" * 10_000)
    return made


def is_error(answer: object, text: str) -> bool:
    """Say whether a reply is an error with this in it."""
    return isinstance(answer, hiredis.ReplyError) and text in str(answer)


def backups_in(server: LocalServer) -> list[str]:
    """Return what there is in the directory for backups."""
    return sorted(path.name for path in (server.database.parent / "backups").glob("*"))


def test_a_backup_has_its_name_when_it_is_on_disk(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content is fsynced before, and its name after; only then it is answered."""
    synced: list[tuple[int, bool]] = []
    target = data / "backups" / "a"
    fsync = os.fsync

    def noted(handle: int) -> None:
        fsync(handle)
        synced.append((os.fstat(handle).st_ino, target.exists()))

    monkeypatch.setattr(os, "fsync", noted)
    assert back_up(data / "ezra.db", target, reserve=0) == target.stat().st_size
    content, name = target.stat().st_ino, target.parent.stat().st_ino
    assert synced[-2:] == [(content, False), (name, True)]


NOT_FOR_BACKUPS = (
    *(b"", b".", b"..", b"../x", b"../ezra.db", b"/x", b"/etc/passwd", b"a/b", b"a/../../x"),
    *(b"./x", b"x\0", b"x\0.db", b"..\\x", b"a\nb", b"-x", b"~x", b".x", b"\xff", b"a" * 101),
    *(b"a" * 100_000, b"a-wal", b"A-SHM", b"a-journal", b"a.unfinished", b"%2e%2e%2fx"),
    *(b"a.unfinished.db", b"A.Unfinished-2"),
)


def everything_under(directory: Path) -> set[str]:
    """Return the files and directories below one, but for what SQLite makes for itself."""
    return {str(path) for path in directory.rglob("*")}


def test_a_backup_is_in_its_directory_or_nowhere(server: LocalServer, tmp_path: Path) -> None:
    """Whatever its name tries; and a file that is there already stays what it was."""
    with server:
        client = server.client()
        before = everything_under(tmp_path)
        for name in NOT_FOR_BACKUPS:
            assert is_error(client.call("EZRA.BACKUP", name), "invalid name"), name[:20]
        assert everything_under(tmp_path) == before
        client.call("EZRA.BACKUP", "a")
        there = server.database.parent / "backups" / "a"
        content = there.read_bytes()
        client.call("XADD", "q", "*", "payload", "later")
        assert is_error(client.call("EZRA.BACKUP", "a"), "is there already")
        assert there.read_bytes() == content
        assert backups_in(server) == ["a"]


def test_one_backup_at_a_time(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is told so; pushes go on beside the first."""
    begun, go_on = threading.Event(), threading.Event()
    vacuum = backup._vacuum

    def slow(database: Path, into: Path) -> None:
        begun.set()
        assert go_on.wait(10)
        vacuum(database, into)

    monkeypatch.setattr(backup, "_vacuum", slow)
    with server:
        first, second = server.client(), server.client()
        first.send("EZRA.BACKUP", "first")
        assert begun.wait(10)
        assert is_error(second.call("EZRA.BACKUP", "second"), "another backup is being made")
        assert second.call("XADD", "q", "*", "payload", "p")
        go_on.set()
        assert first.reply()[0].endswith(b"/backups/first")
        assert second.call("EZRA.BACKUP", "second")[0].endswith(b"/backups/second")
        assert backups_in(server) == ["first", "second"]


def _no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))


def _full(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path, into: Path) -> None:
        into.write_bytes(b"half of it")
        into.with_name(f"{into.name}-journal").touch()
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr(backup, "_vacuum", full)


def _broken(monkeypatch: pytest.MonkeyPatch) -> None:
    vacuum = backup._vacuum

    def broken(database: Path, into: Path) -> None:
        vacuum(database, into)
        with into.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * 4096)

    monkeypatch.setattr(backup, "_vacuum", broken)


def _forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(backup, "_vacuum", forbidden)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (_no_room, "no room for a backup: "),
        (_full, "the disk is full: no backup was made"),
        (_broken, "no backup was made, and nothing is left of it: "),
        (_forbidden, "Permission denied"),
    ],
)
def test_a_backup_that_fails_leaves_nothing(
    server: LocalServer,
    fault: Callable[[pytest.MonkeyPatch], None],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A clear error, no file, and the server goes on."""
    with server:
        client = server.client()
        fault(monkeypatch)
        assert is_error(client.call("EZRA.BACKUP", "a"), says)
        assert backups_in(server) == []
        monkeypatch.undo()
        assert client.call("XADD", "q", "*", "payload", "p")
        assert client.call("EZRA.BACKUP", "a")[1] > 0


def test_what_a_crash_left_of_a_backup_goes_with_the_next(server: LocalServer) -> None:
    """Only what was never finished."""
    with server:
        client = server.client()
        client.call("EZRA.BACKUP", "a")
        (server.database.parent / "backups" / "b.unfinished").write_bytes(b"half")
        (server.database.parent / "backups" / "b.unfinished-journal").write_bytes(b"half")
        client.call("EZRA.BACKUP", "c")
        assert backups_in(server) == ["a", "c"]


def test_a_backup_elsewhere_removes_nobody_s_files(data: Path, tmp_path: Path) -> None:
    """In a directory that is not ours, another's unfinished work is another's."""
    (tmp_path / "b.unfinished").touch()
    back_up(data / "ezra.db", tmp_path / "a", reserve=0)
    assert (tmp_path / "b.unfinished").exists()
    with pytest.raises(CommandError, match="is there already"):
        back_up(data / "ezra.db", tmp_path / "a", reserve=0)
    with pytest.raises(CommandError, match="No such file"):
        back_up(data / "ezra.db", tmp_path / "nowhere" / "a", reserve=0)
