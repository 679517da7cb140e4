"""Melodies of plain tones, and an ear that needs no training to hear them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hfmusic.hearing.ear import Ear, Heard
from hfmusic.models.feature_extraction_music import MusicFeatureExtractor
from hfmusic.symbolic.midi import sounding_notes
from hfmusic.symbolic.midi_notation import score_of_events
from hfmusic.symbolic.score import Note, TimeSignature
from hfmusic.symbolic.semantic import element_of, read_semantic, write_semantic

RATE = 22050
_STEP = 110  # samples of 5 ms


def play(text: str, tempo: float, *, articulation: float = 0.9) -> np.ndarray:
    """Semantic tokens as tones with three partials that fade: float32 at 22,050 Hz."""
    score = read_semantic(text)
    beat = 60 / tempo
    sound = np.zeros(round(float(score.quarters) * beat * RATE) + 1, np.float32)
    for onset, offset, pitch in sounding_notes(score):
        start = round(float(onset) * beat * RATE)
        times = np.arange(round(float(offset - onset) * beat * RATE * articulation)) / RATE
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * hertz * part * times) / part for part in (1, 2, 3))
        fade = np.exp(-1.5 * times) * np.minimum(1, times / 0.004) * np.minimum(1, (times[-1] - times) / 0.01)
        sound[start : start + len(times)] += (0.2 * tone * fade).astype(np.float32)
    return sound


class ToneEar(Ear):
    """Hears what `play` plays: gaps part the notes, lengths are rounded to sixteenths; surer the less it rounds.

    Writes 4/4 without key. `barlines=False`: and no bar lines.
    """

    def __init__(self, barlines: bool = True) -> None:
        self._extractor = MusicFeatureExtractor(fmin=51.91, n_bins=96, bins_per_octave=18, gamma=4.0, height=96)
        self.barlines, self.reads = barlines, 0

    @property
    def extractor(self) -> MusicFeatureExtractor:
        return self._extractor

    def read(self, sound: np.ndarray, tempo: float, method: str | None = None) -> Heard:
        self.reads += 1
        notes = segments(sound)
        if not notes:
            return Heard((), (), (), tempo)
        times = [start for start, _, _ in notes] + [notes[-1][1] / 0.9 - notes[-1][0] * 0.1 / 0.9]
        exact = np.diff(times) * tempo / 60
        steps = np.maximum(1, np.round(exact * 4)) / 4
        grid = np.cumsum([np.floor(times[0] * tempo / 60), *steps])
        sure = np.clip(1 - 5 * np.abs(exact - steps), 0.1, 0.99)
        rows = zip(grid[:-1], grid[1:], notes, strict=True)
        events = [(Fraction(a), Fraction(b), pitch) for a, b, (_, _, pitch) in rows]
        tokens = write_semantic(score_of_events(events, [(Fraction(0), TimeSignature(4, 4))]))
        tokens = tokens[:-1] if tokens[-1] == "barline" else tokens
        if not self.barlines:
            tokens = [token for token in tokens if token != "barline"]
        now, confidences, spans = Fraction(0), [], []
        for token in tokens:
            element = element_of(token)
            place = max(0, int(np.searchsorted(grid, float(now), side="right")) - 1)
            confidences.append(float(sure[min(place, len(sure) - 1)]))
            length = getattr(element, "quarters", Fraction(0)) if isinstance(element, Note) else Fraction(0)
            begin = times[0] + (float(now) - grid[0]) * 60 / tempo
            spans.append((begin, begin + float(max(length, Fraction(1, 8))) * 60 / tempo))
            now += getattr(element, "quarters", Fraction(0)) if not isinstance(element, TimeSignature) else 0
        return Heard(tuple(tokens), tuple(confidences), tuple(spans), tempo)


def segments(sound: np.ndarray) -> list[tuple[float, float, int]]:
    """(start, end, MIDI pitch) of what sounds between gaps."""
    steps = sound[: len(sound) // _STEP * _STEP].reshape(-1, _STEP)
    loud = np.concatenate([[False], np.sqrt((steps**2).mean(axis=1)) > 0.1 * np.abs(sound).max(), [False]])
    edges = np.flatnonzero(np.diff(loud.astype(int)))
    found = []
    for first, last in edges.reshape(-1, 2):
        part = sound[first * _STEP : last * _STEP]
        if len(part) < 600:
            continue
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 16))
        hertz = spectrum[60:].argmax() * RATE / (1 << 16) + 60 * RATE / (1 << 16)
        found.append((first * _STEP / RATE, last * _STEP / RATE, round(69 + 12 * np.log2(hertz / 440))))
    return found


@pytest.fixture
def ear() -> ToneEar:
    return ToneEar()


def melody(measures: int, seed: int = 0) -> str:
    """Semantic tokens in 4/4 without key: measures of one to six notes."""
    rng = np.random.default_rng(seed)
    patterns = [
        ["quarter"] * 4,
        ["half", "quarter", "quarter"],
        ["quarter", "eighth", "eighth", "half"],
        ["eighth"] * 4 + ["quarter", "quarter"],
        ["quarter.", "eighth", "half"],
    ]
    tokens = ["clef-G2", "timeSignature-4/4"]
    for _ in range(measures):
        figures = patterns[rng.integers(len(patterns))]
        tokens += [f"note-{rng.choice(list('CDEFGAB'))}{rng.integers(4, 6)}_{figure}" for figure in figures]
        tokens.append("barline")
    return " ".join(tokens[:-1])
