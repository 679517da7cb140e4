"""A page read: its staves found, each read by a model that reads one, and the readings joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hfmusic.models.image_features import NoStaffError

from .join import join
from .staves import Box, FoundStaves, StaffPlace, find_staves
from .verdict import check_page

Span = tuple[float, float]
_UPSIDE_DOWN = 0.85  # mean confidence below which a page is turned round to see whether it reads better


class Reading(Protocol):
    """What a model reads on one staff: tokens, and of each its confidence and its columns in the picture."""

    @property
    def tokens(self) -> Sequence[str]: ...
    @property
    def confidences(self) -> Sequence[float]: ...
    @property
    def spans(self) -> Sequence[Span]: ...


ReadStaff = Callable[[np.ndarray], Reading]


@dataclass(frozen=True)
class StaffReading:
    """What was read on one staff of a page.

    Attributes:
        place: the staff.
        tokens, confidences: as read, before the lines are joined: each line has its own clef and key.
        spans: (left, right) in pixels of the page picture.
        boxes: (left, top, right, bottom) in pixels of the page picture: from the top line to the bottom one.
    """

    place: StaffPlace
    tokens: tuple[str, ...]
    confidences: tuple[float, ...]
    spans: tuple[Span, ...]
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class PageReading:
    """A page picture, upright, its staves as they were found, and what was read on each."""

    picture: np.ndarray
    found: FoundStaves
    staves: tuple[StaffReading, ...]

    @property
    def confidence(self) -> float:
        """Mean of all symbols; 0 where nothing was read."""
        sure = [one for staff in self.staves for one in staff.confidences]
        return float(np.mean(sure)) if sure else 0.0


def read_page(pixels: np.ndarray, read: ReadStaff, page: int = 0, found: FoundStaves | None = None) -> PageReading:
    """Read the staves of a page picture; one that lies on its side or head is turned round.

    Args:
        read: reads the picture of one staff.
        page: number of the page.
        found: its staves, if they have been looked for.

    Raises:
        ValueError: what `check_page` and `read` raise. A staff on which `read` sees none is left out.
    """
    found = find_staves(pixels, page) if found is None else found
    upright = _read_staves(pixels, found, read)
    if upright.confidence >= _UPSIDE_DOWN:
        return upright
    turns = (2,) if found.places else (1, 3)
    others = [np.ascontiguousarray(np.rot90(pixels, quarters)) for quarters in turns]
    readings = [upright, *(_read_staves(other, find_staves(other, page), read) for other in others)]
    return max(readings, key=lambda one: one.confidence)


def _read_staves(pixels: np.ndarray, found: FoundStaves, read: ReadStaff) -> PageReading:
    check_page(found)
    staves = (_read_staff(found, number, read) for number in range(len(found.places)))
    return PageReading(pixels, found, tuple(staff for staff in staves if staff is not None))


def _read_staff(found: FoundStaves, number: int, read: ReadStaff) -> StaffReading | None:
    place = found.places[number]
    try:
        result = read(found.strip(number))
    except NoStaffError:
        return None
    boxes = tuple(place.box_of(span) for span in result.spans)
    spans = tuple((box[0], box[2]) for box in boxes)
    return StaffReading(place, tuple(result.tokens), tuple(result.confidences), spans, boxes)


@dataclass(frozen=True)
class Symbol:
    """A symbol of the joined text: its confidence 0..1, and its place on page picture number `page`: `span` (left,
    right) and `box` (left, top, right, bottom) in pixels, None for a bar line that was not read."""

    token: str
    confidence: float
    span: Span | None
    box: Box | None
    page: int


def join_staves(staves: Sequence[StaffReading], encoding: str = "semantic") -> list[Symbol]:
    """One text of all staves in order (see `join`). A bar line that was not read is as sure as its line is."""
    symbols = []
    for one in join([staff.tokens for staff in staves], encoding):
        staff = staves[one.line]
        if one.place is None:
            symbols.append(Symbol(one.token, float(np.mean(staff.confidences)), None, None, staff.place.page))
        else:
            sure, span, box = staff.confidences[one.place], staff.spans[one.place], staff.boxes[one.place]
            symbols.append(Symbol(one.token, sure, span, box, staff.place.page))
    return symbols
