"""Training on recordings: sounds to maps of keys, and those to notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from hfmusic.training.config import TrainingConfig
from hfmusic.training.export import export_model
from hfmusic.training.front_end import build_transcriber
from hfmusic.training.note_validation import MONITOR, validate_notes
from hfmusic.training.recording_data import crop_loader, training_crops, validation_recordings
from hfmusic.training.task import StepLoss


class RecordingTask:
    """Hears many voices (`Task`): a `UNetTranscriber` on crops of recordings, chosen by the note F1."""

    monitor = MONITOR
    items = "recordings"

    def __init__(self, config: TrainingConfig, accelerator: Accelerator) -> None:
        self.config, self.accelerator = config, accelerator
        model, self.front_end = build_transcriber(config)
        with accelerator.main_process_first():
            self.crops = training_crops(config, self.front_end)
            self.validation = validation_recordings(config, self.front_end)
        self.model: nn.Module = model.to(accelerator.device).to(memory_format=torch.channels_last)

    def start(self, folder: Path) -> None:
        """Nothing is told: a fresh model, or all of another."""

    def batches(self, *, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[dict[str, Any]]:
        return iter(crop_loader(self.crops, self.config, start=start, rank=rank, world=world))

    def loss(self, model: nn.Module, batch: dict[str, Any], progress: float) -> StepLoss:
        device = self.accelerator.device
        features = batch["input_features"].to(device, non_blocking=True)
        labels = {name: value.to(device, non_blocking=True) for name, value in batch["labels"].items()}
        output = model(input_features=features, labels=labels)
        parts = output.losses or {}
        return StepLoss(output.loss, dict(parts) if len(parts) > 1 else {})

    def validate(self, model: nn.Module) -> dict[str, float]:
        return validate_notes(model, self.validation, self.front_end, batch_size=self.config.eval_batch_size)

    def export(self, folder: Path, model: nn.Module, log: Path) -> None:
        export_model(folder, model, self.front_end.processor, self.config, log)
