"""The whole configuration as frozen models: one class a section. Equal sections mean equal parts of the daemon."""

from __future__ import annotations

import re
import socket
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from smartcam.config.values import CameraName, Count, HowMany, Labels, Name, Seconds, Share, Size, shown
from smartcam.data import Level, Point

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Section(BaseModel):
    """Unknown keys are errors, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def own_name() -> str:
    """This machine's host name, as far as it can be a name."""
    plain = re.sub(r"[^a-z0-9_-]+", "-", socket.gethostname().split(".")[0].lower()).strip("-_")
    return plain[:32] or "smartcam"


class Node(Section):
    """This device."""

    name: Name = Field(default_factory=own_name)
    data: str = "/var/lib/smartcam"
    """Folder for what must outlive a restart."""
    cache: str | None = None
    """Folder for downloaded models; by default the user's cache folder."""


class Site(Section):
    """Where it stands."""

    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    timezone: str | None = None


class Mqtt(Section):
    """The broker, and how it may be spoken to."""

    url: str = "mqtt://127.0.0.1:1883"
    username: str | None = None
    password_file: str | None = None
    ca_file: str | None = None
    client_cert_file: str | None = None
    client_key_file: str | None = None
    plaintext: bool = False
    """Says out loud that a broker on another machine is spoken to without TLS."""
    keepalive: Seconds = 60.0
    connect_timeout: Seconds = 10.0
    retry_min: Seconds = 1.0
    retry_max: Seconds = 10.0
    control: Literal["off", "switches", "all"] = "switches"
    detections: float = Field(default=0.0, ge=0, le=30)
    """Messages a second, per camera, on C/detections; 0 is off."""
    health_pause: Seconds = 10.0
    """N/health is told when something changes, but not more often than this."""
    outbox: int = Field(default=64, ge=1, le=4096)
    """MiB that may wait for the broker."""

    @model_validator(mode="after")
    def _scheme(self) -> Self:
        try:
            url = urlsplit(self.url)
            complete = url.scheme in ("mqtt", "mqtts", "ws", "wss") and url.hostname and url.port != 0
        except ValueError:  # half an IPv6 address, or a port that is no number
            complete = False
        if not complete:
            raise ValueError(f"url = {shown(self.url)}: write mqtt://HOST[:PORT], mqtts://…, ws://… or wss://…")
        if url.password or url.username:
            raise ValueError("url: give the user as username and the password in a password_file, not in the URL")
        if not self.tls and url.hostname not in LOOPBACK and not self.plaintext:
            raise ValueError(
                f"url: {url.hostname} would be spoken to without encryption: use mqtts://, "
                "or say plaintext = true if the network between is yours"
            )
        return self

    @property
    def tls(self) -> bool:
        return urlsplit(self.url).scheme in ("mqtts", "wss")


class Camera(Section):
    """Where frames come from. See `smartcam.camera` for the forms of `source`."""

    source: str = Field(min_length=1)
    record: str | None = None
    """A second, larger stream of the same camera: snapshots come from it."""
    username: str | None = None
    password_file: str | None = None
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees clockwise that make the picture upright."""
    format: Literal["auto", "h264", "h265", "mjpeg", "mpegts", "i420"] = "auto"
    """What a command writes to its stdout."""
    pixel_format: str | None = None
    size: Size | None = None
    fps: float | None = Field(default=None, gt=0, le=240)
    pace: Literal["real-time", "fast"] = "real-time"
    """How a file or a folder plays; fast waits for the detector instead of dropping frames."""
    repeat: bool = True
    """Whether a file or a folder begins again at its end."""
    model: Name | None = None
    motion: bool = True
    """The motion gate: a still scene costs no inference."""
    look_again: Seconds = 2.0
    """How often a thing that stands still is looked at again."""
    open_timeout: Seconds = 10.0
    read_timeout: Seconds = 10.0
    retry_min: Seconds = 1.0
    retry_max: Seconds = 5.0


class Then(Section):
    """A second look: which model says what kind of thing a detected one is."""

    see: Labels
    """The detector's labels that get one."""
    model: Name
    """A [model.NAME] that classifies."""
    score: Share = 0.5
    """Less sure than that, over the track's life, the thing keeps the detector's label alone."""


class Model(Section):
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
    threads: int = Field(default=0, ge=0, le=64)
    """Of the CPU; 0 leaves one core to the rest of the daemon."""
    open_timeout: Seconds = 40.0
    invoke_timeout: Seconds = 10.0
    retry_min: Seconds = 1.0
    retry_max: Seconds = 15.0
    then: tuple[Then, ...] = ()

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.use is None) == (self.file is None):
            raise ValueError('give either use = "NAME" (see `smartcam models list`) or file = "PATH.tflite"')
        if self.use and self.compiled:
            raise ValueError("compiled: a model of the catalogue brings its own; it goes with file only")
        return self


def _polygon(points: tuple[Point, ...]) -> tuple[Point, ...]:
    if any(not 0 <= number <= 1 for point in points for number in point):
        raise ValueError("points are shares of the picture, from 0 to 1: [0, 0] is its top left corner")
    return points


class Zone(Section):
    """A part of one camera's picture."""

    camera: Name
    points: Annotated[tuple[Point, ...], Field(min_length=3, max_length=64), AfterValidator(_polygon)]


class Snapshot(Section):
    """How a rule's picture looks."""

    boxes: bool = False
    crop: bool = False


class Rule(Section):
    """What matters, in six lines or fewer."""

    see: Labels
    camera: Name | None = None
    zone: Name | None = None
    score: Share = 0.0
    for_: Seconds = Field(default=0.0, alias="for")
    count: HowMany = Count(">=", 1)
    cooldown: Seconds = 0.0
    level: Level = "event"
    do: tuple[Literal["snapshot"], ...] = ()
    snapshot: Snapshot = Snapshot()
    enabled: bool = True


class Log(Section):
    """What is told to the journal."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(Section):
    """Everything, as one value."""

    node: Node = Field(default_factory=Node)
    site: Site = Site()
    mqtt: Mqtt = Mqtt()
    log: Log = Log()
    camera: dict[CameraName, Camera] = Field(min_length=1)
    model: dict[Name, Model] = Field(default_factory=lambda: {"default": Model(use="objectron")}, min_length=1)
    group: dict[Name, Labels] = {}
    zone: dict[Name, Zone] = {}
    rule: dict[Name, Rule] = {}

    def model_of(self, camera: str) -> str:
        """The name of the model that looks at this camera: its own, or else the first."""
        return self.camera[camera].model or next(iter(self.model))

    def cameras_of(self, rule: Rule) -> list[str]:
        """The cameras that a rule runs on: the one it names, its zone's, or each by itself."""
        if rule.camera:
            return [rule.camera]
        return [self.zone[rule.zone].camera] if rule.zone else list(self.camera)
