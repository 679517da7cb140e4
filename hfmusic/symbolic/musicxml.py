"""MusicXML 4.0: `write_musicxml` writes a score as one part, `read_musicxml` reads a part of one voice.

`part_to_score` reads what music21 has read from any format of its own.
"""

from __future__ import annotations

import math
from fractions import Fraction

from .music21_part import part_to_score
from .musicxml_reader import ACCIDENTALS, TYPES, read_musicxml
from .score import (
    Barline,
    BarlineKind,
    Clef,
    Element,
    KeySignature,
    MultiRest,
    Note,
    Rest,
    Score,
    TimeSignature,
)
from .spans import beam_spans, tuplet_spans

__all__ = ["part_to_score", "read_musicxml", "write_musicxml"]

_STYLES: dict[BarlineKind, str] = {
    "double": "light-light",
    "final": "light-heavy",
    "repeat-end": "light-heavy",
    "repeat-both": "light-heavy",
    "dashed": "dashed",
    "invisible": "none",
}
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="4.0"><part-list><score-part id="P1"><part-name/></score-part></part-list><part id="P1">
"""
_FORWARD = '<barline location="left"><bar-style>heavy-light</bar-style><repeat direction="forward"/></barline>'
_TEMPO = (
    '<direction placement="above"><direction-type><metronome><beat-unit>quarter</beat-unit>'
    '<per-minute>{0:g}</per-minute></metronome></direction-type><sound tempo="{0:g}"/></direction>'
)


def write_musicxml(score: Score, tempo: float | None = None) -> str:
    """Writes a score as a MusicXML part of one voice, accidentals as `Score.written_accidentals` has them.

    A multirest becomes as many measures; one that stands beside notes, and music after it, is parted by an invisible
    barline. A score that does not end with a barline ends with an invisible one. `tempo`, quarters a minute, is written
    above the first measure.
    """
    elements = score.elements
    writer = _Writer(score, tempo)
    for index, element in enumerate(elements):
        if isinstance(element, Barline):
            writer.close(element.kind)
            continue
        if writer.full or (isinstance(element, MultiRest) and writer.timed):
            writer.close("invisible")
        if isinstance(element, (Note, Rest)):
            writer.add(index)
        elif isinstance(element, MultiRest):
            writer.add_multirest(element)
        else:
            writer.add_sign(element)
    if writer.content or writer.left or not writer.measures:
        writer.close("invisible")
    return f"{_HEAD}{''.join(writer.measures)}</part></score-partwise>\n"


class _Writer:
    """Collects the content of the open measure, and the measures closed so far."""

    def __init__(self, score: Score, tempo: float | None) -> None:
        self.elements = score.elements
        self.tempo = "" if tempo is None else _TEMPO.format(round(tempo, 1))
        self.drawn = score.written_accidentals()
        self.tied_to = {score.tied_note(i) for i, e in enumerate(score.elements) if isinstance(e, Note) and e.tie}
        lengths = [e.quarters for e in score.elements if isinstance(e, (Note, Rest))]
        meters = [e.quarters for e in score.elements if isinstance(e, TimeSignature)]
        self.divisions = math.lcm(*(length.denominator for length in (*lengths, *meters, Fraction(1))))
        beams = beam_spans(score.elements)
        self.beams = {index: mark for first, last in beams for index, mark in self.beam_marks(first, last)}
        self.tuplets: dict[int, str] = {}
        for first, last, _ in tuplet_spans(score.elements, beams):
            self.tuplets[first] = '<tuplet type="start"/>'
            self.tuplets[last] = self.tuplets.get(last, "") + '<tuplet type="stop"/>'
        self.measures: list[str] = []
        self.content: list[str] = []
        self.measure_quarters = Fraction(4)
        self.left = ""
        self.timed = self.full = False

    def beam_marks(self, first: int, last: int) -> list[tuple[int, str]]:
        """Beams of each note of a group, level by level; a beam that reaches no neighbour is a hook."""
        grace = getattr(self.elements[first], "grace", False)
        group = [i for i in range(first, last + 1) if isinstance(self.elements[i], Note)]
        group = [i for i in group if self.elements[i].grace == grace]  # type: ignore[union-attr]
        flags = [self.elements[i].duration.flags for i in group]  # type: ignore[union-attr]
        marks = []
        for place, index in enumerate(group):
            mark = ""
            for level in range(1, flags[place] + 1):
                before = place > 0 and flags[place - 1] >= level
                after = place + 1 < len(group) and flags[place + 1] >= level
                alone = "backward hook" if place else "forward hook"
                kind = {(True, True): "continue", (True, False): "end", (False, True): "begin"}.get(
                    (before, after), alone
                )
                mark += f'<beam number="{level}">{kind}</beam>'
            marks.append((index, mark))
        return marks

    def add(self, index: int) -> None:
        """Adds a note or rest, children in the order of MusicXML's schema."""
        element = self.elements[index]
        assert isinstance(element, (Note, Rest))
        parts = ["<note>"]
        notations = []
        if isinstance(element, Rest):
            parts.append("<rest/>")
        else:
            pitch = element.pitch
            alter = f"<alter>{pitch.alter}</alter>" if pitch.alter else ""
            grace = "<grace/>" if element.grace else ""
            parts.append(f"{grace}<pitch><step>{pitch.step}</step>{alter}<octave>{pitch.octave}</octave></pitch>")
            ties = [kind for kind, there in (("stop", index in self.tied_to), ("start", element.tie)) if there]
            notations += [f'<tied type="{kind}"/>' for kind in ties]
        if element.quarters:
            parts.append(f"<duration>{element.quarters * self.divisions}</duration>")
        if isinstance(element, Note):
            parts += [f'<tie type="{kind}"/>' for kind in ties]
        parts.append(f"<voice>1</voice><type>{TYPES[element.duration.figure]}</type>{'<dot/>' * element.duration.dots}")
        accidental = self.drawn[index]
        if accidental is not None:
            parts.append(f"<accidental>{ACCIDENTALS[accidental]}</accidental>")
        if element.tuplet is not None and element.quarters:
            actual, normal = element.tuplet
            parts.append(f"<time-modification><actual-notes>{actual}</actual-notes>")
            parts.append(f"<normal-notes>{normal}</normal-notes></time-modification>")
        parts.append(self.beams.get(index, ""))
        notations.append(self.tuplets.get(index, ""))
        if isinstance(element, Note) and element.trill:
            notations.append("<ornaments><trill-mark/></ornaments>")
        if element.fermata:
            notations.append("<fermata/>")
        if any(notations):
            parts.append(f"<notations>{''.join(notations)}</notations>")
        self.content.append(f"{''.join(parts)}</note>\n")
        self.timed = True

    def add_multirest(self, element: MultiRest) -> None:
        """Adds whole measures of rest; the last of them stays open for the barline that follows."""
        rest = f"<duration>{self.measure_quarters * self.divisions}</duration><voice>1</voice>"
        rest = f'<note><rest measure="yes"/>{rest}</note>\n'
        if element.measures > 1:
            style = f"<measure-style><multiple-rest>{element.measures}</multiple-rest></measure-style>"
            self.content.append(f"<attributes>{style}</attributes>")
        for _ in range(element.measures - 1):
            self.content.append(rest)
            self.close("single")
        self.content.append(rest)
        self.timed = self.full = True

    def add_sign(self, sign: Element) -> None:
        if isinstance(sign, Clef):
            inner = f"<clef><sign>{sign.shape}</sign><line>{sign.line}</line></clef>"
        elif isinstance(sign, KeySignature):
            inner = f"<key><fifths>{sign.fifths}</fifths></key>"
        else:
            assert isinstance(sign, TimeSignature)
            self.measure_quarters = sign.quarters
            name = {"C": ' symbol="common"', "C/": ' symbol="cut"'}.get(sign.symbol or "", "")
            inner = f"<time{name}><beats>{sign.numerator}</beats><beat-type>{sign.denominator}</beat-type></time>"
        self.content.append(f"<attributes>{inner}</attributes>")

    def close(self, kind: BarlineKind) -> None:
        number = len(self.measures) + 1
        divisions = (
            f"<attributes><divisions>{self.divisions}</divisions></attributes>{self.tempo}" if number == 1 else ""
        )
        right = ""
        if kind == "repeat-start" and not self.measures and not self.timed and _FORWARD not in self.content:
            self.content.append(_FORWARD)
            return
        if kind in _STYLES:
            repeat = '<repeat direction="backward"/>' if kind in ("repeat-end", "repeat-both") else ""
            right = f'<barline location="right"><bar-style>{_STYLES[kind]}</bar-style>{repeat}</barline>'
        self.measures.append(
            f'<measure number="{number}">{divisions}{self.left}\n{"".join(self.content)}{right}</measure>\n'
        )
        self.left = _FORWARD if kind in ("repeat-start", "repeat-both") else ""
        self.content = []
        self.timed = self.full = False
