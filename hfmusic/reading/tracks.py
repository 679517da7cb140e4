"""Where five parallel lines run across a page: staves as tracks, followed from side to side.

What `models.image_features.find_staff` does for the one staff of a picture, for all of a page: combs of five lines
are slid over the row profiles of narrow column blocks, and dynamic programming joins the best rows of neighbouring
blocks; the best track is taken out, and the next one looked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hfmusic.models.image_features import best_path, block_profiles, comb_scores

# Spaces differ on one page: photographs lean away, and cue staves are small.
_RATIOS = (0.82, 0.87, 0.92, 0.96, 1.0, 1.04, 1.08, 1.13, 1.18)
_LIKELY = 0.05  # what a comb must fit better by, a whole ratio away from 1
_BLOCK_SPACES = 2.0
_STEEPEST = 0.1  # of a track against the page, after the page is made straight
_GOOD, _GOOD_ON_AVERAGE = 0.15, 0.22  # fit of a comb: the fainter of its lines less what is between
_LONGEST_GAP, _SHORTEST_STAFF = 6.0, 10.0  # staff spaces
_TAKEN = 4.4  # staff spaces around a track in which there is no other
_MOST_FAILURES = 4
_INK_SEEN = 0.25
_FAINTEST_SEEN, _LINES_SEEN = 0.3, 0.75  # share of the columns in which the two faintest lines show (print rubs off)
_SIXTH_SEEN = 0.6  # share in which a sixth line shows, at most
_ROUGHEST = 0.18  # of the second roughest line; most rows of text are rougher


@dataclass(frozen=True)
class Track:
    """Five lines: the row of the middle one at `columns` (rising), the distance of two, and their ends, in pixels."""

    columns: np.ndarray
    rows: np.ndarray
    space: float
    left: float
    right: float

    def row_at(self, columns: np.ndarray | float) -> np.ndarray:
        """The middle line's row; beyond the ends, that of the end."""
        return np.interp(columns, self.columns, self.rows)


def find_tracks(ink: np.ndarray, space: float, most: int = 60) -> list[Track]:
    """The staves of an ink picture (H, W) float32 whose lines run about level, the clearest first.

    Args:
        space: distance of two staff lines in pixels, within a fifth.
        most: staves to be found.
    """
    block = max(4, round(_BLOCK_SPACES * space))
    if ink.shape[1] < 4 * block or ink.shape[0] < 5 * space:
        return []
    score, ratio = _fits(block_profiles(ink, block), space)
    edges = np.linspace(0, ink.shape[1], score.shape[1] + 1)
    centres = (edges[:-1] + edges[1:]) / 2
    reach = max(1, round(_STEEPEST * block))
    found: list[Track] = []
    failures = 0
    while len(found) < most and failures < _MOST_FAILURES:
        path = best_path(score, reach)
        fit = score[path, np.arange(len(path))]
        first, last = _best_run(fit, round(_LONGEST_GAP * space / block))
        if fit[first : last + 1].sum() <= 0:
            break
        track = _track(path, fit, ratio, (first, last), centres, space)
        _take(score, path, (first, last), round(_TAKEN * space))
        if track is not None and _is_staff(ink, track):
            found.append(track)
        else:
            failures += 1
    return found


def _fits(profile: np.ndarray, space: float) -> tuple[np.ndarray, np.ndarray]:
    """How well a comb fits each row and block, and its size against `space`: (H, blocks) both."""
    scores = np.stack([comb_scores(profile, space * ratio) - _LIKELY * abs(ratio - 1) for ratio in _RATIOS])
    best = scores.argmax(axis=0)
    return np.take_along_axis(scores, best[None], axis=0)[0], np.asarray(_RATIOS, np.float32)[best]


def _best_run(fit: np.ndarray, gap: int) -> tuple[int, int]:
    """First and last block of the stretch of a path with the most fit; up to `gap` bad blocks between are borne."""
    good = np.flatnonzero(fit > _GOOD)
    if not len(good):
        return 0, 0
    runs = np.split(good, np.flatnonzero(np.diff(good) > gap + 1) + 1)
    best = max(runs, key=lambda run: float(fit[run].sum()))
    return int(best[0]), int(best[-1])


def _track(
    path: np.ndarray, fit: np.ndarray, ratio: np.ndarray, run: tuple[int, int], centres: np.ndarray, space: float
) -> Track | None:
    """A stretch of a path as a track; None where it is too short or its combs fit badly."""
    blocks = np.arange(run[0], run[1] + 1)
    good = blocks[fit[blocks] > _GOOD]
    own = space * float(np.median(ratio[path[good], good])) if len(good) else space
    left, right = centres[run[0]], centres[run[1]]
    half = (centres[1] - centres[0]) / 2
    if right - left + 2 * half < _SHORTEST_STAFF * own or len(good) < 0.6 * len(blocks):
        return None
    if np.median(fit[good]) < _GOOD_ON_AVERAGE:
        return None
    return Track(centres[good], _smooth(path[good].astype(float)), own, float(left - half), float(right + half))


def _smooth(rows: np.ndarray) -> np.ndarray:
    if len(rows) < 5:
        return rows
    kernel = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
    padded = np.concatenate([2 * rows[0] - rows[2:0:-1], rows, 2 * rows[-1] - rows[-2:-4:-1]])  # goes on as it ends
    return np.convolve(padded, kernel, mode="valid")


def _take(score: np.ndarray, path: np.ndarray, run: tuple[int, int], reach: int) -> None:
    """No other track there, in place."""
    for block in range(max(0, run[0] - 1), min(len(path), run[1] + 2)):
        score[max(0, path[block] - reach) : path[block] + reach + 1, block] = 0.0


def _is_staff(ink: np.ndarray, track: Track) -> bool:
    """Whether five lines run along a track, unbroken but for the notes on them, and no sixth: text has as many rows as
    there is room for, and its ink comes and goes."""
    columns = np.arange(max(0, int(track.left)), min(ink.shape[1], int(track.right)))
    lines = [_Line(ink, columns, track, number) for number in range(-3, 4)]
    five = lines[1:-1]
    faintest, next_faintest, *_ = sorted(line.seen for line in five)
    if faintest < _FAINTEST_SEEN or next_faintest < _LINES_SEEN:
        return False
    if sorted(line.roughness for line in five)[-2] > _ROUGHEST:
        return False
    return max(lines[0].seen, lines[-1].seen) < _SIXTH_SEEN


class _Line:
    """The line this many spaces below the middle one of a track.

    Attributes:
        seen: share of the columns in which it shows ink, more than the space around it does.
        roughness: how much its ink changes from one column to the next, of its ink.
    """

    def __init__(self, ink: np.ndarray, columns: np.ndarray, track: Track, spaces: float) -> None:
        middle = track.row_at(columns)

        def row(offset: float) -> np.ndarray:
            rows = np.round(middle + offset * track.space).astype(int)
            return ink[np.clip(rows, 0, len(ink) - 1), columns]

        pixel = 1 / track.space
        line = np.max([row(spaces - pixel), row(spaces), row(spaces + pixel)], axis=0)
        clear = _along(line - (row(spaces - 0.5) + row(spaces + 0.5)) / 2, round(track.space))
        self.seen = float(((line > _INK_SEEN) & (clear > _INK_SEEN / 2)).mean())
        self.roughness = float(np.median(np.abs(np.diff(line))) / max(0.01, np.median(line)))


def _along(values: np.ndarray, reach: int) -> np.ndarray:
    """Mean over `reach` columns around each."""
    reach |= 1
    padded = np.pad(values, reach // 2, mode="edge")
    return np.convolve(padded, np.full(reach, 1 / reach), mode="valid")
