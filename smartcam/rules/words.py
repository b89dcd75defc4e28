"""Rules as a person would say them, so that what was written and not meant is seen at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from smartcam.config import Config, Rule
from smartcam.config.files import ANY
from smartcam.config.grammar import ARMING, Count
from smartcam.config.plain import evidence
from smartcam.config.when import DAYS, EVERY_DAY, NAMED_DAYS, Edge, Phase, When

if TYPE_CHECKING:
    from smartcam.rules.calendar import Calendar

PHASES: dict[Phase, str] = {"night": "at night", "day": "by day", "dawn": "at dawn", "dusk": "at dusk"}
TOWARD = {"in": "inwards", "out": "outwards", "either": "either way"}
ONCE = {"day": "once a day", "day per label": "once a day for each label", "visit": "once a visit"}
HOW_MANY = {">=": "{} or more", ">": "more than {}", "<=": "at most {}", "<": "fewer than {}", "==": "exactly {}"}
AT_LEAST_ONE = (">= 1", "> 0")
NONE = ("== 0", "<= 0", "< 1")
DASH = "\N{EN DASH}"
UNITS_S = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
SHORT_S = 120
"""Below it a person counts in seconds."""

MANY_AS_ONE = frozenset(["bison", "boar", "cattle", "deer", "elk", "fish", "moose", "people", "sheep", "swine"])
PLURALS = {"child": "children", "goose": "geese", "man": "men", "mouse": "mice", "ox": "oxen", "person": "people"}
WITHOUT_ARTICLE = frozenset(["cattle", "people", "scissors", "skis", "swine"])
LIKE_YOU = ("eu", "ewe", "one", "uni", "use")
"""How words begin that have a vowel for the eye and none for the ear."""


def describe(name: str, rule: Rule, config: Config) -> str:
    """``yard-intruder: a person in yard on front, at night, unless disarmed → alert, snapshot``."""
    clauses = ", ".join([_what(rule, config), *_narrowed(rule, config), *_allowed(rule), *_rested(rule)])
    switched_off = "" if rule.enabled else " (switched off)"
    message = f', saying "{rule.message}"' if rule.message else ""
    return f"{name}{switched_off}: {clauses} → {', '.join((rule.level, *evidence(rule)))}{message}"


def windows(whens: Iterable[When]) -> str:
    """``Mon-Fri 18:00-07:00 and at weekends``; empty where there are none.

    Windows on the same day are told with "or", because "Mon-Fri and 18:00-07:00" would sound as if both had to hold.
    """
    whens = list(whens)
    days = [day for when in whens for day in when.days]
    return _listed([_window(when) for when in whens], "and" if len(days) == len(set(days)) else "or")


def alarm(config: Config) -> list[str]:
    """One sentence about when it is armed, and one about each mode; none where no rule could tell the difference."""
    rules = config.rule.values()
    if not (config.armed.when or config.mode or any(rule.only or rule.unless for rule in rules)):
        return []
    armed = f"{windows(config.armed.when)}, otherwise disarmed" if config.armed.when else "until somebody disarms"
    first = next(iter(config.mode), None)
    return [
        f"armed {armed}",
        *(
            f"mode {name}{' at first' if name == first else ''}{f', {windows(mode.when)}' if mode.when else ''}"
            for name, mode in config.mode.items()
        ),
    ]


def needs_sun(config: Config) -> bool:
    """Whether anything in it depends on the sun."""
    modes, rules = config.mode.values(), config.rule.values()
    whens = [config.armed.when, *(mode.when for mode in modes), *(rule.when for rule in rules)]
    return any(when.needs_sun for several in whens for when in several)


def sun_today(calendar: Calendar, wall: float) -> str:
    """``today the sun sets at 16:41 and rises tomorrow at 07:45``."""
    today = calendar.local(wall).date()
    sun, next_sun = calendar.sun(today), calendar.sun(today + timedelta(days=1))
    if sun.polar == "night":
        return "today the sun does not rise: it is night all day"
    if sun.polar == "day" or (sun.sunrise and not sun.sunset):
        return "today the sun does not set: there is no night"
    if sun.sunset is None:
        return "nobody knows where the sun is: give latitude and longitude in [site]"
    sets = f"{sun.sunset:%H:%M}{' (after midnight)' if sun.sunset.date() > today else ''}"
    if next_sun.sunrise is None:
        return f"today the sun sets at {sets}, and tomorrow it does not rise"
    return f"today the sun sets at {sets} and rises tomorrow at {next_sun.sunrise:%H:%M}"


def duration(seconds: float) -> str:
    """``10 s``, ``90 s``, ``5 min``, ``1 h 30 min``, ``2 d``."""
    if seconds < SHORT_S or seconds % 1:
        return f"{seconds:g} s"
    parts = []
    for unit_s, unit in UNITS_S:
        number, seconds = divmod(seconds, unit_s)
        parts += [f"{number:g} {unit}"] if number else []
    return " ".join(parts)


def _what(rule: Rule, config: Config) -> str:
    """What is waited for, and where."""
    if rule.at:
        times = _listed([str(Edge(minutes)) for minutes in rule.at], "and")
        return f"at {times}{'' if rule.when else ' every day'} on {_cameras(rule, config, 'each camera')}"
    parts = [_counted(rule.see, rule.count, config)]
    if rule.zone:
        height = config.zone[rule.zone].height
        parts.append(f"in {rule.zone}{f' (there {_tall(*height)})' if height else ''}")
    if rule.crosses:
        parts.append(f"crossing {rule.crosses} {TOWARD[rule.toward]}")
    each = "any camera" if str(rule.count) in AT_LEAST_ONE else "each camera by itself"
    parts.append(f"on {_cameras(rule, config, each)}")
    if rule.for_:
        parts.append(f"for {duration(rule.for_)}")
    return " ".join(parts)


def _narrowed(rule: Rule, config: Config) -> list[str]:
    company = f"together with {_one_of(rule.with_, config)} within {duration(rule.within)}" if rule.with_ else ""
    score = f"score at least {rule.score:g}" if rule.score else ""
    height = _tall(*rule.height) if rule.height else ""
    return list(filter(None, (company, score, height)))


def _allowed(rule: Rule) -> list[str]:
    only = f"only while {_states(rule.only)}" if rule.only else ""
    unless = f"unless {_states(rule.unless)}" if rule.unless else ""
    return list(filter(None, (windows(rule.when), only, unless)))


def _rested(rule: Rule) -> list[str]:
    about = f" about that {rule.cooldown.per}" if rule.cooldown.per else ""
    rest = f"then silent for {duration(rule.cooldown.s)}{about}" if rule.cooldown.s else ""
    return list(filter(None, (ONCE.get(rule.once or ""), rest)))


def _cameras(rule: Rule, config: Config, several: str) -> str:
    cameras = config.cameras_of(rule)
    return cameras[0] if len(cameras) == 1 else several


def _tall(least: float, most: float) -> str:
    if most >= 1:
        return f"at least {least * 100:g}% of the picture tall"
    return f"{f'{least * 100:g} to' if least else 'at most'} {most * 100:g}% of the picture tall"


def _states(words: Iterable[str]) -> str:
    return _listed([word if word in ARMING else f"in mode {word}" for word in words], "or")


def _counted(see: Sequence[str], count: Count, config: Config) -> str:
    """So many of these things."""
    if str(count) in AT_LEAST_ONE:
        return _one_of(see, config)
    if str(count) in NONE:
        return _none_of(see, config)
    nouns = [_plural(label) if count.number != 1 else label for label in see if not label.startswith("@")]
    if ANY in see:
        nouns = ["things" if count.number != 1 else "thing"]
    elif groups := _groups(see, config):
        nouns += [f"of {_listed(groups, 'or')}"]
    return f"{HOW_MANY[count.operator].format(count.number)} {_listed(nouns, 'or')}"


def _one_of(see: Sequence[str], config: Config) -> str:
    """``a deer, boar or fox``: the article is repeated only where it changes."""
    if ANY in see:
        return "anything"
    labels = [label for label in see if not label.startswith("@")]
    articles = [_article(label) for label in labels]
    if len(set(articles)) == 1:
        labels[0] = f"{articles[0]}{labels[0]}"
    else:
        labels = [f"{article}{label}" for article, label in zip(articles, labels, strict=True)]
    return _listed([*labels, *(f"any of {group}" for group in _groups(see, config))], "or")


def _none_of(see: Sequence[str], config: Config) -> str:
    if ANY in see:
        return "nothing at all"
    labels = [label for label in see if not label.startswith("@")]
    nobody = [f"no {_listed(labels, 'or')}"] if labels else []
    return " and ".join([*nobody, *(f"none of {group}" for group in _groups(see, config))])


def _groups(see: Iterable[str], config: Config) -> list[str]:
    """``@wildlife (deer, boar)`` for each group."""
    return [f"{name} ({', '.join(config.group[name[1:]])})" for name in see if name.startswith("@") and name != ANY]


def _article(label: str) -> str:
    if label in WITHOUT_ARTICLE:
        return ""
    vowel = label.startswith(("a", "e", "i", "o", "u", "hour")) and not label.startswith(LIKE_YOU)
    return "an " if vowel else "a "


def _plural(label: str) -> str:
    *before, noun = label.split(" ")
    if noun in MANY_AS_ONE or noun in WITHOUT_ARTICLE:
        many = noun
    elif noun in PLURALS:
        many = PLURALS[noun]
    elif noun.endswith(("s", "x", "ch", "sh")):
        many = f"{noun}es"
    elif noun.endswith("y") and not noun.endswith(("ay", "ey", "oy")):
        many = f"{noun[:-1]}ies"
    else:
        many = f"{noun}s"
    return " ".join([*before, many])


def _window(when: When) -> str:
    days = "" if when.days == EVERY_DAY else _days(when.days)
    if when.phase:
        return f"{days} {PHASES[when.phase]}".strip()
    if when.hours:
        return f"{days} {_hours(*when.hours)}".strip()
    return "at weekends" if when.days == NAMED_DAYS["weekends"] else days or "every day"


def _hours(start: Edge, end: Edge) -> str:
    if start.sun or end.sun:
        return f"from {_edge(start)} to {_edge(end)}"
    return f"{start}{DASH}{end}"


def _edge(edge: Edge) -> str:
    if edge.sun is None or not edge.minutes:
        return str(edge)
    return f"{duration(abs(edge.minutes) * 60)} {'before' if edge.minutes < 0 else 'after'} {edge.sun}"


def _days(days: frozenset[int]) -> str:
    """``Mon-Fri``, ``Fri-Mon``, ``Mon/Wed/Fri``: days in a row are told by the first and the last."""
    runs = []
    for first in sorted(day for day in days if (day - 1) % 7 not in days):
        last = first
        while (last + 1) % 7 in days:
            last = (last + 1) % 7
        runs.append(_day(first) if first == last else f"{_day(first)}{DASH}{_day(last)}")
    return "/".join(runs)


def _day(number: int) -> str:
    return DAYS[number].capitalize()


def _listed(parts: Sequence[str], last: str) -> str:
    """``a, b or c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"
