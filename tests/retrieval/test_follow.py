"""Moments of a score, passages through it, and both ways of following."""

from __future__ import annotations

import numpy as np
import pytest

from hfmusic.render.sheet import Measure, Sheet
from hfmusic.retrieval import chroma
from hfmusic.retrieval.follow import Passage, between, follow_chroma, follow_plain, with_vectors
from hfmusic.retrieval.score_time import ScoreTime

from .conftest import plain_sheet


def notes_of(sheet: Sheet) -> list[tuple[float, float, int]]:
    return [(note.onset_seconds, note.offset_seconds, note.pitch_midi) for note in sheet.notes]


def heard(notes: list[tuple[float, float, int]], seconds: float | None = None) -> np.ndarray:
    """Features of a performance, made of notes: what sound gives is tested with chroma."""
    return chroma.features(chroma.note_energies(notes, seconds))


def test_places_of_quarters(melody: list[int]) -> None:
    time = ScoreTime(plain_sheet(melody))
    assert time.place(0.0) == ("1", 1.0, 0, 0, pytest.approx(63.75))
    measure, beat, page, system, x = time.place(5.5)
    assert (measure, beat, page, system) == ("2", 2.5, 0, 0)
    assert x == pytest.approx(40 + 47.5 * 6)  # half way between two noteheads
    assert time.place(15.5).x == pytest.approx((40 + 47.5 * 15.5 + 800) / 2)  # to the end of the system
    assert time.place(16.0)[2:4] == (0, 1)
    assert time.quarter_at(np.array([0.0, 1.25, 31.75])).tolist() == [0.0, 2.5, 63.5]
    assert len(time.measures) == 16 and time.end_quarter == 64


def test_parts_of_a_measure_are_one(melody: list[int]) -> None:
    sheet = plain_sheet(melody[:8])
    parts = (Measure("1", 0, 0, 40, 0, 0, 2), Measure("1", 0, 0, 90, 2, 1, 2), Measure("2", 0, 0, 140, 4, 2, 4))
    time = ScoreTime(Sheet(sheet.pages, sheet.systems, sheet.notes, parts))
    assert time.measures == [("1", 0), ("2", 4)]
    assert time.place(3.0)[:2] == ("1", 4.0)


def test_a_score_without_measures_or_without_notes(melody: list[int]) -> None:
    sheet = plain_sheet(melody[:8])
    assert ScoreTime(Sheet(sheet.pages, sheet.systems, sheet.notes)).place(2.0)[:2] == ("", 3.0)
    with pytest.raises(ValueError, match="a score without notes"):
        ScoreTime(Sheet(sheet.pages, sheet.systems, ()))


def test_a_passage_is_in_the_middle_of_where_it_stays() -> None:
    passage = Passage(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 1.0, 1.0, 2.0]))
    assert passage.seconds_at(np.array([0.0, 0.5, 1.0])).tolist() == [1.0, 1.75, 2.5]
    assert passage.covers(np.array([-0.5, 0.0, 2.0, 2.5])).tolist() == [False, True, True, False]


def test_a_part_of_the_score_after_silence(melody: list[int]) -> None:
    sheet = plain_sheet(melody)
    time = ScoreTime(sheet)
    played = [(1.2 * (a - 8) + 3, 1.2 * (b - 8) + 3, pitch) for a, b, pitch in notes_of(sheet) if 8 <= a < 24]
    followed = follow_chroma(heard(played, 27.0), heard(notes_of(sheet)), time)
    (passage,) = followed.passages
    quarters = np.arange(17, 47)
    assert passage.seconds_at(quarters) == pytest.approx(3 + 1.2 * (quarters / 2 - 8), abs=0.08)
    assert passage.quarters[0] == pytest.approx(16, abs=1) and passage.quarters[-1] == pytest.approx(48, abs=0.8)
    assert followed.fit > 0.8


def test_another_piece_does_not_fit(melody: list[int]) -> None:
    sheet = plain_sheet(melody)
    other = plain_sheet(np.random.default_rng(8).integers(60, 84, 64).tolist())
    followed = follow_chroma(heard(notes_of(other)), heard(notes_of(sheet)), ScoreTime(sheet), whole=True)
    assert followed.fit < 0.5


def test_repeats_are_followed_on_demand(melody: list[int]) -> None:
    sheet = plain_sheet(melody)
    notes = notes_of(sheet)
    again = [(a + 8, b + 8, pitch) for a, b, pitch in notes if 8 <= a < 16]
    rest = [(a + 8, b + 8, pitch) for a, b, pitch in notes if a >= 16]
    played = heard([*(note for note in notes if note[0] < 16), *again, *rest])
    followed = follow_chroma(played, heard(notes), ScoreTime(sheet), jumps=True)
    first, second = followed.passages
    assert first.quarters[-1] == pytest.approx(32, abs=0.4)
    assert second.quarters[0] == pytest.approx(16, abs=0.4)
    assert second.audio_seconds[0] == pytest.approx(16, abs=0.3)
    assert second.seconds_at(np.array([20.0, 40.0])) == pytest.approx([18, 28], abs=0.1)


def test_the_plain_way_takes_the_first_snippet_of_each_excerpt(melody: list[int]) -> None:
    sheet = plain_sheet(melody)
    time = ScoreTime(sheet)
    onset_xs = 40 + 47.5 * (np.arange(64) + 0.5)
    sheet_xs = np.arange(5, 3080, 10.0)
    pitches = np.array(melody)
    written = pitches[np.clip((sheet_xs - 40) // 47.5, 0, 63).astype(int)] - 60
    seconds = np.arange(0, 38.4, 0.1)
    sounding = pitches[np.clip(seconds // 0.6, 0, 63).astype(int)] - 60
    vectors = np.eye(24, dtype=np.float32)
    followed = follow_plain(vectors[sounding], seconds, vectors[written], sheet_xs, onset_xs, time)
    (passage,) = followed.passages
    assert len(passage.quarters) == len(seconds)
    errors = np.abs(passage.quarters - (seconds / 0.6 - 0.5))
    assert np.median(errors) < 0.5 and followed.fit == pytest.approx(1, abs=1e-4)


def test_vectors_between_and_behind() -> None:
    features = np.zeros((3, 24), np.float32)
    vectors = between(np.eye(4)[:2], np.array([1.0, 3.0]), np.array([0.0, 2.0, 9.0]))
    assert vectors == pytest.approx(np.array([[1, 0, 0, 0], [0.5**0.5, 0.5**0.5, 0, 0], [0, 1, 0, 0]]))
    assert with_vectors(features, vectors).shape == (3, 28)
