"""A recipe's model: how it is built, and how it is written as a model folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoModelForCTC, ProcessorMixin

from hfmusic.models.audio_reading import open_sound
from hfmusic.models.configuration_crnn import CRNNConfig
from hfmusic.models.configuration_r2crnn import R2CRNNConfig
from hfmusic.models.feature_extraction_music import MusicFeatureExtractor
from hfmusic.models.image_processing_staff import StaffImageProcessor
from hfmusic.models.image_reading import decode_picture
from hfmusic.models.modeling_crnn import CRNNForCTC
from hfmusic.models.modeling_r2crnn import R2CRNNForCTC
from hfmusic.models.processing_ctc import CTCProcessor, make_processor
from hfmusic.symbolic.vocabulary import load_vocabulary
from hfmusic.training.checkpoint import read_log
from hfmusic.training.config import TrainingConfig
from hfmusic.training.data import TrainingStaves
from hfmusic.training.head import factorise_head, fold_head
from hfmusic.training.transfer import TransferReport, copy_from, freeze

ARCHITECTURES: dict[str, tuple[type[CRNNConfig], type[CRNNForCTC]]] = {
    kind.model_type: (kind, network) for kind, network in ((CRNNConfig, CRNNForCTC), (R2CRNNConfig, R2CRNNForCTC))
}


@dataclass(frozen=True)
class StaffExtractor:
    """Picture file -> features float32 (height, width), ink = 1, by an image processor with `options`; picklable."""

    options: dict[str, Any]

    def __call__(self, encoded: bytes) -> np.ndarray:
        return StaffImageProcessor(**self.options).features(decode_picture(encoded)).values


@dataclass(frozen=True)
class SoundExtractor:
    """Sound file -> features float32 (height, width), loud = 1, by a feature extractor with `options`; picklable."""

    options: dict[str, Any]

    def __call__(self, encoded: bytes) -> np.ndarray:
        torch.set_num_threads(1)  # one sound a process: more threads only wait for each other
        ear = _ear(json.dumps(self.options, sort_keys=True))
        return ear.features(open_sound(encoded, sampling_rate=ear.sampling_rate)).values


@cache
def _ear(options: str) -> MusicFeatureExtractor:
    """One a process: its filters take a while to make."""
    return MusicFeatureExtractor(**json.loads(options))


@dataclass(frozen=True)
class BuiltModel:
    """A model to train, its config, its vocabulary's tokens, and what turns files into its features, by modality.

    `transfer` tells what it took from another model and what is frozen.
    """

    model: nn.Module
    config: CRNNConfig
    tokens: tuple[str, ...]
    extract: dict[str, StaffExtractor | SoundExtractor]
    transfer: TransferReport | None = None


def build_model(config: TrainingConfig) -> BuiltModel:
    """The model of a recipe, with the head it trains with: fresh, warm-started from the folder `initial`, or with the
    blocks that its section `transfer` names.

    Raises:
        ValueError: `model` and `processor` disagree on the height, `initial` has another vocabulary, or a block does
            not fit.
    """
    tokens = load_vocabulary(config.vocabulary).tokens
    if config.initial is not None:
        model: Any = trained_model(config.initial, "initial")
        if "dropout" in config.model:
            set_dropout(model, config.model["dropout"])
        if model.config.vocab_size != len(tokens):
            raise ValueError(
                f"initial must be a model of the {len(tokens)} {config.vocabulary} tokens, "
                f"got one of {model.config.vocab_size} in {config.initial}"
            )
    else:
        kind, network = ARCHITECTURES[config.architecture]
        model = network(kind(**{"vocab_size": len(tokens), **config.model}))
    extractors = _extractors(config, model.config)
    report = None
    if config.transfer is not None:
        source = trained_model(config.transfer.source, "transfer.source")
        report = copy_from(source, model, config.transfer, vocabulary=config.vocabulary)
    if config.factorised_head:
        trained = config.initial is not None or (report is not None and "dense" in report.copied)
        factorise_head(model, tokens, keep=trained)
    if config.transfer is not None and report is not None:
        report = report.joined(freeze(model, config.transfer.freeze))
    return BuiltModel(model, model.config, tokens, extractors, report)


def trained_model(name: str, option: str) -> Any:
    """A model folder's or a Hub name's network; `option` is the recipe's that named it.

    Raises:
        ValueError: there is none.
    """
    try:
        return AutoModelForCTC.from_pretrained(name)
    except OSError as error:
        raise ValueError(f"{option} must be a model folder or a Hub name, got {name!r}") from error


def _extractors(config: TrainingConfig, model: CRNNConfig) -> dict[str, StaffExtractor | SoundExtractor]:
    options = {"image": ("processor", config.processor), "audio": ("audio_processor", config.audio_processor)}
    for modality in model.modalities:
        name, given = options[modality]
        height = given.get("height", 256)
        if height != model.input_height:
            raise ValueError(f"{name}.height must be the model's input_height {model.input_height}, got {height}")
    kinds: dict[str, type] = {"image": StaffExtractor, "audio": SoundExtractor}
    return {modality: kinds[modality](dict(options[modality][1])) for modality in model.modalities}


def set_dropout(model: CRNNForCTC, dropout: float) -> None:
    """Another dropout for a loaded model, also in the config it is saved with."""
    model.config.dropout = dropout
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = dropout


def export_model(folder: Path, model: nn.Module, processor: ProcessorMixin, config: TrainingConfig, log: Path) -> None:
    """Write a model folder: weights (the head folded: `model` is changed), configs, processor, recipe and log."""
    fold_head(model)
    model.cpu().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # torch knows it, its stubs do not
    model.save_pretrained(folder)  # type: ignore[operator]
    (folder / "train_config.json").write_text(config.to_json(), encoding="utf-8")
    summary = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "log": read_log(log)}
    (folder / "training_log.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    processor.save_pretrained(folder)


def processor_of(config: TrainingConfig, staves: TrainingStaves, modalities: Sequence[str]) -> CTCProcessor:
    """The processor of a recipe, with the bigram model of its training texts, and their meter model if it hears."""
    tokens = load_vocabulary(config.vocabulary).tokens
    processor = make_processor(
        tokens, encoding=config.vocabulary, modalities=modalities, audio=config.audio_processor, **config.processor
    )
    processor.fit_language_model(list(_texts(staves, tokens)))
    if "audio" in modalities and config.vocabulary == "semantic":
        processor.fit_meter_model(_texts(staves, tokens))
    return processor


def _texts(staves: TrainingStaves, tokens: Sequence[str]) -> Iterator[list[str]]:
    return ([tokens[index] for index in label] for entry in staves.sets for label in entry.labels)
