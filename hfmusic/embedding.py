"""Scores and recordings as vectors in one space: by a two-tower model, or by chroma where there is none.

Both have a name, a fingerprint that tells vectors of one from those of another, and methods: `sound` (excerpts of a
recording), `score` (every onset of a sheet), `notes` (moments of a MIDI file) and `snippets` (places of an unrolled
row).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from hfmusic.hearing.roll_space import KEYS, KeysSpace, ModelSpace
from hfmusic.hub import load, model_fingerprint
from hfmusic.models.audio_reading import Sound
from hfmusic.render.sheet import Sheet, SheetRow, unroll
from hfmusic.retrieval import chroma
from hfmusic.retrieval.identify import Confidence
from hfmusic.retrieval.score_time import ScoreTime
from hfmusic.roll_embedding import RollEmbedder
from hfmusic.scores import Played

DEFAULT_MODEL = "audio-sheet-embedding"
CHROMA = "chroma"
_BATCH = 128
_PART_SECONDS = 60  # of a recording whose spectrogram is made at a time
_ROW_HEIGHT = 200


class Embedder(Protocol):
    """What makes vectors, float32 (n, d) of length 1."""

    @property
    def name(self) -> str:
        """What it is called: what `embedder` makes it of."""

    @property
    def fingerprint(self) -> str:
        """What tells its vectors from others'."""

    @property
    def confidence(self) -> Confidence:
        """How sure a piece is that was found by its vectors."""

    def sound(self, sound: Sound, seconds: np.ndarray) -> np.ndarray:
        """Of the excerpts around moments (n,) of a recording at 22,050 Hz."""

    def score(self, sheet: Sheet, row: SheetRow, time: ScoreTime) -> np.ndarray:
        """Of the snippets around the onsets of a sheet."""

    def notes(self, music: Played, seconds: np.ndarray) -> np.ndarray:
        """Of what is played around moments (n,) of MIDI.

        Raises:
            ValueError: only pictures of scores can be embedded.
        """

    def row(self, sheet: Sheet) -> SheetRow:
        """The sheet unrolled as the snippets are cut from it."""


def embedder(name: str | None = None) -> Embedder:
    """The embedder of a name: "chroma", "keys" (of piano rolls, no model either), or a model as `hfmusic.load` takes
    it. None: chroma.

    Raises:
        ValueError: no such model, or one of another kind; one sentence.
    """
    if name in (None, CHROMA):
        return ChromaEmbedder()
    if name == KEYS:
        return RollEmbedder(KeysSpace())
    loaded = load(name)
    if getattr(getattr(loaded.model, "config", None), "score_input", "") == "roll":
        return RollEmbedder(ModelSpace(loaded, name))
    return ModelEmbedder(loaded, name)


class ModelEmbedder:
    """An `AudioScoreModel` and its processor.

    Raises:
        ValueError: a model of another kind.
    """

    def __init__(self, loaded: Any, name: str = "") -> None:
        self.name = name or "model"
        self._model, self._processor = loaded.model, loaded.processor
        if not hasattr(self._model, "get_score_features") or not hasattr(self._processor, "snippets"):
            raise ValueError(f"the model {self.name} has no space for audio and sheet music; try {DEFAULT_MODEL}")

    @cached_property
    def fingerprint(self) -> str:
        """Of its weights, and of how its inputs are made."""
        return model_fingerprint(self._model, self._processor)

    @property
    def frame_rate(self) -> float:
        """Of its spectrograms."""
        return float(self._processor.frame_rate)

    @cached_property
    def confidence(self) -> Confidence:
        """The model's own where its config holds one."""
        own = getattr(getattr(self._model, "config", None), "confidence", None) or {}
        try:
            return Confidence(**own)
        except TypeError:
            raise ValueError(f"the model {self.name} has a config whose confidence cannot be read: {own}") from None

    def row(self, sheet: Sheet) -> SheetRow:
        """As high as its snippets, unscaled."""
        return unroll(sheet, height=self._processor.image_height, fit=self._processor.fitted_height)

    def sound(self, sound: Sound, seconds: np.ndarray) -> np.ndarray:
        """See `Embedder`."""
        spectrogram = self._spectrogram(sound)
        return self._embed(
            self._model.get_audio_features, lambda some: self._processor.excerpts(spectrogram, some), seconds
        )

    def score(self, sheet: Sheet, row: SheetRow, time: ScoreTime) -> np.ndarray:
        """See `Embedder`."""
        return self.snippets(row, onset_places(row, time))

    def notes(self, music: Played, seconds: np.ndarray) -> np.ndarray:
        """See `Embedder`."""
        raise ValueError(f"the model {self.name} reads engraved scores, not MIDI; try the model {CHROMA}")

    def snippets(self, row: SheetRow, xs: np.ndarray) -> np.ndarray:
        """Of the snippets around places (n,) of an unrolled row."""
        return self._embed(self._model.get_score_features, lambda some: self._processor.snippets(row.image, some), xs)

    def _spectrogram(self, sound: Sound) -> np.ndarray:
        """Of the whole recording, minute by minute: frames that begin in a minute see a little of the next."""
        rate, frame_rate = self._processor.sampling_rate, self._processor.frame_rate
        beyond = self._processor.frame_size / rate
        parts = []
        for start in range(0, max(1, int(np.ceil(sound.seconds))), _PART_SECONDS):
            last = start + _PART_SECONDS >= sound.seconds
            part = self._processor.spectrogram(sound.window(start, None if last else start + _PART_SECONDS + beyond))
            parts.append(part if last else part[: round(_PART_SECONDS * frame_rate)])
            if last:
                break
        return np.concatenate(parts)

    def _embed(
        self, network: Callable[..., Any], cut: Callable[[np.ndarray], np.ndarray], places: np.ndarray
    ) -> np.ndarray:
        import torch

        found = []
        for first in range(0, len(places), _BATCH):
            inputs = torch.from_numpy(cut(places[first : first + _BATCH]))
            with torch.inference_mode():
                found.append(network(inputs).float().cpu().numpy())
        return np.concatenate(found)


class ChromaEmbedder:
    """No model: seven spans of 0.6 s around a moment, each its pitch classes; of a score its notes, not its picture.

    A baseline, and what there is before a model is trained. The score's own tempo must be about that of the recording.
    """

    name = CHROMA
    fingerprint = "chroma-1"
    _SPANS, _SPAN = 7, 15  # frames of 40 ms

    def __init__(self) -> None:
        self.confidence = Confidence()

    def row(self, sheet: Sheet) -> SheetRow:
        """What pictures of matches are cut from."""
        return unroll(sheet, height=_ROW_HEIGHT)

    def sound(self, sound: Sound, seconds: np.ndarray) -> np.ndarray:
        """See `Embedder`."""
        return self._around(chroma.features(recorded_energies(sound)), seconds)

    def score(self, sheet: Sheet, row: SheetRow, time: ScoreTime) -> np.ndarray:
        """See `Embedder`."""
        return self._around(score_chroma(sheet), time.seconds)

    def notes(self, music: Played, seconds: np.ndarray) -> np.ndarray:
        """See `Embedder`."""
        return self._around(chroma.features(chroma.note_energies(music.notes)), seconds)

    def _around(self, features: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        half = self._SPANS * self._SPAN // 2
        padded = np.pad(features[:, :12], ((half, half + 1), (0, 0)))
        at = np.clip(np.round(np.asarray(seconds) * chroma.FRAME_RATE).astype(int), 0, len(features) - 1)
        windows = np.lib.stride_tricks.sliding_window_view(padded, self._SPANS * self._SPAN, axis=0)[at]
        spans = windows.reshape(len(at), 12, self._SPANS, self._SPAN).mean(axis=3).reshape(len(at), -1)
        return np.asarray(spans / np.maximum(np.linalg.norm(spans, axis=1, keepdims=True), 1e-9), np.float32)


def onset_places(row: SheetRow, time: ScoreTime) -> np.ndarray:
    """Where the onsets of a sheet are in its unrolled row."""
    places = zip(time.systems.tolist(), time.xs.tolist(), strict=True)
    return np.array([row.x_of(system, x) for system, x in places])


def score_chroma(sheet: Sheet) -> np.ndarray:
    """`chroma.features` of a sheet's notes at its own tempo."""
    return chroma.features(
        chroma.note_energies((note.onset_seconds, note.offset_seconds, note.pitch_midi) for note in sheet.notes)
    )


def recorded_energies(sound: Sound) -> np.ndarray:
    """`chroma.sound_energies` of a recording, which stays on disk."""
    rate = chroma.SAMPLING_RATE

    def samples(first: int, last: int) -> np.ndarray:
        part = sound.window(first / rate, last / rate)[: last - first]
        return np.pad(part, (0, last - first - len(part)))

    return chroma.sound_energies(samples, max(1, round(sound.seconds * rate)))
