"""What `smartcam replay` tells a person who edits rules, and what it keeps for the next time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import Ran, furnish, smartcam

RULES = """
[rule.visitor]
see = "person"
level = "alert"
[rule.herd]
see = "person"
count = ">= 3"
[rule.loitering]
see = "person"
for = "60s"
[rule.night]
see = "person"
when = "23:00-05:00"
[rule.guard]
see = "person"
unless = "disarmed"
[rule.away]
see = "person"
only = "holiday"
[rule.truck]
see = "car"
[rule.behind]
see = "person"
camera = "back"
"""
MODES = """
[site]
timezone = "Europe/Berlin"
latitude = 52.5
longitude = 13.4
[mode.home]
[mode.holiday]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = furnish(tmp_path_factory.mktemp("replay"))
    (folder / "config.toml").write_text((folder / "good.toml").read_text().split("[rule.")[0] + MODES + RULES)
    return folder


def replay(place: Path, *arguments: str | Path, cache: str = "cache", **variables: str) -> Ran:
    done = smartcam("replay", "clip.mp4", "-c", "config.toml", *arguments, at=place,
                    SMARTCAM_CACHE=str(place / cache), **variables)  # fmt: skip
    assert done.code == 0, done.err
    return done


def fired(ran: Ran) -> set[str]:
    return {event["event_type"] for event in ran.objects}


def kept(place: Path, cache: str) -> Path:
    (path,) = (place / cache / "scenes").iterdir()
    return path


def test_people_see_the_events_and_a_timeline_that_says_why_the_others_did_not_fire(place: Path) -> None:
    assert replay(place, COLUMNS="64", PYTHONUTF8="1").out == (
        """\
 0:00  13:00:00  visitor start: 1 person 0.90 (person seen with score 0.90)
 0:00  13:00:00  guard start: 1 person 0.90 (person seen with score 0.90; not disarmed)
 0:01  13:00:01  visitor end: 1 person 0.90, 0:00-0:01, 2 s
 0:01  13:00:01  guard end: 1 person 0.90, 0:00-0:01, 2 s

clip.mp4: 0:02 as front
pretending that it begins on Sat 2000-01-01 13:00:00 CET; --at
sets another
                 0:00                   0:01
visitor   1x     ···█▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
herd      never: saw 1, needs >= 3 at 0:00
loitering never: 2 s of 60 s at 0:01
night     never: it is Sat 13:00: only 23:00-05:00 at 0:00
guard     1x     ···█▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
away      never: only while holiday at 0:00
truck     never: no car seen
                 █ fires  ▒ goes on  ○ nearly
not on front: behind
"""
    )


def test_where_there_are_no_blocks_it_is_ascii(place: Path) -> None:
    told = replay(place, COLUMNS="64", PYTHONUTF8="0", PYTHONIOENCODING="ascii").out
    assert "visitor   1x     ...#=====" in told
    assert told.isascii()


@pytest.mark.parametrize(
    ("at", "zone", "start"),
    [
        ("2026-06-21 23:30", 'timezone = "Europe/Berlin"', "2026-06-21T21:30:00.160Z"),
        ("2026-01-21 23:30", 'timezone = "Europe/Berlin"', "2026-01-21T22:30:00.160Z"),
        ("2026-06-21 12:00-01:00", 'timezone = "Europe/Berlin"', "2026-06-21T13:00:00.160Z"),
        ("2026-06-21 23:30", "", "2026-06-21T14:30:00.160Z"),
    ],
)
def test_a_time_of_day_is_pretended_by_the_sites_clock_or_the_machines(
    place: Path, tmp_path: Path, at: str, zone: str, start: str
) -> None:
    config = (place / "config.toml").read_text().replace('timezone = "Europe/Berlin"', zone)
    (tmp_path / "config.toml").write_text(config)
    told = replay(place, "-c", tmp_path / "config.toml", "--json", "--at", at, TZ="JST-9").objects
    assert {event["start"] for event in told} == {start}
    assert ("night" in {event["event_type"] for event in told}) == ("23:30" in at)


def test_times_are_shown_by_the_sites_clock(place: Path) -> None:
    told = replay(place, "--at", "2026-06-21 23:30", TZ="JST-9").out
    assert told.startswith(" 0:00  23:30:00  visitor start: 1 person 0.90 (person seen with score 0.90)\n")
    assert "clip.mp4: 0:02 as front, from Sun 2026-06-21 23:30:00 CEST\n" in told


def test_the_alarm_and_the_mode_may_be_pretended(place: Path) -> None:
    assert fired(replay(place, "--json")) == {"visitor", "guard"}
    assert fired(replay(place, "--json", "--disarmed", "--mode", "holiday")) == {"visitor", "away"}


def test_a_mode_that_there_is_none_of_is_refused(place: Path) -> None:
    done = smartcam("replay", "clip.mp4", "-c", "config.toml", "--mode", "holidya", at=place)
    assert (done.code, done.out) == (1, "")
    assert done.sentences == ['no mode "holidya" (did you mean "holiday"?): there is home, holiday']


def test_kept_scenes_are_judged_as_the_clip_was(place: Path) -> None:
    """The same bytes; at another time they are those of a clip that was played then."""
    live = replay(place, "--json", cache="one").out
    assert replay(place, "--json", cache="one").out == live != ""
    later = ("--json", "--at", "2026-06-21 23:30")
    assert replay(place, *later, cache="one").out == replay(place, *later, cache="two").out != live
    assert kept(place, "one").read_bytes() == kept(place, "two").read_bytes()


def test_kept_scenes_are_what_is_judged(place: Path) -> None:
    """A file without a scene in it says nothing: the model was not asked."""
    from smartcam.pipeline.scenes import KeptScenes

    replay(place, "--json", cache="empty")
    key = kept(place, "empty").name.removesuffix(".jsonl.gz")
    with KeptScenes(place / "empty" / "scenes").keeping(key):
        pass
    assert replay(place, "--json", cache="empty").out == ""
    assert replay(place, "--json", "--save", "pictures", cache="empty").out  # They are not in the file.


def test_damaged_scenes_are_made_anew(place: Path) -> None:
    told = replay(place, "--json", cache="damaged").out
    path = kept(place, "damaged")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert replay(place, "--json", cache="damaged").out == told
    assert path.read_bytes() == whole


def test_every_frame_looked_at_is_nothing_to_keep(place: Path) -> None:
    """Other replays look at fewer."""
    replay(place, "--json", "--tracks", "rows", cache="tracks")
    assert not (place / "tracks" / "scenes").exists()


def test_a_cache_that_cannot_be_written_to_changes_nothing(place: Path) -> None:
    (place / "no-folder").touch()
    done = replay(place, "--json", cache="no-folder")
    assert (done.out, done.err) == (replay(place, "--json").out, "")


OLD = """
[rule.visitor]
see = "person"
[rule.guest]
see = "person"
for = "1s"
[rule.same]
see = "person"
"""
NEW = """
[rule.visitor]
see = "person"
score = 0.95
[rule.guest]
see = "person"
for = "1500ms"
[rule.same]
see = "person"
[rule.herd]
see = "person"
count = 1
"""


@pytest.fixture(scope="module")
def rules(place: Path) -> Path:
    (place / "old.toml").write_text(OLD)
    (place / "new.toml").write_text(NEW)
    return place


def test_a_change_of_rules_shows_what_it_adds_and_takes_away(rules: Path) -> None:
    assert replay(rules, "--compare", "old.toml", "new.toml", COLUMNS="80").out == (
        """\
old: old.toml
new: new.toml

clip.mp4: 1 added, 1 removed, 1 changed, 1 the same
+ 0:00-0:01 herd: person (person seen with score 0.90; before: no such rule)
- 0:00-0:01 visitor: person (person seen with score 0.90; now: person 0.90,
    needs score 0.95)
~ 0:01-0:01 guest: person (was 0:01.2-0:02.0, is 0:01.7-0:02.0)
  fired     old   new
  visitor     1     0
  herd        -     1
"""
    )


def test_programs_get_one_change_a_line(rules: Path) -> None:
    """The new rules may also stand where rules stand."""
    told = replay(rules, "--compare", "old.toml", "--rules", "new.toml", "--json").objects
    assert [(each["change"], each["rule"], each["clip"]) for each in told] == [
        ("added", "herd", "clip.mp4"),
        ("removed", "visitor", "clip.mp4"),
        ("changed", "guest", "clip.mp4"),
    ]
    assert told[2]["was"]["start_s"] < told[2]["start_s"]


def test_the_old_rules_alone_are_compared_with_the_present_ones(rules: Path) -> None:
    (rules / "gone.toml").write_text(f'{OLD}[rule.car]\nsee = "person"\n[rule.dog]\nsee = "person"\n')
    told = replay(rules, "--json", "--rules", "old.toml", "--compare", "gone.toml").objects
    assert [(each["change"], each["rule"]) for each in told] == [("removed", "car"), ("removed", "dog")]


def test_it_is_said_which_rules_are_the_old_ones_and_that_there_are_none(rules: Path) -> None:
    """One file is the old one: the new rules are those of the configuration."""
    (rules / "empty.toml").touch()
    (rules / "more.toml").write_text('[rule.visitor]\nsee = "person"\n')
    told = replay(rules, "--compare", "more.toml").out.splitlines()
    assert told[:2] == ["old: more.toml", "new: the rules of config.toml"]
    told = replay(rules, "--compare", "empty.toml", "more.toml").out.splitlines()
    assert told[:4] == [
        "old: empty.toml (which has no rules)",
        "new: more.toml",
        "",
        "clip.mp4: 1 added, 0 removed, 0 changed, 0 the same",
    ]


def test_a_folder_in_which_nothing_was_saved_is_not_left_unexplained(rules: Path) -> None:
    (rules / "unsaved.toml").write_text('[rule.r]\nsee = "car"\ndo = ["snapshot"]\n')
    told = replay(rules, "--save", "pictures", "--rules", "unsaved.toml", "--json")
    assert (told.out, told.err) == (
        "",
        "no snapshot is saved in pictures: of the rules that send one, none fired (r)\n",
    )
    told = replay(rules, "--save", "pictures", "--rules", "old.toml")
    assert told.err == 'no snapshot is saved in pictures: no rule sends one, as do = ["snapshot"] would\n'
    (rules / "unsaved.toml").write_text('[rule.r]\nsee = "person"\ndo = ["snapshot"]\n')
    told = replay(rules, "--save", "pictures", "--rules", "unsaved.toml")
    assert told.err == ""
    assert "saved as pictures/" in told.out


def test_several_clips_are_compared_each_by_itself_and_added_up(rules: Path) -> None:
    told = replay(rules, "clip.mp4", "--compare", "old.toml", "new.toml").out.splitlines()
    assert [line for line in told if "the same" in line] == [
        "clip.mp4: 1 added, 1 removed, 1 changed, 1 the same",
        "clip.mp4: 1 added, 1 removed, 1 changed, 1 the same",
        "2 clips: 2 added, 2 removed, 2 changed, 2 the same",
    ]
    assert told[-2:] == ["  visitor     2     0", "  herd        -     2"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("clip.mp4 --compare old.toml new.toml --rules more.toml", "give one NEW file"),
        ("new.toml --compare old.toml", "give a recording too"),
        ("clip.mp4 --compare old.toml --tracks rows", "leave --tracks, --detections and --save out"),
    ],
)
def test_what_cannot_be_compared_is_refused(rules: Path, arguments: str, says: str) -> None:
    done = smartcam("replay", *arguments.split(), "-c", "config.toml", at=rules)
    assert (done.code, done.out) == (2, "")
    assert says in " ".join(done.err.replace("│", "").split())


def test_an_old_rule_that_waits_for_what_no_model_knows_is_refused_where_it_stands(rules: Path) -> None:
    (rules / "typo.toml").write_text('[rule.visitor]\nsee = "persn"\n')
    done = smartcam("replay", "clip.mp4", "-c", "config.toml", "--compare", "typo.toml", "new.toml", at=rules)
    assert (done.code, done.out) == (78, "")
    assert done.sentences[0].startswith("typo.toml:2: rule.visitor.see: no model ")
