"""Quantised music as MusicXML, by music21: one staff or the two of a piano, measures, ties, triplets and beams."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from .quantise import Chord, Written, pieces, spelled

_BASS_BELOW = 57  # mean pitch of a staff with a bass clef


def write_performance_musicxml(
    music: Written, *, tempo: float | None = None, title: str = "", instrument: str = "", octave_clef: bool = False
) -> str:
    """MusicXML of quantised notes.

    Args:
        tempo: quarters a minute, written at the beginning.
        instrument: the part's name.
        octave_clef: a treble clef that sounds an octave lower, as guitars have it.
    """
    from music21 import layout, metadata, stream
    from music21.musicxml.m21ToXml import ScoreExporter

    score = stream.Score()
    score.metadata = metadata.Metadata(title=title or None, composer=None)
    parts = [_part(staff, music, index, octave_clef) for index, staff in enumerate(music.staves)]
    for part in parts:
        part.partName = instrument
        score.insert(0, part)
    if len(parts) > 1:
        score.insert(0, layout.StaffGroup(parts, name=instrument, symbol="brace", barTogether=True))
    if tempo is not None:
        _tell_tempo(parts[0], tempo)
    return _text(ScoreExporter(score, makeNotation=False).parse())


def _text(root: Any) -> str:
    from xml.etree.ElementTree import indent, tostring

    indent(root)
    head = '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 '
    head += 'Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
    return head + tostring(root, encoding="unicode") + "\n"


def _tell_tempo(part: Any, tempo: float) -> None:
    from music21 import tempo as marks

    part.getElementsByClass("Measure").first().insert(0, marks.MetronomeMark(number=round(tempo)))


def _part(chords: Sequence[Chord], music: Written, index: int, octave_clef: bool) -> Any:
    from music21 import bar, clef, key, meter, stream

    part = stream.PartStaff() if len(music.staves) > 1 else stream.Part()
    part.id = f"staff{index + 1}"
    signature = meter.TimeSignature(f"{music.measure}/4")
    length = Fraction(music.measure)
    for number, inside in enumerate(_measures(chords, music), start=1):
        measure = stream.Measure(number=number)
        if number == 1:
            measure.append(_clef(chords, music, index, octave_clef, clef))
            measure.append(key.KeySignature(music.fifths))
            measure.append(signature)
        shown = _Accidentals(music.fifths)
        for event in inside:
            measure.append(_event(event, music.fifths, shown, whole=event.length == length))
        _beam(measure, signature)
        part.append(measure)
    part.getElementsByClass("Measure").last().rightBarline = bar.Barline("final")
    return part


def _clef(chords: Sequence[Chord], music: Written, index: int, octave_clef: bool, clef: Any) -> Any:
    if octave_clef:
        return clef.Treble8vbClef()
    pitches = [pitch for chord in chords for pitch in chord.pitches]
    low = index == 1 if len(music.staves) > 1 else bool(pitches) and sum(pitches) / len(pitches) < _BASS_BELOW
    return clef.BassClef() if low else clef.TrebleClef()


class _Event:
    """A chord, or a rest where it has no pitches, as it is written in one measure."""

    def __init__(self, pitches: tuple[int, ...], length: Fraction, tie: str | None = None) -> None:
        self.pitches, self.length, self.tie = pitches, length, tie


def _measures(chords: Sequence[Chord], music: Written) -> Iterable[list[_Event]]:
    """The events of each measure, rests filled in."""
    measures: list[list[_Event]] = [[] for _ in range(int(music.end / music.measure))]
    now = Fraction(0)
    for chord in [*chords, Chord(music.end, music.end, ())]:
        for start, length in _cut(now, chord.onset, music.measure, rest=True):
            measures[int(start // music.measure)].append(_Event((), length))
        cuts = _cut(chord.onset, chord.offset, music.measure)
        for place, (start, length) in enumerate(cuts):
            first, last = place == 0, place == len(cuts) - 1
            tie = None if first and last else "start" if first else "stop" if last else "continue"
            measures[int(start // music.measure)].append(_Event(chord.pitches, length, tie))
        now = chord.offset
    return measures


def _cut(start: Fraction, end: Fraction, measure: int, *, rest: bool = False) -> list[tuple[Fraction, Fraction]]:
    found = []
    for length in pieces(start, end, measure, rest=rest):
        found.append((start, length))
        start += length
    return found


class _Accidentals:
    """What a measure's staff has said of each line and space so far."""

    def __init__(self, fifths: int) -> None:
        from music21 import key

        altered = key.KeySignature(fifths).alteredPitches
        self._key = {pitch.step: pitch.alter for pitch in altered}
        self._here: dict[tuple[str, int], float] = {}

    def show(self, pitch: Any, *, tied: bool) -> None:
        """Prints an accidental where the pitch is another than the measure or the key says."""
        place = (pitch.step, pitch.octave)
        known = self._here.get(place, self._key.get(pitch.step, 0.0))
        if pitch.accidental is None and known != 0:
            pitch.accidental = "natural"
        if pitch.accidental is not None:
            pitch.accidental.displayStatus = not tied and pitch.alter != known
        if not tied:
            self._here[place] = pitch.alter


def _event(event: _Event, fifths: int, shown: _Accidentals, *, whole: bool) -> Any:
    from music21 import chord, note, tie

    if not event.pitches:
        rest = note.Rest(quarterLength=event.length)
        if whole:
            rest.fullMeasure = True
        return rest
    names = [spelled(pitch, fifths) for pitch in event.pitches]
    written = note.Note(names[0]) if len(names) == 1 else chord.Chord(names)
    written.quarterLength = event.length
    if event.tie:
        written.tie = tie.Tie(event.tie)
    for pitch in written.pitches:
        shown.show(pitch, tied=event.tie in ("stop", "continue"))
    return written


def _beam(measure: Any, signature: Any) -> None:
    from music21 import stream

    stream.makeNotation.makeTupletBrackets(measure, inPlace=True)
    if any(one.duration.quarterLength < 1 for one in measure.notes):
        beams = signature.getBeams(list(measure.notesAndRests), measureStartOffset=0.0)
        for one, beam in zip(measure.notesAndRests, beams, strict=True):
            if beam is not None and not one.isRest:
                one.beams = beam
