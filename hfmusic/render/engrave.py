"""From a score to a picture of its staff, as PrIMuS's were made: Verovio lays it out, `raster` draws it.

One system of any length on one line, cropped to the ink. The defaults are PrIMuS's own geometry (davidrizo/im3 drew
with Verovio 2.0: staff space 18 px, staff lines 2 px wide on 3 rows, bar lines 3 px, black and white only);
`EngravingStyle.sample` varies them.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image

from .raster import Shape, UnknownShapeError, draw
from .toolkit import own_toolkit

if TYPE_CHECKING:
    from hfmusic.symbolic.score import Score

FONTS = ("Leipzig", "Bravura", "Gootville", "Leland", "Petaluma")
# PrIMuS used the first three, about 7:2:3 in the converter's samples.
FONT_SHARES = (0.4, 0.2, 0.2, 0.15, 0.05)
MAX_PIXELS = 40_000_000


@dataclass(frozen=True)
class EngravingStyle:
    """How a staff is engraved. Widths are in half staff spaces, as Verovio's options of the same names are.

    `ink_threshold` is the share of a pixel that ink must cover to be black; None keeps the greys of anti-aliasing.
    """

    font: str = "Leipzig"
    staff_line_width: float = 20 / 90
    stem_width: float = 20 / 90
    bar_line_width: float = 30 / 90
    ledger_line_thickness: float = 22 / 90
    ledger_line_extension: float = 0.54
    thick_barline_thickness: float = 1.0
    tie_midpoint_thickness: float = 0.5
    tie_endpoint_thickness: float = 0.1
    spacing_linear: float = 0.255
    spacing_non_linear: float = 0.6
    measure_min_width: int = 15
    grace_factor: float = 0.75
    beam_max_slope: int = 10
    left_margin_clef: float = 1.0
    right_margin_clef: float = 2.0
    right_margin_key_sig: float = 2.0
    right_margin_meter_sig: float = 1.3
    ink_threshold: float | None = 0.45

    def __post_init__(self) -> None:
        if self.font not in FONTS:
            raise ValueError(f"font must be one of {', '.join(FONTS)}, got {self.font!r}")
        if self.ink_threshold is not None and not 0 < self.ink_threshold < 1:
            raise ValueError(f"ink_threshold must be between 0 and 1 or None, got {self.ink_threshold!r}")

    @classmethod
    def sample(cls, rng: np.random.Generator) -> EngravingStyle:
        """A style drawn around PrIMuS's: its font, line widths, spacing and greys vary as prints do."""
        style = cls(font=str(rng.choice(FONTS, p=FONT_SHARES)))
        if rng.random() < 0.3:  # PrIMuS as it is
            return style
        return replace(
            style,
            staff_line_width=float(rng.uniform(0.11, 0.29)),
            stem_width=float(rng.uniform(0.14, 0.34)),
            bar_line_width=float(rng.uniform(0.18, 0.5)),
            ledger_line_thickness=float(rng.uniform(0.15, 0.38)),
            ledger_line_extension=float(rng.uniform(0.35, 0.8)),
            thick_barline_thickness=float(rng.uniform(0.7, 1.4)),
            tie_midpoint_thickness=float(rng.uniform(0.35, 0.8)),
            tie_endpoint_thickness=float(rng.uniform(0.06, 0.2)),
            spacing_linear=float(rng.uniform(0.16, 0.36)),
            spacing_non_linear=float(rng.uniform(0.52, 0.68)),
            measure_min_width=int(rng.integers(6, 20)),
            grace_factor=float(rng.choice((0.6, 0.65, 0.7, 0.75, 0.8))),
            beam_max_slope=int(rng.integers(0, 16)),
            left_margin_clef=float(rng.uniform(0.3, 1.8)),
            right_margin_clef=float(rng.uniform(0.6, 2.0)),
            right_margin_key_sig=float(rng.uniform(0.6, 2.0)),
            right_margin_meter_sig=float(rng.uniform(0.6, 2.0)),
            ink_threshold=None if rng.random() < 0.5 else float(rng.uniform(0.3, 0.7)),
        )

    def options(self) -> dict[str, Any]:
        """Verovio's options for this style, and for one whole system on a page as large as it."""
        own = {_camel(f.name): getattr(self, f.name) for f in fields(self) if f.name != "ink_threshold"}
        return {**_PAGE, **own}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


_PAGE = {
    "breaks": "none", "pageWidth": 100000, "pageHeight": 60000, "adjustPageHeight": True, "adjustPageWidth": True,
    "header": "none", "footer": "none", "scale": 100, "unit": 9.0, "mnumInterval": 0, "xmlIdSeed": 1,
    "pageMarginLeft": 0, "pageMarginRight": 0, "pageMarginTop": 0, "pageMarginBottom": 0,
    "svgFormatRaw": True, "outputFormatRaw": True,
}  # fmt: skip


def engrave_svg(mei: str, style: EngravingStyle | None = None) -> str:
    """The staff of an MEI document (or any text Verovio reads) as SVG.

    Text from outside the project can make Verovio abort the process: give that to `hfmusic.render.isolated`.

    Raises:
        ValueError: Verovio does not read the text, or it is longer than one page holds.
    """
    toolkit = own_toolkit("staff")
    toolkit.setOptions((style or EngravingStyle()).options())
    if not toolkit.loadData(mei):
        raise ValueError(f"Verovio cannot read this text: {mei[:80]!r}")
    if toolkit.getPageCount() != 1:
        raise ValueError(f"the score must fit one page of one system, got {toolkit.getPageCount()} pages")
    return str(toolkit.renderToSVG(1))


_GLYPH = re.compile(r'<g id="([^"]+)">\s*<path transform="scale\(1,\s*-1\)" d="([^"]*)"')
_SHAPE = re.compile(r"<(use|path|rect|polygon|polyline|ellipse)\s([^>]*?)/?>")
_HIDDEN = re.compile(r'<g [^>]*class="[^"]*placeholder[^"]*">\s*<ellipse[^>]*/>')
_SIZE = re.compile(r'class="definition-scale"[^>]*viewBox="0 0 (\d+) (\d+)"')
_LEVEL = re.compile(r"M\S+ (\S+) L\S+ \1$")
_ATTRIBUTE = re.compile(r'([\w:-]+)="([^"]*)"')


@dataclass(frozen=True)
class _Drawing:
    """A staff of Verovio as a flat list of shapes, without its groups, ids and style sheet; 10 units a pixel."""

    width: int
    height: int
    glyphs: dict[str, str]
    shapes: list[Shape]


def _read_svg(svg: str) -> _Drawing:
    size = _SIZE.search(svg)
    if size is None:
        raise ValueError(f"not an SVG of Verovio: {svg[:80]!r}")
    head, _, body = svg.partition("</defs>")
    shapes = [(kind, dict(_ATTRIBUTE.findall(text))) for kind, text in _SHAPE.findall(_HIDDEN.sub("", body))]
    return _Drawing(int(size[1]), int(size[2]), dict(_GLYPH.findall(head)), shapes)


def _draw_by_resvg(drawing: _Drawing, size: tuple[int, int], scale: float, down: float = 0.0) -> np.ndarray:
    """What `raster.draw` does, for any shape; the reference its tests compare with."""
    import resvg_py

    parts = []
    for kind, attributes in drawing.shapes:
        if kind == "use":
            outline = drawing.glyphs[attributes["xlink:href"][1:]]
            parts.append(f'<path transform="{attributes.get("transform", "")} scale(1,-1)" d="{outline}"/>')
        else:
            given = " ".join(f'{name}="{value}"' for name, value in attributes.items())
            stroke = ' stroke="#000"' if "stroke-width" in attributes else ""
            parts.append(f"<{kind} {given}{stroke}/>")
    unit = 10 / scale
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[1]}" height="{size[0]}" '
        f'viewBox="0 {-unit * down:g} {size[1] * unit:g} {size[0] * unit:g}">{"".join(parts)}</svg>'
    )
    png = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)
    with Image.open(io.BytesIO(png)) as picture:
        return np.array(picture.getchannel("A"))


def _coverage(svg: str, scale: float) -> np.ndarray:
    """Ink of every pixel, uint8 (H, W), 255 = all."""
    drawing = _read_svg(svg)
    size = (round(drawing.height * scale / 10) + 1, round(drawing.width * scale / 10))
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f"the staff would be {size[1]}x{size[0]} pixels; at most {MAX_PIXELS} pixels are drawn")
    down = _to_pixel_centres(drawing, scale)
    try:
        return draw(drawing.shapes, drawing.glyphs, size, scale, down)
    except UnknownShapeError:
        return _draw_by_resvg(drawing, size, scale, down)


def _to_pixel_centres(drawing: _Drawing, scale: float) -> float:
    """Pixels to move down by, for the staff lines to run through the middle of pixel rows.

    The edges of 2-pixel lines then fall inside pixels as in PrIMuS, whose staff lines are 3 rows.
    """
    for kind, attributes in drawing.shapes:
        line = _LEVEL.match(attributes["d"]) if kind == "path" else None
        if line is not None:
            return (0.5 - float(line[1]) * scale / 10) % 1.0
    return 0.5


def rasterise(svg: str, *, scale: float = 1.0, ink_threshold: float | None = 0.45) -> np.ndarray:
    """Draws an SVG of `engrave_svg`, cropped to the ink: uint8 (H, W), 255 = paper, 0 = ink. Text is left out.

    Args:
        scale: 1 gives 18 pixels a staff space.
        ink_threshold: share of a pixel that ink must cover to be black; None keeps the greys.

    Raises:
        ValueError: not an SVG of Verovio, nothing drawn, or more than 40 million pixels.
    """
    coverage = _coverage(svg, scale)
    cut = 8 if ink_threshold is None else max(1, round(255 * ink_threshold))
    black = cv2.compare(coverage, cut, cv2.CMP_GE)
    left, top, width, height = cv2.boundingRect(black)
    if width == 0:
        raise ValueError("the score draws nothing")
    picture = coverage if ink_threshold is None else black
    return cv2.bitwise_not(picture[top : top + height, left : left + width])


def engrave(score: Score | str, style: EngravingStyle | None = None, *, scale: float = 1.0) -> np.ndarray:
    """A picture of a staff, uint8 (H, W), 255 = paper, 0 = ink, cropped to the ink.

    Args:
        score: a Score, or MEI text that the project wrote (see `engrave_svg` on text from outside).
        style: PrIMuS's by default.

    Raises:
        ValueError: the score cannot be drawn.
    """
    style = style or EngravingStyle()
    if not isinstance(score, str):
        from hfmusic.symbolic.mei import write_mei

        score = write_mei(score)
    return rasterise(engrave_svg(score, style), scale=scale, ink_threshold=style.ink_threshold)


def png_bytes(image: np.ndarray) -> bytes:
    """A uint8 (H, W) picture as PNG: 1 bit a pixel where it is black and white only, else 8 bits of grey."""
    bilevel = not np.any((image + np.uint8(1)) & 0xFE)  # 0 and 255 only
    ok, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_BILEVEL, int(bilevel), cv2.IMWRITE_PNG_COMPRESSION, 4])
    if not ok:
        raise ValueError(f"cannot write a PNG of {image.dtype} of shape {image.shape}")
    return data.tobytes()
