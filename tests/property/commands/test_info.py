"""Laws of `ezra.sansio.commands.info`: which sections, which fields, and what they say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands import Info, parse
from ezra.sansio.commands.info import SECTIONS, human
from ezra.sansio.session import Tracking
from tests.property.commands.books import BUSY, EMPTY
from tests.property.fake_host import FakeHost
from tests.property.wire import reply, session, split

NEEDED = {
    "Server": "redis_version:8.2.0 ezra_version:1.2.3 redis_mode:standalone os process_id:4711 "
    "tcp_port:42002 uptime_in_seconds:90061 uptime_in_days:1 run_id redis_build_id redis_git_sha1",
    "Clients": "connected_clients:2 maxclients:100 blocked_clients:1 tracking_clients:1",
    "Memory": "used_memory:1536 used_memory_rss:1536 used_memory_human:1.50K "
    "used_memory_peak_human:5.00M maxmemory:0 maxmemory_policy:noeviction",
    "Persistence": "loading:0 aof_enabled:1 aof_last_write_status:ok rdb_bgsave_in_progress:0 "
    "aof_rewrite_in_progress:0 rdb_last_bgsave_status:ok aof_last_bgrewrite_status:ok",
    "Stats": "total_connections_received:7 total_commands_processed:20 rejected_connections:1 "
    "total_error_replies:2 expired_keys:0",
    "Replication": "role:master connected_slaves:0 master_repl_offset:0",
    "CPU": "used_cpu_sys:0.250000 used_cpu_user:1.500000",
    "Modules": "module:name=ezra,ver=10203,api=1,filters=0,usedby=[],using=[],options=[]",
    "Errorstats": "",
    "Cluster": "cluster_enabled:0",
    "Keyspace": "db0:keys=3,expires=0,avg_ttl=0",
    "Ezra": "engine:sqlite synchronous:full data_dir:/data queues:2 tasks_ready:3 "
    "tasks_scheduled:4 tasks_in_flight:2 tasks_done:6 tasks_dead:1 tasks_damaged:1 tasks_pushed:17 "
    "tasks_expired:1 recovered_waiting:2 recovered_died:5 oldest_waiting_ms:2500 "
    "buffer_bytes:512 database_bytes:4096 wal_bytes:1024 disk_free_bytes:65536 pushes_refused:1",
}


def _host() -> FakeHost:
    waiting, tracking = session(), session()
    waiting.blocked, tracking.tracking = True, Tracking()
    return FakeHost(waiting, tracking, queues=[replace(EMPTY, name="a"), BUSY])


def _shown(line: str, host: FakeHost | None = None) -> dict[str, dict[str, str]]:
    """Return the sections by title, each with its fields."""
    command = parse(split(line))
    assert isinstance(command, Info)
    text = command.answer(host or _host(), session())
    sections: dict[str, dict[str, str]] = {}
    for row in text.split("\r\n"):
        if row.startswith("# "):
            fields = sections[row[2:]] = {}
        elif row:
            name, _, value = row.partition(":")
            fields[name] = value
    return sections


@pytest.mark.parametrize(
    "line", ["INFO", "info ALL", "INFO everything", "INFO default", "INFO all x"]
)
def test_every_section_in_redis_order(line: str) -> None:
    """Redis' order, and EZRA's own at the end."""
    assert list(_shown(line)) == list(SECTIONS) == list(NEEDED)


@pytest.mark.parametrize("title", NEEDED)
def test_a_section_says_what_tools_ask(title: str) -> None:
    """Each field that a client or a tool is known to read is there, with this value."""
    fields = _shown(f"INFO {title.upper()}")[title]
    for needed in NEEDED[title].split():
        name, _, value = needed.partition(":")
        assert name in fields
        if value:
            assert fields[name] == value


def test_a_server_in_memory_says_so() -> None:
    """Nothing is on disk, nothing was recovered, nothing waits; an empty server has no keys."""
    host = FakeHost()
    host.change(engine="memory", synchronous="off", data_dir="", recovered=None)
    shown = _shown("INFO", host)
    assert shown["Persistence"]["aof_enabled"] == "0"
    assert shown["Keyspace"] == {}
    ezra = shown["Ezra"]
    assert (ezra["engine"], ezra["data_dir"], ezra["recovered_queues"]) == ("memory", "", "0")
    assert (ezra["queues"], ezra["oldest_waiting_ms"]) == ("0", "0")


def test_the_form_is_redis_own() -> None:
    """Sections are parted by an empty line; what there is not is left out; verbatim in RESP3."""
    assert reply("INFO cluster") == b"$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n"
    assert reply("INFO cluster nosuch", protocol=3) == (
        b"=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n"
    )
    assert reply("INFO nosuch") == b"$0\r\n\r\n"
    assert b"cluster_enabled:0\r\n\r\n# Keyspace\r\n" in reply("INFO cluster keyspace")


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1536, "1.50K"), (5 << 20, "5.00M")],
)
def test_sizes_for_people(size: int, shown: str) -> None:
    """As Redis writes them."""
    assert human(size) == shown


@given(st.integers(0, 2**60))
def test_a_size_for_people_is_about_right(size: int) -> None:
    """The number times its unit is the size, but for the digits that were cut."""
    shown = human(size)
    unit = 1024 ** "BKMGT".index(shown[-1])
    assert abs(float(shown[:-1]) * unit - size) <= unit / 100
