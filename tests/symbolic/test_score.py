from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given

from hfmusic.symbolic.score import (
    Barline,
    Clef,
    Duration,
    KeySignature,
    MultiRest,
    NotationError,
    Note,
    Pitch,
    Rest,
    Score,
    TimeSignature,
)
from tests.symbolic.strategies import scores

QUARTER = Duration("quarter")


def note(name: str, **more) -> Note:
    step, octave = name[0], int(name[-1])
    alter = name.count("#") - name[1:].count("b")
    return Note(Pitch(step, alter, octave), more.pop("duration", QUARTER), **more)


@pytest.mark.parametrize(
    ("name", "midi", "diatonic"), [("C4", 60, 28), ("A0", 21, 5), ("Cb4", 59, 28), ("B#3", 60, 27), ("F##5", 79, 38)]
)
def test_pitch_numbers(name, midi, diatonic):
    pitch = note(name).pitch
    assert (pitch.name, pitch.midi, pitch.diatonic) == (name, midi, diatonic)
    assert Pitch.from_diatonic(pitch.diatonic, pitch.alter) == pitch


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pitch("H", 0, 4), "pitch step must be one of C D E F G A B, got 'H'"),
        (lambda: Pitch("C", 3, 4), "alter must be -2 to 2 semitones, got 3"),
        (lambda: Pitch("C", 0, 10), "octave must be -1 to 9, got 10"),
        (lambda: Duration("crotchet"), "figure must be one of .*quarter.*, got 'crotchet'"),
        (lambda: Duration("quarter", 4), "dots must be 0 to 3, got 4"),
        (lambda: Clef("X", 2), "shape must be G, F or C, got 'X'"),
        (lambda: Clef("G", 6), "line must be 1 to 5, got 6"),
        (lambda: KeySignature(8), "fifths must be -7 to 7, got 8"),
        (lambda: TimeSignature(0, 4), "two positive integers, got 0/4"),
        (lambda: TimeSignature(4, 4, "O"), "symbol must be C or C/, got 'O'"),
        (lambda: MultiRest(0), "1 measure or more, got 0"),
        (lambda: note("C4", beam="start"), "beam must be begin, middle, end or None, got 'start'"),
        (lambda: note("C4", tuplet=(3,)), r"tuplet must be .* got \(3,\)"),
        (lambda: Score(("barline",)), "not a score element: 'barline'"),
    ],
)
def test_bad_values_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("between", [(), (Rest(QUARTER),), (MultiRest(2),), (Barline(), Rest(QUARTER), note("C4"))])
def test_a_tie_needs_a_note_to_follow(between):
    with pytest.raises(ValueError, match="element 0: a tie on C4 that no note follows"):
        Score((note("C4", tie=True), *between))


def test_a_tie_passes_over_signs_and_grace_notes():
    score = Score((note("C4", tie=True), Barline(), Clef("F", 4), note("D4", grace=True), note("C4")))
    assert score.tied_note(0) == 4


def test_lengths():
    assert Duration("half", 2).quarters == Fraction(7, 2)
    assert [Duration(f).flags for f in ("whole", "quarter", "eighth", "hundred_twenty_eighth")] == [0, 0, 1, 5]
    triplet = [note("C4", duration=Duration("eighth"), tuplet=(3, 2))] * 3
    score = Score((TimeSignature(2, 4), MultiRest(23), Barline(), *triplet, note("D4", grace=True), Rest(QUARTER)))
    assert score.quarters == 46 + 2
    assert [onset for _, onset, _ in score.timeline()][-1] == 47


def test_written_accidentals():
    music = [
        (KeySignature(-2), None),  # B flat, E flat
        (note("Bb4"), None),
        (note("B4"), 0),
        (note("B4"), None),
        (note("B5"), 0),  # another octave
        (note("Bb4", tie=True), -1),
        (Barline(), None),
        (note("Bb4"), None),  # the barline brought the key back
        (note("F#4", tie=True), 1),
        (Barline(), None),
        (note("F#4"), None),  # tied: nothing repeated
        (note("F#4"), 1),  # but a new note needs it
        (note("F##4"), 2),
        (note("F#4"), 1),
        (note("Eb5", courtesy=True), -1),
    ]
    assert Score(tuple(e for e, _ in music)).written_accidentals() == [drawn for _, drawn in music]


def test_notation_error_has_a_reason():
    with pytest.raises(ValueError, match="^tuplet: three in two$") as caught:
        raise NotationError("tuplet", "three in two")
    assert caught.value.reason == "tuplet"


@given(scores(tuplets=True, trills=True, beams=True, courtesies=True))
def test_without_changes_only_what_is_named(score):
    bare = score.without("beam", "fermata", "trill", "tie", "courtesy", "tuplet")
    assert not any(n.beam or n.fermata or n.trill or n.tie or n.courtesy or n.tuplet for n in bare.notes)
    assert [n.pitch for n in bare.notes] == [n.pitch for n in score.notes]
    assert score.without() == score


@given(scores(tuplets=True))
def test_generated_measures_are_full(score):
    """The strategy other tests rest on: every closed measure without a multirest is as long as its meter."""
    meter = next(e for e in score.elements if isinstance(e, TimeSignature))
    length, whole = Fraction(0), False
    for element in score.elements:
        if isinstance(element, Barline):
            assert whole or length == meter.quarters
            length, whole = Fraction(0), False
        elif isinstance(element, MultiRest):
            whole = True
        elif isinstance(element, (Note, Rest)):
            length += element.quarters
