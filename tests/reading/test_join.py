"""Lines of a page as one text: each sign once, no bar line too many or too few."""

from __future__ import annotations

import pytest

from hfmusic.reading.join import join

A = "clef-G2 keySignature-DM timeSignature-3/4 note-D4_half. barline"


def joined(*lines: str, encoding: str = "semantic") -> str:
    return " ".join(one.token for one in join([line.split() for line in lines], encoding))


def test_one_line_is_itself() -> None:
    line = "clef-G2 barline barline tie note-C4_half timeSignature-C clef-F4 barline"
    assert joined(line) == line
    assert joined() == joined("", "") == ""


def test_clef_and_key_of_every_line_stand_once() -> None:
    second = "clef-G2 keySignature-DM note-E4_half. barline"
    assert joined(A, second, second) == f"{A} note-E4_half. barline note-E4_half. barline"


def test_a_meter_that_was_seen_twice_stands_once() -> None:
    assert joined(A, "clef-G2 keySignature-DM timeSignature-3/4 note-E4_half. barline") == f"{A} note-E4_half. barline"


@pytest.mark.parametrize("warned", [True, False])
@pytest.mark.parametrize("sign", ["keySignature-GM", "timeSignature-C/"])
def test_a_change_between_lines_is_one(sign: str, warned: bool) -> None:
    kept = {"keySignature-GM": "", "timeSignature-C/": "keySignature-DM "}[sign]
    second = f"clef-G2 {kept}{sign} note-E4_whole barline"
    first = f"{A} {sign}" if warned else A
    assert joined(first, second) == f"{A} {sign} note-E4_whole barline"


def test_a_change_of_clef_is_drawn_before_the_bar_line_and_written_after_it() -> None:
    first = A.removesuffix("barline") + "clef-F4 barline"
    assert joined(first, "clef-F4 keySignature-DM note-E3_half. barline") == f"{A} clef-F4 note-E3_half. barline"


def test_a_clef_within_a_line_holds_on_the_next() -> None:
    first = f"{A} clef-F4 note-E3_half. barline"
    assert joined(first, "clef-F4 keySignature-DM note-D3_half. barline") == f"{first} note-D3_half. barline"


def test_naturals_that_end_a_key_are_its_only_sign() -> None:
    first = f"{A} keySignature-CM"
    assert joined(first, "clef-G2 note-E4_half. barline") == f"{first} note-E4_half. barline"


def test_signs_between_lines_stand_in_the_order_of_engraving() -> None:
    second = "clef-F4 keySignature-GM timeSignature-C note-E3_whole barline"
    warned = f"{A} timeSignature-C keySignature-GM"
    assert joined(warned, second) == f"{A} {second}"


def test_the_last_line_keeps_what_it_ends_with() -> None:
    assert joined(A, "clef-G2 note-E4_half. barline timeSignature-C").endswith("barline timeSignature-C")


def test_a_sign_misread_on_one_line_is_no_change_and_back() -> None:
    slip, right = "clef-G2 keySignature-AM note-E4_half. barline", "clef-G2 keySignature-DM note-E4_half. barline"
    assert joined(A, slip, right) == f"{A} note-E4_half. barline note-E4_half. barline"


def test_a_change_for_one_line_that_is_warned_of_stays() -> None:
    there, back = "clef-G2 keySignature-AM note-E4_half. barline", "clef-G2 keySignature-DM note-E4_half. barline"
    told = joined(f"{A} keySignature-AM", f"{there} keySignature-DM", back)
    assert told == f"{A} keySignature-AM note-E4_half. barline keySignature-DM note-E4_half. barline"


def test_a_complete_measure_at_the_end_of_a_line_gets_its_bar_line() -> None:
    first = "clef-G2 timeSignature-2/4 note-C4_quarter note-D4_quarter"
    lines = join([first.split(), "clef-G2 note-E4_half barline".split()])
    assert [one.token for one in lines[3:6]] == ["note-D4_quarter", "barline", "note-E4_half"]
    assert (lines[4].line, lines[4].place) == (0, None)
    assert (lines[5].line, lines[5].place) == (1, 1)


@pytest.mark.parametrize(
    "first",
    [
        "clef-G2 timeSignature-3/4 note-C4_quarter note-D4_quarter",  # a measure that goes on in the next line
        "clef-G2 note-C4_quarter note-D4_quarter",  # no meter
    ],
)
def test_no_bar_line_is_invented(first: str) -> None:
    assert joined(first, "clef-G2 note-E4_quarter barline") == f"{first} note-E4_quarter barline"


def test_the_bar_line_of_a_repeat_is_not_one_more() -> None:
    assert joined(A, "clef-G2 keySignature-DM barline note-E4_half. barline") == f"{A} note-E4_half. barline"
    open_end = "clef-G2 note-C4_quarter"
    assert joined(open_end, "clef-G2 barline note-E4_half") == f"{open_end} barline note-E4_half"


@pytest.mark.parametrize(
    ("end", "start"), [("tie barline", "tie "), ("tie barline", ""), ("barline", "tie "), ("tie", "tie ")]
)
def test_a_tie_over_the_line_stands_after_its_note(end: str, start: str) -> None:
    first = f"clef-G2 note-C4_quarter {end}"
    expected = "clef-G2 note-C4_quarter tie" + (" barline" if "barline" in end else "") + " note-C4_half"
    assert joined(first, f"clef-G2 {start}note-C4_half") == expected


def test_a_tie_from_a_rest_is_none() -> None:
    assert joined("clef-G2 rest-half barline", "clef-G2 tie note-C4_half") == "clef-G2 rest-half barline note-C4_half"


def test_empty_lines_count_and_say_nothing() -> None:
    lines = join([A.split(), [], "clef-G2 keySignature-DM note-E4_half.".split()])
    assert lines[-1].line == 2
    assert len(lines) == 6


def test_agnostic_lines_lose_what_they_begin_with_again() -> None:
    clef = "clef.G-L2 accidental.sharp-L5 accidental.sharp-S3"
    first = f"{clef} digit.3-L4 digit.4-L2 note.half-L2 barline-L1"
    natural = "accidental.natural-S2 note.half-S2 barline-L1"
    assert joined(first, f"{clef} {natural}", encoding="agnostic") == f"{first} {natural}"
    other = "clef.F-L4 accidental.flat-L3 note.half-S2"
    assert joined(first, other, encoding="agnostic") == f"{first} {other}"
