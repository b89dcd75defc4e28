"""A real daemon whose configuration is edited while it runs, as people and their editors do it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from smartcam.pipeline.reload import Changes, stamps
from smartcam.store import open_to_read
from tests.brokers import Mosquitto, mosquitto
from tests.clips import clip
from tests.daemons import NODE, Hearing, Running, daemon, hearing, meaning
from tests.edgetpu.world import sees

TOOK_EFFECT_S = 4.0
"""After the last write."""
KEPT_S = 1.0
"""How soon what the rules know is on the disk at the latest: nobody waits for that."""
CONFIG = """
[node]
name = "{node}"
[mqtt]
url = "{broker}"
health_pause = "100ms"
detections = 30
[camera.front]
source = "{folder}/front.mp4"
motion = false
[model.tiny]
file = "{folder}/tiny.tflite"
labels = "{folder}/labels.txt"
accelerator = "cpu"
threads = 1
retry_min = "200ms"
[rule.visitor]
see = "person"
score = 0.5
"""
ANOTHER = """
[rule.another]
see = "person"
score = 0.6
"""


class World:
    """A daemon that sees one person who never leaves, somebody who listens, and an editor at its files."""

    def __init__(self, folder: Path, running: Running, ears: Hearing) -> None:
        self.folder = folder
        self.file = folder / "smartcam.toml"
        self.base = self.file.read_text()
        self.running = running
        self.ears = ears
        self.begun = ""
        """What the log said before this test."""
        self.edited = 0
        """How much had been heard before the last edit."""

    def begin(self) -> None:
        """Its first configuration is in force, under a hash of its own, and the thing that it waits for is there."""
        self.write(self.base + f"# {len(self.ears.all)}\n")
        self.hangup()
        self.good(within_s=15)
        self.running.until("status", lambda it: it["cameras"]["front"]["online"] and "tiny" in it["models"])
        self.running.until("status", lambda it: it["models"]["tiny"]["state"] == "ready" and not it["degraded"])
        self.running.until("rules", lambda it: it["rules"][0]["open"])
        self.begun = self.running.log()

    def log(self) -> str:
        """What it says in this test."""
        return self.running.log().removeprefix(self.begun)

    def hangup(self) -> None:
        self.running.process.send_signal(signal.SIGHUP)

    def replace(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.write(text.replace(old, new))

    def write(self, text: str) -> None:
        self.edited = len(self.ears.all)
        self.file.write_text(text)

    def told(self, holds: Callable[[dict[str, Any]], bool], *, within_s: float = TOOK_EFFECT_S) -> dict[str, Any]:
        """What N/config says next that `holds`."""
        config: dict[str, Any] = self.ears.until("config", holds, within_s=within_s)
        return config

    def good(self, *, within_s: float = TOOK_EFFECT_S) -> str:
        """The hash of the next configuration that is in force and not the one before."""
        before = self.running.ask("config")["hash"]
        hash_: str = self.told(lambda it: it["ok"] and it["hash"] != before, within_s=within_s)["hash"]
        return hash_

    def fires(self, rule: str, *, within_s: float = TOOK_EFFECT_S) -> dict[str, Any]:
        """Its first event since the last edit: that may come before or after the word on N/config."""

        def starts(event: dict[str, Any]) -> bool:
            return bool(event["event_type"] == rule and event["phase"] == "start")

        topic = f"smartcam/{NODE}/front/event"
        heard: list[dict[str, Any]] = [meaning(each) for each in self.ears.all[self.edited :] if each.topic == topic]
        if found := [event for event in heard if starts(event)]:
            return found[0]
        heard.append(self.ears.until("front/event", starts, within_s=within_s))
        return heard[-1]

    def rule(self, name: str) -> dict[str, Any]:
        [standing] = [each for each in self.running.ask("rules")["rules"] if each["rule"] == name]
        found: dict[str, Any] = standing
        return found

    def is_kept(self, holds: Callable[[dict[str, Any]], Any]) -> None:
        """What the rules know is on the disk."""
        end = time.monotonic() + KEPT_S
        while not holds(self._memory()):
            assert time.monotonic() < end
            time.sleep(0.01)

    def _memory(self) -> dict[str, Any]:
        with closing(open_to_read(self.folder / "state")) as db:
            found: dict[str, Any] = json.loads(*db.execute("SELECT text FROM note WHERE name = 'memory'").fetchone())
        return found

    def texts_since_the_edit(self, topic: str) -> list[str]:
        heard = self.ears.all[self.edited :]
        return [each.payload.decode() for each in heard if each.topic == f"smartcam/{NODE}/{topic}"]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("film") / "film.mp4", frames=50)


def furnished(folder: Path, film: Path, broker: Mosquitto) -> Path:
    """Everything that a daemon needs, with its configuration."""
    (folder / "front.mp4").symlink_to(film)
    (folder / "tiny.tflite").write_bytes(sees())
    (folder / "labels.txt").write_text("person\ncar\n")
    (folder / "smartcam.toml").write_text(CONFIG.format(node=NODE, broker=broker.url, folder=folder))
    return folder


@contextmanager
def running(folder: Path, broker: Mosquitto) -> Iterator[World]:
    with ExitStack() as stack:
        ears = stack.enter_context(hearing(broker.mqtt()))
        it = stack.enter_context(daemon(folder, None))
        it.until_it_answers()
        it.until("status", lambda status: status["models"]["tiny"]["looks"])
        yield World(folder, it, ears)


@pytest.fixture
def folder(tmp_path: Path, film: Path, broker: Mosquitto) -> Path:
    return furnished(tmp_path, film, broker)


@pytest.fixture(scope="module")
def one_daemon(tmp_path_factory: pytest.TempPathFactory, film: Path, broker: Mosquitto) -> Iterator[World]:
    with running(furnished(tmp_path_factory.mktemp("world"), film, broker), broker) as world:
        yield world


@pytest.fixture
def world(one_daemon: World) -> World:
    """The same daemon for all who leave it running: to be edited is what it is here for."""
    one_daemon.begin()
    return one_daemon


def _seen(memory: dict[str, Any], rule: str) -> dict[str, Any]:
    remembered: dict[str, dict[str, Any]] = memory["rules"].get("front", {}).get(rule, {})
    return remembered.get("seen") or {"firing": None}


def unaccounted(status: dict[str, Any]) -> int:
    """Frames that were neither looked at nor dropped: those from before the model was open, and those in flight."""
    camera, model = status["cameras"]["front"], status["models"]["tiny"]
    return int(camera["frames"] - camera["dropped"] - model["looks"])


def sed(world: World) -> None:
    subprocess.run(["sed", "-i", "s/score = 0.5/score = 0.55/", world.file], check=True)


def rename_as_vim_does(world: World) -> None:
    """With `backupcopy=no`: the old file becomes the backup, a new one takes its name, the backup goes."""
    text = world.file.read_text()
    backup = world.file.with_name("smartcam.toml~")
    world.file.rename(backup)
    world.file.write_text(text.replace("score = 0.5", "score = 0.55"))
    backup.unlink()


def write_beside_and_rename(world: World) -> None:
    fresh = world.folder / ".smartcam.toml.swx"
    fresh.write_text(world.file.read_text().replace("score = 0.5", "score = 0.55"))
    fresh.rename(world.file)


@pytest.mark.parametrize("edit", [sed, rename_as_vim_does, write_beside_and_rename])
def test_an_edit_takes_effect_soon_and_disturbs_nothing_else(world: World, edit: Callable[[World], None]) -> None:
    """The camera does not reconnect, the inference child stays, and every frame is looked at or counted."""
    before = world.running.status()
    world.edited = len(world.ears.all)
    edit(world)
    edited = time.monotonic()
    world.good()
    world.fires("visitor")
    assert time.monotonic() - edited < TOOK_EFFECT_S
    after = world.running.status()
    assert after["cameras"]["front"]["frames"] > before["cameras"]["front"]["frames"] + 25
    assert abs(unaccounted(after) - unaccounted(before)) <= 2
    assert after["models"]["tiny"]["pid"] == before["models"]["tiny"]["pid"]
    assert after["models"]["tiny"]["restarts"] == before["models"]["tiny"]["restarts"]
    assert world.texts_since_the_edit("front/status") == []
    assert "camera front" not in world.log()
    assert "connected to" not in world.log()


def test_a_file_that_is_half_written_changes_nothing_and_the_whole_of_it_does(world: World) -> None:
    text = world.file.read_text() + ANOTHER
    world.write(text[: text.index("[rule.visitor]") + 12])
    broken = world.told(lambda it: not it["ok"])
    assert broken["errors"][0]["file"] == str(world.file)
    assert broken["errors"][0]["line"] > 10
    fired = world.rule("visitor")["fired"]
    world.write(text)
    world.good()
    world.fires("another")
    assert (world.rule("visitor")["fired"], world.rule("visitor")["open"]) == (fired, True)


def test_a_broken_file_is_told_everywhere_and_mending_it_too(world: World) -> None:
    good, fired = world.running.ask("config"), world.rule("visitor")["fired"]
    assert good["ok"]
    world.replace("score = 0.5", "score = high")
    world.told(lambda it: not it["ok"])
    world.ears.until("health", lambda it: any("configuration broken since" in each for each in it["degraded"]))
    answer = world.running.ask("config")
    assert (answer["ok"], answer["hash"], answer["loaded_at"]) == (False, good["hash"], good["loaded_at"])
    assert answer["errors"][0]["line"] == 19
    world.hangup()
    time.sleep(0.5)
    assert world.log().count(answer["errors"][0]["message"]) == 1
    world.replace("score = high", "score = 0.5")
    world.told(lambda it: bool(it["ok"]) and it["hash"] == good["hash"])
    world.ears.until("health", lambda it: not it["degraded"])
    assert "mended" in world.log()
    assert world.rule("visitor")["fired"] == fired


def test_what_another_rule_remembers_outlives_an_edit(world: World) -> None:
    """A cooldown goes on, where an edited rule begins anew."""
    world.replace("score = 0.5", 'score = 0.5\ncooldown = "1h"\nunless = "disarmed"')
    world.hangup()
    fired = world.fires("visitor")
    world.running.ask("disarm")
    world.ears.until("front/event", lambda it: it["phase"] == "end" and it["id"] == fired["id"])
    world.running.ask("arm")
    world.write(world.file.read_text() + ANOTHER)
    world.hangup()
    world.fires("another")
    standing = world.rule("visitor")
    assert (standing["fired"], standing["open"]) == (1, False)
    assert "cooldown" in standing["why_not"]


def test_a_drop_in_comes_and_goes(world: World) -> None:
    """Its folder may not be there at first, and what it brought ends with it."""
    (world.folder / "rules.d").mkdir()
    drop_in = world.folder / "rules.d" / "10-another.toml"
    drop_in.write_text(ANOTHER)
    started = world.fires("another")
    drop_in.write_text(ANOTHER.replace("0.6", '"much"'))
    broken = world.told(lambda it: not it["ok"])
    assert (broken["errors"][0]["file"], broken["errors"][0]["line"]) == ("rules.d/10-another.toml", 4)
    drop_in.unlink()
    drop_in.parent.rmdir()
    ended = world.ears.until("front/event", lambda it: it["event_type"] == "another" and it["phase"] == "end")
    assert ended["id"] == started["id"]
    assert [each["rule"] for each in world.running.ask("rules")["rules"]] == ["visitor"]


def test_cameras_come_and_go_beside_one_that_stays(world: World) -> None:
    """Of one that went, nothing stays at the broker but that it is offline."""
    before = world.running.status()
    text = world.file.read_text()
    world.write(text + f'[camera.back]\nsource = "{world.folder}/front.mp4"\n')
    world.hangup()
    world.ears.until("back/status", lambda status: status == "online")
    world.ears.until("back/event", lambda event: event["phase"] == "start")
    assert set(world.running.status()["cameras"]) == {"front", "back"}
    world.write(text)
    world.hangup()
    world.ears.until("back/event", lambda event: event["phase"] == "end")
    world.ears.until("back/status", lambda status: status == "offline")
    latest = f"smartcam-media/{NODE}/back/latest"
    world.ears.until("front/detections", lambda _: world.ears.media().get(latest) == b"")
    after = world.running.until("status", lambda it: set(it["cameras"]) == {"front"})
    assert after["models"]["tiny"]["pid"] == before["models"]["tiny"]["pid"]
    assert after["cameras"]["front"]["frames"] > before["cameras"]["front"]["frames"]
    assert "camera front" not in world.log()


def test_a_camera_that_is_changed_is_opened_anew(world: World) -> None:
    world.replace("motion = false", "motion = false\nrotate = 90")
    world.hangup()
    world.running.until("status", lambda _: "camera front: online, 120x160" in world.log())
    assert world.running.status()["cameras"]["front"]["frames"] < 25 * 10


def test_another_model_takes_over_without_the_camera_noticing(world: World) -> None:
    """The thing that stands there keeps its event."""
    child, fired = world.running.child(), world.rule("visitor")["fired"]
    (world.folder / "better.tflite").write_bytes(sees(score=0.95))
    world.replace("tiny.tflite", "better.tflite")
    world.hangup()
    world.running.until(
        "status",
        lambda it: (model := it["models"].get("tiny")) and model["looks"] and model["pid"] != child,
    )
    assert not Path(f"/proc/{child}").exists()
    assert "camera front" not in world.log()
    assert (world.rule("visitor")["fired"], world.rule("visitor")["open"]) == (fired, True)


def test_a_model_that_is_not_there_changes_nothing(world: World) -> None:
    """All is checked before anything is touched, also what comes after the rules."""
    world.replace("tiny.tflite", "none.tflite")
    world.write(world.file.read_text() + ANOTHER)
    world.hangup()
    broken = world.told(lambda it: not it["ok"])
    assert "there is no such model file" in broken["errors"][0]["message"]
    assert [each["rule"] for each in world.running.ask("rules")["rules"]] == ["visitor"]


@pytest.mark.parametrize("what", ["pipe", "folder", "sparse gigabyte", "nothing", "link to itself"])
def test_what_is_no_text_file_changes_nothing_and_holds_nothing_up(world: World, what: str) -> None:
    world.edited = len(world.ears.all)
    world.file.unlink()
    match what:
        case "pipe":
            os.mkfifo(world.file)
        case "folder":
            world.file.mkdir()
        case "sparse gigabyte":
            with world.file.open("w") as file:
                file.truncate(1 << 30)
        case "link to itself":
            world.file.symlink_to(world.file)
    world.hangup()
    broken = world.told(lambda it: not it["ok"])
    assert broken["errors"][0]["file"] == str(world.file)
    assert world.rule("visitor")["open"]
    assert world.texts_since_the_edit("front/status") == []
    if what == "folder":
        world.file.rmdir()
    else:
        world.file.unlink(missing_ok=True)


def test_files_that_change_are_read_once_they_rest(tmp_path: Path) -> None:
    main = tmp_path / "smartcam.toml"
    main.write_text("one")
    changes = Changes(main)
    assert [changes.settled(at) for at in (1.0, 2.0)] == [False, False]
    main.write_text("two!")
    assert [changes.settled(at) for at in (2.5, 3.0, 4.8)] == [False, False, False]
    main.write_text("three")
    assert [changes.settled(at) for at in (5.0, 6.8, 7.0, 8.0)] == [False, False, True, False]


def test_every_way_in_which_files_change_is_seen(tmp_path: Path) -> None:
    """Same size and same time, a drop-in that only moves, a folder that appears, permissions."""
    main, folder = tmp_path / "smartcam.toml", tmp_path / "rules.d"

    def rename_over() -> None:
        fresh = tmp_path / "fresh"
        fresh.write_text("two")
        os.utime(fresh, ns=(main.stat().st_atime_ns, main.stat().st_mtime_ns))
        fresh.rename(main)

    main.write_text("one")
    seen = [stamps(main)]
    for change in (
        rename_over,
        folder.mkdir,
        (folder / "10.toml").touch,
        lambda: (folder / "10.toml").rename(folder / "20.toml"),
        lambda: main.chmod(0o400),
        main.unlink,
    ):
        change()
        seen.append(stamps(main))
    assert len(set(seen)) == len(seen)
    (folder / ".20.toml.swp").touch()
    assert stamps(main) == seen[-1]


def test_another_name_of_the_node_is_spoken_under_at_once(world: World) -> None:
    world.replace(f'name = "{NODE}"', 'name = "other"')
    world.hangup()
    assert world.ears.until("status", lambda status: status == "offline")
    world.running.until("status", lambda it: it["node"] == "other" and it["mqtt"]["connected"])


def test_a_broken_file_does_not_keep_it_from_starting_again(folder: Path, broker: Mosquitto) -> None:
    """kill -9, and a start from the last good set, which says so everywhere; mended, it goes on from there."""
    with running(folder, broker) as world:
        good = world.running.ask("config")["hash"]
        world.running.until("config", lambda _: any(folder.glob("state/last-good-*")))
        world.write("[rule.broken")
        world.running.kill()
    with running(folder, broker) as world:
        answer = world.running.ask("config")
        assert (answer["ok"], answer["hash"]) == (False, good)
        assert world.running.status()["degraded"][0].startswith("configuration broken since")
        assert "starting with the last good configuration instead" in world.running.log()
        [kept] = folder.glob("state/last-good-*")
        assert kept.stat().st_mode & 0o777 == 0o600
        world.write(CONFIG.format(node=NODE, broker=broker.url, folder=folder) + ANOTHER)
        world.good()
        world.fires("another", within_s=15)


def test_without_a_last_good_set_a_broken_file_ends_it(folder: Path) -> None:
    with daemon(folder, "[rule.broken") as running:
        assert running.process.wait(10) == 78
        assert "smartcam.toml:1: " in running.log()


def test_a_last_good_set_that_cannot_be_used_any_more_is_said(folder: Path, broker: Mosquitto) -> None:
    with running(folder, broker) as world:
        world.running.until("config", lambda _: any(folder.glob("state/last-good-*")))
        world.running.kill()
    (folder / "tiny.tflite").unlink()
    with daemon(folder, "[rule.broken") as it:
        assert it.process.wait(10) == 78
        assert "the last good configuration cannot be used either" in it.log()


def test_a_power_cut_forgets_neither_what_was_told_nor_the_alarm(folder: Path, broker: Mosquitto) -> None:
    with running(folder, broker) as world:
        world.fires("visitor")  # By the rule as it was: a late word of it must not be taken for the next one's.
        world.replace("score = 0.5", 'score = 0.5\nonce = "day"\nunless = "disarmed"')
        world.hangup()
        fired = world.fires("visitor")
        world.running.ask("disarm")
        world.ears.until("front/event", lambda it: it["phase"] == "end" and it["id"] == fired["id"])
        assert world.running.ask("mode") == {"armed": False, "mode": ""}
        world.is_kept(lambda memory: not memory["alarm"]["armed"] and not _seen(memory, "visitor")["firing"])
        world.running.kill()
    with running(folder, broker) as world:
        assert world.ears.until("armed") == "OFF"
        assert world.running.ask("arm") == {"armed": True, "mode": ""}
        time.sleep(0.5)
        standing = world.rule("visitor")
        assert (standing["fired"], standing["open"], standing["why_not"]) == (1, False, "it was told today")


def test_an_event_that_a_power_cut_interrupts_is_not_told_as_another_one(folder: Path, broker: Mosquitto) -> None:
    """Right after its start; who is still there belongs to it."""
    with running(folder, broker) as world:
        world.write(CONFIG.format(node=NODE, broker=broker.url, folder=folder) + ANOTHER)
        world.hangup()
        started = world.fires("another")
        world.is_kept(lambda memory: _seen(memory, "another")["firing"])
        world.running.kill()
    with running(folder, broker) as world:
        time.sleep(0.5)
        assert world.rule("another")["fired"] == 1
        world.write(CONFIG.format(node=NODE, broker=broker.url, folder=folder))
        world.hangup()
        # What the broker acknowledged just before the cut may be told again, with the same id and seq.
        ended = world.ears.until("front/event", lambda it: (it["event_type"], it["seq"]) == ("another", 2))
        assert (ended["phase"], ended["id"]) == ("end", started["id"])
