"""Passwords inside a text: no log, message or status may show them."""

from __future__ import annotations

import re

# Up to the last @ of the word: whoever forgot to escape an @ or a slash must not see it in the log either.
URL_PASSWORD = re.compile(r"(://[^:/?#@\s\"']*:)[^\s\"']*@")
SECRET_NAME = r"(?:password|passwd|passphrase|pass|pwd|psw|pw|token|secret|apikey|api_key|key|auth)"
NAMED_SECRET = re.compile(
    rf"((?<![a-z]){SECRET_NAME}\s*[=:]\s*|\s--?[a-z-]*{SECRET_NAME}\s+)(\"[^\"]*\"|'[^']*'|[^\s&\"']+)", re.IGNORECASE
)
"""``password=…`` in a query or on a command line, ``--password …``, and ``password: …`` in a message."""


def masked(text: str) -> str:
    """A source, or what a program said about it, without its passwords."""
    return NAMED_SECRET.sub(r"\1***", URL_PASSWORD.sub(r"\1***@", text))
