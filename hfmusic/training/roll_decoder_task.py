"""Training a decoder of rolls: matching of audio and rolls, and reconstruction of the roll, together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hfmusic.metrics.ranking import ranking_scores
from hfmusic.models.configuration_audio_roll_decoder import RollDecoderConfig
from hfmusic.models.modeling_audio_roll_decoder import RollDecoder
from hfmusic.models.modeling_audio_score import AudioScoreModel
from hfmusic.models.processing_audio_roll import AudioRollProcessor
from hfmusic.training.config import TrainingConfig
from hfmusic.training.pair_data import ValidationPairs, collate
from hfmusic.training.pair_model import Processor
from hfmusic.training.pair_task import PairTask
from hfmusic.training.pair_validation import model_inputs
from hfmusic.training.task import StepLoss

MONITOR = "decoding_error"  # 100 % less the mean of frame_f1 and onset_f1
ROLL = "strokes"  # the kind that tells velocities and beginnings
STRUCK = 128  # in its bytes, where a note begins
LOSS_OPTIONS = ("loss_weights", "positive_weight", "temperature", "learned_temperature")


class RollDecoderTask(PairTask):
    """Decodes rolls (`Task`): a `RollDecoder` on pairs of audio and rolls, chosen by how well it decodes audio."""

    monitor = MONITOR

    @staticmethod
    def build(config: TrainingConfig) -> tuple[AudioScoreModel, Processor]:
        """See `build_roll_decoder`."""
        return build_roll_decoder(config)

    def loss(self, model: nn.Module, batch: dict[str, Any], progress: float) -> StepLoss:
        output = model(**decoder_inputs(batch, self.accelerator.device))
        return StepLoss(output.loss, dict(output.losses))

    def validate(self, model: nn.Module) -> dict[str, float]:
        return validate_decoder(model, self.validation, batch_size=self.config.eval_batch_size)


def build_roll_decoder(config: TrainingConfig) -> tuple[RollDecoder, AudioRollProcessor]:
    """The decoder of a recipe, fresh or from the folder `initial`, and its processor.

    Raises:
        ValueError: a part of the recipe that only staves have, sizes for a network that is there already, or no network
            in `initial`.
    """
    for part in ("transfer", "imitate"):
        if getattr(config, part) is not None:
            raise ValueError(f"a recipe of an audio_roll_decoder has no section {part}: it starts from initial")
    if config.initial is None:
        sizes = RollDecoderConfig(**config.model)
        return RollDecoder(sizes), AudioRollProcessor.for_config(sizes, **{"roll": ROLL, **config.processor})
    wrong = [name for name in config.model if name not in LOSS_OPTIONS]
    if wrong or config.processor:
        raise ValueError(
            f"with initial, model takes only {', '.join(LOSS_OPTIONS)} and processor nothing: the network is given; "
            f"got {[*wrong, *config.processor][0]}"
        )
    try:
        model = RollDecoder.from_pretrained(config.initial, **config.model)
        return model, AudioRollProcessor.from_pretrained(config.initial)
    except OSError as error:
        raise ValueError(f"initial must be a model folder or a Hub name, got {config.initial!r}") from error


def decoder_inputs(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """What `RollDecoder.forward` takes, of a collated batch whose rolls are of the kind "strokes"."""
    rolls = batch["pixel_values"][:, 0].to(device, non_blocking=True)
    return {**model_inputs(batch, device), "labels": roll_labels(rolls)}


def roll_labels(rolls: Tensor) -> dict[str, Tensor]:
    """Bytes (B, 128, steps) of the kind "strokes" to what is to be decoded, float32 in 0..1 each.

    >>> {name: values.tolist() for name, values in roll_labels(torch.tensor([0, 127, 255], dtype=torch.uint8)).items()}
    {'frame': [0.0, 1.0, 1.0], 'onset': [0.0, 0.0, 1.0], 'velocity': [0.0, 1.0, 1.0]}
    """
    velocity = (rolls & (STRUCK - 1)).float() / 127
    return {"frame": (rolls > 0).float(), "onset": (rolls >= STRUCK).float(), "velocity": velocity}


@torch.inference_mode()
def validate_decoder(model: nn.Module, sets: Sequence[ValidationPairs], *, batch_size: int = 32) -> dict[str, float]:
    """`frame_f1/LABEL` and `onset_f1/LABEL` of cells decoded from audio, at the threshold 0.5, and `mrr/LABEL` of
    excerpts that look for rolls, in percent, for each set; `decoding_error`: 100 less the mean F1 of the monitored
    sets.

    The model's mode is restored afterwards.
    """
    results: dict[str, float] = {}
    was_training = model.training
    model.eval()
    for entry in sets:
        counts, audio, score = np.zeros((2, 3)), [], []
        for start in range(0, len(entry.pairs), batch_size):
            inputs = decoder_inputs(collate(entry.pairs[start : start + batch_size]), _device(model))
            output = model(**inputs)
            counts += [_counts(output.logits[name], inputs["labels"][name]) for name in ("frame", "onset")]
            audio.append(output.audio_embeds.cpu().numpy())
            score.append(output.score_embeds.cpu().numpy())
        for name, (hits, wanted, found) in zip(("frame", "onset"), counts.tolist(), strict=True):
            results[f"{name}_f1/{entry.label}"] = 200 * hits / max(1.0, wanted + found)
        ranks = ranking_scores(np.concatenate(audio), np.concatenate(score), ids=entry.contents)
        results[f"mrr/{entry.label}"] = 100 * ranks["mrr"]
    model.train(was_training)
    chosen = [results[f"{name}_f1/{one.label}"] for one in sets if one.monitor for name in ("frame", "onset")]
    if chosen:
        results[MONITOR] = 100 - sum(chosen) / len(chosen)
    return results


def _counts(logits: Tensor, labels: Tensor) -> list[float]:
    """Cells in both, in the labels, and found."""
    found, wanted = logits > 0, labels > 0
    return [float((found & wanted).sum()), float(wanted.sum()), float(found.sum())]


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
