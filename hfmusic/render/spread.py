"""Places for labels in rows: as near to where they belong as they can be, in order and never over each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_USUAL_ROWS = 4


def spread(targets: np.ndarray, widths: np.ndarray, extent: float) -> np.ndarray | None:
    """Centres (N,) nearest to `targets` (N,), by least squares, of items of `widths` (N,) that lie in 0 to `extent`.

    They keep their order and touch at most. None: together they are wider than `extent`.

    >>> spread(np.array([5.0, 6.0]), np.array([4.0, 4.0]), 20.0).tolist()
    [3.5, 7.5]
    """
    if not len(targets):
        return np.zeros(0)
    # Without the room that the items before take, order alone is asked for: isotonic regression.
    offsets = np.concatenate([[0.0], np.cumsum((widths[1:] + widths[:-1]) / 2)])
    least, most = widths[0] / 2, extent - widths[-1] / 2 - offsets[-1]
    if least > most + 1e-9:
        return None
    return np.clip(_isotonic(targets - offsets), least, most) + offsets


def _isotonic(values: np.ndarray) -> np.ndarray:
    """The nearest row of numbers that never falls: neighbours that fall are pooled to their mean."""
    means: list[float] = []
    counts: list[int] = []
    for value in values.tolist():
        means.append(value)
        counts.append(1)
        while len(means) > 1 and means[-2] > means[-1]:
            mean, count = means.pop(), counts.pop()
            means[-1] = (means[-1] * counts[-1] + mean * count) / (counts[-1] + count)
            counts[-1] += count
    return np.repeat(means, counts)


@dataclass(frozen=True)
class LabelRows:
    """Labels in rows above each other, row 0 the lowest.

    `row_of` (N,) is each label's row. `centres[r]` holds the label's own centres in row r, and those where the leader
    lines of the labels above it pass; NaN for the labels below. All in the labels' order.
    """

    row_of: np.ndarray
    centres: tuple[np.ndarray, ...]


def in_rows(targets: np.ndarray, widths: np.ndarray, extent: float, *, lane: float, furthest: float) -> LabelRows:
    """Puts labels (N,) above `targets` (N,) in few rows.

    A label goes up a row where it would be moved further than `furthest` below, and has a gap of `lane` in each row
    that its leader line passes. Four rows are enough, or as many as hold all labels.

    Raises:
        ValueError: a label is wider than `extent`.
    """
    most = min(_USUAL_ROWS, max(1, len(targets)))
    row_of = _rows_by_need(targets, widths, most, furthest)
    while (centres := _centres(targets, widths, extent, row_of, lane)) is None:
        most += 1
        if most > 2 * len(targets) + _USUAL_ROWS:
            raise ValueError(f"a label of {widths.max():g} pixels is wider than the {extent:g} there are")
        row_of = np.arange(len(targets)) % most
        lane = 0.0
    return LabelRows(row_of, centres)


def _rows_by_need(targets: np.ndarray, widths: np.ndarray, most: int, furthest: float) -> np.ndarray:
    """The lowest row that is free near each target, else the one that is free soonest."""
    free_from = np.full(most, -np.inf)
    row_of = np.zeros(len(targets), int)
    for index, (target, width) in enumerate(zip(targets, widths, strict=True)):
        moved = np.maximum(free_from - (target - width / 2), 0.0)
        near = np.flatnonzero(moved <= furthest)
        row = int(near[0]) if len(near) else int(moved.argmin())
        row_of[index] = row
        free_from[row] = target + width / 2 + moved[row]
    return row_of


def _centres(
    targets: np.ndarray, widths: np.ndarray, extent: float, row_of: np.ndarray, lane: float
) -> tuple[np.ndarray, ...] | None:
    """See `LabelRows`; None: a row is too full."""
    rows: list[np.ndarray] = []
    for row in range(int(row_of.max(initial=0)) + 1):
        through = row_of >= row
        wanted = targets if row == 0 else rows[-1]  # a leader line goes straight on from the row below
        found = spread(wanted[through], np.where(row_of == row, widths, lane)[through], extent)
        if found is None:
            return None
        rows.append(np.full(len(targets), np.nan))
        rows[-1][through] = found
    return tuple(rows)
