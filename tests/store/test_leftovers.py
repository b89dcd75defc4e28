"""What a start finds among the files after an end without warning."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import time
from contextlib import closing
from pathlib import Path

import pytest

from smartcam.data import Exhibit, Message
from smartcam.owed import KINDS
from smartcam.store import Leftover, open_to_change
from tests.mqtt.links import until
from tests.store.outboxes import clip, clip_data, exhibit, kept, sent, told, until_written

EVENT = told(1)[1].event.id
WHOLE = clip_data(3000)
BROKEN_OFF = WHOLE + b"half a fragment"


def salvage(part: Path) -> bool:
    """As if a whole clip had 3000 bytes."""
    if part.stat().st_size < len(WHOLE):
        return False
    with part.open("r+b") as file:
        file.truncate(len(WHOLE))
    return True


def finish(found: Leftover) -> tuple[Message | None, Exhibit] | None:
    """As the daemon does it: from what was told last."""
    if found.path.name != "clip.mp4":
        return None
    what = exhibit(1, "clip", file=found.file, bytes=found.bytes, sha256=found.sha256)
    message = Message(f"m/{found.told['id']}", b"", "clip", event=EVENT, file=found.file, file_bytes=found.bytes)
    return message, what


def began(folder: Path, *names: str, event: str = EVENT) -> Path:
    """A store with an event, of which these files were being made when the power failed."""
    with kept(folder) as outbox:
        outbox.put(*told(1))
    place = folder / "media" / event
    place.mkdir(parents=True)
    for name in names:
        (place / name).write_bytes(BROKEN_OFF)
    return place


@pytest.mark.parametrize("name", ["clip.mp4.part", "clip.mp4"])
def test_a_clip_that_broke_off_is_cut_to_what_plays_then_kept_and_owed(tmp_path: Path, name: str) -> None:
    """Or was whole, and nobody had heard of it yet."""
    place = began(tmp_path, name)
    data = WHOLE if name.endswith(".part") else BROKEN_OFF
    with kept(tmp_path, salvage=salvage, finish=finish) as outbox:
        assert until(lambda: outbox.depth({"clip"}) == 1)
        until_written(outbox)
        [found] = outbox.exhibits(EVENT)
        assert (found.file, found.bytes) == (f"media/{EVENT}/clip.mp4", len(data))
        assert found.sha256 == hashlib.sha256(data).hexdigest()
        assert [row.message.payload for row in sent(outbox)][1:] == [data]
    assert [path.name for path in place.iterdir()] == ["clip.mp4"]


def test_it_is_told_of_what_was_said_last_of_the_event(tmp_path: Path) -> None:
    began(tmp_path, "clip.mp4.part")
    seen = []
    with kept(tmp_path, salvage=salvage, finish=lambda found: seen.append(found.told)) as outbox:
        assert until(lambda: seen != [])
        assert outbox.exhibits(EVENT) == []
    assert seen == [json.loads(told(1)[0].payload)]
    assert not (tmp_path / "media" / EVENT).exists()


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("clip.mp4.part", "01JZ"),  # Of an event that was never committed.
        (".clip.mp4.part", EVENT),
        ("clip-640.mp4.part", EVENT),  # Which `finish` does not want.
        ("lost.jpg", EVENT),
        ("lost.jpg.part", EVENT),
        (".mp4", EVENT),
    ],
)
def test_everything_else_that_no_row_names_goes(tmp_path: Path, name: str, event: str) -> None:
    place = began(tmp_path, name, event=event)
    with kept(tmp_path, salvage=salvage, finish=finish) as outbox:
        assert until(lambda: not place.exists())
        assert outbox.depth({"clip"}) == 0


def test_of_which_nothing_plays_nothing_stays(tmp_path: Path) -> None:
    place = began(tmp_path)
    (place / "clip.mp4.part").write_bytes(b"short")
    with kept(tmp_path, salvage=salvage, finish=finish):
        assert not place.exists()


def test_a_finished_clip_is_not_overwritten_by_what_broke_off(tmp_path: Path) -> None:
    place = began(tmp_path, "clip.mp4.part")
    (place / "clip.mp4").write_bytes(WHOLE[:100])
    with kept(tmp_path, salvage=salvage, finish=finish) as outbox:
        assert until(lambda: outbox.depth({"clip"}) == 1)
        until_written(outbox)
        assert [each.bytes for each in outbox.exhibits(EVENT)] == [100]


def test_what_leads_elsewhere_is_removed_and_not_followed(tmp_path: Path) -> None:
    place = began(tmp_path)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").write_bytes(b"mine")
    (place / "link").symlink_to(tmp_path / "precious")
    with kept(tmp_path):
        assert not place.exists()
    assert (tmp_path / "precious/file").exists()


def test_ten_thousand_files_do_not_keep_a_start(tmp_path: Path) -> None:
    """Ready within 10 s."""
    with kept(tmp_path) as outbox:
        for n in range(1, 101):
            outbox.keep(exhibit(n, "sample"), b"\xff\xd8" + bytes([n]))
        until_written(outbox)
    for path in list((tmp_path / "media").iterdir()):
        for n in range(100):
            (path / f"orphan-{n}.jpg").touch()
    began_at = time.monotonic()
    with kept(tmp_path):
        assert time.monotonic() - began_at < 10
    assert len(list((tmp_path / "media").rglob("*.jpg"))) == 100


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mp4.part", "other.jpg"])
def test_what_is_no_file_is_neither_adopted_nor_followed(tmp_path: Path, name: str) -> None:
    """Sent, it would tell what is at the end of the link; a pipe would keep the start waiting."""
    precious = tmp_path / "precious"
    precious.write_bytes(WHOLE)
    for make in (lambda path: path.symlink_to(precious), os.mkfifo):
        state = tmp_path / make.__name__
        state.mkdir()
        place = began(state)
        make(place / name)
        with kept(state, salvage=salvage, finish=finish) as outbox:
            assert (outbox.depth({"clip"}), outbox.exhibits(EVENT)) == (0, [])
            assert not place.exists()
    assert precious.read_bytes() == WHOLE


def test_a_clip_in_whose_place_something_else_lies_is_given_up(tmp_path: Path) -> None:
    with kept(tmp_path) as outbox:
        message, _, what = clip(tmp_path, 1, 3000)
        outbox.put(message, None, what)
        until_written(outbox)
        file = tmp_path / message.file
        file.rename(tmp_path / "precious")
        file.symlink_to(tmp_path / "precious")
        assert outbox.take(KINDS) is None
        assert outbox.backlog.failed["clip"] == 1


def test_names_that_nobody_can_read_do_not_keep_a_start(tmp_path: Path) -> None:
    place = began(tmp_path)
    (place / os.fsdecode(b"clip-\xff.mp4")).write_bytes(WHOLE)
    odd = tmp_path / "media" / os.fsdecode(b"event-\xff")
    odd.mkdir()
    (odd / "clip.mp4").write_bytes(WHOLE)
    with kept(tmp_path, salvage=salvage, finish=finish):
        assert not (tmp_path / "media").exists()


def test_a_clip_that_was_sent_is_not_sent_again_because_it_was_about_to_be_removed(tmp_path: Path) -> None:
    """Cut between the transaction and the removal."""
    with kept(tmp_path) as outbox:
        outbox.put(*told(1))
        message, _, what = clip(tmp_path, 1, 3000)
        outbox.put(message, None, what)
        until_written(outbox)
        assert len(sent(outbox)) == 3
        until_written(outbox)
    with closing(open_to_change(tmp_path)) as db:
        db.execute("DELETE FROM media")
    with kept(tmp_path, salvage=salvage, finish=finish) as outbox:
        assert until(lambda: not (tmp_path / message.file).exists())
        assert outbox.depth() == 0


def test_what_cannot_be_looked_at_now_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with kept(tmp_path) as outbox:
        outbox.keep(exhibit(1, "sample"), b"\xff\xd8")
        until_written(outbox)
    lstat = Path.lstat

    def forbidden(path: Path) -> os.stat_result:
        if "media" in path.parts:
            raise PermissionError(errno.EACCES, "Permission denied")
        return lstat(path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "lstat", forbidden)
        with kept(tmp_path) as outbox:
            assert len(outbox.exhibits(EVENT)) == 1
