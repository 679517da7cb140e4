"""Bar lines set anew."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfmusic.symbolic.barring import rebar
from hfmusic.symbolic.midi import sounding_notes
from hfmusic.symbolic.semantic import read_semantic, write_semantic

from .strategies import scores


def barred(text: str, measure: Fraction | int, upbeat: Fraction | int = 0) -> str:
    return " ".join(token for token, _ in rebar(text.split(), Fraction(measure), Fraction(upbeat)))


@pytest.mark.parametrize(
    ("text", "measure", "upbeat", "expected"),
    [
        ("note-C4_half barline note-D4_half", 4, 0, "note-C4_half note-D4_half"),
        ("note-C4_half note-D4_half note-E4_half", 2, 0, "note-C4_half barline note-D4_half barline note-E4_half"),
        ("timeSignature-4/4 note-C4_half note-D4_half", 3, 2, "note-C4_half barline note-D4_half"),
        ("note-C4_quarter rest-half", 2, 0, "note-C4_quarter rest-quarter barline rest-quarter"),
        (
            "note-C4_quarter note-D4_whole",
            3,
            0,
            "note-C4_quarter note-D4_half tie barline note-D4_half",
        ),
        # three measures, and a length that takes two figures
        ("note-D4_whole.", "5/2", 0, "note-D4_half tie note-D4_eighth tie barline note-D4_half tie note-D4_eighth tie "
         "barline note-D4_quarter"),
        ("note-C4_half tie barline note-C4_half", 2, 0, "note-C4_half tie barline note-C4_half"),
        ("note-C4_half gracenote-D4_eighth clef-C1 note-E4_half", 2, 0,
         "note-C4_half barline gracenote-D4_eighth clef-C1 note-E4_half"),
        ("note-C4_quarter multirest-3 barline note-C4_half", 2, 0,
         "note-C4_quarter barline multirest-3 barline note-C4_half"),
        ("", 4, 0, ""),
    ],
)  # fmt: skip
def test_by_hand(text: str, measure: Fraction | int, upbeat: int, expected: str) -> None:
    assert barred(text, measure, upbeat) == expected


def test_places_of_origin() -> None:
    assert rebar(["note-C4_whole", "barline", "tie"], Fraction(2)) == [
        ("note-C4_half", 0),
        ("tie", 0),
        ("barline", 0),
        ("note-C4_half", 0),
        ("tie", 2),
    ]


@settings(max_examples=60, deadline=None)
@given(scores(multirests=False), st.sampled_from([Fraction(2), Fraction(3), Fraction(4), Fraction(3, 2)]))
def test_the_sound_stays_and_measures_are_full(score: object, measure: Fraction) -> None:
    tokens = write_semantic(score)  # type: ignore[arg-type]
    new = [token for token, _ in rebar(tokens, measure)]
    after = read_semantic(new)
    assert sounding_notes(after) == sounding_notes(read_semantic(tokens))
    filled = Fraction(0)
    for token, (_, _, length) in zip((t for t in new if t != "tie"), after.timeline(), strict=True):
        if token == "barline":
            assert filled == measure
            filled = Fraction(0)
        filled += length
    assert filled <= measure


def test_no_measure() -> None:
    with pytest.raises(ValueError, match="a measure must last longer than 0 quarters, got 0"):
        rebar(["barline"], Fraction(0))
