"""Pages that are no melody on one staff a line are refused in one sentence that says what they are."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hfmusic.reading.staves import find_staves
from hfmusic.reading.verdict import check_page, why_nothing
from hfmusic.testing.pages import turned

from .conftest import draw_page, with_line

MIDDLES = (15.0, 25.0, 41.0, 51.0)  # two and two


def piano(*, through: bool = False) -> np.ndarray:
    """Two systems of two staves: a line where they begin, or bar lines through both."""
    page = draw_page(middles=MIDDLES)
    for upper in (13.0, 39.0):
        for x in (31.0, 79.9) if through else (6.0,):
            page = with_line(page, x, upper, upper + 14)
    return page


@pytest.mark.parametrize("through", [False, True])
@pytest.mark.parametrize("degrees", [0.0, 2.5])
def test_a_grand_staff_is_named(through: bool, degrees: float) -> None:
    found = find_staves(turned(piano(through=through), degrees))
    assert len(found.places) == 4
    with pytest.raises(ValueError, match="^2 systems of 2 staves joined by bar lines, a grand staff; a page of one"):
        check_page(found)


def test_a_score_is_named() -> None:
    page = with_line(draw_page(middles=(13.0, 25.0, 37.0)), 6.0, 11.0, 39.0)
    with pytest.raises(ValueError, match="^a system of 3 staves joined by bar lines, a score; "):
        check_page(find_staves(page))


@pytest.mark.parametrize("degrees", [0.0, -4.0])
def test_a_page_of_one_melody_is_fine(degrees: float) -> None:
    for seed in range(3):
        found = find_staves(turned(draw_page(seed=seed), degrees))
        assert found.places
        check_page(found)


def test_staves_close_together_are_fine() -> None:
    page = draw_page(middles=(15.0, 23.0, 31.0, 39.0))
    found = find_staves(page)
    assert len(found.places) == 4
    check_page(found)


def test_one_mark_between_two_of_many_staves_is_no_system() -> None:
    page = with_line(draw_page(middles=(10.0, 22.0, 34.0, 46.0, 58.0, 70.0, 82.0), size=(90.0, 86.0)), 40.0, 9.0, 24.0)
    found = find_staves(page)
    assert len(found.places) == 7
    check_page(found)


def test_two_pages_side_by_side_are_counted() -> None:
    page = draw_page(size=(70.0, 66.0), right=60.0)
    other = draw_page(size=(70.0, 66.0), right=60.0, middles=(17.0, 30.0, 43.0))
    with pytest.raises(ValueError, match="^two pages side by side, 4 staves on the left and 3 on the right; "):
        check_page(find_staves(np.hstack([page, other])))


def test_one_line_in_two_parts_is_one_page() -> None:
    page = draw_page()
    page[480:600, 400:520] = 255  # before a coda
    found = find_staves(page)
    assert len(found.places) == 5
    check_page(found)


def test_a_photograph_in_the_dark_is_named() -> None:
    rng = np.random.default_rng(0)
    dark = (draw_page() * 0.03 + rng.normal(12, 6, draw_page().shape)).clip(0, 255).astype(np.uint8)
    assert re.match(
        r"no staff found: the picture is too dark, its brightest parts are 1\d % of white$", why_nothing(dark) or ""
    )
    for other in (draw_page(), np.zeros((50, 50), np.uint8), np.full((50, 50), 255, np.uint8)):
        assert why_nothing(other) is None
