"""Colours of confidence: pale blue where the reader is sure, through amber to dark red-brown where it is not.

They differ in lightness as in hue (blue against orange): people who cannot tell red from green, and grey prints, keep
the order.
"""

from __future__ import annotations

import numpy as np

Color = tuple[int, int, int]

# Below this a symbol is worth a second look: blue ends there.
DOUBTFUL = 0.9
_CONFIDENCES = (0.0, 0.25, 0.5, 0.75, DOUBTFUL - 1e-9, DOUBTFUL, 1.0)
# Behind a label, and its border and leader line.
_FILLS = (
    (130, 38, 0),
    (196, 74, 0),
    (240, 150, 50),
    (250, 200, 110),
    (248, 216, 150),
    (204, 224, 242),
    (232, 242, 251),
)
_LINES = ((96, 24, 0), (150, 52, 0), (186, 90, 0), (182, 112, 8), (186, 124, 24), (74, 134, 184), (58, 116, 170))


def fill_of(confidence: float) -> Color:
    """Colour (R, G, B), 0..255, for a label of a confidence 0..1."""
    return _between(_FILLS, confidence)


def line_of(confidence: float) -> Color:
    """Colour of a confidence that is seen as a thin line on white."""
    return _between(_LINES, confidence)


def text_of(confidence: float) -> Color:
    """Black or white, whichever is read better on `fill_of`."""
    return (255, 255, 255) if luminance(fill_of(confidence)) < 0.179 else (0, 0, 0)


def luminance(color: Color) -> float:
    """Relative luminance of an sRGB colour, 0..1 (WCAG 2.1)."""
    share = np.asarray(color, dtype=np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def _between(colors: tuple[Color, ...], confidence: float) -> Color:
    red, green, blue = (
        round(float(np.interp(confidence, _CONFIDENCES, channel))) for channel in zip(*colors, strict=True)
    )
    return red, green, blue
