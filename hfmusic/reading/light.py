"""A page in even light: what a scanner's or telephone's picture would be on white paper."""

from __future__ import annotations

import cv2
import numpy as np

_PAPER_SIDE = 768  # the paper's light is found on a picture of this size
_INK_REACH = 11  # of which no ink covers a square this wide: over two staff spaces of a common page
BLANK_CONTRAST = 16  # levels; below, there is nothing to see


def flatten(pixels: np.ndarray) -> np.ndarray:
    """A grey picture, uint8 (H, W), with the paper white and the darkest ink black, whatever the light was.

    Ink is dark. Where the picture shows next to nothing, all is white.
    """
    scale = min(1.0, _PAPER_SIDE / max(pixels.shape))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    bright = cv2.dilate(small, np.ones((_INK_REACH, _INK_REACH), np.uint8))
    paper = cv2.resize(cv2.blur(bright, (15, 15)), (pixels.shape[1], pixels.shape[0]), interpolation=cv2.INTER_LINEAR)
    flat = cv2.divide(pixels, np.maximum(paper, 1), scale=255)
    sample = flat[:: max(1, flat.shape[0] // 1000), :: max(1, flat.shape[1] // 1000)]
    dark, bare = np.percentile(sample, (0.5, 50))
    if bare - dark < BLANK_CONTRAST:
        return np.full_like(flat, 255)
    levels = np.clip((np.arange(256) - dark) * (255 / (bare - dark)), 0, 255).astype(np.uint8)
    return cv2.LUT(flat, levels)


def ink_is_light(pixels: np.ndarray) -> bool:
    """Whether a picture may be white on black: it is dark. (A photograph in bad light is dark, too.)"""
    return bool(np.median(pixels) < 96)
