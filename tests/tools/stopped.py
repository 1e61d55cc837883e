"""The tools that cannot work, with the command that stops each: it must be seen to be refused."""

from __future__ import annotations

from tests.clients.catalogue import Npm, Pip
from tests.tools.catalogue import Absent, Tool
from tests.tools.working import NODE

STOPPED: tuple[Tool, ...] = (
    Tool(
        "FastStream, no group",
        Pip(("faststream[redis]==0.7.8", "redis==8.1.0")),
        "faststream_reader.py",
        "publish to a subscriber that has no consumer group",
        stopped_by=("XREAD",),
        because="without a group everyone reads every entry: a log, not a queue",
    ),
    Tool(
        "taskiq-redis",
        Pip(("taskiq-redis==1.2.4", "taskiq==0.13.0", "redis==8.1.0")),
        "taskiq_worker.py",
        "two tasks, one after the other",
        stopped_by=("SCRIPT",),
        because="it looks for abandoned tasks under a lock: SET NX, and Lua",
    ),
    Tool(
        "taskiq-redis-streams",
        # It does not work with taskiq 0.13.
        Pip(("taskiq-redis-streams==0.2.0", "taskiq==0.12.6", "redis==8.1.0")),
        "taskiq_streams_worker.py",
        "two tasks, one after the other",
        stopped_by=("SET",),
        because="a worker's heartbeat is a key with a time to live, and it takes over by Lua",
    ),
    Tool(
        "streaQ",
        Pip(("streaq==7.2.0",)),
        "streaq_worker.py",
        "one task and its result",
        stopped_by=("FUNCTION",),
        because="its core is a library of Lua functions; delays are sorted sets",
    ),
    Tool(
        "Celery",
        Pip(("celery[redis]==5.7.0", "redis==8.1.0")),
        "celery_worker.py",
        "one task and its result",
        stopped_by=("LLEN", "LPUSH", "SADD"),
        because="its queues are lists",
    ),
    Tool(
        "RQ",
        Pip(("rq==3.0.0", "redis==8.1.0")),
        "rq_worker.py",
        "one job and its result",
        stopped_by=("SADD", "HSET", "LMOVE"),
        because="its queues are lists, its jobs hashes",
    ),
    Tool(
        "Dramatiq",
        Pip(("dramatiq[redis]==2.2.1", "redis==8.1.0")),
        "dramatiq_worker.py",
        "one message",
        stopped_by=("EVALSHA", "SCRIPT"),
        because="every step of it is a Lua script over lists and hashes",
    ),
    Tool(
        "Huey",
        Pip(("huey==3.5.4", "redis==8.1.0")),
        "huey_worker.py",
        "one task and its result",
        stopped_by=("LPUSH", "EVALSHA", "SCRIPT"),
        because="its queues are lists",
        quick=True,
    ),
    Tool(
        "ARQ",
        Pip(("arq==0.28.0",)),
        "arq_worker.py",
        "one job and its result",
        stopped_by=("WATCH", "ZADD", "PSETEX"),
        because="its queue is a sorted set, which it changes under WATCH",
    ),
    Tool(
        "SAQ",
        # It imports typing_extensions without asking for it.
        Pip(("saq[redis]==0.26.4", "typing-extensions")),
        "saq_worker.py",
        "one job and its result",
        stopped_by=("EVALSHA", "SCRIPT", "SUBSCRIBE"),
        because="it enqueues by Lua and tells by publish and subscribe",
    ),
    Tool(
        "BullMQ",
        Npm(("bullmq@6.7.0", "ioredis@5.11.1")),
        "bullmq_worker.mjs",
        "one job and its result",
        command=NODE,
        stopped_by=("EVALSHA", "EVAL"),
        because="every step of it is a Lua script over lists, hashes and sorted sets",
    ),
    Tool(
        "RedisSMQ",
        Npm(("redis-smq@8.3.1", "ioredis@5.11.1")),
        "redis_smq_worker.mjs",
        "one message",
        command=NODE,
        stopped_by=("SCRIPT", "EVALSHA"),
        because="every step of it is a Lua script over lists, hashes and sets",
    ),
    Tool(
        "Socket.IO streams adapter",
        Npm(("@socket.io/redis-streams-adapter@0.3.1", "socket.io@4.8.4", "redis@6.3.1")),
        "socket_io_adapter.mjs",
        "an event from one server to another",
        command=NODE,
        stopped_by=("XREAD", "SUBSCRIBE"),
        because="every server reads every event: that is a log with many readers, not a queue",
    ),
)

ABSENT: tuple[Absent, ...] = (
    Absent("watermill-redisstream", "a Go module, for which we have no registry"),
    Absent("Redpanda Connect", "neither PyPI, npm nor Debian 12 has it"),
    Absent("Spring Data Redis", "neither PyPI, npm nor Debian 12 has it"),
    Absent("KEDA's redis-streams scaler", "neither PyPI, npm nor Debian 12 has it"),
    Absent("RedisInsight", "neither PyPI, npm nor Debian 12 has it"),
    Absent("Vector", "neither PyPI, npm nor Debian 12 has it"),
    Absent("Logstash", "neither PyPI, npm nor Debian 12 has it"),
)
