"""Sheet music as pictures whose notes are known: pages, systems, noteheads and bar lines, and the unrolled row.

Places are in pixels of a page, as continuous coordinates: pixel i covers i to i + 1. Onsets in quarters are of the
score played through once, as it is printed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from PIL import Image

PAGE_WIDTH = 835  # of all pages, as MSMD has them: errors of alignment are shares of it
_AROUND = 20.0  # pixels beyond a system's outer lines that are its own where it is made to fit: three spaces of a staff


class SheetNote(NamedTuple):
    """A notehead that begins to sound.

    Attributes:
        page: index into `Sheet.pages`.
        system: index into `Sheet.systems`, which counts through all pages.
        x, y: the notehead's centre in pixels of the page.
        staff: 1 for the uppermost staff of the system.
    """

    page: int
    system: int
    x: float
    y: float
    pitch_midi: int
    staff: int
    onset_quarters: float
    onset_seconds: float
    offset_seconds: float


class System(NamedTuple):
    """The box of a system's outer staff lines, in pixels of its page."""

    page: int
    left: float
    top: float
    right: float
    bottom: float


class Measure(NamedTuple):
    """A measure, or the part of one that is in a system.

    Attributes:
        number: as the score counts it, "" where it does not.
        x: where it begins: its left bar line, or the system's left end.
        beats: its length in quarters.
    """

    number: str
    page: int
    system: int
    x: float
    onset_quarters: float
    onset_seconds: float
    beats: float


@dataclass(frozen=True)
class Sheet:
    """The pages of a piece and what is on them.

    Attributes:
        pages: uint8 (H, 835) each, 255 = paper. H is the same for all pages that were engraved together.
        systems: in reading order.
        notes: by onset, then system, then x.
        measures: in reading order; none where the source does not tell (MSMD).
        title, composer: "" where the source does not tell.
    """

    pages: tuple[np.ndarray, ...]
    systems: tuple[System, ...]
    notes: tuple[SheetNote, ...]
    measures: tuple[Measure, ...] = ()
    title: str = ""
    composer: str = ""

    def at_tempo(self, factor: float) -> Self:
        """The same sheet played `factor` times as fast.

        Raises:
            ValueError: a factor that is not above 0.
        """
        if not factor > 0:
            raise ValueError(f"the tempo factor must be above 0, got {factor}")
        notes = tuple(
            note._replace(onset_seconds=note.onset_seconds / factor, offset_seconds=note.offset_seconds / factor)
            for note in self.notes
        )
        measures = tuple(one._replace(onset_seconds=one.onset_seconds / factor) for one in self.measures)
        return replace(self, notes=notes, measures=measures)


@dataclass(frozen=True)
class SheetRow:
    """All systems of a sheet side by side, as one long system.

    Attributes:
        image: uint8 (height, width), 255 = paper.
        starts: x in the row where each system begins.
        lefts, tops: the pixel of its page that each system's first column, and the row's uppermost line, shows.
        pages: the page of each system.
        scale: row pixels a page pixel, across (down it is the asked one, to the rounding of the height, or less where
            a system is made to fit).
    """

    image: np.ndarray
    starts: tuple[float, ...]
    lefts: tuple[float, ...]
    tops: tuple[float, ...]
    pages: tuple[int, ...]
    scale: float

    def x_of(self, system: int, page_x: float) -> float:
        """Where in the row a place of a system is."""
        return self.starts[system] + (page_x - self.lefts[system]) * self.scale

    def page_place(self, row_x: float) -> tuple[int, int, float]:
        """(page, system, x on the page) of a place in the row; places outside it belong to its first or last system."""
        system = max(0, int(np.searchsorted(self.starts, row_x, side="right")) - 1)
        return self.pages[system], system, self.lefts[system] + (row_x - self.starts[system]) / self.scale


def unroll(sheet: Sheet, *, height: int = 200, scale: float = 1.0, fit: int | None = None) -> SheetRow:
    """Cut the systems out of their pages and join them from left to right, as MSMD does.

    Each system is cut between its left and right end, and `height / 2` above and below its centre: whatever of the page
    is there, also of other systems; white where the page ends.

    Args:
        height: of the cut in pixels of the page.
        scale: row pixels a page pixel, at most 1.
        fit: a system that is taller than so many pixels, with a little above and below its outer lines, is squeezed
            down to them, and not across. None: none is.

    Raises:
        ValueError: a sheet without systems, or a height or scale that cannot be.
    """
    if height < 1 or not 0 < scale <= 1:
        raise ValueError(f"height must be at least 1 and scale above 0 and at most 1, got {height} and {scale}")
    if fit is not None and fit < 1:
        raise ValueError(f"systems fit into at least 1 pixel, got {fit}")
    if not sheet.systems:
        raise ValueError("a sheet without systems cannot be unrolled")
    cuts = [_cut(sheet.pages[system.page], system, height, fit) for system in sheet.systems]
    row = np.concatenate([image for image, _, _ in cuts], axis=1)
    across = max(1, round(row.shape[1] * scale)) / row.shape[1]
    begins = np.cumsum([0, *(image.shape[1] for image, _, _ in cuts[:-1])])
    if scale != 1:
        size = (round(row.shape[1] * across), max(1, round(height * scale)))
        row = np.asarray(Image.fromarray(row).resize(size, Image.Resampling.BOX))
    return SheetRow(
        image=row,
        starts=tuple(float(begin * across) for begin in begins),
        lefts=tuple(float(left) for _, left, _ in cuts),
        tops=tuple(float(top) for _, _, top in cuts),
        pages=tuple(system.page for system in sheet.systems),
        scale=across,
    )


def _cut(page: np.ndarray, system: System, height: int, fit: int | None) -> tuple[np.ndarray, int, int]:
    """The strip of a system, and the column and row of the page where it begins."""
    left, right = max(0, int(np.floor(system.left))), min(page.shape[1], int(np.ceil(system.right)))
    if right <= left:
        raise ValueError(f"a system from x {system.left:g} to {system.right:g} on a page of {page.shape[1]} pixels")
    squeeze = max(1.0, (system.bottom - system.top + 2 * _AROUND) / fit) if fit else 1.0
    shown = height * squeeze
    top = (system.top + system.bottom) / 2 - shown / 2
    if squeeze == 1:
        first = round(top)
        return _strip(page, left, right, first, height), left, first
    first = int(np.floor(top))
    strip = Image.fromarray(_strip(page, left, right, first, int(np.ceil(top + shown)) - first))
    box = (0.0, top - first, float(right - left), top - first + shown)
    return np.asarray(strip.resize((right - left, height), Image.Resampling.HAMMING, box=box)), left, first


def _strip(page: np.ndarray, left: int, right: int, first: int, rows: int) -> np.ndarray:
    """So many rows of some columns, white where the page ends."""
    strip = np.full((rows, right - left), 255, np.uint8)
    begin, end = max(0, first), min(page.shape[0], first + rows)
    if end > begin:
        strip[begin - first : end - first] = page[begin:end, left:right]
    return strip
