"""Pages of several staves with known music, engraved, turned, scanned and photographed: for tests and benchmarks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from hfmusic.render.engrave import EngravingStyle, rasterise
from hfmusic.render.toolkit import new_toolkit
from hfmusic.symbolic.beaming import with_beams
from hfmusic.symbolic.mei import write_mei
from hfmusic.symbolic.score import Score
from hfmusic.symbolic.semantic import read_semantic

ENGRAVED_SPACE = 18.0  # pixels between staff lines at scale 1
STAFF_SPACE_INCHES = 1.75 / 25.4  # of a common staff, 7 mm tall
_A4_SPACES = (120.0, 169.7)  # A4 in staff spaces of a common staff


def joined(texts: Sequence[str]) -> Score:
    """One melody of several, as semantic texts, one after another: their clefs, keys and meters are changes in it."""
    tokens: list[str] = []
    holds: dict[str, str] = {}
    for text in texts:
        for token in text.split():
            kind = token.partition("-")[0]
            if kind in ("clef", "keySignature", "timeSignature"):
                if holds.get(kind) == token:
                    continue
                holds[kind] = token
            tokens.append(token)
        tokens += [] if tokens[-1] == "barline" else ["barline"]
    return with_beams(read_semantic(tokens, repair=True))


def engrave_page(
    score: Score, *, dpi: float = 150, style: EngravingStyle | None = None, margin_spaces: float = 8.0
) -> list[np.ndarray]:
    """A4 pages of a melody at a resolution, in greys, uint8 (H, W) each, 255 = paper; no text.

    Raises:
        ValueError: Verovio does not read the score.
    """
    scale = dpi * STAFF_SPACE_INCHES / ENGRAVED_SPACE
    return [
        _on_paper(rasterise(svg, scale=scale, ink_threshold=None), dpi, margin_spaces)
        for svg in engrave_svgs(write_mei(score), style or EngravingStyle(), margin_spaces)
    ]


def engrave_svgs(mei: str, style: EngravingStyle, margin_spaces: float = 8.0) -> list[str]:
    """The pages of an MEI document as SVG, broken into lines by Verovio; the margins are left out."""
    toolkit = new_toolkit()
    toolkit.setOptions({**style.options(), **_page_options(margin_spaces)})
    if not toolkit.loadData(mei):
        raise ValueError(f"Verovio cannot read this text: {mei[:80]!r}")
    return [str(toolkit.renderToSVG(number + 1)) for number in range(toolkit.getPageCount())]


def _page_options(margin_spaces: float) -> dict[str, Any]:
    """In Verovio's units, of which a staff space has 18."""
    width, height = (round(ENGRAVED_SPACE * (side - 2 * margin_spaces)) for side in _A4_SPACES)
    return {
        "breaks": "auto",
        "pageWidth": width,
        "pageHeight": height,
        "adjustPageWidth": False,
        "adjustPageHeight": False,
        "spacingSystem": 6,
        "justifyVertically": False,
    }


def staff_bands(page: np.ndarray) -> tuple[np.ndarray, int]:
    """Where the staves of an engraved page are, which lies straight: a picture, uint8 (H, W), that is 255 but for
    255 - 6 k around the middle line of staff k (from 1), as wide as that; and how many there are.

    Raises:
        ValueError: its lines are not five a staff.
    """
    black = page < 160
    margin = int(np.flatnonzero(black.any(axis=0))[0]) + 4  # staff lines begin there; beams do not
    edges = np.diff(np.pad(black, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    lines = np.zeros(len(page), bool)
    spans: dict[int, tuple[int, int]] = {}
    for row in np.flatnonzero(black.sum(axis=1) > 0.1 * page.shape[1]):
        starts, ends = np.flatnonzero(edges[row] == 1), np.flatnonzero(edges[row] == -1)
        longest = int(np.argmax(ends - starts))
        lines[row] = ends[longest] - starts[longest] > 0.1 * page.shape[1] and starts[longest] < margin
        spans[int(row)] = (int(starts[longest]), int(ends[longest]))
    starts, ends = (np.flatnonzero(np.diff(np.pad(lines, 1).astype(np.int8)) == sign) for sign in (1, -1))
    if len(starts) % 5 or not len(starts):
        raise ValueError(f"the page must have five lines a staff, got {len(starts)} lines")
    centres = ((starts + ends - 1) / 2).reshape(-1, 5)
    bands = np.full_like(page, 255)
    for number, rows in enumerate(centres, start=1):
        half = max(1, round((rows[4] - rows[0]) / 10))
        left, right = spans[int(rows[2])]
        bands[round(rows[2]) - half : round(rows[2]) + half + 1, left:right] = 255 - 6 * number
    return bands, len(centres)


def _on_paper(ink: np.ndarray, dpi: float, margin_spaces: float) -> np.ndarray:
    space = dpi * STAFF_SPACE_INCHES
    height, width = (round(side * space) for side in reversed(_A4_SPACES))
    top = left = round(margin_spaces * space)
    page = np.full((max(height, top + ink.shape[0] + 8), max(width, left + ink.shape[1] + 8)), 255, np.uint8)
    page[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return page


def turned(page: np.ndarray, degrees: float) -> np.ndarray:
    """A page that lay askew in the scanner: turned counter-clockwise about its middle, same size, white corners."""
    height, width = page.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return cv2.warpAffine(page, matrix, (width, height), flags=cv2.INTER_AREA, borderValue=255)


def photographed(page: np.ndarray, rng: np.random.Generator, *, bend_spaces: float = 1.5) -> np.ndarray:
    """A page as a telephone sees it: turned, from aside, curved, in uneven light, blurred, noisy, JPEG.

    Args:
        bend_spaces: how far its curl moves lines up and down at most, in hundred-and-seventieths of the page's height.
    """
    picture = _uneven_light(curled(page, rng, bend_spaces=bend_spaces), rng)
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 0.9) * max(0.6, page.shape[0] / 2200))
    noise = rng.normal(0, rng.uniform(1, 6), picture.shape)
    picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 95))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))


def curled(page: np.ndarray, rng: np.random.Generator, *, bend_spaces: float = 1.5) -> np.ndarray:
    """The page as `photographed` moves it, in even light: the same for the same state of `rng`."""
    height, width = page.shape
    bend = bend_spaces * height / _A4_SPACES[1]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + rng.uniform(-0.03, 0.03, (4, 2)).astype(np.float32) * np.array([width, height], np.float32)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-3, 3)), 0.96)
    moved = moved @ turn[:, :2].T.astype(np.float32) + turn[:, 2].astype(np.float32)
    back = cv2.getPerspectiveTransform(moved, corners)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    wave = 2 * math.pi / (rng.uniform(1.0, 2.5) * width)
    y = y + np.float32(rng.uniform(0.3, 1.0) * bend) * np.sin(np.float32(wave) * x + np.float32(rng.uniform(0, 6.28)))
    w = back[2, 0] * x + back[2, 1] * y + back[2, 2]
    there = [((row[0] * x + row[1] * y + row[2]) / w).astype(np.float32) for row in back[:2]]
    return cv2.remap(page, there[0], there[1], cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT, borderValue=225)


def _uneven_light(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = picture.shape
    x, y = np.linspace(-1, 1, width, dtype=np.float32)[None], np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    light = 1 + rng.uniform(-0.25, 0.25) * x + rng.uniform(-0.25, 0.25) * y - rng.uniform(0, 0.15) * (x * x + y * y)
    paper, ink = rng.uniform(150, 235), rng.uniform(15, 60)
    return np.clip((ink + (paper - ink) / 255 * picture) * light, 0, 255).astype(np.uint8)
