"""Recordings and engraved rows to what an `AudioScoreModel` reads: excerpts of spectrograms, snippets of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from transformers import BatchFeature, ProcessorMixin

from .configuration_audio_score import AudioScoreConfig
from .feature_extraction_music import Sound, as_sound, resample
from .image_reading import grey_pixels, open_picture
from .log_spectrogram import LogSpectrogram

Picture = Image.Image | np.ndarray | str | Path
PAPER = 255
GEOMETRY = ("frames", "image_height", "image_width", "image_scale")


class AudioScoreProcessor(ProcessorMixin):
    """Sounds -> `input_features` float32 (B, 1, frames, bands); pictures -> `pixel_values` float32 (B, 1, rows,
    columns) in 0..1, paper 1.

    Pictures are of engraved music on pages 835 pixels wide, about 7 from one line of a staff to the next: single
    snippets, or whole pieces whose systems are joined to one row, the systems' middle on the row's.

    Args:
        sampling_rate, frame_size, frame_rate, bands_per_octave, fmin, fmax: see `LogSpectrogram`.
        frames: of an excerpt.
        image_height, image_width: of a snippet on the page.
        image_scale: by which it is scaled.
        fit_systems: whoever joins systems to a row squeezes those that are taller than `image_height`; see
            `fitted_height`.
    """

    _auto_class = "AutoProcessor"

    def __init__(
        self,
        sampling_rate: int = 22050,
        frame_size: int = 2048,
        frame_rate: float = 20.0,
        bands_per_octave: int = 16,
        fmin: float = 30.0,
        fmax: float = 6000.0,
        frames: int = 84,
        image_height: int = 250,
        image_width: int = 320,
        image_scale: float = 0.4,
        fit_systems: bool = False,
    ) -> None:
        super().__init__()
        if min(frames, image_height, image_width, image_scale) <= 0:
            raise ValueError(
                f"{', '.join(GEOMETRY)} must be positive, got {frames}, {image_height}, {image_width}, {image_scale}"
            )
        self.sampling_rate, self.frame_size, self.frame_rate = sampling_rate, frame_size, frame_rate
        self.bands_per_octave, self.fmin, self.fmax = bands_per_octave, fmin, fmax
        self.frames, self.image_height, self.image_width = frames, image_height, image_width
        self.image_scale, self.fit_systems = image_scale, fit_systems
        self.front_end()  # options that make no spectrogram are told now

    @classmethod
    def for_config(cls, config: AudioScoreConfig, **options: Any) -> AudioScoreProcessor:
        """The one for a model of this config; `options` as the class takes them.

        Raises:
            ValueError: the spectrogram would not have as many bands as the config says.
        """
        known = {name: getattr(config, name) for name in ("sampling_rate", "frame_rate", *GEOMETRY)}
        processor = cls(**{**known, **options})
        bands = processor.front_end().bands
        if bands != config.bands:
            raise ValueError(f"the spectrogram has {bands} bands, the model reads {config.bands}")
        return processor

    @property
    def model_input_names(self) -> list[str]:
        return ["input_features", "pixel_values"]

    @property
    def score_size(self) -> tuple[int, int]:
        """Rows and columns of a snippet as the model sees it."""
        return round(self.image_height * self.image_scale), round(self.image_width * self.image_scale)

    @property
    def fitted_height(self) -> int | None:
        """Into how many pixels of the page systems are squeezed that are taller; None: no system is."""
        return self.image_height if self.fit_systems else None

    def front_end(self) -> LogSpectrogram:
        """The spectrogram's transform."""
        names = ("sampling_rate", "frame_size", "frame_rate", "bands_per_octave", "fmin", "fmax")
        return LogSpectrogram(**{name: getattr(self, name) for name in names})

    def spectrogram(self, sound: Any) -> np.ndarray:
        """A whole recording (n,) in -1..1 at `sampling_rate` to (T, bands) float32; frame t at `t / frame_rate` s.

        Raises:
            ValueError: not one channel of finite numbers, or empty.
        """
        return self.front_end()(as_sound(sound))

    def centres(self, total: int, every: int = 2) -> np.ndarray:
        """Every so many frames of a spectrogram with `total` frames, int (N,).

        Raises:
            ValueError: `every` is below 1.
        """
        if every < 1:
            raise ValueError(f"excerpts must be at least one frame apart, got {every}")
        return np.arange(0, total, every)

    def excerpts(
        self, spectrogram: np.ndarray, times: Sequence[float] | np.ndarray | None = None, *, every: int = 2
    ) -> np.ndarray:
        """Excerpts (N, 1, frames, bands) float32 of a spectrogram (T, bands), silence beyond its ends.

        Args:
            times: of their middles, in seconds: the frame in which a note that begins there is first heard; None:
                every `every` frames, see `centres`.
        """
        if spectrogram.ndim != 2 or spectrogram.shape[1] != self.front_end().bands:
            wanted = f"(T, {self.front_end().bands})"
            raise ValueError(f"a spectrogram must be {wanted}, got {spectrogram.shape}")
        if times is None:
            middles = self.centres(len(spectrogram), every)
        else:
            frame_of = self.front_end().frame_of
            middles = np.array([frame_of(float(seconds)) for seconds in times], np.int64)
        result = np.zeros((len(middles), 1, self.frames, spectrogram.shape[1]), np.float32)
        for place, middle in enumerate(middles):
            copy_window(spectrogram, int(middle) - self.frames // 2, result[place, 0])
        return result

    def row(self, picture: Picture) -> np.ndarray:
        """A row of pages 835 pixels wide, of any height, as snippets are cut from it: uint8 (rows, columns), scaled.

        What is more than `image_height` is cut off above and below alike, what is missing is paper.
        """
        pixels = _pixels(picture)
        fitted = np.full((self.image_height, pixels.shape[1]), PAPER, np.uint8)
        copy_window(pixels, (pixels.shape[0] - self.image_height) // 2, fitted)
        return scaled(fitted, self.image_scale, self.score_size[0])

    def snippets(self, row_image: Picture, xs: Sequence[float] | np.ndarray) -> np.ndarray:
        """Snippets (N, 1, rows, columns) float32 in 0..1 of a row, paper beyond its ends.

        Args:
            row_image: uint8 (H, W) of an unscaled row, see `row`; or a picture or its file.
            xs: of their middles, in pixels of `row_image`, of which pixel i covers i to i + 1.
        """
        row, (rows, columns) = self.row(row_image), self.score_size
        result = np.full((len(xs), rows, columns), PAPER, np.uint8)
        for place, x in enumerate(xs):
            start = int(np.floor(float(x) * self.image_scale - columns / 2 + 0.5))
            copy_window(row.T, start, result[place].T)
        return result[:, None].astype(np.float32) / 255

    def __call__(
        self,
        audio: Sound | Sequence[Sound] | None = None,
        images: Picture | Sequence[Picture] | None = None,
        sampling_rate: int | None = None,
        return_tensors: str | None = None,
        **_: Any,
    ) -> BatchFeature:
        """Single excerpts and snippets, one or several, to a batch.

        Args:
            audio: (n,) in -1..1, or integers, which are scaled by their range; or the name of a file; or several. Of
                a longer one than `frames` its middle is taken, a shorter one is in the middle of silence.
            images: pictures of `image_height` x `image_width` pixels; of larger ones their middle is taken, around
                smaller ones is paper.
            sampling_rate: of the arrays, `self.sampling_rate` if not given. Files know theirs.

        Raises:
            ValueError: neither is given, or a sound or picture that cannot be read.
        """
        if audio is None and images is None:
            raise ValueError("audio or images are needed, got neither")
        found: dict[str, np.ndarray] = {}
        if audio is not None:
            found["input_features"] = np.stack([self._excerpt(one, sampling_rate) for one in _several(audio)])
        if images is not None:
            found["pixel_values"] = np.concatenate([self._snippet(one) for one in _several(images)])
        return BatchFeature(found, tensor_type=return_tensors)

    def read(self, sound: Any, sampling_rate: int | None = None) -> np.ndarray:
        """A sound or a file's name, to samples (n,) at `self.sampling_rate`."""
        if isinstance(sound, str | Path):
            from .audio_reading import open_sound

            return open_sound(sound, sampling_rate=self.sampling_rate)
        return resample(as_sound(sound), sampling_rate or self.sampling_rate, self.sampling_rate)

    def _excerpt(self, sound: Any, sampling_rate: int | None) -> np.ndarray:
        spectrogram = self.spectrogram(self.read(sound, sampling_rate))
        result = np.zeros((1, self.frames, spectrogram.shape[1]), np.float32)
        copy_window(spectrogram, (len(spectrogram) - self.frames) // 2, result[0])
        return result

    def _snippet(self, picture: Picture) -> np.ndarray:
        pixels = _pixels(picture)
        return self.snippets(pixels, [pixels.shape[1] / 2])


def scaled(picture: np.ndarray, scale: float, rows: int | None = None) -> np.ndarray:
    """A grey picture uint8 (H, W) at another scale; at a half, a third ... each pixel is a mean of whole pixels."""
    if scale == 1:
        return picture
    whole = abs(1 / scale - round(1 / scale)) < 1e-9
    size = (max(1, round(picture.shape[1] * scale)), rows or max(1, round(picture.shape[0] * scale)))
    kind = Image.Resampling.BOX if whole else Image.Resampling.HAMMING
    box = (0.0, 0.0, size[0] / scale, float(picture.shape[0]))  # a last column that is only begun is paper beyond
    pixels = np.pad(picture, ((0, 0), (0, max(0, int(np.ceil(box[2])) - picture.shape[1]))), constant_values=PAPER)
    return np.asarray(Image.fromarray(pixels).resize(size, kind, box=box))


def copy_window(source: np.ndarray, start: int, target: np.ndarray) -> None:
    """Copy `source[start:]` over `target`, along the first axis, where there is something to copy."""
    first, last = max(0, start), min(len(source), start + len(target))
    if first < last:
        target[first - start : last - start] = source[first:last]


def _several(given: Any) -> list[Any]:
    single = not isinstance(given, list | tuple) or (len(given) > 0 and isinstance(given[0], int | float))
    several = [given] if single else list(given)
    if not several:
        raise ValueError("at least one sound or picture is needed, got none")
    return several


def _pixels(picture: Picture) -> np.ndarray:
    if isinstance(picture, np.ndarray) and picture.ndim == 2 and picture.dtype == np.uint8 and picture.size:
        return picture  # a row may be too long for a picture file
    return grey_pixels(open_picture(picture) if isinstance(picture, str | Path) else picture)
