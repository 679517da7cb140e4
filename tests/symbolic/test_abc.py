"""ABC: what is written is read back, ABC as it is found is understood, and what a Score cannot carry is named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from hfmusic.symbolic.abc import read_abc, write_abc
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
from tests.symbolic.strategies import scores

G = Clef("G", 2)
F4 = Note(Pitch("F", 0, 4), Duration("quarter"))
SEVENTHS = ("eighth...", "sixty_fourth")
SHORT = replace(F4, duration=Duration("eighth"))


@settings(deadline=None, max_examples=150)
@given(scores(tuplets=True, trills=True, double_accidentals=True, beams=True, courtesies=True))
def test_any_score_is_read_back(score: Score) -> None:
    read = read_abc(write_abc(score))
    assert read.without("courtesy") == score.without("courtesy")
    assert read.written_accidentals() == score.written_accidentals()


@pytest.mark.parametrize(
    "elements",
    [
        (),
        (F4,),
        (TimeSignature(3, 4), KeySignature(2), F4),
        (G, F4, Barline(), Clef("F", 4), KeySignature(-2), TimeSignature(2, 2, "C/"), F4, KeySignature(0), F4),
        *((Clef(shape, line), F4) for shape in "GCF" for line in (1, 2, 3, 4, 5)),
        (G, *(e for k in ("single", "double", "final", "dashed", "invisible") for e in (F4, Barline(k)))),
        (G, *(e for k in ("repeat-start", "repeat-end", "repeat-both") for e in (F4, Barline(k)))),
        (Barline(), G, F4),
        (G, MultiRest(1), Barline(), MultiRest(20), Barline(), Rest(Duration("half", 1), fermata=True)),
        (G, *(replace(SHORT, beam=b, grace=True) for b in ("begin", "middle", "end")), replace(SHORT, grace=True), F4),
        (G, replace(SHORT, beam="begin"), replace(SHORT, grace=True, beam="middle"), replace(SHORT, beam="end"), SHORT),
        (G, SHORT, SHORT, replace(SHORT, beam="begin"), Rest(Duration("eighth")), replace(SHORT, beam="end")),
        (G, *[replace(SHORT, tuplet=(5, 4))] * 5, replace(F4, tuplet=(3, 2)), replace(SHORT, tuplet=(3, 2))),
        (G, replace(F4, tie=True), Barline(), replace(SHORT, grace=True), F4, replace(F4, fermata=True, trill=True)),
        (G, Note(Pitch("B", -2, 9), Duration("quadruple_whole")), Note(Pitch("C", 2, 0), Duration("sixty_fourth", 3))),
        (G, KeySignature(1), replace(F4, pitch=Pitch("F", 1, 4), courtesy=True), F4, replace(F4, courtesy=True)),
    ],
)  # fmt: skip
def test_hand_made_scores_are_read_back(elements: tuple) -> None:
    assert read_abc(write_abc(Score(elements))).elements == elements


def test_a_written_tune() -> None:
    score = read_abc("X:1\nM:6/8\nK:Em\n|: B2e (3efg {c}d2- | d>B z4 :|\n")
    assert write_abc(score, title="Old\ntune") == (
        "X:1\nT:Old tune\nM:6/8\nL:1/8\nI:propagate-accidentals octave\nK:G clef=treble\n"
        "|: B2 e (3:2:3efg {c}d2- | d3/2B/2 z4 :|\n"
    )


TUNE = """X:7
T:Found % with a remark
C:Trad.
M:C|
L:1/8
Q:120
K:Ador
%%MIDI program 1
"Am"A2 ~e2 (ed)c.B|[1 _B,4 !trill!=B4 :|[2 c'2 d,2 [M:3/4][K:Bb bass] E2 F |]
w: words are no mu-sic
W: nor these
z2 Z4 `A<B \\
"""


def test_abc_as_it_is_found() -> None:
    tokens = write_semantic(read_abc(TUNE).without("trill"))
    assert (
        tokens
        == (
            "clef-G2 keySignature-GM timeSignature-C/ note-A4_quarter note-E5_quarter note-E5_eighth note-D5_eighth "
            "note-C5_eighth note-B4_eighth barline note-Bb3_half note-B4_half barline note-C6_quarter note-D4_quarter "
            "timeSignature-3/4 clef-F4 keySignature-BbM note-Eb4_quarter note-F4_eighth barline rest-quarter "
            "multirest-4 note-A4_sixteenth note-Bb4_eighth."
        ).split()
    )
    assert [element.kind for element in read_abc(TUNE).elements if isinstance(element, Barline)] == [
        *("single", "repeat-end", "final")
    ]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("L:1/16\nK:C\nA", ["sixteenth"]),
        ("M:2/4\nK:C\nA", ["sixteenth"]),
        ("M:3/4\nK:C\nA", ["eighth"]),
        ("L:1/8\nK:C\nA/ A// A3/2 A/4", ["sixteenth", "thirty_second", "eighth.", "thirty_second"]),
        ("L:1/8\nK:C\nA>B A<<B c>>>B", ["eighth.", "sixteenth", "thirty_second", "eighth..", *SEVENTHS]),
        ("L:1/8\nK:C\nA5", ["half", "eighth"]),
    ],
)  # fmt: skip
def test_lengths(line: str, names: list[str]) -> None:
    notes = read_abc(line).notes
    assert [note.duration.figure + "." * note.duration.dots for note in notes] == names
    assert [note.tie for note in notes] == ([True, False] if "A5" in line else [False] * len(notes))


@pytest.mark.parametrize(
    ("key", "fifths"),
    [("C", 0), ("G", 1), ("Bbm", -5), ("D Mix", 1), ("F# phrygian", 2), ("G#m", 5), ("Hp", 2), ("HP", 0), ("none", 0)],
)
def test_keys(key: str, fifths: int) -> None:
    signs = [element for element in read_abc(f"K:{key}\nA").elements if isinstance(element, KeySignature)]
    assert signs == ([KeySignature(fifths)] if fifths else [])


@pytest.mark.parametrize(
    ("tuplet", "meter", "ratio"),
    [("(3", "C", (3, 2)), ("(2", "6/8", (2, 3)), ("(5", "6/8", (5, 3)), ("(5", "C", (5, 2)), ("(5:4:6", "C", (5, 4))],
)
def test_tuplets(tuplet: str, meter: str, ratio: tuple[int, int]) -> None:
    notes = read_abc(f"M:{meter}\nL:1/8\nK:C\n{tuplet}ABcdefgabc'").notes
    count = int(tuplet[-1]) if ":" in tuplet else ratio[0]
    assert [note.tuplet for note in notes] == [ratio] * count + [None] * (10 - count)


def test_accidentals_hold_as_the_tune_says() -> None:
    body = "K:C\n^F f F | F ^G-|G G |]"
    assert [note.pitch.alter for note in read_abc(body).notes] == [1, 1, 1, 0, 1, 1, 0]
    octave = read_abc(f"I:propagate-accidentals octave\n{body}")
    assert [note.pitch.alter for note in octave.notes] == [1, 0, 1, 0, 1, 1, 0]


def test_accidentals_end_with_a_measure_that_ends_its_line() -> None:
    notes = read_abc("M:2/4\nL:1/4\nK:C\nF | ^F F\nF | ^F\nF |").notes
    assert [note.pitch.alter for note in notes] == [0, 1, 1, 0, 1, 1]


def test_barlines_join() -> None:
    kinds = [e.kind for e in read_abc("K:C\nA||\n|:A:|\n|:A:||:A::A|]").elements if isinstance(e, Barline)]
    assert kinds == ["repeat-start", "repeat-both", "repeat-both", "repeat-both", "final"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "abc"),
        ("no ABC at all", "abc"),
        ("K:C\nA ; B", "abc"),
        ("K:C\nA | 4A", "abc"),
        ("K:C\nA,,,,,", "abc"),
        ("X:1\nK:C\nA\nX:2\nK:C\nB", "tunes"),
        ("V:1\nV:2\nK:C\nA", "voices"),
        ("K:C\nA & B", "voices"),
        ("K:C\n[CEG]", "chord"),
        ("K:C\nA x2", "space"),
        ("K:C clef=perc\nA", "clef"),
        ("K:C treble-8\nA", "clef"),
        ("K:C octave=-1\nA", "clef"),
        ("K:D =c\nA", "key"),
        ("K:H\nA", "key"),
        ("K:G# lyd\nA", "key"),
        ("M:3+2/8\nK:C\nA", "meter"),
        ("L:0\nK:C\nA", "duration"),
        ("K:C\nA/0", "duration"),
        ("K:C\nA/7", "duration"),
        ("K:C\n>A", "duration"),
        ("K:C\nA-z", "tie"),
        ("K:C\n(3:0:3ABc", "tuplet"),
    ],
)
def test_what_a_score_cannot_carry_is_named(text: str, reason: str) -> None:
    with pytest.raises(NotationError, match=f"^{reason}") as caught:
        read_abc(text)
    assert caught.value.reason == reason
