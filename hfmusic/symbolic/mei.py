"""MEI 5 as Verovio engraves it: `write_mei` writes every element of a Score, `read_mei` reads one staff and voice back.

Every Score element becomes an MEI element with `xml:id="nK"`, K its index in the Score, so that positions can be looked
up in the engraving; a barline is its measure's right edge, and that measure's id is `mK`. Measures that the score does
not have, but that its engraving needs, end invisibly, have `type="open"` and an id `oK`.
"""

from __future__ import annotations

from .mei_reader import read_mei
from .mei_signs import ACCIDENTALS, BARLINES, DURATIONS, METER_SIGNS
from .score import (
    Barline,
    Clef,
    Duration,
    Element,
    KeySignature,
    MultiRest,
    Note,
    Rest,
    Score,
    TimeSignature,
)
from .spans import beam_spans, leading_signs, tuplet_spans

__all__ = ["read_mei", "write_mei"]

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.0">'
    "<meiHead><fileDesc><titleStmt><title/></titleStmt><pubStmt/></fileDesc></meiHead>"
    '<music><body><mdiv xml:id="mdiv"><score xml:id="score">'
)
_TAIL = "</section></score></mdiv></body></music></mei>\n"


def write_mei(score: Score, *, accidentals: bool = True, slashed_graces: bool = True) -> str:
    """Writes a score as MEI 5 for Verovio: nothing is drawn that the score lacks, and everything that it has.

    Measures end where the score has a barline, complete or not; a score that does not end with one ends open.
    Beam groups that are not begin, middle..., end of beamable notes within a measure are left out. The one sign that
    cannot be seen is `KeySignature(0)` where no other key comes before it.

    Args:
        accidentals: draw them as `Score.written_accidentals` says; False draws none (they stay in `accid.ges`).
        slashed_graces: draw a stroke through grace notes (Plaine & Easie `g`; without it `q`): a Score has both as one.
    """
    elements = score.elements
    head = leading_signs(elements, 0)
    writer = _Writer(score, accidentals, "unacc" if slashed_graces else "acc")
    index = len(head)
    writer.key = next((sign for sign in head if isinstance(sign, KeySignature)), KeySignature(0))
    while index < len(elements):
        element = elements[index]
        if isinstance(element, (Clef, KeySignature, TimeSignature)):
            index += writer.add_signs(leading_signs(elements, index), index)
            continue
        if isinstance(element, Barline):
            writer.add_barline(element, index)
        elif isinstance(element, MultiRest):
            writer.add_multirest(index)
        else:
            writer.add(index)
        index += 1
    writer.finish()
    signs = "".join(_write_sign(element, place) for place, element in enumerate(head))
    return f'{_HEAD}{_score_def("scoreDef", signs)}<section xml:id="section">{"".join(writer.measures)}{_TAIL}'


class _Writer:
    """Collects what stands in the open measure, and the measures closed so far."""

    def __init__(self, score: Score, accidentals: bool, grace: str) -> None:
        self.score = score
        self.grace = grace
        self.drawn = score.written_accidentals() if accidentals else [None] * len(score.elements)
        self.before, self.after = _groups(score.elements)
        self.measures: list[str] = []
        self.layer: list[str] = []
        self.controls: list[str] = []
        self.key = KeySignature(0)
        self.left = ""
        self.timed = self.full = self.pending = False

    def add(self, index: int) -> None:
        """Adds a note or rest with the ties and signs that hang on it."""
        if self.full:
            self.close(index, "invis", "open")
        element = self.score.elements[index]
        self.layer.extend(self.before.get(index, ()))
        if isinstance(element, Note):
            self.layer.append(_write_note(element, index, self.drawn[index], self.grace))
        elif isinstance(element, Rest):
            self.layer.append(f'<rest xml:id="n{index}" {_write_duration(element.duration)}/>')
        self.layer.extend(self.after.get(index, ()))
        self._add_controls(element, index)
        self.timed = True

    def _add_controls(self, element: Element, index: int) -> None:
        if isinstance(element, (Note, Rest)) and element.fermata:
            self.controls.append(f'<fermata xml:id="f{index}" startid="#n{index}" place="above"/>')
        if isinstance(element, Note) and element.trill:
            self.controls.append(f'<trill xml:id="r{index}" startid="#n{index}" place="above"/>')
        if isinstance(element, Note) and element.tie:
            end = self.score.tied_note(index)
            self.controls.append(f'<tie xml:id="i{index}" startid="#n{index}" endid="#n{end}"/>')

    def add_multirest(self, index: int) -> None:
        """Adds a multirest, which Verovio centres in a measure of its own; long ones are a bar, as PrIMuS has them."""
        if self.timed:
            self.close(index, "invis", "open")
        element = self.score.elements[index]
        assert isinstance(element, MultiRest)
        block = ' block="true"' if element.measures > 2 else ""
        self.layer.append(f'<multiRest xml:id="n{index}" num="{element.measures}"{block}/>')
        self.timed = self.full = True

    def add_signs(self, signs: tuple[Element, ...], index: int) -> int:
        """Adds a run of signs that begins at `index`; returns how many.

        A single one stands in the layer. Several do in a score definition before a (new) measure, since Verovio puts
        signs of one layer and moment in an order of its own; so does a cancelled key, since only there naturals appear.
        """
        cancelled = isinstance(signs[0], KeySignature) and signs[0].fifths == 0 and self.key.fifths != 0
        self.key = next((sign for sign in signs if isinstance(sign, KeySignature)), self.key)
        alone = len(signs) == 1 and not cancelled and not self.pending
        if alone and not self.full and (self.layer or not self.measures or isinstance(signs[0], Clef)):
            if not (self.layer and self.layer[-1].startswith(("<clef", "<keySig", "<meterSig"))):
                self.layer.append(_write_sign(signs[0], index))
                return 1
        if self.layer or self.pending or self.left or not self.measures:
            self.close(index, "invis", "open")
        written = "".join(_write_sign(sign, index + place) for place, sign in enumerate(signs))
        self.measures.append(_score_def(f"d{index}", written))
        self.pending = True
        return len(signs)

    def add_barline(self, barline: Barline, index: int) -> None:
        """Ends the measure; a repeat sign that begins the score stands at the left of its first measure."""
        if barline.kind == "repeat-start" and not (self.measures or self.layer or self.left):
            self.left = ' left="rptstart"'
            return
        self.close(index, BARLINES[barline.kind], "barline" if barline.kind == "invisible" else "")

    def close(self, index: int, right: str, kind: str) -> None:
        """Ends the measure before element `index`; `kind` tells an invisible barline of the score from none."""
        name = f"o{index}" if kind == "open" else f"m{index}"
        kind = f' type="{kind}"' if kind else ""
        self.measures.append(
            f'<measure xml:id="{name}"{self.left} right="{right}"{kind}><staff xml:id="s{index}" n="1">'
            f'<layer xml:id="l{index}" n="1">{"".join(self.layer)}</layer></staff>{"".join(self.controls)}</measure>'
        )
        self.layer, self.controls, self.left = [], [], ""
        self.timed = self.full = self.pending = False

    def finish(self) -> None:
        if self.layer or self.left or self.pending or not self.measures:
            self.close(len(self.score.elements), "invis", "open")


def _score_def(name: str, signs: str) -> str:
    return (
        f'<scoreDef xml:id="{name}"><staffGrp xml:id="{name}g"><staffDef xml:id="{name}s" n="1" lines="5">'
        f"{signs}</staffDef></staffGrp></scoreDef>"
    )


def _write_duration(duration: Duration) -> str:
    dots = f' dots="{duration.dots}"' if duration.dots else ""
    return f'dur="{DURATIONS[duration.figure]}"{dots}'


def _write_note(note: Note, index: int, drawn: int | None, grace: str) -> str:
    pitch = note.pitch
    name, alter = ("accid.ges", pitch.alter) if drawn is None else ("accid", drawn)
    mark = f' grace="{grace}"' if note.grace else ""
    return (
        f'<note xml:id="n{index}" {_write_duration(note.duration)} oct="{pitch.octave}" pname="{pitch.step.lower()}" '
        f'{name}="{ACCIDENTALS[alter]}"{mark}/>'
    )


def _write_sign(sign: Element, index: int) -> str:
    if isinstance(sign, Clef):
        return f'<clef xml:id="n{index}" shape="{sign.shape}" line="{sign.line}"/>'
    if isinstance(sign, KeySignature):
        return f'<keySig xml:id="n{index}" sig="{_key_sig(sign.fifths)}"/>'
    assert isinstance(sign, TimeSignature)
    symbol = f' sym="{METER_SIGNS[sign.symbol]}"' if sign.symbol else ""
    return f'<meterSig xml:id="n{index}" count="{sign.numerator}" unit="{sign.denominator}"{symbol}/>'


def _key_sig(fifths: int) -> str:
    return f"{abs(fifths)}{'s' if fifths > 0 else 'f'}" if fifths else "0"


def _groups(elements: tuple[Element, ...]) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Tags to write before and after elements: nested beams and tuplets."""
    beams = beam_spans(elements)
    spans = [(first, last, 1, f'<beam xml:id="b{first}">', "</beam>") for first, last in beams]
    for first, last, (actual, normal) in tuplet_spans(elements, beams):
        tag = f'<tuplet xml:id="t{first}" num="{actual}" numbase="{normal}">'
        spans.append((first, last, 0, tag, "</tuplet>"))
    before: dict[int, list[str]] = {}
    after: dict[int, list[str]] = {}
    for first, last, _, opening, closing in sorted(spans, key=lambda s: (s[0], -s[1], s[2])):
        before.setdefault(first, []).append(opening)
        after.setdefault(last, []).insert(0, closing)
    return before, after
