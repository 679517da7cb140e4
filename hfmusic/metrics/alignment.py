"""How far a recording followed in a score is from where it is: errors at the notes' onsets, in widths of a page.

As paper 003's section 6 and its public code measure it, a piece being one row of unrolled systems: at each onset, the
pixels between where the notes' heads are and where the map from seconds to pixels says, over the page's width.
Deviation from that code: onsets before the map's first point or after its last are measured against that point (there
they count as error 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

PAGE_WIDTH = 835  # pixels, of the paper's pages and of ours
NEAR = (0.01, 0.05)  # page widths: a note's head is about 0.01 wide


def alignment_errors(
    onset_seconds: Any, places: Any, map_seconds: Any, map_places: Any, *, width: float = PAGE_WIDTH
) -> np.ndarray:
    """Absolute errors at onsets, float64 (N,) in page widths.

    Args:
        onset_seconds: (N,) of the recording.
        places: (N,) pixels in the row where they are written.
        map_seconds, map_places: (M,) points of the map, seconds ascending; between them it is a line.
        width: pixels of a page.

    Raises:
        ValueError: no onsets, no map, unequal lengths, seconds that go back, or numbers that are not finite.

    >>> alignment_errors([0.5, 9.0], [10, 30], [0, 1, 2], [0, 10, 20], width=100).tolist()
    [0.05, 0.1]
    """
    onsets, wanted = _columns(onset_seconds, places, "onsets")
    seconds, found = _columns(map_seconds, map_places, "points of the map")
    if (np.diff(seconds) < 0).any():
        raise ValueError("a map's seconds must ascend, got some that go back")
    if width <= 0:
        raise ValueError(f"a page's width must be positive, got {width}")
    return np.abs(np.interp(onsets, seconds, found) - wanted) / width


def linear_map(begin_seconds: float, end_seconds: float, begin: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """The baseline: a straight line from one moment and place to another, as a map of two points.

    The paper's, a diagonal of the distance matrix, goes from the beginning of the recording and of the row to their
    ends. One from the first onset to the last is told more than an alignment knows, and is harder to beat.

    >>> seconds, places = linear_map(1, 5, 100, 900)
    >>> alignment_errors([2], [200], seconds, places, width=100).tolist()
    [1.0]
    """
    return np.array([begin_seconds, end_seconds], np.float64), np.array([begin, end], np.float64)


def alignment_scores(errors: Sequence[Any]) -> dict[str, float]:
    """Median, quartiles and mean over the onsets of all pieces, and the shares within `NEAR` page widths.

    Args:
        errors: of each piece, as `alignment_errors` gives them.

    Returns:
        "median", "lower_quartile", "upper_quartile" and "mean" in page widths; "within_0.01" and "within_0.05", 0..1;
        "median_of_pieces": the median of the pieces' own medians, in which long pieces count no more than short ones;
        the numbers of "onsets" and "pieces".

    Raises:
        ValueError: no pieces, or one without onsets.
    """
    pieces = [np.asarray(one, np.float64) for one in errors]
    if not pieces or not all(one.size for one in pieces):
        raise ValueError("alignment is measured on at least one piece, each with onsets")
    joined = np.concatenate(pieces)
    lower, median, upper = np.percentile(joined, (25, 50, 75)).tolist()
    return {
        "median": median,
        "lower_quartile": lower,
        "upper_quartile": upper,
        "mean": float(joined.mean()),
        **{f"within_{near}": float(np.mean(joined <= near)) for near in NEAR},
        "median_of_pieces": float(np.median([np.median(one) for one in pieces])),
        "onsets": len(joined),
        "pieces": len(pieces),
    }


def _columns(first: Any, second: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    pair = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if pair[0].ndim != 1 or pair[0].shape != pair[1].shape or not pair[0].size:
        raise ValueError(f"{name} must be as many seconds as places, got {pair[0].shape} and {pair[1].shape}")
    if not all(np.isfinite(one).all() for one in pair):
        raise ValueError(f"{name} must be finite numbers")
    return pair
