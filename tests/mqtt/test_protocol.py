"""MQTT 5 or 3.1.1: against amqtt, which speaks 3.1.1 only, and against a broker that does what a test tells it to."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from smartcam.config.sections import Mqtt
from smartcam.mqtt import connection, protocol
from smartcam.mqtt.connection import connect
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.mqtt.protocol import Known
from smartcam.mqtt.subscriber import subscribe
from tests.brokers import amqtt, mosquitto
from tests.mqtt.links import QUICK, link_to, owe, running, texts, until

WELCOME_5, WELCOME_3_1_1 = b"\x20\x03\x00\x00\x00", b"\x20\x02\x00\x00"
LACKS_THE_PROTOCOL = b"\x20\x02\x00\x01"
HANGS_UP = b""


class Obedient:
    """A broker that answers a CONNECT of a protocol level (5, or 4 for 3.1.1) as told, or leaves it unanswered."""

    def __init__(self, answers: dict[int, bytes]) -> None:
        self.answers = answers
        self.after_s = 0.0
        """How long it thinks before it answers."""
        self.levels: list[int] = []
        """What it was asked for, in order."""
        self._server = socket.create_server(("127.0.0.1", 0))
        self._peers: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self.mqtt = Mqtt.model_validate({"url": f"mqtt://127.0.0.1:{self._server.getsockname()[1]}"} | QUICK)

    def __enter__(self) -> Obedient:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self.hang_up()
        for thread in self._threads:
            thread.join()
        self._server.close()

    def hang_up(self) -> None:
        for peer in self._peers:
            with suppress(OSError):  # It has gone already.
                peer.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):  # Shut down: the test is over.
            while True:
                peer, _ = self._server.accept()
                self._peers.append(peer)
                self._threads.append(threading.Thread(target=self._serve, args=(peer,)))
                self._threads[-1].start()

    def _serve(self, peer: socket.socket) -> None:
        with peer, suppress(ConnectionError):
            if not (said := peer.recv(1024)):
                return
            level = said[8]
            self.levels.append(level)
            answer = self.answers.get(level)
            if answer is not None:
                time.sleep(self.after_s)
                peer.sendall(answer)
            while answer != HANGS_UP and peer.recv(1024):
                pass


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> float:
    """A broker's silence is noticed after so many seconds, instead of three."""
    monkeypatch.setattr(connection, "SOON_S", 0.2)
    return 0.2


def test_a_broker_without_mqtt_5_is_spoken_to_in_3_1_1(outbox: MemoryOutbox, soon: float) -> None:
    """amqtt takes an MQTT 5 CONNECT for a 3.1.1 one that is not whole yet, and waits."""
    with amqtt() as url:
        mqtt = Mqtt.model_validate({"url": url} | QUICK)
        link = link_to(mqtt, outbox, status_topic="n/status")
        with subscribe(mqtt, ["t", "n/status"]) as heard, running(link):
            owe(outbox, "t", "hello", expiry_s=5)
            assert sorted(texts(heard, 2)) == ["hello", "online"]
            assert until(lambda: outbox.depth() == 0)
            assert link.status.protocol == "3.1.1"


@pytest.mark.parametrize("answer", [LACKS_THE_PROTOCOL, HANGS_UP])
def test_a_broker_that_says_it_lacks_mqtt_5_or_hangs_up_is_asked_in_3_1_1(answer: bytes) -> None:
    with Obedient({5: answer, 4: WELCOME_3_1_1}) as broker:
        connect(broker.mqtt, "node", lambda: True).close()
        assert broker.levels == [5, 4]


def test_a_silent_broker_costs_less_than_the_whole_time_out_and_only_once(outbox: MemoryOutbox, soon: float) -> None:
    with Obedient({4: WELCOME_3_1_1}) as broker:
        mqtt = broker.mqtt.model_copy(update={"connect_timeout": 30.0})
        with running(link := link_to(mqtt, outbox)):
            assert until(lambda: link.status.connects == 1, 5.0)
            broker.hang_up()
            assert until(lambda: link.status.connects == 2, 5.0)
    assert broker.levels == [5, 4, 4]


def test_a_silent_broker_is_asked_in_mqtt_5_again_after_a_while(soon: float, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Known()
    with Obedient({4: WELCOME_3_1_1}) as broker:
        assert connect(broker.mqtt, "node", lambda: True, known=known).protocol == "3.1.1"
        broker.answers[5] = WELCOME_5
        assert connect(broker.mqtt, "node", lambda: True, known=known).protocol == "3.1.1"
        monkeypatch.setattr(protocol, "ASK_AGAIN_S", 0.0)
        assert connect(broker.mqtt, "node", lambda: True, known=known).protocol == "5"
        broker.hang_up()


@pytest.mark.parametrize("answer", [LACKS_THE_PROTOCOL, HANGS_UP])
def test_a_broker_that_no_longer_speaks_3_1_1_is_asked_in_mqtt_5_at_once(soon: float, answer: bytes) -> None:
    known = Known()
    with Obedient({4: WELCOME_3_1_1}) as broker:
        connect(broker.mqtt, "node", lambda: True, known=known).close()
        broker.answers = {5: WELCOME_5, 4: answer}
        connect(broker.mqtt, "node", lambda: True, known=known).close()
        assert broker.levels == [5, 4, 4, 5]


def test_a_broker_that_only_takes_its_time_is_spoken_to_in_mqtt_5(soon: float) -> None:
    """It is asked in 3.1.1 as well when it seems silent; what it answers first counts."""
    known = Known()
    with Obedient({5: WELCOME_5, 4: WELCOME_3_1_1}) as broker:
        broker.after_s = 2 * soon
        late = connect(broker.mqtt, "node", lambda: True, known=known)
        assert (late.protocol, late.window) == ("5", 20)
        late.turn(0.0)
        late.close()
    assert known.speaks_5


def test_a_slow_network_is_not_taken_for_an_old_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dialling takes a round trip at least, so it tells how long an answer may take."""
    dial = connection.Connection.dial

    def slowly(self: connection.Connection) -> None:
        dial(self)
        self._dialling_s = 2.0

    monkeypatch.setattr(connection.Connection, "dial", slowly)
    with Obedient({4: WELCOME_3_1_1}) as broker:
        node = connection.Connection(broker.mqtt.model_copy(update={"connect_timeout": 30.0}), "node", "5", None, None)
        node.dial()
        assert node.soon_s == 6.0
        node.close()


def test_a_broker_known_to_speak_5_is_never_downgraded(tmp_path: Path, outbox: MemoryOutbox) -> None:
    """A broker that is about to end closes connections too; over 3.1.1 it would not say what it denies."""
    with mosquitto(tmp_path) as broker:
        link = link_to(broker.mqtt(), outbox)
        with running(link):
            assert until(lambda: link.status.connected)
            broker.kill()
            with socket.create_server(("127.0.0.1", broker.port)) as closing:
                closing.settimeout(5)
                for _ in range(3):
                    peer, _ = closing.accept()
                    level = peer.recv(1024)[8]
                    peer.close()
                    assert level == 5
            broker.start()
            assert until(lambda: link.status.connected)
            assert link.status.protocol == "5"


def test_one_that_says_nothing_is_given_up_after_the_time_out(outbox: MemoryOutbox) -> None:
    with Obedient({}) as silent:
        link = link_to(silent.mqtt.model_copy(update={"connect_timeout": 0.3}), outbox)
        with running(link):
            assert until(lambda: "says nothing for 0.3 s" in (link.status.reason or ""))


def test_an_end_while_a_silent_broker_is_waited_for_comes_soon(outbox: MemoryOutbox) -> None:
    with Obedient({}) as silent, running(link_to(silent.mqtt.model_copy(update={"connect_timeout": 30.0}), outbox)):
        assert until(lambda: silent.levels)
        began = time.monotonic()
    assert time.monotonic() - began < 1.0
