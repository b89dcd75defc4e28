"""The daemon itself, whose power is cut in the middle of events: scripts/powercut does it to its store, far oftener."""

from __future__ import annotations

import random
import time
from contextlib import closing
from pathlib import Path

from smartcam.mqtt.subscriber import subscribe
from smartcam.store import open_to_read
from tests.brokers import Mosquitto, free_port
from tests.faults.account import Account, State, orphans, set_aside
from tests.faults.loop_disk import loop_disk
from tests.faults.worlds import configuration, fire, watching

CUTS = 3


def test_what_the_daemon_has_committed_outlives_power_cuts(tmp_path: Path, broker: Mosquitto) -> None:
    """S4. With the broker away every other time; all arrives in the end, and no file is left that nobody names."""
    chance, account, state = random.Random(1), Account(), tmp_path / "state"
    with loop_disk(state) as disk, subscribe(broker.mqtt(keepalive=300), ["#"]) as heard:
        for life in range(CUTS):
            url = broker.url if life % 2 else f"mqtt://127.0.0.1:{free_port()}"
            with watching(tmp_path, configuration(tmp_path, url)) as running:
                until = time.monotonic() + chance.uniform(0.3, 1.0)
                while time.monotonic() < until:
                    fire(running, 1, chance.choice(("visitor", "portrait")))
                note(state, account)
                disk.cut_power()
                running.kill()
            disk.restore_power()
        with watching(tmp_path, configuration(tmp_path, broker.url)) as running:
            running.until("status", lambda health: health["outbox"]["depth"] == 0)
            running.kill()
        for received in heard.within(2.0):
            account.hear(received)
        found = State.read(state)
        assert len(account.committed) > 2 * CUTS
        assert list(account.wrong(state, found)) == []
        assert list(account.wrong_words()) == []
        assert not orphans(state, found)
        assert not set_aside(state)


def note(state: Path, account: Account) -> None:
    """What is committed by now."""
    with closing(open_to_read(state)) as db:
        messages = db.execute("SELECT n, id, seq FROM event").fetchall()
        account.commit(messages, [file for (file,) in db.execute("SELECT file FROM media")])
