"""The whole configuration as frozen models: one class a section. Equal sections mean equal parts of the daemon."""

from __future__ import annotations

import re
import socket
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from smartcam.config.delivery import Keep, Sampling, Uplink
from smartcam.config.grammar import ModeName, Polygon, outlines
from smartcam.config.rule import Armed, Line, Mode, Rule, Zone
from smartcam.config.section import Section
from smartcam.config.streams import form_of, stream, url_of, video
from smartcam.config.values import (
    CameraName,
    Flag,
    Labels,
    Name,
    Number,
    Pause,
    Seconds,
    Share,
    Size,
    Timezone,
    Whole,
    shown,
    within,
    wrong,
)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LONGEST_UNASKED_S = 10.0
"""A stream that is not a command cannot be asked to stop while it opens, or waits for its next packet."""


class Retrying(Section):
    """What is tried again after a failure, with pauses that grow."""

    retry_min: Pause = 1.0
    retry_max: Pause

    @model_validator(mode="after")
    def _pauses_grow(self) -> Self:
        if self.retry_min > self.retry_max:
            raise wrong(
                "retry_min",
                f"{self.retry_min:g} s is longer than retry_max, {self.retry_max:g} s: shorten it, or raise retry_max",
            )
        return self


def own_name() -> str:
    """This machine's host name, as far as it can be a name."""
    plain = re.sub(r"[^a-z0-9_-]+", "-", socket.gethostname().split(".")[0].lower()).strip("-_")
    return plain[:32] or "smartcam"


class Node(Section):
    """This device."""

    name: Name = Field(default_factory=own_name)
    data: str | None = None
    """Folder for what must outlive a restart; by default systemd's, /var/lib/smartcam, or the user's own."""
    cache: str | None = None
    """Folder for downloaded models; by default the user's cache folder."""


class Site(Section):
    """Where it stands."""

    latitude: Number | None = Field(default=None, ge=-90, le=90)
    longitude: Number | None = Field(default=None, ge=-180, le=180)
    timezone: Timezone | None = None


class Mqtt(Retrying):
    """The broker, and how it may be spoken to."""

    url: str = "mqtt://127.0.0.1:1883"
    username: str | None = None
    password_file: str | None = None
    ca_file: str | None = None
    client_cert_file: str | None = None
    client_key_file: str | None = None
    plaintext: Flag = False
    """Says out loud that a broker on another machine is spoken to without TLS."""
    keepalive: Seconds = 60.0
    connect_timeout: Annotated[Seconds, within("50ms", "15s")] = 10.0
    """For each address of the broker, and again for TLS: the link gives no sign of life meanwhile, and the watchdog
    waits for a minute."""
    retry_max: Pause = 10.0
    control: Literal["off", "switches", "all"] = "switches"
    detections: Number = Field(default=0.0, ge=0, le=30)
    """Messages a second, per camera, on C/detections; 0 is off."""
    health_pause: Seconds = 10.0
    """N/health is told when something changes, but not more often than this."""
    outbox: Whole = Field(default=64, ge=1, le=4096)
    """MiB that may wait for the broker."""

    @model_validator(mode="after")
    def _scheme(self) -> Self:
        try:
            url = urlsplit(self.url)
            complete = url.scheme in ("mqtt", "mqtts", "ws", "wss") and url.hostname and url.port != 0
        except ValueError:  # half an IPv6 address, or a port that is no number
            complete = False
        if not complete:
            raise wrong(
                "url", f"{shown(self.url)} is no broker: write mqtt://HOST[:PORT], mqtts://…, ws://… or wss://…"
            )
        if url.password or url.username:
            raise wrong("url", "give the user as username and the password in a password_file, not in the URL")
        if not self.tls and url.hostname not in LOOPBACK and not self.plaintext:
            raise wrong(
                "url",
                f"{url.hostname} would be spoken to without encryption: use mqtts://, "
                "or say plaintext = true if the network between is yours",
            )
        return self

    @model_validator(mode="after")
    def _who_we_are(self) -> Self:
        if self.password_file and not self.username:
            raise wrong("password_file", "a password without a user: give username too")
        if bool(self.client_cert_file) != bool(self.client_key_file):
            given, other = ("cert", "key") if self.client_cert_file else ("key", "cert")
            raise wrong(
                f"client_{given}_file", f"give client_{other}_file too; it may be the same file, where one holds both"
            )
        for key in ("ca_file", "client_cert_file"):
            if getattr(self, key) and not self.tls:
                raise wrong(key, "it is for TLS, and the url is without: use mqtts:// or wss://")
        return self

    @property
    def tls(self) -> bool:
        return urlsplit(self.url).scheme in ("mqtts", "wss")


class Camera(Retrying):
    """Where frames come from. See `smartcam.camera` for the forms of `source`."""

    source: Annotated[str, Field(min_length=1), AfterValidator(stream)]
    record: Annotated[str, Field(min_length=1), AfterValidator(video)] | None = None
    """A second, larger stream of the same camera: snapshots and clips come from it."""
    username: str | None = None
    password_file: str | None = None
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees clockwise that make the picture upright."""
    format: Literal["auto", "h264", "h265", "mjpeg", "mpegts", "i420"] = "auto"
    """What a command writes to its stdout."""
    pixel_format: str | None = None
    size: Size | None = None
    fps: Number | None = Field(default=None, gt=0, le=240)
    pace: Literal["real-time", "fast"] = "real-time"
    """How a file or a folder plays; fast waits for the detector instead of dropping frames."""
    repeat: Flag = True
    """Whether a file or a folder begins again at its end."""
    model: Name | None = None
    motion: Flag = True
    """The motion gate: a still scene costs no inference."""
    mask: Annotated[tuple[Polygon, ...], BeforeValidator(outlines)] = ()
    """Parts of the picture that nobody may see: burned in before anything looks at it, and before anything is kept."""
    look_again: Seconds = 2.0
    """How often a thing that stands still is looked at again."""
    open_timeout: Annotated[Seconds, within("50ms", "30s")] = 10.0
    read_timeout: Annotated[Seconds, within("50ms", "30s")] = 10.0
    retry_max: Pause = 5.0

    @property
    def streams(self) -> dict[str, str]:
        """What is opened, by its key."""
        return {"source": self.source} | ({"record": self.record} if self.record else {})

    @model_validator(mode="after")
    def _raw_video(self) -> Self:
        if self.format == "i420" and form_of(self.source) == "command" and not self.size:
            raise wrong("format", '"i420" has no size of its own: give the command\'s as size = "WIDTHxHEIGHT"')
        return self

    @model_validator(mode="after")
    def _login(self) -> Self:
        nobody = bool(self.password_file) and not self.username
        for key, text in self.streams.items():
            if nobody and form_of(text) == "network" and not url_of(text).username:
                raise wrong("password_file", f"a password without a user for {key}: give username too")
        return self

    @model_validator(mode="after")
    def _patience(self) -> Self:
        only_commands = all(form_of(text) == "command" for text in self.streams.values())
        for key in ("open_timeout", "read_timeout"):
            if getattr(self, key) > LONGEST_UNASKED_S and not only_commands:
                raise wrong(key, f"longer than {LONGEST_UNASKED_S:g} s is for commands (exec:…) alone; shorten it")
        return self


class Then(Section):
    """A second look: which model says what kind of thing a detected one is."""

    see: Labels
    """The detector's labels that get one."""
    model: Name
    """A [model.NAME] that classifies, or detects: then the label of its best detection counts."""
    score: Share = 0.5
    """Less sure than that, over the track's life, the thing keeps the detector's label alone."""


class Model(Retrying):
    """A detector, or a classifier for second looks: a model of the catalogue (`use`) or files of one's own."""

    use: str | None = None
    file: str | None = None
    """For the CPU, or compiled for the Edge TPU where there is no other."""
    compiled: str | None = None
    """The twin of `file` for the Edge TPU."""
    labels: str | None = None
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    compiled_sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    layout: str = "auto"
    resize: Literal["auto", "letterbox", "stretch"] = "auto"
    score: Share = 0.3
    """Detections below it are not even tracked."""
    accelerator: str = Field(default="auto", pattern=r"^(auto|cpu|edgetpu(:.+)?|standin:\d+(\.\d+)?)$")
    """standin:5 is one of 5 ms that sees nothing real: for benchmarks."""
    performance: Literal["low", "medium", "high", "max"] | None = None
    """The Edge TPU's clock; its own default is high."""
    runtime: Literal["auto", "litert", "tflite", "pycoral"] = "auto"
    threads: Whole = Field(default=0, ge=0, le=64)
    """Of the CPU; 0 leaves one core to the rest of the daemon."""
    open_timeout: Annotated[Seconds, within("50ms", "1h")] = 40.0
    invoke_timeout: Annotated[Seconds, within("50ms", "50s")] = 10.0
    retry_max: Pause = 15.0
    then: tuple[Then, ...] = ()

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.use is None) == (self.file is None):
            raise ValueError('give either use = "NAME" (see `smartcam models list`) or file = "PATH.tflite"')
        if self.use and self.compiled:
            raise ValueError("compiled: a model of the catalogue brings its own; it goes with file only")
        return self


class Log(Section):
    """What is told to the journal."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(Section):
    """Everything, as one value."""

    node: Node = Field(default_factory=Node)
    site: Site = Site()
    mqtt: Mqtt = Mqtt()
    log: Log = Log()
    uplink: Uplink = Uplink()
    keep: Keep = Keep()
    sampling: Sampling = Sampling()
    camera: dict[CameraName, Camera] = Field(min_length=1)
    model: dict[Name, Model] = Field(default_factory=lambda: {"default": Model(use="objectron")}, min_length=1)
    group: dict[Name, Labels] = Field(default_factory=dict)
    zone: dict[Name, Zone] = Field(default_factory=dict)
    line: dict[Name, Line] = Field(default_factory=dict)
    armed: Armed = Armed()
    mode: dict[ModeName, Mode] = Field(default_factory=dict)
    rule: dict[Name, Rule] = Field(default_factory=dict)

    def model_of(self, camera: str) -> str:
        """The name of the model that looks at this camera: its own, or else the first."""
        return self.camera[camera].model or next(iter(self.model))

    def cameras_of(self, rule: Rule) -> list[str]:
        """The cameras that a rule runs on: the one it names, its zone's, or each by itself."""
        if rule.camera:
            return [rule.camera]
        drawn = (self.zone.get(rule.zone or ""), self.line.get(rule.crosses or ""))
        return [each.camera for each in drawn if each][:1] or list(self.camera)
