"""Where things are on a page that Verovio drew: noteheads, staves, measures, by the ids that its times use too.

Verovio must have been told to write `ATTRIBUTES` into the SVG.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from xml.etree import ElementTree

from .raster import outline_box

ATTRIBUTES = (
    *("staff@n", "measure@n", "note@grace", "chord@grace", "note@tie", "chord@tie", "tie@startid", "tie@endid"),
    *("note@visible", "chord@visible", "note@pname", "note@oct", "note@oct.ges", "accid@accid", "accid@accid.ges"),
)
_SPACE = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_LEVEL = re.compile(r"M(-?[\d.]+) (-?[\d.]+) L(-?[\d.]+) \2$")
_PLACE = re.compile(r"translate\((-?[\d.]+),? (-?[\d.]+)\) scale\((-?[\d.]+),? (-?[\d.]+)\)")
_SHIFT = re.compile(r"translate\((-?[\d.]+),? (-?[\d.]+)\)")
_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_ALTERS = {"s": 1, "f": -1, "ss": 2, "x": 2, "ff": -2, "xs": 3, "sx": 3, "ts": 3, "tf": -3, "ns": 1, "nf": -1}


class Head(NamedTuple):
    """The centre of a notehead.

    Attributes:
        staff, system: `system` counts on the page.
        pitch: MIDI, as it is written: where an instrument transposes it sounds at another.
        continues: the note is tied to one before it.
    """

    x: float
    y: float
    pitch: int
    staff: int
    system: int
    grace: bool
    continues: bool


class Box(NamedTuple):
    """Outer staff lines."""

    left: float
    top: float
    right: float
    bottom: float


class MeasureMark(NamedTuple):
    """Where a measure's staff lines begin. `system` counts on the page."""

    number: str
    system: int
    x: float


@dataclass
class PageMarks:
    """What is on a page, in shares of its width from its upper left corner, by Verovio's ids.

    Attributes:
        ends: ids of notes that ties lead to, also of notes on other pages.
    """

    height: float
    heads: dict[str, Head] = field(default_factory=dict)
    systems: list[Box] = field(default_factory=list)
    measures: dict[str, MeasureMark] = field(default_factory=dict)
    ends: set[str] = field(default_factory=set)


def page_marks(svg: str) -> PageMarks:
    """Read a page's SVG.

    Raises:
        ValueError: not an SVG of Verovio.
    """
    root = ElementTree.fromstring(svg)
    page = next((one for one in root.iter(f"{_SPACE}svg") if one.get("class") == "definition-scale"), None)
    size = page.get("viewBox", "").split() if page is not None else []
    if page is None or len(size) != 4:
        raise ValueError(f"not an SVG of Verovio: {svg[:80]!r}")
    outlines = {
        glyph.get("id", ""): path.get("d", "")
        for glyph in root.findall(f"{_SPACE}defs/{_SPACE}g")
        for path in glyph.findall(f"{_SPACE}path")[:1]
    }
    reader = _Reader(PageMarks(height=float(size[3]) / float(size[2])), 1 / float(size[2]), outlines)
    for margin in page:
        shift = _SHIFT.search(margin.get("transform", ""))
        reader.shift = (float(shift[1]), float(shift[2])) if shift else (0.0, 0.0)
        for system in margin.iter(f"{_SPACE}g"):
            if system.get("class") == "system":
                reader.read_system(system)
    return reader.marks


class _Reader:
    def __init__(self, marks: PageMarks, unit: float, outlines: dict[str, str]) -> None:
        self.marks, self._unit, self._outlines = marks, unit, outlines
        self.shift = (0.0, 0.0)

    def read_system(self, system: ElementTree.Element) -> None:
        """Enter a system and what is in it; one without staff lines has no place and is left out."""
        lines = [line for staff in _all(system, "staff") for line in self._lines(staff)]
        if not lines:
            return
        lefts, heights, rights = zip(*lines, strict=True)
        for tie in _all(system, "tie"):
            self.marks.ends |= {tie.get("data-endid", "").lstrip("#")}
        for measure in _all(system, "measure"):
            self._read_measure(measure)
        self.marks.systems.append(Box(min(lefts), min(heights), max(rights), max(heights)))

    def _read_measure(self, measure: ElementTree.Element) -> None:
        number, starts = len(self.marks.systems), []
        for order, staff in enumerate(_all(measure, "staff"), start=1):
            starts += [left for left, _, _ in self._lines(staff)]
            told = staff.get("data-n", "")
            self._read_notes(staff, int(told) if told.isdigit() else order, grace=False, tie="")
        if starts:
            mark = MeasureMark(measure.get("data-n", ""), number, min(starts))
            self.marks.measures[measure.get("id", "")] = mark

    def _read_notes(self, group: ElementTree.Element, staff: int, *, grace: bool, tie: str) -> None:
        for child in group:
            kind = child.get("class", "").split(" ")[0]
            if child.get("data-visible") == "false":
                continue
            small = grace or kind == "graceGrp" or "data-grace" in child.attrib
            tied = child.get("data-tie", tie)
            if kind == "note":
                self._read_note(child, staff, small, tied)
            elif len(child):
                self._read_notes(child, staff, grace=small, tie=tied if kind == "chord" else "")

    def _read_note(self, note: ElementTree.Element, staff: int, grace: bool, tie: str) -> None:
        head = next((one for one in note if one.get("class") == "notehead"), None)
        use = head.find(f"{_SPACE}use") if head is not None else None
        place = _PLACE.match(use.get("transform", "")) if use is not None else None
        if use is None or place is None:
            return
        x, y, wide, high = map(float, place.groups())
        left, low, right, high_end = _glyph_box(self._outlines[use.get(_LINK, "#")[1:]])
        self.marks.heads[note.get("id", "")] = Head(
            (x + (left + right) / 2 * wide + self.shift[0]) * self._unit,
            (y - (low + high_end) / 2 * high + self.shift[1]) * self._unit,
            _written_pitch(note),
            staff,
            len(self.marks.systems),
            grace,
            tie in ("m", "t"),
        )

    def _lines(self, staff: ElementTree.Element) -> list[tuple[float, float, float]]:
        """(left, height, right) of the staff's own lines."""
        paths = (_LEVEL.match(path.get("d", "")) for path in staff.findall(f"{_SPACE}path"))
        return [
            (
                (float(line[1]) + self.shift[0]) * self._unit,
                (float(line[2]) + self.shift[1]) * self._unit,
                (float(line[3]) + self.shift[0]) * self._unit,
            )
            for line in paths
            if line
        ]


def _written_pitch(note: ElementTree.Element) -> int:
    """-1 where the note has none."""
    octave = note.get("data-oct.ges", note.get("data-oct", ""))
    if note.get("data-pname") not in _STEPS or not octave.isdigit():
        return -1
    accidental = next((one for one in note if one.get("class", "").startswith("accid")), note)
    alter = _ALTERS.get(accidental.get("data-accid.ges", accidental.get("data-accid", "")), 0)
    return 12 * (int(octave) + 1) + _STEPS[note.get("data-pname", "")] + alter


def _all(group: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [one for one in group.iter(f"{_SPACE}g") if one.get("class", "").split(" ")[0] == kind]


@lru_cache(maxsize=256)
def _glyph_box(outline: str) -> tuple[float, float, float, float]:
    return outline_box(outline)
