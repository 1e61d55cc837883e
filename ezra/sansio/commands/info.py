"""INFO: the server's state in sections, in Redis' words, and EZRA's own figures in `# Ezra`.

Redis' sections stand in Redis' order, with the fields that tools read and that mean something here;
one that would have to be made up is left out. Each section is one function of what the driver tells
at the moment.
"""

# ruff: noqa: ARG001, ARG002 - sections and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.access import Role
from ezra.sansio.commands.base import CommandSpec
from ezra.sansio.commands.server import ServerCommand
from ezra.sansio.host import Facts, Host, Usage
from ezra.sansio.model import MILLISECOND, SECOND
from ezra.sansio.resp.scalars import to_text
from ezra.sansio.resp.values import Value, VerbatimString
from ezra.sansio.session import ServerIdentity, Session

Fields = dict[str, str | int]
"""A section's lines, in order."""

UNITS = "KMGT"
"""Powers of 1024."""

DAY = 24 * 60 * 60 * SECOND


@dataclass(frozen=True, slots=True)
class Moment:
    """What the sections are made of."""

    host: Host
    """Asked for the queues by those sections alone that need them."""
    facts: Facts
    usage: Usage
    clients: Sequence[Session]
    identity: ServerIdentity
    now: int
    """Unix microseconds."""
    role: Role = Role.DEFAULT
    """Who asks."""

    @property
    def uptime(self) -> int:
        """Microseconds since the start."""
        return max(self.now - self.facts.started_at, 0)


def _server(moment: Moment) -> Fields:
    facts = moment.facts
    return {
        "redis_version": moment.identity.redis_version,
        "ezra_version": moment.identity.version,
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_build_id": "0",
        "redis_mode": "standalone",
        "os": facts.system,
        "arch_bits": 64,
        "python_version": facts.python,
        "process_id": facts.process_id,
        "run_id": facts.run_id,
        "tcp_port": facts.port,
        "server_time_usec": moment.now,
        "uptime_in_seconds": moment.uptime // SECOND,
        "uptime_in_days": moment.uptime // DAY,
        "config_file": "",
    }


def _clients(moment: Moment) -> Fields:
    return {
        "connected_clients": len(moment.clients),
        "cluster_connections": 0,
        "maxclients": moment.facts.max_clients,
        "blocked_clients": sum(client.blocked for client in moment.clients),
        "tracking_clients": sum(client.tracking is not None for client in moment.clients),
    }


def _memory(moment: Moment) -> Fields:
    # What Redis counts as its own is not known of Python: both are what the process has.
    used, peak = moment.usage.memory, moment.usage.memory_peak
    return {
        "used_memory": used,
        "used_memory_human": human(used),
        "used_memory_rss": used,
        "used_memory_rss_human": human(used),
        "used_memory_peak": peak,
        "used_memory_peak_human": human(peak),
        "maxmemory": 0,
        "maxmemory_human": "0B",
        "maxmemory_policy": "noeviction",
    }


def _persistence(moment: Moment) -> Fields:
    """The write-ahead log of SQLite is what Redis' append-only file is: each write is in it."""
    return {
        "loading": 0,
        "async_loading": 0,
        "rdb_changes_since_last_save": 0,
        "rdb_bgsave_in_progress": 0,
        "rdb_last_save_time": moment.facts.started_at // SECOND,
        "rdb_last_bgsave_status": "ok",
        "aof_enabled": int(is_durable(moment.facts)),
        "aof_rewrite_in_progress": 0,
        "aof_rewrite_scheduled": 0,
        "aof_last_bgrewrite_status": "ok",
        "aof_last_write_status": "ok",
        "aof_current_size": moment.usage.database,
    }


def _stats(moment: Moment) -> Fields:
    usage = moment.usage
    return {
        "total_connections_received": usage.connections,
        "total_commands_processed": usage.commands,
        "rejected_connections": usage.rejected,
        "total_error_replies": usage.errors,
        "expired_keys": 0,
        "evicted_keys": 0,
        "pubsub_channels": 0,
        "pubsub_patterns": 0,
    }


def _replication(moment: Moment) -> Fields:
    return {
        "role": "master",
        "connected_slaves": 0,
        "master_failover_state": "no-failover",
        "master_replid": moment.facts.run_id,
        "master_repl_offset": 0,
        "second_repl_offset": -1,
        "repl_backlog_active": 0,
    }


def _cpu(moment: Moment) -> Fields:
    usage = moment.usage
    return {
        "used_cpu_sys": f"{usage.system_time / SECOND:.6f}",
        "used_cpu_user": f"{usage.user_time / SECOND:.6f}",
    }


def _modules(moment: Moment) -> Fields:
    version = moment.identity.module_version
    return {
        "module": f"name=ezra,ver={version},api=1,filters=0,usedby=[],using=[],options=[]",
    }


def _errors(moment: Moment) -> Fields:
    return {}


def _cluster(moment: Moment) -> Fields:
    return {"cluster_enabled": 0}


def _keyspace(moment: Moment) -> Fields:
    """The queues, and each dead-letter queue that has something in it."""
    keys = sum(1 + bool(info.dead) for info in moment.host.queues())
    return {"db0": f"keys={keys},expires=0,avg_ttl=0"} if keys else {}


_COUNTED = ("ready", "scheduled", "in_flight", "done", "dead", "damaged", "pushed", "expired")
"""Of each queue's books, what is added up."""


def _ezra(moment: Moment) -> Fields:
    facts, found = moment.facts, moment.facts.recovered
    queues, oldest, tasks = 0, moment.now, dict.fromkeys(_COUNTED, 0)
    for info in moment.host.queues():
        queues += 1
        if info.oldest_waiting is not None:
            oldest = min(oldest, info.oldest_waiting)
        for name in _COUNTED:
            tasks[name] += getattr(info, name)
    return {
        "ezra_version": moment.identity.version,
        "engine": facts.engine,
        "synchronous": facts.synchronous,
        **({"data_dir": facts.data_dir} if moment.role is Role.DEFAULT else {}),
        "database_bytes": moment.usage.database,
        "wal_bytes": moment.usage.wal,
        "disk_free_bytes": moment.usage.disk_free,
        "pushes_refused": int(moment.usage.pushes_refused),
        "max_payload_bytes": facts.max_payload,
        "buffer_bytes": moment.usage.buffers,
        "max_buffer_bytes": facts.max_buffers,
        "queues": queues,
        **{f"tasks_{name}": number for name, number in tasks.items()},
        "oldest_waiting_ms": (moment.now - oldest) // MILLISECOND,
        "recovered_queues": found.queues if found else 0,
        "recovered_waiting": found.waiting if found else 0,
        "recovered_dead": found.dead if found else 0,
        "recovered_put_back": found.put_back if found else 0,
        "recovered_died": found.died if found else 0,
    }


SECTIONS: Mapping[str, Callable[[Moment], Fields]] = {
    "Server": _server,
    "Clients": _clients,
    "Memory": _memory,
    "Persistence": _persistence,
    "Stats": _stats,
    "Replication": _replication,
    "CPU": _cpu,
    "Modules": _modules,
    "Errorstats": _errors,
    "Cluster": _cluster,
    "Keyspace": _keyspace,
    "Ezra": _ezra,
}
"""By the title that stands above each; asked for in any case."""

ALL = frozenset({"all", "default", "everything"})
"""Redis has more than its default shows; EZRA has not."""


@dataclass(frozen=True, slots=True)
class Info(ServerCommand[str]):
    """The server's state."""

    sections: frozenset[str] = ALL
    """In small letters."""

    SPEC: ClassVar = CommandSpec(
        name="INFO",
        arguments="[section ...]",
        arity=-1,
        summary="The server's state: server, clients, memory, persistence, stats, replication, "
        "cpu, modules, errorstats, cluster, keyspace, ezra.",
        group="server",
        replies=("verbatim string (RESP3) or bulk string (RESP2): lines of name:value",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Names of sections; what there is not is left out, as in Redis."""
        return cls(frozenset(to_text(word.lower()) for word in arguments)) if arguments else cls()

    def answer(self, host: Host, session: Session) -> str:
        """The sections, in Redis' order."""
        moment = Moment(
            host,
            host.facts,
            host.usage(),
            host.clients(),
            session.identity,
            host.now(),
            session.role,
        )
        return "\r\n".join(
            _section(title, fields(moment))
            for title, fields in SECTIONS.items()
            if self.sections & (ALL | {title.lower()})
        )

    def reply(self, result: str, protocol: int) -> Value:
        """A text for people, which tools parse."""
        return VerbatimString(result)


def _section(title: str, fields: Fields) -> str:
    lines = [f"# {title}", *[f"{name}:{value}" for name, value in fields.items()], ""]
    return "\r\n".join(lines)


def is_durable(facts: Facts) -> bool:
    """Tell whether tasks outlive the process."""
    return facts.synchronous != "off"


def human(size: int) -> str:
    """Return a number of bytes as Redis shows it to people: `512B`, `1.50K`, `2.00G`."""
    if size < 1024:
        return f"{size}B"
    power = min((size.bit_length() - 1) // 10, len(UNITS))
    return f"{size / 1024**power:.2f}{UNITS[power - 1]}"
