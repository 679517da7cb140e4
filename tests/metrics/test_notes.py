"""Scores of notes by hand, and against mir_eval itself."""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import mir_eval
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfmusic.metrics.notes import LEVELS, MEASURES, mean_scores, note_scores

FRAME = 0.032


class Note(NamedTuple):
    onset_seconds: float
    offset_seconds: float
    pitch_midi: int
    velocity: int = 64


Notes = list[Note]


def f1s(references: Notes, estimates: Notes) -> dict[str, float]:
    return {level: note_scores(references, estimates)[f"{level}_f1"] for level in LEVELS}


def test_it_has_each_measure_of_each_level_in_order() -> None:
    assert list(note_scores([], [])) == [f"{level}_{measure}" for level in LEVELS for measure in MEASURES]


def test_by_hand() -> None:
    references = [Note(0.0, 1.0, 60, 40), Note(1.0, 2.0, 62, 80), Note(2.0, 3.0, 64, 120)]
    # right; 40 ms late and cut short; an octave too high; invented
    estimates = [Note(0.0, 1.0, 60, 40), Note(1.04, 1.5, 62, 80), Note(2.0, 3.0, 76, 120), Note(5.0, 5.5, 50, 64)]
    scores = note_scores(references, estimates)
    assert scores["note_precision"] == 2 / 4 and scores["note_recall"] == 2 / 3
    assert scores["note_f1"] == pytest.approx(4 / 7)
    assert scores["note_offset_precision"] == 1 / 4 and scores["note_offset_recall"] == 1 / 3


def test_an_onset_may_be_50_ms_away() -> None:
    reference = [Note(1.0, 2.0, 60)]
    assert f1s(reference, [Note(1.05, 2.0, 60)])["note"] == 1.0
    assert f1s(reference, [Note(1.0502, 2.0, 60)])["note"] == 0.0
    assert f1s(reference, [Note(0.95, 2.0, 60)])["note"] == 1.0


@pytest.mark.parametrize(
    "duration, away, counts", [(1.0, 0.2, True), (1.0, 0.21, False), (0.1, 0.05, True), (0.1, 0.06, False)]
)
def test_an_offset_may_be_a_fifth_or_50_ms_away(duration: float, away: float, counts: bool) -> None:
    scores = f1s([Note(1.0, 1.0 + duration, 60)], [Note(1.0, 1.0 + duration + away, 60)])
    assert scores["note"] == 1.0 and scores["note_offset"] == float(counts)


def test_frames_by_hand() -> None:
    # frames 0..9 against 5..14 of the same pitch: 5 in common, 10 in each
    scores = note_scores([Note(0.0, 10 * FRAME, 60)], [Note(5 * FRAME, 15 * FRAME, 60)])
    assert scores["frame_precision"] == scores["frame_recall"] == scores["frame_f1"] == 0.5
    other = note_scores([Note(0.0, 10 * FRAME, 60)], [Note(5 * FRAME, 15 * FRAME, 60)], frame_seconds=5 * FRAME)
    assert other["frame_f1"] == 0.5  # 1 of 2


def test_velocities_are_fitted_before_they_are_compared() -> None:
    references = [Note(float(place), place + 0.5, 60, 20 + 10 * place) for place in range(10)]
    halved = [note._replace(velocity=note.velocity // 2 + 5) for note in references]
    assert f1s(references, halved)["note_velocity"] == 1.0
    upside_down = [note._replace(velocity=127 - note.velocity) for note in references]
    assert f1s(references, upside_down)["note_velocity"] == 1.0  # mir_eval's line may fall, too
    flat = [note._replace(velocity=64) for note in references]
    assert f1s(references, flat)["note_velocity"] < 1.0 and f1s(references, flat)["note"] == 1.0


def test_labels_of_one_velocity_say_nothing_about_velocities() -> None:
    references = [Note(float(place), place + 0.5, 60, 64) for place in range(4)]
    estimates = [note._replace(velocity=10 + 30 * place) for place, note in enumerate(references)]
    scores = f1s(references, estimates)
    assert scores["note_velocity"] == scores["note"] == 1.0


def test_empty_ones() -> None:
    notes = [Note(0.0, 1.0, 60)]
    assert set(note_scores([], []).values()) == {1.0}  # mir_eval: 0.0
    assert set(note_scores(notes, []).values()) == set(note_scores([], notes).values()) == {0.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert reference_scores([], [])["note_f1"] == 0.0


def test_a_note_of_no_length_is_a_note_and_sounds_in_one_frame() -> None:
    click = [Note(1.0, 1.0, 60)]
    assert set(f1s(click, click).values()) == {1.0}
    assert note_scores(click, [Note(1.0, 1.0 + 2 * FRAME, 60)])["frame_precision"] == 0.5


def test_a_note_that_occurs_twice_counts_twice_and_sounds_once() -> None:
    note = Note(1.0, 2.0, 60)
    scores = note_scores([note, note], [note])
    assert scores["note_precision"] == 1.0 and scores["note_recall"] == 0.5 and scores["frame_f1"] == 1.0
    scores = note_scores([note], [note, note])
    assert scores["note_precision"] == 0.5 and scores["note_recall"] == 1.0


def test_one_to_one_and_as_many_as_can_be() -> None:
    # the first estimate is near both, the second near the later only: a greedy match would find one
    references = [Note(1.00, 1.5, 60), Note(1.06, 1.5, 60)]
    estimates = [Note(1.03, 1.5, 60), Note(1.10, 1.5, 60)]
    assert f1s(references, estimates)["note"] == 1.0


@pytest.mark.parametrize(
    "note, match",
    [
        (Note(math.nan, 1.0, 60), "reference note 1: times must be finite"),
        (Note(0.0, math.inf, 60), "times must be finite"),
        (Note(-0.1, 1.0, 60), "0 or later"),
        (Note(61000.0, 62000.0, 60), "at most 30,000 seconds"),
        (Note(1.0, 0.5, 60), "must not end before it begins"),
        (Note(0.0, 1.0, 128), "MIDI numbers from 0 to 127"),
        (Note(0.0, 1.0, 60.5), "whole MIDI numbers"),  # type: ignore[arg-type]
        (Note(0.0, 1.0, 60, 128), "velocities must be from 0 to 127"),
    ],
)
def test_what_is_no_note_is_refused(note: Note, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        note_scores([Note(0.0, 1.0, 60), note], [])


def test_frames_need_a_length() -> None:
    with pytest.raises(ValueError, match="frame_seconds must be positive"):
        note_scores([], [], frame_seconds=0.0)


def test_every_recording_counts_alike_in_the_mean() -> None:
    assert mean_scores([{"note_f1": 1.0}, {"note_f1": 0.5}, {"note_f1": 0.0}]) == {"note_f1": 0.5}
    with pytest.raises(ValueError, match="at least one recording"):
        mean_scores([])
    with pytest.raises(ValueError, match="same scores"):
        mean_scores([{"a": 1.0}, {"b": 1.0}])


def arrays(notes: Notes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As mir_eval takes notes: intervals, frequencies, velocities."""
    intervals = np.array([note[:2] for note in notes], dtype=float).reshape(-1, 2)
    hertz = mir_eval.util.midi_to_hz(np.array([note.pitch_midi for note in notes], dtype=float))
    return intervals, hertz, np.array([note.velocity for note in notes], dtype=float)


def roll(notes: Notes, frames: int) -> list[np.ndarray]:
    """As mir_eval's multipitch takes them: the frequencies that sound in each frame."""
    spans = [(round(note.onset_seconds / FRAME), round(note.offset_seconds / FRAME), note.pitch_midi) for note in notes]
    sounding = [
        sorted({p for a, b, p in spans if a <= frame < max(b, a + 1)}) for frame in range(frames)
    ]  # fmt: skip
    return [mir_eval.util.midi_to_hz(np.array(pitches, dtype=float)) for pitches in sounding]


def reference_scores(references: Notes, estimates: Notes) -> dict[str, float]:
    """What mir_eval says, of notes all at once."""
    (intervals, hertz, velocity), (found, heard, loud) = arrays(references), arrays(estimates)
    scores: dict[str, float] = {}
    for level, ratio in (("note", None), ("note_offset", 0.2)):
        values = mir_eval.transcription.precision_recall_f1_overlap(intervals, hertz, found, heard, offset_ratio=ratio)
        scores |= dict(zip([f"{level}_{measure}" for measure in MEASURES], values[:3], strict=True))
        values = mir_eval.transcription_velocity.precision_recall_f1_overlap(
            intervals, hertz, velocity, found, heard, loud, offset_ratio=ratio
        )
        scores |= dict(zip([f"{level}_velocity_{measure}" for measure in MEASURES], values[:3], strict=True))
    frames = 1 + round(max([note.offset_seconds for note in references + estimates], default=0.0) / FRAME)
    times = FRAME * np.arange(frames)
    frame = mir_eval.multipitch.evaluate(times, roll(references, frames), times, roll(estimates, frames))
    scores["frame_precision"], scores["frame_recall"] = frame["Precision"], frame["Recall"]
    scores["frame_f1"] = mir_eval.util.f_measure(frame["Precision"], frame["Recall"])
    return scores


@st.composite
def performances(draw: st.DrawFn) -> tuple[Notes, Notes]:
    """Notes at least 110 ms apart in a pitch, so that no estimate is near two, and what somebody heard of them."""
    references: Notes = []
    estimates: Notes = []
    for pitch in draw(st.lists(st.integers(28, 100), min_size=1, max_size=3, unique=True)):
        time = 0.2
        for _ in range(draw(st.integers(1, 4))):
            onset = time + draw(st.floats(0.0, 0.5))
            offset = onset + draw(st.floats(0.01, 0.6))
            references.append(Note(onset, offset, pitch, draw(st.integers(1, 127))))
            if draw(st.booleans()):
                late, longer = draw(st.floats(-0.055, 0.055)), draw(st.floats(0.0, 0.2))
                estimates.append(Note(onset + late, offset + late + longer, pitch, draw(st.integers(1, 127))))
            time = offset + 0.11
    estimates += draw(st.lists(st.just(Note(0.01, 0.3, 21, 50)), max_size=1))
    return references, draw(st.permutations(estimates))


@settings(max_examples=60, deadline=None)
@given(performances())
def test_the_numbers_are_mir_evals(performance: tuple[Notes, Notes]) -> None:
    references, estimates = performance
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty estimates
        expected = reference_scores(references, estimates)
    assert note_scores(references, estimates) == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_dense_repetitions_match_as_many_as_mir_eval_matches(data: st.DataObject) -> None:
    note = st.builds(lambda start, pitch: Note(start, start + 0.1, pitch), st.floats(0, 0.4), st.sampled_from([60, 61]))
    references, estimates = (data.draw(st.lists(note, min_size=1, max_size=12)) for _ in range(2))
    expected = reference_scores(references, estimates)
    scores = note_scores(references, estimates)
    for level in ("frame", "note", "note_offset"):
        assert scores[f"{level}_f1"] == pytest.approx(expected[f"{level}_f1"])


def test_an_hour_of_notes_takes_little_memory() -> None:
    random = np.random.default_rng(0)
    onsets = np.sort(random.uniform(0, 3600, 20000))
    notes = [Note(float(time), float(time) + 0.3, int(random.integers(21, 109))) for time in onsets]
    assert f1s(notes, notes)["note_offset"] == 1.0  # mir_eval at once: tables of 3.2 GB
