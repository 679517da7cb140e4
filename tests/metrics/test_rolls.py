"""Paper 004's transcription measure, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hfmusic.metrics.rolls import roll_overlap


def test_the_same_nothing_and_half() -> None:
    roll = np.random.default_rng(0).random((5, 128, 24)) < 0.02
    assert roll_overlap(roll, roll) == {"tm": 1.0, "tm_paper": math.inf}
    assert roll_overlap(roll, ~roll) == {"tm": 0.0, "tm_paper": 0.0}
    assert roll_overlap(np.zeros((2, 4)), np.zeros((2, 4)))["tm"] == 1
    found = roll_overlap([[1, 1, 0, 0], [0, 0.5, 0, 0]], [[1, 0, 0, 1], [0, 1, 0, 0]])
    assert found == {"tm": 0.5, "tm_paper": 1.0}  # 2 in both, 1 missed, 1 added: over all rolls, not a mean of each


def test_shapes() -> None:
    with pytest.raises(ValueError, match=r"as large as those found, got \(2, 3\) and \(3, 2\)"):
        roll_overlap(np.zeros((2, 3)), np.zeros((3, 2)))
