"""Open edX' event bus: send an event by a producer, receive it by a consumer, and recover one.

A consumer that has claimed an event and died leaves it to the next one of that name, which reads
its pending events first.
"""

# mypy: disable-error-code="import-not-found"
# The event bus and Django are installed in an environment of their own.
# ruff: noqa: PLC0415 - what builds on Django can be imported only once that is configured

from __future__ import annotations

import sys
from typing import Any

import django
from django.conf import settings

TOPIC = "users"


def configure(url: str) -> None:
    """Make Django ready, with the event bus at this URL."""
    settings.configure(
        SECRET_KEY="only a test",  # noqa: S106 - Django wants one; nothing is signed
        EVENT_BUS_REDIS_CONNECTION_URL=url,
        EVENT_BUS_REDIS_CONSUMER_POLL_TIMEOUT=1,
        INSTALLED_APPS=["openedx_events"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    )
    django.setup()


def main() -> None:
    """Send two events, lose a consumer with the first, and see both arrive once."""
    from edx_event_bus_redis.internal.consumer import RedisEventConsumer
    from openedx_events.learning.data import UserData
    from openedx_events.learning.signals import SESSION_LOGIN_COMPLETED

    lost = RedisEventConsumer(TOPIC, "workers", "one")
    send("alice", "bob")
    assert lost.consumer.read(count=1), "the first consumer got nothing"
    lost.db.close()

    consumer = RedisEventConsumer(TOPIC, "workers", "one", check_backlog=True)
    arrived: list[str] = []

    def receive(user: UserData, **_: Any) -> None:
        arrived.append(user.pii.username)
        if len(arrived) == 2:
            consumer._shut_down()

    SESSION_LOGIN_COMPLETED.connect(receive)
    consumer.consume_indefinitely()
    assert arrived == ["alice", "bob"], arrived
    assert consumer.consumer.pending() == []


def send(*names: str) -> None:
    """Send a login event of each of these users."""
    from edx_event_bus_redis.internal.producer import create_producer
    from openedx_events.data import EventsMetadata
    from openedx_events.learning.data import UserData, UserPersonalData
    from openedx_events.learning.signals import SESSION_LOGIN_COMPLETED as LOGIN

    producer = create_producer()
    for name in names:
        person = UserPersonalData(username=name, email=f"{name}@example.org", name=name)
        producer.send(
            signal=LOGIN,
            topic=TOPIC,
            event_key_field="user.id",
            event_data={"user": UserData(pii=person, id=1, is_active=True)},
            event_metadata=EventsMetadata(event_type=LOGIN.event_type),
        )


if __name__ == "__main__":
    configure(f"redis://{sys.argv[1]}:{sys.argv[2]}/0")
    main()
