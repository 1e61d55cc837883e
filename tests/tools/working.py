"""The tools that have to work: streams are all that they need, or what they need most."""

from __future__ import annotations

import sys

from tests.clients.catalogue import Apt, Npm, Pip
from tests.tools.catalogue import Tool, Unpacked

NODE = ("node", "--preserve-symlinks", "--preserve-symlinks-main", "{home}/programs/{name}")
"""Runs a script by way of a link, so that its imports are found where its packages are."""

OURS = (sys.executable, "-m", "tests.tools.scripts.{name}")
"""Runs a script that starts a tool and looks at it from outside, with the tests' own Python."""

WORKING: tuple[Tool, ...] = (
    Tool(
        "FastStream",
        Pip(("faststream[redis]==0.7.8", "redis==8.1.0")),
        "faststream_broker.py",
        "publish; consume; ack; nack and takeover (min_idle_time); delete; delivery count",
        quick=True,
    ),
    Tool(
        "FastStream, CLAIM",
        Pip(("faststream[redis]==0.7.8", "redis==8.1.0")),
        "faststream_claim.py",
        "one subscriber reads new tasks and takes over idle ones (claim_min_idle_time)",
        newer_than_debian=True,
    ),
    Tool(
        "redis-stream-queue",
        Pip(("redis-stream-queue==0.1.3", "redis==8.1.0")),
        "stream_queue.py",
        "push, also in bulk; batches; takeover; its dead-letter rule; statistics",
        quick=True,
    ),
    Tool(
        "redis-streams",
        # It imports typing_extensions without asking for it.
        Pip(("redis-streams==0.3.0", "redis==8.1.0", "typing-extensions")),
        "streams_monitor.py",
        "produce; collect batches; ack; move a lost worker's tasks; scaling advice",
        quick=True,
    ),
    Tool(
        "walrus",
        Pip(("walrus==0.9.8", "redis==8.1.0")),
        "walrus_group.py",
        "consumer group over two streams: create, read, ack, claim, pending, trim, destroy",
    ),
    Tool(
        "edx-event-bus-redis",
        Pip(("edx-event-bus-redis==0.6.1", "walrus==0.9.8", "redis==8.1.0")),
        "edx_event_bus.py",
        "send two events; a consumer dies with one; the next one receives both",
    ),
    Tool(
        "tarsk",
        Pip(("tarsk-redis==0.2.1",)),
        "tarsk_worker.py",
        "a worker process does two tasks, each once; its delays need sorted sets",
    ),
    Tool(
        "Symfony Messenger",
        Apt(("php-symfony-redis-messenger", "php-cli", "php-redis")),
        "symfony_messenger.php",
        "send; receive; ack and delete; reject; receive again; take over",
        command=("php", "{script}"),
    ),
    Tool(
        "redis-streams-broker",
        Npm(("redis-streams-broker@0.0.15", "ioredis@6.0.0")),
        "streams_broker.mjs",
        "publish; subscribe; mark as read; mark and drop (a transaction); pending summary",
        command=NODE,
    ),
    Tool(
        "redis_exporter",
        Unpacked(("prometheus-redis-exporter",)),
        "exporter",
        "scrape: up, version, sizes of queues, groups and consumers, clients",
        command=OURS,
        leaves=2,
    ),
    Tool(
        "redis-commander",
        Npm(("redis-commander@0.9.0",)),
        "commander",
        "key browser: tree of queues, tasks of one queue, server information, its console",
        command=OURS,
        leaves=2,
    ),
    Tool(
        "iredis",
        Pip(("iredis==1.16.1",)),
        "iredis_session",
        "a session: push, look, PEEK, INFO",
        command=OURS,
        leaves=1,
    ),
    Tool(
        "redis-cli",
        Apt(("redis-tools",)),
        "redis_cli",
        "--scan, --bigkeys, --memkeys, --stat, --pipe, --json, --csv",
        command=OURS,
        leaves=4,
        quick=True,
    ),
)
