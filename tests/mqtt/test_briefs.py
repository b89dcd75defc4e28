"""What is forgotten where there is no room for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from smartcam.config.delivery import Uplink
from smartcam.data import Message
from smartcam.mqtt.allowance import Allowance
from smartcam.mqtt.briefs import Briefs
from smartcam.mqtt.meter import Meter
from smartcam.mqtt.outbox import MemoryOutbox
from tests.mqtt.links import owe
from tests.mqtt.machine import Machine


def test_boxes_that_do_not_fit_a_day_hold_up_no_event(outbox: MemoryOutbox) -> None:
    allowance = Allowance(outbox, read_clocks=Machine().read)
    allowance.renew(Uplink.model_validate({"daily": "100KB"}), 60.0)
    allowance.count("state", 90_000)
    owe(outbox, "t", "an event")
    briefs = Briefs(allowance, Meter(allowance))
    briefs.put(Message("t", b"x" * 20_000, "event", qos=0))
    idle: Any = SimpleNamespace(fits=lambda *_: True, busy=False)
    briefs.send(idle)
    assert allowance.open(["event"]) == ["event"]
