"""Cheap damage of cached staff features while training: what differs between engravers, printers and cameras.

Everything works on uint8 (height, width), ink = 255, and is drawn from one `numpy.random.Generator`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class AugmentConfig:
    """How much, all of it possibly: every amount is a bound, every probability is per item. All 0: nothing is changed.

    Shifts are in pixels of the feature, scales are relative (0.15: 0.85 to 1.15), contrast, noise and cut out are
    in parts of full ink.
    """

    probability: float = 1.0
    vertical_shift: int = 3
    vertical_scale: float = 0.06
    horizontal_scale: float = 0.15
    horizontal_shift: int = 6
    stroke_probability: float = 0.25
    blur_probability: float = 0.25
    blur_sigma: float = 0.8
    gamma: float = 0.4
    contrast: float = 0.25
    noise: float = 0.06
    cutout_probability: float = 0.2
    cutout_count: int = 3
    cutout_size: int = 6

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 0:
                raise ValueError(f"augment.{name} must not be negative, got {value}")
        for name in ("probability", "stroke_probability", "blur_probability", "cutout_probability"):
            if getattr(self, name) > 1:
                raise ValueError(f"augment.{name} must be 0 to 1, got {getattr(self, name)}")


def augment(
    features: np.ndarray,
    config: AugmentConfig,
    rng: np.random.Generator,
    *,
    min_width: int = 1,
    stretch: float | None = None,
) -> np.ndarray:
    """Damage features, uint8 (height, width) -> uint8 (height, new width >= min_width); the input is not written to.

    Args:
        stretch: -1 to 1, the part of `horizontal_scale` that most of the item's stretch is: the same for all items of
            a batch of similar widths, so that they stay similar. None: drawn.
    """
    if rng.random() >= config.probability:
        return features
    own = rng.uniform(-1, 1)
    stretch = own if stretch is None else 0.85 * stretch + 0.15 * own
    image = _geometry(features, config, rng, min_width, 1 + config.horizontal_scale * stretch)
    image = _strokes(image, config, rng)
    image = _tone(image, config, rng)
    return _cutout(image, config, rng)


def _geometry(
    features: np.ndarray, config: AugmentConfig, rng: np.random.Generator, min_width: int, across: float
) -> np.ndarray:
    """Scale and shift in one warp: vertically about the middle, horizontally from the left edge."""
    height, width = features.shape
    up = 1 + rng.uniform(-config.vertical_scale, config.vertical_scale)
    shift_y = rng.uniform(-config.vertical_shift, config.vertical_shift)
    left, right = rng.integers(0, config.horizontal_shift + 1, 2)
    if round(width * across) < min_width:
        across = 1.0
    matrix = np.array([[across, 0, left], [0, up, shift_y + (1 - up) * (height - 1) / 2]], np.float32)
    size = (round(width * across) + int(left) + int(right), height)
    return cv2.warpAffine(features, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _strokes(image: np.ndarray, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """Thicker or thinner ink: part of the way to a dilation or erosion by one pixel; then blur."""
    if rng.random() < config.stroke_probability:
        shape = (1, 2) if rng.random() < 0.5 else (2, 1)
        change = cv2.dilate if rng.random() < 0.5 else cv2.erode
        amount = rng.uniform(0.2, 0.8)
        image = cv2.addWeighted(image, 1 - amount, change(image, np.ones(shape, np.uint8)), amount, 0)
    if rng.random() < config.blur_probability and config.blur_sigma > 0:
        sigma = rng.uniform(0.2, 1.0) * config.blur_sigma
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    return image


def _tone(image: np.ndarray, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """Gamma, contrast and paper level by a table; noise, often none."""
    curve = np.linspace(0, 1, 256) ** np.exp(rng.uniform(-config.gamma, config.gamma))
    ink, paper = 1 - rng.uniform(0, config.contrast), rng.uniform(0, config.contrast / 3)
    table = np.clip((paper + (ink - paper) * curve) * 255, 0, 255).astype(np.uint8)
    image = cv2.LUT(image, table)
    sigma = max(0.0, rng.uniform(-1, 1)) * config.noise * 255
    if sigma > 0.5:
        noise = np.empty(image.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31)))
        cv2.randn(noise, 0, sigma)
        image = cv2.add(image, noise, dtype=cv2.CV_8U)
    return image


def _cutout(image: np.ndarray, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """Small blots and holes."""
    if config.cutout_size < 1 or rng.random() >= config.cutout_probability:
        return image
    image = image.copy()
    height, width = image.shape
    for _ in range(rng.integers(1, config.cutout_count + 1)):
        size_y, size_x = rng.integers(1, config.cutout_size + 1, 2)
        top, left = rng.integers(0, height), rng.integers(0, width)
        image[top : top + size_y, left : left + size_x] = rng.integers(0, 256)
    return image
