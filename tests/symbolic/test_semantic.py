from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfmusic.symbolic.score import (
    Barline,
    Duration,
    KeySignature,
    NotationError,
    Note,
    Pitch,
    Rest,
    Score,
    TimeSignature,
)
from hfmusic.symbolic.semantic import in_vocabulary, read_semantic, semantic_text, split_tokens, write_semantic
from hfmusic.symbolic.vocabulary import load_vocabulary
from tests.symbolic.strategies import scores

GOLDEN = Path(__file__).parents[1] / "golden" / "primus" / "000051652-1_2_1.semantic"
C4 = Pitch("C", 0, 4)
QUARTER = Duration("quarter")


def test_the_genuine_sample_comes_back_token_for_token():
    text = GOLDEN.read_text()
    tokens = split_tokens(text)
    assert len(tokens) == 19
    assert write_semantic(read_semantic(text)) == tokens
    assert in_vocabulary(tokens)
    assert semantic_text(tokens) == text.rstrip("\t\n")


@given(scores())
def test_round_trip(score):
    assert read_semantic(write_semantic(score)) == score
    assert read_semantic(semantic_text(write_semantic(score))) == score


def test_every_official_token_is_read_and_written_the_same():
    for token in load_vocabulary("semantic").tokens:
        tokens = ["note-C4_quarter", token, "note-C4_quarter"] if token == "tie" else [token]
        assert write_semantic(read_semantic(tokens)) == tokens


def test_newer_spellings():
    score = read_semantic("timeSignature-Ccut, note-Fx4_half_trill note-Fn4_half")
    assert score.elements[0] == TimeSignature(2, 2, "C/")
    assert (score.notes[0].pitch.name, score.notes[0].trill, score.notes[1].pitch.name) == ("F##4", True, "F4")


@pytest.mark.parametrize(
    ("tokens", "reason", "message"),
    [
        ("note-H4_quarter", "token", "'note-H4_quarter' .token 0. is not PrIMuS semantic"),
        ("note-C4_quarter....", "token", "more than three dots"),
        ("keySignature-E#M", "token", "'keySignature-E#M'"),
        ("tie note-C4_quarter", "tie", "token 0 is a tie that no note comes before"),
        ("note-C4_half tie tie note-C4_half", "tie", "token 2"),
        ("note-C4_half tie rest-half", "tie", "no note follows the tie after element 0"),
        ("rest-half tie note-C4_half", "tie", "token 1"),
    ],
)
def test_what_breaks_the_grammar_is_named(tokens, reason, message):
    with pytest.raises(NotationError, match=message) as caught:
        read_semantic(tokens)
    assert caught.value.reason == reason


@given(st.lists(st.sampled_from(["tie", "barline", "note-C4_half", "rest-half", "multirest-2", "gracenote-D4_eighth"])))
def test_repair_reads_any_sequence_of_tokens(tokens):
    score = read_semantic(tokens, repair=True)
    kept = [token for token in write_semantic(score) if token != "tie"]
    assert kept == [token for token in tokens if token != "tie"]


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        (Note(C4, QUARTER, tuplet=(3, 2)), "tuplet"),
        (Rest(QUARTER, tuplet=(3, 2)), "tuplet"),
        (Note(C4, QUARTER, trill=True), "trill"),
        (Note(Pitch("C", 2, 4), QUARTER), "double-accidental"),
        (Note(C4, Duration("quarter", 3)), "dots"),
    ],
)
def test_what_primus_lacks_is_refused_by_name(note, reason):
    with pytest.raises(NotationError, match="element 1") as caught:
        write_semantic(Score((KeySignature(1), note)))
    assert caught.value.reason == reason


def test_an_invisible_barline_is_not_written():
    score = Score((Note(C4, QUARTER), Barline("invisible"), Note(C4, QUARTER), Barline("final")))
    assert write_semantic(score) == ["note-C4_quarter", "note-C4_quarter", "barline"]
