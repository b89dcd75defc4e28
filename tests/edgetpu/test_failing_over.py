"""An Edge TPU and the CPU as one accelerator, in the moments that a daemon's tests pass by."""

from __future__ import annotations

import pytest

from smartcam.detect.devices import find_edge_tpus
from tests.edgetpu.conftest import Together
from tests.edgetpu.emulator import Emulator
from tests.edgetpu.sysfs import FakeDevice
from tests.edgetpu.tending import on_the_cpu_because, tended


def test_a_stick_that_hangs_while_it_opens_and_is_pulled_out_is_given_up(stick: FakeDevice, together: Together) -> None:
    """Nothing is in sight any more, but a child is still there, which must not stay for ever."""
    stick.on_open("hang")
    failover = together("auto", open_timeout_s=1.7)
    tended(failover, lambda: stick.owner)

    stick.unplug()

    on_the_cpu_because(failover, "did not open on edgetpu within 1.7 s")


@pytest.mark.parametrize("accelerator", ["auto", "edgetpu"])
def test_a_stick_that_somebody_else_uses_is_told_and_taken_when_it_is_free(
    stick: FakeDevice, together: Together, accelerator: str
) -> None:
    """With "auto" too: the machine has one, and works without it."""
    stick.claim_interface(True)
    failover = together(accelerator)
    on_the_cpu_because(failover, "usb:0 at 2-1 is in use by another process: stop that, or leave this device to it")

    stick.claim_interface(False)

    tended(failover, lambda: failover.state.device == "edgetpu:usb:0")
    assert failover.state.degraded == ""


def test_auto_says_nothing_of_an_edge_tpu_that_never_was(edgetpu: Emulator, together: Together) -> None:
    failover = together("auto")
    tended(failover, lambda: failover.state.name == "ready")

    assert find_edge_tpus() == []
    assert (failover.state.device, failover.state.degraded) == ("cpu", "")
