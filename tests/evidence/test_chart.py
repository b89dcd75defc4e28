"""What is drawn where on a camera's picture."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from smartcam.config import Line, Zone
from smartcam.data import Point, Rgb
from smartcam.evidence.chart import COLOURS, LEAST_PX, chart
from smartcam.evidence.snapshot import Mark
from tests.evidence.pictures import flat

SIZES = [(640, 360), (1280, 720), (1920, 1080), (360, 640)]


def zone(*points: Point) -> Zone:
    return Zone(camera="front", points=points)


def line(*points: Point) -> Line:
    return Line(camera="front", points=points)


LEFT = zone((0.05, 0.3), (0.55, 0.3), (0.55, 0.9), (0.05, 0.9))
RIGHT = zone((0.45, 0.3), (0.95, 0.3), (0.95, 0.9), (0.45, 0.9))


def grey(size: tuple[int, int]) -> Rgb:
    return flat(*size).pixels


def near(drawing: Rgb, point: Point, radius: int = 3) -> Rgb:
    """The pixels around a point of the picture."""
    height, width = drawing.shape[:2]
    x, y = round(point[0] * width), round(point[1] * height)
    return drawing[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1].reshape(-1, 3)


def has(pixels: Rgb, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(pixels.astype(int) - colour).max(axis=-1) < 60).any())


def tint(drawing: Rgb, point: Point) -> NDArray[np.float64]:
    """How the colours lie around the grey they were."""
    found = near(drawing, point, 1).astype(np.float64).mean(axis=0)
    return np.asarray(found - found.mean(), np.float64)


@pytest.mark.parametrize("size", SIZES)
def test_a_zone_is_outlined_and_lets_the_picture_shine_through(size: tuple[int, int]) -> None:
    drawing = chart(grey(size), {"yard": LEFT}, {})

    assert has(near(drawing, (0.3, 0.3)), COLOURS[0])
    inside = near(drawing, (0.13, 0.83), 1)
    assert not has(inside, COLOURS[0])
    assert np.corrcoef(tint(drawing, (0.13, 0.83)), COLOURS[0])[0, 1] > 0.9
    assert np.abs(near(drawing, (0.75, 0.65), 1).astype(int) - 128).max() < 2


def test_where_two_zones_overlap_both_are_seen() -> None:
    drawing = chart(grey((1280, 720)), {"left": LEFT, "right": RIGHT}, {})
    both, one, other = (tint(drawing, (x, 0.55)) for x in (0.52, 0.15, 0.85))

    assert np.abs(both - one).max() > 5
    assert np.abs(both - other).max() > 5
    assert has(near(drawing, (0.55, 0.55)), COLOURS[0])
    assert has(near(drawing, (0.45, 0.55)), COLOURS[1])


def bars(drawing: Rgb, plain: Rgb, colour: tuple[int, int, int]) -> tuple[float, float]:
    """The middle of the text of this colour that only the first of two drawings has."""
    differs = (drawing != plain).any(axis=-1) & (np.abs(drawing.astype(int) - colour).max(axis=-1) < 90)
    ys, xs = np.nonzero(differs)
    assert len(xs) > 0
    return float(xs.mean()) / drawing.shape[1], float(ys.mean()) / drawing.shape[0]


@pytest.mark.parametrize("size", SIZES)
def test_the_names_of_overlapping_zones_stand_where_each_is_alone(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    zones = {
        "left": zone((0.05, 0.2), (0.7, 0.2), (0.7, 0.9), (0.05, 0.9)),
        "right": zone((0.3, 0.2), (0.95, 0.2), (0.95, 0.9), (0.3, 0.9)),
    }
    named = chart(grey(size), zones, {})
    monkeypatch.setattr("smartcam.evidence.chart.Sheet.write", lambda *_: None)
    plain = chart(grey(size), zones, {})

    left, right = (bars(named, plain, colour) for colour in COLOURS[:2])
    assert 0.05 < left[0] < 0.3
    assert 0.7 < right[0] < 0.95
    assert 0.2 < left[1] < 0.9
    assert 0.2 < right[1] < 0.9


DIRECTIONS = {
    "from left to right: downwards": (((0.3, 0.5), (0.7, 0.5)), (0.0, 1.0)),
    "from right to left: upwards": (((0.7, 0.5), (0.3, 0.5)), (0.0, -1.0)),
    "downwards: to the left": (((0.5, 0.2), (0.5, 0.8)), (-1.0, 0.0)),
    "upwards: to the right": (((0.5, 0.8), (0.5, 0.2)), (1.0, 0.0)),
}


@pytest.mark.parametrize("name", DIRECTIONS)
def test_the_arrow_points_to_the_right_hand_of_who_walks_along_the_line(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its head is the broader half."""
    points, (across, down) = DIRECTIONS[name]
    monkeypatch.setattr("smartcam.evidence.chart.Sheet.write", lambda *_: None)
    drawing = chart(grey((600, 600)), {}, {"fence": line(*points)})

    ys, xs = np.nonzero(np.abs(drawing.astype(int) - COLOURS[0]).max(axis=-1) < 12)
    off = (xs - 300) * across + (ys - 300) * down
    assert (off > 10).sum() > 1.5 * (off < -10).sum() > 0


def test_the_arrow_of_a_line_at_the_edge_stays_in_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartcam.evidence.chart.Sheet.write", lambda *_: None)
    drawing = chart(grey((600, 600)), {}, {"kerb": line((0.3, 1.0), (0.7, 1.0))})

    ys, _ = np.nonzero(np.abs(drawing.astype(int) - COLOURS[0]).max(axis=-1) < 12)
    assert (ys > 570).sum() > 1.5 * ((ys > 530) & (ys < 560)).sum() > 0


@pytest.mark.parametrize("size", SIZES)
def test_each_tenth_has_a_line_and_a_number_at_every_edge(size: tuple[int, int]) -> None:
    drawing = chart(grey(size), {}, {})

    for tenth in (0.1, 0.5, 0.9):
        for point in ((tenth, 0.45), (0.45, tenth)):
            assert near(drawing, point).max() > 150
        for number in ((tenth, 0.012), (tenth, 0.988), (0.012, tenth), (0.988, tenth)):
            assert has(near(drawing, number, 15), (0, 0, 0))
            assert has(near(drawing, number, 15), (255, 255, 255))


def test_still_things_are_dashed() -> None:
    drawing = chart(grey((1280, 720)), {}, {}, [Mark((0.32, 0.42, 0.58, 0.68), "car, still")])

    edge = drawing[round(0.68 * 719), round(0.35 * 1280) : round(0.55 * 1280)]
    white = (edge.min(axis=-1) > 240).mean()
    assert 0.3 < white < 0.75


def test_a_small_picture_is_enlarged_and_keeps_its_shape() -> None:
    drawing = chart(grey((160, 120)), {"yard": LEFT}, {})

    assert drawing.shape == (LEAST_PX, LEAST_PX * 4 // 3, 3)


def test_the_picture_itself_stays_as_it_was() -> None:
    pixels = grey((640, 360))
    chart(pixels, {"yard": LEFT}, {"fence": line((0.1, 0.1), (0.9, 0.1))})

    assert (pixels == 128).all()


def test_any_number_of_things_with_the_longest_names_can_be_drawn() -> None:
    """Also a zone without any pixel of its own, and those that others hide wholly."""
    name = "a-name-of-thirty-two-characters-"
    zones = {f"{name}{n}": LEFT for n in range(30)} | {"thin": zone((0.2, 0.2), (0.5, 0.2001), (0.8, 0.2))}

    drawing = chart(grey((320, 180)), zones, {"dot": line((0.5, 0.5), (0.5, 0.5001))}, [Mark((0, 0, 1, 1), "élan")])
    assert drawing.shape == (360, 640, 3)
