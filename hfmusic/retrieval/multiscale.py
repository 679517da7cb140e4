"""Alignment of long sequences in bounded memory: a coarse path first, then finer ones in a band around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .dtw import BALANCED, Band, Ends, Jumps, Path, Steps, warp

WHOLE_CELLS = 12_000_000  # up to this size the whole matrix is searched
_FACTOR = 5  # from one scale to the next
_BAND = 5  # cells of the coarser scale to both sides of its path

Shrink = Callable[[np.ndarray, int], np.ndarray]


def warp_multiscale(
    rows: np.ndarray,
    columns: np.ndarray,
    *,
    shrink: Shrink,
    steps: Steps = BALANCED,
    skip: float | None = None,
    jumps: Jumps | None = None,
    whole_cells: int = WHOLE_CELLS,
) -> Path:
    """As `warp`, of sequences of any length: 60 minutes of 25 frames a second need some 20 MB of cells.

    Args:
        rows, columns: feature vectors (N, d) and (M, d).
        shrink: gives the features of every n frames together: (N, d), n -> (ceil(N / n), d).
        skip: rows and columns may be left out at both ends, each for this share of what frames cost that do not belong
            together (the median of chance). None: the path goes from corner to corner.
        jumps: leaps, in columns; `penalty` is in frames that do not belong together.

    Raises:
        ValueError: see `warp`.
    """
    factor = 1
    while (len(rows) / factor) * (len(columns) / factor) > whole_cells:
        factor *= _FACTOR
    small_rows, small_columns = shrink(rows, factor), shrink(columns, factor)
    path = _coarsest(small_rows, small_columns, steps, skip, jumps, factor)
    while factor > 1:
        factor //= _FACTOR
        path = _refined(path, shrink(rows, factor), shrink(columns, factor), steps)
    return path


def chance_cost(rows: np.ndarray, columns: np.ndarray) -> float:
    """The median squared distance of a row and a column that do not belong together: of 4,096 drawn evenly."""
    numbers = np.arange(4096)
    apart = rows[(numbers * 7919) % len(rows)] - columns[(numbers * 104729) % len(columns)]
    return float(np.median(np.einsum("nd,nd->n", apart, apart)))


def _coarsest(
    rows: np.ndarray, columns: np.ndarray, steps: Steps, skip: float | None, jumps: Jumps | None, factor: int
) -> Path:
    chance = chance_cost(rows, columns)
    ends = None if skip is None else Ends(row=skip * chance, column=skip * chance)
    if jumps is not None:
        sources, targets = (
            np.unique(np.minimum(at // factor, len(columns) - 1)) for at in (jumps.sources, jumps.targets)
        )
        jumps = Jumps(sources, targets, jumps.penalty * chance / factor)
    return warp(rows, columns, steps=steps, ends=ends, jumps=jumps)


def _refined(path: Path, rows: np.ndarray, columns: np.ndarray, steps: Steps) -> Path:
    """The path at a finer scale, passage by passage."""
    found: list[Path] = []
    breaks: list[int] = []
    for piece in path.pieces():
        top, bottom = int(piece.rows[0]) * _FACTOR, min((int(piece.rows[-1]) + 1) * _FACTOR, len(rows))
        left, right = int(piece.columns[0]) * _FACTOR, min((int(piece.columns[-1]) + 1) * _FACTOR, len(columns))
        band = _band(piece, bottom - top, right - left)
        fine = warp(rows[top:bottom], columns[left:right], steps=steps, band=band)
        breaks.append(sum(len(one.rows) for one in found))
        found.append(replace(fine, rows=fine.rows + top, columns=fine.columns + left))
    lengths = np.array([len(one.rows) for one in found])
    return Path(
        np.concatenate([one.rows for one in found]),
        np.concatenate([one.columns for one in found]),
        sum(one.cost for one in found),
        float(np.average([one.mean for one in found], weights=lengths)),
        np.array(breaks[1:], np.int64),
    )


def _band(piece: Path, height: int, width: int) -> Band:
    """The cells around a coarser path, from corner to corner of the part that it passes."""
    own_rows, own_columns = piece.rows - piece.rows[0], piece.columns - piece.columns[0]
    lowest, highest = (np.zeros(int(own_rows[-1]) + 1, np.int64) for _ in range(2))
    lowest[own_rows[::-1]] = own_columns[::-1]  # the last writing stays: the first column of each row
    highest[own_rows] = own_columns
    reach = np.arange(len(lowest))
    lowest = lowest[np.maximum(reach - _BAND, 0)] - _BAND
    highest = highest[np.minimum(reach + _BAND, len(highest) - 1)] + _BAND
    first = np.repeat(np.maximum(lowest, 0) * _FACTOR, _FACTOR)[:height]
    last = np.repeat(np.minimum((highest + 1) * _FACTOR, width), _FACTOR)[:height]
    first = np.minimum(first, width - 1)
    first[0], last[-1] = 0, width
    return first, np.maximum(last, first + 1)
