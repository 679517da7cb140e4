"""A picture of staves cut open above each of them, to make room for what is written there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

_STEEPEST = 0.15
_TRIED = 40
_INK = 190
# The cut may be this far above a staff before nearness counts for more than empty paper, in heights of the staff.
_USUAL_DISTANCE = 0.7


@dataclass(frozen=True)
class Cut:
    """A straight line through a picture: it passes row `start + slope * x` in column x."""

    start: float
    slope: float

    def at(self, x: float) -> float:
        return self.start + self.slope * x

    def across(self, columns: np.ndarray) -> np.ndarray:
        """Its row in each of the columns."""
        return self.start + self.slope * columns


def staff_rows(boxes: np.ndarray) -> list[np.ndarray]:
    """Indices of the boxes (N, 4: left, top, right, bottom) of each staff, staves from the top: a new one begins where
    reading goes back to the left and to other rows."""
    rows: list[list[int]] = []
    for index, (left, top, _, bottom) in enumerate(boxes):
        if rows:
            before = boxes[rows[-1][-1]]
            common = min(bottom, before[3]) - max(top, before[1])
            if left > before[0] or common > 0.5 * min(bottom - top, before[3] - before[1]):
                rows[-1].append(index)
                continue
        rows.append([index])
    return sorted((np.array(row) for row in rows), key=lambda row: float(boxes[row, 1].mean()))


def cuts_above(grey: np.ndarray, boxes: np.ndarray, rows: Sequence[np.ndarray]) -> list[Cut]:
    """For each staff, the line just above it that crosses the least ink; it slopes as the staff does.

    Args:
        grey: uint8 (H, W), 255 = paper, in even light.
        boxes, rows: see `staff_rows`; rows in order from the top.
    """
    columns = np.arange(0, grey.shape[1], max(1, grey.shape[1] // 400))
    cuts: list[Cut] = []
    floor = Cut(0.0, 0.0)  # the bottom of what is above
    for row in rows:
        own = boxes[row]
        top, bottom = upper_edge(own), lower_edge(own)
        height = max(1.0, float(np.mean(own[:, 3] - own[:, 1])))
        room = max(0.0, float(np.min(top.across(columns) - floor.across(columns))))
        distances = np.linspace(0.0, min(room, 3 * height), _TRIED)
        paths = np.clip(top.across(columns) - distances[:, None], 0, grey.shape[0] - 1).astype(int)
        crossed = (grey[paths, columns] < _INK).mean(axis=1)
        cost = 5 * crossed + 0.02 * np.abs(distances / height - _USUAL_DISTANCE)
        cuts.append(Cut(top.start - float(distances[np.argmin(cost)]), top.slope))
        floor = bottom
    return cuts


def upper_edge(boxes: np.ndarray) -> Cut:
    """The line along the tops of a staff's boxes (N, 4) that passes none of them."""
    return _along(boxes, boxes[:, 1], np.min)


def lower_edge(boxes: np.ndarray) -> Cut:
    """The line along the bottoms of a staff's boxes."""
    return _along(boxes, boxes[:, 3], np.max)


def _along(boxes: np.ndarray, edges: np.ndarray, outermost: Callable[[np.ndarray], float]) -> Cut:
    centres = (boxes[:, 0] + boxes[:, 2]) / 2
    slope = 0.0
    if np.ptp(centres) > 4 * np.mean(boxes[:, 3] - boxes[:, 1]):
        slope = float(np.clip(np.polyfit(centres, edges, 1)[0], -_STEEPEST, _STEEPEST))
    return Cut(float(outermost(edges - slope * centres)), slope)


def open_up(grey: np.ndarray, cuts: Sequence[Cut], rooms: Sequence[int]) -> tuple[np.ndarray, list[int]]:
    """The picture with `rooms[k]` empty rows let in at `cuts[k]`, and by how many rows what follows each cut moved."""
    height, width = grey.shape
    columns = np.arange(width)
    edges = np.maximum.accumulate([np.full(width, -1.0), *[cut.across(columns) for cut in cuts]])
    edges = np.round(np.clip(edges, 0, height)).astype(int)
    below = [*edges[1:], np.full(width, height)]
    shifts = [0, *np.cumsum(rooms).tolist()]
    canvas = np.full((height + shifts[-1], width), 255, np.uint8)
    for upper, lower, shift in zip(edges, below, shifts, strict=True):
        first, last = int(upper.min()), int(lower.max())
        lines = np.arange(first, last)[:, None]
        np.copyto(canvas[first + shift : last + shift], grey[first:last], where=(lines >= upper) & (lines < lower))
    return canvas, shifts[1:]
