"""The link against real brokers: mosquitto for MQTT 5, amqtt for one that speaks 3.1.1 only."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from smartcam.config.sections import Mqtt
from smartcam.data import Message
from smartcam.mqtt.connection import connect
from smartcam.mqtt.link import TICK_S, Link
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.mqtt.subscriber import subscribe
from smartcam.owed import KINDS
from tests.brokers import Mosquitto, amqtt, free_port, mosquitto, tool
from tests.mqtt.links import DEADLINE_S, QUICK, link_to, owe, running, texts, until


def test_what_is_owed_arrives_in_order_and_is_owed_no_more(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    link = link_to(broker.mqtt(), outbox)
    owe(outbox, "t/event", "before")
    with subscribe(broker.mqtt(), ["t/#"]) as heard, running(link):
        assert texts(heard, 1) == ["before"]
        for n in range(50):  # more than may be under way at once
            owe(outbox, "t/event", str(n))
        assert texts(heard, 50) == [str(n) for n in range(50)]
        assert until(lambda: outbox.depth() == 0)
    assert (link.status.protocol, link.status.published) == ("5", 51)


def test_a_new_message_leaves_at_once_and_not_at_the_next_tick(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    """Ten messages that find the link asleep wait for less, all together, than the half of ten ticks."""
    waited_s = 0.0
    with subscribe(broker.mqtt(), ["t"]) as heard, running(link := link_to(broker.mqtt(), outbox)):
        assert until(lambda: link.status.connected)
        for _ in range(10):
            time.sleep(0.02)
            begin = time.monotonic()
            owe(outbox, "t")
            texts(heard, 1)
            waited_s += time.monotonic() - begin
    assert waited_s < 10 * TICK_S / 2


def test_the_status_is_online_from_connecting_to_the_orderly_end(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    with subscribe(broker.mqtt(), ["n/status"]) as heard:
        with running(link_to(broker.mqtt(), outbox, status_topic="n/status")):
            assert texts(heard, 1) == ["online"]
        assert texts(heard, 1) == ["offline"]
    with subscribe(broker.mqtt(), ["n/status"]) as late:
        received = late.receive(DEADLINE_S)
        assert received is not None
        assert (received.payload, received.retained) == (b"offline", True)


def test_the_end_waits_for_what_is_still_owed_and_says_offline_last(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    link = link_to(broker.mqtt(), outbox, status_topic="n/status")
    with subscribe(broker.mqtt(), ["#"]) as heard:
        with running(link):
            assert texts(heard, 1) == ["online"]
            for n in range(200):
                owe(outbox, "t", str(n))
        assert texts(heard, 201) == [*map(str, range(200)), "offline"]


def test_a_killed_daemon_leaves_offline_as_its_will(broker: Mosquitto) -> None:
    program = (
        "import sys; from smartcam.mqtt.link import *; from smartcam.mqtt.outbox import *\n"
        f"Link(Mqtt(url={broker.url!r}), 'node', outbox=MemoryOutbox(9), kinds=KINDS, status_topic='n/status')"
        ".run(lambda: True)"
    )
    with subscribe(broker.mqtt(), ["n/status"]) as heard:
        child = subprocess.Popen([sys.executable, "-c", program])
        try:
            assert texts(heard, 1) == ["online"]
            os.kill(child.pid, signal.SIGKILL)
            assert texts(heard, 1) == ["offline"]
        finally:
            child.kill()
            child.wait(5)


def test_a_state_is_sent_when_it_changes_and_kept_by_the_broker(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    link = link_to(broker.mqtt(), outbox)
    link.publish_state("n/mode", "home")
    with subscribe(broker.mqtt(), ["n/#"]) as heard, running(link):
        assert texts(heard, 1) == ["home"]
        link.publish_state("n/mode", "home")
        link.publish_state("n/mode", b"away")
        assert texts(heard, 1) == ["away"]
    with subscribe(broker.mqtt(), ["n/#"]) as late:
        assert texts(late, 1) == ["away"]


def test_a_broker_that_is_killed_and_comes_back_gets_every_event_and_every_state(
    broker: Mosquitto, outbox: MemoryOutbox
) -> None:
    """It has forgotten all: what was retained must be said again."""
    link = link_to(broker.mqtt(), outbox, status_topic="n/status")
    link.publish_state("n/mode", "home")
    sent = [str(n) for n in range(300)]
    heard = set()
    with running(link):
        assert until(lambda: link.status.connected)
        for n in sent[:100]:
            owe(outbox, "t", n)
        broker.kill()
        for n in sent[100:200]:
            owe(outbox, "t", n)
        assert until(lambda: not link.status.connected)
        assert link.status.reason
        unsent = outbox.depth()
        assert unsent >= 100
        broker.start()
        with subscribe(broker.mqtt(), ["#"]) as after:
            for n in sent[200:]:
                owe(outbox, "t", n)
            assert until(lambda: outbox.depth() == 0)
            heard |= {received.payload.decode() for received in after.within(0.3)}
        assert set(sent[200:]) <= heard  # and those before the subscription have been acknowledged
        assert {"online", "home"} <= heard
    assert link.status.published == 300
    assert link.status.reconnects == 1


def test_a_message_that_was_under_way_when_the_broker_died_is_sent_again(tmp_path: Path, outbox: MemoryOutbox) -> None:
    """A broker that hangs has read it, perhaps, and says nothing: only its answer counts."""
    with mosquitto(tmp_path) as broker, running(link := link_to(broker.mqtt(), outbox)):
        assert until(lambda: link.status.connected)
        broker.pause()
        owe(outbox, "t", "under way")
        time.sleep(0.1)
        assert outbox.take(KINDS) is None
        broker.kill()
        broker.start()
        with subscribe(broker.mqtt(), ["t"]) as heard:
            assert texts(heard, 1, 3.0) == ["under way"] or outbox.depth() == 0
        assert until(lambda: outbox.depth() == 0)


def test_a_broker_that_hangs_is_noticed_and_blocks_nobody(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    link = link_to(broker.mqtt(keepalive=1, connect_timeout=0.5), outbox)
    with running(link):
        assert until(lambda: link.status.connected)
        broker.pause()
        hung_at = time.monotonic()
        begin = time.monotonic()
        for _ in range(100):
            owe(outbox, "t", b"x" * 10_000)
            link.publish_state("n/x", str(time.monotonic()))
        assert time.monotonic() - begin < 0.5
        assert until(lambda: not link.status.connected)
        assert time.monotonic() - hung_at < 2.5
        broker.resume()
        assert until(lambda: outbox.depth() == 0)


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("right\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that knows one user, who may not write to `secret`."""
    users, rights = tmp_path / "users", tmp_path / "acl"
    users.touch(mode=0o600)
    subprocess.run([tool("mosquitto_passwd"), "-b", users, "anna", "right"], check=True, capture_output=True)
    rights.write_text("user anna\ntopic readwrite t/#\ntopic readwrite n/#\n")
    with mosquitto(tmp_path, "allow_anonymous false", f"password_file {users}", f"acl_file {rights}") as running:
        yield running


def test_a_wrong_password_is_told_in_a_sentence_and_a_right_one_is_taken_up(
    locked: Mosquitto, outbox: MemoryOutbox, password_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The file is read anew at each try: mending it is enough. The password is never told."""
    password_file.write_text("wrong-one")
    link = link_to(locked.mqtt(username="anna", password_file=str(password_file)), outbox)
    with running(link):
        assert until(lambda: "refuses the connection: not authorized" in (link.status.reason or ""))
        password_file.write_text("right\n")
        assert until(lambda: link.status.connected)
    assert "wrong-one" not in caplog.text
    assert len([record for record in caplog.records if "refuses" in record.getMessage()]) == 1


def test_a_password_that_everyone_may_read_is_advised_against(
    locked: Mosquitto, outbox: MemoryOutbox, password_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    password_file.chmod(0o644)
    link = link_to(locked.mqtt(username="anna", password_file=str(password_file)), outbox)
    with running(link):
        assert until(lambda: link.status.connected)
    assert f"chmod 600 {password_file}" in caplog.text


def test_a_password_file_that_is_missing_is_named(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    link = link_to(broker.mqtt(username="anna", password_file="/nowhere/password"), outbox)
    with running(link):
        assert until(lambda: "/nowhere/password cannot be read" in (link.status.reason or ""))


def test_a_denied_topic_is_counted_and_does_not_hold_up_the_rest(
    locked: Mosquitto, outbox: MemoryOutbox, password_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mqtt = locked.mqtt(username="anna", password_file=str(password_file))
    link = link_to(mqtt, outbox)
    link.publish_state("secret/state", "x")
    with subscribe(mqtt, ["t/#"]) as heard, running(link):
        owe(outbox, "secret/event")
        owe(outbox, "secret/event")
        owe(outbox, "t/event", "after")
        assert texts(heard, 1) == ["after"]
        assert until(lambda: outbox.depth() == 0)
    assert outbox.backlog.failed["event"] == 2
    assert (link.status.denied, link.status.published, link.status.connects) == (3, 1, 1)
    assert len(re.findall("secret/event: given up: .*not authorized", caplog.text)) == 1


def test_a_message_larger_than_the_broker_takes_is_given_up_before_it_is_sent(
    tmp_path: Path, outbox: MemoryOutbox
) -> None:
    with mosquitto(tmp_path, "max_packet_size 2000") as broker:
        link = link_to(broker.mqtt(), outbox)
        with subscribe(broker.mqtt(), ["t"]) as heard, running(link):
            owe(outbox, "t", b"x" * 3000)
            owe(outbox, "t", "after")
            assert texts(heard, 1) == ["after"]
        assert (outbox.backlog.failed["event"], link.status.connects) == (1, 1)


def test_a_state_larger_than_the_broker_takes_is_told_once_and_holds_up_nothing(
    tmp_path: Path, outbox: MemoryOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    with mosquitto(tmp_path, "max_packet_size 2000") as broker:
        link = link_to(broker.mqtt(), outbox)
        link.publish_state("n/large", "x" * 3000)
        link.publish_state("n/small", "small")
        with subscribe(broker.mqtt(), ["#"]) as heard, running(link):
            assert texts(heard, 1) == ["small"]
            link.publish_state("n/large", "y" * 3000)
            owe(outbox, "t", "an alert", "alert")
            assert texts(heard, 1) == ["an alert"]
            assert until(lambda: link.status.denied == 2)
        assert link.status.connects == 1
    assert caplog.text.count("n/large: given up: it is larger than the broker takes") == 1


def test_boxes_larger_than_the_broker_takes_are_forgotten(tmp_path: Path, outbox: MemoryOutbox) -> None:
    with mosquitto(tmp_path, "max_packet_size 2000") as broker, subscribe(broker.mqtt(), ["t"]) as heard:
        with running(link := link_to(broker.mqtt(), outbox)):
            assert until(lambda: link.status.connected)
            for text in ("x" * 3000, "small"):
                link.publish_now(Message("t", text.encode(), "event", qos=0))
            assert texts(heard, 1) == ["small"]
        assert (link.status.denied, link.status.connects) == (1, 1)


def test_the_largest_message_that_the_broker_takes_is_sent(tmp_path: Path, outbox: MemoryOutbox) -> None:
    with mosquitto(tmp_path, "max_packet_size 2000") as broker:
        link = link_to(broker.mqtt(), outbox)
        with subscribe(broker.mqtt(), ["t"]) as heard, running(link):
            owe(outbox, "t", b"x" * (2000 - 16), expiry_s=60)
            assert heard.receive(DEADLINE_S)
        assert link.status.connects == 1


def test_an_old_message_expires_at_the_broker(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    with running(link_to(broker.mqtt(), outbox)):
        owe(outbox, "t/soon", "gone", retain=True, expiry_s=1)
        owe(outbox, "t/late", "kept", retain=True, expiry_s=60)
        assert until(lambda: outbox.depth() == 0)
    time.sleep(2.1)
    with subscribe(broker.mqtt(), ["t/#"]) as heard:
        assert texts(heard, 2, 0.5) == ["kept"]


def test_a_callback_that_raises_ends_neither_the_thread_nor_the_link(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    calls: list[bytes] = []

    def raises_once(_topic: str, payload: bytes) -> None:
        calls.append(payload)
        if len(calls) == 1:
            raise KeyError("a fault of ours")

    link = link_to(broker.mqtt(), outbox, subscriptions=["cmd"], on_message=raises_once)
    with running(link) as worker, running_publisher(broker) as tell:
        assert until(lambda: link.status.connected)
        tell("cmd", "one")
        assert until(lambda: worker.failures == 1)
        owe(outbox, "t", "after")
        assert until(lambda: outbox.depth() == 0)
        tell("cmd", "two")
        assert until(lambda: calls[-1] == b"two")
    assert link.status.connects == 2


def test_a_retained_command_is_an_old_one(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    calls: list[bytes] = []
    with running_publisher(broker) as tell:
        tell("cmd", "old", retain=True)
        link = link_to(
            broker.mqtt(), outbox, subscriptions=["cmd"], on_message=lambda _, payload: calls.append(payload)
        )
        with running(link):
            assert until(lambda: link.status.connected)
            time.sleep(0.2)
            tell("cmd", "new")
            assert until(lambda: calls)
    assert calls == [b"new"]


def test_what_is_too_long_for_a_command_is_not_even_received(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    calls: list[bytes] = []
    link = link_to(broker.mqtt(), outbox, subscriptions=["cmd"], on_message=lambda _, payload: calls.append(payload))
    with running(link), running_publisher(broker) as tell:
        assert until(lambda: link.status.connected)
        tell("cmd", "x" * 1_000_000)
        tell("cmd", "short")
        assert until(lambda: calls)
    assert calls == [b"short"]
    assert link.status.received_bytes < 1000


@contextmanager
def running_publisher(broker: Mosquitto) -> Iterator[Callable[..., None]]:
    """Another client of the broker, that publishes."""
    own = MemoryOutbox(2**20)
    with running(Link(broker.mqtt(), "other", outbox=own, kinds=KINDS)):

        def tell(topic: str, payload: str, **more: Any) -> None:
            owe(own, topic, payload, **more)
            assert until(lambda: own.depth() == 0)

        yield tell


def test_brief_messages_need_a_connection_and_are_never_owed(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    link = link_to(broker.mqtt(), outbox)
    brief = Message("t", b"now", "event", qos=0)
    assert not link.publish_now(brief)
    with subscribe(broker.mqtt(), ["t"]) as heard, running(link):
        assert until(lambda: link.status.connected)
        assert link.publish_now(brief)
        assert texts(heard, 1) == ["now"]
    assert outbox.depth() == 0


def test_two_links_share_an_outbox_and_media_wait_for_nobody(broker: Mosquitto, outbox: MemoryOutbox) -> None:
    mqtt = broker.mqtt()
    news = Link(mqtt, "node", outbox=outbox, kinds={"alert", "event"})
    media = Link(mqtt, "node-media", outbox=outbox, kinds={"snapshot", "clip"})
    with subscribe(mqtt, ["t/#"]) as heard, ExitStack() as links:
        links.enter_context(running(media))
        owe(outbox, "t/event", "event")
        owe(outbox, "t/clip", "clip", "clip")
        assert texts(heard, 1) == ["clip"]
        links.enter_context(running(news))
        assert texts(heard, 1) == ["event"]


def test_nobody_there_is_one_sentence_and_one_log_line(outbox: MemoryOutbox, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    link = link_to(Mqtt.model_validate({"url": f"mqtt://127.0.0.1:{port}"} | QUICK), outbox)
    with running(link):
        assert until(lambda: "refused" in (link.status.reason or ""))
        assert link.status.reason == f"127.0.0.1:{port} refused the connection: is the broker running?"
        time.sleep(0.5)
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_websockets_carry_all_the_same(outbox: MemoryOutbox) -> None:
    with amqtt("ws") as url:
        mqtt = Mqtt.model_validate({"url": url} | QUICK)
        picture = bytes(range(256)) * 1024
        with subscribe(mqtt, ["t"]) as heard, running(link_to(mqtt, outbox)):
            owe(outbox, "t", picture, "snapshot")
            received = heard.receive(DEADLINE_S)
    assert received is not None
    assert received.payload == picture


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[Mqtt, list[bytes]]]:
    """A broker that answers each message with the next of these, the last one for ever, and what it got.

    An answer is the reason code of a PUBACK, or a whole packet, upon which the broker ends the connection. No
    broker at hand can be made to say these things.
    """
    published: list[bytes] = []

    def serve(server: socket.socket) -> None:
        peer, _ = server.accept()
        with peer, suppress(ConnectionResetError):  # a client that hangs up on what it has not read yet
            peer.recv(1024)
            peer.sendall(b"\x20\x03\x00\x00\x00")
            while packet := peer.recv(1024):
                if packet[0] >> 4 != 3:
                    continue
                published.append(packet)
                answer = answers[min(len(published), len(answers)) - 1]
                if len(answer) != 1:
                    peer.sendall(answer)
                    return
                if packet[0] & 0b0110:  # QoS 1: its number follows type, length and the topic "t"
                    peer.sendall(b"\x40\x04" + packet[5:7] + answer + b"\x00")

    with socket.create_server(("127.0.0.1", 0)) as server:
        broker = threading.Thread(target=serve, args=(server,))
        broker.start()
        yield Mqtt.model_validate({"url": f"mqtt://127.0.0.1:{server.getsockname()[1]}"} | QUICK), published
        broker.join()


def test_a_quota_that_is_used_up_is_waited_for_and_loses_nothing(outbox: MemoryOutbox) -> None:
    with answering(b"\x97", b"\x00") as (mqtt, published), running(link := link_to(mqtt, outbox)):
        owe(outbox, "t")
        assert until(lambda: link.status.published == 1)
    assert outbox.depth() == outbox.backlog.failed["event"] == 0
    assert published[0][7:] == published[1][7:]


def test_only_what_the_broker_has_said_is_its_answer() -> None:
    """At QoS 0 it says nothing: that a message is written does not tell that the broker takes any."""
    with answering(b"\x00") as (mqtt, _):
        connection = connect(mqtt, "node", lambda: True)
        expected = {connection.publish("t", b"", qos=qos): bool(qos) for qos in (0, 1)}
        while len(connection.acks) < 2:
            connection.turn(0.1)
        connection.disconnect()
    assert {ack.mid: ack.is_answer for ack in connection.acks} == expected


def test_a_state_that_finds_the_quota_used_up_is_said_again(outbox: MemoryOutbox) -> None:
    """And as it is by then."""
    with answering(b"\x97", b"\x00") as (mqtt, published), running(link := link_to(mqtt, outbox)):
        link.publish_state("t", b"home")
        assert until(lambda: len(published) == 1)
        link.publish_state("t", b"away")
        assert until(lambda: len(published) == 2)
    assert [packet[-4:] for packet in published] == [b"home", b"away"]
    assert link.status.denied == 0


def test_a_brief_message_tells_the_broker_how_long_it_is_worth_keeping(outbox: MemoryOutbox) -> None:
    with answering(b"\x00") as (mqtt, published), running(link := link_to(mqtt, outbox)):
        assert until(lambda: link.status.connected)
        link.publish_now(Message("t", b"now", "event", qos=0, expiry_s=7))
        assert until(lambda: published)
    assert published[0][5:] == b"\x05\x02\x00\x00\x00\x07now"


@pytest.mark.parametrize(
    ("goodbye", "tries"),
    [
        (b"", 1),
        (b"\xe0\x02\x95\x00", 1),  # packet too large
        (b"\xe0\x02\x8b\x00", 0),  # shutting down
        (b"\xe0\x02\x8e\x00", 0),  # another client of the same name
    ],
)
def test_a_broker_that_hangs_up_may_say_that_no_picture_is_to_blame(
    outbox: MemoryOutbox, goodbye: bytes, tries: int
) -> None:
    with answering(goodbye) as (mqtt, _):
        with running(link := link_to(mqtt.model_copy(update={"retry_min": 60.0, "retry_max": 60.0}), outbox)):
            owe(outbox, "t", kind="snapshot")
            assert until(lambda: link.status.connects == 1 and not link.status.connected)
        row = outbox.take(KINDS)
    assert row is not None
    assert row.tries == tries


def test_a_picture_on_which_the_broker_always_hangs_up_is_given_up_and_the_next_one_goes(
    tmp_path: Path, outbox: MemoryOutbox
) -> None:
    """Without MQTT 5 a broker has no other way to say that it is too large."""
    with mosquitto(tmp_path, "max_packet_size 2000") as broker:
        link = link_to(broker.mqtt(), outbox)
        # A connection that does not know the limit, as over 3.1.1.
        with forgetting_the_limit(), subscribe(broker.mqtt(), ["t"]) as heard, running(link):
            owe(outbox, "t", b"x" * 3000, "snapshot")
            owe(outbox, "t", "after", "snapshot")
            assert texts(heard, 1) == ["after"]
            assert until(lambda: outbox.depth() == 0)
        assert outbox.backlog.failed["snapshot"] == 1
        assert link.status.connects == 4


@contextmanager
def hanging_up() -> Iterator[Mqtt]:
    """A broker that says nothing and ends the connection upon each message, as a rival of our name would make it."""

    def serve(server: socket.socket) -> None:
        with suppress(OSError):  # It is closed.
            while True:
                peer, _ = server.accept()
                with peer, suppress(ConnectionResetError):
                    peer.recv(1024)
                    peer.sendall(b"\x20\x03\x00\x00\x00")
                    peer.recv(1024)

    with socket.create_server(("127.0.0.1", 0)) as server:
        broker = threading.Thread(target=serve, args=(server,))
        broker.start()
        keys = QUICK | {"url": f"mqtt://127.0.0.1:{server.getsockname()[1]}", "retry_min": 0.05, "retry_max": 0.05}
        try:
            yield Mqtt.model_validate(keys)
        finally:
            server.shutdown(socket.SHUT_RDWR)
            broker.join()


def test_a_way_that_ends_on_every_part_is_the_parts_own_fault_and_no_picture_s(outbox: MemoryOutbox) -> None:
    """From outside it looks like a rival. A part gets smaller with its tries; a picture cannot, and is kept."""
    with hanging_up() as mqtt, running(link := link_to(mqtt, outbox)):
        owe(outbox, "smartcam-media/n/c/01JD8F7Z3M0000000000000000/clip/1-of-2", b"x" * 500, "clip")
        assert until(lambda: link.status.trouble)
        assert until(lambda: outbox.backlog.failed["clip"] == 1)
        owe(outbox, "t", b"x", "snapshot")
        connects = link.status.connects
        assert until(lambda: link.status.connects > connects + 5)
        assert outbox.backlog.failed["snapshot"] == 0


@contextmanager
def forgetting_the_limit() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("smartcam.mqtt.connection.Connection.fits", lambda *_: True)
        yield


def test_a_session_is_kept(broker: Mosquitto) -> None:
    """Commands that are sent while the link is away wait for it at the broker."""
    mqtt = broker.mqtt()
    first = connect(mqtt, "node", lambda: True, session_s=60)
    first.subscribe(["cmd"])
    while first.granted is None:
        first.turn(0.1)
    first.close()
    with running_publisher(broker) as tell:
        tell("cmd", "while away")
    again = connect(mqtt, "node", lambda: True, session_s=60)
    while not again.arrived:
        again.turn(0.1)
    assert again.arrived[0].payload == b"while away"
    again.disconnect()
