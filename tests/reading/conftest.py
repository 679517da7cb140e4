"""Pages drawn line by line: no engraver, and true places for everything."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np


def draw_page(
    *,
    space: float = 10.0,
    middles: Sequence[float] = (15.0, 28.0, 41.0, 54.0),
    left: float = 6.0,
    right: float = 80.0,
    size: tuple[float, float] = (70.0, 86.0),
    line: float = 0.14,
    seed: int = 0,
) -> np.ndarray:
    """Staves with stems, heads and bar lines here and there: uint8 (H, W), 255 = paper, anti-aliased.

    Args:
        space: pixels between staff lines. All else is in staff spaces: rows of the middle lines, left and right end of
            the staves, height and width of the page, thickness of the staff lines.
    """
    rng = np.random.default_rng(seed)
    fine = 4  # drawn so much larger, then shrunk
    page = np.full([round(side * space * fine) for side in size], 255, np.uint8)

    def at(*places: float) -> tuple[int, ...]:
        return tuple(round(place * space * fine) for place in places)

    for middle in middles:
        for offset in range(-2, 3):
            cv2.rectangle(page, at(left, middle + offset - line / 2), at(right, middle + offset + line / 2), 0, -1)
        for x in np.arange(left + 8, right - 1, 2.7):
            y = middle + float(rng.integers(-5, 6)) / 2
            cv2.ellipse(page, at(x, y), at(0.62, 0.48), -20, 0, 360, 0, -1)
            cv2.line(page, at(x + 0.6, y), at(x + 0.6, y - 3.2), 0, max(1, *at(0.12)))
        for x in (left + 25, right):
            cv2.rectangle(page, at(x - 0.1, middle - 2), at(x + 0.1, middle + 2), 0, -1)
        cv2.putText(page, "G", at(left + 0.7, middle + 2), cv2.FONT_HERSHEY_SIMPLEX, space * fine / 7, 0, *at(0.3))
    return cv2.resize(page, None, fx=1 / fine, fy=1 / fine, interpolation=cv2.INTER_AREA)


def with_line(page: np.ndarray, x: float, top: float, bottom: float, *, space: float = 10.0) -> np.ndarray:
    """The page with an upright line, as systems have; places are in staff spaces."""
    lined = page.copy()
    cv2.line(lined, (round(x * space), round(top * space)), (round(x * space), round(bottom * space)), 0, 2)
    return lined
