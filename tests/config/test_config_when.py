"""Times as people write them, and the sentence for each that is none."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcam.config.when import EVERY_DAY, LATEST, NOON, PHASES, Edge, Sun, When, minutes_of, times, whens

HOW = 'write "night", "18:00-07:00", "mon-fri 18:00-07:00", "sat-sun" or "sunset-23:00"'


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("night", "night"),
        ("Night", "night"),
        ("nights", "night"),
        ("at night", "night"),
        ("by day", "day"),
        ("during the day", "day"),
        ("daytime", "day"),
        ("at dawn", "dawn"),
        ("dusk", "dusk"),
        ("22:00-06:00", "22:00-06:00"),
        ("22:00 - 06:00", "22:00-06:00"),
        ("  7:05  -9:00 ", "07:05-09:00"),
        ("22:00\N{EN DASH}06:00", "22:00-06:00"),
        ("22:00 to 06:00", "22:00-06:00"),
        ("from 22:00 until 06:00", "22:00-06:00"),
        ("00:00-24:00", "00:00-24:00"),
        ("noon-midnight", "12:00-00:00"),
        ("mon", "mon"),
        ("Monday", "mon"),
        ("mondays", "mon"),
        ("Mon-Fri", "mon-fri"),
        ("mon to fri", "mon-fri"),
        ("Mon \N{EN DASH} Fri", "mon-fri"),
        ("sat,sun", "sat-sun"),
        ("sat and sun", "sat-sun"),
        ("mon, wed and fri", "mon,wed,fri"),
        ("fri-mon", "mon,fri-sun"),
        ("thurs", "thu"),
        ("weekdays", "mon-fri"),
        ("weekend", "sat-sun"),
        ("on weekends", "sat-sun"),
        ("always", "mon-sun"),
        ("every day", "mon-sun"),
        ("daily 08:00-09:00", "08:00-09:00"),
        ("mon-fri 18:00-07:00", "mon-fri 18:00-07:00"),
        ("mon-fri, 18:00-07:00", "mon-fri 18:00-07:00"),
        ("mon-fri: 18:00-07:00", "mon-fri 18:00-07:00"),
        ("18:00-07:00 mon-fri", "mon-fri 18:00-07:00"),
        ("mon to fri from 18:00 to 07:00", "mon-fri 18:00-07:00"),
        ("on fridays from 18:00 till midnight", "fri 18:00-00:00"),
        ("fri night", "fri night"),
        ("sunday-thursday night", "mon-thu,sun night"),
        ("sun 08:00-12:00", "sun 08:00-12:00"),
        ("sunset-23:00", "sunset-23:00"),
        ("sunset-sunrise", "sunset-sunrise"),
        ("sunset - 30m - 23:00", "sunset-30m-23:00"),
        ("sunset - 30 min - 23:00", "sunset-30m-23:00"),
        ("sunset+1h30m - sunrise - 1h", "sunset+90m-sunrise-60m"),
        ("30 minutes after sunset until 1 hour before sunrise", "sunset+30m-sunrise-60m"),
        ("sunset+0m-23:00", "sunset-23:00"),
        ("sun sunset-23:00", "sun sunset-23:00"),
    ],
)
def test_what_is_clear_is_understood(written: str, plain: str) -> None:
    assert str(When.read(written)) == plain


MEANT = 'is no time (did you mean "{}"?): ' + HOW
NO_END = 'is no time without a begin and an end (did you mean something like "{}"?): ' + HOW


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("", f'"" is no time: {HOW}'),
        ("   ", f'"   " is no time: {HOW}'),
        ("nigth", MEANT.format("night")),
        ("nite", MEANT.format("night")),
        ("dark", f'"dark" is no time: {HOW}'),
        ("never", f'"never" is no time: {HOW}'),
        ("weekens 18:00-07:00", f'"weekens 18:00-07:00" is no time: {HOW}'),
        ("6pm-7am", MEANT.format("18:00-07:00")),
        ("6 pm - 7 am", MEANT.format("18:00-07:00")),
        ("12am-12pm", MEANT.format("00:00-12:00")),
        ("18-7", MEANT.format("18:00-07:00")),
        ("18.00-07.00", MEANT.format("18:00-07:00")),
        ("18h-7h30", MEANT.format("18:00-07:30")),
        ("1800-0700", MEANT.format("18:00-07:00")),
        ("dusk-dawn", MEANT.format("night")),
        ("dusk to dawn", MEANT.format("night")),
        ("dawn-dusk", MEANT.format("day")),
        ("after sunset", NO_END.format("sunset-23:00")),
        ("before sunrise", NO_END.format("00:00-sunrise")),
        ("sunset", NO_END.format("sunset-23:00")),
        ("sunset-30m", NO_END.format("sunset-23:00")),
        ("sunrise-", NO_END.format("sunrise-23:00")),
        (
            "18:00",
            'is no time, but a moment: write `at = "18:00"` for a rule by the clock, or a begin and an end: ' + HOW,
        ),
        ("mon 18:00", "is no time, but a moment"),
        ("18:00-", "is no time"),
        ("-07:00", "is no time"),
        ("18:00-07:00-08:00", "is no time"),
        ("18:00-07:0", "is no time"),
        ("18:00:00-07:00:00", "is no time"),
        ("25:00-07:00", '"25:00" is no time of day: the last one is "23:59"'),
        ("22:60-23:00", '"22:60" is no time of day: the last one is "23:59"'),
        ("22:00-24:01", '"24:01" is no time of day: the last one is "23:59"'),
        ("18:00-18:00", '"18:00-18:00" begins when it ends: leave the hours out for a whole day'),
        ("sunset-sunset", "begins when it ends"),
        ("24:00-06:00", '"24:00-06:00" begins at the end of a day: write "00:00-06:00", and the day after'),
        ("sunset+13h-23:00", '"sunset+13h" is more than half a day from sunset: write a time of day instead'),
        ("mon-fru", '"mon-fru": no day "fru" (did you mean "fri"?); write mon, tue … sun'),
        ("Montag", '"Montag": no day "montag" (did you mean "monday"?); write mon, tue … sun'),
        ("mon-", "is no time"),
        ("mo-fr", "is no time"),
        ("mon tue", "is no time"),
        ("night, sat-sun", f'is no time; several are a list, ["night", "sat-sun"]: {HOW}'),
        ("07:00-08:00, 19:00-20:00", "several are a list"),
        ("night mon night", "is no time"),
        ("2026-12-24", "is no time"),
        ("x" * 500, 'xx…" is no time'),
        (True, f"true is no time: {HOW}, in quotes"),
        (22, "22 is no time"),
        (None, "None is no time"),
        (time(22, 0), f"22:00:00 is no time: {HOW}, in quotes"),
        (date(2026, 12, 24), "2026-12-24 is no time"),
        ({"from": "22:00"}, "a table is no time"),
        ([], f"an empty list is never: leave it out, or {HOW}"),
        (["night", "nigth"], MEANT.format("night")),
        (["night", []], "a list is no time"),
    ],
)
def test_what_is_no_time_is_refused_with_the_right_form(written: Any, says: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 (the sentence is the matter, and it is compared below)
        whens(written)

    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("written", "minutes"),
    [
        ("12:00", (720,)),
        (" 7:05 ", (425,)),
        ("noon", (720,)),
        ("midnight", (0,)),
        ("24:00", (0,)),
        (["19:00", "07:00", "19:00"], (420, 1140)),
    ],
)
def test_daily_times(written: Any, minutes: tuple[int, ...]) -> None:
    assert times(written) == minutes


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("25:00", '"25:00" is no time of day: the last one is "23:59"'),
        ("12:60", '"12:60" is no time of day: the last one is "23:59"'),
        ("24:01", "the last one is"),
        ("6pm", '"6pm" is no time of day (did you mean "18:00"?): write hours and minutes in quotes, like "12:00"'),
        ("6:30 PM", '(did you mean "18:30"?)'),
        ("1200", '(did you mean "12:00"?)'),
        ("12", '(did you mean "12:00"?)'),
        ("12.30", '(did you mean "12:30"?)'),
        ("12:00:00", '"12:00:00" is no time of day: write hours and minutes in quotes, like "12:00"'),
        ("-1:00", "is no time of day"),
        ("7:5", "is no time of day"),
        ("", "is no time of day"),
        ("sunset", "is no time of day"),
        (12, "12 is no time of day: write hours and minutes in quotes"),
        (True, "true is no time of day"),
        (time(12, 0), "12:00:00 is no time of day: write hours and minutes in quotes"),
        ([], 'an empty list is never: write a time of day, like "12:00"'),
        ([["12:00"]], "a list is no time of day"),
    ],
)
def test_what_is_no_daily_time_is_refused_with_the_right_form(written: Any, says: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 (the sentence is the matter, and it is compared below)
        times(written)

    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("written", "ends_next_day"),
    [
        ("18:00-07:00", True),
        ("07:00-18:00", False),
        ("18:00-24:00", False),
        ("18:00-00:00", True),
        ("night", True),
        ("day", False),
        ("mon", False),
        ("sunset-sunrise", True),
        ("sunrise-sunset", False),
        ("sunset-23:00", False),
        ("sunset-24:00", False),
        ("sunset-02:00", True),
        ("sunset-12:00", True),
        ("sunrise-05:00", False),
        ("sunrise-22:00", False),
        ("03:00-sunrise", False),
        ("22:00-sunrise", True),
        ("12:00-sunrise", True),
        ("19:00-sunset", False),
        ("03:00-sunset", False),
        ("sunset-1h - sunset+1h", False),
        ("sunset+1h - sunset-1h", True),
        ("sunrise-1h - sunrise", False),
    ],
)
def test_which_hours_go_over_midnight_is_plain_from_their_words(written: str, ends_next_day: bool) -> None:
    """Not from the season: a window that holds for 23 hours from some day in May on would be a nasty surprise."""
    assert When.read(written).ends_next_day is ends_next_day


@pytest.mark.parametrize(
    ("written", "needs_sun"),
    [
        ("night", True),
        ("mon dusk", True),
        ("sunset-23:00", True),
        ("22:00-sunrise", True),
        ("22:00-23:00", False),
        ("mon", False),
    ],
)
def test_which_windows_need_the_sun(written: str, needs_sun: bool) -> None:
    assert When.read(written).needs_sun is needs_sun


suns: st.SearchStrategy[Sun] = st.sampled_from(("sunrise", "sunset"))
edges = st.one_of(st.builds(Edge, st.integers(0, LATEST)), st.builds(Edge, st.integers(-NOON, NOON), suns))
hours = st.tuples(edges, edges).filter(lambda pair: pair[0] not in (pair[1], Edge(LATEST)))
days = st.frozensets(st.integers(0, 6), min_size=1)
windows = st.one_of(
    st.builds(When, days),
    st.builds(When, days, hours),
    st.builds(When, days, st.none(), st.sampled_from(PHASES)),
)


@given(windows)
def test_every_window_reads_as_it_is_told(when: When) -> None:
    assert When.read(str(when)) == when


words = st.sampled_from(
    [*"-,:+", "mon", "sunset", "night", "18:00", "24:00", "30m", "1h", "to", "weekends", "at", "6pm"]
)


@given(st.one_of(st.text(), st.lists(words).map("".join), st.lists(words).map(" ".join)))
def test_any_text_is_understood_or_refused_with_a_sentence(text: str) -> None:
    """And what is understood is told so that it is understood again."""
    understood = read_or_refused(text)

    if isinstance(understood, str):
        assert any(remedy in understood for remedy in ("write", "leave", "the last one is"))
    else:
        assert When.read(str(understood)) == understood
        assert understood.days <= EVERY_DAY


def read_or_refused(text: str) -> When | str:
    try:
        return When.read(text)
    except ValueError as refusal:
        return str(refusal)


@given(st.integers(0, LATEST))
def test_every_minute_of_a_day_is_read(minute: int) -> None:
    assert minutes_of(str(Edge(minute))) == minute
