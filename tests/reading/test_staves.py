"""All staves of a page are found and cut out, whatever its size, light and lean."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hfmusic.models.image_features import find_staff, normalise_ink
from hfmusic.reading.light import flatten
from hfmusic.reading.staves import find_staves
from hfmusic.reading.straighten import lean_of, mapped, turned_level
from hfmusic.testing.pages import curled, photographed, turned

from .conftest import draw_page

MIDDLES = (15.0, 28.0, 41.0, 54.0)


def found_middles(pixels: np.ndarray, space: float) -> list[float]:
    """Middle rows of the staves found on a page that lies straight, in staff spaces."""
    places = find_staves(pixels).places
    assert all(place.space == pytest.approx(space, rel=0.06) for place in places)
    return [float(np.median(place.rows)) / space for place in places]


@pytest.mark.parametrize("space", [5.0, 7.0, 10.0, 20.5, 41.0])
def test_staves_of_any_size_are_found_in_order(space: float) -> None:
    assert found_middles(draw_page(space=space), space) == pytest.approx(MIDDLES, abs=0.25)


@pytest.mark.parametrize("line", [0.05, 0.3])
def test_thin_and_thick_lines(line: float) -> None:
    assert found_middles(draw_page(line=line), 10.0) == pytest.approx(MIDDLES, abs=0.25)


@pytest.mark.parametrize("degrees", [-5.0, -1.3, 0.4, 5.0])
def test_a_turned_page_keeps_its_staves(degrees: float) -> None:
    space = 9.0
    page = turned(draw_page(space=space), degrees)
    found = find_staves(page)
    assert found.lean == pytest.approx(-degrees, abs=0.3)
    back = cv2.getRotationMatrix2D((page.shape[1] / 2, page.shape[0] / 2), -degrees, 1.0)
    assert len(found.places) == len(MIDDLES)
    for place, middle in zip(found.places, MIDDLES, strict=True):
        _, rows = mapped(back, place.columns, place.rows)
        assert rows / space == pytest.approx(np.full(len(rows), middle), abs=0.4)


@pytest.mark.parametrize("seed", range(4))
def test_a_photographed_page_keeps_its_staves(seed: int) -> None:
    page = draw_page(space=10.0)
    picture = photographed(page, np.random.default_rng(seed))
    places = find_staves(picture).places
    assert len(places) == len(MIDDLES)
    bands = np.full_like(page, 255)
    for number, middle in enumerate(MIDDLES):
        bands[round(middle * 10) - 2 : round(middle * 10) + 3] = 40 * number
    bands = curled(bands, np.random.default_rng(seed))
    for number, place in enumerate(places):
        inner = slice(2, -2)
        there = bands[np.round(place.rows[inner]).astype(int), np.round(place.columns[inner]).astype(int)]
        assert np.median(there) == pytest.approx(40 * number, abs=3)


def test_white_on_black_and_darkness_change_nothing() -> None:
    page = draw_page()
    for picture in (255 - page, (page * 0.25 + 8).astype(np.uint8)):
        assert found_middles(picture, 10.0) == pytest.approx(MIDDLES, abs=0.25)


def test_short_staves_and_gaps() -> None:
    page = draw_page(right=20.0, size=(70.0, 86.0))
    assert len(find_staves(page).places) == 4
    page = draw_page()
    page[:, 400:440] = 255  # rubbed off through all of them
    assert found_middles(page, 10.0) == pytest.approx(MIDDLES, abs=0.25)


def test_staves_side_by_side_are_read_from_left_to_right() -> None:
    page = draw_page(middles=(15.0, 41.0))
    page[:, 400:520] = 255
    boxes = [place.box for place in find_staves(page).places]
    assert [box[0] < 300 for box in boxes] == [True, False, True, False]
    assert boxes[0][3] < boxes[2][1]


def pictures_without_staves() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    text = np.full((900, 700), 255, np.uint8)
    for row in range(40, 880, 26):
        words = "".join(rng.choice(list("aemnostu ")) for _ in range(60))
        cv2.putText(text, words, (30, row), cv2.FONT_HERSHEY_COMPLEX, 0.6, 0, 1)
    ruled = np.full((900, 700), 255, np.uint8)
    ruled[60:860:30] = 0
    table = ruled.copy()
    table[60:860, ::70] = 0
    return {
        "blank": np.full((600, 500), 255, np.uint8),
        "black": np.zeros((600, 500), np.uint8),
        "noise": rng.integers(0, 256, (600, 500)).astype(np.uint8),
        "text": text,
        "tiny": np.zeros((3, 3), np.uint8),
        "flat": np.full((40, 3000), 200, np.uint8),
    }


@pytest.mark.parametrize("name", list(pictures_without_staves()))
def test_no_staves_where_there_are_none(name: str) -> None:
    assert find_staves(pictures_without_staves()[name]).places == ()


def test_text_among_staves_is_no_staff() -> None:
    page = draw_page(middles=(15.0, 41.0))
    for row in (20, 40, 205, 255, 300, 560, 640):
        cv2.putText(page, "Allegro ma non troppo, e poi presto", (60, row), cv2.FONT_HERSHEY_COMPLEX, 0.9, 0, 2)
    assert found_middles(page, 10.0) == pytest.approx([15.0, 41.0], abs=0.25)


@pytest.mark.parametrize("degrees", [0.0, 3.0])
def test_a_strip_is_the_staff_alone_and_level(degrees: float) -> None:
    found = find_staves(turned(draw_page(), degrees))
    strip = found.strip(1)
    staff = find_staff(normalise_ink(strip))
    assert staff.space == pytest.approx(10.0, rel=0.03)
    assert np.ptp(staff.middle[staff.left + 40 : staff.right - 40]) < 2.5
    assert staff.middle.mean() == pytest.approx(strip.shape[0] / 2, abs=4)
    middle = round(strip.shape[0] / 2)
    assert strip.shape[0] < 170
    assert (strip[: middle - 68] == 255).all() and (strip[middle + 68 :] == 255).all()  # 6.5 spaces to either side


def test_places_of_the_strip_and_of_the_page_agree() -> None:
    found = find_staves(turned(draw_page(), 4.0))
    place = found.places[2]
    strip_x = np.array([100.0, 500.0])
    x, y = mapped(place.to_page, strip_x, np.full(2, place.size[1] / 2))
    assert y == pytest.approx([place.middle_at(value) for value in x], abs=4)
    left, top, right, bottom = place.box_of((100.0, 500.0))
    assert (left, right) == pytest.approx(tuple(x), abs=3)
    assert bottom - top == pytest.approx(4 * place.space + abs(y[1] - y[0]), abs=4)


def test_large_pages_are_cut_out_at_the_size_they_are_read_at() -> None:
    found = find_staves(draw_page(space=36.0))
    assert found.scale == pytest.approx(0.5, abs=0.01)
    assert found.strip(0).shape[0] == pytest.approx(16 * 18, abs=12)
    assert found.places[0].box[1] == pytest.approx((15 - 2) * 36, abs=8)


def test_light_is_made_even() -> None:
    page = draw_page()
    shade = np.linspace(0.35, 1.0, page.shape[1])[None]
    flat = flatten((page * shade).astype(np.uint8))
    assert np.abs(flat.astype(int) - flatten(page)).mean() < 6
    assert np.median(flat) == 255
    assert flatten(np.full((50, 60), 90, np.uint8)).min() == 255


def test_lean_of_lines() -> None:
    ink = (255 - turned(draw_page(), -2.4)).astype(np.float32) / 255
    assert lean_of(ink) == pytest.approx(2.4, abs=0.2)
    level, back = turned_level(ink, 2.4, 0.0)
    assert lean_of(level) == pytest.approx(0.0, abs=0.2)
    x, y = mapped(back, level.shape[1] / 2, level.shape[0] / 2)
    assert (float(x), float(y)) == pytest.approx((ink.shape[1] / 2, ink.shape[0] / 2), abs=1)
