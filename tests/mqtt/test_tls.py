"""The broker must prove who it is before it gets to see a user name or a password."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from smartcam.config.delivery import Uplink
from smartcam.config.sections import Mqtt
from smartcam.errors import BadConfig, Unavailable
from smartcam.mqtt.allowance import Allowance
from smartcam.mqtt.broker import tls_context
from smartcam.mqtt.connection import connect
from smartcam.mqtt.link import Link
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.mqtt.pace import Way
from smartcam.mqtt.subscriber import subscribe
from tests.brokers import Mosquitto, mosquitto
from tests.mqtt.bottleneck import Bottleneck
from tests.mqtt.links import owe, running, until

QUICK = {"connect_timeout": 3, "retry_min": 0.05, "retry_max": 0.3}


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.file = folder / f"{name}.crt"
        self._key = folder / f"{name}.key"
        self._new_key(self._key)
        self._openssl("req", "-x509", "-key", self._key, "-out", self.file, "-days", "2", "-subj", f"/CN={name}")

    def certificate(self, name: str, subject_alt_name: str, days: int = 2) -> tuple[Path, Path]:
        """A certificate and its key."""
        key, request, signed = (self.folder / f"{name}.{ending}" for ending in ("key", "csr", "crt"))
        self._new_key(key)
        extension = self.folder / f"{name}.ext"
        extension.write_text(f"subjectAltName={subject_alt_name}\n")
        self._openssl("req", "-new", "-key", key, "-out", request, "-subj", f"/CN={name}")
        signer = "-CA", self.file, "-CAkey", self._key, "-CAcreateserial", "-days", str(days)
        self._openssl("x509", "-req", "-in", request, "-out", signed, "-extfile", extension, *signer)
        return signed, key

    def _new_key(self, path: Path) -> None:
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)

    def _openssl(self, *words: str | Path) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed (apt-get install openssl)")
    return Authority(tmp_path_factory.mktemp("ca"), "ours")


@contextmanager
def tls_broker(folder: Path, ca: Authority, certificate: tuple[Path, Path], *lines: str) -> Iterator[Mosquitto]:
    files = f"cafile {ca.file}", f"certfile {certificate[0]}", f"keyfile {certificate[1]}"
    with mosquitto(folder, *files, *lines, scheme="mqtts") as broker:
        yield broker


def test_a_broker_with_a_certificate_of_our_authority_is_trusted(tmp_path: Path, ca: Authority) -> None:
    with (
        tls_broker(tmp_path, ca, ca.certificate("right", "IP:127.0.0.1")) as broker,
        subscribe(broker.mqtt(ca_file=str(ca.file)), ["t"]) as heard,
    ):
        assert heard.receive(0.05) is None


def test_bytes_are_counted_and_paced_as_they_are_with_tls(tmp_path: Path, ca: Authority) -> None:
    """The kernel counts what TLS adds; a write cut small, and one that the network does not take, is nothing to it."""
    outbox = MemoryOutbox(2**20)
    allowance = Allowance(outbox)
    allowance.renew(Uplink.model_validate({"rate": "60KB/s"}), 60.0)
    certificate = ca.certificate("right", "IP:127.0.0.1")
    with tls_broker(tmp_path, ca, certificate) as broker, Bottleneck(broker.port, 50_000, queue_bytes=2048) as way:
        mqtt = broker.mqtt(url=way.url.replace("mqtt://", "mqtts://"), ca_file=str(ca.file))
        link = Link(mqtt, "node", outbox=outbox, kinds=["clip"], allowance=allowance)
        with running(link):
            owe(outbox, "t", b"x" * 120_000, "clip")
            assert until(lambda: link.status.published == 1)
        counted = link.status.sent_bytes + link.status.received_bytes
        assert until(lambda: way.carried >= counted - 1)
    assert way.carried - counted < 200  # The broker's farewell comes when we have gone.
    assert link.status.connects == 1
    assert link.status.sent_bytes > 120_000 + 500


def test_a_broker_may_ask_for_our_certificate(tmp_path: Path, ca: Authority) -> None:
    ours = ca.certificate("node", "DNS:node")
    with tls_broker(tmp_path, ca, ca.certificate("server", "IP:127.0.0.1"), "require_certificate true") as broker:
        known = {"ca_file": str(ca.file), "client_cert_file": str(ours[0]), "client_key_file": str(ours[1])}
        connect(broker.mqtt(**known), "node", lambda: True).disconnect()
        with pytest.raises(Unavailable, match="does it want a client certificate"):
            connect(broker.mqtt(ca_file=str(ca.file)), "node", lambda: True)


class Impostor:
    """A TLS server that keeps what a client says to it after the handshake."""

    def __init__(self, certificate: tuple[Path, Path]) -> None:
        self.heard = b""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self.port = self._server.getsockname()[1]

    def __enter__(self) -> Impostor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        peer, _ = self._server.accept()
        with peer:
            peer.settimeout(5)
            try:
                with self._context.wrap_socket(peer, server_side=True) as secured:
                    self.heard = secured.recv(4096)
            except OSError:
                return


@pytest.mark.parametrize(
    ("fault", "host", "words"),
    [
        ("another authority", "127.0.0.1", "self-signed certificate|unable to get local issuer"),
        ("another address", "127.0.0.1", "IP address mismatch"),
        ("another name", "localhost", "Hostname mismatch"),
        ("expired", "127.0.0.1", "expired"),
    ],
)
def test_an_impostor_is_told_no_byte_of_the_password(
    tmp_path: Path, ca: Authority, fault: str, host: str, words: str
) -> None:
    signer = Authority(tmp_path, "theirs") if fault == "another authority" else ca
    named = "IP:127.0.0.1" if fault in ("another authority", "expired", "another name") else "IP:127.0.0.9"
    certificate = signer.certificate("impostor", named, days=-1 if fault == "expired" else 2)
    password = tmp_path / "password"
    password.write_text("secret")
    carried: list[int] = []
    with Impostor(certificate) as impostor:
        mqtt = Mqtt.model_validate(
            {"url": f"mqtts://{host}:{impostor.port}", "username": "anna", "password_file": str(password)}
            | {"ca_file": str(ca.file)}
            | QUICK
        )
        way = Way(on_carried=lambda sent, received: carried.append(sent + received))
        with pytest.raises(Unavailable, match=f"certificate verify failed: .*({words})") as refused:
            connect(mqtt, "node", lambda: True, way=way)
    assert impostor.heard == b""
    assert sum(carried) > 1000  # What it costs is counted all the same.
    assert "secret" not in str(refused.value)


def test_a_port_without_tls_is_said_to_be_one(tmp_path: Path, ca: Authority) -> None:
    with mosquitto(tmp_path) as broker:
        url = broker.url.replace("mqtt://", "mqtts://")
        with pytest.raises(Unavailable, match=r"TLS failed|closed|reset"):
            connect(broker.mqtt(url=url, ca_file=str(ca.file)), "node", lambda: True)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"ca_file": "/nowhere.crt"}, "mqtt.ca_file: /nowhere.crt cannot be used: No such file"),
        (
            {"client_cert_file": "/nowhere.crt", "client_key_file": "/nowhere.key"},
            "mqtt.client_cert_file: /nowhere.crt and its key cannot be used",
        ),
    ],
)
def test_a_missing_certificate_is_named(keys: dict[str, str], words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        tls_context(Mqtt(url="mqtts://broker", **keys))  # type: ignore[arg-type]  # all of them are file names
