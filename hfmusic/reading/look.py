"""Page pictures to one reading: a picture of one staff is read whole, one of several staff by staff."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hfmusic.models.image_features import NoStaffError

from .eye import PageReading, Reading, ReadStaff, StaffReading, Symbol, join_staves, read_page
from .staves import FoundStaves, find_staves
from .verdict import why_nothing


@dataclass(frozen=True)
class Seen:
    """What was read: `symbols` of all staves joined, the `staves` that were found, and the page `pictures`, upright."""

    symbols: tuple[Symbol, ...]
    staves: tuple[StaffReading, ...]
    pictures: tuple[np.ndarray, ...]


def look(pages: Iterable[np.ndarray], read: ReadStaff, encoding: str = "semantic", *, keep: bool = False) -> Seen:
    """Read the pages of one piece, uint8 (H, W) each; of several, those without a staff are left out.

    Args:
        read: reads the picture of one staff; NoStaffError where it sees none.
        encoding: of its tokens, "semantic" or "agnostic".
        keep: return the pictures.

    Raises:
        NoStaffError: no staff on any page.
        ValueError: what `check_page` and `read` raise, naming the page where there are several.
    """
    upcoming = iter(pages)
    first, second = next(upcoming), next(upcoming, None)
    if second is None:
        return _look_at_picture(first, read, encoding, keep)
    staves: list[StaffReading] = []
    pictures: list[np.ndarray] = []
    count = 0
    for pixels in itertools.chain((first, second), upcoming):
        page = _read_numbered(pixels, read, count)
        staves += page.staves
        pictures += [page.picture] if keep else []
        count += 1
    if not staves:
        raise NoStaffError(f"no staff found on any of the {count} pages")
    return Seen(tuple(join_staves(staves, encoding)), tuple(staves), tuple(pictures))


def _read_numbered(pixels: np.ndarray, read: ReadStaff, page: int) -> PageReading:
    try:
        return read_page(pixels, read, page)
    except ValueError as error:
        raise type(error)(f"page {page + 1}: {error}") from None


def _look_at_picture(pixels: np.ndarray, read: ReadStaff, encoding: str, keep: bool) -> Seen:
    """One picture: by its staves if it has several, on whichever side it lies; else as the one staff it is."""
    for quarters in (0, 1, 3):
        picture = np.rot90(pixels, quarters) if quarters else pixels
        found = find_staves(np.ascontiguousarray(picture))
        if len(found.places) > 1:
            page = read_page(pixels, read, found=None if quarters else found)
            kept = (page.picture,) if keep else ()
            return Seen(tuple(join_staves(page.staves, encoding)), page.staves, kept)
        if found.places:
            break
    whole, result = _read_whole(pixels, read)
    same = whole is pixels and not quarters
    return _seen_whole(whole, result, found if same else find_staves(np.ascontiguousarray(whole)), keep)


def _read_whole(pixels: np.ndarray, read: ReadStaff) -> tuple[np.ndarray, Reading]:
    """The reading of a picture of one staff, and the picture, turned by a quarter if it reads only so."""
    try:
        return pixels, read(pixels)
    except NoStaffError as error:  # a photograph taken on its side, whose EXIF does not say so
        turned = []
        for quarters in (1, 3):
            with contextlib.suppress(NoStaffError):
                picture = np.rot90(pixels, quarters)
                turned.append((picture, read(picture)))
        if not turned:
            raise NoStaffError(why_nothing(pixels) or str(error)) from None
    return max(turned, key=lambda one: sum(one[1].confidences) / max(1, len(one[1].tokens)))


def _seen_whole(picture: np.ndarray, result: Reading, found: FoundStaves, keep: bool) -> Seen:
    """The reading of a whole picture. Where its staff is not found again, its symbols reach from edge to edge."""
    place = found.places[0] if len(found.places) == 1 else None
    boxes = tuple(
        (left, 0.0, right, float(picture.shape[0])) if place is None else place.box_between(left, right)
        for left, right in result.spans
    )
    rows = zip(result.tokens, result.confidences, result.spans, boxes, strict=True)
    symbols = tuple(Symbol(*row, page=0) for row in rows)
    staff = (tuple(result.tokens), tuple(result.confidences), tuple(result.spans), boxes)
    staves = () if place is None else (StaffReading(place, *staff),)
    return Seen(symbols, staves, (picture,) if keep else ())
