"""What a page shows that is no melody on one staff a line, said in one sentence."""

from __future__ import annotations

import numpy as np

from .staves import FoundStaves
from .tracks import Track

_WANTED = "a page of one melody, one staff a line, is wanted"
_INK = 80  # of 255, in a picture whose thinnest lines are grey
_DARK, _DARKEST_WHITE = 60, 120  # levels: most of a dark picture is below the one, its brightest parts below the other


def check_page(found: FoundStaves) -> None:
    """Refuse pages whose staves do not go on from each other.

    Raises:
        ValueError: two pages side by side, or systems of several staves.
    """
    left, right = _side_by_side(found.tracks)
    if left and right:
        raise ValueError(
            f"two pages side by side, {left} staves on the left and {right} on the right; one page a picture is wanted"
        )
    systems = [count for count in _systems(found) if count > 1]
    if 3 * sum(systems) >= len(found.tracks) and systems:
        most = max(systems)
        kind = "a grand staff" if most == 2 else "a score"
        number = f"{len(systems)} systems" if len(systems) > 1 else "a system"
        raise ValueError(f"{number} of {most} staves joined by bar lines, {kind}; {_WANTED}")


def why_nothing(pixels: np.ndarray) -> str | None:
    """Why no staff may be found in a picture, uint8 (H, W); None if nothing is plain."""
    middle, white, black = np.percentile(pixels[::4, ::4], (50, 99.5, 0.5))
    if middle < _DARK and black + 3 < white < _DARKEST_WHITE:
        share = round(100 * white / 255)
        return f"no staff found: the picture is too dark, its brightest parts are {share} % of white"
    return None


def _side_by_side(tracks: tuple[Track, ...]) -> tuple[int, int]:
    """Staves left and right of a gutter that none crosses, if there are two or more on each side; else (0, 0)."""
    for gutter in sorted(track.right for track in tracks):
        left = [track for track in tracks if track.right <= gutter]
        right = [track for track in tracks if track.left >= gutter]
        if len(left) + len(right) == len(tracks) and min(len(left), len(right)) >= 2:
            if _heights_overlap(left, right):
                return len(left), len(right)
    return 0, 0


def _heights_overlap(left: list[Track], right: list[Track]) -> bool:
    tops = [min(float(track.rows.min()) for track in side) for side in (left, right)]
    ends = [max(float(track.rows.max()) for track in side) for side in (left, right)]
    return max(tops) < min(ends)


def _systems(found: FoundStaves) -> list[int]:
    """How many staves each system has, from top to bottom."""
    counts = [1]
    for upper, lower in zip(found.tracks, found.tracks[1:], strict=False):
        if _joined(found.level, upper, lower):
            counts[-1] += 1
        else:
            counts.append(1)
    return counts


def _joined(ink: np.ndarray, upper: Track, lower: Track) -> bool:
    """Whether a line joins two staves where they begin, or two or more lines run through from one to the other."""
    space = upper.space
    first, last = max(upper.left, lower.left) - 4 * space, min(upper.right, lower.right) + 2 * space
    columns = np.arange(max(0, int(first)), min(ink.shape[1], int(last)))
    # from within the one staff to within the other: bar lines do, stems of notes between them end before
    top, bottom = upper.row_at(columns) + 1.2 * space, lower.row_at(columns) - 1.2 * space
    if len(columns) < 10 * space or np.median(bottom - top) < 1:
        return False
    through = _lines_through(ink, columns, top, bottom)
    places = [columns[run[0]] for run in through if len(run) < space]
    at_start = [place for place in places if place < first + 7.5 * space]
    return bool(at_start) or len(places) > 1


def _lines_through(ink: np.ndarray, columns: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> list[np.ndarray]:
    """Runs of columns at whose bottom ink arrives that began at the top and was never lost; lines may lean a little."""
    count = max(3, int(np.ceil(np.median(bottom - top))))
    parts = np.linspace(0, 1, count)[:, None]
    rows = np.clip(np.round(top + parts * (bottom - top)).astype(int), 0, ink.shape[0] - 1)
    black = ink[rows, columns] > _INK
    black[1:-1] |= black[:-2] & black[2:]
    reached = black[0]
    for number, row in enumerate(black[1:]):
        if number % 3 == 0:  # to the neighbouring columns: lines that lean by a third at most
            reached = reached | np.roll(reached, 1) | np.roll(reached, -1)
        reached = reached & row
    hits = np.flatnonzero(reached)
    return [run for run in np.split(hits, np.flatnonzero(np.diff(hits) > 1) + 1) if len(run)]
