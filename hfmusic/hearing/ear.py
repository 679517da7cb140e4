"""A model that hears, at any tempo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hfmusic.hearing.onsets import Onsets, find_onsets
from hfmusic.hub import Loaded
from hfmusic.models.feature_extraction_music import MusicFeatureExtractor

TRAINED_TEMPO = 120.0  # quarters a minute of the music the models were trained on, as PrIMuS's MIDI files have it


@dataclass(frozen=True)
class Heard:
    """What was heard: `tokens`, `confidences` 0..1 and `spans` (start, end) in seconds, one entry a token; `tempo` in
    quarters a minute."""

    tokens: tuple[str, ...]
    confidences: tuple[float, ...]
    spans: tuple[tuple[float, float], ...]
    tempo: float

    @property
    def confidence(self) -> float:
        """Mean of the tokens', 0 where there are none."""
        return sum(self.confidences) / len(self.confidences) if self.confidences else 0.0

    def shifted(self, seconds: float, first: int = 0, last: int | None = None) -> Heard:
        """Tokens `first` to `last`, so much later."""
        spans = tuple((start + seconds, end + seconds) for start, end in self.spans[first:last])
        return Heard(self.tokens[first:last], self.confidences[first:last], spans, self.tempo)


class Ear:
    """Reads sounds (n,) at `sampling_rate` with a model of modality "audio".

    Raises:
        ValueError: the model does not hear.
    """

    def __init__(self, loaded: Loaded, method: str | None = None) -> None:
        if "audio" not in loaded.processor.modalities:
            raise ValueError(f"this model takes {' and '.join(loaded.processor.modalities)}, not recordings")
        self._model, self._processor, self._method = loaded.model, loaded.processor, method

    @property
    def extractor(self) -> MusicFeatureExtractor:
        return self._processor.feature_extractor

    @property
    def sampling_rate(self) -> int:
        return self.extractor.sampling_rate

    def onsets(self, sound: np.ndarray) -> Onsets:
        return find_onsets(self.extractor.features(sound), self.extractor.top_db)

    def read(self, sound: np.ndarray, tempo: float, method: str | None = None) -> Heard:
        """What the model reads if the music goes at `tempo` quarters a minute: it is stretched to what it knows.

        `method`: another than this ear's.
        """
        import torch

        features = self.extractor.features(sound, stretch=tempo / TRAINED_TEMPO)
        inputs: dict[str, Any] = self.extractor.pad([features])
        tensors = {name: torch.from_numpy(inputs[name]) for name in ("input_features", "attention_mask")}
        with torch.inference_mode():
            outputs = self._model(**tensors, modality="audio")
        result = self._processor.decode(outputs, inputs, method=method or self._method)[0]
        return Heard(tuple(result.tokens), tuple(result.confidences), tuple(result.spans), tempo)
