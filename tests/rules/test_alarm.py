"""Armed or not, and the mode: the clock's word at the begin and the end of windows, a person's in between."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from smartcam.config import Config
from smartcam.config.when import When
from smartcam.errors import SmartcamError
from smartcam.rules.alarm import Alarm, AlarmMemory
from smartcam.rules.calendar import Calendar, Spell

NIGHTS = {"when": "18:00-07:00"}
MODES: dict[str, Any] = {"home": {}, "away": {"when": "mon-fri 08:00-17:00"}, "asleep": {"when": "22:00-06:00"}}


def config_of(**sections: Any) -> Config:
    site = {"latitude": 52.5, "longitude": 13.4, "timezone": "Europe/Berlin"}
    return Config.model_validate({"camera": {"yard": {"source": "clip.mp4"}}, "site": site} | sections)


def alarm_of(memory: AlarmMemory | None = None, **sections: Any) -> Alarm:
    config = config_of(**sections)
    return Alarm(config, Calendar(config.site), memory or AlarmMemory())


def wall(clock: str, day: int = 24) -> float:
    """In November 2026, of which the 24th is a Tuesday."""
    hours, minutes = map(int, clock.split(":"))
    return datetime(2026, 11, day, hours, minutes, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


def test_without_a_window_it_is_armed_until_somebody_disarms() -> None:
    alarm = alarm_of()
    alarm.follow(wall("12:00"))
    assert alarm.armed

    alarm.arm(False)
    alarm.follow(wall("23:00"))
    alarm.follow(wall("12:00", day=28))

    assert not alarm.armed


def test_the_clock_arms_and_disarms_when_a_window_begins_and_ends() -> None:
    alarm = alarm_of(armed=NIGHTS)
    told = []
    for clock in ("12:00", "17:59", "18:00", "23:00"):
        alarm.follow(wall(clock))
        told.append(alarm.armed)
    alarm.follow(wall("07:00", day=25))

    assert told == [False, False, True, True]
    assert not alarm.armed


def test_a_persons_word_holds_until_the_clocks_next_change() -> None:
    alarm = alarm_of(armed=NIGHTS)
    alarm.follow(wall("19:00"))
    alarm.arm(False)
    alarm.follow(wall("23:00"))
    assert not alarm.armed
    alarm.follow(wall("06:59", day=25))
    assert not alarm.armed

    alarm.follow(wall("12:00", day=25))
    alarm.arm(True)
    alarm.follow(wall("12:30", day=25))
    assert alarm.armed
    alarm.follow(wall("18:30", day=25))
    assert alarm.armed
    alarm.follow(wall("08:00", day=26))
    assert not alarm.armed


def restarted(alarm_memory: AlarmMemory, **sections: Any) -> Alarm:
    """A new process with what the old one kept."""
    adapter = TypeAdapter(AlarmMemory)
    return alarm_of(adapter.validate_json(adapter.dump_json(alarm_memory)), **sections)


def test_a_persons_word_outlives_a_restart() -> None:
    memory = AlarmMemory()
    before = alarm_of(memory, armed=NIGHTS, mode=MODES)
    before.follow(wall("19:00"))
    before.arm(False)
    before.set_mode("asleep")

    after = restarted(memory, armed=NIGHTS, mode=MODES)
    after.follow(wall("20:00"))

    assert (after.armed, after.mode) == (False, "asleep")


def test_the_clocks_word_counts_that_fell_while_nothing_ran() -> None:
    """Disarmed last night, then without power until tonight: the window that began meanwhile is a new word, though the
    clock said the same before."""
    memory = AlarmMemory()
    before = alarm_of(memory, armed=NIGHTS)
    before.follow(wall("19:00"))
    before.arm(False)

    after = restarted(memory, armed=NIGHTS)
    after.follow(wall("19:00", day=25))

    assert after.armed


def test_a_window_without_an_end_in_sight_is_one_word() -> None:
    """A polar night outlasts what the calendar looks back; that the begin is no more seen is no change."""
    site = {"latitude": 69.65, "longitude": 18.95, "timezone": "Europe/Oslo"}
    alarm = alarm_of(armed={"when": "night"}, site=site)
    alarm.follow(wall("20:00", day=27))
    alarm.arm(False)

    for days in range(1, 30):
        alarm.follow(wall("20:00", day=27) + days * 86400)
        assert not alarm.armed


def test_a_window_that_is_taken_out_of_the_configuration_leaves_it_armed() -> None:
    memory = AlarmMemory()
    alarm_of(memory, armed=NIGHTS).follow(wall("12:00"))
    assert not memory.armed

    alarm = alarm_of(memory)
    alarm.follow(wall("12:01"))

    assert alarm.armed


def test_scenes_that_come_out_of_order_do_not_turn_it_off_and_on() -> None:
    alarm = alarm_of(armed=NIGHTS)
    alarm.follow(wall("17:59"))
    alarm.follow(wall("18:00"))
    for _ in range(3):
        alarm.follow(wall("18:00") - 0.5)
        assert alarm.armed
        alarm.follow(wall("18:00") - 30)
        assert alarm.armed
        alarm.follow(wall("18:00") + 0.5)
        assert alarm.armed


def test_a_clock_that_is_set_back_is_followed() -> None:
    alarm = alarm_of(armed=NIGHTS)
    alarm.follow(wall("18:00"))
    alarm.follow(wall("16:00"))

    assert not alarm.armed


def test_without_modes_there_is_none() -> None:
    alarm = alarm_of()
    alarm.follow(wall("12:00"))

    assert alarm.mode == ""
    with pytest.raises(SmartcamError, match=r"has no modes: write a \[mode\.NAME\]"):
        alarm.set_mode("home")


def test_the_first_mode_holds_at_first_and_where_no_window_does() -> None:
    alarm = alarm_of(mode=MODES)
    assert alarm.mode == "home"
    told = []
    for clock in ("07:00", "08:00", "16:59", "17:00", "22:30"):
        alarm.follow(wall(clock))
        told.append(alarm.mode)

    assert told == ["home", "away", "away", "home", "asleep"]


def test_of_two_windows_that_hold_the_later_one_is_the_mode_and_then_the_other_again() -> None:
    alarm = alarm_of(mode={"home": {}, "asleep": {"when": "22:00-06:00"}, "guests": {"when": "23:00-02:00"}})
    told = []
    for clock, day in (("22:30", 24), ("23:30", 24), ("02:30", 25), ("07:00", 25)):
        alarm.follow(wall(clock, day))
        told.append(alarm.mode)

    assert told == ["asleep", "guests", "asleep", "home"]


def test_a_persons_mode_holds_until_the_clocks_next_change() -> None:
    alarm = alarm_of(mode=MODES)
    alarm.follow(wall("09:00"))
    alarm.set_mode("home")
    alarm.follow(wall("16:00"))
    assert alarm.mode == "home"
    alarm.set_mode("asleep")
    alarm.follow(wall("17:00"))
    assert alarm.mode == "home"


def test_modes_without_windows_are_a_persons_alone() -> None:
    alarm = alarm_of(mode={"home": {}, "holiday": {}})
    alarm.set_mode("holiday")
    alarm.follow(wall("12:00"))
    alarm.follow(wall("12:00", day=30))

    assert alarm.mode == "holiday"


def test_a_remembered_mode_that_there_is_no_more_gives_way_to_the_first() -> None:
    memory = AlarmMemory(mode="holiday")

    assert alarm_of(memory, mode={"home": {}, "away": {}}).mode == "home"
    assert alarm_of(memory).mode == ""
    assert alarm_of(memory, mode={"home": {}, "holiday": {}}).mode == "holiday"


def test_an_unknown_mode_is_refused_with_those_that_there_are() -> None:
    alarm = alarm_of(mode=MODES)

    with pytest.raises(SmartcamError, match=r'no mode "awy" \(did you mean "away"\?\): there is home, away, asleep'):
        alarm.set_mode("awy")

    assert alarm.mode == "home"


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        (["armed"], True),
        (["disarmed"], False),
        (["disarmed", "home"], True),
        (["away"], False),
        (["away", "asleep"], False),
        ([""], False),
        ([], False),
    ],
)
def test_any_of_the_words_will_do(words: list[str], holds: bool) -> None:
    assert alarm_of(mode=MODES).holds(words) is holds


def test_it_looks_at_the_clock_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is called for every scene of every camera."""
    looks: list[float] = []
    spell = Calendar.spell

    def counted(calendar: Calendar, whens: tuple[When, ...], wall: float) -> Spell:
        looks.append(wall)
        return spell(calendar, whens, wall)

    monkeypatch.setattr(Calendar, "spell", counted)
    alarm = alarm_of(armed=NIGHTS)

    for tenth in range(100):
        alarm.follow(wall("12:00") + tenth / 10)

    assert len(looks) == 10


def test_what_is_kept_is_plain() -> None:
    memory = AlarmMemory()
    alarm_of(memory, armed=NIGHTS, mode=MODES).follow(wall("09:00"))

    assert asdict(memory) == {
        "armed": False,
        "mode": "away",
        "armed_by_clock": {"word": "disarmed", "start": wall("07:00") // 60},
        "mode_by_clock": {"word": "away", "start": wall("08:00") // 60},
    }
