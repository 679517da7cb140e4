"""Errors of a followed score by hand: between points, beyond the ends, the baseline."""

from __future__ import annotations

import numpy as np
import pytest

from hfmusic.metrics.alignment import alignment_errors, alignment_scores, linear_map


def test_errors_by_hand() -> None:
    errors = alignment_errors([0.0, 1.0, 2.5, 4.0], [50, 100, 300, 500], [0.5, 1.5, 3.5], [50, 150, 350])
    # before the first point 50, halfway 100, halfway 250, after the last one 350
    assert errors.tolist() == pytest.approx([0, 0, 50 / 835, 150 / 835])


def test_a_map_may_stand_still_and_jump() -> None:
    errors = alignment_errors([0.5, 1.5], [0, 100], [0, 1, 1, 2], [0, 0, 100, 100], width=100)
    assert errors.tolist() == [0, 0]


def test_the_line_is_exact_at_an_even_tempo() -> None:
    onsets = np.arange(2.0, 12.0)
    places = 40 + 30 * onsets
    assert alignment_errors(onsets, places, *linear_map(2, 11, places[0], places[-1])).max() < 1e-12
    assert alignment_errors(onsets, places, *linear_map(0, 12, 0, 400), width=400).max() > 0.05


def test_scores_count_onsets_and_pieces() -> None:
    scores = alignment_scores([np.array([0.0, 0.02, 0.04, 0.06]), np.array([0.2])])
    assert scores["median"] == pytest.approx(0.04) and scores["mean"] == pytest.approx(0.064)
    assert scores["lower_quartile"] == pytest.approx(0.02) and scores["upper_quartile"] == pytest.approx(0.06)
    assert scores["within_0.01"] == pytest.approx(1 / 5) and scores["within_0.05"] == pytest.approx(3 / 5)
    assert scores["median_of_pieces"] == pytest.approx((0.03 + 0.2) / 2)
    assert (scores["onsets"], scores["pieces"]) == (5, 2)


def test_wrong_things_are_told() -> None:
    with pytest.raises(ValueError, match=r"onsets must be as many seconds as places, got \(2,\) and \(1,\)"):
        alignment_errors([0, 1], [0], [0], [0])
    with pytest.raises(ValueError, match="points of the map must be as many seconds as places"):
        alignment_errors([0], [0], [], [])
    with pytest.raises(ValueError, match="a map's seconds must ascend"):
        alignment_errors([0], [0], [1, 0], [0, 1])
    with pytest.raises(ValueError, match="onsets must be finite"):
        alignment_errors([np.nan], [0], [0], [0])
    with pytest.raises(ValueError, match="width must be positive, got 0"):
        alignment_errors([0], [0], [0], [0], width=0)
    for pieces in ([], [np.array([])]):
        with pytest.raises(ValueError, match="at least one piece, each with onsets"):
            alignment_scores(pieces)
