"""How long a broker that has had enough is left alone."""

from __future__ import annotations

import time

import pytest

from smartcam.mqtt.heard import Ack
from smartcam.mqtt.quota import MOST_PAUSE_S, Quota

ENOUGH = Ack(1, 0x97, "quota exceeded", True)
TAKEN = Ack(1, 0, "success", True)
WRITTEN = Ack(1, 0, "success", False)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def pause_s(self, quota: Quota) -> float:
        """How long nothing may be sent, in whole seconds."""
        began = self.now
        while not quota.is_open:
            self.now += 1.0
        return self.now - began


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    return clock


def pauses_s(clock: Clock, quota: Quota, count: int) -> list[float]:
    found = []
    for _ in range(count):
        quota.heard(ENOUGH)
        found.append(clock.pause_s(quota))
    return found


def test_each_pause_is_twice_as_long_as_the_last_one_up_to_a_quarter_of_an_hour(clock: Clock) -> None:
    assert pauses_s(clock, Quota(10.0), 8) == [10, 20, 40, 80, 160, 320, 640, MOST_PAUSE_S]


def test_what_was_sent_together_and_refused_together_makes_one_pause(clock: Clock) -> None:
    quota = Quota(10.0)
    for _ in range(20):
        quota.heard(ENOUGH)
    assert clock.pause_s(quota) == 10


def test_it_begins_anew_once_the_broker_has_taken_something(clock: Clock) -> None:
    quota = Quota(10.0)
    pauses_s(clock, quota, 3)
    quota.heard(WRITTEN)  # Of this the broker has said nothing.
    assert pauses_s(clock, quota, 1) == [80]
    quota.heard(TAKEN)
    assert pauses_s(clock, quota, 1) == [10]
