"""What the loop trains: a task gives the model, its batches, its loss, and the number by which the best is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from hfmusic.training.config import TrainingConfig

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True)
class StepLoss:
    """The loss that is minimised, a scalar, and the parts it is made of, by name, for the log."""

    total: torch.Tensor
    parts: dict[str, torch.Tensor] = field(default_factory=dict)


class Task(Protocol):
    """A kind of training. Everything it draws follows from the recipe's seed and the step, so that runs resume exactly.

    Attributes:
        model: the network, on the device, as it is trained.
        monitor: the result of `validate` that chooses the best weights; lower is better.
        items: what a batch holds, in the plural, for messages.
    """

    model: nn.Module
    monitor: str
    items: str

    def start(self, folder: Path) -> None:
        """Write what a run's folder tells about where the model came from. Called once a run, by the main process."""

    def batches(self, *, start: int, rank: int, world: int) -> Iterator[dict[str, Any]]:
        """Endless batches from optimizer step `start` on, of process `rank` of `world`; each has `ids`."""

    def loss(self, model: nn.Module, batch: dict[str, Any], progress: float) -> StepLoss:
        """The loss of a batch. `model` is `self.model` as Accelerate wraps it; `progress` how far a training is."""

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Measures on the validation sets, empty without any; has `monitor` where a set is monitored."""

    def export(self, folder: Path, model: nn.Module, log: Path) -> None:
        """Write the model folder, with processor, recipe and log; `model` is not trained any more."""


def make_task(config: TrainingConfig, accelerator: Accelerator) -> Task:
    """The task of a recipe's architecture: its data are opened, or computed by the first process.

    Raises:
        ValueError: data that are not there, or parts of the recipe that do not fit each other.
    """
    if config.architecture == "unet_transcriber":
        from hfmusic.training.recording_task import RecordingTask

        return RecordingTask(config, accelerator)
    if config.architecture == "audio_score":
        from hfmusic.training.pair_task import PairTask

        return PairTask(config, accelerator)
    if config.architecture == "audio_roll_decoder":
        from hfmusic.training.roll_decoder_task import RollDecoderTask

        return RollDecoderTask(config, accelerator)
    from hfmusic.training.stave_task import StaveTask

    return StaveTask(config, accelerator)
