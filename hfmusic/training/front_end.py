"""A recipe's transcriber, and what turns sounds and notes into what it is trained with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hfmusic.models.configuration_unet_transcriber import UNetTranscriberConfig
from hfmusic.models.modeling_unet_transcriber import UNetTranscriber
from hfmusic.models.note_decoding import NoteEvent, Scheme, encode_notes
from hfmusic.models.processing_unet_transcriber import TranscriberProcessor
from hfmusic.training.config import TrainingConfig

PRESETS = {"recommended": UNetTranscriberConfig.recommended, "paper": UNetTranscriberConfig.paper}
LOSS_OPTIONS = ("loss_weights", "onset_positive_weight", "batch_norm_momentum", "gradient_limit")


@dataclass(frozen=True)
class FrontEnd:
    """The processor of a transcriber, as training uses it; picklable. `scheme` is the config's."""

    processor: TranscriberProcessor
    scheme: Scheme

    @property
    def sampling_rate(self) -> int:
        return self.processor.sampling_rate

    @property
    def hop_length(self) -> int:
        return int(self.processor.feature_extractor.hop_length)

    def frames(self, seconds: float) -> int:
        """The number of frames nearest to a time, at least one."""
        return max(1, round(seconds * self.sampling_rate / self.hop_length))

    def features(self, sound: np.ndarray, frames: int, *, below_db: float = 0.0) -> np.ndarray:
        """The first frames of a sound, float32 (frames, bins).

        Args:
            below_db: how much softer its loudest place is than that of the recording it was cut from. Features in
                decibels are relative to the latter; the paper's scale each crop by itself.
        """
        ear = self.processor.feature_extractor
        magnitudes = ear.magnitudes(sound)[:frames]
        least, greatest = ear.levels(magnitudes)
        if ear.scaling == "decibels":
            greatest *= 10 ** (below_db / 20)
        return ear.scale(magnitudes, (least, greatest))

    def labels(self, notes: Iterable[NoteEvent], frames: int, *, start_seconds: float = 0.0) -> dict[str, np.ndarray]:
        """The maps that the network should give for notes, each float32 (frames, 88)."""
        seconds = self.processor.frame_seconds
        return encode_notes(notes, frames, seconds, start_seconds=start_seconds, scheme=self.scheme)


def build_transcriber(config: TrainingConfig) -> tuple[UNetTranscriber, FrontEnd]:
    """The transcriber of a recipe, fresh or from the folder `initial`, and its front end.

    Raises:
        ValueError: a part of the recipe that only staves have, an unknown preset, sizes for a network that is there
            already, or no network in `initial`.
    """
    for part in ("transfer", "imitate"):
        if getattr(config, part) is not None:
            raise ValueError(f"a recipe of a transcriber has no section {part}: it starts from initial")
    options = dict(config.model)
    preset = options.pop("preset", None if config.initial else "recommended")
    if config.initial is not None:
        model, processor = _trained(config.initial, options, preset)
        if config.processor:
            sizes: Any = model.config
            processor = TranscriberProcessor.for_config(sizes, **config.processor)
    elif preset in PRESETS:
        sizes = PRESETS[preset](**options)
        model, processor = UNetTranscriber(sizes), TranscriberProcessor.for_config(sizes, **config.processor)
    else:
        raise ValueError(f"model.preset must be one of {', '.join(PRESETS)}, got {preset!r}")
    return model, FrontEnd(processor, model.config.scheme)


def _trained(folder: str, options: dict[str, Any], preset: str | None) -> tuple[UNetTranscriber, TranscriberProcessor]:
    """A trained transcriber with other options of the loss."""
    wrong = [*([] if preset is None else ["preset"]), *(name for name in options if name not in LOSS_OPTIONS)]
    if wrong:
        raise ValueError(
            f"with initial, model takes only {', '.join(LOSS_OPTIONS)}: the network's sizes are given; got {wrong[0]}"
        )
    try:
        model = UNetTranscriber.from_pretrained(folder, **options)
        return model, TranscriberProcessor.from_pretrained(folder)
    except OSError as error:
        raise ValueError(f"initial must be a model folder or a Hub name, got {folder!r}") from error
