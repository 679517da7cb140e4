"""Damage of pairs while training: the paper's (section 2.3), and what differs between scans, instruments and rooms.

Everything follows from one `numpy.random.Generator`. Fonts and tempi are other renditions of the same piece, and are
chosen among those that a dataset has; everything else is done to a snippet or an excerpt as it is cut.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from hfmusic.data.snippets import SnippetGeometry, cut_audio, cut_sheet

PAPER = 255
KNOTS = 8  # of an equaliser's curve, over all bands


@dataclass(frozen=True)
class PairAugmentConfig:
    """What is changed, and how much at most; 0: not at all. Without options nothing is.

    The paper's: `scale` (0.05: pictures are 0.95 to 1.05 times as large), `dy` and `dx`, pixels of the page by which
    the system and the note are shifted, `onset_shift`, frames by which the excerpt is, `fonts` and `tempo`: renditions
    are taken whose font is one of these (none: all) and whose tempo factor is at most so far from 1.

    Ours, of pictures: `contrast` (relative), `blur` (standard deviation in pixels), `noise` (in parts of the range);
    of sounds: `gain_db`, `equaliser_db` (standard deviation of a smooth curve over the bands), `floor` (noise, in the
    spectrogram's units before the logarithm), `stretch` (relative; time is resampled about the excerpt's middle),
    `room` (the part of a frame's sound that lasts into the next, of 20 a second: rooms, pedals, long releases).

    Beside rolls those of pictures and `room` do nothing, `onset_shift` counts steps, and where spectra are in decibels
    `floor` is the part of their range that noise fills.
    """

    scale: float = 0.0
    dy: float = 0.0
    dx: float = 0.0
    onset_shift: int = 0
    fonts: tuple[str, ...] = ()
    tempo: float = 1.0
    contrast: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    gain_db: float = 0.0
    equaliser_db: float = 0.0
    floor: float = 0.0
    stretch: float = 0.0
    room: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, tuple) and value < 0:
                raise ValueError(f"pair_augment.{name} must not be negative, got {value}")
        for name in ("scale", "contrast", "stretch", "room"):
            if getattr(self, name) >= 1:
                raise ValueError(f"pair_augment.{name} must be under 1, got {getattr(self, name)}")


def cut_snippet(
    row: np.ndarray, x: float, geometry: SnippetGeometry, config: PairAugmentConfig, rng: np.random.Generator
) -> np.ndarray:
    """A snippet uint8 (rows, columns) of a row at the geometry's scale, moved and zoomed; see `cut_sheet`."""
    zoom = 1 + config.scale * rng.uniform(-1, 1)
    dy, dx = (amount * geometry.image_scale * rng.uniform(-1, 1) for amount in (config.dy, config.dx))
    return cut_sheet(row, x, geometry, dy, dx, zoom)


def damage_snippet(snippet: np.ndarray, config: PairAugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """Contrast, blur and noise of a snippet, uint8 to uint8 of the same shape."""
    blur, contrast, noise = (most * rng.random() for most in (config.blur, config.contrast, config.noise))
    if blur > 0.1:
        snippet = cv2.GaussianBlur(snippet, (0, 0), blur)
    if not contrast and not noise:
        return snippet
    values = PAPER - (PAPER - snippet.astype(np.float32)) * (1 - contrast)  # ink fades, paper stays
    if noise:
        values += rng.standard_normal(snippet.shape, np.float32) * (PAPER * noise)
    return np.clip(values, 0, PAPER).astype(np.uint8)


def cut_excerpt(
    spectrogram: np.ndarray, middle: int, geometry: SnippetGeometry, config: PairAugmentConfig, rng: np.random.Generator
) -> np.ndarray:
    """An excerpt float32 (frames, bands) of a spectrogram (T, bands), shifted, stretched and coloured; see
    `cut_audio`."""
    middle += int(rng.integers(-config.onset_shift, config.onset_shift + 1)) if config.onset_shift else 0
    stretch = 1 + config.stretch * rng.uniform(-1, 1)
    if stretch == 1:
        return _coloured(cut_audio(spectrogram, middle, geometry), config, rng)
    reach = int(np.ceil(geometry.frames * stretch)) + 2
    excerpt = cut_audio(spectrogram, middle, replace(geometry, frames=reach))
    return _coloured(_stretched(excerpt, stretch, geometry.frames), config, rng)


def _stretched(excerpt: np.ndarray, stretch: float, frames: int) -> np.ndarray:
    """Frames `stretch` apart, interpolated; the frame in the middle (n // 2) stays there."""
    places = len(excerpt) // 2 + (np.arange(frames) - frames // 2) * stretch
    below = np.clip(np.floor(places).astype(int), 0, len(excerpt) - 2)
    part = (places - below).astype(np.float32)[:, None]
    return excerpt[below] * (1 - part) + excerpt[below + 1] * part


def _coloured(excerpt: np.ndarray, config: PairAugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """Gain, equaliser, room and noise of magnitudes, which the spectrogram has as log10(1 + x)."""
    if not (config.gain_db or config.equaliser_db or config.floor or config.room):
        return excerpt
    decibels = drawn_decibels(excerpt.shape[1], config, rng)
    magnitudes = np.expm1(excerpt * np.float32(np.log(10))) * (10 ** (decibels / 20)).astype(np.float32)
    if config.room:
        from scipy.signal import lfilter  # half a second, for whoever only reads a recipe

        lasting = np.array([1.0, -config.room * rng.random()], np.float32)
        magnitudes = lfilter(np.ones(1, np.float32), lasting, magnitudes, axis=0)
    if config.floor:
        magnitudes += np.abs(rng.standard_normal(excerpt.shape, np.float32)) * np.float32(config.floor * rng.random())
    return np.log1p(magnitudes) / np.float32(np.log(10))


def drawn_decibels(bands: int, config: PairAugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """By which each band is louder, float64 (bands,): gain and a smooth curve."""
    curve = np.convolve(rng.standard_normal(KNOTS + 2), [0.5, 0.7, 0.5], mode="valid") * config.equaliser_db
    gain = config.gain_db * rng.uniform(-1, 1)
    return gain + np.interp(np.linspace(0, KNOTS - 1, bands), np.arange(KNOTS), curve)


def keeps(config: PairAugmentConfig, rendition: Any) -> bool:
    """Whether a rendition (with `font` and `tempo_factor`) is one of those to choose from."""
    near = abs(rendition.tempo_factor - 1) <= config.tempo + 1e-6
    return near and (not config.fonts or rendition.font in config.fonts)
