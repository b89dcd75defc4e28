"""Where the sun stands, and when it rises and sets, at a latitude and a longitude in degrees (north and east positive).

A day of the sun lasts from one solar midnight to the next, whatever the clocks show: a sunset at half past midnight
belongs to the evening before. Times are Unix seconds. The positions are those of libastro (the library `ephem`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Polar: TypeAlias = Literal["day", "night", ""]

HORIZON = -50 / 60
"""Altitude of the sun's centre at sunrise and sunset: 16' of radius and 34' of refraction, as in the almanacs of the
US Naval Observatory."""
TWILIGHT = -6.0
"""The same at the begin of civil dawn and the end of civil dusk."""

DAY_S = 86400.0
EPHEM_EPOCH = 25567.5
"""1970 in ephem's days, which count from noon of 1899-12-31."""
PRECISION_S = 0.5
TURNS = 4
"""Corrections that find the sun's place over the meridian to a millisecond: each leaves a 300th of the error."""


@dataclass(frozen=True, slots=True)
class SunDay:
    """One day of the sun, from solar midnight to solar midnight."""

    midnight: float
    dawn: float | None
    """Begin of civil dawn; None where there is none in this morning."""
    sunrise: float | None
    noon: float
    sunset: float | None
    dusk: float | None
    """End of civil dusk."""
    next_midnight: float
    """Exactly the next day's `midnight`."""
    is_up_at_noon: bool
    is_twilight_at_noon: bool
    """Whether it is at least civil twilight then."""

    @property
    def polar(self) -> Polar:
        """ "day" where the sun neither rises nor sets because it is up, "night" where it is down."""
        if self.sunrise is not None or self.sunset is not None:
            return ""
        return "day" if self.is_up_at_noon else "night"

    @property
    def light(self) -> tuple[float, float]:
        """From sunrise to sunset. A sun that stays up does so until solar midnight, and one that stays down has an
        empty day at noon."""
        return self._around_noon(self.sunrise, self.sunset, self.is_up_at_noon)

    @property
    def twilight(self) -> tuple[float, float]:
        """From civil dawn to civil dusk, in the same way."""
        return self._around_noon(self.dawn, self.dusk, self.is_twilight_at_noon)

    def _around_noon(self, begin: float | None, end: float | None, is_bright: bool) -> tuple[float, float]:
        if not is_bright:
            return self.noon, self.noon
        return self.midnight if begin is None else begin, self.next_midnight if end is None else end


def altitude(latitude: float, longitude: float, wall: float) -> float:
    """Degrees of the sun's centre over the horizon, without refraction."""
    import ephem

    observer = _observer(latitude, longitude, wall)
    return math.degrees(ephem.Sun(observer).alt)


def day_number(longitude: float, local_noon: float) -> int:
    """Which day of the sun has its noon nearest to 12:00 on the clocks of the place; the next day's is greater by 1."""
    return round((local_noon - DAY_S / 2) / DAY_S + longitude / 360)


def sun_day(latitude: float, longitude: float, number: int) -> SunDay:
    """The sun on a day, by its `day_number`.

    Within some 20 km of a pole, where the sun's height hardly depends on the hour, the one sunrise and the one sunset
    of a year may be half a day off.
    """
    midnight, noon, next_midnight = (_meridian(longitude, 2 * number + half) for half in range(3))
    at_noon = altitude(latitude, longitude, noon)

    def crossing(degrees: float, end: float) -> float | None:
        is_between = altitude(latitude, longitude, end) < degrees <= at_noon
        return _crossing(latitude, longitude, degrees, end, noon) if is_between else None

    return SunDay(
        midnight=midnight,
        dawn=crossing(TWILIGHT, midnight),
        sunrise=crossing(HORIZON, midnight),
        noon=noon,
        sunset=crossing(HORIZON, next_midnight),
        dusk=crossing(TWILIGHT, next_midnight),
        next_midnight=next_midnight,
        is_up_at_noon=at_noon >= HORIZON,
        is_twilight_at_noon=at_noon >= TWILIGHT,
    )


def _crossing(latitude: float, longitude: float, degrees: float, low: float, high: float) -> float:
    """When the sun passes an altitude, between a time at which it is below and one at which it is not."""
    while abs(high - low) > PRECISION_S:
        middle = (low + high) / 2
        if altitude(latitude, longitude, middle) < degrees:
            low = middle
        else:
            high = middle
    return high


def _meridian(longitude: float, half_day: int) -> float:
    """The solar midnight (even) or noon (odd) of this number since 1970."""
    import ephem

    wall = half_day * DAY_S / 2 - longitude / 360 * DAY_S
    lower = math.pi * (1 - half_day % 2)
    for _ in range(TURNS):
        observer = _observer(0.0, longitude, wall)
        past = observer.sidereal_time() - ephem.Sun(observer).ra - lower
        wall -= math.remainder(past, math.tau) / math.tau * DAY_S
    return wall


def _observer(latitude: float, longitude: float, wall: float) -> Any:
    import ephem

    observer = ephem.Observer()
    observer.lat, observer.lon = math.radians(latitude), math.radians(longitude)
    observer.pressure = 0  # HORIZON has the refraction in it.
    observer.date = wall / DAY_S + EPHEM_EPOCH
    return observer
