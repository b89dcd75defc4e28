"""Latencies that others published, to stand beside one's own: invoke, in milliseconds.

Source: the benchmarks page of coral.ai. Desktop: an x86-64 workstation; embedded: a Cortex-A53.
"""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """One model's published latencies."""

    desktop_cpu: float
    usb: float
    embedded_cpu: float
    dev_board: float


PUBLISHED_MS = {
    "mobilenet_v1_1.0_224": Published(53, 2.4, 164, 2.4),
    "mobilenet_v2_1.0_224": Published(51, 2.6, 122, 2.6),
    "ssd_mobilenet_v1": Published(109, 6.5, 353, 11),
    "ssd_mobilenet_v2": Published(106, 7.2, 282, 14),
    "inception_v1_224": Published(90, 3.4, 392, 4.1),
    "inception_v4_299": Published(700, 85, 3157, 102),
}
"""By what a model file's name begins with."""


def published_for(file_name: str) -> Published | None:
    """What was published of the model that this file holds, judged by its name."""
    plain = file_name.lower().replace("-", "_")
    return next((told for name, told in PUBLISHED_MS.items() if plain.startswith(name)), None)
