"""music21 parts, built by hand."""

from __future__ import annotations

import pytest
from music21 import bar, chord, clef, duration, expressions, key, meter, note, stream, tie

from hfmusic.symbolic.music21_part import part_to_score
from hfmusic.symbolic.score import (
    Barline,
    Clef,
    Duration,
    KeySignature,
    MultiRest,
    NotationError,
    Note,
    Pitch,
    TimeSignature,
)


def part(*measures: list) -> stream.Part:
    result = stream.Part()
    for number, content in enumerate(measures, 1):
        measure = stream.Measure(number=number)
        for item in content:
            measure.append(item)
        result.append(measure)
    return result


def test_signs_notes_and_barlines() -> None:
    first = [clef.BassClef(), key.KeySignature(-2), meter.TimeSignature("C"), note.Note("E-3", quarterLength=4)]
    built = part(first, [note.Note("F#3", type="half", dots=1), note.Note("B3")])
    built.getElementsByClass("Measure")[1].rightBarline = bar.Barline("final")
    assert part_to_score(built).elements == (
        Clef("F", 4),
        KeySignature(-2),
        TimeSignature(4, 4, "C"),
        Note(Pitch("E", -1, 3), Duration("whole")),
        Barline(),
        Note(Pitch("F", 1, 3), Duration("half", 1)),
        Note(Pitch("B", 0, 3), Duration("quarter")),
        Barline("final"),
    )


def test_repeats() -> None:
    built = part([note.Note("C4")], [note.Note("D4")])
    first, second = built.getElementsByClass("Measure")
    first.leftBarline, first.rightBarline = bar.Repeat("start"), bar.Repeat("end")
    second.leftBarline = bar.Repeat("start")
    kinds = [element.kind for element in part_to_score(built).elements if isinstance(element, Barline)]
    assert kinds == ["repeat-start", "repeat-both", "single"]


def test_ties_graces_ornaments_and_tuplets() -> None:
    tied, slurred, last = note.Note("C4"), note.Note("C4"), note.Note("D4", type="eighth")
    tied.tie, slurred.tie = tie.Tie("start"), tie.Tie("start")
    last.expressions += [expressions.Fermata(), expressions.Trill()]
    last.duration.appendTuplet(duration.Tuplet(3, 2))
    notes = part_to_score(part([tied, slurred, note.Note("E4", type="eighth").getGrace(), last])).notes
    assert [n.tie for n in notes] == [True, False, False, False]
    assert [n.grace for n in notes] == [False, False, True, False]
    assert notes[3].fermata and notes[3].trill and notes[3].tuplet == (3, 2)


def test_a_length_of_no_figure_is_tied() -> None:
    notes = part_to_score(part([note.Note("C4", quarterLength=2.5)])).notes
    assert [(n.duration.figure, n.tie) for n in notes] == [("half", True), ("eighth", False)]


def test_whole_measures_of_rest_are_one_sign() -> None:
    rests = [[note.Rest(quarterLength=3)] for _ in range(3)]
    built = part([meter.TimeSignature("3/4"), note.Note("C4", quarterLength=3)], *rests, [note.Note("C4")])
    assert [e for e in part_to_score(built).elements if isinstance(e, MultiRest)] == [MultiRest(3)]


@pytest.mark.parametrize(
    ("reason", "content"),
    [
        ("chord", [chord.Chord("C4 E4")]),
        ("clef", [clef.Treble8vbClef(), note.Note("C4")]),
        ("duration", [note.Note("C4", type="2048th")]),
        ("empty", []),
    ],
)
def test_what_is_refused(reason: str, content: list) -> None:
    with pytest.raises(NotationError, match=f"^{reason}"):
        part_to_score(part(content))


def test_voices_are_refused_and_a_part_may_be_read_up_to_them() -> None:
    built = part([note.Note("C4")], [])
    for pitch in ("E4", "G4"):
        built.getElementsByClass("Measure")[1].insert(0, stream.Voice([note.Note(pitch)]))
    with pytest.raises(NotationError, match="^voices: measure 2"):
        part_to_score(built)
    assert len(part_to_score(built, partial=True).notes) == 1
