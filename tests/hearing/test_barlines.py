"""Bar lines where an ear heard too few."""

from __future__ import annotations

from fractions import Fraction

import pytest

from hfmusic.hearing.barlines import meter_place, readable, signs_at_start, upbeat
from hfmusic.hearing.ear import Heard


def heard(text: str) -> Heard:
    tokens = tuple(text.split())
    return Heard(tokens, (0.5,) * len(tokens), tuple((float(at), at + 1.0) for at in range(len(tokens))), 120.0)


HALVES = " ".join(f"note-{step}4_half" for step in "CDEFGA")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # no bar lines at all: one after each measure
        ("timeSignature-2/4 note-C4_half note-D4_half note-E4_half",
         "timeSignature-2/4 note-C4_half barline note-D4_half barline note-E4_half"),
        # one bar line, after an upbeat: the others follow it
        ("timeSignature-2/4 note-C4_quarter barline note-D4_half note-E4_half note-F4_half note-G4_half",
         "timeSignature-2/4 note-C4_quarter barline note-D4_half barline note-E4_half barline note-F4_half barline "
         "note-G4_half"),
    ],
)  # fmt: skip
def test_missing_bar_lines(text: str, expected: str) -> None:
    found = readable(heard(text))
    assert found.tokens == tuple(expected.split())
    assert len(found.confidences) == len(found.spans) == len(found.tokens)


@pytest.mark.parametrize(
    "text",
    [
        "timeSignature-2/4 note-C4_half barline note-D4_half barline note-E4_quarter",
        # one measure of three is wrong: most are full
        "timeSignature-2/4 note-C4_half barline note-D4_quarter barline note-E4_half barline note-F4_half",
        "note-C4_half note-D4_half note-E4_half note-F4_half note-G4_half",
        "timeSignature-2/4 multirest-3 barline note-C4_half note-D4_half note-E4_half note-F4_half",
        "clef-G2 timeSignature-2/4",
        "",
    ],
)
def test_what_stays(text: str) -> None:
    assert readable(heard(text)) == heard(text)


def test_the_surest_bar_lines_stay_in_place() -> None:
    one = heard("note-C4_quarter barline note-D4_half barline note-E4_quarter barline")
    assert upbeat(one, Fraction(2)) == 1  # two at 1 and 3, one at 4
    assert upbeat(heard(HALVES), Fraction(4)) == 0


def test_signs() -> None:
    tokens = "clef-G2 keySignature-DM timeSignature-C note-C4_half timeSignature-3/4".split()
    assert signs_at_start(tokens) == 3
    assert meter_place(tokens) == 2
    assert meter_place(tokens[3:]) is None
    assert signs_at_start([]) == 0
