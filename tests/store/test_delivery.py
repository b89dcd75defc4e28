"""From the durable outbox to real brokers: denied, too large, ten thousand at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smartcam.data import Message
from smartcam.mqtt.subscriber import subscribe
from tests.brokers import free_port, mosquitto
from tests.mqtt.links import link_to, running, until
from tests.store.outboxes import kept, told

EVENTS = 10_000
NODE = """
import json, sys, time
from pathlib import Path
from smartcam.config.sections import Mqtt
from smartcam.pipeline.health import resident_mib
from tests.mqtt.links import link_to, running
from tests.store.outboxes import kept, told, until_written

events, folder, mqtt = int(sys.argv[1]), Path(sys.argv[2]), Mqtt.model_validate_json(sys.argv[3])
with kept(folder) as outbox, running(link_to(mqtt, outbox)):
    outbox.put(*told(1))
    until_written(outbox)
    before = resident_mib()
    began = time.monotonic()
    for n in range(2, events + 1):
        outbox.put(*told(n, level="alert" if n % 100 == 0 else "event"))
        if n % 500 == 0:
            until_written(outbox)  # As many come in hours, not in a second.
    until_written(outbox)
    told_of = {"mib": resident_mib() - before, "depth": outbox.depth(), "write_s": time.monotonic() - began}
    print(json.dumps(told_of), flush=True)
    sys.stdin.readline()
"""


def test_a_topic_that_is_denied_is_marked_and_later_rows_flow(tmp_path: Path) -> None:
    """Mosquitto says so in MQTT 5's reason code."""
    rights = tmp_path / "acl"
    rights.write_text("topic readwrite open/#\ntopic read smartcam/#\n")
    with mosquitto(tmp_path, f"acl_file {rights}") as broker, kept(tmp_path) as outbox:
        link = link_to(broker.mqtt(), outbox)
        with subscribe(broker.mqtt(), ["open/#"]) as heard, running(link):
            for n in (1, 2, 3):
                outbox.put(*told(n))
                outbox.put(Message(f"open/{n}", b"", "event"))
            assert [received.topic for _, received in zip(range(3), heard, strict=False)] == [
                "open/1",
                "open/2",
                "open/3",
            ]
            assert until(lambda: (link.status.denied, link.status.published) == (3, 3))
        assert "the broker refused 3 messages, the last one the broker says: not authorized" in outbox.trouble
    rights.write_text("topic readwrite #\n")
    with mosquitto(tmp_path, f"acl_file {rights}") as broker, kept(tmp_path) as outbox:
        with subscribe(broker.mqtt(), ["smartcam/#"]) as heard, running(link_to(broker.mqtt(), outbox)):
            found = [json.loads(received.payload)["n"] for _, received in zip(range(3), heard, strict=False)]
        assert found == [1, 2, 3]


def test_a_message_too_large_for_the_broker_is_marked_and_the_next_row_goes(tmp_path: Path) -> None:
    with mosquitto(tmp_path, "max_packet_size 20000") as broker, kept(tmp_path) as outbox:
        with subscribe(broker.mqtt(), ["#"]) as heard, running(link_to(broker.mqtt(), outbox)):
            outbox.put(Message("large", bytes(50_000), "snapshot", event="01JA"))
            outbox.put(Message("small", b"", "snapshot"))
            received = heard.receive(10)
            assert received
            assert received.topic == "small"
        assert outbox.backlog.failed["snapshot"] == 1
        assert "larger than the broker takes" in outbox.trouble


def test_ten_thousand_events_wait_on_the_disk_and_arrive_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Memory grows by 20 MB at most; how long it takes is printed."""
    with mosquitto(tmp_path, "max_queued_messages 20000") as broker:
        mqtt = broker.mqtt(retry_max=1.0)
        away = mqtt.model_copy(update={"url": f"mqtt://127.0.0.1:{free_port()}"})
        command = [sys.executable, "-c", NODE, str(EVENTS), str(tmp_path), away.model_dump_json()]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:
            assert node.stdout
            told_of = json.loads(node.stdout.readline())
            node.kill()  # In the middle: another process takes over.
        assert (told_of["depth"], told_of["mib"] < 20) == (EVENTS, True)
        began = time.monotonic()
        with subscribe(mqtt, ["smartcam/#"]) as heard, kept(tmp_path) as outbox, running(link_to(mqtt, outbox)):
            found = [json.loads(received.payload) for _, received in zip(range(EVENTS), heard, strict=False)]
            assert until(lambda: outbox.depth() == 0)
        drained_s = time.monotonic() - began
    alerts = [event["n"] for event in found if event["level"] == "alert"]
    others = [event["n"] for event in found if event["level"] != "alert"]
    assert alerts == list(range(100, EVENTS + 1, 100))
    assert sorted(others) == others
    assert len(others) == EVENTS - len(alerts)
    with capsys.disabled():
        figures = f"{told_of['mib']:.1f} MiB, {told_of['write_s']:.1f} s to write, {drained_s:.1f} s to drain"
        sys.stdout.write(f"\n{EVENTS} events: {figures}\n")
