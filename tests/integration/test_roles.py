"""Each role with a real client on a real server, and what nobody ever reads: the passwords."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ezra import Ezra
from tests.integration.raw_client import RawClient
from tests.integration.server_process import ServerProcess, environment
from tests.integration.waiting import PATIENCE, until

SECRETS = {"default": "S3CRET-main", "push": "S3CRET-push", "work": "S3CRET-work"}
WRONG = "S3CRET-wrong"


@pytest.fixture(scope="module")
def ezra() -> Iterator[Ezra]:
    """Serve beside one's own process, with all three passwords."""
    with Ezra(
        ":memory:",
        port=0,
        password=SECRETS["default"],
        push_password=SECRETS["push"],
        work_password=SECRETS["work"],
    ) as ezra:
        yield ezra


def connect(ezra: Ezra, **options: Any) -> redis.Redis:
    """Return redis-py's client, as its own documentation makes one."""
    assert ezra.address
    host, port = ezra.address
    return redis.Redis(
        host=host, port=port, decode_responses=True, retry=Retry(NoBackoff(), 0), **options
    )


WAYS = [
    (role, {"username": name, "password": SECRETS[role], "protocol": protocol})
    for role in SECRETS
    for name in (role, "default", None)
    for protocol in (2, 3)
]


@pytest.mark.parametrize(("role", "options"), WAYS, ids=range(len(WAYS)))
def test_redis_py_gets_in_by_each_password(ezra: Ezra, role: str, options: dict[str, Any]) -> None:
    """As its own user, as the default one, or with the password alone, in both protocols."""
    with connect(ezra, **options) as client:
        assert client.ping()
        assert client.acl_whoami() == role


@pytest.mark.parametrize("role", SECRETS)
def test_a_url_is_enough(ezra: Ezra, role: str) -> None:
    """`redis://:password@host` is what a framework's settings have room for."""
    assert ezra.address
    host, port = ezra.address
    with redis.Redis.from_url(f"redis://:{SECRETS[role]}@{host}:{port}/0") as client:
        assert client.ping()


@pytest.mark.parametrize(
    "options", [{}, {"password": WRONG}, {"username": "push", "password": "x"}]
)
def test_nobody_gets_in_without_one(ezra: Ezra, options: dict[str, Any]) -> None:
    """Redis' own errors, which redis-py knows."""
    with (
        connect(ezra, **options) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_who_pushes_and_who_works(ezra: Ezra) -> None:
    """A task goes from one to the other, and neither can do the other's part."""
    pusher = connect(ezra, password=SECRETS["push"])
    worker = connect(ezra, password=SECRETS["work"])
    with pusher, worker:
        task = pusher.xadd("emails", {"payload": "hello"})
        with pytest.raises(
            redis.exceptions.NoPermissionError, match="User push has no permissions"
        ):
            pusher.xreadgroup("g", "w", {"emails": ">"})
        with pytest.raises(
            redis.exceptions.NoPermissionError, match="User work has no permissions"
        ):
            worker.xadd("emails", {"payload": "hello"})
        with pytest.raises(redis.exceptions.NoPermissionError):
            worker.xtrim("emails", maxlen=0)
        claimed: Any = worker.xreadgroup("g", "w", {"emails": ">"})
        [[_, [(found, _)]]] = claimed
        assert found == task
        assert worker.xack("emails", "g", task) == 1
        assert "data_dir" not in pusher.info() | worker.info()


def test_the_owner_sees_who_is_who_and_can_end_some(ezra: Ezra) -> None:
    """CLIENT LIST says each client's role, and CLIENT KILL USER ends those of one."""
    assert ezra.address
    with (
        connect(ezra, password=SECRETS["default"]) as owner,
        connect(ezra, password=SECRETS["push"]) as pusher,
        RawClient(ezra.address) as stranger,
    ):
        pusher.ping()
        assert stranger.error("PING").startswith("NOAUTH")
        users = [client["user"] for client in owner.client_list()]
        assert sorted(users) == ["(none)", "default", "push"]
        assert owner.client_kill_filter(user="push") == 1
        until(lambda: len(owner.client_list()) == 2, "the killed one to be gone")
        assert sorted(c["user"] for c in owner.client_list()) == ["(none)", "default"]


ASKED = [
    *("INFO", "CONFIG GET *", "CLIENT LIST", "CLIENT INFO", "ACL LIST", "ACL USERS", "ACL WHOAMI"),
    *("COMMAND DOCS AUTH", "SLOWLOG GET", "LATENCY LATEST", "CONFIG GET requirepass", "HELLO"),
    *("AUTH", "AUTH a b c", "HELLO 3 AUTH default", "NOSUCH"),
]


GUESSES = ("AUTH default", "AUTH push", "AUTH nobody", "HELLO 3 AUTH default", "AUTH")


def test_nothing_shows_a_password(tmp_path: Path) -> None:
    """Neither a reply, nor the log, nor the command line of a server that has them from files."""
    arguments = []
    for flag, role in (
        ("password", "default"),
        ("push-password", "push"),
        ("work-password", "work"),
    ):
        file = tmp_path / role
        file.write_text(SECRETS[role])
        file.chmod(0o644)
        arguments += [f"--{flag}-file", str(file)]
    with ServerProcess(tmp_path / "data", *arguments) as server:
        client = server.client()
        # From a client each, which all have their pauses at the same time.
        guessers = [server.client() for _ in GUESSES]
        for guesser, line in zip(guessers, GUESSES, strict=True):
            guesser.send(*line.split(), WRONG)
        replies = [guesser.reply() for guesser in guessers]
        for secret in SECRETS.values():
            client.call("AUTH", secret)
            replies += [client.call(*line.split()) for line in ASKED]
        shown = repr([str(reply) if isinstance(reply, Exception) else reply for reply in replies])
        command = Path(f"/proc/{server.process.pid}/cmdline").read_bytes().decode()
        assert server.stop() == 0
    assert "WRONGPASS" in shown
    assert "chmod 600" in "".join(server.log)
    for text in (shown, command, "\n".join(server.log)):
        assert "S3CRET" not in text


SECURITY = Path(__file__).parents[2] / "docs" / "security.md"
OF_THE_PAGE = {
    "EZRA_PASSWORD": "the main password",
    "EZRA_PUSH_PASSWORD": "the push password",
    "EZRA_WORK_PASSWORD": "the work password",
}
TO_ITS_END: Any = {"env": environment(), "timeout": PATIENCE}


def test_what_the_page_shows_for_redis_py_runs(tmp_path: Path) -> None:
    """From top to bottom, as it stands but for the port: a task goes its way."""
    examples = re.findall(r"^<!-- example: (\w+) -->\n```python\n(.*?)^```$", page(), FLAGS)
    said = {}
    with ServerProcess(tmp_path / "data", variables=OF_THE_PAGE) as server:
        for name, code in examples:
            program = tmp_path / f"{name}.py"
            program.write_text(code.replace("42002", str(server.address[1])))
            line = [sys.executable, str(program)]
            done = subprocess.run(
                line,
                env=environment({}),
                check=True,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
            said[name] = done.stdout.strip()
    assert said == {"push": "", "work": "b'to: alice@example.org'", "owner": "['default']"}


def test_what_the_page_shows_for_redis_cli_runs(tmp_path: Path) -> None:
    """As it stands but for the port and the place of the files."""
    cli = shutil.which("redis-cli")
    if cli is None:
        pytest.skip("no redis-cli here: it is in Debian's package redis-tools")
    for variable, name in zip(OF_THE_PAGE, ("password", "push", "work"), strict=True):
        (tmp_path / name).write_text(OF_THE_PAGE[variable] + "\n")
    (script,) = [code for code in re.findall(r"^```sh\n(.*?)^```$", page(), FLAGS) if "CLI" in code]
    with ServerProcess(":memory:", variables=OF_THE_PAGE) as server:
        script = script.replace("/etc/ezra", str(tmp_path)).replace("42002", str(server.address[1]))
        line = ["/bin/bash", "-euc", script]
        done = subprocess.run(line, check=True, capture_output=True, text=True, **TO_ITS_END)
    pushed, *claimed, killed = done.stdout.split("\n")[:-1]
    assert pushed in claimed
    assert "to: alice@example.org" in claimed
    assert (killed, done.stderr) == ("0", "")


def page() -> str:
    """Return the page on security."""
    return SECURITY.read_text("utf-8")


FLAGS = re.DOTALL | re.MULTILINE


def test_who_works_removes_nothing_that_no_worker_was_given(ezra: Ezra) -> None:
    """Not by any command that ends a task by its id."""
    with connect(ezra, password=SECRETS["default"]) as owner:
        task = owner.xadd("waiting", {"payload": "x"})
    with connect(ezra, password=SECRETS["work"]) as worker:
        worker.execute_command("XACK", "waiting", "g", task)
        worker.execute_command("XACKDEL", "waiting", "g", "IDS", 1, task)
        worker.execute_command("XDEL", "waiting", task)
        worker.execute_command("XNACK", "waiting", "g", "FATAL", "IDS", 1, task)
        assert worker.xlen("waiting") == 1
