"""A recipe's embedding of audio and scores, and what turns sheets and sounds into what it is trained with."""

from __future__ import annotations

from typing import Any

from hfmusic.models.configuration_audio_score import AudioScoreConfig
from hfmusic.models.modeling_audio_score import AudioScoreModel
from hfmusic.models.processing_audio_roll import PAPER, AudioRollProcessor
from hfmusic.models.processing_audio_score import AudioScoreProcessor
from hfmusic.training.config import TrainingConfig

PRESETS = {
    "recommended": AudioScoreConfig.recommended,
    "paper": AudioScoreConfig.paper,
    "public": AudioScoreConfig.public,
    "recommended_roll": AudioScoreConfig.recommended_roll,
    "dias2018": AudioScoreConfig.dias2018,
    "dias2018_code": AudioScoreConfig.dias2018_code,
}
Processor = AudioScoreProcessor | AudioRollProcessor
LOSS_OPTIONS = ("margin", "temperature", "learned_temperature")
ROW_OPTIONS = ("fit_systems",)


def build_audio_score(config: TrainingConfig) -> tuple[AudioScoreModel, Processor]:
    """The model of a recipe, fresh or from the folder `initial`, and its processor.

    Raises:
        ValueError: a part of the recipe that only staves have, an unknown preset, sizes for a network that is there
            already, or no network in `initial`.
    """
    for part in ("transfer", "imitate"):
        if getattr(config, part) is not None:
            raise ValueError(f"a recipe of an audio_score has no section {part}: it starts from initial")
    options = dict(config.model)
    if config.initial is not None:
        return _trained(config.initial, options, config.processor)
    preset = options.pop("preset", "recommended")
    if preset not in PRESETS:
        raise ValueError(f"model.preset must be one of {', '.join(PRESETS)}, got {preset!r}")
    sizes = PRESETS[preset](**options)
    if sizes.score_input == "image":
        return AudioScoreModel(sizes), AudioScoreProcessor.for_config(sizes, **config.processor)
    front = PAPER if preset.startswith("dias2018") else {}
    return AudioScoreModel(sizes), AudioRollProcessor.for_config(sizes, **{**front, **config.processor})


def _trained(folder: str, options: dict[str, Any], processor: dict[str, Any]) -> tuple[AudioScoreModel, Processor]:
    """A trained model with other options of the loss, and of how systems are joined to rows."""
    wrong = [*sorted(set(options) - set(LOSS_OPTIONS)), *sorted(set(processor) - set(ROW_OPTIONS))]
    if wrong:
        raise ValueError(
            f"with initial, model takes only {', '.join(LOSS_OPTIONS)} and processor only {', '.join(ROW_OPTIONS)}: "
            f"the network is given; got {wrong[0]}"
        )
    try:
        model = AudioScoreModel.from_pretrained(folder, **options)
        if model.config.score_input == "image":
            return model, AudioScoreProcessor.from_pretrained(folder, **processor)
        if processor:
            raise ValueError(f"a model of rolls takes nothing for its processor, got {next(iter(processor))}")
        return model, AudioRollProcessor.from_pretrained(folder)
    except OSError as error:
        raise ValueError(f"initial must be a model folder or a Hub name, got {folder!r}") from error
