"""Reads MEI of one staff and one voice; the spellings of versions 3 to 5 that Verovio, MuseScore and PrIMuS write."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .mei_signs import (
    BARLINES,
    name_of,
    read_accidental,
    read_clef,
    read_duration,
    read_key,
    read_meter,
    read_ratio,
)
from .score import (
    SHARP_ORDER,
    Barline,
    BarlineKind,
    Clef,
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

if TYPE_CHECKING:
    from lxml.etree import _Element as Node

_KINDS: dict[str, BarlineKind] = {code: kind for kind, code in BARLINES.items()} | {"dotted": "dashed"}  # type: ignore[assignment]
_XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
_WRAPPERS = ("supplied", "add", "unclear", "corr", "reg", "expan", "damage", "ligature", "oStaff")
# What a layer can hold and a Score cannot, by the reason that the error gives.
_REASONS = {
    "chord": "chord",
    "bTrem": "tremolo",
    "fTrem": "tremolo",
    "space": "space",
    "mSpace": "space",
    "app": "editorial",
    "choice": "editorial",
    "subst": "editorial",
    "mRpt": "repeat-sign",
    "mRpt2": "repeat-sign",
    "beatRpt": "repeat-sign",
    "halfmRpt": "repeat-sign",
    "multiRpt": "repeat-sign",
    "octave": "octave-line",
    "proport": "mensural",
    "mensur": "mensural",
}


def read_mei(text: str | bytes) -> Score:
    """Reads an MEI document (versions 3 to 5) of one staff and one voice.

    Clef, key and meter are found on score and staff definitions, on their children and within layers. A note without
    `accid` or `accid.ges` takes the key signature's alteration or an earlier one of its measure. A whole-measure rest
    is a `MultiRest(1)`. Slurs, lyrics, dynamics and text are no part of a Score and are passed over.

    Raises:
        NotationError: its `reason` is "xml" or "mei" for another document; "movements", "staves", "layers", "chord",
            "clef", "key", "meter", "duration", "pitch", "accidental", "tie", "tuplet", "space", "barline", "timestamp",
            "octave-line", "tremolo", "repeat-sign", "editorial" or "mensural" for what a Score cannot carry.
    """
    root = _parse(text)
    if name_of(root) not in ("mei", "music", "score"):
        raise NotationError("mei", f"the document's root is <{name_of(root)}>, not <mei>")
    scores = [root] if name_of(root) == "score" else list(root.iter("{*}score"))
    if len(scores) != 1:
        raise NotationError("mei" if not scores else "movements", f"one <score> was wanted, {len(scores)} found")
    reader = _Reader(scores[0])
    reader.read_children(scores[0])
    return reader.finish()


def _parse(text: str | bytes) -> Node:
    from lxml import etree

    if isinstance(text, str):
        text = re.sub(r"^\ufeff?\s*<\?xml[^>]*\?>", "", text).encode()
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        raise NotationError("xml", str(error)) from None


class _Reader:
    """Walks the score in document order and collects its elements."""

    def __init__(self, score: Node) -> None:
        self.elements: list[Element] = []
        self.index_of: dict[str, int] = {}
        self.key = KeySignature(0)
        self.altered: dict[tuple[str, int], int] = {}
        self.ties: dict[int, str | None] = {}
        self.ratio: tuple[int, int] | None = None
        self.in_graces = False
        self.tie_ends: dict[str, str | None] = {}
        self.measures = list(score.iter("{*}measure"))
        for tie in score.iter("{*}tie"):
            self.tie_ends[_pointer(tie, "startid")] = tie.get("endid", "").lstrip("#") or None
        staves = {node.get("n", "1") for node in score.iter("{*}staffDef", "{*}staff")}
        if len(staves) > 1:
            raise NotationError("staves", f"a Score is one staff, found {len(staves)}")

    def read_children(self, parent: Node) -> None:
        """Reads what stands in a score, section, ending, measure's staff, layer, beam, tuplet or group of graces."""
        for node in parent:
            self.read(node)

    def read(self, node: Node) -> None:
        name = name_of(node)
        if name in _REASONS:
            raise NotationError(_REASONS[name], f"a Score cannot carry <{name}>")
        if name in ("scoreDef", "staffDef"):
            self.read_definition(node)
        elif name == "measure":
            self.read_measure(node)
        elif name in ("clef", "keySig", "meterSig"):
            self.add_sign({"clef": read_clef, "keySig": read_key, "meterSig": read_meter}[name](node, ""))
        elif name in ("note", "rest", "mRest", "multiRest", "barLine"):
            getattr(self, f"read_{name}")(node)
        elif name == "beam":
            self.read_beam(node)
        elif name == "tuplet":
            self.read_tuplet(node)
        elif name == "graceGrp":
            self.in_graces = True
            self.read_children(node)
            self.in_graces = False
        elif name == "staff":
            self.read_layers(node)
        elif name in ("section", "ending", *_WRAPPERS):
            self.read_children(node)

    def read_definition(self, node: Node) -> None:
        """Adds clef, key and meter of a definition; a staff's own outrank the score's."""
        places = [node, *node.iter("{*}staffDef")] if name_of(node) == "scoreDef" else [node]
        signs: dict[str, Clef | KeySignature | TimeSignature | None] = {}
        for place in places:
            for name, read in (("clef", read_clef), ("keySig", read_key), ("meterSig", read_meter)):
                child = place.find(f"{{*}}{name}")
                sign: Any = read(place, {"clef": "clef.", "keySig": "key", "meterSig": "meter."}[name])
                sign = read(child, "") if child is not None else sign
                signs[name] = sign or signs.get(name)
            if place.find("{*}meterSigGrp") is not None:
                raise NotationError("meter", "a Score cannot carry several meters at a time")
        for sign in signs.values():
            self.add_sign(sign)

    def add_sign(self, sign: Element | None) -> None:
        if isinstance(sign, KeySignature):
            self.key, self.altered = sign, {}
        if sign is not None:
            self.elements.append(sign)

    def read_measure(self, node: Node) -> None:
        self.add_left_barline(node.get("left"))
        for child in node:
            self.read(child)
        self.read_controls(node)
        right, kind = node.get("right", "single"), node.get("type")
        open_end = right == "invis" and (kind == "open" or (kind != "barline" and node is self.measures[-1]))
        if not open_end:
            self.add_barline(right)
            self.altered = {}

    def add_barline(self, form: str) -> None:
        if form not in _KINDS:
            raise NotationError("barline", f"a Score has no barline {form!r}")
        self.elements.append(Barline(_KINDS[form]))

    def add_left_barline(self, form: str | None) -> None:
        """A measure's left barline is one with the right one before it, if there is one."""
        if form is None or form == "invis":
            return
        previous = self.elements[-1] if self.elements else None
        if isinstance(previous, Barline):
            self.elements.pop()
            if previous.kind in ("repeat-end", "repeat-both"):
                form = "rptboth" if form == "rptstart" else BARLINES[previous.kind]
            elif previous.kind == "repeat-start":
                form = "rptstart"
        self.add_barline(form)

    def read_barLine(self, node: Node) -> None:  # noqa: N802 - named as MEI's element is
        self.add_barline(node.get("form", "single"))
        self.altered = {}

    def read_layers(self, staff: Node) -> None:
        layers = [layer for layer in staff.iter("{*}layer") if len(layer)]
        if len(layers) > 1:
            raise NotationError("layers", f"a Score is one voice, found a measure of {len(layers)}")
        if layers:
            self.read_children(layers[0])

    def read_note(self, node: Node) -> None:
        index = self.mark(node)
        grace = self.in_graces or node.get("grace") is not None
        beam: Any = {"i": "begin", "m": "middle", "t": "end"}.get(node.get("beam", "")[:1])
        trill = node.get("ornam", "")[:1] in ("t", "T")
        pitch, courtesy = self.read_pitch(node)
        note = Note(pitch, read_duration(node), grace=grace, trill=trill, beam=beam, courtesy=courtesy)
        if not grace:
            note = replace(note, tuplet=self.ratio)
        self.elements.append(replace(note, fermata=node.get("fermata") is not None))
        ident = node.get(_XML_ID)
        if node.get("tie", "")[:1] in ("i", "m"):
            self.ties[index] = None
        elif ident in self.tie_ends:
            self.ties[index] = self.tie_ends[ident]

    def mark(self, node: Node) -> int:
        """Index that the element read next will have, noted under its id."""
        index = len(self.elements)
        if node.get(_XML_ID):
            self.index_of[node.get(_XML_ID)] = index
        return index

    def read_pitch(self, node: Node) -> tuple[Pitch, bool]:
        """The pitch, and whether an accidental is drawn that nothing asks for."""
        step, octave = node.get("pname", "").upper(), node.get("oct", "")
        if step not in SHARP_ORDER or not step or not re.fullmatch("[0-9]", octave):
            raise NotationError("pitch", f"a note has pname {step.lower()!r} and oct {octave!r}")
        place = (step, int(octave))
        drawn, gestural, tied = (
            read_accidental(node, "accid"),
            read_accidental(node, "accid.ges"),
            self.tied_from(place),
        )
        expected = self.altered.get(place, self.key.alter_of(step))
        if drawn is not None:
            self.altered[place] = drawn
            return Pitch(step, drawn, int(octave)), drawn in (tied, expected)
        implied = expected if tied is None else tied
        return Pitch(step, implied if gestural is None else gestural, int(octave)), False

    def tied_from(self, place: tuple[str, int]) -> int | None:
        """Alteration of the note before, if that is tied and of the same place: it holds across a barline."""
        for index in range(len(self.elements) - 1, -1, -1):
            element = self.elements[index]
            if isinstance(element, Note):
                same = (element.pitch.step, element.pitch.octave) == place
                return element.pitch.alter if index in self.ties and same else None
        return None

    def read_rest(self, node: Node) -> None:
        self.mark(node)
        fermata = node.get("fermata") is not None
        self.elements.append(Rest(read_duration(node), fermata=fermata, tuplet=self.ratio))

    def read_mRest(self, node: Node) -> None:  # noqa: N802 - named as MEI's element is
        self.mark(node)
        self.elements.append(MultiRest(1))
        self.altered = {}

    def read_multiRest(self, node: Node) -> None:  # noqa: N802 - named as MEI's element is
        self.mark(node)
        count = node.get("num", "1")
        if not re.fullmatch("[1-9][0-9]*", count):
            raise NotationError("duration", f"a multiRest of {count!r} measures")
        self.elements.append(MultiRest(int(count)))
        self.altered = {}

    def read_beam(self, node: Node) -> None:
        first = len(self.elements)
        self.read_children(node)
        self.beam(first, len(self.elements) - 1)

    def beam(self, first: int, last: int) -> None:
        """Marks notes first to last as one beam; grace notes between measured ones are "middle", as PrIMuS has them."""
        notes = [(i, e) for i, e in enumerate(self.elements[first : last + 1], first) if isinstance(e, Note)]
        measured = [index for index, note in notes if not note.grace]
        group = measured or [index for index, note in notes if note.beam is None]
        if len(group) < 2:
            return
        for index, note in notes:
            if index in (group[0], group[-1]):
                self.elements[index] = replace(note, beam="begin" if index == group[0] else "end")
            elif group[0] < index < group[-1] and (index in group or note.beam is None):
                self.elements[index] = replace(note, beam="middle")

    def read_tuplet(self, node: Node) -> None:
        if self.ratio is not None:
            raise NotationError("tuplet", "a Score cannot carry a tuplet within a tuplet")
        self.ratio = read_ratio(node)
        self.read_children(node)
        self.ratio = None

    def read_controls(self, measure: Node) -> None:
        """Fermatas, trills, and the beams and tuplets that are written beside the staff."""
        for node in measure:
            name = name_of(node)
            if name in ("fermata", "trill"):
                element_index = self.index_of.get(_pointer(node, "startid"))
                element = self.elements[element_index] if element_index is not None else None
                if isinstance(element, (Note, Rest)) and (name == "fermata" or isinstance(element, Note)):
                    self.elements[element_index] = replace(element, **{name: True})  # type: ignore[index,arg-type]
            elif name in ("beamSpan", "tupletSpan"):
                first, last = (self.index_of.get(_pointer(node, end)) for end in ("startid", "endid"))
                if first is None or last is None:
                    raise NotationError(name[:-4], f"a {name} whose ends are not in its measure")
                if name == "beamSpan":
                    self.beam(first, last)
                    continue
                for index in range(first, last + 1):
                    element = self.elements[index]
                    if isinstance(element, Rest) or (isinstance(element, Note) and not element.grace):
                        self.elements[index] = replace(element, tuplet=read_ratio(node))

    def finish(self) -> Score:
        """The score with its ties, which may reach over barlines and so are known last."""
        untied = Score(tuple(self.elements))
        for index, end in self.ties.items():
            note, target = self.elements[index], untied.tied_note(index)
            if target is None and not any(isinstance(e, (Note, Rest, MultiRest)) for e in self.elements[index + 1 :]):
                continue  # An excerpt's last note, tied to what comes after its end.
            if target is None or (end is not None and self.index_of.get(end) != target):
                raise NotationError("tie", f"element {index} is tied to something else than the next note")
            assert isinstance(note, Note)
            self.elements[index] = replace(note, tie=True)
        return Score(tuple(self.elements))


def _pointer(node: Node, name: str) -> str:
    """Id that `startid` or `endid` points at."""
    if not node.get(name):
        raise NotationError("timestamp", f"<{name_of(node)}> has no {name}; those placed by time are not read")
    return node.get(name).lstrip("#")
