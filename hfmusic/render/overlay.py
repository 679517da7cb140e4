"""What was read, written above where it was read: a picture of staves with a label for each symbol.

The picture is cut open above every staff and the labels are set into the gap, so that they hide nothing; a line leads
from each to its symbol. Colours tell the confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from PIL import Image, ImageDraw

from .confidence_colors import DOUBTFUL, Color, fill_of, line_of, text_of
from .labels import label_of
from .opened import Cut, cuts_above, open_up, staff_rows
from .opening_signs import place_opening
from .signs import line_coverage
from .spread import LabelRows, in_rows
from .whiten import whitened

Box = tuple[float, float, float, float]

_NARROWEST, _WIDEST = 1600, 2600
_MOST_ENLARGED, _MOST_PIXELS = 3.0, 16_000_000
_INK_KEPT = 0.6
_ROUNDING = 1e-6
_LEGEND = (1.0, 0.9, 0.75, 0.5, 0.25)
_GREY: Color = (84, 90, 100)


class Mark(NamedTuple):
    """A symbol that was read.

    Attributes:
        text: its PrIMuS token, semantic or agnostic; any other text stands for itself.
        confidence: 0..1.
        box: its place (left, top, right, bottom) in pixels of the picture.
    """

    text: str
    confidence: float
    box: Box


class Reading(Protocol):
    """What a reader says of pictures, one entry a token: how sure it is, where it stands (None where no one knows), and
    on which picture, counted from 0. No `pages` at all: there is one picture."""

    @property
    def tokens(self) -> Sequence[str]: ...

    @property
    def confidences(self) -> Sequence[float]: ...

    @property
    def boxes(self) -> Sequence[Box | None]: ...

    @property
    def pages(self) -> Sequence[int]: ...


def marks_of(reading: Reading, page: int = 0) -> list[Mark]:
    """The tokens that have a place on a page, for `overlay`."""
    pages = reading.pages or [0] * len(reading.tokens)
    rows = zip(reading.tokens, reading.confidences, reading.boxes, pages, strict=True)
    return [Mark(token, sure, box) for token, sure, box, at in rows if box is not None and at == page]


def overlay(pixels: np.ndarray, marks: Sequence[Mark]) -> Image.Image:
    """A picture of staves with a label above each symbol, coloured by confidence, and a legend below.

    Labels have a size that is read on a screen, whatever the picture's: small pictures are enlarged, large ones made
    smaller. No label hides another or a staff.

    Args:
        pixels: uint8 (H, W), 255 = paper.
        marks: in reading order; those of a staff from left to right.

    Raises:
        ValueError: other pixels, a confidence outside 0..1, or a box that is none.
    """
    boxes = _checked(pixels, marks)
    grey, scale = _resized(pixels)
    grey = whitened(grey)
    size = max(13, round(grey.shape[1] / 115))
    cells = [_cell(mark, size) for mark in marks]
    grey = _wide_enough(grey, max([30 * size, *(cell.width for cell in cells)]))
    boxes = boxes * scale
    rows = staff_rows(boxes)
    for row in rows:
        boxes[row] = place_opening(grey, boxes[row], [marks[index].text for index in row])
    bands = [_band(boxes[row], [cells[index] for index in row], grey.shape[1], size) for row in rows]
    cuts = cuts_above(grey, boxes, rows)
    opened, shifts = open_up(255 - ((255 - grey) * _INK_KEPT).astype(np.uint8), cuts, [band.height for band in bands])
    canvas = np.repeat(opened[:, :, None], 3, axis=2)
    for band, cut, shift in zip(bands, cuts, shifts, strict=True):
        _draw_band(canvas, band, cut, shift, size)
    return Image.fromarray(np.vstack([canvas, _legend(marks, canvas.shape[1], size)]))


def _checked(pixels: np.ndarray, marks: Sequence[Mark]) -> np.ndarray:
    """The boxes, float (N, 4)."""
    if pixels.ndim != 2 or pixels.dtype != np.uint8 or not pixels.size:
        raise ValueError(f"an overlay needs pixels uint8 (H, W), got {pixels.dtype} of shape {pixels.shape}")
    for mark in marks:
        if not -_ROUNDING <= mark.confidence <= 1 + _ROUNDING:
            raise ValueError(f"a confidence must be 0 to 1, got {mark.confidence!r} of {mark.text!r}")
        left, top, right, bottom = mark.box
        if not (np.isfinite(mark.box).all() and left <= right and top <= bottom):
            raise ValueError(f"a box must be (left, top, right, bottom) in pixels, got {mark.box!r} of {mark.text!r}")
    boxes = np.array([mark.box for mark in marks], np.float64).reshape(-1, 4)
    most = (pixels.shape[1], pixels.shape[0]) * 2
    return np.clip(boxes, 0.0, most)


def _resized(pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """The picture at a width that a screen shows, and its scale."""
    height, width = pixels.shape
    wanted = min(max(width, _NARROWEST), _WIDEST)
    scale = min(wanted / width, _MOST_ENLARGED, (_MOST_PIXELS / pixels.size) ** 0.5)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    filtering = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(pixels).resize(size, filtering)), scale


def _wide_enough(grey: np.ndarray, width: int) -> np.ndarray:
    return np.pad(grey, ((0, 0), (0, max(0, width - grey.shape[1]))), constant_values=255)


class _Cell(NamedTuple):
    """A label as it is drawn: lines of text, each coverage uint8 (H, W)."""

    lines: tuple[np.ndarray, ...]
    confidence: float
    width: int
    height: int


def _cell(mark: Mark, size: int) -> _Cell:
    label = label_of(mark.text)
    texts = [(text, size) for text in label if text]
    if mark.confidence < DOUBTFUL:
        texts.append((f"{int(100 * mark.confidence)} %", round(0.8 * size)))
    return _cell_of(texts, mark.confidence, size)


def _cell_of(texts: Sequence[tuple[str, int]], confidence: float, size: int) -> _Cell:
    """A cell of (text, letter size) lines."""
    lines = tuple(line_coverage(text, letters) for text, letters in texts)
    width = max([line.shape[1] for line in lines], default=0) + 2 * _padding(size)
    return _Cell(lines, confidence, width, sum(line.shape[0] for line in lines) + _padding(size))


def _padding(size: int) -> int:
    return max(3, round(0.28 * size))


@dataclass(frozen=True)
class _Band:
    """The labels of one staff; all lengths in pixels."""

    boxes: np.ndarray
    cells: list[_Cell]
    rows: LabelRows
    slanted: int  # rows of pixels in which lines lead from the lowest labels to above their symbols
    row_height: int
    row_gap: int

    @property
    def height(self) -> int:
        return self.slanted + len(self.rows.centres) * (self.row_height + self.row_gap)


def _band(boxes: np.ndarray, cells: list[_Cell], width: int, size: int) -> _Band:
    targets = (boxes[:, 0] + boxes[:, 2]) / 2
    gap = max(3, round(0.22 * size))
    widths = np.array([cell.width + gap for cell in cells], np.float64)
    rows = in_rows(targets, widths, float(width), lane=float(2 * gap), furthest=0.8 * size)
    moved = float(np.abs(rows.centres[0] - targets).max())
    slanted = round(min(max(0.5 * moved, 0.5 * size), 2.0 * size))
    return _Band(boxes, cells, rows, slanted, max(cell.height for cell in cells), 2 * gap)


def _draw_band(canvas: np.ndarray, band: _Band, cut: Cut, shift: int, size: int) -> None:
    """Draws places, lines and labels of a staff whose picture was moved down by `shift`."""
    paths: list[list[tuple[float, float]]] = []
    for index, box in enumerate(band.boxes):
        _tint(canvas, box + (0, shift, 0, shift), fill_of(band.cells[index].confidence), size)
        middle = (box[0] + box[2]) / 2
        path = [(middle, box[1] + shift), (middle, min(cut.at(middle), box[1]) + shift)]
        for row in range(band.rows.row_of[index] + 1):
            x = float(band.rows.centres[row][index])
            bottom = cut.at(x) + shift - band.slanted - row * (band.row_height + band.row_gap)
            path += [(x, bottom), (x, bottom - band.row_height)]
        paths.append(path)
    for path, cell in zip(paths, band.cells, strict=True):
        _draw_path(canvas, path[:-1], line_of(cell.confidence), max(1, size // 12))
    for path, cell in zip(paths, band.cells, strict=True):
        x, bottom = path[-2]
        _draw_cell(canvas, cell, x, bottom, size)


def _tint(canvas: np.ndarray, box: np.ndarray, color: Color, size: int) -> None:
    """Colours the paper of a box, as a highlighter pen does."""
    widen = max(0.0, 0.4 * size - (box[2] - box[0])) / 2
    left, right = max(0, round(box[0] - widen)), max(0, round(box[2] + widen))
    part = canvas[max(0, round(box[1])) : round(box[3]) + 1, left : right + 1]
    part[:] = (part * (np.array(color) / 255)).astype(np.uint8)


def _draw_path(canvas: np.ndarray, path: list[tuple[float, float]], color: Color, width: int) -> None:
    points = np.round(np.array(path) * 16).astype(np.int32)
    cv2.polylines(canvas, [points], False, color, width, cv2.LINE_AA, 4)


def _draw_cell(canvas: np.ndarray, cell: _Cell, x: float, bottom: float, size: int) -> None:
    """Draws a label whose lower edge is centred at (x, bottom)."""
    left, top = round(x - cell.width / 2), round(bottom) - cell.height
    border = max(1, size // 14)
    _stamp(canvas, _rounded(cell.width, cell.height, size), left, top, line_of(cell.confidence))
    inner = _rounded(cell.width - 2 * border, cell.height - 2 * border, size)
    _stamp(canvas, inner, left + border, top + border, fill_of(cell.confidence))
    down = top + _padding(size) // 2
    for line in cell.lines:
        _stamp(canvas, line, left + (cell.width - line.shape[1]) // 2, down, text_of(cell.confidence))
        down += line.shape[0]


@lru_cache(maxsize=512)
def _rounded(width: int, height: int, size: int) -> np.ndarray:
    """Coverage of a rectangle with round corners, uint8 (H, W)."""
    fine = Image.new("L", (4 * width, 4 * height), 0)
    ImageDraw.Draw(fine).rounded_rectangle((0, 0, 4 * width - 1, 4 * height - 1), radius=size, fill=255)
    return np.asarray(fine.resize((width, height), Image.Resampling.BOX))


def _stamp(canvas: np.ndarray, coverage: np.ndarray, left: int, top: int, color: Color) -> None:
    """Lays a colour on the canvas where `coverage` says; what lies outside is cut off."""
    rows = slice(max(0, -top), max(0, min(coverage.shape[0], canvas.shape[0] - top)))
    columns = slice(max(0, -left), max(0, min(coverage.shape[1], canvas.shape[1] - left)))
    part = canvas[rows.start + top : rows.stop + top, columns.start + left : columns.stop + left]
    share = coverage[rows, columns, None] / 255.0
    part[:] = np.round(part * (1 - share) + np.array(color) * share).astype(np.uint8)


def _legend(marks: Sequence[Mark], width: int, size: int) -> np.ndarray:
    """A strip that says what the colours mean and how many symbols are doubtful: uint8 (H, W, 3)."""
    small = round(0.9 * size)
    doubtful = sum(mark.confidence < DOUBTFUL for mark in marks)
    told = f"{len(marks)} symbol{'s' * (len(marks) != 1)}, {doubtful} below {100 * DOUBTFUL:.0f} %"
    cells = [_cell_of([(f"{100 * sure:.0f} %", small)], sure, small) for sure in _LEGEND]
    strip = np.full((2 * cells[0].height, width, 3), 255, np.uint8)
    x, bottom = size, round(1.5 * cells[0].height)
    for text in ("confidence", None, told):
        if text is None:
            for cell in cells:
                _draw_cell(strip, cell, x + cell.width / 2, bottom, small)
                x += cell.width + small // 3
            x += size
            continue
        words = line_coverage(text, small)
        _stamp(strip, words, x, bottom - cells[0].height + _padding(small) // 2, _GREY)
        x += words.shape[1] + size
    return strip
