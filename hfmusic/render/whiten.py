"""Photographs of paper as if scanned: even light, white paper."""

from __future__ import annotations

import cv2
import numpy as np

# Of the longer side: signs are smaller than this, shadows larger.
_NEIGHBOURHOOD = 1 / 40


def whitened(grey: np.ndarray) -> np.ndarray:
    """Grey pixels, uint8 (H, W), each divided by the brightness of the paper around it.

    >>> shadow = np.full((80, 80), 120, np.uint8)
    >>> shadow[40] = 30
    >>> int(whitened(shadow)[0, 0]), int(whitened(shadow)[40, 0])
    (255, 64)
    """
    reach = max(7, round(max(grey.shape) * _NEIGHBOURHOOD))
    step = max(1, reach // 8)
    small = cv2.resize(
        grey, (max(1, grey.shape[1] // step), max(1, grey.shape[0] // step)), interpolation=cv2.INTER_AREA
    )
    cell = max(3, reach // step) | 1
    bright = cv2.blur(cv2.dilate(small, np.ones((cell, cell), np.uint8)), (cell, cell))
    paper = cv2.resize(bright, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_LINEAR)
    return cv2.divide(grey, np.maximum(paper, 1), scale=255)
