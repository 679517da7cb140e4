"""Excerpts against whole pieces along lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hfmusic.retrieval.identify import Matches, identify
from hfmusic.retrieval.index import PLACE
from hfmusic.retrieval.likeness import BACKWARD, Likeness
from hfmusic.retrieval.neighbours import noisy

PIECES, EACH, TEMPO = 5, 300, 2.0


@pytest.fixture
def likeness() -> Likeness:
    """Piece 3 from its quarter 16 on, two quarters a second for 20 seconds; a snippet every half quarter."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((PIECES * EACH, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    places = np.zeros(len(vectors), PLACE)
    places["piece"], places["quarter"] = np.arange(len(vectors)) // EACH, np.arange(len(vectors)) % EACH / 2
    seconds = np.arange(40) * 0.5
    return Likeness(heard(vectors, 3, 16 + TEMPO * seconds, rng), seconds, vectors, places)


def heard(vectors: np.ndarray, piece: int, quarters: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What is at some quarters of a piece, at a cosine of 0.7."""
    return noisy(vectors[piece * EACH + np.round(2 * quarters).astype(int)], rng, 0.7)


def test_what_was_played_is_most_alike(likeness: Likeness) -> None:
    values = likeness.of(range(PIECES))
    assert np.argmax(values) == 3 and values[3] > 0.15 > 0.05 > np.delete(values, 3).max()
    assert likeness.of([3, 0]) == pytest.approx(values[[3, 0]], abs=1e-5)


def test_the_order_of_the_index_is_nothing(likeness: Likeness) -> None:
    order = np.random.default_rng(1).permutation(len(likeness.vectors))
    mixed = replace(likeness, vectors=likeness.vectors[order], places=likeness.places[order])
    assert mixed.of([2, 3]) == pytest.approx(likeness.of([2, 3]), abs=1e-5)


def test_each_half_minute_has_its_own_line(likeness: Likeness) -> None:
    """A repeat, or a tempo that changes, costs nothing."""
    seconds = np.arange(120) * 0.5
    quarters = np.where(seconds < 30, 10 + 2 * seconds, 10 + 3 * (seconds - 30))
    queries = heard(likeness.vectors, 3, quarters, np.random.default_rng(2))
    assert replace(likeness, queries=queries, seconds=seconds).of([3])[0] > 0.15


def test_the_wrong_way_round_is_not_alike(likeness: Likeness) -> None:
    forward = likeness.of([3])[0]
    backward = replace(likeness, queries=likeness.queries[::-1]).of([3])[0]
    assert backward < 0 < forward
    same = np.repeat(likeness.vectors[:1], len(likeness.vectors), 0)
    alike = replace(likeness, vectors=same, queries=same[: len(likeness.queries)])
    assert alike.of([1])[0] == pytest.approx(1 - BACKWARD, abs=1e-5)


def test_one_excerpt_has_a_likeness(likeness: Likeness) -> None:
    alone = replace(likeness, queries=likeness.queries[:1], seconds=likeness.seconds[:1])
    assert np.argmax(alone.of(range(PIECES))) == 3


def test_pieces_of_few_votes_are_found_by_it(likeness: Likeness) -> None:
    """Each excerpt's nearest are all of piece 1, but for one in eight."""
    rows = np.full((40, 3), EACH) + np.random.default_rng(3).integers(0, EACH, (40, 3))
    rows[::8, 0] = 3 * EACH + 2 * (16 + TEMPO * likeness.seconds[::8]).astype(int)
    matches = Matches.of(likeness.seconds, np.full((40, 3), 0.6), rows, likeness.places)
    assert identify(matches)[0].piece == 1 == identify(matches, likeness=likeness, ranking="votes")[0].piece
    first, second = identify(matches, likeness=likeness)
    assert (first.piece, second.piece) == (3, 1) and first.likeness > 0.15 and first.confidence >= 0
