"""What covers several notes: beams and tuplets to write around them, ties and accidentals read from a notation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .score import (
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

_UNBEAMABLE = ("quadruple_whole", "double_whole", "whole", "half", "quarter")


def leading_signs(elements: tuple[Element, ...], start: int) -> tuple[Element, ...]:
    """The signs from `start` on that one definition can hold: at most one clef, key and meter each, in this order."""
    order = (Clef, KeySignature, TimeSignature)
    place, index = 0, start
    while index < len(elements) and place < 3:
        while place < 3 and not isinstance(elements[index], order[place]):
            place += 1
        if place < 3:
            index, place = index + 1, place + 1
    return elements[start:index]


def beam_spans(elements: tuple[Element, ...]) -> list[tuple[int, int]]:
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
        elif not _single_clef(elements, index):
            start = {False: None, True: None}
    return spans


def _single_clef(elements: tuple[Element, ...], index: int) -> bool:
    """Whether the element is a clef with no other sign beside it: the one sign a beam can hold."""
    signs = (Clef, KeySignature, TimeSignature)
    return isinstance(elements[index], Clef) and not any(
        isinstance(near, signs) for near in (*elements[max(index - 1, 0) : index], *elements[index + 1 : index + 2])
    )


def tuplet_spans(elements: tuple[Element, ...], beams: list[tuple[int, int]]) -> list[tuple[int, int, tuple[int, int]]]:
    """Runs of one ratio, each as long as its ratio fills, cut where a beam would cross its edge."""
    spans: list[tuple[int, int, tuple[int, int]]] = []
    first: int | None = None
    last, ratio, written = 0, (1, 1), 0
    for index, element in enumerate(elements):
        if isinstance(element, Note) and element.grace or _single_clef(elements, index):
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


def with_checked_ties(elements: Sequence[Element]) -> list[Element]:
    """Drops the tie of an excerpt's last note, which leads beyond its end.

    Raises:
        NotationError: "tie" for one that leads to a rest.
    """
    checked = list(elements)
    untied = Score(tuple(replace(e, tie=False) if isinstance(e, Note) else e for e in elements))
    for index, note in enumerate(elements):
        if isinstance(note, Note) and note.tie and untied.tied_note(index) is None:
            if any(isinstance(later, (Note, Rest, MultiRest)) for later in elements[index + 1 :]):
                raise NotationError("tie", f"element {index} is tied to no note that follows it")
            checked[index] = replace(note, tie=False)
    return checked


def with_courtesies(elements: Sequence[Element], drawn: Iterable[int]) -> tuple[Element, ...]:
    """Marks the notes, of those whose accidental is `drawn` (indices), that key and measure do not ask one for."""
    marked = list(elements)
    for index in sorted(drawn):
        note = marked[index]
        # A note more, so that a tie of the last one leads somewhere.
        begun = Score((*marked[: index + 1], Note(Pitch("C", 0, 4), Duration("quarter"))))
        if isinstance(note, Note) and begun.written_accidentals()[index] is None:
            marked[index] = replace(note, courtesy=True)
    return tuple(marked)
