from __future__ import annotations

import time
from pathlib import Path

import pytest

from smartcam.config.sections import Mqtt
from smartcam.errors import Unavailable
from smartcam.mqtt.connection import Connection, connect
from smartcam.mqtt.subscriber import subscribe
from tests.brokers import Mosquitto, free_port, mosquitto


def publisher(mqtt: Mqtt) -> Connection:
    return connect(mqtt, "publisher", lambda: True)


def publish(connection: Connection, topic: str, payload: bytes, *, retain: bool = False) -> None:
    connection.publish(topic, payload, qos=1, retain=retain)
    while not connection.acks:
        connection.turn(0.1)
    connection.acks.clear()


def test_what_arrives_is_told_with_its_time_and_whether_it_was_kept(broker: Mosquitto) -> None:
    other = publisher(broker.mqtt())
    publish(other, "t/kept", b"old", retain=True)
    with subscribe(broker.mqtt(), ["t/#"]) as heard:
        publish(other, "t/new", b"\x00\xff")
        arriving = iter(heard)
        old, new = next(arriving), next(arriving)
    other.disconnect()
    assert (old.topic, old.payload, old.retained) == ("t/kept", b"old", True)
    assert (new.topic, new.payload, new.retained) == ("t/new", b"\x00\xff", False)
    assert abs(new.at - time.time()) < 5


def test_it_ends_after_the_time_that_is_given(broker: Mosquitto) -> None:
    with subscribe(broker.mqtt(), ["t"]) as heard:
        assert list(heard.within(0.1)) == []


def test_a_long_message_arrives_whole(broker: Mosquitto) -> None:
    other = publisher(broker.mqtt())
    with subscribe(broker.mqtt(), ["t"]) as heard:
        publish(other, "t", bytes(3 * 2**20))
        received = heard.receive(10)
    other.disconnect()
    assert received is not None
    assert received.payload == bytes(3 * 2**20)


def test_after_a_loss_it_listens_again(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    with subscribe(broker.mqtt(), ["t"]) as heard:
        broker.kill()
        assert heard.receive(0.3) is None
        broker.start()
        assert heard.receive(0.5) is None
        other = publisher(broker.mqtt())
        publish(other, "t", b"after")
        received = heard.receive(5)
        other.disconnect()
    assert received is not None
    assert received.payload == b"after"
    assert len(caplog.records) == 1


def test_a_broker_that_is_not_there_is_a_sentence() -> None:
    port = free_port()
    with (
        pytest.raises(Unavailable, match=f"127.0.0.1:{port} refused the connection: is the broker running"),
        subscribe(Mqtt(url=f"mqtt://127.0.0.1:{port}"), ["t"]),
    ):
        pass


def test_a_broker_that_wants_a_user_is_a_sentence(tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path, "allow_anonymous false") as broker,
        pytest.raises(Unavailable, match="refuses the connection: not authorized"),
        subscribe(broker.mqtt(), ["t"]),
    ):
        pass


def test_a_name_that_does_not_exist_is_a_sentence() -> None:
    mqtt = Mqtt(url="mqtts://no-such-host.invalid")
    with pytest.raises(Unavailable, match=r"no-such-host\.invalid:8883: no such host"), subscribe(mqtt, ["t"]):
        pass


def test_a_name_that_cannot_exist_is_a_sentence() -> None:
    mqtt = Mqtt(url=f"mqtts://{'x' * 70}.example")
    with pytest.raises(Unavailable, match="label"), subscribe(mqtt, ["t"]):
        pass
