"""A whole score as pages with every note's place and time, by Verovio and resvg, in this process.

Verovio may abort the process on a broken score: `hfmusic.render.engrave_score` does the same in a process of its own.

What becomes of what a score can say: repeats are played once, as they are printed. Grace notes are drawn and neither
sound nor count. Ornaments and tremolos sound as their main note. Tied notes sound once, and the onset belongs to the
first notehead. Notes that are hidden, or have no head, neither sound nor count.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from .engrave import FONTS
from .score_files import score_heading
from .score_pitches import sounding_pitches
from .score_svg import ATTRIBUTES, PageMarks, page_marks
from .sheet import PAGE_WIDTH, Measure, Sheet, SheetNote, System
from .toolkit import own_toolkit

Layout = Literal["pages", "row"]
_PAGE = (2100, 2970)  # A4 in Verovio's units, of which a staff space has 18: 7.16 pixels of a page 835 pixels wide
_ROW = (100_000, 60_000)  # the largest page Verovio lays out
_MEI = "{http://www.music-encoding.org/ns/mei}"
_TIE_SECONDS = 0.005  # between the end of a note and the beginning of the one it is tied to
_TEXT_FONTS = ("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta")


@dataclass(frozen=True)
class SheetStyle:
    """How a score is engraved.

    Attributes:
        layout: "pages", A4 of 835 pixels' width, or "row": one system of any length as one page as wide as it.
        font: Verovio's music font.
    """

    layout: Layout = "pages"
    font: str = "Leipzig"

    def __post_init__(self) -> None:
        if self.layout not in ("pages", "row"):
            raise ValueError(f"layout must be pages or row, got {self.layout!r}")
        if self.font not in FONTS:
            raise ValueError(f"font must be one of {', '.join(FONTS)}, got {self.font!r}")

    def options(self) -> dict[str, Any]:
        """Verovio's options."""
        row = self.layout == "row"
        width, height = _ROW if row else _PAGE
        return {
            "pageWidth": width,
            "pageHeight": height,
            "adjustPageWidth": row,
            "adjustPageHeight": row,
            "breaks": "none" if row else "auto",
            "header": "none" if row else "auto",
            "footer": "none",
            "scale": 100,
            "unit": 9.0,
            "font": self.font,
            "xmlIdSeed": 1,
            "expandNever": True,
            "svgFormatRaw": True,
            "svgAdditionalAttribute": list(ATTRIBUTES),
        }


def engrave_text(text: str, style: SheetStyle | None = None) -> Sheet:
    """Engrave a score's text: MusicXML, MEI, Humdrum or ABC.

    Its seconds are at its tempo marks, or 120 quarters a minute.

    Raises:
        ValueError: Verovio does not read the text, or nothing sounds in it.
    """
    style = style or SheetStyle()
    toolkit = own_toolkit("sheet")
    toolkit.setOptions(style.options())
    if not toolkit.loadData(text):
        raise ValueError(f"Verovio cannot read this score: {text[:80]!r}")
    svgs = [str(toolkit.renderToSVG(number + 1)) for number in range(toolkit.getPageCount())]
    marks = [page_marks(svg) for svg in svgs]
    pages = tuple(draw_page(svg, _width(svg, style)) for svg in svgs)
    if any(head.grace for page in marks for head in page.heads.values()):
        _leave_out_graces(toolkit)
    events, begins = _times(toolkit)
    widths = [page.shape[1] for page in pages]
    notes = _notes(toolkit, marks, events, widths)
    if not notes:
        raise ValueError("a score in which nothing sounds")
    heading = score_heading(text)
    return Sheet(
        pages=pages,
        systems=_systems(marks, widths),
        notes=notes,
        measures=_measures(marks, begins, widths),
        title=heading.title,
        composer=heading.composer,
    )


def _leave_out_graces(toolkit: Any) -> None:
    """Load the score that is loaded without its grace notes, from whose main notes Verovio takes their time."""
    root = ElementTree.fromstring(toolkit.getMEI())
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{_MEI}graceGrp" or child.get("grace") is not None:
                parent.remove(child)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{_MEI}beam" and next(child.iter(f"{_MEI}note"), None) is None:
                parent.remove(child)
    ElementTree.register_namespace("", _MEI[1:-1])
    if not toolkit.loadData(ElementTree.tostring(root, encoding="unicode")):
        raise ValueError("Verovio does not read the score without its grace notes")


def draw_page(svg: str, width: int) -> np.ndarray:
    """An SVG of Verovio as greys, uint8 (H, width), 255 = paper. Words are set in STIX, which Matplotlib brings."""
    import resvg_py

    png = resvg_py.svg_to_bytes(
        svg_string=svg,
        width=width,
        background="#ffffff",
        skip_system_fonts=True,  # the same picture on every machine
        font_files=_text_fonts(),
        font_family="STIXGeneral",
        serif_family="STIXGeneral",
    )
    with Image.open(io.BytesIO(png)) as picture:
        return np.array(picture.convert("L"))


@cache
def _text_fonts() -> list[str]:
    found = find_spec("matplotlib")
    assert found is not None and found.origin is not None  # a dependency
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
    return [str(folder / f"{name}.ttf") for name in _TEXT_FONTS]


def _width(svg: str, style: SheetStyle) -> int:
    if style.layout == "pages":
        return PAGE_WIDTH
    own = float(svg.split('width="', 1)[1].split("px", 1)[0])
    return max(1, round(own * PAGE_WIDTH / _PAGE[0]))


@dataclass(frozen=True)
class _Event:
    """When a note of the score sounds by itself: ties are not yet joined."""

    quarters: float
    seconds: float
    end_seconds: float


def _times(toolkit: Any) -> tuple[dict[str, _Event], list[tuple[str, float, float]]]:
    """When notes sound, by id, and (id, quarters, seconds) of where measures begin, with ("", end ...) as the last.

    A note that ends before it begins is left out: its id stands for several.
    """
    begins: dict[str, tuple[float, float]] = {}
    ends: dict[str, float] = {}
    measures, last = [], (0.0, 0.0)
    for entry in toolkit.renderToTimemap({"includeMeasures": True}):
        last = float(entry["qstamp"]), float(entry["tstamp"]) / 1000
        ends |= dict.fromkeys(entry.get("off", ()), last[1])
        begins |= dict.fromkeys(entry.get("on", ()), last)
        if "measureOn" in entry:
            measures.append((str(entry["measureOn"]), *last))
    measures.append(("", *last))
    events = {name: _Event(*begin, ends.get(name, begin[1])) for name, begin in begins.items()}
    return {name: event for name, event in events.items() if event.seconds <= event.end_seconds}, measures


def _notes(
    toolkit: Any, pages: Sequence[PageMarks], events: dict[str, _Event], widths: Sequence[int]
) -> tuple[SheetNote, ...]:
    tied_to = set().union(*(page.ends for page in pages))
    pitches = sounding_pitches(
        toolkit,
        {
            name: (head.staff, head.pitch, events[name].seconds)
            for page in pages
            for name, head in page.heads.items()
            if name in events and not head.grace
        },
        tied_to | {name for page in pages for name, head in page.heads.items() if head.continues},
    )
    found: list[tuple[SheetNote, bool]] = []
    before = 0
    for number, (page, width) in enumerate(zip(pages, widths, strict=True)):
        for name, head in page.heads.items():
            if 0 < pitches.get(name, -1) < 128:
                place = (number, before + head.system, head.x * width, head.y * width, pitches[name], head.staff)
                times = (events[name].quarters, events[name].seconds, events[name].end_seconds)
                found.append((SheetNote(*place, *times), head.continues or name in tied_to))
        before += len(page.systems)
    found.sort(key=lambda entry: (entry[0].onset_seconds, entry[0].system, entry[0].x, entry[0].y))
    return _join_ties(found)


def _join_ties(notes: Sequence[tuple[SheetNote, bool]]) -> tuple[SheetNote, ...]:
    """The notes that begin, each as long as all that are tied to it. A tie from nowhere begins a note."""
    joined: list[SheetNote] = []
    latest: dict[tuple[int, int], int] = {}  # by pitch and staff, 0 for any staff: ties may cross staves
    for note, continues in notes:
        keys = ((note.pitch_midi, note.staff), (note.pitch_midi, 0))
        if continues:
            sounding = [
                latest[key]
                for key in keys
                if key in latest and abs(joined[latest[key]].offset_seconds - note.onset_seconds) < _TIE_SECONDS
            ]
            if sounding:
                joined[sounding[0]] = joined[sounding[0]]._replace(offset_seconds=note.offset_seconds)
                latest |= dict.fromkeys(keys, sounding[0])
                continue
        latest |= dict.fromkeys(keys, len(joined))
        joined.append(note)
    return tuple(joined)


def _systems(pages: Sequence[PageMarks], widths: Sequence[int]) -> tuple[System, ...]:
    return tuple(
        System(number, *(width * edge for edge in box))
        for number, (page, width) in enumerate(zip(pages, widths, strict=True))
        for box in page.systems
    )


def _measures(
    pages: Sequence[PageMarks],
    begins: Sequence[tuple[str, float, float]],
    widths: Sequence[int],
) -> tuple[Measure, ...]:
    times = {
        name: (quarters, seconds, after[1] - quarters)
        for (name, quarters, seconds), after in zip(begins, begins[1:], strict=False)
    }
    found, before = [], 0
    for number, (page, width) in enumerate(zip(pages, widths, strict=True)):
        for name, mark in page.measures.items():
            if name in times:
                place = (mark.number, number, before + mark.system, mark.x * width)
                found.append(Measure(*place, *times[name]))
        before += len(page.systems)
    return tuple(found)
