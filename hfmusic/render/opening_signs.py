"""Where the signs that open a staff stand: its clef, key signature and meter.

A CTC model tells where a note is, but gives out the signs before the first one all at once, as soon as it has seen the
clef. Here they are found again in the picture: pieces of ink between the lines, shared out to the signs in their order
by how wide such signs are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from hfmusic.symbolic.score import Clef, KeySignature, TimeSignature
from hfmusic.symbolic.semantic import element_of

from .opened import Cut, upper_edge

# Usual widths in staff spaces.
_CLEF, _ACCIDENTAL, _METER, _DIGIT = 2.7, 1.0, 1.8, 1.2
_INK = 190
_NARROWEST_PIECE, _NARROWEST_GAP = 0.3, 0.2
_LEFT_OVER = 0.3
_SMALLEST_SPACE = 3.0
_LINES = np.arange(5.0)
_SPACES = np.arange(4.0) + 0.5
_BETWEEN = np.concatenate([_SPACES - 0.15, _SPACES, _SPACES + 0.15])
_MOST_PIECES = 24
_DRAWN = re.compile(r"(clef|accidental|metersign|digit)\..*-([LS]-?\d+)")


def place_opening(grey: np.ndarray, boxes: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """The boxes (N, 4: left, top, right, bottom) of a staff's symbols, those of its opening signs set right.

    They come back as they were where the picture does not show enough pieces of ink for all the signs.

    Args:
        grey: uint8 (H, W), 255 = paper, in even light.
        boxes: in order from the left, each as high as the staff.
        texts: the symbols' tokens, semantic or agnostic.
    """
    groups = _groups(texts)
    if not groups:
        return boxes
    count = sum(len(group) for group, _ in groups)
    heights = boxes[:, 3] - boxes[:, 1]
    space = float(np.median(heights)) / 4
    if space < _SMALLEST_SPACE or np.ptp(heights) > space:
        return boxes
    end = grey.shape[1] if count == len(boxes) else float(boxes[count, 0] + boxes[count, 2]) / 2 - 0.7 * space
    pieces = _pieces(grey, boxes, end, space)
    told = _kind(texts[0])[0] == "clef"
    shares = _shared_out(pieces, np.array([width for _, width in groups]) * space, not told, _LEFT_OVER * space)
    if shares is None:
        return boxes
    placed = boxes.copy()
    for (group, _), (left, right) in zip(groups, shares, strict=True):
        edges = np.linspace(left, right, len(group) + 1) if "accidental" in texts[group[0]] else None
        for place, index in enumerate(group):
            placed[index, [0, 2]] = (left, right) if edges is None else edges[place : place + 2]
    return placed


def _groups(texts: Sequence[str]) -> list[tuple[list[int], float]]:
    """The opening signs that stand apart, each as its symbols' indices and its usual width in staff spaces."""
    groups: list[tuple[list[int], float]] = []
    kinds: list[str] = []
    for index, text in enumerate(texts):
        kind, width = _kind(text)
        if not kind or (kind in kinds and kinds[-1] != kind):
            break
        if kinds and kinds[-1] == kind and kind in ("accidental", "digit"):
            before, wide = groups[-1]
            groups[-1] = ([*before, index], wide + width if kind == "accidental" else max(wide, width))
        else:
            groups.append(([index], width))
            kinds.append(kind)
    return [group for group in groups if group[1] > 0]


def _kind(text: str) -> tuple[str, float]:
    """ "" for what opens no staff."""
    match element_of(text):
        case Clef():
            return "clef", _CLEF
        case KeySignature(fifths):
            return "key", _ACCIDENTAL * abs(fifths)
        case TimeSignature(numerator, denominator, symbol):
            figures = 1 if symbol else len(str(max(numerator, denominator)))
            return "meter", _METER + _DIGIT * (figures - 1)
    drawn = _DRAWN.fullmatch(text)
    if drawn is None or (drawn[1] == "digit" and drawn[2] == "S5"):  # the figure of a rest of many measures
        return "", 0.0
    return drawn[1], {"clef": _CLEF, "accidental": _ACCIDENTAL}.get(drawn[1], _METER)


def _pieces(grey: np.ndarray, boxes: np.ndarray, end: float, space: float) -> np.ndarray:
    """Runs of columns up to `end` with ink between the staff's lines: (left, right) each, (N, 2)."""
    start = max(0, round(float(boxes[0, 0]) - 2 * space))
    columns = np.arange(start, max(start, round(end)))
    if len(columns) < 2 * space:
        return np.zeros((0, 2))
    dark = 255 - grey.astype(np.int16)
    top = _top_line(dark, upper_edge(boxes), columns, space)
    inked = (_sampled(dark, top, columns, space, _BETWEEN) > 255 - _INK).any(axis=0)
    edges = np.flatnonzero(np.diff(np.pad(inked, 1).astype(np.int8)))
    runs = edges.reshape(-1, 2) + start
    joined: list[list[int]] = []
    for left, right in runs.tolist():
        if joined and left - joined[-1][1] < _NARROWEST_GAP * space:
            joined[-1][1] = right
        else:
            joined.append([left, right])
    wide = [piece for piece in joined if piece[1] - piece[0] >= _NARROWEST_PIECE * space]
    return np.array(wide[:_MOST_PIECES], np.float64).reshape(-1, 2)


def _top_line(dark: np.ndarray, near: Cut, columns: np.ndarray, space: float) -> np.ndarray:
    """The row of the staff's top line in each column: where five lines fit best around the boxes' upper edge."""
    few = columns[:: max(1, round(space / 4))]
    middle = float(few.mean())
    best, top = -np.inf, near.across(columns)
    for turned in np.linspace(-0.04, 0.04, 9):
        for moved in np.linspace(-0.7, 0.7, 29):
            line = near.across(few) + moved * space + turned * (few - middle)
            fit = float(
                _sampled(dark, line, few, space, _LINES).mean() - _sampled(dark, line, few, space, _SPACES).mean()
            )
            if fit > best:
                best, top = fit, near.across(columns) + moved * space + turned * (columns - middle)
    return top


def _sampled(dark: np.ndarray, top: np.ndarray, columns: np.ndarray, space: float, below: np.ndarray) -> np.ndarray:
    """Darkness `below` (N,) staff spaces under a line: (N, columns)."""
    rows = np.round(top + space * below[:, None]).astype(int)
    return dark[np.clip(rows, 0, dark.shape[0] - 1), columns]


def _shared_out(
    pieces: np.ndarray, widths: np.ndarray, skip: bool, left_over: float
) -> list[tuple[float, float]] | None:
    """Extent of each sign: neighbouring pieces, so that it is nearest to its usual width.

    Args:
        skip: pieces before the first sign may be something else at no cost (a clef that is not told again).
        left_over: cost of a piece behind the last sign.

    None: fewer pieces than signs.
    """
    count, total = len(widths), len(pieces)
    if total < count:
        return None
    # cost[s, p]: the first s signs end before piece p.
    cost = np.full((count + 1, total + 1), np.inf)
    taken_from = np.zeros((count + 1, total + 1), int)
    cost[0] = 0.0 if skip else np.concatenate([[0.0], np.cumsum(pieces[:, 1] - pieces[:, 0])])
    for sign in range(1, count + 1):
        for last in range(sign, total + 1):
            firsts = np.arange(sign - 1, last)
            costs = cost[sign - 1, firsts] + np.abs(pieces[last - 1, 1] - pieces[firsts, 0] - widths[sign - 1])
            taken_from[sign, last] = firsts[costs.argmin()]
            cost[sign, last] = costs.min()
    last = int((cost[count] + left_over * np.arange(total, -1, -1)).argmin())
    shares: list[tuple[float, float]] = []
    for sign in range(count, 0, -1):
        first = int(taken_from[sign, last])
        shares.append((float(pieces[first, 0]), float(pieces[last - 1, 1])))
        last = first
    return shares[::-1]
