"""A recipe's model: how it is built, and how it is written as a model folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from hfmusic.models.configuration_crnn import CRNNConfig
from hfmusic.models.image_features import staff_features
from hfmusic.models.image_reading import grey_pixels
from hfmusic.models.modeling_crnn import CRNNForCTC
from hfmusic.symbolic.vocabulary import load_vocabulary
from hfmusic.training.checkpoint import read_log
from hfmusic.training.config import TrainingConfig
from hfmusic.training.head import factorise_head, fold_head


@dataclass(frozen=True)
class StaffExtractor:
    """Picture -> features float32 (height, width), ink = 1, as the image processor makes them; picklable."""

    options: dict[str, Any]

    def __call__(self, image: Image.Image) -> np.ndarray:
        return staff_features(grey_pixels(image), **self.options).values


@dataclass(frozen=True)
class BuiltModel:
    """A model to train, its config, its vocabulary's tokens, and what turns pictures into its features."""

    model: nn.Module
    config: CRNNConfig
    tokens: tuple[str, ...]
    extract: StaffExtractor


def build_model(config: TrainingConfig) -> BuiltModel:
    """The model of a recipe, fresh or warm-started from the folder `initial`, with the head it trains with.

    Raises:
        ValueError: `model` and `processor` disagree on the height, or `initial` has another vocabulary.
    """
    tokens = load_vocabulary(config.vocabulary).tokens  # type: ignore[arg-type]
    if config.initial is not None:
        model = CRNNForCTC.from_pretrained(config.initial)
        for name in ("dropout",):
            if name in config.model:
                set_dropout(model, config.model[name])
        if model.config.vocab_size != len(tokens):
            raise ValueError(
                f"initial must be a model of the {len(tokens)} {config.vocabulary} tokens, "
                f"got one of {model.config.vocab_size} in {config.initial}"
            )
    else:
        model = CRNNForCTC(CRNNConfig(**{"vocab_size": len(tokens), **config.model}))
    height = config.processor.get("height", 256)
    if height != model.config.input_height:
        raise ValueError(f"processor.height must be the model's input_height {model.config.input_height}, got {height}")
    if config.factorised_head:
        factorise_head(model, tokens, keep=config.initial is not None)
    return BuiltModel(model, model.config, tokens, StaffExtractor(dict(config.processor)))


def set_dropout(model: nn.Module, dropout: float) -> None:
    """Another dropout for a loaded model, also in the config it is saved with."""
    model.config.dropout = dropout
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = dropout


def export_model(
    built: BuiltModel, model: nn.Module, folder: Path, config: TrainingConfig, position: dict[str, Any], log: Path
) -> None:
    """Write weights (head folded: `model` is changed), configs, processor, the recipe and a summary of its log."""
    fold_head(model)
    model.to("cpu", memory_format=torch.contiguous_format)
    model.save_pretrained(folder)  # type: ignore[operator]
    (folder / "train_config.json").write_text(config.to_json(), encoding="utf-8")
    summary = {**position, "date": datetime.now(UTC).isoformat(timespec="seconds"), "log": read_log(log)}
    (folder / "training_log.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    make_processor(built, config).save_pretrained(folder)


def make_processor(built: BuiltModel, config: TrainingConfig) -> Any:
    """The `CTCProcessor` of a recipe: its image processor with the recipe's options and its vocabulary."""
    from hfmusic.models import processing_ctc  # here: decoding is not needed before the export

    return processing_ctc.make_processor(built.tokens, **config.processor)
