"""The docs tell the truth: what can be run is run, what is named exists, what is generated fits.

A page is read as Markdown only as far as needed: fenced blocks by their language, spans of code,
links and headings.
"""

from __future__ import annotations

import ast
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ezra.options import OPTIONS, make_parser
from ezra.sansio.commands.fields import DEDUP_OPTIONS
from ezra.sansio.commands.fields import OPTIONS as TASK_OPTIONS
from ezra.threaded import failpoints
from tests.faults.__main__ import CAMPAIGNS
from tests.integration.raw_client import RawClient
from tests.integration.server_process import ServerProcess, environment
from tests.integration.waiting import PATIENCE, until

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
OPERATIONS = ROOT / "docs" / "operations.md"
RELIABILITY = ROOT / "docs" / "reliability.md"
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "CHANGELOG.md",
    *sorted(ROOT.glob("docs/*.md")),
]

FENCED = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
MARKED = re.compile(r"^<!-- example: ([\w-]+) -->\n```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
QUOTED = re.compile(r"^<!-- quoted: .*?^<!-- end -->$", re.DOTALL | re.MULTILINE)
"""What is quoted from a client's program, which runs as a whole in tests of its own."""
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\[[^\]]*\]\((?P<page>[^)#\s]*)(?:#(?P<heading>[^)\s]*))?\)")
NAMED_TEST = re.compile(r"([a-z_/]+/)?test_[a-z_]+\.py(::test_\w+)?")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(text: str, language: str) -> Iterator[tuple[int, str]]:
    """Yield each fenced block in that language: the number of its first line, and what it says."""
    for found in FENCED.finditer(text):
        if found["language"] == language:
            yield text.count("\n", 0, found.start("code")) + 1, found["code"]


def prose(page: Path) -> str:
    """Return the page without its fenced blocks."""
    return FENCED.sub("", page.read_text())


def spans(page: Path) -> list[str]:
    """Return what the page sets as code within its sentences."""
    return SPAN.findall(prose(page))


# -- What is generated -----------------------------------------------------------------------------


def check(generator: Path) -> subprocess.CompletedProcess[str]:
    """Have the generator say whether the pages beside it have drifted."""
    line = [sys.executable, str(generator), "--check"]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=PATIENCE)


def test_generated_parts_fit_the_code() -> None:
    """A change of a table or of the example is a change of the docs: `make docs`."""
    result = check(ROOT / "docs" / "generate.py")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("page", "was", "becomes"),
    [
        ("lifecycle.md", "| `available` | claim | `in_flight` |", "| `done` | claim | `done` |"),
        ("lifecycle.md", "available --> in_flight: claim", "done --> in_flight: claim"),
        ("protocol.md", "#### XACK", "#### XACKNOWLEDGE"),
        ("architecture.md", "| `open` | garbage | `error` |", "| `open` | garbage | `open` |"),
        ("security.md", "| `push` | `XADD` |", "| `push` | `XADD`, `XRANGE` |"),
        ("embedding.md", "    match command:", "    match commando:"),
    ],
)
def test_drift_is_noticed_and_written_over(
    page: str, was: str, becomes: str, tmp_path: Path
) -> None:
    """One changed word in a generated part fails the check, and `make docs` puts it right."""
    for folder in ("docs", "examples"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    copy, generator = tmp_path / "docs" / page, tmp_path / "docs" / "generate.py"
    text = copy.read_text()
    assert was in text
    copy.write_text(text.replace(was, becomes))
    result = check(generator)
    assert result.returncode == 1
    assert page in result.stderr
    subprocess.run([sys.executable, str(generator)], check=True, capture_output=True)
    assert copy.read_text() == text


@each_page
def test_a_generated_part_has_an_end(page: Path) -> None:
    """Else the generator would not see it, and it could drift unnoticed."""
    marks = re.findall(r"<!-- (generated|quoted|end)\b", page.read_text())
    assert marks[1::2] == ["end"] * (len(marks) // 2)
    assert "end" not in marks[::2]


# -- What can be run -------------------------------------------------------------------------------


@each_page
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page from top to bottom, as a reader would paste it."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    text = page.read_text()
    ran_elsewhere = {code for _, code in MARKED.findall(text)} | {
        code for quoted in QUOTED.findall(text) for _, code in blocks(quoted, "python")
    }
    for line, code in blocks(text, "python"):
        if code not in ran_elsewhere:
            exec(compile("\n" * (line - 1) + code, page, "exec"), names)  # noqa: S102 - our own docs


@pytest.mark.parametrize(("protocol", "example"), [(3, "worker"), (2, "worker-2")])
def test_a_newcomer_sees_the_readmes_task_processed(
    protocol: int, example: str, tmp_path: Path
) -> None:
    """Producer and worker as the README has them, but for the port and the protocol."""
    with ServerProcess(tmp_path / "data") as server, server.client() as client:
        for name, code in MARKED.findall(README.read_text()):
            assert "port=42002, protocol=" in code
            ours = code.replace("port=42002", f"port={server.address[1]}")
            if name == "producer":
                ours = ours.replace("protocol=3", f"protocol={protocol}")
            (tmp_path / f"{name}.py").write_text(ours)
        variables = environment({"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error"})
        line = [sys.executable, str(tmp_path / "producer.py")]
        subprocess.run(line, env=variables, check=True, capture_output=True, timeout=PATIENCE)
        line = [sys.executable, str(tmp_path / f"{example}.py")]
        with subprocess.Popen(line, env=variables, stdout=subprocess.PIPE, text=True) as worker:
            try:
                assert worker.stdout is not None
                said = worker.stdout.readline()
                until(lambda: books(client, "emails")[b"done"] == 1, "the worker's ack")
                assert worker.poll() is None
            finally:
                worker.kill()
        assert "alice@example.org" in said
        assert "Welcome!" in said
        assert client.call("XLEN", "emails") == 1  # the one with a delay


@pytest.mark.parametrize(
    ("example", "left"),
    [("heartbeat", {"films": 0}), ("transaction", {"invoices": 1, "emails": 1})],
)
def test_what_else_the_readme_shows_runs_to_its_end(
    example: str, left: dict[str, int], tmp_path: Path
) -> None:
    """As the README has it, but for the port; then so many tasks wait, and none is in flight."""
    program = tmp_path / "shown.py"
    with ServerProcess(tmp_path / "data") as server, server.client() as client:
        code = dict(MARKED.findall(README.read_text()))[example]
        program.write_text(code.replace("port=42002", f"port={server.address[1]}"))
        variables = environment({"PYTHONWARNINGS": "error"})
        line = [sys.executable, str(program)]
        subprocess.run(line, env=variables, check=True, capture_output=True, timeout=PATIENCE)
        assert {queue: client.call("XLEN", queue) for queue in left} == left
        assert not any(books(client, queue)[b"in-flight"] for queue in left)


def books(client: RawClient, queue: str) -> dict[bytes, object]:
    """Return XINFO STREAM's fields."""
    fields = client.call("XINFO", "STREAM", queue)
    return dict(zip(fields[::2], fields[1::2], strict=True))


def test_sql_runs_beside_the_server(tmp_path: Path) -> None:
    """What the page says to look at is there, and the server sees what it says to edit."""
    with ServerProcess(tmp_path) as server:
        client = server.client()
        client.call("XADD", "emails", "1700000000000-0", "payload", "scheduled", "delay", 3600)
        client.push("emails", "dead", "max_attempts", 1)
        dead = client.pop("emails")
        assert dead is not None
        assert client.call("XDEL", "emails", dead.id) == 1
        client.push("emails", "held", "visibility_timeout", 3600)
        assert client.pop("emails") is not None

        database = sqlite3.connect(tmp_path / "ezra.db", isolation_level=None)
        found = [database.execute(statement).fetchall() for statement in documented_sql()]
        database.close()

        assert all(rows for rows in found[:3])  # the first three only look
        claimed = [client.pop("emails"), client.pop("emails")]
        # Which comes first depends on whether a second has begun meanwhile.
        assert {(task["payload"], task["attempts"]) for task in claimed if task} == {
            (b"scheduled", b"1"),
            (b"dead", b"1"),
        }


def documented_sql() -> Iterator[str]:
    """Yield every SQL statement of the page on operations."""
    statement = ""
    for _, code in blocks(OPERATIONS.read_text(), "sql"):
        for line in code.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                yield statement
                statement = ""
    assert not statement.strip()


# -- What is named ---------------------------------------------------------------------------------


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link is to a file of the repository, and to a heading in it."""
    for link in LINK.finditer(prose(page)):
        if "://" in link["page"]:
            continue
        target = page.parent / link["page"] if link["page"] else page
        assert target.exists(), link[0]
        if link["heading"]:
            assert link["heading"] in anchors(target), link[0]


def anchors(page: Path) -> set[str]:
    """Return the page's headings as links name them."""
    headings = HEADING.findall(prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_files_that_are_named_exist(page: Path) -> None:
    """A path from the root must be there as it is, a bare name somewhere in our own folders."""
    own = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    sources = {path.name for folder in own for path in folder.rglob("*.py")}
    folders = {folder.name for folder in own}
    newcomers = {f"{name}.py" for name, _ in MARKED.findall(page.read_text())}
    for name in spans(page):
        if re.fullmatch(r"[\w./-]+/[\w./-]*", name) and name.split("/")[0] in folders:
            assert (ROOT / name).exists(), name
        elif re.fullmatch(r"\w+\.py", name):
            assert name in sources | newcomers, name


def test_what_shows_a_promise_exists() -> None:
    """Each test that the page about reliability names is there, and it names each campaign."""
    shown = [span for span in spans(RELIABILITY) if NAMED_TEST.fullmatch(span)]
    assert len(shown) > 40
    assert [span for span in shown if not is_a_test(span)] == []
    rows = [line for line in RELIABILITY.read_text().splitlines() if "campaign" in line]
    named = {span for line in rows for span in SPAN.findall(line[line.index("campaign") :])}
    assert {name for name in CAMPAIGNS if name != "soak tests"} - named == set()


def is_a_test(span: str) -> bool:
    """Tell whether there is such a test file and, if it is named, such a test in it."""
    file, _, test = span.partition("::")
    path = ROOT / (file if "/" in file else f"tests/integration/{file}")
    return path.is_file() and (not test or f"def {test}(" in path.read_text())


def threads_and_locks() -> Iterator[str]:
    """Yield the name of every thread that is started, and of every lock that an object has."""
    for path in ROOT.glob("ezra/**/*.py"):
        text = path.read_text()
        yield from re.findall(r'name="(ezra-[a-z-]+)"', text)
        owners = [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.ClassDef)]
        for owner in owners:
            code = ast.unparse(owner)
            # A condition of another lock is none of its own.
            for name in re.findall(r"(\w+)(?:: .*)? = .*threading\.(?:Lock|Condition\(\))", code):
                yield f"{owner.name}.{name}"


def test_every_thread_and_lock_is_listed() -> None:
    """Who adds one has to say what it is for, and what may be taken under it."""
    found = set(threads_and_locks())
    assert {"ezra-client", "Clients._changed", "Committer.lock", "Failpoint.lock"} <= found
    assert found - set(spans(ARCHITECTURE)) == set()


@each_page
def test_make_targets_exist(page: Path) -> None:
    """Whatever a page has somebody make, the Makefile makes."""
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    shell = "\n".join(code for _, code in blocks(page.read_text(), "sh"))
    for text in [*spans(page), *shell.splitlines()]:
        if named := re.match(r"make ([a-z-]+)", text):
            assert named[1] in targets, text


@each_page
def test_flags_and_variables_exist(page: Path) -> None:
    """Every EZRA_ variable, and every flag that stands by itself or after `python -m ezra`."""
    text = page.read_text()
    variables = {option.variable for option in OPTIONS} | {failpoints.VARIABLE}
    assert set(re.findall(r"\bEZRA_[A-Z_]+[A-Z]", text)) <= variables
    flags = set(make_parser()._option_string_actions)
    for span in spans(page):
        if re.match(r"-|(python -m )?ezra -", span):
            named = set(re.findall(r"(?:^|(?<=\s))--?[a-z][a-z-]*", span.replace("-m ezra", "")))
            assert named <= flags, span


def test_every_flag_and_variable_is_documented() -> None:
    """Nobody has to read the code to learn what can be set."""
    named = set(spans(OPERATIONS))
    for option in OPTIONS:
        assert {option.variable, *option.flags} <= named


def test_every_option_of_a_task_is_documented() -> None:
    """The protocol's page lists the fields that are obeyed, and no others."""
    page = prose(ROOT / "docs" / "protocol.md")
    section = page.split("\n## The fields of a task\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(rows) == sorted(option.name for option in (*TASK_OPTIONS, *DEDUP_OPTIONS))
