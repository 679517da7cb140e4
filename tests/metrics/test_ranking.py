"""Ranks by hand, ties, candidates that occur twice, chance by drawing lots."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfmusic.metrics import ranking
from hfmusic.metrics.ranking import chance_scores, ranking_scores, ranks


def test_ranks_by_hand() -> None:
    angles = np.radians([0, 30, 60, 90])
    candidates = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[1], [5], [0.1], [3]]  # lengths do not matter
    queries = np.stack([np.cos(angles + np.radians(50)), np.sin(angles + np.radians(50))], axis=1)
    # query 0 lies at 50 degrees: candidates by distance 60, 30, 90, 0; query 1 at 80: 90, 60, 30, 0; 2 at 110; 3 at 140
    assert ranks(queries, candidates).tolist() == [4, 3, 2, 1]
    scores = ranking_scores(queries, candidates, ks=(1, 3))
    assert scores["r@1"] == 0.25 and scores["r@3"] == 0.75 and scores["median_rank"] == 2.5
    assert scores["mrr"] == pytest.approx((1 / 4 + 1 / 3 + 1 / 2 + 1) / 4)
    assert (scores["candidates"], scores["queries"], scores["chance_r@3"]) == (4, 4, 0.75)


def test_one_vector_for_everything_finds_nothing() -> None:
    scores = ranking_scores(np.ones((40, 3)), np.ones((40, 3)))
    assert scores["r@1"] == scores["r@25"] == 0 and scores["median_rank"] == 40
    assert ranking_scores([[1.0]], [[1.0]])["r@1"] == 1  # one of one


def test_rows_with_one_id_are_one_candidate() -> None:
    candidates = np.array([[1, 0], [1, 0], [0, 1], [0.9, 0.1]])
    queries = np.array([[1, 0.01], [1, -0.01], [0, 1], [1, 0.01]])
    assert ranks(queries, candidates).tolist() == [2, 2, 1, 3]
    assert ranks(queries, candidates, ids=["a", "a", "b", "c"]).tolist() == [1, 1, 1, 2]
    scores = ranking_scores(queries, candidates, ids=["a", "a", "b", "c"])
    assert (scores["candidates"], scores["queries"], scores["chance_r@1"]) == (3, 4, pytest.approx(1 / 3))


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    queries, candidates = rng.normal(size=(50, 4)), rng.normal(size=(50, 4))
    ids = rng.integers(0, 30, 50)
    whole = ranks(queries, candidates), ranks(queries, candidates, ids=ids)
    monkeypatch.setattr(ranking, "CHUNK", 7)
    parts = ranks(queries, candidates), ranks(queries, candidates, ids=ids)
    assert all(np.array_equal(one, other) for one, other in zip(whole, parts, strict=True))
    assert np.all(whole[1] <= whole[0])


@given(st.integers(1, 12), st.integers(0, 1000))
def test_ranks_agree_with_sorting(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    queries, candidates = rng.normal(size=(2, count, 3))
    units = candidates / np.linalg.norm(candidates, axis=1, keepdims=True)
    order = np.argsort(-(queries @ units.T), axis=1)
    wanted = [list(row).index(place) + 1 for place, row in enumerate(order)]
    assert ranks(queries, candidates).tolist() == wanted


def test_chance_is_what_lots_give() -> None:
    rng = np.random.default_rng(1)
    means = [ranking_scores(*rng.normal(size=(2, 60, 20)), ks=(1, 10)) for _ in range(800)]
    for name, value in chance_scores(60, ks=(1, 10)).items():
        measured = np.mean([scores[name.removeprefix("chance_")] for scores in means])
        assert measured == pytest.approx(value, rel=0.1), name
    assert chance_scores(11821)["chance_median_rank"] == 5911  # paper 003 measured 5923


@pytest.mark.parametrize(
    ("queries", "candidates", "ids", "message"),
    [
        (np.zeros((0, 3)), np.zeros((0, 3)), None, r"queries must be numbers \(N, d\), at least one"),
        ([1.0, 2.0], [1.0, 2.0], None, r"queries must be numbers \(N, d\)"),
        (np.ones((2, 3)), np.ones((3, 3)), None, r"each query needs its candidate of as many numbers, got \(2, 3\)"),
        (np.ones((2, 3)), [[1, 1, 1], [1, np.nan, 1]], None, "candidates must be finite numbers, row 1 is not"),
        (np.ones((2, 3)), np.ones((2, 3)), ["a"], "2 candidates need as many ids, got 1"),
    ],
)
def test_wrong_things_are_told(queries: object, candidates: object, ids: list[str] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ranking_scores(queries, candidates, ids=ids)
    with pytest.raises(ValueError, match="at least one candidate"):
        chance_scores(0)
