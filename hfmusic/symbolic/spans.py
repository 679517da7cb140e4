"""Which notes one beam or one tuplet sign covers: what notations write around their notes."""

from __future__ import annotations

from .score import Clef, Element, KeySignature, Note, Rest, TimeSignature

_UNBEAMABLE = ("quadruple_whole", "double_whole", "whole", "half", "quarter")


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
