"""When windows hold: by the clock, by the sun, and over every change of the clock."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from math import inf
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from smartcam.config import Site
from smartcam.config.when import DAYS, EVERY_DAY, LATEST, Edge, When, minutes_of, whens
from smartcam.rules.calendar import Calendar
from smartcam.sun import HORIZON, altitude

BERLIN = Site(latitude=52.52, longitude=13.4, timezone="Europe/Berlin")
TROMSO = Site(latitude=69.65, longitude=18.95, timezone="Europe/Oslo")
CIRCLE = Site(latitude=66.0, longitude=25.7, timezone="Europe/Helsinki")
NIGHT = whens("night")
DAY = whens("day")
MINUTE_S = 60

WEEKS = [
    ("Europe/Berlin", date(2026, 3, 26)),  # on Sunday 29 the hour from 02:00 is missing
    ("Europe/Berlin", date(2026, 10, 22)),  # on Sunday 25 it comes twice
    ("America/New_York", date(2026, 3, 5)),
    ("America/New_York", date(2026, 10, 29)),
    ("Australia/Lord_Howe", date(2026, 4, 2)),  # half an hour
    ("Australia/Lord_Howe", date(2026, 10, 1)),
    ("Pacific/Apia", date(2011, 12, 27)),  # there was no Friday the 30th
    ("Pacific/Apia", date(2012, 3, 29)),
    ("Pacific/Apia", date(2012, 9, 27)),
    ("America/Havana", date(2026, 3, 5)),  # the clock goes from 00:00 to 01:00, so a day begins at 01:00
    ("America/Havana", date(2026, 10, 29)),
]


def wall_of(site: Site, local: str) -> float:
    assert site.timezone
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(site.timezone)).timestamp()


def hours_of(calendar: Calendar, site: Site, text: Any, first: str, days: int = 2) -> list[str]:
    """When the window begins and ends, by looking at every minute from a local midnight on."""
    start, found, held = wall_of(site, first), list[str](), False
    for wall in np.arange(start, start + days * 86400, MINUTE_S).tolist():
        if (holds := calendar.holds(whens(text), wall)) != held:
            found.append(f"{calendar.local(wall):%a %H:%M}")
            held = holds
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("18:00-07:00", ["Thu 00:00", "Thu 07:00", "Thu 18:00", "Fri 07:00", "Fri 18:00"]),
        ("09:00-17:30", ["Thu 09:00", "Thu 17:30", "Fri 09:00", "Fri 17:30"]),
        ("00:00-24:00", ["Thu 00:00"]),
        ("thu", ["Thu 00:00", "Fri 00:00"]),
        ("fri", ["Fri 00:00"]),
        ("thu 22:00-06:00", ["Thu 22:00", "Fri 06:00"]),
        ("wed 22:00-06:00", ["Thu 00:00", "Thu 06:00"]),
        ("thu 22:00-24:00", ["Thu 22:00", "Fri 00:00"]),
        ("sat-sun", []),
        ("thu 12:00-11:00", ["Thu 12:00", "Fri 11:00"]),
        (
            ["thu 08:00-09:00", "thu 09:00-10:00", "fri 08:00-09:00"],
            ["Thu 08:00", "Thu 10:00", "Fri 08:00", "Fri 09:00"],
        ),
        ("mon-sun", ["Thu 00:00"]),
    ],
)
def test_windows_hold_from_their_begin_to_before_their_end(text: Any, expected: list[str]) -> None:
    assert hours_of(Calendar(BERLIN), BERLIN, text, "2026-11-26T00:00") == expected


def test_no_window_holds_always() -> None:
    calendar = Calendar(BERLIN)

    assert calendar.holds((), 0.0)
    assert calendar.closed((), 0.0) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # in Berlin on 2026-11-26 the sun rises at 07:46 and sets at 16:00
        ("night", ["Thu 00:00", "Thu 07:47", "Thu 16:01", "Fri 07:49", "Fri 16:00"]),
        ("thu night", ["Thu 16:01", "Fri 07:49"]),
        ("wed night", ["Thu 00:00", "Thu 07:47"]),
        ("thu day", ["Thu 07:47", "Thu 16:01"]),
        ("thu dawn", ["Thu 07:08", "Thu 07:47"]),
        ("thu dusk", ["Thu 16:01", "Thu 16:40"]),
        ("thu sunset-23:00", ["Thu 16:01", "Thu 23:00"]),
        ("thu sunset-30m - 01:00", ["Thu 15:31", "Fri 01:00"]),
        ("thu 22:00-sunrise", ["Thu 22:00", "Fri 07:49"]),
        ("thu 06:00-sunrise+1h", ["Thu 06:00", "Thu 08:47"]),
        ("thu sunset-sunrise", ["Thu 16:01", "Fri 07:49"]),
        ("thu sunrise-1h - sunrise", ["Thu 06:47", "Thu 07:47"]),
        ("thu 19:00-sunset", []),  # an evening of summer, and not the next day's
        ("thu sunrise-06:00", []),
    ],
)
def test_windows_by_the_sun(text: str, expected: list[str]) -> None:
    assert hours_of(Calendar(BERLIN), BERLIN, text, "2026-11-26T00:00") == expected


@pytest.mark.parametrize(
    ("day", "text", "expected"),
    [
        ("2026-03-29T00:00", "sun 01:30-02:30", ["Sun 01:30", "Sun 03:00"]),  # 02:30 is skipped: the moment of the skip
        ("2026-03-29T00:00", "sun 02:10-02:50", []),
        ("2026-03-29T00:00", "sun 02:30-04:00", ["Sun 03:00", "Sun 04:00"]),
        ("2026-10-25T00:00", "sun 01:30-02:30", ["Sun 01:30", "Sun 02:30"]),
        ("2026-10-25T00:00", "sun 02:30-04:00", ["Sun 02:30", "Sun 04:00"]),
    ],
)
def test_windows_at_a_change_of_the_clock(day: str, text: str, expected: list[str]) -> None:
    assert hours_of(Calendar(BERLIN), BERLIN, text, day) == expected


def test_a_window_is_never_torn_in_two_by_an_hour_that_comes_twice() -> None:
    """It ends when the clock last shows its end: else an alarm would go off at 02:30 and on again at 02:00."""
    calendar = Calendar(BERLIN)
    spell = calendar.spell(whens("01:30-02:30"), wall_of(BERLIN, "2026-10-25T01:45"))

    assert (spell.end - spell.start) / 3600 == 2


def test_a_day_ends_when_it_is_over_also_where_the_next_one_begins_twice() -> None:
    """In Cuba the hour after midnight is the one that comes twice."""
    havana = Site(timezone="America/Havana")

    assert hours_of(Calendar(havana), havana, "sat", "2026-10-31T00:00") == ["Sat 00:00", "Sun 00:00"]
    assert Calendar(havana).spell(whens("sat"), wall_of(havana, "2026-10-31T12:00")).end == wall_of(
        havana, "2026-11-01T00:00"
    )


@cache
def readings(zone: str, first: date) -> tuple[int, NDArray[np.int64]]:
    """The minute since 1970 at which the days begin, and what the clock shows in that minute and each after it, for
    eleven days, as minutes since 1970 of a clock without a zone."""
    start = int(datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(zone)).timestamp()) // 60 - 2 * 1440
    epoch = datetime(1970, 1, 1)
    shown = [
        (datetime.fromtimestamp(minute * 60, ZoneInfo(zone)).replace(tzinfo=None) - epoch) // timedelta(minutes=1)
        for minute in range(start, start + 11 * 1440)
    ]
    return start, np.array(shown)


def held_slowly(when: When, zone: str, first: date) -> NDArray[np.bool_]:
    """For each minute of `readings`: from the first to the last at which the clock shows a time of the window."""
    _, shown = readings(zone, first)
    held = np.zeros(len(shown), bool)
    begin, end = (edge.minutes for edge in when.hours or (Edge(0), Edge(LATEST)))
    length = end - begin if end > begin else end - begin + LATEST
    for day in (first + timedelta(days) for days in range(-4, 12)):
        opens = (day - date(1970, 1, 1)).days * LATEST + begin
        inside = np.flatnonzero((shown >= opens) & (shown < opens + length))
        if len(inside) and day.weekday() in when.days and (shown // LATEST == opens // LATEST).any():
            held[inside[0] : inside[-1] + 1] = True
    return held


minutes = st.one_of(st.integers(0, LATEST - 1), st.integers(0, 4 * 60), st.sampled_from([0, 60, 90, 120, 150, 180]))
clock_hours = st.tuples(minutes, st.one_of(minutes, st.just(LATEST))).filter(lambda pair: pair[0] != pair[1])
by_clock = st.builds(
    When,
    st.frozensets(st.integers(0, 6), min_size=1),
    st.one_of(st.none(), clock_hours.map(lambda pair: (Edge(pair[0]), Edge(pair[1])))),
)


@settings(deadline=None)
@given(when=by_clock, week=st.sampled_from(WEEKS))
def test_windows_agree_with_a_look_at_the_clock_in_every_minute(when: When, week: tuple[str, date]) -> None:
    zone, first = week
    start, _ = readings(zone, first)
    calendar = Calendar(Site(timezone=zone))

    ours = [calendar.holds((when,), (start + minute) * 60.0) for minute in range(2 * 1440, 9 * 1440)]

    assert ours == held_slowly(when, zone, first)[2 * 1440 : 9 * 1440].tolist()


some_time = st.floats(datetime(2020, 1, 1).timestamp(), datetime(2040, 1, 1).timestamp())
somewhere = st.builds(
    Site,
    latitude=st.floats(-89, 89),
    longitude=st.floats(-180, 180),
    timezone=st.sampled_from([None, *sorted({zone for zone, _ in WEEKS})]),
)


@settings(deadline=None, max_examples=50)
@given(site=somewhere, wall=some_time)
def test_night_is_exactly_not_day(site: Site, wall: float) -> None:
    """Everywhere, also with a zone that does not fit the longitude."""
    calendar = Calendar(site)
    assert site.latitude is not None
    assert site.longitude is not None

    night = calendar.holds(NIGHT, wall)

    assert calendar.holds(DAY, wall) is not night
    assert calendar.holds(whens(["day", "night"]), wall)
    height = altitude(site.latitude, site.longitude, wall)
    assert night == (height < HORIZON) or abs(height - HORIZON) < 0.005


@settings(deadline=None, max_examples=30)
@given(site=somewhere, wall=some_time)
def test_a_spell_is_the_whole_time_in_which_nothing_changes(site: Site, wall: float) -> None:
    calendar = Calendar(site)
    spell = calendar.spell(NIGHT, wall)

    assert spell.start <= wall < spell.end
    for change, inside in ((spell.start, 1), (spell.end, -1)):
        if abs(change) < inf:
            assert Calendar(site).holds(NIGHT, change + inside * 0.01) == spell.holds
            assert Calendar(site).holds(NIGHT, change - inside * 0.01) != spell.holds


@settings(deadline=None, max_examples=15)
@given(
    moments=st.lists(st.floats(0, 20 * 86400), min_size=2, max_size=20),
    text=st.sampled_from(["night", "mon-fri 18:00-07:00"]),
)
def test_what_was_asked_before_changes_no_answer(moments: list[float], text: str) -> None:
    """The clock may be set to and fro between two questions."""
    start, calendar = wall_of(BERLIN, "2026-03-20T00:00"), Calendar(BERLIN)

    for moment in moments:
        assert calendar.spell(whens(text), start + moment) == Calendar(BERLIN).spell(whens(text), start + moment)


def test_a_sunset_after_midnight_belongs_to_the_evening_before() -> None:
    calendar = Calendar(CIRCLE)
    sun = calendar.sun(date(2026, 6, 5))  # Friday

    assert sun.sunset is not None
    assert f"{sun.sunset:%a %H}" == "Sat 00"
    assert calendar.holds(whens("fri night"), sun.sunset.timestamp() + 60)
    assert not calendar.holds(whens("sat night"), sun.sunset.timestamp() + 60)
    assert calendar.holds(whens("fri day"), sun.sunset.timestamp() - 60)


def test_where_the_sun_does_not_set_there_is_no_night() -> None:
    calendar, midsummer = Calendar(TROMSO), "2026-06-20T00:00"

    assert hours_of(calendar, TROMSO, "night", midsummer, days=3) == []
    assert hours_of(calendar, TROMSO, "dusk", midsummer, days=3) == []
    assert hours_of(calendar, TROMSO, "sunset-23:00", midsummer, days=3) == []
    assert calendar.sun(date(2026, 6, 21)).polar == "day"
    assert calendar.sun(date(2026, 6, 21)).sunset is None


def test_where_the_sun_does_not_rise_night_begins_at_noon_and_lasts_until_noon() -> None:
    calendar, midwinter = Calendar(TROMSO), "2026-12-20T00:00"

    assert hours_of(calendar, TROMSO, "night", midwinter, days=3) == ["Sun 00:00"]
    assert hours_of(calendar, TROMSO, "mon night", midwinter, days=3) == ["Mon 11:43", "Tue 11:43"]
    assert hours_of(calendar, TROMSO, "mon dusk", midwinter, days=3) == ["Mon 11:43", "Mon 13:54"]
    assert calendar.sun(date(2026, 12, 21)).polar == "night"
    assert calendar.sun(date(2026, 12, 21)).sunrise is None


def test_a_zone_that_does_not_fit_the_longitude_leaves_no_time_out() -> None:
    """Somebody forgot the minus sign: the sun's noon is at local midnight, and moves to another date in summer."""
    wrong = Calendar(Site(latitude=0.0, longitude=15.0, timezone="Pacific/Apia"))
    start = datetime(2021, 4, 1, tzinfo=ZoneInfo("Pacific/Apia")).timestamp()

    for hour in range(10 * 24):
        assert wrong.holds(DAY, start + hour * 3600) is not wrong.holds(NIGHT, start + hour * 3600)


def test_a_friday_that_never_was_has_no_night() -> None:
    """Samoa moved over the date line, and left out 2011-12-30."""
    apia = Site(latitude=-13.8, longitude=-171.8, timezone="Pacific/Apia")
    nights = hours_of(Calendar(apia), apia, "night", "2011-12-29T12:00", days=2)

    assert [night[:6] for night in nights] == ["Thu 19", "Sat 07", "Sat 19", "Sun 07"]
    assert hours_of(Calendar(apia), apia, "fri night", "2011-12-29T12:00", days=2) == []


@pytest.mark.parametrize(
    ("text", "now", "says"),
    [
        ("mon-fri 18:00-07:00", "2026-11-24T14:02", "it is Tue 14:02: only mon-fri 18:00-07:00"),
        (
            ["mon-fri 18:00-07:00", "sat-sun"],
            "2026-11-24T14:02",
            "it is Tue 14:02: only mon-fri 18:00-07:00 or sat-sun",
        ),
        ("night", "2026-11-24T14:02", "it is day until 16:02: only at night"),
        ("day", "2026-11-24T05:02", "it is night until 07:43: only by day"),
        ("day", "2026-11-24T20:02", "it is night until Wed 07:45: only by day"),
        ("dusk", "2026-11-24T14:02", "it is Tue 14:02: only at dusk (next at 16:02)"),
        ("fri night", "2026-11-24T14:02", "it is Tue 14:02: only fri at night (next at Fri 15:59)"),
        ("sunset-23:00", "2026-11-24T23:02", "it is Tue 23:02: only sunset-23:00 (next at Wed 16:01)"),
        ("night", "2026-11-24T20:02", ""),
    ],
)
def test_a_closed_window_says_why(text: Any, now: str, says: str) -> None:
    assert Calendar(BERLIN).closed(whens(text), wall_of(BERLIN, now)) == says


@pytest.mark.parametrize(
    ("text", "now", "says"),
    [
        ("night", "2026-06-21T14:02", "the sun does not set these days: only at night"),
        ("day", "2026-12-21T14:02", "the sun does not rise these days: only by day"),
        ("night", "2026-07-24T14:02", "it is day until Sun 00:37: only at night"),
        ("dawn", "2026-06-21T14:02", "it is Sun 14:02: only at dawn (not within 8 days)"),
    ],
)
def test_a_window_of_the_sun_says_why_it_is_closed_where_the_sun_stays(text: str, now: str, says: str) -> None:
    assert Calendar(TROMSO).closed(whens(text), wall_of(TROMSO, now)) == says


def test_without_a_place_windows_of_the_sun_do_not_hold() -> None:
    """The configuration refuses them; a calendar that is asked nevertheless has no answer, and no crash."""
    nowhere, now = Calendar(Site(timezone="Europe/Berlin")), wall_of(BERLIN, "2026-11-24T23:00")

    for text in ("night", "day", "dawn", "dusk", "sunset-23:00", "22:00-sunrise"):
        assert not nowhere.holds(whens(text), now)
    assert "latitude" in nowhere.closed(NIGHT, now)
    assert nowhere.holds(whens(["night", "22:00-24:00"]), now)
    assert nowhere.sun(date(2026, 11, 24)).sunset is None


def test_the_local_day_is_that_of_the_site() -> None:
    calendar, just_before = Calendar(BERLIN), wall_of(BERLIN, "2026-11-24T23:59:59")

    assert calendar.day(just_before) == "2026-11-24"
    assert calendar.day(just_before + 1) == "2026-11-25"
    assert calendar.local(just_before).isoformat() == "2026-11-24T23:59:59+01:00"


def test_without_a_zone_it_is_the_machines() -> None:
    calendar, now = Calendar(Site()), datetime.now().astimezone()
    hour = f"{now.hour:02d}:00-{now.hour + 1:02d}:00"

    assert calendar.local(now.timestamp()) == now
    assert calendar.local(now.timestamp()).utcoffset() == now.utcoffset()
    assert calendar.holds(whens(hour), now.timestamp())


@pytest.mark.parametrize(
    ("since", "until", "due"),
    [
        ("2026-11-24T11:59:59", "2026-11-24T12:00:00", "12:00"),
        ("2026-11-24T11:59:59", "2026-11-24T12:00:01", "12:00"),
        ("2026-11-24T12:00:00", "2026-11-24T12:00:01", None),
        ("2026-11-24T11:59:58", "2026-11-24T11:59:59", None),
        ("2026-11-24T11:30:00", "2026-11-24T12:20:00", "12:00"),
        ("2026-11-24T11:30:00", "2026-11-24T12:30:00", "12:30"),  # the later of two
        ("2026-11-24T10:30:00", "2026-11-24T12:10:00", None),  # the clock was set
        ("2026-11-24T12:00:01", "2026-11-24T11:59:00", None),
        ("2026-11-24T23:59:59", "2026-11-25T00:00:00", "00:00"),
        ("2026-03-29T01:59:59", "2026-03-29T03:00:00", "02:30"),  # a minute that the clock skips
        ("2026-03-29T03:29:59", "2026-03-29T03:30:01", None),
    ],
)
def test_a_daily_time_is_due_once(since: str, until: str, due: str | None) -> None:
    times = tuple(minutes_of(each) for each in ("00:00", "02:30", "12:00", "12:30"))

    found = Calendar(BERLIN).due(times, wall_of(BERLIN, since), wall_of(BERLIN, until))

    assert found == (minutes_of(due) if due else None)


@settings(deadline=None)
@given(
    week=st.sampled_from(WEEKS),
    minute=minutes,
    steps_s=st.lists(st.floats(300, 3600), min_size=1, max_size=9),
)
def test_every_day_has_each_daily_time_once(week: tuple[str, date], minute: int, steps_s: list[float]) -> None:
    """However far apart the scenes are, and whatever the clock does: when it first shows that time or a later one."""
    start, shown = readings(*week)
    calendar = Calendar(Site(timezone=week[0]))
    moments = [
        (start + int(np.argmax(shown >= day * LATEST + minute))) * 60.0
        for day in np.unique(shown // LATEST)[1:-1].tolist()
    ]

    wall, number = start * 60.0 + 86400, 0
    while wall < (start + 9 * 1440) * 60:
        later = wall + steps_s[number % len(steps_s)]
        is_due = any(wall < moment <= later for moment in moments)
        assert calendar.due((minute,), wall, later) == (minute if is_due else None)
        wall, number = later, number + 1


def test_the_words_of_days_and_the_calendar_agree() -> None:
    monday = wall_of(BERLIN, "2026-11-23T12:00")
    for number, name in enumerate(DAYS):
        assert [day for day in range(7) if Calendar(BERLIN).holds(whens(name), monday + day * 86400)] == [number]
    assert Calendar(BERLIN).holds((When(EVERY_DAY),), monday)
