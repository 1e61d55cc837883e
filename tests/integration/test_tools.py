"""Tools made for Redis Streams work with EZRA as they are; `make tools` runs many more of them.

The first run downloads the quick ones, some 40 MB from PyPI, into `.tools/`; later ones use those.
"""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Iterator

import pytest

from ezra.sansio.resp.values import SimpleError
from ezra.threaded.clock import SystemClock
from ezra.threaded.settings import MEMORY, Settings
from tests.clients.catalogue import Apt, Npm, Pip
from tests.integration.local_server import LocalServer
from tests.integration.raw_client import RawClient
from tests.tools.catalogue import Tool, Unpacked
from tests.tools.installing import SCRIPTS, command, home, install
from tests.tools.recorder import Exchange, Recorder
from tests.tools.stopped import STOPPED
from tests.tools.table import table
from tests.tools.trial import Outcome, try_with_ezra
from tests.tools.working import WORKING

EVERYONE = [*WORKING, *STOPPED]

pytestmark = pytest.mark.timeout(300)
"""Downloads may take their time."""


@pytest.mark.parametrize(
    "tool", [tool for tool in WORKING if tool.quick], ids=lambda tool: tool.name
)
def test_a_tool_for_streams_works_unmodified_and_leaves_no_task(tool: Tool) -> None:
    install(tool)
    outcome = try_with_ezra(tool)
    assert not outcome.failure
    assert outcome.left == tool.leaves


@pytest.mark.parametrize(
    "tool", [tool for tool in STOPPED if tool.quick], ids=lambda tool: tool.name
)
def test_a_tool_that_needs_more_is_told_which_command_is_missing(tool: Tool) -> None:
    install(tool)
    outcome = try_with_ezra(tool)
    assert outcome.failure
    assert outcome.stopper


def test_every_tool_has_a_name_of_its_own_and_a_script() -> None:
    assert Counter(tool.name for tool in EVERYONE).most_common(1)[0][1] == 1
    scripts = {path.stem for path in SCRIPTS.iterdir()}
    assert all(tool.script.partition(".")[0] in scripts for tool in EVERYONE)


def test_a_folder_is_shared_only_by_tools_of_the_same_packages() -> None:
    assert len({home(tool) for tool in EVERYONE}) == len({tool.package for tool in EVERYONE})


def test_tools_from_pypi_and_npm_have_an_exact_version() -> None:
    for tool in EVERYONE:
        match tool.package:
            case Pip(words):
                assert re.fullmatch(r"[^=]+==[\d.]+", words[0])
            case Npm(words):
                assert re.fullmatch(r".+@[\d.]+", words[0])
            case Apt() | Unpacked():
                pass  # whichever Debian has; the table shows it


def test_a_command_names_real_places() -> None:
    for tool in EVERYONE:
        assert not any("{" in word for word in command(tool))


WORKS = next(tool for tool in WORKING if tool.leaves == 0)
CANNOT = next(tool for tool in STOPPED if "XREAD" in tool.stopped_by)
REFUSED = Exchange((b"XREAD", b"q"), SimpleError("ERR unknown command 'XREAD'"))
OTHER = Exchange((b"GET", b"q"), SimpleError("ERR unknown command 'GET'"))


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(WORKS, "", 0, ()), True),
        (Outcome(WORKS, "", 0, (OTHER,)), True),  # it can do without what it was refused
        (Outcome(WORKS, "", 1, ()), False),  # a task is left
        (Outcome(WORKS, "it failed", 0, ()), False),
        (Outcome(CANNOT, "it failed", 0, (REFUSED,)), True),
        (Outcome(CANNOT, "it failed", 0, (OTHER,)), False),  # not what we say it needs
        (Outcome(CANNOT, "", 0, ()), False),  # it works: then our table is wrong
    ],
)
def test_what_is_not_as_the_catalogue_says_is_told(outcome: Outcome, expected: bool) -> None:
    assert outcome.expected == expected
    told = table([outcome], ()).splitlines()
    assert any(line.startswith(outcome.tool.name) for line in told) != expected


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Record what is said to a server that keeps everything in memory."""
    with (
        LocalServer(Settings(data_dir=MEMORY, port=0), SystemClock()) as server,
        Recorder(lambda: socket.create_connection(server.address)) as recorder,
    ):
        yield recorder


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_recorder_pairs_requests_with_replies(recorder: Recorder, protocol: int) -> None:
    with RawClient(("127.0.0.1", recorder.port), protocol=protocol) as client:
        for words in (("PING",), ("NOSUCH", "a"), ("ECHO", "b" * 100_000)):
            client.send(*words)
        client.replies(3)
    *_, ping, refused, echo = recorder.exchanges
    assert (ping.name, ping.refusal) == ("PING", None)
    assert (refused.name, refused.command) == ("NOSUCH", "NOSUCH a")
    assert (refused.refusal or "").startswith("ERR unknown command")
    assert echo.reply == b"b" * 100_000


def test_the_recorder_hands_on_what_it_does_not_understand(recorder: Recorder) -> None:
    """A request with a length that is none is answered by the server, which then hangs up."""
    with RawClient(("127.0.0.1", recorder.port)) as client:
        client.send_bytes(b"PING\r\n*x\r\n")
        assert client.reply() == b"PONG"
        assert "Protocol error" in str(client.reply())
        assert client.is_closed()
    assert [one.name for one in recorder.exchanges] == ["PING"]
