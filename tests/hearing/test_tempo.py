"""Tempo candidates, and the choice between them."""

from __future__ import annotations

import numpy as np
import pytest

from hfmusic.hearing.ear import Heard
from hfmusic.hearing.onsets import Onsets
from hfmusic.hearing.tempo import FASTEST, SLOWEST, choose_tempo, convincing, tempo_candidates

from .conftest import ToneEar, melody, play


@pytest.mark.parametrize("tempo", [66, 84, 100, 120, 132, 160])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_tempo_is_among_the_candidates(ear: ToneEar, tempo: int, seed: int) -> None:
    candidates = tempo_candidates(ear.onsets(play(melody(5, seed), tempo)))
    assert candidates[0] == 120
    assert len(candidates) <= 9
    assert all(SLOWEST <= candidate <= FASTEST for candidate in candidates)
    assert min(abs(candidate / tempo - 1) for candidate in candidates) < 0.04


def test_without_a_pulse_there_is_the_tempo_of_training() -> None:
    assert tempo_candidates(Onsets(np.zeros(500), 43.0, np.array([]))) == [120.0]
    assert tempo_candidates(Onsets(np.zeros(2), 43.0, np.array([]))) == [120.0]


@pytest.mark.parametrize("tempo", [84, 96, 108, 120, 132])
def test_the_most_convincing_reading_has_the_tempo(ear: ToneEar, tempo: int) -> None:
    text = melody(5, seed=tempo)
    assert choose_tempo(play(text, tempo), ear) == pytest.approx(tempo, rel=0.03)


def test_what_convinces() -> None:
    onsets = Onsets(np.zeros(1), 43.0, np.arange(6) * 0.5)
    spans = ((0.0, 0.1),) * 9
    full = ["timeSignature-2/4", *["note-C4_quarter", "note-D4_quarter", "barline"] * 3][:9]
    good = Heard(tuple(full), (0.9,) * 9, spans, 120.0)
    assert 0.6 < convincing(good, onsets) <= 1
    unsure = Heard(good.tokens, (0.4,) * 9, spans, 120.0)
    late = Heard(good.tokens, good.confidences, spans, 60.0)
    dotted = Heard(tuple(token.replace("quarter", "quarter.") for token in full), good.confidences, spans, 120.0)
    for worse in (unsure, late, dotted):
        assert convincing(worse, onsets) < 0.85 * convincing(good, onsets)
    assert convincing(Heard(("clef-G2",), (1.0,), spans[:1], 120.0), onsets) == 0
    assert convincing(Heard((), (), (), 120.0), onsets) == 0
