"""What a day may cost, over restarts, reboots and clocks that are set."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcam.config.delivery import Uplink
from smartcam.data import Kind
from smartcam.mqtt.allowance import Allowance
from smartcam.mqtt.budget import DAY_S, HOUR_S, MOST_HOURS, PURPOSES, Budget, Purpose
from smartcam.mqtt.outbox import MemoryOutbox
from smartcam.owed import KINDS
from tests.mqtt.machine import Machine

DAILY, RESERVE = 1_000_000, 100_000


@pytest.fixture
def machine() -> Machine:
    return Machine()


def new_budget(machine: Machine, text: str = "") -> Budget:
    budget = Budget.loaded(text, machine.read())
    budget.daily, budget.reserve = DAILY, RESERVE
    return budget


def wait(budget: Budget, machine: Machine, seconds: float) -> None:
    machine.wait(seconds)
    budget.go_on(machine.read())


def test_clips_stop_before_events_and_events_before_alerts(machine: Machine) -> None:
    budget = new_budget(machine)
    budget.spend("clip", 900_000)
    assert [budget.left(kind) for kind in ("clip", "snapshot", "event", "alert")] == [0, 0, 50_000, 200_000]
    budget.spend("event", 50_000)
    budget.spend("alert", 150_000)
    assert [budget.left(kind) for kind in KINDS] == [0, 0, 0, 0]
    assert budget.left("state") is None


def test_states_leave_alerts_their_reserve(machine: Machine) -> None:
    """Nothing limits what the node says of itself, and a way that flaps costs a TLS handshake each time."""
    budget = new_budget(machine)
    budget.spend("state", DAILY + RESERVE)
    assert (budget.left("event"), budget.left("alert"), budget.wait_s("alert", RESERVE)) == (0, RESERVE, 0.0)
    budget.spend("alert", RESERVE - 500)
    wait(budget, machine, HOUR_S)
    budget.spend("alert", 500)
    assert budget.left("alert") == 0
    assert budget.wait_s("alert", 500) == pytest.approx(DAY_S - HOUR_S)
    assert budget.wait_s("alert", DAILY + RESERVE) == pytest.approx(DAY_S)


def test_more_goes_as_soon_as_the_oldest_hours_are_free(machine: Machine) -> None:
    """And not when all are, nor later for the little that goes on meanwhile."""
    budget = new_budget(machine)
    for _ in range(18):
        budget.spend("clip", 50_000)
        wait(budget, machine, HOUR_S)
    assert budget.wait_s("clip", 1) == pytest.approx(DAY_S - 18 * HOUR_S)
    assert budget.wait_s("clip", 50_001) == pytest.approx(DAY_S - 17 * HOUR_S)
    budget.spend("state", 50)
    assert budget.wait_s("clip", 1) == pytest.approx(DAY_S - 18 * HOUR_S)


def test_what_is_spent_in_a_burst_is_free_again_a_day_after_it_whatever_else_goes_on(machine: Machine) -> None:
    budget = new_budget(machine)
    for _ in range(9):
        budget.spend("clip", 100_000)
        wait(budget, machine, 10)
    for _ in range(5):
        wait(budget, machine, 600)
        budget.spend("state", 100)
    assert budget.wait_s("clip", 1) == pytest.approx(DAY_S - 90 - 3000)
    assert budget.wait_s("clip", 100_000) == pytest.approx(DAY_S - 80 - 3000)


def test_without_a_limit_everything_may_go_and_is_counted(machine: Machine) -> None:
    budget = Budget(machine.read())
    budget.spend("clip", 10**9)
    assert budget.left("clip") is None
    assert budget.wait_s("clip", 10**9) == 0
    assert budget.spent["clip"] == 10**9


def test_what_was_spent_is_free_again_a_day_later_and_not_before(machine: Machine) -> None:
    budget = new_budget(machine)
    budget.spend("clip", 500_000)
    wait(budget, machine, HOUR_S * 2)
    budget.spend("clip", 400_000)
    assert budget.wait_s("clip", 1) == pytest.approx(DAY_S - 2 * HOUR_S)
    assert budget.wait_s("clip", 600_000) == pytest.approx(DAY_S)
    assert budget.wait_s("clip", 950_000) is None
    wait(budget, machine, DAY_S - 2 * HOUR_S - 1)
    assert budget.left("clip") == 0
    wait(budget, machine, 2)
    assert budget.left("clip") == 500_000


def test_a_refund_gives_back_what_was_spent_last(machine: Machine) -> None:
    budget = new_budget(machine)
    budget.spend("clip", 100)
    wait(budget, machine, HOUR_S)
    budget.spend("clip", 50)
    budget.spend("event", 7)
    budget.refund("clip", 60)
    assert (budget.spent["clip"], budget.spent["event"]) == (90, 7)


def test_a_restart_forgets_nothing_and_counts_the_time_between(machine: Machine) -> None:
    budget = new_budget(machine)
    budget.spend("clip", 900_000)
    text = budget.saved()
    machine.wait(DAY_S - 10)
    assert new_budget(machine, text).left("clip") == 0
    machine.wait(11)
    assert new_budget(machine, text).left("clip") == 900_000


def test_what_may_have_been_spent_after_it_was_saved_counts(machine: Machine) -> None:
    assert new_budget(machine, new_budget(machine).saved(ahead=4096)).total == 4096


def test_time_without_power_counts_once_the_clock_is_right_again(machine: Machine) -> None:
    budget = new_budget(machine)
    budget.spend("clip", 900_000)
    text = budget.saved()
    machine.reboot(DAY_S)
    budget = new_budget(machine, text)
    wait(budget, machine, 60)
    budget.spend("event", 100)
    assert budget.left("clip") == 0
    machine.synchronise()
    wait(budget, machine, 1)
    assert budget.left("clip") == 900_000 - 100


def test_time_without_power_counts_for_nothing_where_the_clock_was_wrong_before(machine: Machine) -> None:
    machine.set_clock(-(10**6))
    budget = new_budget(machine)
    budget.spend("clip", 900_000)
    text = budget.saved()
    machine.reboot(DAY_S)
    machine.synchronise()
    assert new_budget(machine, text).left("clip") == 0


@pytest.mark.parametrize("off_s", [-3600.0, 1e9])
def test_a_clock_that_is_set_changes_nothing(machine: Machine, off_s: float) -> None:
    budget = new_budget(machine)
    budget.spend("clip", 900_000)
    machine.set_clock(off_s)
    wait(budget, machine, 60)
    assert new_budget(machine, budget.saved()).left("clip") == 0


def test_a_machine_that_restarts_all_the_time_keeps_a_short_note_and_forgets_nothing_too_soon(machine: Machine) -> None:
    budget = new_budget(machine)
    for _ in range(2 * MOST_HOURS):
        budget.spend("event", 1)
        machine.synchronise()
        wait(budget, machine, 0.3 * HOUR_S)
        text = budget.saved()
        machine.reboot(1)
        budget = new_budget(machine, text)
    assert len(text) < 80 * MOST_HOURS
    wait(budget, machine, (24 - 2 * MOST_HOURS * 0.3 + 0.1) * HOUR_S)
    assert budget.total >= 2 * MOST_HOURS - 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"v": 2}', "null"])
def test_a_note_that_is_none_is_as_if_there_were_none(machine: Machine, text: str) -> None:
    assert new_budget(machine, text).total == 0


Step = tuple[str, Any]
A_WHILE_S = st.sampled_from([1.0, 60.0, 0.4 * HOUR_S, HOUR_S, 7 * HOUR_S, 12 * HOUR_S, 23.5 * HOUR_S, 30 * HOUR_S])
STEPS = st.one_of(
    st.tuples(st.just("wait"), A_WHILE_S),
    st.tuples(st.just("send"), st.tuples(st.sampled_from(KINDS), st.integers(1, 400_000))),
    st.tuples(st.just("send"), st.tuples(st.sampled_from(KINDS), st.integers(1, 2_000))),
    st.tuples(st.just("fill"), st.sampled_from(KINDS)),
    st.tuples(st.just("fill"), st.sampled_from(KINDS)),
    st.tuples(st.just("tell"), st.integers(1, 2_000)),
    st.tuples(st.just("kill"), st.none()),
    st.tuples(st.just("end"), st.none()),
    st.tuples(st.just("reboot"), A_WHILE_S),
    st.tuples(st.just("set"), st.floats(-1e10, 1e10)),
    st.tuples(st.just("synchronise"), st.none()),
)


class Node:
    """A node that sends whenever it may, and what it has sent, with the true times."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.sent: list[tuple[float, Purpose, int]] = []
        self._outbox = MemoryOutbox(2**20)
        self._start()

    def do(self, what: str, how: Any) -> None:
        match what, how:
            case "wait", float(seconds):
                self.machine.wait(seconds)
            case "send", (kind, int(size)):
                if self._allowance.pay(kind, size):
                    self.sent.append((self.machine.now, kind, size))
            case "fill", kind:
                self._fill(kind)
            case "tell", int(size):
                self._allowance.count("state", size)
                self.sent.append((self.machine.now, "state", size))
            case "kill", _:
                self._start()
            case "end", _:
                self._allowance.close()
                self._start()
            case "reboot", float(seconds):
                self.machine.reboot(seconds)
                self._start()
            case "set", float(off_s):
                self.machine.set_clock(off_s)
            case "synchronise", _:
                self.machine.synchronise()

    def _fill(self, kind: Kind) -> None:
        """Send as much as may be."""
        size = DAILY + RESERVE
        while size:
            self.do("send", (kind, size))
            size //= 2

    def _start(self) -> None:
        self._allowance = Allowance(self._outbox, read_clocks=self.machine.read)
        self._allowance.renew(Uplink(daily=DAILY, reserve=RESERVE), 60.0)


def worst_day(
    sent: list[tuple[float, Purpose, int]], kinds: tuple[Kind, ...], of: tuple[Purpose, ...] = PURPOSES
) -> int:
    """The most that was sent `of` something in the 24 hours up to a message of these kinds."""
    ends = [(n, at) for n, (at, purpose, _) in enumerate(sent) if purpose in kinds]
    days = (sum(size for at, each, size in sent[: n + 1] if at > end - DAY_S and each in of) for n, end in ends)
    return max(days, default=0)


@settings(max_examples=500, deadline=None)
@given(st.lists(STEPS, min_size=10, max_size=40))
def test_no_day_costs_more_whatever_happens(steps: list[Step]) -> None:
    node = Node()
    for step in steps:
        node.do(*step)
    assert worst_day(node.sent, ("event", "snapshot", "clip")) <= DAILY
    assert worst_day(node.sent, KINDS, of=KINDS) <= DAILY + RESERVE


def test_a_week_of_everything_that_goes_wrong_is_within_its_budget_and_uses_it() -> None:
    """Every 7 min there is more to send than may be; power and clock fail several times a day."""
    node = Node()
    begin = node.machine.now
    faults = itertools.cycle(["kill", "reboot", "synchronise", "set", "end", "synchronise"])
    hows = {"reboot": 1800.0, "set": 40 * DAY_S}
    while node.machine.now < begin + 7 * DAY_S:
        for kind, size in (("alert", 300), ("event", 500), ("snapshot", 30_000), ("clip", 60_000)):
            node.do("send", (kind, size))
        node.do("tell", 100)
        node.do("wait", 420.0)
        if int((node.machine.now - begin) / 420) % 37 == 0:
            fault = next(faults)
            node.do(fault, hows.get(fault))
    total = sum(size for *_, size in node.sent)
    assert worst_day(node.sent, ("event", "snapshot", "clip")) <= DAILY
    assert worst_day(node.sent, KINDS) <= DAILY + RESERVE
    assert total > 5 * 0.9 * DAILY
    alerts = [at for at, purpose, _ in node.sent if purpose == "alert"]
    assert max(later - earlier for earlier, later in itertools.pairwise(alerts)) < 1800 + 2 * 420
