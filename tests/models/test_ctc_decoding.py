"""Greedy and beam decoding against every path there is."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfmusic.models.bigram import BigramModel
from hfmusic.models.ctc_decoding import align, beam_decode, greedy_decode


def frames_of(seed: int, frames: int, symbols: int, sharpness: float = 2.0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=(frames, symbols + 1)) * sharpness
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def spelled(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != blank)


def all_sequences(log_probs: np.ndarray) -> dict[tuple[int, ...], float]:
    """Log probability of every sequence, summed over every path."""
    frames, classes = log_probs.shape
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(classes), repeat=frames):
        ids = spelled(path, classes - 1)
        found[ids] = found.get(ids, 0.0) + math.exp(log_probs[range(frames), path].sum())
    return {ids: math.log(probability) for ids, probability in found.items()}


small = st.tuples(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 3))


@settings(max_examples=60, deadline=None)
@given(small)
def test_a_wide_beam_finds_the_best_of_all_sequences(case: tuple[int, int, int]) -> None:
    log_probs = frames_of(*case)
    every = all_sequences(log_probs)
    found = beam_decode(log_probs, beam_width=10_000, min_log_prob=-math.inf)
    assert found.score == pytest.approx(max(every.values()), abs=1e-9)
    assert every[tuple(found.ids)] == pytest.approx(found.score, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(small, st.floats(0, 2), st.floats(-1, 1))
def test_a_wide_beam_weighs_in_the_language_model(case: tuple[int, int, int], weight: float, bonus: float) -> None:
    log_probs = frames_of(*case)
    symbols = case[2]
    model = BigramModel.fit([[0, symbols - 1, 0], [symbols - 1]], symbols)
    every = {
        ids: score + weight * model.log_prob(ids) + bonus * len(ids) for ids, score in all_sequences(log_probs).items()
    }
    found = beam_decode(
        log_probs,
        beam_width=10_000,
        min_log_prob=-math.inf,
        language_model=model,
        lm_weight=weight,
        length_bonus=bonus,
    )
    assert found.score == pytest.approx(max(every.values()), abs=1e-5)
    assert every[tuple(found.ids)] == pytest.approx(found.score, abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(small)
def test_greedy_is_the_best_path(case: tuple[int, int, int]) -> None:
    log_probs = frames_of(*case)
    paths = {
        path: log_probs[range(len(path)), path].sum()
        for path in itertools.product(range(log_probs.shape[1]), repeat=log_probs.shape[0])
    }
    best = max(paths, key=lambda path: paths[path])
    found = greedy_decode(log_probs)
    assert tuple(found.ids) == spelled(best, log_probs.shape[1] - 1)
    assert found.score == pytest.approx(paths[best])


@settings(max_examples=60, deadline=None)
@given(small)
def test_alignment_is_the_best_path_that_spells_the_symbols(case: tuple[int, int, int]) -> None:
    log_probs = frames_of(*case)
    blank = log_probs.shape[1] - 1
    by_ids: dict[tuple[int, ...], list[tuple[float, tuple[int, ...]]]] = {}
    for path in itertools.product(range(blank + 1), repeat=log_probs.shape[0]):
        by_ids.setdefault(spelled(path, blank), []).append((log_probs[range(len(path)), path].sum(), path))
    for ids, paths in by_ids.items():
        best = max(paths)[1]
        runs = [(symbol, len(list(group))) for symbol, group in itertools.groupby(best)]
        ends = list(itertools.accumulate(length for _, length in runs))
        expected = [(end - n, end) for (symbol, n), end in zip(runs, ends, strict=True) if symbol != blank]
        assert align(log_probs, ids) == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 8), st.integers(1, 6))
def test_what_is_read_is_well_formed(seed: int, frames: int, symbols: int, width: int) -> None:
    log_probs = frames_of(seed, frames, symbols)
    for found in (greedy_decode(log_probs), beam_decode(log_probs, beam_width=width)):
        assert len(found.ids) == len(found.confidences) == len(found.spans)
        assert all(0 <= index < symbols for index in found.ids)
        assert all(0 < sure <= 1 + 1e-9 for sure in found.confidences)
        edges = [edge for span in found.spans for edge in span]
        assert edges == sorted(edges) and all(0 <= a < b <= frames for a, b in found.spans)


def test_the_beam_sums_paths_where_greedy_takes_one() -> None:
    log_probs = np.log(np.array([[0.4, 0.6], [0.4, 0.6]]))  # "-" "-" is the best path, "a" the best sequence
    assert greedy_decode(log_probs).ids == []
    found = beam_decode(log_probs)
    assert found.ids == [0]
    assert math.exp(found.score) == pytest.approx(0.64)


def test_confidence_is_the_mean_posterior_of_the_run() -> None:
    log_probs = np.log(np.array([[0.1, 0.9], [0.7, 0.3], [0.9, 0.1]]))
    found = beam_decode(log_probs)
    assert (found.ids, found.spans) == ([0], [(1, 3)])
    assert found.confidences == [pytest.approx(0.8)]


def test_certain_frames_and_impossible_symbols() -> None:
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.eye(3)[[0, 0, 2, 0, 1]])
    assert greedy_decode(log_probs).ids == [0, 0, 1]
    found = beam_decode(log_probs, min_log_prob=-math.inf)
    assert found.ids == [0, 0, 1] and found.score == pytest.approx(0.0)


def test_only_a_frames_likeliest_symbols_extend() -> None:
    log_probs = np.log(np.array([[0.5, 0.3, 0.15, 0.05], [0.1, 0.3, 0.55, 0.05]]))
    assert beam_decode(log_probs, symbols_per_frame=1).ids == [0, 2]
    assert beam_decode(log_probs, min_log_prob=math.log(0.52)).ids == [2]


def test_no_frames() -> None:
    empty = np.zeros((0, 4))
    assert greedy_decode(empty).ids == [] == beam_decode(empty).ids


def test_bad_arguments_say_what_is_wrong() -> None:
    log_probs = frames_of(0, 4, 2)
    with pytest.raises(ValueError, match=r"must be \(T, V\+1\), got shape \(4,\)"):
        greedy_decode(log_probs[:, 0])
    with pytest.raises(ValueError, match="beam_width must be at least 1, got 0"):
        beam_decode(log_probs, beam_width=0)
    with pytest.raises(ValueError, match="must have 2 symbols, got 5"):
        beam_decode(log_probs, language_model=BigramModel.fit([[0]], 5))
    with pytest.raises(ValueError, match="3 symbols need 5 frames, got 4"):
        align(log_probs, [0, 0, 0])


sequences = st.lists(st.lists(st.integers(0, 3), max_size=5), max_size=6)


@settings(max_examples=60, deadline=None)
@given(sequences)
def test_bigram_rows_are_distributions(texts: list[list[int]]) -> None:
    probabilities = np.exp(BigramModel.fit(texts, 4).log_probs.astype(float))
    assert probabilities.shape == (5, 5)
    assert probabilities.min() > 0
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-5)


def test_bigram_by_hand() -> None:
    # pairs: start-0 twice, 0-1 once, 0-end once, 1-end once; D = 3 / (3 + 2) = 0.6
    model = BigramModel.fit([[0, 1], [0]], 2)
    kinds = np.array([1, 1, 2]) + 0.1  # left neighbours of 0, 1, end
    lower = kinds / kinds.sum()
    expected = {
        (2, 0): (2 - 0.6) / 2 + 0.6 / 2 * lower[0],
        (0, 1): (1 - 0.6) / 2 + 0.6 * lower[1],
        (0, 0): 0.6 * lower[0],
        (1, 2): (1 - 0.6) / 1 + 0.6 * lower[2],
    }
    for (previous, following), probability in expected.items():
        assert math.exp(model.log_probs[previous, following]) == pytest.approx(probability, rel=1e-5)
    assert model.log_prob([0]) == pytest.approx(float(model.log_probs[2, 0] + model.log_probs[0, 2]))


def test_bigram_saves_and_loads(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = BigramModel.fit([[0, 1, 1], [2]], 3)
    model.save(tmp_path / "model.safetensors")
    assert np.array_equal(BigramModel.load(tmp_path / "model.safetensors").log_probs, model.log_probs)


def test_bigram_refuses_foreign_ids() -> None:
    with pytest.raises(ValueError, match="ids must be 0 to 2, got 3"):
        BigramModel.fit([[0, 3]], 3)
