"""What a node says of itself, as models: N/info, N/health, N/config. Pure."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from smartcam.data import Kind
from smartcam.mqtt.form import Payload, Time


class ModelInfo(Payload):
    """A model that this node runs."""

    name: str
    sha256: str | None = None
    runtime: str | None = None
    accelerator: str | None = None


class InfoPayload(Payload):
    """N/info: what this node is."""

    v: Literal[1] = 1
    node: str
    version: str
    models: tuple[ModelInfo, ...]
    cameras: tuple[str, ...]
    labels: tuple[str, ...]
    """Those that rules use."""


class CameraHealth(Payload):
    """How a camera is."""

    online: bool
    reason: str | None = None
    fps: float | None = None
    frames: int | None = None
    """Since the start."""
    dropped: int | None = None
    """Frames that were not looked at, since the start."""


class ModelHealth(Payload):
    """How a model is."""

    state: str
    reason: str | None = None
    device: str | None = None
    invoke_ms: float | None = None
    temperature_c: float | None = None
    """Of the accelerator."""
    restarts: int | None = None
    looks: int | None = None
    """Inferences since the start."""
    pid: int | None = None
    """Of the process that owns the accelerator."""


class OutboxHealth(Payload):
    """What MQTT still owes, and what it could not keep."""

    depth: int
    bytes: int
    dropped: dict[Kind, int]
    """By kind: there was no room."""
    failed: dict[Kind, int]
    """By kind: the broker does not take it."""


class LinkHealth(Payload):
    """How the connection to the broker is."""

    connected: bool
    protocol: str | None = None
    reason: str | None = None
    reconnects: int = 0
    published: int = 0
    denied: int = 0
    sent_bytes: int = 0
    """To the broker since the start, on the wire but for TCP and IP."""
    received_bytes: int = 0


class HealthPayload(Payload):
    """N/health: figures, and what is not as it should be."""

    v: Literal[1] = 1
    node: str
    version: str
    uptime_s: float
    clock_ok: bool
    degraded: tuple[str, ...]
    """A sentence for each thing that works on its slower path, or not at all; empty when all is well."""
    cameras: dict[str, CameraHealth]
    models: dict[str, ModelHealth]
    mqtt: LinkHealth | None = None
    outbox: OutboxHealth | None = None
    temperature_c: float | None = None
    memory_mib: float | None = None
    disk_free_mib: float | None = None
    near_misses: dict[str, int] = Field(default_factory=dict)
    """By rule, since the start: how often something that it looks for came, and not all that it asks for held. At most
    50 rules, those with the most."""


class ConfigProblem(Payload):
    """Where a configuration cannot be used, and why."""

    file: str
    line: int | None = None
    key: str | None = None
    message: str


class ConfigPayload(Payload):
    """N/config: which configuration is in force, and what is wrong with a newer one."""

    ok: bool
    hash: str | None = None
    loaded_at: Time | None = None
    errors: tuple[ConfigProblem, ...] = ()
