"""`smartcam disk`: what is kept on this machine, and until when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smartcam.cli.kept import amount, clock, quotas, reading, store_folder
from smartcam.cli.output import DEFAULT_CONFIG, ConfigOption, JsonOption, out, print_json

if TYPE_CHECKING:
    import sqlite3

    from smartcam.config.delivery import Keep
    from smartcam.store.holdings import Holding, Sample


def add_to(app: typer.Typer) -> None:
    app.command()(disk)


def disk(
    samples: Annotated[
        bool, typer.Option("--samples", help="The samples of what the rules did not tell, with the reasons.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Tell what is kept on this machine, until when, and what goes next.

    With --json: one line for each kind, and a last one about the disk; with --samples, one for each sample, and a last
    one with the near misses of each rule.
    """
    folder, keep = store_folder(config), quotas(config)
    with reading(folder) as db:
        if samples:
            _tell_samples(db, json=json)
        else:
            _tell_all(db, folder, keep, json=json)


def _tell_all(db: sqlite3.Connection, folder: Path, keep: Keep, *, json: bool) -> None:
    from smartcam.store.ballast import Ballast
    from smartcam.store.holdings import holdings, next_to_go
    from smartcam.store.retention import disk_free

    found = holdings(db, keep)
    going = {each.name: each for each in next_to_go(db)}
    free, ballast = disk_free(folder), Ballast(folder).held_bytes
    if json:
        for holding in found:
            print_json(_plain(holding) | {"next": first._asdict() if (first := going.get(holding.name)) else None})
        print_json({"folder": str(folder), "free": free, "left_to_others": keep.free, "ballast": ballast})
        return
    console = out()
    for holding in found:
        console.print(_line(holding), markup=False)
        if first := going.get(holding.name):
            console.print(f"{'':11}next to go: {first.file}, {first.rule}, {clock(first.start)}", markup=False)
    held_back = f"; {amount(ballast)} are held back, so that deleting works on a full disk" if ballast else ""
    console.print(f"disk       {amount(free)} free, {amount(keep.free)} are left to others{held_back}", markup=False)


def _plain(holding: Holding) -> dict[str, Any]:
    return {
        "kind": holding.name,
        "count": holding.count,
        "bytes": holding.bytes,
        "quota": holding.quota.size,
        "days": holding.quota.days,
        "oldest": holding.oldest,
        "owed": holding.owed,
        "per_day": holding.per_day_bytes and round(holding.per_day_bytes),
        "stays_days": round(holding.stays_days, 2),
    }


def _line(holding: Holding) -> str:
    """``clips      12, 1.2 GB of 4.0 GB, since 2026-11-01 12:00; what comes now stays 30 days; 2 are not sent yet``"""
    since = f", since {clock(holding.oldest)}" if holding.oldest is not None else ""
    owed = f"; {holding.owed} {'is' if holding.owed == 1 else 'are'} not sent yet" if holding.owed else ""
    size = f"{amount(holding.bytes)} of {amount(holding.quota.size)}"
    return f"{holding.name:11}{holding.count}, {size}{since}; what comes now stays {_stay(holding)}{owed}"


def _stay(holding: Holding) -> str:
    by_size = holding.days_by_size
    if by_size is None or by_size >= holding.quota.days:
        return f"{holding.quota.days:g} days"
    return f"about {f'{by_size:.0f} days' if by_size >= 2 else f'{by_size * 24:.0f} hours'}, at the rate of late"


def _tell_samples(db: sqlite3.Connection, *, json: bool) -> None:
    from smartcam.store.holdings import samples

    found, missed = samples(db), _near_misses(db)
    kept = Counter(sample.rule for sample in found)
    if json:
        for sample in found:
            print_json(sample._asdict())
        print_json({"near_misses": missed, "samples": kept})
        return
    for line in (*map(_line_of_sample, found), *_per_rule(missed, kept)):
        out().print(line, markup=False)


def _line_of_sample(sample: Sample) -> str:
    return f"{clock(sample.at)} {sample.camera} {sample.rule}: {'; '.join(sample.reasons)}: {sample.file}"


def _per_rule(missed: dict[str, int], kept: Counter[str]) -> Iterator[str]:
    for rule in sorted(missed.keys() | kept.keys()):
        near_misses, samples = missed.get(rule, 0), kept[rule]
        yield (
            f"{rule}: {near_misses} near {'miss' if near_misses == 1 else 'misses'} so far, "
            f"{samples} {'sample' if samples == 1 else 'samples'} kept"
        )
    if not missed and not kept:
        yield "no near misses so far"


def _near_misses(db: sqlite3.Connection) -> dict[str, int]:
    """By rule, as far as they are written down: the daemon does that every five minutes."""
    from smartcam.pipeline.keeping import NAME
    from smartcam.rules.memory import restored

    row = db.execute("SELECT text FROM note WHERE name = ?", (NAME,)).fetchone()
    try:
        memory = restored(row[0].encode(), 0.0, 0.0) if row else None
    except ValueError:
        memory = None
    counted: Counter[str] = Counter()
    for rules in memory.rules.values() if memory else ():
        for name, rule in rules.items():
            counted[name] += rule.seen.record.near_misses if rule.seen else 0
    return dict(+counted)
