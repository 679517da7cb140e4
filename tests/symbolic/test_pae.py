"""Plaine & Easie code: signs one by one, incipits of RISM by hand, what is refused, and random text."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hfmusic.symbolic.pae import REASONS, read_pae, read_pae_text
from hfmusic.symbolic.pae_signs import read_key, read_meter
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
from hfmusic.symbolic.semantic import write_semantic


def read(data: str, *, clef: str = "G-2", keysig: str = "", timesig: str = "c") -> Score:
    return read_pae(clef=clef, keysig=keysig, timesig=timesig, data=data)


def names(data: str, **fields: str) -> list[str]:
    return [note.pitch.name for note in read(data, **fields).notes]


def lengths(data: str) -> list[Fraction]:
    return [e.quarters for e in read(data).elements if isinstance(e, (Note, Rest))]


def bars(score: Score) -> list[str]:
    return [e.kind for e in score.elements if isinstance(e, Barline)]


def test_a_whole_incipit() -> None:
    # RISM 400014604, 1.1.1, first measures.
    score = read("'2C4E8GG/''4CC2C/'4BB", clef="C-1")
    assert write_semantic(score) == (
        "clef-C1 timeSignature-C note-C4_half note-E4_quarter note-G4_eighth note-G4_eighth barline note-C5_quarter "
        "note-C5_quarter note-C5_half barline note-B4_quarter note-B4_quarter"
    ).split(" ")


def test_an_incipit_that_primus_itself_rendered() -> None:
    # The complete PrIMuS sample's kind: an upbeat, a key, beams, ties, a grace.
    score = read("{'8.B''6C}{'8B''6D'B}/{''GF+}4F{6ED}/q8D'4B8({''6EC'A})/", keysig="bBE", timesig="2/4")
    assert score.elements[:3] == (Clef("G", 2), KeySignature(-2), TimeSignature(2, 4))
    assert [note.pitch.name for note in score.notes] == (
        "Bb4 C5 Bb4 D5 Bb4 G5 F5 F5 Eb5 D5 D5 Bb4 Eb5 C5 A4".split(" ")
    )
    assert [note.beam for note in score.notes[:5]] == ["begin", "end", "begin", "middle", "end"]
    assert [note.tie for note in score.notes].index(True) == 6
    assert [note.grace for note in score.notes].index(True) == 10
    assert [note.tuplet for note in score.notes[-3:]] == [(3, 2)] * 3


def test_octaves() -> None:
    assert names("4C'C''C'''C''''C,C,,C,,,C") == ["C4", "C4", "C5", "C6", "C7", "C3", "C2", "C1"]
    assert names("',C{,D}''C,D") == ["C3", "D3", "C5", "D3"]


@pytest.mark.parametrize(
    ("code", "quarters"),
    [("0C", 16), ("9C", 8), ("1C", 4), ("2C", 2), ("4C", 1), ("8C", "1/2"), ("6C", "1/4"), ("3C", "1/8")]
    + [("5C", "1/16"), ("7C", "1/32"), ("4.C", "3/2"), ("2..C", "7/2"), ("8...C", "15/16"), ("C", 1)],
)
def test_lengths(code: str, quarters: str | int) -> None:
    assert lengths(code) == [Fraction(quarters)]


def test_a_length_holds_until_the_next() -> None:
    assert lengths("8CD/E4FG-") == [Fraction(n, 2) for n in (1, 1, 1, 2, 2, 2)]


def test_a_rhythm_of_several_lengths_goes_round() -> None:
    assert lengths("8.6CDEFG/4A") == [Fraction(n, 4) for n in (3, 1, 3, 1, 3, 4)]
    assert lengths("48---E") == [Fraction(n, 2) for n in (2, 1, 2, 1)]


def test_accidentals_hold_for_their_octave_to_the_barline() -> None:
    assert names("4xC'C''CC/C") == ["C#4", "C#4", "C5", "C5", "C5"]
    assert names("4xxCbDbbEnFC") == ["C##4", "Db4", "Ebb4", "F4", "C##4"]
    assert names("4FnFF/F", keysig="xF") == ["F#4", "F4", "F4", "F#4"]


def test_an_accidental_may_stand_before_the_octave_and_the_length() -> None:
    # RISM 400005793 and others; Verovio 6.4 loses these accidentals.
    assert names("x''4C,x8D") == ["C#5", "D#3"]


def test_a_tied_note_keeps_its_accidental_over_the_barline() -> None:
    assert names("2xC+/CC") == ["C#4", "C#4", "C4"]


def test_key_clef_and_meter_change_on_the_way() -> None:
    score = read("4B/$bB %F-4 @3/4 ,B/$ B/", keysig="xF")
    kinds = [e for e in score.elements if isinstance(e, (Clef, KeySignature, TimeSignature))]
    assert kinds[3:] == [KeySignature(-1), Clef("F", 4), TimeSignature(3, 4), KeySignature(0)]
    assert [note.pitch.name for note in score.notes] == ["B4", "Bb3", "B3"]


@pytest.mark.parametrize(
    ("text", "fifths"),
    [
        ("", 0),
        ("xF", 1),
        ("xFCGDAEB", 7),
        ("bBEADGCF", -7),
        ("bEB", -2),
        ("b[BEA]", -3),
        ("xF[b]B", None),
        ("x", None),
    ],
)
def test_keys(text: str, fifths: int | None) -> None:
    if fifths is None:
        with pytest.raises(NotationError, match="^key: "):
            read_key(text, KeySignature(0))
    else:
        assert read_key(text, KeySignature(0)).fifths == fifths


def test_naturals_take_accidentals_away() -> None:
    assert read_key("nBEAD", KeySignature(-4)).fifths == 0
    assert read_key("nAD", KeySignature(-4)).fifths == -2
    with pytest.raises(NotationError, match="^key: 'nBE' is no row of fifths"):
        read_key("nBE", KeySignature(-4))


def test_meters() -> None:
    assert read_meter("c") == TimeSignature(4, 4, "C") and read_meter("c/") == TimeSignature(2, 2, "C/")
    assert read_meter("12/8") == TimeSignature(12, 8)
    for mensural in ("o", "c3", "c.", "3", "c3/2", "o/", "4/0", "c;  12/8"):
        with pytest.raises(NotationError, match="^meter: "):
            read_meter(mensural)


def test_barlines() -> None:
    assert bars(read("4C/D//E://F//:G://:A")) == ["single", "double", "repeat-end", "repeat-start", "repeat-both"]
    assert bars(read("4C/:D:/")) == ["repeat-start", "repeat-end"]


def test_rests() -> None:
    score = read("=12/=/2-4.-8-/(4-)")
    assert [e.measures for e in score.elements if isinstance(e, MultiRest)] == [12, 1]
    rests = [e for e in score.elements if isinstance(e, Rest)]
    assert [rest.duration for rest in rests] == [
        Duration("half"),
        Duration("quarter", 1),
        Duration("eighth"),
        Duration("quarter"),
    ]
    assert [rest.fermata for rest in rests] == [False, False, False, True]


def test_beams() -> None:
    assert [n.beam for n in read("{8CDE}{F}{4G8AB}{6CgDE-F}8G").notes] == (
        ["begin", "middle", "end", None, None, "begin", "end", "begin", None, "middle", "end", None]
    )
    assert [n.beam for n in read("{8CD/EF}").notes] == ["begin", "end", "begin", "end"]


def test_graces() -> None:
    score = read("g''C'4Bq8DC/4qqEF{6G}r2A")
    assert [(n.pitch.name, n.grace, n.duration.figure) for n in score.notes] == [
        ("C5", True, "eighth"),
        ("B4", False, "quarter"),
        ("D4", True, "eighth"),
        ("C4", False, "eighth"),
        ("E4", True, "quarter"),
        ("F4", True, "quarter"),
        ("G4", True, "sixteenth"),
        ("A4", False, "half"),
    ]
    assert score.quarters == Fraction(7, 2)


def test_one_note_in_parentheses_has_a_fermata_more_are_a_tuplet() -> None:
    score = read("(2C)(8DEF)8({GA}B)4({6CDEFG};5)(gC4D)")
    assert [n.fermata for n in score.notes] == [True] + [False] * 12 + [True]
    assert [n.tuplet for n in score.notes] == [None] + [(3, 2)] * 6 + [(5, 4)] * 5 + [None] * 2
    assert score.quarters == 2 + 1 + 1 + 1 + 1
    assert [n.tuplet for n in read("(4CD;2)").notes] == [(2, 3)] * 2


def test_tuplet_and_beam_may_cross() -> None:
    notes = read("4B(8{GA''C)}").notes
    assert [(n.tuplet, n.beam) for n in notes[1:]] == [((3, 2), "begin"), ((3, 2), "middle"), ((3, 2), "end")]


def test_trills_and_ties() -> None:
    notes = read("4Ct+/C{8F''F}+{F6ED}").notes
    assert (notes[0].trill, notes[0].tie, notes[3].tie) == (True, True, True)


def test_a_repeated_figure_keeps_its_octave_and_lengths() -> None:
    # RISM 400014604's kind: the first note of the figure takes its length from before it.
    score = read("'4DD/!D+8.D3FE!f/4D")
    assert [n.quarters for n in score.notes[2:10]] == [Fraction(n, 8) for n in (8, 6, 1, 1, 8, 6, 1, 1)]
    assert names("!''8C'B!ff/f") == ["C5", "B4"] * 4


def test_a_repeated_measure_keeps_its_accidentals() -> None:
    score = read("4C/xCD/i/i/C")
    assert [n.pitch.name for n in score.notes] == ["C4", "C#4", "D4", "C#4", "D4", "C#4", "D4", "C4"]
    assert bars(score) == ["single"] * 4


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("accidental", "4x-"),
        ("accidental", "4xnC"),
        ("accidental", "4Cx"),
        ("barline", "4C///"),
        ("beam", "{8C{D}}"),
        ("beam", "8C}"),
        ("beam", "{8CD"),
        ("character", "4C?"),
        ("chord", "4C^E"),
        ("clef", "4C%G-6 D"),
        ("duration", "4....C"),
        ("empty", ""),
        ("empty", "///"[:2]),
        ("grace", "g-"),
        ("grace", "qq4CD"),
        ("grace", "4Cr"),
        ("key", "4C$xC D"),
        ("meter", "4C@o D"),
        ("multirest", "=0/"),
        ("multirest", "(=1)"),
        ("multirest", "=" + "9" * 5000),
        ("neume", "7.CD"),
        ("octave", "4" + "'" * 12 + "C"),
        ("parenthesis", "(4C"),
        ("parenthesis", "4C)"),
        ("parenthesis", "()"),
        ("parenthesis", "(8C(DEF)G)"),
        ("parenthesis", "(8CDE;1)"),
        ("repetition", "4Ci"),
        ("repetition", "f"),
        ("repetition", "=3/i"),
        ("repetition", "!4C"),
        ("slur", "4C+D"),
        ("tie", "4C+"),
        ("tie", "4C+-"),
        ("tie", "4-+"),
        ("trill", "t"),
    ],
)
def test_what_is_refused_by_name(reason: str, data: str) -> None:
    assert reason in REASONS
    with pytest.raises(NotationError, match=f"^{reason}: ") as caught:
        read(data)
    assert caught.value.reason == reason


@pytest.mark.parametrize("clef", ["g-2", "C+3", "", "G2", "G-6"])
def test_clefs_that_no_score_has(clef: str) -> None:
    with pytest.raises(NotationError, match="^clef: "):
        read("4C", clef=clef)


def test_text_of_fields() -> None:
    text = "@start:1\n@clef:F-4\n@keysig:bBE\n@key:\n@timesig:c/\n@data:,4E/\n@end:1\n"
    assert read_pae_text(text) == read(",4E/", clef="F-4", keysig="bBE", timesig="c/")
    assert read_pae_text("@clef: F-4\r\n@data: ,4E\r\n").notes == (Note(Pitch("E", 0, 3), Duration("quarter")),)
    with pytest.raises(NotationError, match="^field: no @data: line in '@clef:G-2'"):
        read_pae_text("@clef:G-2")


def test_no_field_but_clef_and_data_is_needed() -> None:
    assert read_pae(clef="G-2", data="4C").elements == (Clef("G", 2), Note(Pitch("C", 0, 4), Duration("quarter")))


CODE = "0123456789" * 2 + "ABCDEFG" * 4 + "'',,..--//::{}()+xbn=tgqrif!;^%$@ c2/4"
FIELDS = {
    "clef": st.sampled_from(["G-2", "F-4", "C-1", "x"]) | st.text(max_size=4),
    "keysig": st.sampled_from(["", "xFC", "bBE"]) | st.text("xbnABCDEFG[]", max_size=5),
    "timesig": st.sampled_from(["", "c", "3/4"]) | st.text("co/.;0123456789 ", max_size=5),
}


@given(**FIELDS, data=st.text(CODE, max_size=40) | st.text(max_size=10))
@example(clef="G-2", keysig="", timesig="", data="=٣")
@example(clef="G-2", keysig="", timesig="", data="(8CDE;99999999999)")
@example(clef="G-2", keysig="", timesig="", data="{!8C}!f")
@example(clef="G-2", keysig="", timesig="", data="(8C!DE)!f")
def test_random_text_is_read_or_refused_by_name(clef: str, keysig: str, timesig: str, data: str) -> None:
    try:
        score = read_pae(clef=clef, keysig=keysig, timesig=timesig, data=data)
    except NotationError as error:
        assert error.reason in REASONS
    else:
        assert isinstance(score, Score) and isinstance(score.elements[0], Clef)


@given(st.text(CODE, max_size=30), st.integers(0, 29), st.characters())
def test_random_changes_to_an_incipit(tail: str, place: int, character: str) -> None:
    data = "4-''8{DC'B}{''CDxE}/q8G4.F({6EDC})/=5/(2C)!8CD!f/i"
    try:
        assert read(data[:place] + character + data[place:] + tail).elements
    except NotationError as error:
        assert error.reason in REASONS
