"""Played notes written down, and read again by music21."""

from __future__ import annotations

from fractions import Fraction

import music21
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfmusic.symbolic.engraved_performance import write_performance_musicxml
from hfmusic.symbolic.performance import Beats, PerformedNote
from hfmusic.symbolic.quantise import Chord, key_of, pieces, quantised, spelled

BEAT = 0.5
EVEN = Beats(tuple((np.arange(20) * BEAT).tolist()))


def played(*rows: tuple[float, float, int]) -> list[PerformedNote]:
    """Notes of (onset in quarters, length, pitch), not quite in time."""
    rng = np.random.default_rng(0)
    return [
        PerformedNote(max(0, on * BEAT + rng.uniform(-0.02, 0.02)), (on + length * 0.95) * BEAT, pitch, 64)
        for on, length, pitch in rows
    ]


def read(xml: str) -> music21.stream.Score:
    return music21.converter.parseData(xml, format="musicxml")


def test_a_tune_is_written_as_it_was_meant() -> None:
    notes = played((0, 1, 72), (1, 0.5, 74), (1.5, 0.5, 76), (2, 2, 77), (4, 1.5, 76), (5.5, 0.5, 74), (6, 2, 72))
    music = quantised(notes, EVEN)
    assert (len(music.staves), music.measure, music.end) == (1, 4, 8)
    assert [(str(c.onset), str(c.offset - c.onset)) for c in music.staves[0]] == [
        ("0", "1"), ("1", "1/2"), ("3/2", "1/2"), ("2", "2"), ("4", "3/2"), ("11/2", "1/2"), ("6", "2"),
    ]  # fmt: skip
    score = read(write_performance_musicxml(music, tempo=120, title="tune", instrument="Flute"))
    (part,) = score.parts
    assert [n.pitch.midi for n in part.flatten().notes] == [72, 74, 76, 77, 76, 74, 72]
    assert [n.quarterLength for n in part.flatten().notes] == [1, 0.5, 0.5, 2, 1.5, 0.5, 2]
    assert part.flatten().getElementsByClass("MetronomeMark").first().number == 120


def test_triplets_beside_sixteenths() -> None:
    third = 1 / 3
    notes = played(*((i * third, third, 60 + i) for i in range(3)), *((1 + i / 4, 0.25, 70 + i) for i in range(4)))
    chords = quantised(notes, EVEN, staves=1).staves[0]
    assert [c.onset for c in chords] == [Fraction(i, 3) for i in range(3)] + [1 + Fraction(i, 4) for i in range(4)]
    score = read(write_performance_musicxml(quantised(notes, EVEN, staves=1)))
    assert [n.duration.tuplets != () for n in score.flatten().notes] == [True] * 3 + [False] * 4


def test_two_hands_have_two_staves() -> None:
    music = quantised(played((0, 4, 36), (0, 1, 72), (0, 1, 76), (1, 3, 74)), EVEN)
    right, left = music.staves
    assert right[0] == Chord(Fraction(0), Fraction(1), (72, 76))
    assert left == (Chord(Fraction(0), Fraction(4), (36,)),)
    score = read(write_performance_musicxml(music, instrument="Piano"))
    assert [type(p.flatten().getElementsByClass("Clef").first()).__name__ for p in score.parts] == [
        "TrebleClef",
        "BassClef",
    ]


def test_a_chord_that_a_hand_holds_is_not_torn() -> None:
    music = quantised(played((0, 1, 36), (1, 1, 59), (1, 1, 64), (1, 1, 67), (2, 1, 72)), EVEN)
    assert (59, 64, 67) in [chord.pitches for chord in music.staves[0]]


def test_what_the_pedal_holds_is_cut_at_the_next_chord() -> None:
    chords = quantised(played((0, 8, 72), (1, 7, 76), (2, 6, 79)), EVEN).staves[0]
    assert [(c.onset, c.offset) for c in chords] == [(0, 1), (1, 2), (2, 8)]


def test_measures_begin_where_beats_say() -> None:
    beats = Beats(EVEN.times, meter=3, upbeat=1)
    chords = quantised(played((0, 1, 67), (1, 3, 72), (4, 3, 74)), beats).staves[0]
    assert [(c.onset, c.offset) for c in chords] == [(2, 3), (3, 6), (6, 9)]
    score = read(write_performance_musicxml(quantised(played((0, 1, 67), (1, 3, 72)), beats)))
    assert score.flatten().getElementsByClass("TimeSignature").first().ratioString == "3/4"


def test_a_note_over_a_bar_line_is_tied() -> None:
    score = read(write_performance_musicxml(quantised(played((3, 3, 72)), EVEN)))
    notes = list(score.flatten().notes)
    assert [(n.quarterLength, n.tie.type) for n in notes] == [(1, "start"), (2, "stop")]


def test_accidentals_follow_the_key() -> None:
    tune = (70, 72, 74, 75, 77, 79, 81, 82, 76, 76, 75, 70)
    music = quantised(played(*((i / 2, 0.5, pitch) for i, pitch in enumerate(tune))), EVEN)
    assert music.fifths == -2
    notes = read(write_performance_musicxml(music)).flatten().notes
    assert [n.pitch.name for n in notes] == ["B-", "C", "D", "E-", "F", "G", "A", "B-", "E", "E", "E-", "B-"]
    shown = [n.pitch.accidental is not None and bool(n.pitch.accidental.displayStatus) for n in notes]
    assert [place for place, one in enumerate(shown) if one] == [8, 10]  # natural, once; and flat again


@pytest.mark.parametrize("fifths", range(-7, 8))
def test_spelling_keeps_the_pitch(fifths: int) -> None:
    for pitch in range(21, 109):
        assert music21.pitch.Pitch(spelled(pitch, fifths)).midi == pitch


def test_keys() -> None:
    scale = (0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0)
    for tonic, fifths in ((60, 0), (67, 1), (65, -1), (69, 3), (63, -3)):
        assert key_of([PerformedNote(i, i + 1, tonic + p) for i, p in enumerate(scale)]) == fifths
    assert key_of([]) == 0


@given(st.integers(0, 64), st.integers(1, 64), st.sampled_from([3, 4]), st.booleans())
def test_pieces_fill_the_time_within_measures(start: int, length: int, measure: int, rest: bool) -> None:
    now, end = Fraction(start, 4), Fraction(start + length, 4)
    for piece in pieces(now, end, measure, rest=rest):
        assert piece > 0
        assert piece in {Fraction(n, 4) for n in (1, 2, 3, 4, 6, 8, 12, 16)}
        assert now // measure == (now + piece - Fraction(1, 100)) // measure
        now += piece
    assert now == end


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0.01, 5), st.integers(21, 108)), max_size=25))
def test_any_notes_make_full_measures(rows: list[tuple[float, float, int]]) -> None:
    notes = [PerformedNote(on, on + length, pitch) for on, length, pitch in rows]
    music = quantised(notes, EVEN)
    for staff in music.staves:
        assert all(a.offset <= b.onset for a, b in zip(staff, staff[1:], strict=False))
    score = read(write_performance_musicxml(music, tempo=100))
    for part in score.parts:
        for measure in part.getElementsByClass("Measure"):
            assert float(sum(Fraction(one.quarterLength) for one in measure.notesAndRests)) == pytest.approx(4)
