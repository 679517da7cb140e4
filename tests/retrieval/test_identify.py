"""Votes, lines of quarters against seconds, and confidence."""

from __future__ import annotations

import numpy as np
import pytest

from hfmusic.retrieval.identify import Confidence, Matches, evidence, fit_confidence, identify
from hfmusic.retrieval.index import PLACE


def matches(
    rng: np.random.Generator, *, right: int, count: int = 40, k: int = 5, tempo: float = 2.0, start: float = 16.0
) -> Matches:
    """Excerpts, half a second apart: of each, `right` neighbours are where piece 3 is played, the others anywhere."""
    places = np.zeros(2000, PLACE)
    places["piece"], places["quarter"] = np.arange(2000) // 200, np.arange(2000) % 200
    seconds = np.arange(count) * 0.5
    rows = rng.integers(0, 2000, (count, k))
    rows[:, :right] = (600 + np.round(start + tempo * seconds) % 200)[:, None] + np.arange(right)
    return Matches.of(seconds, np.linspace(0.9, 0.5, k)[None].repeat(count, 0), rows, places)


def test_the_piece_that_was_played_is_first_and_where_it_begins() -> None:
    found = identify(matches(np.random.default_rng(0), right=1))
    first = found[0]
    assert first.piece == 3
    assert first.aligned > 0.9 > 0.6 > found[1].aligned
    assert first.quarter == pytest.approx(16, abs=1) and first.seconds == 0
    assert first.tempo == pytest.approx(120, rel=0.08)
    assert first.confidence > 0.8 > found[1].confidence


def test_a_line_beats_votes_that_lie_anywhere() -> None:
    rng = np.random.default_rng(1)
    told = matches(rng, right=1)
    rows = told.rows.reshape(40, 5)
    rows[:, 1:4] = rng.integers(1000, 1200, (40, 3))  # piece 5: more votes, no line
    places = np.zeros(2000, PLACE)
    places["piece"], places["quarter"] = np.arange(2000) // 200, np.arange(2000) % 200
    told = Matches.of(np.arange(40) * 0.5, np.full((40, 5), 0.7), rows, places)
    assert identify(told, ranking="votes")[0].piece == 5
    assert identify(told)[0].piece == 3


def test_chance_is_not_sure() -> None:
    found = identify(matches(np.random.default_rng(2), right=0))
    assert len(found) == 10
    assert found[0].confidence < 0.2


def test_nothing_matched() -> None:
    nothing = Matches.of(np.zeros(2), np.zeros((2, 3)), np.full((2, 3), -1), np.zeros(4, PLACE))
    assert identify(nothing) == []


def test_one_excerpt_votes_without_a_line() -> None:
    found = identify(matches(np.random.default_rng(3), right=3, count=1))
    assert found[0].piece == 3 and found[0].votes >= 3 and found[0].aligned == 0


def test_confidence_is_fitted() -> None:
    rng = np.random.default_rng(4)
    rows, right = [], []
    for number in range(60):
        found = identify(matches(rng, right=number % 2))
        rows.append(evidence(found))
        right.append(number % 2 == 1)
    fitted = fit_confidence(rows, right)
    told = [fitted.of(row) for row in rows]
    assert min(p for p, good in zip(told, right, strict=True) if good) > 0.5
    assert max(p for p, good in zip(told, right, strict=True) if not good) < 0.5
    with pytest.raises(ValueError, match="right and wrong answers, got 2 of 2 right"):
        fit_confidence(rows[:2], [True, True])


def test_confidence_stays_between_0_and_1() -> None:
    assert 0 <= Confidence(bias=-1e9).of({}) < Confidence(bias=1e9).of({}) <= 1
