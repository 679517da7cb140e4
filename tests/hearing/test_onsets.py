"""Where notes begin."""

from __future__ import annotations

import numpy as np
import pytest

from hfmusic.hearing.onsets import find_onsets
from hfmusic.models.feature_extraction_music import MusicFeatureExtractor

from .conftest import RATE, ToneEar, play


def test_every_note_has_its_onset(ear: ToneEar) -> None:
    sound = play("note-C4_quarter note-G4_eighth note-A4_eighth rest-quarter note-E4_half", 120)
    assert ear.onsets(sound).times == pytest.approx([0.0, 0.5, 0.75, 1.5], abs=0.03)


def test_the_papers_features_do_as_well() -> None:
    sound = play("note-C4_quarter note-G4_eighth note-A4_eighth", 120)
    extractor = MusicFeatureExtractor()
    assert find_onsets(extractor.features(sound), extractor.top_db).times == pytest.approx([0.0, 0.5, 0.75], abs=0.05)


@pytest.mark.parametrize("sound", [np.zeros(RATE, np.float32), np.zeros(10, np.float32)])
def test_silence_has_none(ear: ToneEar, sound: np.ndarray) -> None:
    assert ear.onsets(sound).times.tolist() == []


def test_a_steady_tone_has_one(ear: ToneEar) -> None:
    times = np.arange(3 * RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 440 * times) * np.minimum(1, (3 - times) / 0.3)
    assert ear.onsets(tone.astype(np.float32)).times == pytest.approx([0.0], abs=0.05)
