"""What links spend of a budget and of a slow way, with a real mosquitto behind it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from smartcam.config.delivery import Uplink
from smartcam.config.sections import Mqtt
from smartcam.data import Kind, Message
from smartcam.mqtt.allowance import NOTE, Allowance
from smartcam.mqtt.budget import DAY_S, HOUR_S, Budget
from smartcam.mqtt.link import Link
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.mqtt.subscriber import subscribe
from smartcam.owed import KINDS
from tests.brokers import Mosquitto, mosquitto
from tests.mqtt.bottleneck import Bottleneck
from tests.mqtt.links import link_to, owe, running, texts, until
from tests.mqtt.machine import Machine

WANTED: dict[Kind, int] = {"alert": 300, "event": 500, "snapshot": 12_000, "clip": 50_000}


@contextmanager
def two_links(mqtt: Mqtt, outbox: MemoryOutbox, allowance: Allowance) -> Iterator[tuple[Link, Link]]:
    """As the daemon runs them."""
    news = Link(mqtt, "node", outbox=outbox, kinds=("alert", "event"), allowance=allowance)
    media = Link(mqtt, "node-media", outbox=outbox, kinds=("snapshot", "clip"), allowance=allowance)
    with running(news), running(media):
        yield news, media


def allowance_for(outbox: MemoryOutbox, machine: Machine | None = None, **keys: str) -> Allowance:
    allowance = Allowance(outbox, read_clocks=machine.read if machine else None)
    allowance.renew(Uplink.model_validate(keys), 60.0)
    return allowance


@pytest.mark.parametrize("keys", [{}, {"rate": "2KB/s"}])
def test_an_alert_arrives_soon_behind_a_clip_on_a_way_of_2_kilobytes_a_second(
    broker: Mosquitto, outbox: MemoryOutbox, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartcam.mqtt.link.FLUSH_S", 0.0)
    allowance = allowance_for(outbox, None, **keys)
    with ExitStack() as stack:
        heard = stack.enter_context(subscribe(broker.mqtt(), ["t/alert"]))
        way = stack.enter_context(Bottleneck(broker.port, 2000, queue_bytes=8 * 1024))
        news, media = stack.enter_context(two_links(broker.mqtt(url=way.url), outbox, allowance))
        assert until(lambda: news.status.connected and media.status.connected)
        owe(outbox, "t/clip", b"x" * 200_000, "clip")
        assert until(lambda: media.status.sent_bytes > (2000 if keys else 16_000))
        owed_at = time.monotonic()
        owe(outbox, "t/alert", b"x" * 500, "alert")
        assert heard.receive(30.0)
        waited_s = time.monotonic() - owed_at
        assert media.status.sent_bytes < 100_000
    # Without a rate what the way itself has queued is before it; with one, what is written in a quarter of a second.
    assert waited_s < (3.0 if keys else 15.0)


def test_bytes_are_counted_as_the_way_carries_them(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    sizes: dict[Kind, int] = {"alert": 100, "event": 2000, "snapshot": 30_000, "clip": 300_000}
    allowance = allowance_for(outbox)
    with Bottleneck(broker.port) as way:
        link = link_to(broker.mqtt(url=way.url), outbox, allowance=allowance)
        link.publish_state("n/state", "x" * 100)
        with running(link):
            for kind, size in sizes.items():
                owe(outbox, "t", b"x" * size, kind)
            assert until(lambda: link.status.published == 4)
        assert until(lambda: way.carried == sum(allowance.spent.values()) - 1)  # The kernel counts the opening.
    status, spent = link.status, allowance.spent
    assert status.sent_bytes + status.received_bytes == way.carried + 1
    for kind, size in sizes.items():
        assert size < spent[kind] <= size + 16
    assert 100 < spent["state"] < 400


def test_what_was_sent_is_noted_when_all_is_settled(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    """Also where nothing is limited, and it is little: `smartcam sent` tells of it."""
    machine = Machine()
    with running(link_to(broker.mqtt(), outbox, allowance=allowance_for(outbox, machine))):
        owe(outbox, "t", b"x" * 1000)
        assert until(lambda: Budget.loaded(outbox.noted(NOTE), machine.read()).spent["event"] > 1000)


def test_a_connection_that_ends_in_mid_message_costs_what_it_carried(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    allowance = allowance_for(outbox, rate="20KB/s")
    with Bottleneck(broker.port) as way:
        link = Link(
            broker.mqtt(url=way.url), "node", outbox=outbox, kinds=["clip"], allowance=allowance
        )  # It gives way.
        with running(link):
            owe(outbox, "t", b"x" * 500_000, "clip")
            assert until(lambda: link.status.sent_bytes > 20_000)
            assert allowance.spent["clip"] > 500_000
            broker.kill()
            assert until(lambda: allowance.spent["clip"] < 100_000)
    assert allowance.spent["clip"] + allowance.spent["state"] == pytest.approx(link.status.sent_bytes, abs=500)


def test_when_the_day_is_spent_alerts_go_on_and_the_rest_waits_for_the_next(
    broker: Mosquitto, outbox: MemoryOutbox
) -> None:
    machine = Machine()
    allowance = allowance_for(outbox, machine, daily="100KB")
    link = link_to(broker.mqtt(), outbox, allowance=allowance)
    with subscribe(broker.mqtt(), ["t/#"]) as heard, running(link):
        allowance.count("state", 99_000)
        for kind in reversed(KINDS):
            owe(outbox, f"t/{kind}", kind, kind)
        assert texts(heard, 1) == ["alert"]
        assert texts(heard, 1, 0.6) == []
        assert set(allowance.held()) == {"event", "snapshot", "clip"}
        assert allowance.held()["clip"] == pytest.approx(DAY_S)
        machine.wait(DAY_S + 1)
        assert texts(heard, 3) == ["event", "snapshot", "clip"]
    assert outbox.backlog.dropped["clip"] == 0


def test_even_alerts_wait_when_their_reserve_is_spent(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    machine = Machine()
    allowance = allowance_for(outbox, machine, daily="100KB", reserve="5KB")
    with subscribe(broker.mqtt(), ["t/#"]) as heard, running(link_to(broker.mqtt(), outbox, allowance=allowance)):
        allowance.count("state", 101_000)
        assert allowance.pay("alert", 4_000)
        owe(outbox, "t/alert", b"x" * 3000, "alert")
        owe(outbox, "t/alert", "small", "alert")
        assert texts(heard, 1, 0.6) == []
        machine.wait(DAY_S + 1)
        assert len(texts(heard, 2)) == 2


def test_the_connection_of_pictures_is_not_made_again_while_none_may_go(
    broker: Mosquitto, outbox: MemoryOutbox
) -> None:
    """Each costs some kilobytes, with TLS."""
    machine = Machine()
    allowance = allowance_for(outbox, machine, daily="100KB")
    with two_links(broker.mqtt(), outbox, allowance) as (news, media):
        assert until(lambda: news.status.connected and media.status.connected)
        allowance.count("state", 95_000)
        broker.kill()
        assert until(lambda: not media.status.connected)
        broker.start()
        assert until(lambda: news.status.connected)
        assert not until(lambda: media.status.connected, 0.8)
        assert "uplink.daily is spent" in str(media.status.reason)
        owe(outbox, "t", "an alert", "alert")
        assert until(lambda: outbox.depth() == 0)
        machine.wait(DAY_S + 1)
        assert until(lambda: media.status.connected)


def test_a_picture_that_no_day_has_room_for_is_given_up(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    allowance = allowance_for(outbox, Machine(), daily="100KB")
    with subscribe(broker.mqtt(), ["t"]) as heard, running(link_to(broker.mqtt(), outbox, allowance=allowance)):
        owe(outbox, "t", b"x" * 95_000, "snapshot")
        owe(outbox, "t", "after", "snapshot")
        assert texts(heard, 1) == ["after"]
    assert outbox.backlog.failed["snapshot"] == 1


def test_boxes_do_not_outspend_the_day(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    allowance = allowance_for(outbox, Machine(), daily="100KB")
    link = link_to(broker.mqtt(), outbox, allowance=allowance)
    with subscribe(broker.mqtt(), ["t"]) as heard, running(link):
        assert until(lambda: link.status.connected)
        for _ in range(30):
            assert link.publish_now(Message("t", b"x" * 20_000, "event", qos=0))
            time.sleep(0.01)
        assert len(texts(heard, 30, 0.5)) == 4
        assert allowance.left is not None
        assert allowance.left > 5_000
        owe(outbox, "t", "an event is not held up by what was forgotten", "event")
        assert len(texts(heard, 1)) == 1


def test_parts_are_no_larger_than_the_broker_takes(tmp_path: Path, outbox: MemoryOutbox) -> None:
    with mosquitto(tmp_path, "max_packet_size 50000") as broker, running(link := link_to(broker.mqtt(), outbox)):
        assert until(lambda: link.status.connected)
        assert outbox.whole_bytes == outbox.part_bytes == 50_000 - 512


def test_a_week_with_a_real_broker_costs_what_it_may(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    """Four hours pass at a time; then more waits than the day has room for, and something goes wrong."""
    machine = Machine()
    faults = itertools.cycle(["restart", "", "right", "", "reboot", "right", "", "wrong", "restart", "right"])
    carried: list[tuple[float, int]] = []
    with Bottleneck(broker.port) as way, ExitStack() as running_link:
        allowance = _run_link(running_link, broker.mqtt(url=way.url), outbox, machine)
        for fault in itertools.islice(faults, 7 * 6):
            before = way.carried
            match fault:
                case "restart" | "reboot":
                    running_link.close()
                    machine.reboot(900.0) if fault == "reboot" else machine.wait(5.0)
                    allowance = _run_link(running_link, broker.mqtt(url=way.url), outbox, machine)
                case "wrong":
                    machine.set_clock(1e8)
                case "right":
                    machine.synchronise()
            for kind, size in WANTED.items():
                owe(outbox, "t", b"x" * size, kind)
            assert until(partial(_all_is_sent, outbox, allowance))
            carried.append((machine.now, way.carried - before))
            machine.wait(4 * HOUR_S)
    worst = max(sum(size for at, size in carried[: n + 1] if at > end - DAY_S) for n, (end, _) in enumerate(carried))
    assert worst <= 200_000 + 20_000
    assert sum(size for _, size in carried) > 6 * 0.85 * 200_000


def _all_is_sent(outbox: MemoryOutbox, allowance: Allowance) -> bool:
    """All that may be."""
    return outbox.depth(allowance.open(KINDS)) == 0


def _run_link(stack: ExitStack, mqtt: Mqtt, outbox: MemoryOutbox, machine: Machine) -> Allowance:
    """A new process: it knows of the old one what the outbox has noted."""
    allowance = allowance_for(outbox, machine, daily="200KB")
    stack.enter_context(running(link_to(mqtt, outbox, allowance=allowance)))
    return allowance


def test_a_picture_overtakes_the_clips_that_are_not_on_their_way_yet(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    """What waits for the network is not handed over: it could not be called back."""
    allowance = allowance_for(outbox, rate="40KB/s")
    with subscribe(broker.mqtt(), ["t/#"]) as heard:
        media = Link(broker.mqtt(), "node", outbox=outbox, kinds=("snapshot", "clip"), allowance=allowance)
        with running(media):
            for _ in range(6):
                owe(outbox, "t/clip", b"c" * 10_000, "clip")
            assert until(lambda: media.status.sent_bytes > 1000)
            owe(outbox, "t/snapshot", b"s", "snapshot")
            assert "s" in texts(heard, 3)
