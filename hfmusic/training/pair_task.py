"""Training on pairs: excerpts of audio and snippets of the sheet that belong together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from hfmusic.models.modeling_audio_score import AudioScoreModel
from hfmusic.training.config import TrainingConfig
from hfmusic.training.export import export_model
from hfmusic.training.pair_data import pair_loader, training_pairs, validation_pairs
from hfmusic.training.pair_model import Processor, build_audio_score
from hfmusic.training.pair_validation import MONITOR, model_inputs, refit, validate_pairs
from hfmusic.training.task import StepLoss


class PairTask:
    """Embeds audio and scores (`Task`): an `AudioScoreModel` on pairs, chosen by the mean reciprocal rank."""

    monitor = MONITOR
    items = "pairs"

    def __init__(self, config: TrainingConfig, accelerator: Accelerator) -> None:
        self.config, self.accelerator = config, accelerator
        model, self.processor = self.build(config)
        with accelerator.main_process_first():
            self.pairs = training_pairs(config, self.processor)
            self.validation = validation_pairs(config, self.processor)
        self.model: nn.Module = model.to(accelerator.device).to(memory_format=torch.channels_last)

    @staticmethod
    def build(config: TrainingConfig) -> tuple[AudioScoreModel, Processor]:
        """The model of a recipe, and its processor."""
        return build_audio_score(config)

    def start(self, folder: Path) -> None:
        """Nothing is told: a fresh model, or all of another."""

    def batches(self, *, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[dict[str, Any]]:
        return iter(pair_loader(self.pairs, self.config, start=start, rank=rank, world=world))

    def loss(self, model: nn.Module, batch: dict[str, Any], progress: float) -> StepLoss:
        return StepLoss(model(**model_inputs(batch, self.accelerator.device), return_loss=True).loss)

    def validate(self, model: nn.Module) -> dict[str, float]:
        self._refit(model, self.config.pairs.validation_refit)
        return validate_pairs(model, self.validation, batch_size=self.config.eval_batch_size)

    def export(self, folder: Path, model: nn.Module, log: Path) -> None:
        self._refit(model, self.config.pairs.refit)
        export_model(folder, model, self.processor, self.config, log)

    def _refit(self, model: nn.Module, count: int) -> None:
        """Fit the projection "cca" to so many training pairs; another stays as it is."""
        if model.config.projection == "cca":  # type: ignore[union-attr]
            refit(model, self.pairs.sample(count), batch_size=self.config.eval_batch_size)
