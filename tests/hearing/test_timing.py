"""Notes on onsets and full measures, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfmusic.hearing.timing import fit_onsets, full_measures, read_notes


@pytest.mark.parametrize(
    ("text", "tokens", "quarters"),
    [
        ("", [], []),
        ("clef-G2 note-C4_quarter rest-half note-D4_quarter", [1, 3], [0, 3]),
        ("note-C4_quarter tie barline note-C4_quarter note-D4_quarter", [0, 4], [0, 2]),
        # a tie between two pitches is none
        ("note-C4_quarter tie note-D4_quarter", [0, 2], [0, 1]),
        ("note-C4_quarter tie rest-quarter note-C4_quarter", [0, 3], [0, 2]),
        ("gracenote-C4_eighth note-D4_quarter note-E4_quarter", [1, 2], [0, 1]),
        ("timeSignature-3/4 multirest-2 barline note-E4_quarter", [3], [6]),
    ],
)
def test_where_notes_begin(text: str, tokens: list[int], quarters: list[float]) -> None:
    found = read_notes(text.split())
    assert found.tokens == tokens
    assert found.quarters.tolist() == quarters


def test_full_measures() -> None:
    assert full_measures("timeSignature-2/4 note-C4_quarter barline note-C4_half barline".split()) == 1.0
    # the first measure may be an upbeat, the last may stop short; of the two between one is full
    tokens = "timeSignature-2/4 note-C4_half barline note-C4_half barline note-C4_quarter barline note-C4_half".split()
    assert full_measures(tokens) == 0.5
    assert full_measures(["note-C4_half", "barline", "note-C4_half", "barline"]) is None
    assert full_measures([]) is None


def test_a_perfect_fit() -> None:
    quarters = np.array([0.0, 1, 1.5, 2, 4])
    fit = fit_onsets(quarters, 0.3 + quarters * 0.5, 120)
    assert fit.share == pytest.approx(1)
    assert fit.tempo == pytest.approx(120)
    assert fit.seconds.tolist() == pytest.approx((0.3 + quarters * 0.5).tolist())


def test_the_tempo_that_notes_have() -> None:
    quarters = np.array([0.0, 1, 1.5, 2, 4, 5])
    fit = fit_onsets(quarters, quarters * 60 / 126, 120)
    assert fit.tempo == pytest.approx(126)
    assert 0.7 < fit.share < 1


def test_an_onset_too_many_and_one_missing() -> None:
    quarters = np.arange(6.0)
    more = np.sort(np.append(quarters * 0.5, 0.7))
    fit = fit_onsets(quarters, more, 120)
    assert fit.seconds.tolist() == pytest.approx((quarters * 0.5).tolist())
    assert fit.share == pytest.approx(1 - 1 / 13)  # one onset passed over, of 13 notes and onsets
    fewer = fit_onsets(quarters, np.delete(quarters * 0.5, 3), 120)
    assert np.isnan(fewer.seconds[3])
    assert fewer.share == pytest.approx(1 - 1 / 11)


def test_another_rhythm_fits_badly() -> None:
    quarters = np.arange(8.0)
    assert fit_onsets(quarters, quarters * 0.25, 120).share <= 0.5
    assert fit_onsets(quarters, quarters * 0.5, 60).share <= 0.5
    assert fit_onsets(np.cumsum([0, 1, 1, 2, 1, 3, 1, 1]), quarters * 0.75, 120).share < 0.6


def test_nothing_to_fit() -> None:
    assert fit_onsets(np.array([]), np.array([1.0]), 90).share == 0
    fit = fit_onsets(np.array([0.0, 1.0]), np.array([]), 90)
    assert (fit.share, fit.tempo) == (0, 90)
    assert np.isnan(fit.seconds).all()
    assert fit_onsets(np.array([0.0]), np.array([2.0]), 90).seconds.tolist() == [2.0]


@given(
    st.lists(st.integers(1, 8), min_size=1, max_size=12),
    st.lists(st.floats(0.05, 3), max_size=12),
    st.floats(40, 240),
)
def test_shares_are_shares_and_seconds_are_onsets_in_order(steps: list[int], gaps: list[float], tempo: float) -> None:
    onsets = np.cumsum(gaps)
    fit = fit_onsets(np.cumsum(steps) / 2, onsets, tempo)
    assert 0 <= fit.share <= 1
    assert fit.tempo > 0
    found = fit.seconds[~np.isnan(fit.seconds)]
    assert (np.diff(found) > 0).all()
    assert set(found) <= set(onsets)
