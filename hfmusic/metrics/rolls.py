"""How much of a piano roll another one has: paper 004's transcription measure.

Of cells that sound in both (TP), only in the one that was found (FP), and only in the right one (FN), summed over all
pairs of rolls. The paper prints TP / (FP + FN), which has no upper end; its public code divides by TP + FP + FN, the
Jaccard index, which is 1 for what is the same. What sounds in neither counts nowhere: rolls are nearly empty.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def roll_overlap(wanted: Any, found: Any) -> dict[str, float]:
    """Of rolls (..., N) that stand for each other, each cell sounding or not.

    Returns:
        "tm": the Jaccard index, 0..1, and 1 where nothing sounds in either. "tm_paper": as the paper prints it,
        infinite where nothing is wrong.

    Raises:
        ValueError: arrays of different shapes.

    >>> roll_overlap([[1, 1, 0, 0]], [[1, 0, 1, 0]])["tm"], roll_overlap([[1, 1, 0]], [[1, 0, 1]])["tm_paper"]
    (0.3333333333333333, 0.5)
    """
    right, other = np.asarray(wanted) > 0, np.asarray(found) > 0
    if right.shape != other.shape:
        raise ValueError(f"rolls must be as many and as large as those found, got {right.shape} and {other.shape}")
    both, wrong = int((right & other).sum()), int((right ^ other).sum())
    paper = both / wrong if wrong else float("inf")
    return {"tm": both / (both + wrong) if both + wrong else 1.0, "tm_paper": paper}
