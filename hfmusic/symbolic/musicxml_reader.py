"""Reads MusicXML, plain or packed, of one part and one voice."""

from __future__ import annotations

import io
import re
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .score import (
    FIGURES,
    Barline,
    BarlineKind,
    Clef,
    Duration,
    Element,
    KeySignature,
    MultiRest,
    NotationError,
    Note,
    Pitch,
    Rest,
    Score,
    TimeSignature,
)
from .spans import with_checked_ties, with_courtesies

if TYPE_CHECKING:
    from lxml.etree import _Element as Node

TYPES = {
    "quadruple_whole": "long",
    "double_whole": "breve",
    "whole": "whole",
    "half": "half",
    "quarter": "quarter",
    "eighth": "eighth",
    "sixteenth": "16th",
    "thirty_second": "32nd",
    "sixty_fourth": "64th",
    "hundred_twenty_eighth": "128th",
}
ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
_FIGURES = {name: figure for figure, name in TYPES.items()}
_STYLES: dict[str, BarlineKind] = {
    "regular": "single",
    "light-light": "double",
    "light-heavy": "final",
    "heavy-light": "double",
    "dashed": "dashed",
    "dotted": "dashed",
    "none": "invisible",
}
_BEAMS = {"begin": "begin", "continue": "middle", "end": "end"}
_SYMBOLS = {"common": (4, 4, "C"), "cut": (2, 2, "C/")}
# The largest document that is unpacked from an .mxl: real ones are some megabytes.
_MOST_BYTES = 64 * 1024 * 1024


def read_musicxml(source: str | bytes | Path) -> Score:
    """Reads MusicXML, plain or packed (.mxl), of one part and one voice.

    Pitches are the written ones. Slurs, lyrics, dynamics, words and endings are passed over; a measure's own rest is
    a `MultiRest`, several under one sign are one; an invisible barline at the end is read as none.

    Args:
        source: a file's path, or the document itself as text or bytes.

    Raises:
        NotationError: `reason` "musicxml" for another document; "staves", "voices", "chord", "unpitched", "space" (a
            gap or a hidden note), "clef", "key", "meter", "duration", "accidental", "octave", "tie" or "barline" for
            what a Score cannot carry.
    """
    root = _parse(_document(source))
    if root.tag != "score-partwise":
        raise NotationError("musicxml", f"the document's root is <{root.tag}>, not <score-partwise>")
    parts = root.findall("part")
    if len(parts) != 1:
        raise NotationError("staves", f"a Score is one staff, found {len(parts)} parts")
    reader = _Reader()
    for measure in parts[0].findall("measure"):
        reader.read_measure(measure)
    return reader.finish()


def _document(source: str | bytes | Path) -> bytes:
    if isinstance(source, str) and not source.lstrip("\ufeff \t\r\n").startswith("<"):
        source = Path(source)
    data = source.read_bytes() if isinstance(source, Path) else source
    if isinstance(data, str):
        # The text is decoded already: whatever encoding its first line names holds no more.
        return re.sub(r"^\ufeff?\s*<\?xml[^>]*\?>", "", data).encode()
    return _unpacked(data) if data[:2] == b"PK" else data


def _parse(data: bytes) -> Node:
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(data.strip(), parser)
    except etree.XMLSyntaxError as error:
        raise NotationError("musicxml", str(error)) from None


def _unpacked(data: bytes) -> bytes:
    """The score within an .mxl: the container's first root file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            container = _parse(archive.read("META-INF/container.xml"))
            name = next(node.get("full-path", "") for node in container.iter("{*}rootfile"))
            if archive.getinfo(name).file_size > _MOST_BYTES:
                raise NotationError("musicxml", f"{name} is larger than {_MOST_BYTES} bytes")
            return archive.read(name)
    except (zipfile.BadZipFile, KeyError, StopIteration) as error:
        raise NotationError("musicxml", f"not an .mxl archive: {error!r}") from error


class _Reader:
    """Walks the part in document order and collects its elements."""

    def __init__(self) -> None:
        self.elements: list[Element] = []
        self.drawn: set[int] = set()
        self.divisions = Fraction(1)
        self.measure_quarters = Fraction(4)
        self.voice: str | None = None
        self.in_beam = False
        self.joining = 0

    def read_measure(self, measure: Node) -> None:
        first = len(self.elements)
        right: BarlineKind = "single"
        for node in measure:
            if node.tag == "attributes":
                self.read_attributes(node)
            elif node.tag == "note":
                self.read_note(node)
            elif node.tag == "barline" and node.get("location", "right") == "right":
                right = _barline(node)
            elif node.tag == "barline":
                self.add_left_barline(_barline(node))
            elif node.tag == "backup":
                raise NotationError("voices", f"measure {measure.get('number')} goes back in time")
            elif node.tag == "forward":
                raise NotationError("space", f"measure {measure.get('number')} has a gap")
        if measure.find("attributes/measure-style/multiple-rest") is None:
            self.join_rests(first)
        self.elements.append(Barline(right))

    def join_rests(self, first: int) -> None:
        """Joins a measure's rest to those before it that stand under the same sign."""
        before = self.elements[first - 2 : first]
        rest = before[0] if len(before) == 2 and before[1] == Barline() else None
        if self.elements[first:] == [MultiRest(1)] and self.joining and isinstance(rest, MultiRest):
            self.elements[first - 2 :] = [MultiRest(rest.measures + 1)]
            self.joining -= 1
        elif self.joining and not any(isinstance(element, MultiRest) for element in self.elements[first:]):
            self.joining = 0

    def read_attributes(self, node: Node) -> None:
        if node.findtext("divisions"):
            self.divisions = Fraction(node.findtext("divisions", "1").strip())
        if int(node.findtext("staves", "1")) > 1:
            raise NotationError("staves", "a Score is one staff, the part has several")
        for tag, read in (("clef", _clef), ("key", _key), ("time", _meter)):
            for sign in node.findall(tag):
                if sign.get("print-object") != "no":
                    self.elements.append(read(sign))
        meter = next((e for e in reversed(self.elements) if isinstance(e, TimeSignature)), None)
        self.measure_quarters = meter.quarters if meter else self.measure_quarters
        rests = node.findtext("measure-style/multiple-rest")
        if rests is not None:
            self.joining = int(rests) - 1

    def read_note(self, node: Node) -> None:
        _refuse(node)
        voice = node.findtext("voice", "1")
        if self.voice not in (None, voice):
            raise NotationError("voices", f"a Score is one voice, found voices {self.voice} and {voice}")
        self.voice = voice
        rest = node.find("rest")
        if rest is not None:
            self.read_rest(node, rest)
            return
        duration, ratio = self.read_duration(node)
        grace = node.find("grace") is not None
        if node.find("accidental") is not None:
            self.drawn.add(len(self.elements))
        note = Note(
            _pitch(node),
            duration,
            tie="start" in [tie.get("type") for tie in node.findall("tie")],
            grace=grace,
            fermata=node.find("notations/fermata") is not None,
            trill=node.find("notations/ornaments/trill-mark") is not None,
            beam=self.read_beam(node, grace),
            tuplet=None if grace else ratio,
        )
        self.elements.append(note)

    def read_beam(self, node: Node, grace: bool) -> Any:
        """The note's place in its first beam; a grace note that stands within others' is in the middle."""
        texts = [beam.text for beam in node.findall("beam") if beam.get("number", "1") == "1"]
        beam = _BEAMS.get((texts or [""])[0] or "")
        if grace:
            return beam or ("middle" if self.in_beam else None)
        self.in_beam = beam in ("begin", "middle")
        return beam

    def read_rest(self, node: Node, rest: Node) -> None:
        quarters = Fraction(node.findtext("duration", "0").strip()) / self.divisions
        written = node.findtext("type")
        whole = quarters == self.measure_quarters and (
            written is None or FIGURES[_FIGURES.get(written, "whole")] > quarters
        )
        if rest.get("measure") == "yes" or whole:
            self.elements.append(MultiRest(1))
            return
        duration, ratio = self.read_duration(node)
        self.elements.append(Rest(duration, fermata=node.find("notations/fermata") is not None, tuplet=ratio))

    def read_duration(self, node: Node) -> tuple[Duration, tuple[int, int] | None]:
        """The written figure; where none is named, the one as long as the note."""
        name, dots = node.findtext("type"), len(node.findall("dot"))
        actual, normal = (node.findtext(f"time-modification/{which}-notes") for which in ("actual", "normal"))
        ratio = (int(actual), int(normal)) if actual and normal and actual != normal else None
        if name is None:
            quarters = Fraction(node.findtext("duration", "0").strip()) / self.divisions
            quarters = quarters * ratio[0] / ratio[1] if ratio else quarters
            for figure in FIGURES:
                for count in range(4):
                    if Duration(figure, count).quarters == quarters:
                        return Duration(figure, count), ratio
        if name not in _FIGURES or dots > 3:
            raise NotationError("duration", f"no figure for type {name!r} with {dots} dots")
        return Duration(_FIGURES[name], dots), ratio

    def add_left_barline(self, kind: BarlineKind) -> None:
        """A measure's left barline is one with the right one before it, if there is one."""
        if kind == "invisible":
            return
        before = self.elements[-1] if self.elements else None
        if isinstance(before, Barline):
            self.elements.pop()
            if before.kind in ("repeat-end", "repeat-both"):
                kind = "repeat-both" if kind == "repeat-start" else before.kind
        self.elements.append(Barline(kind))

    def finish(self) -> Score:
        if self.elements[-1:] == [Barline("invisible")]:
            self.elements.pop()
        return Score(with_courtesies(with_checked_ties(self.elements), self.drawn))


def _refuse(node: Node) -> None:
    """Raises on notes that a Score cannot carry."""
    for tag, reason in (("chord", "chord"), ("unpitched", "unpitched"), ("cue", "voices")):
        if node.find(tag) is not None:
            raise NotationError(reason, f"a Score cannot carry a note with <{tag}>")
    if node.get("print-object") == "no":
        raise NotationError("space", "a Score cannot carry a hidden note or rest")
    if int(node.findtext("staff", "1")) > 1:
        raise NotationError("staves", "a Score is one staff, found a note on the second")


def _pitch(node: Node) -> Pitch:
    step, octave = node.findtext("pitch/step", "").strip(), node.findtext("pitch/octave", "").strip()
    alter = float(node.findtext("pitch/alter", "0"))
    if alter not in (-2, -1, 0, 1, 2):
        raise NotationError("accidental", f"a Score has no alteration of {alter} semitones")
    if not octave.isdigit() or len(octave) > 1:
        raise NotationError("octave", f"a note has octave {octave!r}")
    return Pitch(step, int(alter), int(octave))


def _clef(node: Node) -> Clef:
    sign, line = node.findtext("sign", ""), node.findtext("line")
    line = line or {"G": "2", "F": "4", "C": "3"}.get(sign, "")
    if sign not in ("G", "F", "C") or line not in list("12345") or node.findtext("clef-octave-change", "0") != "0":
        raise NotationError("clef", f"a Score has no clef {sign} on line {line!r}, or moved by octaves")
    return Clef(sign, int(line))


def _key(node: Node) -> KeySignature:
    fifths = node.findtext("fifths", "").strip()
    if fifths not in [str(number) for number in range(-7, 8)]:
        raise NotationError("key", f"a Score has no key signature of {fifths or 'other'} fifths")
    return KeySignature(int(fifths))


def _meter(node: Node) -> TimeSignature:
    beats, figure = node.findall("beats"), node.findall("beat-type")
    texts = [(sign.text or "").strip() for sign in (*beats, *figure)]
    if len(texts) != 2 or not all(text.isdigit() and int(text) for text in texts):
        raise NotationError("meter", f"a Score has no meter {'/'.join(texts) or 'without beats'}")
    count, unit = int(texts[0]), int(texts[1])
    symbol = _SYMBOLS.get(node.get("symbol", ""))
    return TimeSignature(count, unit, symbol[2] if symbol and symbol[:2] == (count, unit) else None)


def _barline(node: Node) -> BarlineKind:
    repeat = node.find("repeat")
    if repeat is not None:
        return "repeat-start" if repeat.get("direction") == "forward" else "repeat-end"
    style = node.findtext("bar-style", "regular")
    if style not in _STYLES:
        raise NotationError("barline", f"a Score has no barline {style!r}")
    return _STYLES[style]
