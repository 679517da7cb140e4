"""How far a page leans: the angle at which its staff lines are level."""

from __future__ import annotations

import math

import cv2
import numpy as np

from hfmusic.models.image_features import block_profiles

_MOST_DEGREES = 10.0
_STRIPES = 4  # each straight by itself: a page that curves leans by another angle on each side
_BLOCK = 12


def lean_of(ink: np.ndarray) -> float:
    """Degrees by which lines of an ink picture (H, W) fall from left to right, within 10 to either side.

    The rows' ink is summed along lines of every slope: where staff lines run along, few rows hold most of it.
    """
    profile = block_profiles(ink, _BLOCK)
    coarse = np.arange(-_MOST_DEGREES, _MOST_DEGREES + 0.1, 0.5)
    best = max(coarse, key=lambda degrees: _crispness(profile, float(degrees)))
    fine = best + np.arange(-0.5, 0.51, 0.1)
    return float(max(fine, key=lambda degrees: _crispness(profile, float(degrees))))


def _crispness(profile: np.ndarray, degrees: float) -> float:
    """Ink per row squared, summed, with the blocks of each stripe moved to where lines of this slope are level."""
    fall = math.tan(math.radians(degrees)) * _BLOCK
    blocks = np.arange(profile.shape[1])
    rows = (np.arange(len(profile))[:, None] + np.round(fall * blocks).astype(int)) % len(profile)
    moved = profile[rows, blocks]
    stripes = np.linspace(0, len(blocks), min(_STRIPES, len(blocks)) + 1).astype(int)[:-1]
    return float(np.square(np.add.reduceat(moved, stripes, axis=1)).sum())


def turned_level(picture: np.ndarray, degrees: float, background: float) -> tuple[np.ndarray, np.ndarray]:
    """A picture (H, W) turned so that lines falling by `degrees` are level, on paper large enough, and the affine map
    (2, 3) from places of the result to places of the picture. Less than a twentieth of a degree is left as it is."""
    if abs(degrees) < 0.05:
        return picture, np.eye(2, 3)
    height, width = picture.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    sine, cosine = abs(matrix[0, 1]), abs(matrix[0, 0])
    size = (math.ceil(height * sine + width * cosine), math.ceil(height * cosine + width * sine))
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    level = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderValue=background)
    return level, cv2.invertAffineTransform(matrix)


def mapped(matrix: np.ndarray, x: np.ndarray | float, y: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Places (x, y) through an affine map (2, 3)."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    return matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2], matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
