from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfmusic.symbolic.agnostic import read_agnostic, write_agnostic
from hfmusic.symbolic.beaming import with_beams
from hfmusic.symbolic.mei import read_mei
from hfmusic.symbolic.score import (
    STEPS,
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
from hfmusic.symbolic.semantic import read_semantic, split_tokens, write_semantic
from hfmusic.symbolic.staff_positions import key_positions, position_name
from hfmusic.symbolic.vocabulary import load_vocabulary
from tests.symbolic.strategies import CLEFS, scores

GOLDEN = Path(__file__).parents[1] / "golden" / "primus"
C4 = Pitch("C", 0, 4)
QUARTER = Duration("quarter")


def test_the_genuine_sample_in_both_directions():
    semantic = (GOLDEN / "000051652-1_2_1.semantic").read_text()
    agnostic = (GOLDEN / "000051652-1_2_1.agnostic").read_text()
    score = read_semantic(semantic)
    assert write_agnostic(score) == split_tokens(agnostic)
    assert write_semantic(read_agnostic(agnostic)) == split_tokens(semantic)
    assert read_agnostic(agnostic) == score
    engraved = read_mei((GOLDEN / "000051652-1_2_1.mei").read_text())
    assert write_agnostic(engraved) == split_tokens(agnostic)
    assert write_semantic(engraved) == split_tokens(semantic)


@given(scores(beams=True))
def test_round_trip_keeps_beams(score):
    assert read_agnostic(write_agnostic(score)) == score


@given(scores(beams=True, courtesies=True))
def test_what_is_read_is_written_the_same(score):
    tokens = write_agnostic(score)
    assert write_agnostic(read_agnostic(tokens)) == tokens
    assert write_semantic(read_agnostic(tokens)) == write_semantic(score)


def test_signs_of_a_note_in_their_order():
    tokens = (
        "clef.G-L2 note.half-S1 slur.start-S1 barline-L1 slur.end-S1 fermata.above-S6 note.quarter-S1 dot-S1 dot-S1"
    )
    score = read_agnostic(tokens)
    assert write_agnostic(score) == split_tokens(tokens)
    assert score.notes[1] == Note(Pitch("F", 0, 4), Duration("quarter", 2), fermata=True)
    sharp = Score((Note(Pitch("F", 1, 5), QUARTER, tie=True, fermata=True), Note(Pitch("F", 1, 5), QUARTER)))
    assert write_agnostic(sharp)[:4] == ["fermata.above-S6", "accidental.sharp-L5", "note.quarter-L5", "slur.start-L5"]


@pytest.mark.parametrize("clef", CLEFS)
@pytest.mark.parametrize("fifths", range(-7, 8))
def test_key_signatures_stand_on_their_steps_in_the_staff(clef, fifths):
    key = KeySignature(fifths)
    places = key_positions(key, clef)
    steps = [STEPS[(clef.bottom_line_diatonic + place) % 7] for place in places]
    assert sorted(steps) == sorted(step for step in STEPS if key.alter_of(step))
    assert all(-1 <= place <= 9 for place in places)
    score = Score((clef, key, TimeSignature(3, 4)) if fifths else (clef, TimeSignature(3, 4)))
    assert read_agnostic(write_agnostic(score)) == score


def test_key_signatures_of_the_official_vocabulary():
    vocabulary = load_vocabulary("agnostic")
    unknown = set()
    for clef in CLEFS:
        for fifths in (-7, 7):
            unknown |= {
                token for token in write_agnostic(Score((clef, KeySignature(fifths)))) if token not in vocabulary
            }
    assert unknown == set()


def test_accidentals_last_to_the_barline_and_ties_carry_them():
    tokens = (
        "clef.G-L2 accidental.flat-L3 metersign.C-L3 accidental.natural-L3 note.quarter-L3 note.quarter-L3 "
        "slur.start-L3 barline-L1 slur.end-L3 note.quarter-L3 note.quarter-L3 accidental.flat-L3 note.quarter-L3"
    )
    score = read_agnostic(tokens)
    assert [note.pitch.name for note in score.notes] == ["B4", "B4", "B4", "Bb4", "Bb4"]
    assert [note.courtesy for note in score.notes] == [False, False, False, False, True]
    assert write_agnostic(score) == split_tokens(tokens)


@pytest.mark.parametrize(
    ("tokens", "key", "name"),
    [
        ("clef.G-L2 accidental.sharp-L5 note.half-L5", 1, "F#5"),  # ambiguous: right after the clef a key signature
        ("clef.G-L2 metersign.C-L3 accidental.sharp-L5 note.half-L5", None, "F#5"),
        ("clef.G-L2 accidental.sharp-L5 accidental.natural-L5 note.half-L5", 1, "F5"),
        ("clef.G-L2 accidental.sharp-L5 accidental.sharp-S3 accidental.sharp-L4 note.half-L4", 2, "D#5"),
        ("clef.G-L2 metersign.C-L3 accidental.flat-S2 note.half-S2", None, "Ab4"),
        ("clef.G-L2 metersign.C-L3 accidental.flat-L3 accidental.flat-L3 note.half-L3", None, "Bbb4"),
        ("clef.F-L4 accidental.flat-L2 note.half-L4", -1, "F3"),
    ],
)
def test_accidentals_of_the_key_or_of_the_note(tokens, key, name):
    score = read_agnostic(tokens)
    assert [e.fifths for e in score.elements if isinstance(e, KeySignature)] == ([] if key is None else [key])
    assert score.notes[0].pitch.name == name


@pytest.mark.parametrize("first", ["Bb4", "B4", "C#5"])
def test_a_key_may_change_between_notes(first):
    score = read_semantic(
        f"clef-G2 keySignature-DM note-F#4_half barline keySignature-FM note-{first}_half note-Bb4_half"
    )
    tokens = write_agnostic(score)
    if first == "Bb4":  # one flat and a note beside it: read as the note's own, the sound is the same up to the barline
        assert [note.pitch.name for note in read_agnostic(tokens).notes] == ["F#4", "Bb4", "Bb4"]
    else:
        assert read_agnostic(tokens) == score


def test_a_return_to_no_accidentals_is_drawn_as_naturals():
    score = read_semantic("clef-G2 keySignature-DM note-F#4_half barline keySignature-CM note-F4_half")
    assert write_agnostic(score)[5:8] == ["accidental.natural-L5", "accidental.natural-S3", "note.half-S1"]
    assert read_agnostic(write_agnostic(score)) == score


def test_rests_of_many_measures():
    assert write_agnostic(Score((MultiRest(2),))) == ["digit.2-S5", "multirest-L3"]
    assert read_agnostic("digit.1-S5 digit.2-S5 multirest-L3 barline-L1").elements[0] == MultiRest(12)
    later_version = "multirest-L3 digit.1-S5 digit.2-S5 barline-L1 digit.1-S5 rest.whole-L4"
    assert read_agnostic(later_version).elements[::2] == (MultiRest(12), MultiRest(1))
    assert read_agnostic("multirest-L3 digit.7-S5").elements == (MultiRest(7),)
    assert read_agnostic("rest.whole-L4").elements == (Rest(Duration("whole")),)


def test_positions():
    assert [position_name(steps) for steps in range(-4, 3)] == ["L-1", "S-1", "L0", "S0", "L1", "S1", "L2"]


def test_every_official_token_is_read():
    for token in load_vocabulary("agnostic").tokens:
        assert read_agnostic([token], repair=True) == read_agnostic(f"{token}\t", repair=True)


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (Note(C4, QUARTER, tuplet=(3, 2)), "tuplet"),
        (Rest(QUARTER, tuplet=(3, 2)), "tuplet"),
        (Note(C4, QUARTER, trill=True), "trill"),
        (Note(Pitch("C", 2, 4), QUARTER), "double-accidental"),
        (Note(C4, Duration("half"), beam="begin"), "beam"),
    ],
)
def test_what_primus_lacks_is_refused_by_name(element, reason):
    with pytest.raises(NotationError, match="element 1") as caught:
        write_agnostic(Score((Clef("G", 2), element)))
    assert caught.value.reason == reason


def test_a_tie_between_alterations_that_none_could_tell_apart():
    score = read_semantic("clef-G2 note-F#4_half tie barline note-F4_half")
    with pytest.raises(NotationError, match="tie: a tie from F#4 to F4: element 3"):
        write_agnostic(score)


@pytest.mark.parametrize(
    ("tokens", "reason", "message"),
    [
        ("note.quaver-L1", "token", "'note.quaver-L1' .token 0. is not PrIMuS agnostic"),
        ("barline-L1 ledger-L6", "token", "'ledger-L6' .token 1."),
        ("note.half", "token", "'note.half'"),
        ("clef.G-S2", "token", "'clef.G-S2'"),
        ("NOTE", "token", "'NOTE'"),
        ("note.half-L99", "token", "'note.half-L99'"),
        ("accidental.sharp-L3 barline-L1", "token", "belongs to nothing"),
        ("dot-S3", "token", "'dot-S3' .token 0. belongs to nothing"),
        ("digit.4-L2", "token", "belongs to nothing"),
        ("multirest-L3", "token", "belongs to nothing"),
        ("slur.start-L3", "token", "belongs to nothing"),
        ("metersign.O-L3", "token", "'metersign.O-L3'"),
        ("note.half-L1 slur.start-L1 rest.half-L3", "tie", "no note follows the tie after element 0"),
    ],
)
def test_what_breaks_the_grammar_is_named(tokens, reason, message):
    with pytest.raises(NotationError, match=message) as caught:
        read_agnostic(tokens)
    assert caught.value.reason == reason


@given(st.lists(st.sampled_from(load_vocabulary("agnostic").tokens), max_size=30))
def test_repair_reads_any_sequence_of_tokens(tokens):
    score = read_agnostic(tokens, repair=True)
    notes = [token for token in tokens if token.startswith(("note", "gracenote"))]
    assert len(score.notes) == len(notes)


def test_beams_of_semantic_tokens_come_from_the_meter():
    score = with_beams(
        read_semantic("clef-G2 timeSignature-2/4 " + "note-G4_sixteenth " * 4 + "note-G4_quarter barline")
    )
    assert [token.split("-")[0] for token in write_agnostic(score)[3:7]] == [
        "note.beamedRight2",
        "note.beamedBoth2",
        "note.beamedBoth2",
        "note.beamedLeft2",
    ]
