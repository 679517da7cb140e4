"""Both ends of a polyphonic transcriber: sounds to tensors, maps of keys to notes, whole recordings by windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import BatchFeature, ProcessorMixin

from .configuration_unet_transcriber import UNetTranscriberConfig
from .feature_extraction_music import Sound
from .feature_extraction_transcriber import TranscriberFeatureExtractor
from .note_decoding import KEYS, DecodingOptions, NoteEvent, decode_notes

Progress = Callable[[float], object]  # called with what is done of the recording, 0..1


class Window(NamedTuple):
    """Frames `start` to `stop` are given to the network, of which `first` to `last` are kept."""

    start: int
    stop: int
    first: int
    last: int


class TranscriberProcessor(ProcessorMixin):
    """Feature extractor and note decoder of a `UNetTranscriber`.

    Args:
        decoding: options of `DecodingOptions`; None: its defaults.
        window_seconds: of a recording that the network is given at a time.
        margin_seconds: of a window, at each side where it does not end with the recording, that are not kept: what
            the network may know of music beyond a frame.
        window_multiple: windows begin at a multiple of so many frames, the network's `time_stride`.
        batch_size: windows at a time.
    """

    _auto_class = "AutoProcessor"

    def __init__(
        self,
        feature_extractor: TranscriberFeatureExtractor,
        decoding: dict[str, Any] | None = None,
        window_seconds: float = 20.48,
        margin_seconds: float = 2.56,
        window_multiple: int = 4,
        batch_size: int = 2,
    ) -> None:
        super().__init__(feature_extractor)
        self.decoding = asdict(DecodingOptions(**(decoding or {})))
        if not 0 <= 2 * margin_seconds < window_seconds < np.inf or min(window_multiple, batch_size) < 1:
            raise ValueError(
                "a window must be longer than two margins, window_multiple and batch_size at least 1, "
                f"got {window_seconds} s, {margin_seconds} s, {window_multiple} and {batch_size}"
            )
        self.window_seconds, self.margin_seconds = window_seconds, margin_seconds
        self.window_multiple, self.batch_size = window_multiple, batch_size

    @classmethod
    def for_config(cls, config: UNetTranscriberConfig, **options: Any) -> TranscriberProcessor:
        """The one for a network of this config; `options` as the class takes them."""
        paper = config.scheme == "paper"
        decoding = asdict(DecodingOptions.paper()) if paper else None
        known = {"decoding": decoding, "window_multiple": config.time_stride, "margin_seconds": 5.12 if paper else 2.56}
        return cls(TranscriberFeatureExtractor.for_config(config), **{**known, **options})

    @property
    def modalities(self) -> tuple[str, ...]:
        """What can be given."""
        return ("audio",)

    @property
    def model_input_names(self) -> list[str]:
        return ["input_features", "attention_mask"]

    @property
    def sampling_rate(self) -> int:
        """Of the sounds that `features` and `maps` take."""
        return self.feature_extractor.sampling_rate

    @property
    def frame_seconds(self) -> float:
        """From one frame of a map to the next."""
        return self.feature_extractor.frame_seconds

    @property
    def options(self) -> DecodingOptions:
        """How notes are decoded."""
        return DecodingOptions(**self.decoding)

    def __call__(
        self,
        audio: Sound | Sequence[Sound],
        sampling_rate: int | None = None,
        return_tensors: str | None = None,
        **_: Any,
    ) -> BatchFeature:
        """One sound or several, to what `UNetTranscriber.forward` takes: see `TranscriberFeatureExtractor`."""
        return self.feature_extractor(audio, sampling_rate=sampling_rate, return_tensors=return_tensors)

    def features(self, sound: np.ndarray, reference: float | None = None) -> np.ndarray:
        """One sound, float (n,) at `sampling_rate`, to (T, n_bins) float32."""
        return self.feature_extractor.features(sound, reference)

    def decode(self, maps: Mapping[str, Any], **overrides: Any) -> list[NoteEvent]:
        """Notes of one recording's probabilities, each map (T, 88), array or tensor.

        Args:
            overrides: of `DecodingOptions`, for this call.

        Raises:
            ValueError: a map is missing or of another shape, or an override is unknown or out of range.
        """
        unknown = sorted(set(overrides) - set(self.decoding))
        if unknown:
            raise ValueError(f"decoding has the options {', '.join(self.decoding)}, got {', '.join(unknown)}")
        options = DecodingOptions(**{**self.decoding, **overrides})
        return decode_notes({name: _array(values) for name, values in maps.items()}, self.frame_seconds, options)

    def transcribe(
        self,
        model: Any,
        sound: Sound,
        *,
        sampling_rate: int | None = None,
        progress: Progress | None = None,
        **overrides: Any,
    ) -> list[NoteEvent]:
        """The notes of a whole recording; see `maps` and `decode`."""
        return self.decode(self.maps(model, sound, sampling_rate=sampling_rate, progress=progress), **overrides)

    def maps(
        self, model: Any, sound: Sound, *, sampling_rate: int | None = None, progress: Progress | None = None
    ) -> dict[str, np.ndarray]:
        """What a network hears in a recording of any length, each map (T, 88) float32 in 0..1.

        Windows overlap by two margins. Levels are the whole recording's, so that nothing but a margin too short for
        the network's memory can make a difference between the windows and one pass over all.

        Args:
            model: takes `input_features` (B, 1, T, n_bins) and returns an object with `logits`, a map's name to
                (B, T, 88): a `UNetTranscriber` in eval mode, or its exported network.
            sound: float (n,) in -1..1, or a file's name.
            sampling_rate: of an array; None: `self.sampling_rate`.
            progress: called after each batch of windows.

        Raises:
            ValueError: a sound that cannot be read.
        """
        ear = self.feature_extractor
        magnitudes = ear.magnitudes(ear.read(sound, sampling_rate))
        levels, total = ear.levels(magnitudes), len(magnitudes)
        result: dict[str, np.ndarray] = {}
        for windows in self._batches(total):
            inputs = np.stack([ear.scale(magnitudes[window.start : window.stop], levels) for window in windows])
            for name, values in _heard(model, inputs[:, None]).items():
                whole = result.setdefault(name, np.empty((total, KEYS), np.float32))
                for window, found in zip(windows, values, strict=True):
                    whole[window.first : window.last] = found[window.first - window.start : window.last - window.start]
            if progress is not None:
                progress(windows[-1].last / total)
        return result

    def windows(self, total: int) -> list[Window]:
        """Windows over so many frames. All but the last are as long; the last takes what is left to the multiple."""
        multiple, seconds = self.window_multiple, self.frame_seconds
        margin = -(-int(np.ceil(self.margin_seconds / seconds)) // multiple) * multiple
        length = max(round(self.window_seconds / seconds / multiple) * multiple, 2 * margin + multiple)
        step = length - 2 * margin
        if total < length + multiple:
            return [Window(0, total, 0, total)]
        last = (total - length) // multiple * multiple
        starts = [*range(0, last, step), last]
        ends = [start + length - margin for start in starts[:-1]] + [total]
        return [
            Window(start, start + length if start < last else total, first, end)
            for start, first, end in zip(starts, [0, *ends[:-1]], ends, strict=True)
        ]

    def _batches(self, total: int) -> Iterator[list[Window]]:
        """Windows of one length at a time."""
        batch: list[Window] = []
        for window in self.windows(total):
            same = not batch or window.stop - window.start == batch[0].stop - batch[0].start
            if not same or len(batch) == self.batch_size:
                yield batch
                batch = []
            batch.append(window)
        yield batch


def _array(values: Any) -> np.ndarray:
    return values.detach().float().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def _heard(model: Any, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Probabilities of each map, (B, T, 88)."""
    features = torch.from_numpy(inputs).to(getattr(model, "device", "cpu"), getattr(model, "dtype", torch.float32))
    with torch.inference_mode():
        logits = model(input_features=features).logits
    return {name: _array(torch.as_tensor(values).float().sigmoid()) for name, values in logits.items()}
