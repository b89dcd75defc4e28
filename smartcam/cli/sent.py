"""`smartcam sent`: what left this machine, when, and by which rule."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smartcam.cli.kept import amount, clock, reading, store_folder
from smartcam.cli.output import DEFAULT_CONFIG, ConfigOption, JsonOption, out, print_json
from smartcam.errors import SmartcamError

if TYPE_CHECKING:
    import sqlite3

KINDS = ("alert", "event", "snapshot", "clip")


def add_to(app: typer.Typer) -> None:
    app.command()(sent)


def sent(
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many at most, the newest last.")] = 100,
    since: Annotated[str | None, typer.Option(help='Only so old: "2h", or a day: "2026-11-24".')] = None,
    day: Annotated[str | None, typer.Option(help="Only of this day: today, yesterday or 2026-11-24.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only by this rule.")] = None,
    totals: Annotated[bool, typer.Option("--totals", help="Only what each day and kind comes to.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Tell what the broker got, each message with the rule by which it left, and what each day came to.

    Bytes are those of the messages: the connection itself takes some more. What the node says of itself is not listed,
    but counted in the bytes of the last 24 hours.
    """
    folder = store_folder(config)
    where = _where(since, day, rule)
    with reading(folder) as db:
        rows = [] if totals else _rows(db, where, count)
        days = _per_day(db, where)
        spent = _spent(db)
    if json:
        for each in (*rows, *days):
            print_json(each)
        print_json({"last_24_hours": spent})
        return
    for line in (*map(_line, rows), *map(_line_of_day, days), *_line_of_budget(spent)):
        out().print(line, markup=False)
    if not days:
        out().print("nothing was sent" + (" that is like that" if where[0] else " yet"), markup=False)


def _where(since: str | None, day: str | None, rule: str | None) -> tuple[str, list[float | str]]:
    """As SQL, and its values."""
    conditions: list[tuple[str, float | str]] = []
    if since:
        conditions.append(("at >= ?", _since(since)))
    if day:
        start = _day(day)
        conditions += [("at >= ?", _midnight(start)), ("at < ?", _midnight(start + timedelta(days=1)))]
    if rule:
        conditions.append(("rule = ?", rule))
    sql = " AND ".join(condition for condition, _ in conditions)
    return (f" WHERE {sql}" if sql else ""), [value for _, value in conditions]


def _rows(db: sqlite3.Connection, where: tuple[str, list[float | str]], count: int) -> list[dict[str, Any]]:
    columns = ("at", "kind", "bytes", "rule", "event", "topic")
    sql = f"SELECT {', '.join(columns)} FROM sent{where[0]} ORDER BY id DESC LIMIT ?"
    return [dict(zip(columns, row, strict=True)) for row in reversed(db.execute(sql, [*where[1], count]).fetchall())]


def _per_day(db: sqlite3.Connection, where: tuple[str, list[float | str]]) -> list[dict[str, Any]]:
    """What each of this machine's days comes to, by kind."""
    days: dict[str, dict[str, dict[str, int]]] = {}
    sql = f"SELECT date(at, 'unixepoch', 'localtime'), kind, count(*), sum(bytes) FROM sent{where[0]} GROUP BY 1, 2"
    for day, kind, messages, size in db.execute(sql, where[1]):
        days.setdefault(day, {})[kind] = {"messages": messages, "bytes": size}
    return [
        {"day": day, "total": sum(each["bytes"] for each in kinds.values()), **kinds} for day, kinds in days.items()
    ]


def _spent(db: sqlite3.Connection) -> dict[str, int]:
    """Bytes at the socket in the last 24 hours, by what they were for, as the daemon last wrote them down."""
    from smartcam.clocks import reader
    from smartcam.mqtt.budget import Budget

    row = db.execute("SELECT text FROM note WHERE name = 'budget'").fetchone()
    spent = Budget.loaded(row[0], reader()()).spent if row else {}
    return {str(purpose): size for purpose, size in spent.items()}


def _line(row: dict[str, Any]) -> str:
    by = f" by {row['rule']}" if row["rule"] else ""
    return f"{clock(row['at'])} {row['kind']:8} {amount(row['bytes']):>7}{by}: {row['topic']}"


def _line_of_day(day: dict[str, Any]) -> str:
    """``2026-11-24: 1.2 MB: 3 alert (2.1 kB), 12 event (8.0 kB)``"""
    kinds = [f"{day[kind]['messages']} {kind} ({amount(day[kind]['bytes'])})" for kind in KINDS if kind in day]
    return f"{day['day']}: {amount(day['total'])}: {', '.join(kinds)}"


def _line_of_budget(spent: dict[str, int]) -> Iterator[str]:
    if total := sum(spent.values()):
        purposes = ", ".join(f"{purpose} {amount(size)}" for purpose, size in spent.items() if size)
        yield f"on the wire in the last 24 hours: {amount(total)}: {purposes}"


def _since(text: str) -> float:
    from smartcam.config.values import seconds

    try:
        return time.time() - seconds(text)
    except ValueError:
        return _midnight(_day(text))


def _day(text: str) -> date:
    if text in ("today", "yesterday"):
        return date.today() - timedelta(days=text == "yesterday")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SmartcamError(f'{text}: no day, and no time like "2h": write today, yesterday or 2026-11-24') from None


def _midnight(day: date) -> float:
    """By this machine's time zone."""
    return datetime(day.year, day.month, day.day).astimezone().timestamp()
