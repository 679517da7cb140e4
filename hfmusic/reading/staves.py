"""All staves of a page: where they are, in reading order, and each cut out level, alone and in even light."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np

from hfmusic.models.image_features import NoStaffError, line_distance

from .light import flatten, ink_is_light
from .straighten import lean_of, mapped, turned_level
from .tracks import Track, find_tracks

Box = tuple[float, float, float, float]

_SEARCH_SPACE = 10.0  # pixels between staff lines in the picture that staves are looked for in
_READ_SPACE = 18.0  # and at most in those that are cut out to be read; PrIMuS's
_SMALLEST_SPACE = 4.0
_TWO_STAVES, _MOST_STAVES = 11.0, 60  # staff spaces that two staves need
_GAINS = (1.0, 2.5)  # thin lines wash out in photographs: fainter ink may count
_LAST_GAIN = 5.0  # where nothing is found
_MARGIN = 7.0  # staff spaces left of the first good block: a clef hides the lines it stands on
_REACH = 8.0  # staff spaces above and below the middle line that belong to a staff, where no other is near


@dataclass(frozen=True)
class StaffPlace:
    """One staff of a page.

    Attributes:
        page: number of its page picture, from 0.
        columns, rows: the middle line in pixels of the page picture, from left to right.
        space: distance of two lines in pixels.
        to_page: affine map (2, 3) from places in the staff's strip (`FoundStaves.strip`) to the page picture.
        size: (width, height) of the strip.
        upper, lower: first and last row of the strip, for each of its columns, that belong to this staff.
    """

    page: int
    columns: np.ndarray
    rows: np.ndarray
    space: float
    to_page: np.ndarray
    size: tuple[int, int]
    upper: np.ndarray
    lower: np.ndarray

    def middle_at(self, x: float) -> float:
        """Row of the middle line at a column of the page picture."""
        return float(np.interp(x, self.columns, self.rows))

    @property
    def box(self) -> Box:
        """(left, top, right, bottom) around the five lines, in pixels of the page picture."""
        high, low = float(self.rows.min()), float(self.rows.max())
        return float(self.columns[0]), high - 2 * self.space, float(self.columns[-1]), low + 2 * self.space

    def box_between(self, left: float, right: float) -> Box:
        """The rectangle of the five lines between two columns of the page picture."""
        rows = [self.middle_at(left), self.middle_at(right)]
        return left, min(rows) - 2 * self.space, right, max(rows) + 2 * self.space

    def box_of(self, span: tuple[float, float]) -> Box:
        """The rectangle, in pixels of the page picture, of the five lines between two columns of the strip."""
        line = np.array([self._strip_middle(x) for x in span])
        x, _ = mapped(self.to_page, np.array(span), line)
        return self.box_between(float(x.min()), float(x.max()))

    def _strip_middle(self, x: float) -> float:
        inverse = cv2.invertAffineTransform(self.to_page)
        columns, rows = mapped(inverse, self.columns, self.rows)
        return float(np.interp(x, columns, rows))


@dataclass(frozen=True)
class FoundStaves:
    """The staves of a page picture.

    Attributes:
        places: the staves, in reading order.
        flat: the page in even light, uint8, 255 = paper, at `scale` of its size; strips are cut out of it.
        lean: degrees by which the page's lines fall from left to right.
        level: the page's ink, uint8, 255 = ink, small and turned level; `tracks` are the staves in it.
    """

    places: tuple[StaffPlace, ...]
    flat: np.ndarray
    scale: float = 1.0
    lean: float = 0.0
    level: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    tracks: tuple[Track, ...] = ()

    def strip(self, number: int) -> np.ndarray:
        """A staff cut out level, uint8 (H, W), 255 = paper, without what belongs to the staves above and below."""
        place = self.places[number]
        there = place.to_page * self.scale
        there[:, 2] += (self.scale - 1) / 2  # centres of pixels
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        strip = cv2.warpAffine(self.flat, there, place.size, flags=flags, borderValue=255)
        rows = np.arange(place.size[1])[:, None]
        strip[(rows < place.upper) | (rows > place.lower)] = 255
        return strip


def find_staves(pixels: np.ndarray, page: int = 0) -> FoundStaves:
    """The five-line staves of a page picture, uint8 (H, W); none is no error.

    Staff spaces of 4 to 120 pixels, lines that lean by up to 10 degrees and bend, dark on light or light on dark.

    Args:
        page: number of the page, kept in the places.
    """
    best: FoundStaves | None = None
    for picture in [pixels, 255 - pixels] if ink_is_light(pixels) else [pixels]:
        found = _find_on(flatten(picture), page)
        if best is None or len(found.places) > len(best.places):
            best = found
    assert best is not None
    return best


def _find_on(flat: np.ndarray, page: int) -> FoundStaves:
    best, most = FoundStaves((), flat), 0.0
    for gain in (*_GAINS, _LAST_GAIN):
        if gain == _LAST_GAIN and best.tracks:
            break
        try:
            space = line_distance(flat[:, :: max(1, flat.shape[1] // 1500)] < 255 - 127 / gain)
        except NoStaffError:
            continue
        if space < _SMALLEST_SPACE:
            continue
        found = _find_at(flat, space, gain, page)
        length = sum(track.right - track.left for track in found.tracks)
        if length > 1.02 * most:
            best, most = found, length
        if found.tracks and len(found.level) < _TWO_STAVES * _SEARCH_SPACE:
            break  # there is no room for more
    return best


def _find_at(flat: np.ndarray, space: float, gain: float, page: int) -> FoundStaves:
    read = _scaled(flat, min(1.0, _READ_SPACE / space))
    scale = read.shape[1] / flat.shape[1]
    small = _scaled(read, _SEARCH_SPACE / (space * scale))
    search = small.shape[1] / flat.shape[1]
    ink = cv2.convertScaleAbs(255 - small, alpha=gain)
    one = len(small) < _TWO_STAVES * _SEARCH_SPACE
    lean = 0.0 if one else lean_of(ink.astype(np.float32) / 255)
    level, back = turned_level(ink, lean, 0)
    tracks = find_tracks(level.astype(np.float32) / 255, space * search, 1 if one else _MOST_STAVES)
    tracks = _in_reading_order([one for one in tracks if _on_page(one, back, search, flat.shape)])
    places = tuple(_place(number, tracks, back, search, scale, page) for number in range(len(tracks)))
    return FoundStaves(places, read, scale, lean, level, tuple(tracks))


def _scaled(picture: np.ndarray, scale: float) -> np.ndarray:
    if abs(scale - 1) < 0.02:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _in_reading_order(tracks: list[Track]) -> list[Track]:
    """Lines from top to bottom; staves side by side on one line from left to right."""
    lines: list[list[Track]] = []
    for track in sorted(tracks, key=lambda one: float(np.median(one.rows))):
        here = float(np.median(track.rows))
        beside = [
            line
            for line in lines[-1:]
            if all(abs(here - float(np.median(one.rows))) < 3 * track.space for one in line)
            and all(track.left >= one.right or track.right <= one.left for one in line)
        ]
        if beside:
            beside[0].append(track)
        else:
            lines.append([track])
    return [track for line in lines for track in sorted(line, key=lambda one: one.left)]


def _on_page(track: Track, back: np.ndarray, search: float, shape: tuple[int, ...]) -> bool:
    """Whether the middle of a track is on the page: turning it level has put white corners around it."""
    columns = np.array([0.75 * track.left + 0.25 * track.right, 0.25 * track.left + 0.75 * track.right])
    x, y = mapped(back, columns, track.row_at(columns))
    return bool(((x > 0) & (y > 0) & (x < search * shape[1]) & (y < search * shape[0])).all())


def _place(number: int, tracks: list[Track], back: np.ndarray, search: float, scale: float, page: int) -> StaffPlace:
    """A track of the level search picture as a place on the page. `search` and `scale` are the sizes of the picture
    that was searched and of the one that is read, of a page of 1."""
    track = tracks[number]
    columns = np.linspace(track.left, track.right, max(3, round((track.right - track.left) / (2 * track.space))))
    x, y = (_scaled_back(places, search) for places in mapped(back, columns, track.row_at(columns)))
    space = track.space / search
    to_page, size = _strip_map(x, y, space, scale)
    others = [*tracks[:number], *tracks[number + 1 :]]
    upper, lower = _limits(track, others, back, to_page, size, search)
    return StaffPlace(page, x, y, space, to_page, size, upper, lower)


def _scaled_back(places: np.ndarray, scale: float) -> np.ndarray:
    """Places in a picture of this size, of a page of 1, on the page; places are centres of pixels."""
    return (places + 0.5) / scale - 0.5


def _strip_map(x: np.ndarray, y: np.ndarray, space: float, scale: float) -> tuple[np.ndarray, tuple[int, int]]:
    """The affine map from a strip to the page, and the strip's size: level where the staff is, at the read picture's
    size; a staff that is level already is not turned."""
    slope = float(np.polyfit(x, y, 1)[0])
    angle = math.atan(slope) if abs(math.atan(slope)) * (x[-1] - x[0]) > 0.25 * space else 0.0
    sine, cosine = math.sin(angle) / scale, math.cos(angle) / scale
    middle = float(np.mean(y - slope * (x - x[0]))) if angle else float(np.median(y))
    half = _REACH * space + 0.5 * float(np.ptp(y - slope * x))
    left, top = x[0] - _MARGIN * space, -half
    # the strip's origin: up from the staff's middle line, back along it
    back = (left - x[0]) / math.cos(angle)
    origin_x = x[0] + back * math.cos(angle) - top * math.sin(angle)
    origin_y = middle + back * math.sin(angle) + top * math.cos(angle)
    width = (x[-1] - x[0] + 2 * _MARGIN * space) / math.cos(angle)
    if not angle:  # whole pixels of the read picture: nothing is interpolated
        origin_x, origin_y = (math.floor(origin * scale) / scale for origin in (origin_x, origin_y))
    size = (math.ceil(width * scale), math.ceil(2 * half * scale))
    return np.array([[cosine, -sine, origin_x], [sine, cosine, origin_y]]), size


def _limits(
    track: Track, others: list[Track], back: np.ndarray, to_page: np.ndarray, size: tuple[int, int], search: float
) -> tuple[np.ndarray, np.ndarray]:
    """First and last row of the strip that belong to the staff: half way to the staves above and below."""
    there = cv2.invertAffineTransform(back)
    x, y = mapped(to_page, np.arange(size[0]), np.full(size[0], size[1] / 2))
    columns, _ = mapped(there, (x + 0.5) * search - 0.5, (y + 0.5) * search - 0.5)
    middle = track.row_at(columns)
    upper, lower = middle - _REACH * track.space, middle + _REACH * track.space
    for one in others:
        over = (columns >= one.left) & (columns <= one.right)
        half_way = (middle + one.row_at(columns)) / 2
        upper = np.where(over & (half_way < middle), np.maximum(upper, half_way), upper)
        lower = np.where(over & (half_way > middle), np.minimum(lower, half_way), lower)
    strip = cv2.invertAffineTransform(to_page)
    limits = []
    for rows in (upper, lower):
        px, py = mapped(back, columns, rows)
        limits.append(mapped(strip, _scaled_back(px, search), _scaled_back(py, search))[1])
    return limits[0], limits[1]
