"""Cuts the power of a node, again and again, and looks whether it lost anything.

The disk is ext4 on a loop device, which is shut down as a power cut would do it, in the middle of whatever the node
does; a real broker and a subscriber stand at the other end. ``kill -9`` ends the process and leaves the disk.
"""

from __future__ import annotations

import argparse
import random
import shutil
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from smartcam.errors import SmartcamError, Unavailable
from smartcam.mqtt.subscriber import subscribe
from tests.brokers import mosquitto
from tests.faults.film import packets
from tests.faults.loop_disk import LoopDisk
from tests.faults.ordeal import Lost, Ordeal, Violence
from tests.faults.spoiled import MUTATIONS, Mutation

PER_DISK = 25
"""Cycles, before another disk is begun."""

LARGEST_BYTES = 70_000
"""That the broker takes: most clips go in parts."""


@dataclass(frozen=True)
class Plan:
    """What is to be done; the same plan does the same violence, but never at the very same instruction."""

    cuts: int
    kills: int
    seed: int
    mutation: Mutation | None = None

    def disks(self) -> Iterator[list[Violence]]:
        """What happens to each disk, in order."""
        acts: list[Violence] = ["cut"] * self.cuts + ["kill"] * self.kills  # type: ignore[assignment]
        random.Random(self.seed).shuffle(acts)
        for first in range(0, len(acts), PER_DISK):
            yield acts[first : first + PER_DISK]


@dataclass
class Outcome:
    """Of all disks."""

    lost: str = ""
    """What, and how to see it again."""
    cycles: int = 0
    slowest_s: float = 0.0
    slowest_heard_s: float = 0.0
    took_s: float = 0.0
    figures: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        figures = "".join(f"\n  {number:6d} {what}" for what, number in sorted(self.figures.items()))
        first = f"{self.cycles} cycles in {self.took_s:.0f} s, ready after {self.slowest_s:.2f} s at most"
        first += f", the last heard after {self.slowest_heard_s:.2f} s"
        return f"{first}{figures}\n{self.lost or 'nothing was lost'}"


def carried_out(plan: Plan, *, only_disk: int | None = None, told: Callable[[str], object] = lambda _: None) -> Outcome:
    """Ends with the first loss.

    Raises Unavailable where there is no broker, or no disk to be cut off.
    """
    outcome = Outcome()
    began = time.monotonic()
    if not shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"):
        raise Unavailable("the node needs a broker: apt-get install mosquitto")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="powercut-")))
        lines = ("max_queued_messages 0", "max_queued_bytes 0", f"max_packet_size {LARGEST_BYTES}")
        broker = stack.enter_context(mosquitto(folder, *lines))
        ears = stack.enter_context(subscribe(broker.mqtt(), ["smartcam/#", "smartcam-media/#"]))
        # Held, so that nobody else is given it: what is sent there must not arrive anywhere.
        unanswered = stack.enter_context(socket.socket())
        unanswered.bind(("127.0.0.1", 0))
        nobody = f"mqtt://127.0.0.1:{unanswered.getsockname()[1]}"
        film = packets(folder)
        for number, acts in enumerate(plan.disks()):
            if only_disk in (None, number):
                chance = random.Random(f"{plan.seed}/{number}")
                with LoopDisk(folder / f"disk-{number}") as disk:
                    ordeal = Ordeal(disk, broker.url, nobody, ears, film, chance, plan.mutation)
                    _carry_out(acts, ordeal, outcome)
                outcome.took_s = time.monotonic() - began
                if outcome.lost:
                    outcome.lost += f"\n(seed {plan.seed}, disk {number}: {_again(plan, number)})"
                    return outcome
                told(f"disk {number}: {len(acts)} cycles, {outcome.took_s:.0f} s so far")
    return outcome


def _carry_out(acts: list[Violence], ordeal: Ordeal, outcome: Outcome) -> None:
    try:
        for act in acts:
            outcome.cycles += 1
            outcome.figures[f"{act}s"] += 1
            ordeal.suffer(act)
        ordeal.rest()
    except Lost as error:
        outcome.lost = f"LOST in cycle {outcome.cycles}: {error}"
    outcome.slowest_s = max(outcome.slowest_s, ordeal.slowest_s)
    outcome.slowest_heard_s = max(outcome.slowest_heard_s, ordeal.slowest_heard_s)
    outcome.figures += ordeal.account.totals


def _again(plan: Plan, disk: int) -> str:
    mutation = f" --mutate {plan.mutation}" if plan.mutation else ""
    return f"scripts/powercut --cuts {plan.cuts} --kills {plan.kills} --seed {plan.seed} --disk {disk}{mutation}"


def main() -> int:
    """The command line; 0 where nothing was lost, 1 where something was, 69 where it cannot be tried here."""
    options = argparse.ArgumentParser(
        prog="scripts/powercut",
        description=__doc__,
        epilog="Needs root, mosquitto and loop devices. Exits with 1 if anything was lost, 69 if it cannot be tried.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--cuts", type=int, default=200, help="power cuts (%(default)s)")
    options.add_argument("--kills", type=int, default=200, help="kill -9 (%(default)s)")
    options.add_argument("--seed", type=int, default=1, help="of all that is random (%(default)s)")
    options.add_argument("--disk", type=int, help=f"only this one of the disks, which live {PER_DISK} cycles each")
    options.add_argument("--mutate", choices=MUTATIONS, help="make the node careless: then something must be lost")
    given = options.parse_args()
    try:
        plan = Plan(given.cuts, given.kills, given.seed, given.mutate)
        outcome = carried_out(plan, only_disk=given.disk, told=lambda line: print(line, flush=True))  # noqa: T201
    except SmartcamError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    print(outcome)  # noqa: T201
    return 1 if outcome.lost else 0


if __name__ == "__main__":
    sys.exit(main())
