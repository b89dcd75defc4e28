"""`smartcam events` beside a store that is being written."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartcam.owed import KINDS
from smartcam.store import DurableOutbox
from tests.commands import smartcam
from tests.store.disks import small_disk
from tests.store.outboxes import clip, clip_data, exhibit, kept, picture, told, until_written

JPEG = b"\xff\xd8 a picture"


@pytest.fixture(autouse=True)
def quick_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done is deleted at once."""
    monkeypatch.setattr("smartcam.store.writer.DELETE_S", 0.02)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[DurableOutbox]:
    """Open, with three events: one has been sent, one was refused, one waits."""
    (tmp_path / "smartcam.toml").write_text(f'[node]\ndata = "{tmp_path}"\n')
    with kept(tmp_path) as outbox:
        for n in (1, 2, 3):
            outbox.put(*told(n))
        until_written(outbox)
        rows = [outbox.take(KINDS) for _ in range(2)]
        outbox.done(rows[0].id if rows[0] else 0)
        outbox.failed(rows[1].id if rows[1] else 0, "not authorized")
        until_written(outbox)
        yield outbox


def test_the_last_events_are_listed_for_people(outbox: DurableOutbox, tmp_path: Path) -> None:
    done = smartcam("events", "list", "-c", "smartcam.toml", at=tmp_path)
    assert (done.code, done.err) == (0, "")
    first, second, third = done.out.splitlines()
    assert first.startswith(f"01J{1:023d} 2026-11-24T18:02:11Z front yard-intruder start: 1 person 0.87 in yard")
    assert not first.endswith("not sent yet")
    assert second.endswith("; refused: not authorized")
    assert third.endswith("; not sent yet")


def test_and_for_programs(outbox: DurableOutbox, tmp_path: Path) -> None:
    done = smartcam("events", "list", "-n", "2", "--json", "-c", "smartcam.toml", at=tmp_path)
    assert [(event["n"], event["owed"], event["refused"]) for event in done.objects] == [
        (2, True, "not authorized"),
        (3, True, None),
    ]
    assert smartcam("events", "list", "--rule", "other", "-c", "smartcam.toml", at=tmp_path).out == ""


def test_one_event_is_shown_by_the_beginning_of_its_id(outbox: DurableOutbox, tmp_path: Path) -> None:
    whole_id = f"01j{1:023d}"[:26]
    done = smartcam("events", "show", whole_id, "--json", "-c", "smartcam.toml", at=tmp_path)
    assert json.loads(done.out)["n"] == 1
    [line] = smartcam("events", "show", whole_id, "-c", "smartcam.toml", at=tmp_path).out.splitlines()
    assert " front yard-intruder start: " in line
    done = smartcam("events", "show", "01J", "-c", "smartcam.toml", at=tmp_path)
    assert (done.code, done.err) == (1, "smartcam: 01J: 3 events begin so: say more of it\n")
    assert "no such event" in smartcam("events", "show", "02", "-c", "smartcam.toml", at=tmp_path).err


def test_an_export_is_what_was_sent(outbox: DurableOutbox, tmp_path: Path) -> None:
    done = smartcam("events", "export", "-c", "smartcam.toml", at=tmp_path)
    assert done.out.encode().splitlines() == [told(n)[0].payload for n in (1, 2, 3)]


def test_what_is_still_owed_is_not_removed(outbox: DurableOutbox, tmp_path: Path) -> None:
    first, third = f"01J{1:023d}", f"01J{3:023d}"
    done = smartcam("events", "rm", first, third, "-c", "smartcam.toml", at=tmp_path)
    assert done.out.splitlines() == [f"{first}: 1 messages removed", f"{third}: stays, it is still to be sent"]
    left = smartcam("events", "list", "--json", "-c", "smartcam.toml", at=tmp_path).objects
    assert [event["n"] for event in left] == [2, 3]
    outbox.put(*told(4))
    until_written(outbox)


def test_the_count_goes_on_after_the_last_event_is_removed(tmp_path: Path) -> None:
    (tmp_path / "smartcam.toml").write_text(f'[node]\ndata = "{tmp_path}"\n')
    with kept(tmp_path) as outbox:
        outbox.put(*told(9))
        until_written(outbox)
        row = outbox.take(KINDS)
        assert row
        outbox.done(row.id)
    assert "1 messages removed" in smartcam("events", "rm", f"01J{9:023d}", "-c", "smartcam.toml", at=tmp_path).out
    with kept(tmp_path) as outbox:
        assert outbox.last_n == 9


def test_without_a_store_it_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "smartcam.toml").write_text(f'[node]\ndata = "{tmp_path}"\n')
    done = smartcam("events", "list", "-c", "smartcam.toml", at=tmp_path)
    assert done.code == 69
    assert "smartcam has not run with this configuration yet" in done.err


@pytest.fixture
def evidence(tmp_path: Path) -> Iterator[DurableOutbox]:
    """Event 1 with a picture that waits and a clip that stays here; event 2 with a picture that was sent."""
    (tmp_path / "smartcam.toml").write_text(f'[node]\ndata = "{tmp_path}"\n')
    with kept(tmp_path) as outbox:
        outbox.put(*told(2))
        outbox.put(*picture(2, JPEG))
        until_written(outbox)
        while row := outbox.take(KINDS):
            outbox.done(row.id)
        outbox.put(*told(1))
        outbox.put(*picture(1, JPEG))
        outbox.keep(clip(tmp_path, 1, 5000)[2])
        until_written(outbox)
        yield outbox


def test_what_is_kept_of_an_event_is_shown_with_what_became_of_it(evidence: DurableOutbox, tmp_path: Path) -> None:
    first, second = f"01J{1:023d}", f"01J{2:023d}"
    done = smartcam("events", "show", first, "-c", "smartcam.toml", at=tmp_path)
    snapshot, film = done.out.splitlines()[-2:]
    assert snapshot.startswith(f"snapshot 1: media/{first}/")
    assert snapshot.endswith(f".jpg, {len(JPEG)} B; not sent yet")
    assert film == f"clip 1: media/{first}/clip.mp4, 5 kB; stays here"
    done = smartcam("events", "show", second, "--json", "-c", "smartcam.toml", at=tmp_path)
    told_of, kept_of = done.objects
    assert told_of["n"] == 2
    assert (kept_of["kind"], kept_of["bytes"], kept_of["owed"]) == ("snapshot", len(JPEG), False)
    assert kept_of["delivered"] > 1.7e9


def test_chosen_events_are_exported_with_their_pictures_and_clips(evidence: DurableOutbox, tmp_path: Path) -> None:
    first = f"01J{1:023d}"
    done = smartcam("events", "export", first, "--to", "out/here", "-c", "smartcam.toml", at=tmp_path)
    assert (done.err, [event["n"] for event in done.objects]) == ("", [1])
    assert (tmp_path / "out/here" / first / "snapshot-1.jpg").read_bytes() == JPEG
    assert (tmp_path / "out/here" / first / "clip-1.mp4").read_bytes() == clip_data(5000)
    done = smartcam("events", "export", "--to", "all", "-c", "smartcam.toml", at=tmp_path)
    assert len(done.objects) == 2
    assert len([path for path in (tmp_path / "all").rglob("*") if path.is_file()]) == 3


def test_a_place_that_cannot_be_written_to_is_a_sentence(evidence: DurableOutbox, tmp_path: Path) -> None:
    done = smartcam("events", "export", "--to", "smartcam.toml", "-c", "smartcam.toml", at=tmp_path)
    assert done.code == 1
    assert "cannot copy" in done.err
    assert len(done.err.splitlines()) == 1


def test_pictures_go_with_their_event_but_not_what_is_still_owed(evidence: DurableOutbox, tmp_path: Path) -> None:
    first, second = f"01J{1:023d}", f"01J{2:023d}"
    done = smartcam("events", "rm", first, second, "-c", "smartcam.toml", at=tmp_path)
    assert done.out.splitlines() == [
        f"{first}: 0 messages and 1 files removed; the rest stays, it is still to be sent",
        f"{second}: 1 messages and 1 files removed",
    ]
    assert [path.suffix for path in (tmp_path / "media").rglob("*") if path.is_file()] == [".jpg"]
    row = evidence.take({"snapshot"})
    assert row
    assert row.message.payload == JPEG


def test_a_sample_is_shown_by_its_id(evidence: DurableOutbox, tmp_path: Path) -> None:
    evidence.keep(exhibit(7, "sample"), JPEG)
    until_written(evidence)
    done = smartcam("events", "show", f"01J{7:023d}", "-c", "smartcam.toml", at=tmp_path)
    assert done.out.startswith("sample 1: media/")


def test_a_damaged_store_is_a_sentence(evidence: DurableOutbox, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere"
    file.mkdir()
    (tmp_path / "other.toml").write_text(f'[node]\ndata = "{file}"\n')
    data = bytearray((tmp_path / "store.db").read_bytes())
    for place in range(4096, len(data), 97):
        data[place] ^= 0xFF
    (file / "store.db").write_bytes(data)
    for command in (["list"], ["show", "01"], ["export"], ["rm", "01"]):
        done = smartcam("events", *command, "-c", "other.toml", at=tmp_path)
        assert done.code in (1, 69), command
        assert len(done.err.splitlines()) == 1, done.err


def test_a_configuration_that_was_named_must_be_there(outbox: DurableOutbox, tmp_path: Path) -> None:
    """Else another store would be looked at, or changed."""
    done = smartcam("events", "list", "-c", "smratcam.toml", at=tmp_path)
    assert (done.code, done.err) == (78, "smartcam: smratcam.toml: there is no such file\n")
    (tmp_path / "broken.toml").write_text("[node\n")
    assert smartcam("disk", "-c", "broken.toml", at=tmp_path).code == 78


def test_on_a_full_disk_events_can_still_be_removed(tmp_path: Path) -> None:
    with small_disk(tmp_path / "state", 16) as folder:
        (tmp_path / "smartcam.toml").write_text(f'[node]\ndata = "{folder}"\n')
        with kept(folder) as outbox:
            for n in range(1, 100):
                outbox.put(*told(n))
            until_written(outbox)
            while row := outbox.take(KINDS):
                outbox.done(row.id)
            until_written(outbox)
            subprocess.run(["dd", "if=/dev/zero", f"of={folder}/filler", "bs=4k"], capture_output=True)
            ids = [f"01J{n:023d}" for n in range(1, 100)]
            done = smartcam("events", "rm", *ids, "-c", "smartcam.toml", at=tmp_path)
            assert done.out.count("1 messages removed") == 99, done.err
