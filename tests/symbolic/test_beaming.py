from __future__ import annotations

import pytest
from hypothesis import given

from hfmusic.symbolic.beaming import with_beams
from hfmusic.symbolic.score import Note
from hfmusic.symbolic.semantic import read_semantic
from tests.symbolic.strategies import scores

_LENGTHS = {"w": "whole", "q": "quarter", "e": "eighth", "s": "sixteenth", "d": "eighth."}
_LETTERS = {"begin": "(", "middle": "-", "end": ")", None: "."}


def beams(music: str, meter: str | None) -> str:
    """One letter a token: w q e s d notes (d: dotted eighth), r an eighth rest, g a grace note, | a barline."""
    tokens = [f"timeSignature-{meter}"] if meter else []
    for letter in music:
        if letter == "g":
            tokens.append("gracenote-C4_eighth")
        else:
            tokens.append({"|": "barline", "r": "rest-eighth"}.get(letter) or f"note-C4_{_LENGTHS[letter]}")
    return "".join(_LETTERS[note.beam] for note in with_beams(read_semantic(tokens)).notes)


@pytest.mark.parametrize(
    ("music", "meter", "expected"),
    [
        ("eeee|", "2/4", "()()"),
        ("eeee|", "C", "()()"),
        ("sssseeq|", "3/4", "(--)()."),
        ("dsds|", "2/4", "()()"),
        ("eeeeee|", "6/8", "(-)(-)"),
        ("eee|eee|", "3/8", "(-)(-)"),
        ("qeqe|", "6/8", "...."),
        ("eeeq|", None, "().."),
        ("eree|", "2/4", ".()"),
        ("e|ee|", "2/4", ".()"),  # a barline
        ("e|eeee|", "2/4", ".()()"),  # an upbeat of one eighth
        ("eeee|", "6/8", ".(-)"),  # an upbeat of four: counted from its end
        ("ee|q|ee", "2/4", "().()"),
        ("qqqq|e", "4/4", "....."),
    ],
)
def test_beams_by_the_beat(music, meter, expected):
    assert beams(music, meter) == expected


def test_grace_notes_inside_are_in_the_middle_and_others_free():
    assert beams("gegeg|", "1/4") == ".(-)."
    assert beams("eegee|", "2/4") == "().()"


def test_tuplets_and_signs_break_beams():
    from dataclasses import replace

    score = read_semantic(
        "timeSignature-2/4 note-C4_sixteenth note-C4_sixteenth clef-F4 note-C4_sixteenth note-C4_sixteenth"
    )
    assert [n.beam for n in with_beams(score).notes] == ["begin", "end", "begin", "end"]
    triplet = [replace(e, tuplet=(3, 2)) if isinstance(e, Note) else e for e in score.elements[1:4]]
    mixed = type(score)((*triplet[:2], *score.elements[4:]))
    assert [n.beam for n in with_beams(mixed).notes] == ["begin", "end", "begin", "end"]


@given(scores(tuplets=True))
def test_every_beam_is_closed_and_only_beams_change(score):
    beamed = with_beams(score)
    assert beamed.without("beam") == score
    assert with_beams(beamed) == beamed
    open_beam = False
    for note in beamed.notes:
        assert (note.beam in ("middle", "end")) == open_beam
        assert note.beam is None or note.duration.flags
        open_beam = note.beam in ("begin", "middle")
    assert not open_beam
