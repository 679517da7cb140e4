"""Signs of music and letters at the size of a text: the font Leipzig as Verovio carries it, and Pillow's own.

A line of text may mix both: characters from U+E000 on are SMuFL's signs, all others are letters.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import resources

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .raster import draw

_FIRST_SIGN = "\ue000"
_DOT = "\ue1e7"
# Rests of a whole and a half are bars on a line, which the font leaves to the staff. Units: 1000 to four staff spaces.
_ON_A_LINE = {
    "\ue4e3": "M0 0H400V-170H0ZM-150 0H550V40H-150Z",
    "\ue4e4": "M0 0H400V170H0ZM-150 0H550V-40H-150Z",
}
_OUTLINE = re.compile(r'\sd="([^"]+)"')
# An eighth note with its stem is about 1,000 units high.
_HIGHEST = 1000.0


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def line_coverage(text: str, size: int) -> np.ndarray:
    """How far a line of text covers each pixel: uint8 (H, W), 255 = all; H follows from `size` alone.

    Args:
        size: of the letters in pixels; signs are a little higher.
    """
    parts = [_sign(char, size) if char >= _FIRST_SIGN else _letters(char, size) for char in _parts(text)]
    height = line_height(size)
    gap = max(1, size // 8)
    width = sum(part.shape[1] for part in parts) + gap * max(0, len(parts) - 1)
    canvas = np.zeros((height, max(1, width)), np.uint8)
    left = 0
    for part in parts:
        canvas[: part.shape[0], left : left + part.shape[1]] = part
        left += part.shape[1] + gap
    return canvas


def line_height(size: int) -> int:
    """Pixels that a line of letters of `size` takes."""
    return round(1.35 * size)


def _parts(text: str) -> list[str]:
    """Each sign by itself, letters together."""
    return re.findall(f"[{_FIRST_SIGN}-\uf8ff]|[^{_FIRST_SIGN}-\uf8ff]+", text)


@lru_cache(maxsize=2048)
def _letters(text: str, size: int) -> np.ndarray:
    """Letters with their base line where every line of this size has it."""
    font = _font(size)
    width = int(np.ceil(font.getlength(text)))
    picture = Image.new("L", (max(1, width), line_height(size)), 0)
    ImageDraw.Draw(picture).text((0, round(1.08 * size)), text, fill=255, font=font, anchor="ls")
    return np.asarray(picture)


@lru_cache(maxsize=512)
def _sign(char: str, size: int) -> np.ndarray:
    """A sign, drawn no higher than the line; all notes in one scale, and dots beside their heads."""
    height = line_height(size)
    outline = _outline(char)
    if char == _DOT:
        return _dot(size)
    corner, extent = _extent(outline)
    factor = 0.94 * height / max(_HIGHEST, float(extent[1]))
    if "\ue1d0" <= char <= "\ue1df":
        down = height - 1 + float(corner[1]) * factor  # on the line's floor
    else:
        down = height / 2 + float(corner[1] + extent[1] / 2) * factor
    width = int(np.ceil(float(extent[0]) * factor)) + 1
    place = f"translate({-float(corner[0]) * factor:.3f}, {down:.3f}) scale({factor:.5f}, {factor:.5f})"
    return draw([("use", {"xlink:href": "#sign", "transform": place})], {"sign": outline}, (height, width), 10.0)


def _dot(size: int) -> np.ndarray:
    height, across = line_height(size), max(2, round(0.2 * size))
    dot = np.zeros((8 * height, 8 * across), np.uint8)
    cv2.circle(dot, (4 * across, 8 * height - 10 * across), 4 * across - 1, 255, -1)
    return cv2.resize(dot, (across, height), interpolation=cv2.INTER_AREA)


@cache
def _outline(char: str) -> str:
    """Path data of a sign, y upwards.

    Raises:
        ValueError: Verovio's font has no such sign.
    """
    if char in _ON_A_LINE:
        return _ON_A_LINE[char]
    file = resources.files("verovio") / "data" / "Leipzig" / f"{ord(char):X}.xml"
    try:
        found = _OUTLINE.search(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        found = None
    if found is None:
        raise ValueError(f"Verovio's font Leipzig has no sign U+{ord(char):04X}")
    return found[1]


@cache
def _extent(outline: str) -> tuple[np.ndarray, np.ndarray]:
    """Lower left corner and size (width, height) of an outline, in its units."""
    picture = draw(
        [("use", {"xlink:href": "#sign", "transform": "translate(100, 200) scale(0.1, 0.1)"})],
        {"sign": outline}, (400, 400), 10.0,
    )  # fmt: skip
    left, top, width, height = cv2.boundingRect(picture)
    return np.array([10.0 * (left - 100), 10.0 * (200 - top - height)]), np.array([10.0 * width, 10.0 * height])
