"""MEI 5 as Verovio engraves it: `write_mei` writes every element of a Score, `read_mei` reads one staff and one voice back.

Every Score element becomes an MEI element with `xml:id="nK"`, K its index in the Score, so that positions can be looked
up in the engraving; a barline is its measure's right edge, and that measure's id is `mK`.
"""

from __future__ import annotations

from .score import (
    Barline,
    Clef,
    Element,
    KeySignature,
    MultiRest,
    Note,
    Rest,
    Score,
    TimeSignature,
)

_DURATIONS = {
    "quadruple_whole": "long",
    "double_whole": "breve",
    "whole": "1",
    "half": "2",
    "quarter": "4",
    "eighth": "8",
    "sixteenth": "16",
    "thirty_second": "32",
    "sixty_fourth": "64",
    "hundred_twenty_eighth": "128",
}
_UNBEAMABLE = ("quadruple_whole", "double_whole", "whole", "half", "quarter")
_ACCIDENTALS = {-2: "ff", -1: "f", 0: "n", 1: "s", 2: "x"}
_BARLINES = {
    "single": "single",
    "double": "dbl",
    "final": "end",
    "repeat-start": "rptstart",
    "repeat-end": "rptend",
    "repeat-both": "rptboth",
    "dashed": "dashed",
    "invisible": "invis",
}
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.0">'
    "<meiHead><fileDesc><titleStmt><title/></titleStmt><pubStmt/></fileDesc></meiHead>"
    '<music><body><mdiv xml:id="mdiv"><score xml:id="score">'
)
_TAIL = "</section></score></mdiv></body></music></mei>\n"


def write_mei(score: Score, *, accidentals: bool = True) -> str:
    """Writes a score as MEI 5 for Verovio: nothing is drawn that the score lacks, and everything that it has.

    Measures end where the score has a barline, complete or not; a score that does not end with one ends open.
    Beam groups that are not begin, middle..., end of beamable notes within a measure are left out.

    Args:
        accidentals: draw them as `Score.written_accidentals` says; False draws none (they stay in `accid.ges`).
    """
    elements = score.elements
    drawn = score.written_accidentals() if accidentals else [None] * len(elements)
    head = _leading_signs(elements)
    writer = _MeasureWriter(len(elements))
    before, after = _groups(elements)
    for index in range(len(head), len(elements)):
        element = elements[index]
        if isinstance(element, Barline):
            writer.close(index, _BARLINES[element.kind], closed=True)
            continue
        if isinstance(element, MultiRest) and writer.timed or writer.holds_multirest:
            writer.close(index, "invis", closed=False)
        writer.layer.extend(before.get(index, ()))
        writer.layer.append(_write_element(element, index, drawn[index]))
        writer.layer.extend(after.get(index, ()))
        if isinstance(element, (Note, Rest)):
            writer.timed = True
            _write_controls(element, index, score, writer.controls)
        elif isinstance(element, MultiRest):
            writer.timed = writer.holds_multirest = True
    writer.finish()
    signs = "".join(_write_element(element, index, None) for index, element in enumerate(head))
    return (
        f'{_HEAD}<scoreDef xml:id="scoreDef"><staffGrp xml:id="staffGrp"><staffDef xml:id="staffDef" n="1" lines="5">'
        f'{signs}</staffDef></staffGrp></scoreDef><section xml:id="section">{"".join(writer.measures)}{_TAIL}'
    )


class _MeasureWriter:
    """Collects what stands in the open measure, and the measures closed so far."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.measures: list[str] = []
        self.layer: list[str] = []
        self.controls: list[str] = []
        self.timed = self.holds_multirest = False

    def close(self, index: int, right: str, *, closed: bool) -> None:
        """Ends the measure before element `index`; `closed` where the score itself has this barline."""
        number = len(self.measures) + 1
        kind = "" if closed == (right != "invis") else f' type="{"barline" if closed else "open"}"'
        if not closed:
            kind = ' type="open"'
        name = f"m{index}" if closed or index == self.length else f"o{index}"
        self.measures.append(
            f'<measure xml:id="{name}" n="{number}" right="{right}"{kind}><staff xml:id="s{number}" n="1">'
            f'<layer xml:id="l{number}" n="1">{"".join(self.layer)}</layer></staff>{"".join(self.controls)}</measure>'
        )
        self.layer, self.controls = [], []
        self.timed = self.holds_multirest = False

    def finish(self) -> None:
        if self.layer or not self.measures:
            self.close(self.length, "invis", closed=False)


def _leading_signs(elements: tuple[Element, ...]) -> tuple[Element, ...]:
    """The signs a staff definition can hold: at most one clef, key and meter each, in this order, that begin the score."""
    order = (Clef, KeySignature, TimeSignature)
    place = count = 0
    while count < len(elements) and place < 3:
        while place < 3 and not isinstance(elements[count], order[place]):
            place += 1
        if place == 3:
            break
        count, place = count + 1, place + 1
    return elements[:count]


def _write_element(element: Element, index: int, accidental: int | None) -> str:
    if isinstance(element, Note):
        pitch, duration = element.pitch, element.duration
        dots = f' dots="{duration.dots}"' if duration.dots else ""
        grace = ' grace="unacc"' if element.grace else ""
        if accidental is not None:
            sign = f' accid="{_ACCIDENTALS[accidental]}"'
        else:
            sign = f' accid.ges="{_ACCIDENTALS[pitch.alter]}"'
        return (
            f'<note xml:id="n{index}" dur="{_DURATIONS[duration.figure]}"{dots} oct="{pitch.octave}" '
            f'pname="{pitch.step.lower()}"{sign}{grace}/>'
        )
    if isinstance(element, Rest):
        dots = f' dots="{element.duration.dots}"' if element.duration.dots else ""
        return f'<rest xml:id="n{index}" dur="{_DURATIONS[element.duration.figure]}"{dots}/>'
    if isinstance(element, Clef):
        return f'<clef xml:id="n{index}" shape="{element.shape}" line="{element.line}"/>'
    if isinstance(element, KeySignature):
        return f'<keySig xml:id="n{index}" sig="{_key_sig(element.fifths)}"/>'
    if isinstance(element, TimeSignature):
        sign = {"C": ' sym="common"', "C/": ' sym="cut"', None: ""}[element.symbol]
        return f'<meterSig xml:id="n{index}" count="{element.numerator}" unit="{element.denominator}"{sign}/>'
    if isinstance(element, MultiRest):
        return f'<multiRest xml:id="n{index}" num="{element.measures}"/>'
    raise TypeError(f"a barline is written by its measure, got {element!r}")


def _key_sig(fifths: int) -> str:
    return f"{abs(fifths)}{'s' if fifths > 0 else 'f'}" if fifths else "0"


def _write_controls(element: Note | Rest, index: int, score: Score, controls: list[str]) -> None:
    """Ties, fermatas and trills: they stand beside the staff and point at their notes."""
    if element.fermata:
        controls.append(f'<fermata xml:id="f{index}" startid="#n{index}" place="above"/>')
    if isinstance(element, Note):
        if element.trill:
            controls.append(f'<trill xml:id="r{index}" startid="#n{index}" place="above"/>')
        if element.tie:
            controls.append(f'<tie xml:id="i{index}" startid="#n{index}" endid="#n{score.tied_note(index)}"/>')


def _groups(elements: tuple[Element, ...]) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Tags to write before and after elements: nested beams and tuplets."""
    beams = _beam_spans(elements)
    spans = [(first, last, 1, f'<beam xml:id="b{first}">', "</beam>") for first, last in beams]
    for first, last, (actual, normal) in _tuplet_spans(elements, beams):
        tag = f'<tuplet xml:id="t{first}" num="{actual}" numbase="{normal}">'
        spans.append((first, last, 0, tag, "</tuplet>"))
    before: dict[int, list[str]] = {}
    after: dict[int, list[str]] = {}
    for first, last, _, opening, closing in sorted(spans, key=lambda s: (s[0], -s[1], s[2])):
        before.setdefault(first, []).append(opening)
        after.setdefault(last, []).insert(0, closing)
    return before, after


def _beam_spans(elements: tuple[Element, ...]) -> list[tuple[int, int]]:
    """First and last index of each well-formed beam; those of grace notes may lie within others."""
    spans: list[tuple[int, int]] = []
    start: dict[bool, int | None] = {False: None, True: None}
    for index, element in enumerate(elements):
        if isinstance(element, Note):
            grace, beam = element.grace, element.beam
            if not grace:
                start[True] = None
            if beam is None or element.duration.figure in _UNBEAMABLE:
                start[grace] = None
            elif beam == "begin":
                start[grace] = index
            elif beam == "end":
                first = start[grace]
                if first is not None:
                    spans.append((first, index))
                start[grace] = None
        elif isinstance(element, Rest):
            start[True] = None
        elif not isinstance(element, Clef):
            start = {False: None, True: None}
    return spans


def _tuplet_spans(
    elements: tuple[Element, ...], beams: list[tuple[int, int]]
) -> list[tuple[int, int, tuple[int, int]]]:
    """Runs of one ratio, each as long as its ratio fills, cut where a beam would cross its edge."""
    spans: list[tuple[int, int, tuple[int, int]]] = []
    first: int | None = None
    last, ratio, written = 0, (1, 1), 0
    for index, element in enumerate(elements):
        if isinstance(element, Note) and element.grace or isinstance(element, Clef):
            continue
        tuplet = element.tuplet if isinstance(element, (Note, Rest)) else None
        if first is not None and tuplet != ratio:
            spans.append((first, last, ratio))
            first = None
        if tuplet is None:
            continue
        if first is None:
            first, ratio, written = index, tuplet, 0
        last = index
        written += int(element.duration.quarters * 256)  # type: ignore[union-attr]
        part = written // ratio[0]
        if written % ratio[0] == 0 and part & (part - 1) == 0:
            spans.append((first, last, ratio))
            first = None
    if first is not None:
        spans.append((first, last, ratio))
    return _cut(spans, beams) if spans else spans


def _cut(
    tuplets: list[tuple[int, int, tuple[int, int]]], beams: list[tuple[int, int]]
) -> list[tuple[int, int, tuple[int, int]]]:
    """Cuts tuplets in two where a beam begins or ends within them but does not lie within them."""
    cut = []
    for first, last, ratio in tuplets:
        for left, right in beams:
            if left < first <= right < last:
                cut.append((first, right, ratio))
                first = right + 1
            elif first < left <= last < right:
                cut.append((first, left - 1, ratio))
                first = left
        cut.append((first, last, ratio))
    return cut
