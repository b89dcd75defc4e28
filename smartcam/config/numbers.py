"""Numbers as people write them, and as TOML does."""

from __future__ import annotations

import re

DEGREES = ("latitude", "longitude")
"""Keys whose values are some."""
_DEGREES = re.compile(
    r"""([-+]?)\s*(\d{1,3}(?:[.,]\d+)?)\s*(?:[°º]|deg(?:rees)?\b)?\s*  # 46°, or 46.55
    (?:(\d{1,2}(?:[.,]\d+)?)\s*['\u2032\u2019]?\s*)?                   # 33'
    (?:(\d{1,2}(?:[.,]\d+)?)\s*(?:["\u2033\u201d]|'')?\s*)?            # 12"
    ([NSEWnsew])?""",
    re.VERBOSE,
)


def number_in(text: str) -> str:
    """The number that a text is, as TOML writes it: ``"46,55"`` → ``46.55``; empty where it is none."""
    plain = text.strip().replace(",", ".").removeprefix("+")
    return plain if re.fullmatch(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", plain) else ""


def degrees_in(text: str) -> str:
    """Degrees, minutes and seconds, as one reads them off a map, as decimal degrees; empty where a text is none."""
    found = _DEGREES.fullmatch(text.strip())
    if not found or not re.search(r"[°º]|deg|[NSEWnsew]$", text.strip()):
        return ""
    whole, minutes, seconds = (float((part or "0").replace(",", ".")) for part in found.group(2, 3, 4))
    sign = -1 if (found[5] or "").lower() in ("s", "w") or found[1] == "-" else 1
    return f"{sign * (whole + minutes / 60 + seconds / 3600):.6g}"
