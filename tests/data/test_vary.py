"""Variations: right spelling, right meters, the same work, always writable."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfmusic.data import vary as vary_module
from hfmusic.data.corpora import Tune
from hfmusic.data.generate import generated_tune
from hfmusic.data.vary import rescale, transpose, vary
from hfmusic.symbolic.score import Clef, Duration, KeySignature, Note, Pitch, Score, TimeSignature
from hfmusic.symbolic.semantic import in_vocabulary, read_semantic, semantic_text, write_semantic


def transposed(text: str, fifths: int, octaves: int = 0) -> str:
    return " ".join(write_semantic(transpose(read_semantic(text), fifths, octaves)))


@pytest.mark.parametrize(
    ("before", "fifths", "octaves", "after"),
    [
        # C major's leading tone, sharp and flat, up a tone: all spelled a second higher.
        ("note-C4_half note-B4_half", 2, 0, "keySignature-DM note-D4_half note-C#5_half"),
        ("keySignature-GM note-F#4_half note-F4_half", -1, -1, "note-B3_half note-Bb3_half"),
        # A minor with its raised seventh down a fourth: E minor, D#.
        ("clef-G2 note-G#4_half note-A4_half", 1, -1, "clef-G2 keySignature-GM note-D#4_half note-E4_half"),
        ("keySignature-EbM note-Ab4_half note-A4_half", 3, -1, "note-F4_half note-F#4_half"),
        ("keySignature-GM note-E4_half", 0, 1, "keySignature-GM note-E5_half"),
        # A later key goes along, and one without signs stays in the middle: it cancels.
        (
            "note-C4_half barline keySignature-FM note-C4_half",
            1,
            0,
            "keySignature-GM note-G4_half barline keySignature-CM note-G4_half",
        ),
    ],
)
def test_transposition_spells_as_the_interval_demands(before: str, fifths: int, octaves: int, after: str) -> None:
    assert transposed(before, fifths, octaves) == after


def test_transposition_beyond_seven_signs_is_refused() -> None:
    with pytest.raises(ValueError, match="fifths must be -7 to 7"):
        transposed("keySignature-EM note-E4_half", 5)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(-6, 6))
def test_transposition_moves_all_by_one_interval_and_back(index: int, fifths: int) -> None:
    score = generated_tune(11, index, flat_share=0.0).score
    try:
        moved = transpose(score, fifths)
        back = transpose(moved, -fifths)
    except ValueError as error:
        assert "fifths must be" in str(error) or "alter must be" in str(error)
        return
    steps = {b.pitch.midi - a.pitch.midi for a, b in zip(score.notes, moved.notes, strict=True)}
    assert len(steps) <= 1
    drift = {b.pitch.midi - a.pitch.midi for a, b in zip(score.notes, back.notes, strict=True)}
    assert drift <= {0, 12}
    assert [n.pitch.alter for n in back.notes] == [n.pitch.alter for n in score.notes]
    # The accidentals drawn stay on the same notes: the interval keeps each note's place in its key.
    assert [a is not None for a in drawn(moved)] == [a is not None for a in drawn(score)]


def drawn(score: Score) -> list[int | None]:
    pairs = zip(score.elements, score.written_accidentals(), strict=True)
    return [accidental for element, accidental in pairs if isinstance(element, Note)]


@pytest.mark.parametrize(
    ("before", "power", "after"),
    [
        ("timeSignature-3/4 note-C4_half.", -1, "timeSignature-3/8 note-C4_quarter."),
        ("timeSignature-2/4 note-C4_quarter rest-quarter", 1, "timeSignature-2/2 note-C4_half rest-half"),
        (
            "timeSignature-C gracenote-C4_eighth note-C4_whole",
            1,
            "timeSignature-4/2 gracenote-C4_eighth note-C4_double_whole",
        ),
        ("timeSignature-C/ multirest-4", -1, "timeSignature-2/4 multirest-4"),
    ],
)
def test_rescaling_changes_the_meter_alike(before: str, power: int, after: str) -> None:
    assert " ".join(write_semantic(rescale(read_semantic(before), power))) == after


def test_rescaling_keeps_measures_full_and_refuses_what_has_no_figure() -> None:
    score = read_semantic("timeSignature-6/8 note-C4_quarter. note-C4_quarter.")
    assert rescale(score, -1).quarters * 2 == score.quarters
    assert rescale(score, 1).quarters == 2 * score.quarters
    with pytest.raises(ValueError, match="no figure is 1 steps longer than quadruple_whole"):
        rescale(read_semantic("note-C4_quadruple_whole"), 1)
    with pytest.raises(ValueError, match="time signature must be two positive integers"):
        rescale(read_semantic("timeSignature-3/1 note-C4_whole"), 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_variation_is_writable_and_of_the_same_work(index: int, seed: int) -> None:
    tune = generated_tune(12, index)
    varied = vary(tune, np.random.default_rng(seed))
    assert in_vocabulary(write_semantic(varied.score))
    assert (varied.work, varied.source) == (tune.work, tune.source)
    assert varied == vary(tune, np.random.default_rng(seed))
    assert varied is tune or varied.id.startswith(tune.id + "~")
    assert varied.score.notes


def test_most_variations_differ_in_many_ways() -> None:
    rng = np.random.default_rng(0)
    tune = Tune(
        id="x",
        work="w",
        source="test",
        score=read_semantic(
            "clef-G2 keySignature-GM timeSignature-3/4 note-G4_quarter note-A4_quarter note-B4_quarter barline "
            "note-D5_half note-C5_eighth note-A4_eighth barline note-G4_half. barline"
        ),
    )
    texts = {semantic_text(write_semantic(vary(tune, rng).score)) for _ in range(200)}
    assert len(texts) > 100
    for wanted in ("clef-C1", "clef-F4", "timeSignature-3/8", "gracenote-", "_fermata", "tie", "rest-", "multirest-"):
        assert any(wanted in text for text in texts), wanted


def test_what_cannot_be_varied_comes_back() -> None:
    tune = Tune(
        id="x",
        work="w",
        source="test",
        score=Score((Clef("G", 2), Note(Pitch("C", 0, 5), Duration("half"), trill=True))),
    )
    assert vary(tune, np.random.default_rng(1)) is tune


def test_cut_at_a_barline_keeps_the_signs_in_force() -> None:
    score = read_semantic(
        "clef-G2 timeSignature-2/4 note-C4_half tie barline keySignature-FM note-C4_half barline "
        "timeSignature-3/4 note-F4_half."
    )
    cuts = {semantic_text(write_semantic(vary_module._cut(score, random.Random(seed)))) for seed in range(60)}
    assert (
        "clef-G2\tkeySignature-FM\ttimeSignature-2/4\tnote-C4_half\tbarline\ttimeSignature-3/4\tnote-F4_half." in cuts
    )
    assert "clef-G2\ttimeSignature-2/4\tnote-C4_half" in cuts
    assert "clef-G2\tkeySignature-FM\ttimeSignature-3/4\tnote-F4_half." in cuts


def test_ornaments_put_graces_in_the_key() -> None:
    score = Score(
        (KeySignature(-3), TimeSignature(4, 4), *(Note(Pitch("D", 0, 5), Duration("quarter")) for _ in range(4)))
    )
    graces = {
        note.pitch.name
        for seed in range(200)
        for note in vary_module._ornamented(score, random.Random(seed)).notes
        if note.grace
    }
    assert graces == {"Eb5", "C5", "F5"}


def test_runs_keep_the_time_and_the_key() -> None:
    text = "keySignature-EbM timeSignature-3/4 note-Bb4_quarter note-Ab4_eighth rest-eighth note-G4_quarter barline"
    score = read_semantic(text)
    figures = set()
    for seed in range(100):
        changed = vary_module._with_runs(score, random.Random(seed))
        assert sum(note.duration.quarters for note in changed.notes) == 2.5
        assert {note.pitch.name[:-1] for note in changed.notes} <= {"Bb", "Ab", "G", "F", "Eb", "D", "C"}
        figures |= {note.duration.figure for note in changed.notes}
    assert figures == {"quarter", "eighth", "sixteenth", "thirty_second", "sixty_fourth"}


def test_notes_that_mean_more_are_not_broken() -> None:
    score = read_semantic(
        "note-C4_quarter tie note-C4_half note-D4_quarter. note-E4_quarter_fermata gracenote-F4_eighth"
    )
    assert vary_module._with_runs(score, random.Random(0)) == vary_module.rebeamed(score, random.Random(0))
