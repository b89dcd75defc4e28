"""Why a broker does not let us in, and why a connection ends."""

from __future__ import annotations

from smartcam.errors import Unavailable

REFUSED = 0x80
"""From here on, reason codes are refusals."""
UNSUPPORTED_PROTOCOL = 0x84
TAKEN_OVER = 0x8E
QUOTA_EXCEEDED = 0x97
BLAMELESS = frozenset({0x89, 0x8B, TAKEN_OVER, 0x98})
"""Reasons to end a connection that lie in no message: busy, shutting down, taken over, an administrator's wish."""
ADVICE = {
    0x86: " (look at mqtt.username and the password_file)",
    0x87: " (look at mqtt.username and the password_file)",
    0x85: " (another client id may be wanted: it comes from node.name)",
}
"""What to do about a refusal, by its reason code."""


class WrongProtocol(Unavailable):
    """The broker does not speak this version of MQTT, as far as can be told from outside."""


class HungUp(Unavailable):
    """The broker ended the connection, and the reason may lie in what it was sent."""


class ClosedSilently(HungUp):
    """It gave no reason: over MQTT 3.1.1 it cannot, and some do not over MQTT 5."""


class TakenOver(Unavailable):
    """Another client has come that calls itself the same."""


def refusal(where: str, code: int, reason: str) -> Unavailable:
    """Of a broker that answered the CONNECT with this code."""
    kind = WrongProtocol if code == UNSUPPORTED_PROTOCOL else Unavailable
    return kind(f"{where} refuses the connection: {reason}{ADVICE.get(code, '')}")


def no_answer(where: str, *, within_s: float) -> Unavailable:
    """Of one that keeps the connection: it may take the CONNECT of MQTT 5 for one of 3.1.1, and wait for the rest."""
    return WrongProtocol(f"{where} takes the connection but says nothing for {within_s:g} s")


def hang_up_for_an_answer(where: str, *, tls: bool) -> Unavailable:
    """Of one that ends the connection instead."""
    hint = "does it want a client certificate?" if tls else "is it an MQTT broker?"
    return WrongProtocol(f"{where} closed the connection before it answered: {hint}")


def ending(where: str, code: int, reason: str) -> Unavailable:
    """Of a connection that the broker ended with this code."""
    kind = TakenOver if code == TAKEN_OVER else Unavailable if code in BLAMELESS else HungUp
    return kind(f"{where} ended the connection: {reason}")
