"""Training on staves: pictures or sounds to tokens, by CTC."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from hfmusic.data.collate import model_inputs
from hfmusic.training.config import TrainingConfig
from hfmusic.training.data import training_loader, training_staves, validation_staves
from hfmusic.training.export import BuiltModel, build_model, export_model, processor_of, trained_model
from hfmusic.training.imitation import check_teacher, imitation_loss
from hfmusic.training.task import StepLoss
from hfmusic.training.validation import validate


class StaveTask:
    """Reads staves (`Task`): a `CRNNForCTC` or `R2CRNNForCTC` on cached features, chosen by the symbol error rate."""

    monitor = "ser"
    items = "staves"

    def __init__(self, config: TrainingConfig, accelerator: Accelerator) -> None:
        self.config, self.accelerator = config, accelerator
        self.built: BuiltModel = build_model(config)
        extract, frames = self.built.extract, self.built.config.output_length
        with accelerator.main_process_first():
            stride = self.built.config.width_stride
            self.staves = training_staves(config, extract, frames, width_stride=stride)
            self.validation = validation_staves(config, extract)
        self.model: nn.Module = self.built.model.to(accelerator.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.teacher = self._teacher()

    def _teacher(self) -> nn.Module | None:
        """The network whose front is imitated at first, in inference mode."""
        if self.config.imitate is None:
            return None
        if self.accelerator.num_processes > 1:
            raise ValueError("a recipe with imitate trains in one process, got several")
        teacher = trained_model(self.config.imitate.source, "imitate.source")
        check_teacher(self.model, teacher)
        return teacher.eval().requires_grad_(False).to(self.accelerator.device)

    def start(self, folder: Path) -> None:
        if self.built.transfer is not None:
            self.built.transfer.save(folder / "transfer.json")

    def batches(self, *, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[dict[str, Any]]:
        return iter(training_loader(self.staves, self.config, start=start, rank=rank, world=world))

    def loss(self, model: nn.Module, batch: dict[str, Any], progress: float) -> StepLoss:
        inputs, imitate = model_inputs(batch, self.accelerator.device), self.config.imitate
        if imitate is not None and self.teacher is not None and progress < imitate.share:
            return StepLoss(imitation_loss(self.model, self.teacher, inputs))
        return StepLoss(model(**inputs).loss)

    def validate(self, model: nn.Module) -> dict[str, float]:
        if not self.validation:
            return {}
        return validate(model, self.validation, self.built.tokens, batch_size=self.config.eval_batch_size)

    def export(self, folder: Path, model: nn.Module, log: Path) -> None:
        processor = processor_of(self.config, self.staves, self.built.config.modalities)
        export_model(folder, model, processor, self.config, log)
