"""Pairs of a snippet of a score and an excerpt of audio, cut around a note: the examples that paper 003 learns from.

The paper's pairs: each is centred on the notehead across and on its onset in time; one for each frame of the
spectrogram in which notes of a system begin, at the first notehead of these.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from hfmusic.render.sheet import Sheet, SheetRow

FRAME_RATE = 20.0  # frames of the spectrogram a second
_PAPER = 255


@dataclass(frozen=True)
class SnippetGeometry:
    """How large snippets and excerpts are.

    Attributes:
        image_height, image_width: in pixels of a page 835 pixels wide.
        image_scale: by which snippets are scaled.
        frames: of the excerpts.
    """

    image_height: int
    image_width: int
    image_scale: float
    frames: int

    def __post_init__(self) -> None:
        if min(self.image_height, self.image_width, self.frames) < 1 or not 0 < self.image_scale <= 1:
            raise ValueError(
                f"a snippet must have pixels and frames and a scale above 0 and at most 1, got {self.image_height} x "
                f"{self.image_width} at {self.image_scale}, {self.frames} frames"
            )

    @classmethod
    def paper(cls) -> SnippetGeometry:
        """Paper 003's: 180 x 200 pixels, 42 frames (2.1 s)."""
        return cls(180, 200, 1.0, 42)

    @classmethod
    def public(cls) -> SnippetGeometry:
        """Its successor's (M. Dorfer et al., TISMIR 2018), as the public code has it: 160 x 200 at half scale."""
        return cls(160, 200, 0.5, 42)

    @classmethod
    def recommended(cls) -> SnippetGeometry:
        """Ours, as `AudioScoreConfig.recommended`: all staves of a song, 84 frames (4.2 s)."""
        return cls(250, 320, 0.4, 84)

    @property
    def image_size(self) -> tuple[int, int]:
        """(rows, columns) of a snippet as it is cut from a scaled row."""
        return max(1, round(self.image_height * self.image_scale)), max(1, round(self.image_width * self.image_scale))


class SnippetPair(NamedTuple):
    """Where to cut.

    Attributes:
        note: index into the sheet's notes.
        system: of the sheet.
        x: in pixels of the row, of the notehead's centre.
        frame: of the spectrogram, in which the note begins.
    """

    note: int
    system: int
    x: float
    frame: int


def onset_frame(seconds: float, frame_rate: float = FRAME_RATE) -> int:
    """The frame in which a note is first heard: the first that does not begin before it does.

    >>> [onset_frame(seconds) for seconds in (0, 0.01, 0.05, 0.35)]
    [0, 1, 1, 7]
    """
    return math.ceil(seconds * frame_rate - 1e-6)


def snippet_pairs(
    sheet: Sheet,
    row: SheetRow,
    frames: int,
    geometry: SnippetGeometry,
    *,
    pad: bool = False,
    frame_rate: float = FRAME_RATE,
) -> list[SnippetPair]:
    """The pairs of a rendition, one for each frame of each system in which a note begins, by frame.

    Args:
        sheet: its seconds are those of the audio.
        row: of the sheet, at the geometry's scale.
        frames: of the audio's spectrogram.
        pad: keep pairs whose windows leave the row or the spectrogram, as paper and silence; else they are left out.

    Raises:
        ValueError: a row of another scale, or of other systems.
    """
    if abs(row.scale / geometry.image_scale - 1) > 0.01 or len(row.starts) != len(sheet.systems):
        raise ValueError(
            f"the row must be the sheet's, of {len(sheet.systems)} systems at scale {geometry.image_scale:g}, "
            f"got {len(row.starts)} systems at {row.scale:g}"
        )
    pairs, seen = [], set()
    for number, note in enumerate(sheet.notes):
        frame = onset_frame(note.onset_seconds, frame_rate)
        if (note.system, frame) in seen or frame >= frames:
            continue
        seen.add((note.system, frame))
        pair = SnippetPair(number, note.system, row.x_of(note.system, note.x), frame)
        if pad or _fits(pair, row.image.shape[1], frames, geometry):
            pairs.append(pair)
    return pairs


def _fits(pair: SnippetPair, width: int, frames: int, geometry: SnippetGeometry) -> bool:
    left, first = _left(pair.x, geometry.image_size[1]), pair.frame - geometry.frames // 2
    return 0 <= left <= width - geometry.image_size[1] and 0 <= first <= frames - geometry.frames


def _left(x: float, columns: float) -> int:
    return math.floor(x - columns / 2 + 0.5)


def cut_sheet(
    row_image: np.ndarray, x: float, geometry: SnippetGeometry, dy: float = 0.0, dx: float = 0.0, zoom: float = 1.0
) -> np.ndarray:
    """A snippet, uint8 `geometry.image_size`, paper where the row ends.

    Args:
        row_image: uint8 (H, W), at the geometry's scale, of any height; its middle is the snippets' middle.
        x: column of the middle, in pixels of the row, of which pixel i covers i to i + 1.
        dy, dx: pixels of the row by which the snippet is moved down and to the right.
        zoom: by which what is seen is larger.
    """
    rows, columns = geometry.image_size
    if zoom == 1 and dy == round(dy):
        top = (row_image.shape[0] - rows) // 2 + round(dy)
        return _window(row_image, (top, _left(x + dx, columns)), (rows, columns))
    high, wide = rows / zoom, columns / zoom
    top, left = row_image.shape[0] / 2 + dy - high / 2, x + dx - wide / 2
    first = (math.floor(top) - 1, math.floor(left) - 1)
    part = _window(row_image, first, (math.ceil(high) + 4, math.ceil(wide) + 4))
    box = (left - first[1], top - first[0], left - first[1] + wide, top - first[0] + high)
    return np.asarray(Image.fromarray(part).resize((columns, rows), Image.Resampling.BILINEAR, box=box))


def cut_audio(spectrogram: np.ndarray, frame: int, geometry: SnippetGeometry) -> np.ndarray:
    """An excerpt, float32 (frames, bands), in which `frame` is number `geometry.frames // 2`; silence beyond its ends.

    Args:
        spectrogram: (T, bands).
    """
    size = (geometry.frames, spectrogram.shape[1])
    return _window(spectrogram, (frame - geometry.frames // 2, 0), size, 0).astype(np.float32, copy=False)


def _window(array: np.ndarray, first: Sequence[int], size: Sequence[int], fill: int = _PAPER) -> np.ndarray:
    """A copy of a part of an array, which may leave it."""
    part = np.full(size, fill, array.dtype)
    inner, outer = [], []
    for start, length, total in zip(first, size, array.shape, strict=True):
        inner.append(slice(max(0, -start), max(0, min(length, total - start))))
        outer.append(slice(max(0, start), max(0, min(total, start + length))))
    part[tuple(inner)] = array[tuple(outer)]
    return part
