"""What each section alone cannot know: names that nothing has, and things that do not go together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from smartcam.config.grammar import ARMING
from smartcam.config.lines import KeyPath
from smartcam.config.rule import Rule
from smartcam.config.sections import Config
from smartcam.config.values import closest
from smartcam.config.when import When

ANY = "@any"


@dataclass(frozen=True, slots=True)
class Contradictions:
    """Of a configuration, of which some sections may be missing since they are wrong in themselves."""

    config: Config
    names: Mapping[str, Collection[str]]
    """All that was written, by kind: what is wrong in itself is no unknown name."""
    unsure: Collection[str] = ()
    """The kinds of which not all names can be known, and "site" if that is wrong in itself."""
    rules_file: bool = False
    """Whether a file of rules stands in for the configuration's own."""

    def __iter__(self) -> Iterator[tuple[KeyPath, str]]:
        config = self.config
        for name, camera in config.camera.items():
            yield from self._known("model", camera.model, ("camera", name, "model"))
        yield from self._of_models()
        for kind, drawn in (("zone", config.zone), ("line", config.line)):
            for name, each in drawn.items():
                yield from self._known("camera", each.camera, (kind, name, "camera"))
        yield from self._of_groups()
        yield from self._of_sun(config.armed.when, ("armed", "when"))
        for name, mode in config.mode.items():
            yield from self._of_sun(mode.when, ("mode", name, "when"))
        for name, rule in config.rule.items():
            yield from self._of_rule(rule, ("rule", name))

    def _of_models(self) -> Iterator[tuple[KeyPath, str]]:
        models = self.config.model
        for name, model in models.items():
            for n, then in enumerate(model.then):
                key = ("model", name, "then", n, "model")
                yield from self._known("model", then.model, key)
                yield from self._labels(then.see, (*key[:-1], "see"))
                if then.model in models and models[then.model].then:
                    yield key, f'"{then.model}" has second looks itself, and one level is all: take one of them out'

    def _of_groups(self) -> Iterator[tuple[KeyPath, str]]:
        for name, members in self.config.group.items():
            if f"@{name}" == ANY:
                yield ("group", name), f'"{ANY}" is every label already: give the group another name'
            if groups := [member for member in members if member.startswith("@")]:
                yield ("group", name), f'a group holds labels, not other groups: write what is in "{groups[0]}"'

    def _of_rule(self, rule: Rule, key: KeyPath) -> Iterator[tuple[KeyPath, str]]:
        yield from self._known("camera", rule.camera, (*key, "camera"))
        yield from self._of_places(rule, key)
        yield from self._labels(rule.see, (*key, "see"))
        yield from self._labels(rule.with_, (*key, "with"))
        yield from self._labels(rule.blur, (*key, "blur"))
        if ANY in rule.with_:
            yield (
                (*key, "with"),
                f'"{ANY}" is everything, that of `see` too: write with what it should be, or take it out',
            )
        yield from self._of_sun(rule.when, (*key, "when"))
        for which, words in (("only", rule.only), ("unless", rule.unless)):
            for word in words:
                yield from self._word(word, (*key, which))
        for word in sorted(set(rule.only) & set(rule.unless)):
            yield (*key, "unless"), f'"{word}" is in `only` too, so the rule never holds: take one of them out'

    def _of_places(self, rule: Rule, key: KeyPath) -> Iterator[tuple[KeyPath, str]]:
        """The camera, the zone and the line of a rule: there, and on one picture."""
        zones = {name: zone.camera for name, zone in self.config.zone.items()}
        lines = {name: line.camera for name, line in self.config.line.items()}
        cameras = list(self.names["camera"])
        camera = rule.camera or (cameras[0] if len(cameras) == 1 else "")
        if camera in cameras or not camera:
            yield from self._drawn("zone", rule.zone, zones, camera, (*key, "zone"))
            yield from self._drawn("line", rule.crosses, lines, camera, (*key, "crosses"))
        zone_on, line_on = zones.get(rule.zone or "", ""), lines.get(rule.crosses or "", "")
        if not rule.camera and zone_on and line_on and zone_on != line_on:
            yield (
                (*key, "crosses"),
                f'line "{rule.crosses}" is on camera "{line_on}", and zone "{rule.zone}" on "{zone_on}": '
                "take one of them out, or draw both on one camera",
            )

    def _drawn(
        self, kind: str, name: str | None, on: Mapping[str, str], camera: str, key: KeyPath
    ) -> Iterator[tuple[KeyPath, str]]:
        """A zone or line by its name; `on` tells the camera of each, and `camera` that of the rule, if it has one."""
        if name is None or (name in self.names[kind] and name not in on):
            return
        if kind in self.unsure:
            return
        if name in on:
            if camera and on[name] != camera and on[name] in self.names["camera"]:
                yield (
                    key,
                    f'{kind} "{name}" is on camera "{on[name]}", not on "{camera}": '
                    f"take `camera` out, or draw another {kind} there",
                )
            return
        there = [other for other, where in on.items() if not camera or where == camera]
        place = f' on camera "{camera}"' if camera else ""
        yield key, f'no {kind} "{name}"{place}{closest(name, there) or self._remedy(kind, name, there)}'

    def _known(self, kind: str, name: str | None, key: KeyPath) -> Iterator[tuple[KeyPath, str]]:
        known = self.names[kind]
        if name is not None and name not in known and kind not in self.unsure:
            yield key, f'no {kind} "{name}"{closest(name, known) or self._remedy(kind, name, known)}'

    def _labels(self, labels: Iterable[str], key: KeyPath) -> Iterator[tuple[KeyPath, str]]:
        groups = [group.lower() for group in self.names["group"]]
        for label in labels:
            if label.startswith("@") and label != ANY and label[1:] not in groups and "group" not in self.unsure:
                near = closest(label, [f"@{group}" for group in groups] + [ANY])
                yield (
                    key,
                    f'no group "{label}"{near or self._remedy("group", label, [f"@{group}" for group in groups])}',
                )

    def _word(self, word: str, key: KeyPath) -> Iterator[tuple[KeyPath, str]]:
        known = (*ARMING, *map(str.lower, self.names["mode"]))
        if word not in known and "mode" not in self.unsure:
            yield (
                key,
                f'no mode "{word}"{closest(word, known) or f": {_listed(known)}; add [mode.{word}] for one more"}',
            )

    def _of_sun(self, whens: tuple[When, ...], key: KeyPath) -> Iterator[tuple[KeyPath, str]]:
        missing = [name for name in ("latitude", "longitude") if getattr(self.config.site, name) is None]
        when = next((when for when in whens if when.needs_sun), None)
        if when and missing and "site" not in self.unsure:
            remedy = f"add {' and '.join(missing)} to [site]"
            yield key, f'"{when}" follows the sun, which sets at another time in every place: {remedy}'

    def _remedy(self, kind: str, name: str, known: Collection[str]) -> str:
        replaced = (
            f"; --rules replaces the {kind}s too" if self.rules_file and kind in ("zone", "line", "group") else ""
        )
        if known:
            return f": {_listed(known)}{replaced}"
        how = "add it to [group]" if kind == "group" else f"add [{kind}.{name}]"
        return f": there is none, {how}{replaced}"


def _listed(names: Collection[str]) -> str:
    quoted = [f'"{name}"' for name in sorted(names)[:12]]
    more = " …" if len(names) > 12 else ""
    return f"there {'is' if len(names) == 1 else 'are'} {', '.join(quoted)}{more}"
