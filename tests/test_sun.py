"""The sun against published almanacs, to two minutes. None of the figures comes from the library that computes ours.

- USNO: "Sun and Moon Data for One Day" of the US Naval Observatory. Tromsø (69.5 N, 19.0 E, as the service printed
  it), 2014, quoted at answers.com, "How many hour of daylight in north Norway in April"; Atlanta (33.8 N, 84.4 W),
  2009-09-06, quoted in PyEphem's guide, rhodesmill.org/pyephem/rise-set.html; Barrow, Alaska (71°17' N, 156°47' W),
  in Anchorage Daily News, "The sun returns to Barrow" (2013), and Eye on the Arctic, "Sun returns to Arctic Alaska"
  (2012-01-24).
- KNMI: the Dutch weather service's table for 52°00' N, 5°00' E, 2023, quoted by libelle.nl, "Vanaf wanneer is het
  weer licht buiten".
- AstronomyAnswers: L. Strous, "The Position of the Sun: Tables", times of sunrise on 2002-01-01 by latitude, in local
  mean time, aa.quae.nl/en/antwoorden/zonpositie-tabel.html.
- NUS: H. Aslaksen, "Which Day Does the Sun Rise Earliest in Singapore?", math.nus.edu.sg/aslaksen/calendar/sunrise.html
  (of no certain year: these dates move by a few seconds).
- WeatherWatch: New Zealand's times by timeanddate.com of 2017-12-22 (voxy.co.nz, 2017-12-09) and of 2015
  (weatherwatch.co.nz, 2015-08-01), for the middles of towns.
- SNL: Store norske leksikon, "midnattssol" and "mørketid": the days on which the sun does not set or rise.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcam.sun import HORIZON, TWILIGHT, SunDay, altitude, day_number, sun_day

TWO_MINUTES_S = 120.0
LOCAL_MEAN_TIME = timezone.utc  # noqa: UP017 (at the meridian of Greenwich the one is the other, and a zone has a name)
NORWAY = timezone(timedelta(hours=1))
"""The service was asked for UTC+1, without daylight saving."""
ALASKA = ZoneInfo("America/Anchorage")
AUCKLAND = ZoneInfo("Pacific/Auckland")

TROMSO = (69.5, 19.0, NORWAY)
BARROW = (71 + 17 / 60, -(156 + 47 / 60), ALASKA)
MIDDLE_OF_HOLLAND = (52.0, 5.0, ZoneInfo("Europe/Amsterdam"))
SINGAPORE = (1 + 17 / 60, 103 + 51 / 60, ZoneInfo("Asia/Singapore"))
ATLANTA = (33.8, -84.4, ZoneInfo("America/New_York"))
AUCKLAND_CITY = (-36.85, 174.76, AUCKLAND)
WELLINGTON = (-41.29, 174.78, AUCKLAND)
DUNEDIN = (-45.87, 170.50, AUCKLAND)
INVERCARGILL = (-46.41, 168.35, AUCKLAND)

PUBLISHED = [
    # AstronomyAnswers: the equator, and southern places by their latitude alone
    (0.0, 0.0, LOCAL_MEAN_TIME, "2002-01-01", "sunrise", "06:00"),
    (10.0, 0.0, LOCAL_MEAN_TIME, "2002-01-01", "sunrise", "06:17"),
    (-52.0, 0.0, LOCAL_MEAN_TIME, "2002-01-01", "sunrise", "03:44"),
    (-60.0, 0.0, LOCAL_MEAN_TIME, "2002-01-01", "sunrise", "02:43"),
    (-64.0, 0.0, LOCAL_MEAN_TIME, "2002-01-01", "sunrise", "01:43"),
    # NUS: one degree from the equator
    (*SINGAPORE, "2003-11-01", "sunrise", "06:46"),
    (*SINGAPORE, "2003-02-09", "sunrise", "07:17"),
    (*SINGAPORE, "2003-11-05", "sunset", "18:50"),
    (*SINGAPORE, "2003-02-13", "sunset", "19:21"),
    # KNMI: 52 N, before and after the change to daylight saving time
    (*MIDDLE_OF_HOLLAND, "2023-02-04", "sunrise", "08:16"),
    (*MIDDLE_OF_HOLLAND, "2023-02-18", "sunrise", "07:50"),
    (*MIDDLE_OF_HOLLAND, "2023-03-11", "sunrise", "07:04"),
    (*MIDDLE_OF_HOLLAND, "2023-03-25", "sunrise", "06:32"),
    (*MIDDLE_OF_HOLLAND, "2023-04-01", "sunrise", "07:16"),
    (*MIDDLE_OF_HOLLAND, "2023-05-13", "sunrise", "05:50"),
    # USNO: the middle latitudes, with the civil twilight
    (*ATLANTA, "2009-09-06", "dawn", "06:50"),
    (*ATLANTA, "2009-09-06", "sunrise", "07:15"),
    (*ATLANTA, "2009-09-06", "noon", "13:36"),
    (*ATLANTA, "2009-09-06", "sunset", "19:56"),
    (*ATLANTA, "2009-09-06", "dusk", "20:21"),
    # USNO: 69.5 N, up to the last sunrise before the midnight sun, and the first sunset after it
    (*TROMSO, "2014-04-01", "dawn", "03:46"),
    (*TROMSO, "2014-04-01", "sunrise", "04:50"),
    (*TROMSO, "2014-04-01", "noon", "11:48"),
    (*TROMSO, "2014-04-01", "sunset", "18:49"),
    (*TROMSO, "2014-04-01", "dusk", "19:53"),
    (*TROMSO, "2014-04-30", "sunrise", "02:29"),
    (*TROMSO, "2014-04-30", "noon", "11:41"),
    (*TROMSO, "2014-04-30", "sunset", "20:58"),
    (*TROMSO, "2014-05-17", "sunrise", "00:29"),
    (*TROMSO, "2014-05-17", "sunset", "23:06"),
    (*TROMSO, "2014-05-18", "sunrise", "00:13"),
    (*TROMSO, "2014-07-25", "sunset", "23:20"),
    # USNO: 71 N, about the polar night
    (*BARROW, "2012-11-18", "sunset", "13:31"),
    (*BARROW, "2013-01-22", "sunrise", "13:17"),
    (*BARROW, "2013-01-22", "sunset", "14:01"),
    (*BARROW, "2013-01-23", "sunrise", "12:56"),
    (*BARROW, "2013-01-23", "sunset", "14:24"),
    (*BARROW, "2012-01-23", "sunrise", "13:11"),
    (*BARROW, "2012-01-24", "sunset", "14:27"),
    # WeatherWatch: the south, east of 170 E
    (*AUCKLAND_CITY, "2017-12-22", "sunrise", "05:58"),
    (*AUCKLAND_CITY, "2017-12-22", "sunset", "20:40"),
    (*AUCKLAND_CITY, "2015-06-22", "sunrise", "07:34"),
    (*AUCKLAND_CITY, "2015-06-22", "sunset", "17:11"),
    (*WELLINGTON, "2017-12-22", "sunrise", "05:44"),
    (*WELLINGTON, "2017-12-22", "sunset", "20:54"),
    (*WELLINGTON, "2015-06-22", "sunrise", "07:47"),
    (*WELLINGTON, "2015-08-01", "sunset", "17:25"),
    (*DUNEDIN, "2015-06-22", "sunrise", "08:20"),
    (*DUNEDIN, "2015-08-01", "sunset", "17:31"),
    (*INVERCARGILL, "2017-12-22", "sunrise", "05:50"),
    (*INVERCARGILL, "2017-12-22", "sunset", "21:39"),
]


def sun_on(latitude: float, longitude: float, zone: tzinfo, day: str) -> SunDay:
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=zone).timestamp()
    return sun_day(latitude, longitude, day_number(longitude, noon))


@pytest.mark.parametrize(("latitude", "longitude", "zone", "day", "event", "published"), PUBLISHED)
def test_the_sun_keeps_to_published_almanacs(
    latitude: float, longitude: float, zone: tzinfo, day: str, event: str, published: str
) -> None:
    ours = getattr(sun_on(latitude, longitude, zone, day), event)

    theirs = datetime.fromisoformat(f"{day}T{published}").replace(tzinfo=zone).timestamp()
    assert ours == pytest.approx(theirs, abs=TWO_MINUTES_S)


def test_a_sunset_after_midnight_belongs_to_the_evening_before() -> None:
    """USNO, Barrow 2012: the first sunset after the midnight sun is on August 1 at 1:20 of standard time, and the sun
    is gone for 28 minutes. A sun that grazes so is good for three minutes: they are a hundredth of a degree."""
    evening, morning = sun_on(*BARROW, "2012-07-31"), sun_on(*BARROW, "2012-08-01")

    assert evening.sunset is not None
    assert morning.sunrise is not None
    sunset = datetime(2012, 8, 1, 2, 20, tzinfo=ALASKA).timestamp()
    assert evening.sunset == pytest.approx(sunset, abs=180)
    assert morning.sunrise == pytest.approx(sunset + 28 * 60, abs=180)


@pytest.mark.parametrize(
    ("place", "day", "polar"),
    [
        (TROMSO, "2014-05-17", ""),
        (TROMSO, "2014-05-18", ""),  # USNO: "rises at 0013, and sets again 69 days later"
        (TROMSO, "2014-05-19", "day"),
        (TROMSO, "2014-06-21", "day"),
        (TROMSO, "2014-07-24", "day"),
        (TROMSO, "2014-07-25", ""),
        (BARROW, "2013-05-11", "day"),  # USNO: "starting May 11, a permanent fixture"
        (BARROW, "2012-11-18", ""),
        (BARROW, "2012-11-19", "night"),
        (BARROW, "2012-12-21", "night"),
        (BARROW, "2013-01-21", "night"),
        (BARROW, "2013-01-22", ""),
        # SNL, whose dates "may vary by a day from year to year"
        ((68.8, 16.5, NORWAY), "2014-05-24", "day"),
        ((68.8, 16.5, NORWAY), "2014-07-19", "day"),
        ((68.8, 16.5, NORWAY), "2014-12-04", "night"),
        ((68.8, 16.5, NORWAY), "2015-01-07", "night"),
        ((69.7, 19.0, NORWAY), "2014-11-25", ""),
        ((69.7, 19.0, NORWAY), "2014-12-21", "night"),
        ((69.7, 19.0, NORWAY), "2015-01-18", ""),
        ((67.3, 14.4, NORWAY), "2014-12-21", ""),  # Bodø: its upper rim is seen on every day, by refraction
    ],
)
def test_polar_days_and_nights_are_told(place: tuple[float, float, tzinfo], day: str, polar: str) -> None:
    assert sun_on(*place, day).polar == polar


def test_a_sun_that_rises_and_does_not_set_stays_until_solar_midnight() -> None:
    sun = sun_on(*TROMSO, "2014-05-18")

    assert sun.sunset is None
    assert sun.light == (sun.sunrise, sun.next_midnight)


def test_a_day_without_the_sun_is_nothing_at_noon_and_may_have_twilight() -> None:
    sun = sun_on(*TROMSO, "2014-12-21")

    assert sun.light == (sun.noon, sun.noon)
    assert sun.twilight == (sun.dawn, sun.dusk)
    assert sun.dawn is not None


@pytest.mark.parametrize(
    ("longitude", "zone"),
    [
        (179.99, "Pacific/Fiji"),
        (-179.99, "Pacific/Fiji"),
        (-157.4, "Pacific/Kiritimati"),  # 14 hours before Greenwich, at a longitude that is 10 behind it
        (-171.8, "Pacific/Apia"),
        (-176.5, "Pacific/Chatham"),
        (-176.6, "America/Adak"),
        (75.0, "Asia/Shanghai"),
    ],
)
def test_the_day_is_that_of_the_clocks_also_at_the_date_line(longitude: float, zone: str) -> None:
    for day in (date(2024, 1, 1) + timedelta(days) for days in range(0, 366, 5)):
        sun = sun_on(10.0, longitude, ZoneInfo(zone), day.isoformat())

        assert datetime.fromtimestamp(sun.noon, ZoneInfo(zone)).date() == day
        assert sun.sunrise is not None
        assert sun.sunset is not None
        assert sun.sunrise < sun.noon < sun.sunset


places = st.tuples(st.floats(-89, 89), st.floats(-180, 180))


@settings(deadline=None)
@given(place=places, number=st.integers(10_000, 30_000))
def test_days_follow_each_other_without_a_gap_and_in_order(place: tuple[float, float], number: int) -> None:
    today, tomorrow = sun_day(*place, number), sun_day(*place, number + 1)

    assert today.next_midnight == tomorrow.midnight
    marks = [today.midnight, today.dawn, today.sunrise, today.noon, today.sunset, today.dusk, today.next_midnight]
    told = [mark for mark in marks if mark is not None]
    assert told == sorted(told)


@settings(deadline=None)
@given(place=places, number=st.integers(10_000, 30_000), share=st.floats(0, 0.9999))
def test_it_is_light_exactly_while_the_sun_is_over_the_horizon(
    place: tuple[float, float], number: int, share: float
) -> None:
    """At every latitude, so also where it does not rise or set."""
    sun = sun_day(*place, number)
    wall = sun.midnight + share * (sun.next_midnight - sun.midnight)

    for (begin, end), degrees in ((sun.light, HORIZON), (sun.twilight, TWILIGHT)):
        height = altitude(*place, wall)
        if abs(height - degrees) > 0.005:  # a second's way, and what a polar noon is lower than the day's highest point
            assert (begin <= wall < end) == (height >= degrees)
