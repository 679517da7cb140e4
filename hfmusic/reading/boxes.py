"""A picture for seeing what was found on a page: its staves in boxes, numbered in the order they are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from .pages import open_pages
from .staves import StaffPlace, find_staves

_COLOUR = (200, 90, 0)  # blue, green, red: a blue that ink is not
_SIDE = 2400  # pixels of the longer side at most


def draw_boxes(pixels: np.ndarray, places: Sequence[StaffPlace]) -> np.ndarray:
    """A page picture, uint8 (H, W), with its staves marked: uint8 (H', W', 3), red first.

    A thick line follows each middle line, a box stands around the five lines, a number at the left tells the order.
    """
    scale = min(1.0, _SIDE / max(pixels.shape))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    picture = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR)
    for number, place in enumerate(places, start=1):
        pen = max(1, round(0.2 * place.space * scale))
        upper = _points(place, -2.5, scale)
        outline = np.concatenate([upper, _points(place, 2.5, scale)[::-1]])
        cv2.polylines(picture, [outline], True, _COLOUR, pen, cv2.LINE_AA)
        cv2.polylines(picture, [_points(place, 0, scale)], False, _COLOUR, pen, cv2.LINE_AA)
        _write(picture, str(number), upper[0], 2.2 * place.space * scale, pen)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _points(place: StaffPlace, spaces: float, scale: float) -> np.ndarray:
    """The line this many spaces below the middle one, int32 (n, 2)."""
    rows = place.rows + spaces * place.space
    return np.round(np.stack([place.columns, rows], axis=1) * scale).astype(np.int32)


def _write(picture: np.ndarray, text: str, corner: np.ndarray, height: float, pen: int) -> None:
    size = max(0.3, height / 22)
    at = (int(corner[0]), int(corner[1]) - 2 * pen)
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 5 * pen, cv2.LINE_AA)
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, _COLOUR, 2 * pen, cv2.LINE_AA)


def boxes_png(pixels: np.ndarray, places: Sequence[StaffPlace]) -> bytes:
    """`draw_boxes` as a PNG."""
    _, data = cv2.imencode(".png", cv2.cvtColor(draw_boxes(pixels, places), cv2.COLOR_RGB2BGR))
    return data.tobytes()


def found_boxes(path: str | Path) -> list[bytes]:
    """The staves found on each page of a file, as PNGs: for pages that cannot be read, as they lie.

    Raises:
        ValueError: what `open_pages` raises.
    """
    return [boxes_png(pixels, find_staves(pixels).places) for pixels in open_pages(path)]
