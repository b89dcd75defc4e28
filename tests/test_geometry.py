"""Boxes, polygons and lines, checked by their properties on whatever Hypothesis can think of."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from smartcam.data import WHOLE, Box, Boxes, Point
from smartcam.geometry import (
    Fit,
    Polygons,
    area,
    contains,
    crossings,
    distance,
    iou,
    letterbox,
    nms,
    overlap,
    raster,
    self_crossing,
    stretch,
)

share = st.floats(0, 1, width=32)
side = st.integers(16, 4096)


@st.composite
def boxes_of(draw: st.DrawFn, thinnest: float = 0.0) -> Box:
    (x1, x2), (y1, y2) = (sorted(draw(st.tuples(share, share))) for _ in "xy")
    assume(min(x2 - x1, y2 - y1) >= thinnest)
    return x1, y1, x2, y2


def rows(boxes: list[Box]) -> Boxes:
    return np.array(boxes, np.float32).reshape(-1, 4)


many_boxes = st.lists(boxes_of(), max_size=8).map(rows)


def test_an_inverted_box_has_no_area() -> None:
    assert area(rows([(0.8, 0.8, 0.2, 0.2), (0.2, 0.8, 0.8, 0.2), (0.0, 0.0, 0.5, 0.5)])).tolist() == [0, 0, 0.25]


@given(many_boxes, many_boxes)
def test_iou_is_a_symmetric_share(a: Boxes, b: Boxes) -> None:
    overlap = iou(a, b)

    assert overlap.shape == (len(a), len(b))
    assert ((overlap >= 0) & (overlap <= 1)).all()
    np.testing.assert_array_equal(overlap, iou(b, a).T)


@given(boxes_of(thinnest=1e-3))
def test_a_box_overlaps_itself_wholly(box: Box) -> None:
    assert iou(rows([box]), rows([box])).item() == 1


@given(boxes_of(), boxes_of())
def test_the_overlap_of_two_boxes_is_their_iou(a: Box, b: Box) -> None:
    exact = np.array([a, b], np.float64)

    assert overlap(a, b) == pytest.approx(iou(exact[:1], exact[1:]).item(), abs=1e-12)


def test_iou_of_halves_and_of_strangers() -> None:
    left, all_of_it, elsewhere = (0.0, 0.0, 0.2, 0.4), (0.0, 0.0, 0.4, 0.4), (0.5, 0.5, 0.9, 0.9)

    np.testing.assert_allclose(iou(rows([left]), rows([all_of_it, elsewhere])), [[0.5, 0.0]], rtol=1e-6)


@given(many_boxes, st.data())
def test_what_nms_keeps_stands_apart_and_what_it_drops_has_a_better_one(boxes: Boxes, data: st.DataObject) -> None:
    numbers = st.tuples(*[share] * len(boxes)), st.tuples(*[st.integers(0, 2)] * len(boxes))
    scores, classes = (np.array(data.draw(column)) for column in numbers)

    kept = nms(boxes, scores.astype(np.float32), classes, same=0.5, other=0.85)

    too_close = iou(boxes, boxes) > np.where(classes[:, None] == classes[None, :], 0.5, 0.85)
    assert not np.triu(too_close[np.ix_(kept, kept)], 1).any()
    assert (np.diff(scores[kept]) <= 0).all()
    for lost in set(range(len(boxes))) - set(kept.tolist()):
        assert any(too_close[lost, better] and scores[better] >= scores[lost] for better in kept)


def test_nms_leaves_a_rider_on_a_bicycle_but_not_a_dog_that_is_also_a_cat() -> None:
    rider, bicycle, dog, cat = (0.1, 0.1, 0.3, 0.6), (0.1, 0.2, 0.3, 0.7), (0.6, 0.6, 0.8, 0.8), (0.6, 0.6, 0.8, 0.81)

    kept = nms(rows([rider, bicycle, dog, cat]), np.array([0.9, 0.8, 0.7, 0.6]), np.array([0, 1, 2, 3]))

    assert kept.tolist() == [0, 1, 2]


@given(boxes_of(thinnest=0.05), boxes_of(), side, side, side, side)
def test_a_box_comes_back_from_a_letterboxed_input(
    crop: Box, inner: Box, frame_w: int, frame_h: int, input_w: int, input_h: int
) -> None:
    """The picture's pixels in the input are whole numbers, so there and back is exact but for rounding."""
    fit = letterbox(crop, (frame_w, frame_h), (input_w, input_h))
    to_input = [fit.content_wh[axis] / fit.input_wh[axis] for axis in (0, 1)] * 2

    back = fit.to_frame(rows([inner]) * np.array(to_input, np.float32))

    corner, size = np.array(crop[:2] * 2), np.array([crop[2] - crop[0], crop[3] - crop[1]] * 2)
    np.testing.assert_allclose(back[0], corner + size * np.array(inner), atol=1e-5)


@given(boxes_of(thinnest=0.05), side, side, side, side)
def test_a_letterbox_fits_fills_one_side_and_keeps_the_aspect_ratio(
    crop: Box, frame_w: int, frame_h: int, input_w: int, input_h: int
) -> None:
    width, height = letterbox(crop, (frame_w, frame_h), (input_w, input_h)).content_wh

    assert 1 <= width <= input_w
    assert 1 <= height <= input_h
    assert width == input_w or height == input_h
    crop_w, crop_h = (crop[2] - crop[0]) * frame_w, (crop[3] - crop[1]) * frame_h
    # Both sides are rounded to a pixel, each by half of one at most, and neither below one.
    scale = min(input_w / crop_w, input_h / crop_h)
    assert abs(width - max(1, crop_w * scale)) <= 0.5 + 1e-6
    assert abs(height - max(1, crop_h * scale)) <= 0.5 + 1e-6


NINE, SIXTY_SIX = float(np.float32(0.09)), float(np.float32(0.66))


@example(crop=(NINE, 0.0, SIXTY_SIX, 1.0), wild=WHOLE, width=300, height=300)
@given(boxes_of(thinnest=1e-3), st.tuples(*[st.floats(-3, 3, width=32)] * 4), side, side)
def test_no_box_leaves_its_crop(crop: Box, wild: Box, width: int, height: int) -> None:
    """Models point outside of their input, and a payload promises 0..1: not even a rounding may pass the edge."""
    for fit in (stretch(crop, (width, height)), letterbox(crop, (1920, 1080), (width, height))):
        x1, y1, x2, y2 = fit.to_frame(rows([wild]))[0].tolist()

        assert all(crop[0] <= x <= crop[2] for x in (x1, x2))
        assert all(crop[1] <= y <= crop[3] for y in (y1, y2))


def test_what_lies_in_the_padding_is_cut() -> None:
    fit = letterbox(WHOLE, (1920, 1080), (320, 320))

    assert fit == Fit(WHOLE, (320, 180), (320, 320))
    np.testing.assert_allclose(fit.to_frame(rows([(0.5, 0.25, 1, 1)])), [[0.5, 0.25 * 320 / 180, 1, 1]], rtol=1e-6)


def test_no_boxes_are_no_boxes() -> None:
    none = rows([])

    assert iou(none, none).shape == (0, 0)
    assert nms(none, none[:, 0], none[:, 0]).tolist() == []
    assert stretch(WHOLE, (300, 300)).to_frame(none).shape == (0, 4)


L_SHAPE: tuple[Point, ...] = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.4), (0.4, 0.4), (0.4, 0.9), (0.1, 0.9))


@given(share, share, st.integers(0, 5), st.booleans())
def test_an_l_shaped_zone_contains_its_two_arms_wherever_it_begins(
    x: float, y: float, first: int, backwards: bool
) -> None:
    assume(min(abs(edge - number) for edge in (0.1, 0.4, 0.9) for number in (x, y)) > 1e-6)
    polygon = (*L_SHAPE[first:], *L_SHAPE[:first])

    inside = contains(polygon[::-1] if backwards else polygon, (x, y))

    assert inside == ((0.1 < x < 0.9 and 0.1 < y < 0.4) or (0.1 < x < 0.4 and 0.1 < y < 0.9))


@given(share, share)
def test_a_point_on_a_common_edge_is_in_exactly_one_of_two_zones(x: float, y: float) -> None:
    """Zones that share an edge neither count a thing twice nor lose it."""
    assume(x < 1 and y < 1)
    left: tuple[Point, ...] = ((0, 0), (0.5, 0), (0.5, 1), (0, 1))
    right: tuple[Point, ...] = ((0.5, 0), (1, 0), (1, 1), (0.5, 1))

    assert contains(left, (x, y)) + contains(right, (x, y)) == 1


@pytest.mark.parametrize("turned", range(4))
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(
    "polygon",
    [
        pytest.param([(0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)], id="bow tie"),
        pytest.param([(0.1, 0.1), (0.9, 0.1), (0.5, 0.1), (0.5, 0.9)], id="spike along an edge"),
        pytest.param([(0.3, 0.45), (0.6, 0.6), (0.45, 0.525)], id="no area, but for rounding"),
        pytest.param([(0.1, 0.1), (0.9, 0.1), (0.5, 0.9), (0.5, 0.1)], id="corner on an edge"),
        pytest.param([(0, 0), (0.5, 0.5), (1, 0), (1, 1), (0.5, 0.5), (0, 1)], id="waist of no width"),
    ],
)
def test_a_polygon_that_meets_itself_is_told_wherever_it_begins(
    polygon: list[Point], turned: int, backwards: bool
) -> None:
    turned_polygon = [*polygon[turned:], *polygon[:turned]]

    found = self_crossing(turned_polygon[::-1] if backwards else turned_polygon)

    assert found is not None
    assert found[0] < found[1]


def test_a_self_crossing_names_its_edges_by_their_first_points() -> None:
    assert self_crossing([(0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)]) == (0, 2)
    assert self_crossing([(0.1, 0.1), (0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)]) == (1, 3)


@given(st.integers(0, 5), st.booleans(), st.integers(0, 5))
def test_a_sound_polygon_crosses_itself_nowhere(first: int, backwards: bool, repeated: int) -> None:
    """Nor does one that says a point twice, or closes itself."""
    polygon = [*L_SHAPE[first:], *L_SHAPE[:first]]
    polygon.insert(repeated, polygon[repeated])

    assert self_crossing(polygon[::-1] if backwards else polygon) is None
    assert self_crossing([*polygon, polygon[0]]) is None


@given(st.lists(st.floats(0.1, 1), min_size=3, max_size=12))
def test_a_star_around_a_point_crosses_itself_nowhere(radii: list[float]) -> None:
    angles = np.arange(len(radii)) * 2 * np.pi / len(radii)
    polygon = [(r * float(np.cos(angle)), r * float(np.sin(angle))) for r, angle in zip(radii, angles, strict=True)]

    assert self_crossing(polygon) is None


def test_the_inner_side_is_at_the_right_hand() -> None:
    """Of who walks along the points, as one sees it in the picture: y grows downwards."""
    left_to_right = [(0.0, 0.5), (1.0, 0.5)]

    assert crossings(left_to_right, (0.5, 0.4), (0.5, 0.6)) == 1
    assert crossings(left_to_right, (0.5, 0.6), (0.5, 0.4)) == -1
    assert crossings(left_to_right, (0.4, 0.4), (0.6, 0.4)) == 0
    assert crossings(left_to_right[::-1], (0.5, 0.4), (0.5, 0.6)) == -1


def test_going_around_the_end_of_a_line_crosses_nothing() -> None:
    line = [(0.2, 0.5), (0.8, 0.5)]

    assert [crossings(line, a, b) for a, b in pairwise([(0.7, 0.4), (0.9, 0.4), (0.9, 0.6), (0.7, 0.6)])] == [0, 0, 0]


coarse = st.integers(0, 8).map(lambda eighths: eighths / 8)
"""Few numbers, exact in binary: points fall onto lines, corners and each other all the time."""
places = st.tuples(coarse, coarse)
lines = st.lists(places, min_size=2, max_size=6)


@given(lines, places, places)
def test_a_way_back_crosses_as_often_in_the_other_direction(line: list[Point], a: Point, b: Point) -> None:
    assert crossings(line, b, a) == -crossings(line, a, b) == crossings(line[::-1], a, b)


@given(lines, places, places)
def test_a_step_in_two_halves_crosses_as_often_as_the_whole(line: list[Point], a: Point, b: Point) -> None:
    """Also where the halves meet on the line, or on its corner: nothing is counted twice, nothing is lost."""
    middle = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2

    assert crossings(line, a, middle) + crossings(line, middle, b) == crossings(line, a, b)


@example(ring=[(0.0, 0.0), (0.5, 0.5), (1.0, 0.0)], way=[(0.0, 1.0), (0.5, 0.5), (0.5, 0.25)])
@given(lines, st.lists(places, min_size=1, max_size=6))
def test_who_comes_back_has_left_a_closed_line_as_often_as_entered_it(ring: list[Point], way: list[Point]) -> None:
    closed = [*ring, ring[0]]

    assert sum(crossings(closed, a, b) for a, b in pairwise([*way, way[0]])) == 0


@given(places, places)
def test_a_closed_line_is_crossed_by_who_comes_to_stand_inside(a: Point, b: Point) -> None:
    """L_SHAPE goes around clockwise in the picture, so that inside is at its right hand."""
    assert crossings([*L_SHAPE, L_SHAPE[0]], a, b) == contains(L_SHAPE, b) - contains(L_SHAPE, a)


@given(lines, places)
def test_the_distance_to_a_line_is_that_to_its_nearest_point(line: list[Point], point: Point) -> None:
    steps = np.linspace(0, 1, 201)[:, None]
    along = np.concatenate([np.array(a) + steps * (np.array(b) - np.array(a)) for a, b in pairwise(line)])

    nearest = float(np.hypot(*(along - np.array(point)).T).min())

    assert distance(line, point) <= nearest + 1e-12
    assert nearest <= distance(line, point) + 1 / 200


@given(
    st.lists(st.lists(st.tuples(share, share), min_size=3, max_size=5).map(tuple), min_size=1, max_size=3).map(tuple),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_a_raster_holds_every_pixel_whose_middle_any_polygon_holds(
    polygons: Polygons, size_wh: tuple[int, int]
) -> None:
    drawn = raster(polygons, size_wh)
    width, height = size_wh

    assert drawn.shape == (height, width)
    for y in range(height):
        for x in range(width):
            middle = (x + 0.5) / width, (y + 0.5) / height
            assert drawn[y, x] == 255 or not any(contains(polygon, middle) for polygon in polygons)


def test_a_raster_goes_two_pixels_beyond_its_polygon_and_no_further() -> None:
    drawn = raster((((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6)),), (100, 50))

    rows, columns = np.nonzero(drawn)
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == pytest.approx((37.5, 61.5, 17.5, 31.5), abs=1)


def test_a_polygon_as_thin_as_a_line_is_drawn_too() -> None:
    assert raster((((0.1, 0.5), (0.9, 0.5), (0.5, 0.5)),), (50, 50)).any(axis=0).sum() >= 40
