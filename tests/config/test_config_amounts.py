"""Bytes, bytes a second, and how often."""

from __future__ import annotations

from typing import Any

import pytest

from smartcam.config.amounts import amount, how_often, rate


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("20MB", 20_000_000),
        ("20 mb", 20_000_000),
        ("512KiB", 524_288),
        ("1.5GB", 1_500_000_000),
        ("700 bytes", 700),
        ("0B", 0),
        (4096, 4096),
    ],
)
def test_amounts_are_read(written: Any, meant: int) -> None:
    assert amount(written) == meant


@pytest.mark.parametrize("written", ["20", "MB", "-1MB", "20 Mbit", "20MB/s", "1e9B", True, 1.5, None, "9999999TB"])
def test_what_is_no_amount_is_refused_with_an_example(written: Any) -> None:
    with pytest.raises(ValueError, match=r"MB|disk"):
        amount(written)


@pytest.mark.parametrize(("written", "meant"), [("2KB/s", 2000), ("1 MB / s", 1_000_000), ("64KiB/s", 65_536)])
def test_rates_are_read(written: str, meant: int) -> None:
    assert rate(written) == meant


@pytest.mark.parametrize("written", ["2KB", "2KB/min", 2000, "", None, "/s"])
def test_what_is_no_rate_is_refused_with_an_example(written: Any) -> None:
    with pytest.raises(ValueError, match='"2KB/s"'):
        rate(written)


@pytest.mark.parametrize("written", ["16kbit/s", "2 Mbps", "64 kBit"])
def test_bits_are_not_taken_for_bytes(written: str) -> None:
    with pytest.raises(ValueError, match="8 bits are a byte"):
        rate(written)


@pytest.mark.parametrize(
    ("written", "between_s"),
    [("1 per hour", 3600), ("10 per day", 8640), ("2 per minute", 30), ("1/h", 3600), ("1 per 10 minutes", 600)],
)
def test_how_often_is_read(written: str, between_s: float) -> None:
    assert how_often(written) == between_s


@pytest.mark.parametrize(
    "written", ["hourly", "0 per hour", "1 per 0 hours", "100 per second", 1, None, "1 per fortnight"]
)
def test_what_does_not_say_how_often_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match="per"):
        how_often(written)
