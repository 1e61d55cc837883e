"""The Prometheus redis_exporter: one scrape, with the options that look at streams and clients."""

from __future__ import annotations

import re

from tests.tools.scripts.from_outside import (
    Address,
    address,
    fetch,
    fill,
    free_port,
    program,
    running,
)

SAMPLE = re.compile(r"^redis_(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$", re.MULTILINE)


def main(server: Address) -> None:
    """Compare what is exported with what was put there."""
    fill(server)
    listen = f"127.0.0.1:{free_port()}"
    host, port = server
    words = [program("prometheus-redis-exporter"), "-redis.addr", f"redis://{host}:{port}"]
    options = ["-check-streams", "*", "-check-single-keys", "mails", "-export-client-list"]
    with running([*words, *options, "-web.listen-address", listen]):
        metrics = _metrics(fetch(f"http://{listen}/metrics"))
    assert metrics["up"] == {"": 1}
    assert metrics["exporter_last_scrape_error"] == {'err=""': 0}
    [instance] = metrics["instance_info"]
    assert 'role="master"' in instance
    assert 'redis_mode="standalone"' in instance
    assert metrics["connected_clients"][""] >= 1
    assert metrics["uptime_in_seconds"][""] >= 0
    assert any('name="redis_exporter"' in labels for labels in metrics["connected_clients_details"])
    assert metrics["key_size"]['db="db0",key="mails"'] == metrics["stream_length"][_of("mails")]
    assert metrics["stream_length"][_of("app:orders")] == 1
    assert metrics["stream_groups"][_of("mails")] == 1
    in_group = 'db="db0",group="workers",stream="mails"'
    assert metrics["stream_group_messages_pending"] == {in_group: 1}
    assert metrics["stream_group_consumers"] == {in_group: 1}
    of_worker = f'consumer="worker-1",{in_group}'
    assert metrics["stream_group_consumer_messages_pending"] == {of_worker: 1}
    assert metrics["stream_last_generated_id"][_of("mails")] > 0


def _metrics(text: str) -> dict[str, dict[str, float]]:
    """Return the values by name and labels."""
    metrics: dict[str, dict[str, float]] = {}
    for found in SAMPLE.finditer(text):
        samples = metrics.setdefault(found["name"], {})
        samples[found["labels"] or ""] = float(found["value"])
    return metrics


def _of(stream: str) -> str:
    return f'db="db0",stream="{stream}"'


if __name__ == "__main__":
    main(address())
