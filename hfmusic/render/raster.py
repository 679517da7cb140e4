"""Draws the few kinds of shape that a staff of Verovio is made of, about ten times faster than an SVG renderer.

A glyph is drawn once per size and quarter of a pixel and then only copied; staff lines, stems and bar lines are
rectangles whose coverage is known without sampling; beams, ties and dots are sampled 8 by 8. An SVG that holds anything
else is refused, and `hfmusic.render.engrave` gives it to resvg.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

import cv2
import numpy as np

_SAMPLES = 8
_PHASES = 4
_SHIFT = 4  # fractional bits of cv2's polygon corners
_CURVE_STEPS = np.linspace(0.0, 1.0, 9)[1:, None]
_BEZIER = np.hstack(
    [(1 - _CURVE_STEPS) ** 3, 3 * _CURVE_STEPS * (1 - _CURVE_STEPS) ** 2]
    + [3 * _CURVE_STEPS**2 * (1 - _CURVE_STEPS), _CURVE_STEPS**3]
)
_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * math.pi, 25)[:-1]), np.sin(np.linspace(0, 2 * math.pi, 25)[:-1])], axis=1)

_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)")
_PATH_PART = re.compile(r"([MmLlHhVvCcSsZz])([^A-Za-z]*)")
_LINE = re.compile(r"M([-\d.]+) ([-\d.]+) L([-\d.]+) ([-\d.]+)")
_PLACE = re.compile(r"translate\(([-\d.]+),? ([-\d.]+)\) scale\(([-\d.]+),? ([-\d.]+)\)")
_KNOWN = {
    "path": {"d", "stroke-width", "stroke-linecap", "stroke-linejoin"},
    "use": {"xlink:href", "transform"},
    "rect": {"x", "y", "width", "height"},
    "polygon": {"points"},
    "ellipse": {"cx", "cy", "rx", "ry"},
}

Shape = tuple[str, dict[str, str]]


class UnknownShapeError(ValueError):
    """A shape that only a full SVG renderer draws."""


def draw(
    shapes: list[Shape], glyphs: dict[str, str], size: tuple[int, int], scale: float, down: float = 0.0
) -> np.ndarray:
    """Coverage of every pixel by ink, uint8 (H, W), 255 = all ink.

    Args:
        shapes: (element name, attributes) in Verovio's coordinates, of which `10 / scale` make a pixel.
        glyphs: outline (path data, y upwards) of every id a `use` may name.
        size: (H, W) in pixels.
        down: pixels by which all is moved down.

    Raises:
        UnknownShapeError: a shape or an attribute that Verovio does not give a plain staff.
    """
    canvas = np.zeros(size, np.uint8)
    pixel = scale / 10
    for kind, attributes in _with_whole_lines(shapes):
        if not attributes.keys() <= _KNOWN.get(kind, set()):
            raise UnknownShapeError(f"cannot draw <{kind}> with {', '.join(attributes)}")
        if kind == "use":
            _draw_glyph(canvas, glyphs[attributes["xlink:href"][1:]], attributes["transform"], pixel, down)
        elif kind == "path":
            _draw_path(canvas, attributes, pixel, down)
        elif kind == "rect":
            x, y, w, h = (float(attributes[name]) * pixel for name in ("x", "y", "width", "height"))
            _fill_rectangle(canvas, x, y + down, x + w, y + h + down)
        elif kind == "polygon":
            corners = np.array(_NUMBER.findall(attributes["points"]), np.float64).reshape(-1, 2)
            _fill_polygon(canvas, corners * pixel + (0, down))
        else:
            cx, cy, rx, ry = (float(attributes[name]) * pixel for name in ("cx", "cy", "rx", "ry"))
            _fill_polygon(canvas, _CIRCLE * (rx, ry) + (cx, cy + down))
    return canvas


def _with_whole_lines(shapes: list[Shape]) -> list[Shape]:
    """The shapes with the pieces of each staff line, one a measure, joined: a third of all shapes."""
    ends: dict[tuple[str, ...], int] = {}
    joined: list[Shape] = []
    for kind, attributes in shapes:
        line = _LINE.fullmatch(attributes["d"]) if kind == "path" else None
        if line is None or line[2] != line[4]:
            joined.append((kind, attributes))
            continue
        rest = (line[2], *(f"{name}={value}" for name, value in attributes.items() if name != "d"))
        before = ends.pop((line[1], *rest), None)
        if before is None:
            before = len(joined)
            joined.append((kind, attributes))
        else:
            start = _LINE.fullmatch(joined[before][1]["d"])
            assert start is not None
            joined[before] = (kind, {**attributes, "d": f"M{start[1]} {line[2]} L{line[3]} {line[2]}"})
        ends[(line[3], *rest)] = before
    return joined


def _draw_path(canvas: np.ndarray, attributes: dict[str, str], pixel: float, down: float) -> None:
    width = float(attributes.get("stroke-width", "0")) * pixel
    line = _LINE.fullmatch(attributes["d"].strip())
    if line is None:
        contours = _contours(attributes["d"])
        for corners in contours:
            _fill_polygon(canvas, corners * pixel + (0, down), pen=width)
        return
    x0, y0, x1, y1 = (float(value) * pixel for value in line.groups())
    y0, y1 = y0 + down, y1 + down
    if x0 == x1:
        _fill_rectangle(canvas, x0 - width / 2, min(y0, y1), x0 + width / 2, max(y0, y1))
    elif y0 == y1:
        _fill_rectangle(canvas, min(x0, x1), y0 - width / 2, max(x0, x1), y0 + width / 2)
    else:
        away = np.array([y0 - y1, x1 - x0]) * (width / 2 / math.hypot(x1 - x0, y1 - y0))
        ends = np.array([[x0, y0], [x1, y1]])
        _fill_polygon(canvas, np.vstack([ends + away, (ends - away)[::-1]]))


def _fill_rectangle(canvas: np.ndarray, x0: float, y0: float, x1: float, y1: float) -> None:
    """Adds the exact coverage of an upright rectangle."""
    left, top = max(0, math.floor(x0)), max(0, math.floor(y0))
    right, bottom = min(canvas.shape[1], math.ceil(x1)), min(canvas.shape[0], math.ceil(y1))
    if left >= right or top >= bottom:
        return
    part = np.outer(_shares(y0, y1, top, bottom), _shares(x0, x1, left, right))
    target = canvas[top:bottom, left:right]
    cv2.add(target, (part * 255 + 0.5).astype(np.uint8), dst=target)


def _shares(start: float, stop: float, first: int, last: int) -> np.ndarray:
    """How much of each of the pixels `first` to `last` lies between `start` and `stop`."""
    shares = np.ones(last - first, np.float32)
    shares[0] -= max(0.0, start - first)
    shares[-1] -= max(0.0, last - stop)
    return shares


def _fill_polygon(canvas: np.ndarray, corners: np.ndarray, pen: float = 0.0) -> None:
    """Draws a polygon of corners (N, 2) in pixels, its outline stroked by `pen` pixels."""
    origin = np.floor(corners.min(axis=0) - pen / 2).astype(int)
    span = np.ceil(corners.max(axis=0) + pen / 2).astype(int) - origin + 1
    _stamp(canvas, _sampled([corners - origin], (int(span[1]), int(span[0])), pen), int(origin[0]), int(origin[1]))


def _sampled(contours: list[np.ndarray], size: tuple[int, int], pen: float = 0.0) -> np.ndarray:
    """Coverage (H, W) of closed contours by the non-zero rule."""
    fine = (size[0] * _SAMPLES, size[1] * _SAMPLES)
    winding = np.zeros(fine, np.int8)
    for corners in contours:
        points = np.round((corners * _SAMPLES - 0.5) * (1 << _SHIFT)).astype(np.int32)
        mask = np.zeros(fine, np.uint8)
        cv2.fillPoly(mask, [points], 1, cv2.LINE_8, _SHIFT)
        if pen:
            cv2.polylines(mask, [points], True, 1, max(1, round(pen * _SAMPLES)), cv2.LINE_8, _SHIFT)
        turn = np.roll(corners, -1, axis=0)
        area = float(np.sum(corners[:, 0] * turn[:, 1] - turn[:, 0] * corners[:, 1]))
        winding += mask.view(np.int8) if area > 0 else -mask.view(np.int8)
    ink = np.where(winding != 0, np.uint8(255), np.uint8(0))
    return cv2.resize(ink, (size[1], size[0]), interpolation=cv2.INTER_AREA)


def _stamp(canvas: np.ndarray, part: np.ndarray, left: int, top: int) -> None:
    """Lays `part` on the canvas, cut where it leaves it."""
    rows = slice(max(0, -top), min(part.shape[0], canvas.shape[0] - top))
    columns = slice(max(0, -left), min(part.shape[1], canvas.shape[1] - left))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    target = canvas[top + rows.start : top + rows.stop, left + columns.start : left + columns.stop]
    np.maximum(target, part[rows, columns], out=target)


def _draw_glyph(canvas: np.ndarray, outline: str, transform: str, pixel: float, down: float) -> None:
    place = _PLACE.fullmatch(transform)
    if place is None:
        raise UnknownShapeError(f"cannot place a glyph by {transform!r}")
    x, y, wide, high = (float(value) for value in place.groups())
    quarter_x, quarter_y = round(x * pixel * _PHASES), round((y * pixel + down) * _PHASES)
    part, left, top = _glyph(outline, wide * pixel, high * pixel, quarter_x % _PHASES, quarter_y % _PHASES)
    _stamp(canvas, part, quarter_x // _PHASES + left, quarter_y // _PHASES + top)


@lru_cache(maxsize=4096)
def _glyph(outline: str, wide: float, high: float, phase_x: int, phase_y: int) -> tuple[np.ndarray, int, int]:
    """Coverage of a glyph whose origin lies at a quarter pixel, and its column and row from the origin's pixel."""
    contours = [c * (wide, -high) + (phase_x / _PHASES, phase_y / _PHASES) for c in _contours(outline)]
    every = np.concatenate(contours)
    origin = np.floor(every.min(axis=0)).astype(int)
    span = np.ceil(every.max(axis=0)).astype(int) - origin + 1
    part = _sampled([c - origin for c in contours], (int(span[1]), int(span[0])))
    return part, int(origin[0]), int(origin[1])


def outline_box(outline: str) -> tuple[float, float, float, float]:
    """Left, lowest, right and highest coordinate of a glyph's outline (path data)."""
    every = np.concatenate(_contours(outline))
    (left, low), (right, high) = every.min(axis=0), every.max(axis=0)
    return float(left), float(low), float(right), float(high)


@lru_cache(maxsize=1024)
def _contours(data: str) -> list[np.ndarray]:
    """Closed contours of path data, each (N, 2), curves as 8 chords."""
    contours: list[np.ndarray] = []
    points: list[np.ndarray] = []
    here = start = control = np.zeros(2)
    for command, text in _PATH_PART.findall(data):
        values = np.array(_NUMBER.findall(text), np.float64)
        base = here if command.islower() else np.zeros(2)
        letter = command.upper()
        if letter == "M" or letter == "Z":
            if len(points) > 2:
                contours.append(np.concatenate(points).reshape(-1, 2))
            here = start if letter == "Z" else base + values[:2]
            start, points = here, [here[None]]
            values, letter = values[2:], "L"
            base = here if command.islower() else np.zeros(2)
        for step in _steps(letter, values, command):
            base = here if command.islower() else np.zeros(2)
            corners, control = _corners(letter, step, here, base, control)
            points.append(corners)
            here = corners[-1]
        if letter not in "CS":
            control = here
    if len(points) > 2:
        contours.append(np.concatenate(points).reshape(-1, 2))
    return contours


def _steps(letter: str, values: np.ndarray, command: str) -> np.ndarray:
    count = {"L": 2, "H": 1, "V": 1, "C": 6, "S": 4}[letter]
    if len(values) % count:
        raise UnknownShapeError(f"path command {command} takes {count} numbers a step, got {len(values)}")
    return values.reshape(-1, count)


def _corners(
    letter: str, step: np.ndarray, here: np.ndarray, base: np.ndarray, control: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The chords of one path step from `here`, (N, 2), and its last control point."""
    if letter == "H":
        return np.array([[base[0] + step[0], here[1]]]), here
    if letter == "V":
        return np.array([[here[0], base[1] + step[0]]]), here
    if letter == "L":
        return (base + step)[None], here
    first = base + step[:2] if letter == "C" else 2 * here - control
    second, end = base + step[-4:-2], base + step[-2:]
    return _BEZIER @ np.stack([here, first, second, end]), second
