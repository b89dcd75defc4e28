"""Who the broker is, how it is trusted, and why it could not be reached."""

from __future__ import annotations

import logging
import socket
import ssl
import stat
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from smartcam.config.sections import Mqtt
from smartcam.errors import BadConfig

log = logging.getLogger(__name__)

PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


def address(mqtt: Mqtt) -> str:
    """``host:port`` of the broker, for sentences."""
    url = urlsplit(mqtt.url)
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    return f"{host}:{port(url)}"


def port(url: SplitResult) -> int:
    """The port that is named, or the scheme's own."""
    return url.port or PORTS[url.scheme]


def password(mqtt: Mqtt) -> str | None:
    """The user's, read from its file now; None where there is no file.

    Raises:
        BadConfig: the file cannot be read.
    """
    if not mqtt.password_file:
        return None
    try:
        return Path(mqtt.password_file).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"mqtt.password_file: {mqtt.password_file} cannot be read: {_plain(error)}") from error


def advise(mqtt: Mqtt) -> None:
    """Log what is unwise about the password file."""
    if not mqtt.password_file:
        return
    try:
        mode = Path(mqtt.password_file).stat().st_mode
    except OSError:
        return  # Connecting says so.
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        log.warning("%s is open to every user of this machine: chmod 600 %s", mqtt.password_file, mqtt.password_file)


def tls_context(mqtt: Mqtt, on_failure: Callable[[socket.socket], None] = lambda _: None) -> ssl.SSLContext:
    """TLS that checks the broker's certificate and name: against `ca_file` alone, or else the system's.

    There is no way to leave the check out: the password is sent after it only. `on_failure` gets a socket whose
    handshake failed, before it is closed.

    Raises:
        BadConfig: a certificate or key cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=mqtt.ca_file)
    except OSError as error:
        raise BadConfig(f"mqtt.ca_file: {mqtt.ca_file} cannot be used: {_plain(error)}") from error
    if mqtt.client_cert_file:
        try:
            # An empty password: an encrypted key is refused instead of asked for on a terminal.
            context.load_cert_chain(mqtt.client_cert_file, mqtt.client_key_file, password="")
        except OSError as error:
            raise BadConfig(
                f"mqtt.client_cert_file: {mqtt.client_cert_file} and its key cannot be used: {_plain(error)}"
            ) from error
    context.sslsocket_class = _socket_class(on_failure)
    return context


def _socket_class(on_failure: Callable[[socket.socket], None]) -> type[ssl.SSLSocket]:
    class TlsSocket(ssl.SSLSocket):
        """Closes itself when the handshake fails: paho drops it as it is."""

        def do_handshake(self, block: bool = False) -> None:
            try:
                super().do_handshake(block)
            except OSError:
                on_failure(self)
                self.close()
                raise

    return TlsSocket


def sentence(error: OSError | UnicodeError, mqtt: Mqtt) -> str:
    """Why a connection could not be made."""
    where = address(mqtt)
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"{where}: certificate verify failed: {error.verify_message} (look at mqtt.ca_file and the name in url)"
            )
        case ssl.SSLError():
            return f"{where}: TLS failed: {_plain(error)}: is this its port for TLS?"
        case ConnectionRefusedError():
            return f"{where} refused the connection: is the broker running?"
        case TimeoutError():
            return f"{where} did not answer within {mqtt.connect_timeout:g} s"
        case socket.gaierror():
            return f"{where}: no such host: {error.strerror}"
    return f"{where}: {_plain(error)}"


def _plain(error: Exception) -> str:
    """The words of an error, without numbers and file names."""
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
