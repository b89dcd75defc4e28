"""What is kept, hidden and sent, as a person would say it, so that what was written and not meant is seen at once."""

from __future__ import annotations

from collections.abc import Iterator

from smartcam.config.delivery import Keep, Uplink
from smartcam.config.rule import Rule
from smartcam.config.sections import Camera, Config

UNITS = ("B", "kB", "MB", "GB", "TB")
DAY_S = 86_400.0


def amount(size: float) -> str:
    """``1234567`` → ``1.23 MB``."""
    unit = 0
    while size >= 999.5 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {UNITS[unit]}" if unit == 0 else f"{size:.3g} {UNITS[unit]}"


def evidence(rule: Rule) -> list[str]:
    """``snapshot``, ``clip from 5 s before to 10 s after, at most 60 s``, ``person blurred``."""
    said: list[str] = []
    for each in rule.do:
        if each == "clip":
            clip = rule.clip
            how = f"clip from {clip.before:g} s before to {clip.after:g} s after, at most {clip.at_most:g} s"
            sent = f", {clip.size} pixels wide when sent" if clip.size else ""
            said.append(how + sent + (", with sound" if clip.audio else ""))
        else:
            said.append(each)
    return [*said, *([f"{' and '.join(rule.blur)} blurred"] if rule.blur else [])]


def camera(name: str, section: Camera) -> str:
    """``front (2 masks)``."""
    masks = len(section.mask)
    return f"{name} ({masks} mask{'' if masks == 1 else 's'})" if masks else name


def limits(config: Config) -> Iterator[str]:
    """A sentence for each section that says something of its own."""
    if config.uplink != Uplink():
        yield f"link: {', '.join(_uplink(config.uplink))}"
    if config.keep != Keep():
        keep = config.keep
        quotas = {"clips": keep.clips, "snapshots": keep.snapshots, "samples": keep.samples, "events": keep.events}
        said = [f"{kind} {amount(quota.size)} and {quota.days:g} days" for kind, quota in quotas.items()]
        yield f"kept: {', '.join(said)}; {amount(keep.free)} of the disk are left free"
    if config.sampling.rejects:
        sent = ", sent like snapshots" if config.sampling.upload else ", kept here"
        yield f"samples of what nearly fired: {DAY_S / config.sampling.rejects:g} a day{sent}"


def _uplink(uplink: Uplink) -> Iterator[str]:
    if uplink.daily is not None:
        yield f"{amount(uplink.daily)} in any 24 hours, for alerts {amount(uplink.reserve_bytes)} more"
    if uplink.rate is not None:
        yield f"pictures and clips at most {amount(uplink.rate)}/s"
    if uplink.metered:
        yield "metered: clips wait here until they are fetched"
