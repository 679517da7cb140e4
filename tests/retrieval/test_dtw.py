"""Alignment by dynamic time warping: against brute force, librosa, bands, free ends, jumps and scales."""

from __future__ import annotations

import itertools

import librosa
import numpy as np
import pytest

from hfmusic.retrieval.dtw import BALANCED, PLAIN, Ends, Jumps, Path, Steps, warp
from hfmusic.retrieval.multiscale import warp_multiscale


def walk(rng: np.random.Generator, count: int, size: int = 6) -> np.ndarray:
    """A smooth sequence that is hardly anywhere the same twice."""
    steps = np.cumsum(rng.standard_normal((count, size)), axis=0)
    return (steps / np.abs(steps).max()).astype(np.float32) * 3


def stretched(sequence: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(places, np.arange(len(sequence)), line) for line in sequence.T], axis=1)


def mean(vectors: np.ndarray, count: int) -> np.ndarray:
    ends = np.arange(0, len(vectors), count)
    return np.add.reduceat(vectors, ends, axis=0) / np.diff([*ends, len(vectors)])[:, None]


def cheapest(costs: np.ndarray, steps: Steps) -> float:
    """By trying every cell's three ways, one at a time."""
    totals = np.full(costs.shape, np.inf)
    for i, j in itertools.product(*map(range, costs.shape)):
        ways = [costs[0, 0]] if i == j == 0 else []
        ways += [totals[i - 1, j - 1] + steps.diagonal * costs[i, j]] * (i > 0 and j > 0)
        ways += [totals[i - 1, j] + steps.down * costs[i, j]] * (i > 0)
        ways += [totals[i, j - 1] + steps.across * costs[i, j]] * (j > 0)
        totals[i, j] = min(ways)
    return float(totals[-1, -1])


@pytest.mark.parametrize("steps", [PLAIN, BALANCED, Steps(1.5, 1.0, 2.0)])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (6, 1), (9, 7)])
def test_as_brute_force(steps: Steps, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    rows, columns = (rng.standard_normal((count, 3)) for count in shape)
    costs = ((rows[:, None] - columns[None]) ** 2).sum(-1)
    path = warp(rows, columns, steps=steps)
    assert path.cost == pytest.approx(cheapest(costs, steps), rel=1e-4)
    assert (path.rows[0], path.columns[0]) == (0, 0)
    assert (path.rows[-1], path.columns[-1]) == (shape[0] - 1, shape[1] - 1)


def test_the_path_is_librosas() -> None:
    rng = np.random.default_rng(0)
    columns = walk(rng, 60)
    rows = stretched(columns, np.linspace(0, 1, 80) ** 1.4 * 59)
    costs = ((rows[:, None] - columns[None]) ** 2).sum(-1)
    totals, steps = librosa.sequence.dtw(C=costs)
    path = warp(rows, columns)
    assert path.cost == pytest.approx(totals[-1, -1], rel=1e-3)
    other = {tuple(cell) for cell in steps.tolist()}
    own = set(zip(path.rows.tolist(), path.columns.tolist(), strict=True))
    assert len(own & other) > 0.95 * len(other)


def test_a_band_around_the_path_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    columns = walk(rng, 50)
    rows = stretched(columns, np.linspace(0, 49, 70))
    rows, columns = (np.round(one * 32) / 32 for one in (rows, columns))  # float32 sums of them are exact in any order
    whole = warp(rows, columns)
    middle = np.arange(70) * 50 // 70
    band = warp(rows, columns, band=(np.maximum(middle - 8, 0), np.minimum(middle + 9, 50)))
    assert band.cost == pytest.approx(whole.cost)
    assert np.array_equal(band.rows, whole.rows) and np.array_equal(band.columns, whole.columns)


def test_a_part_is_found_in_the_whole_and_what_surrounds_it_is_left_out() -> None:
    rng = np.random.default_rng(2)
    columns = walk(rng, 200)
    noise = rng.standard_normal((20, 6)) * 3
    rows = np.concatenate([noise, columns[60:140], noise])
    path = warp(rows, columns, steps=BALANCED, ends=Ends(row=1.0, column=0.01))
    assert (path.rows[0], path.rows[-1]) == pytest.approx((20, 99), abs=1)
    assert (path.columns[0], path.columns[-1]) == pytest.approx((60, 139), abs=1)
    assert path.mean < 0.05


def test_a_repeat_is_followed_by_a_jump() -> None:
    columns = walk(np.random.default_rng(4), 90)
    bars = np.arange(0, 90, 30)
    rows = np.concatenate([columns[:60], columns[30:60], columns[60:]])
    path = warp(rows, columns, steps=BALANCED, jumps=Jumps(bars + 29, bars, penalty=1.0))
    first, second = path.pieces()
    assert (first.columns[0], first.columns[-1]) == (0, 59)
    assert (second.rows[0], second.columns[0], second.columns[-1]) == (60, 30, 89)


@pytest.mark.parametrize("cells", [100_000, 3_000])
def test_scales_find_the_path_of_the_whole_matrix(cells: int) -> None:
    rng = np.random.default_rng(5)
    columns = walk(rng, 900)
    places = np.interp(np.arange(1100), [0, 300, 500, 1099], [0, 150, 500, 899])
    path = warp_multiscale(stretched(columns, places), columns, shrink=mean, whole_cells=cells)
    assert np.abs(path.columns - places[path.rows]).max() < 8
    assert np.median(np.abs(path.columns - places[path.rows])) < 1


def test_scales_with_free_ends_and_jumps() -> None:
    rng = np.random.default_rng(6)
    columns = walk(rng, 600)
    noise = rng.standard_normal((150, 6)) * 2
    rows = np.concatenate([noise, columns[:400], columns[200:], noise])
    bars = np.arange(0, 600, 100)
    jumps = Jumps(bars + 99, bars, penalty=10)
    path = warp_multiscale(rows, columns, shrink=mean, skip=0.4, jumps=jumps, whole_cells=60_000)
    first, second = path.pieces()
    assert first.rows[0] == pytest.approx(150, abs=6) and first.columns[-1] == pytest.approx(399, abs=6)
    assert second.columns[0] == pytest.approx(200, abs=6) and second.rows[-1] == pytest.approx(949, abs=6)


def test_what_cannot_be_aligned_gets_a_sentence() -> None:
    with pytest.raises(ValueError, match="two sequences of vectors"):
        warp(np.zeros((0, 3)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match="two sequences of vectors"):
        warp(np.zeros((2, 3)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="million cells"):
        warp(np.zeros((30_000, 1)), np.zeros((30_000, 1)))
    with pytest.raises(ValueError, match="no path leads"):
        warp(np.zeros((2, 1)), np.zeros((9, 1)), band=(np.array([0, 7]), np.array([2, 9])))


def test_pieces_of_a_path_without_jumps_are_the_path() -> None:
    path = Path(np.arange(3), np.arange(3), 0.0)
    assert [piece.rows.tolist() for piece in path.pieces()] == [[0, 1, 2]]
