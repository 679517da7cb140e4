"""How well a model finds the score of an excerpt, and the excerpt of a score, while it trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hfmusic.metrics.ranking import ranking_scores
from hfmusic.training.pair_data import Pair, ValidationPairs, collate

MONITOR = "retrieval_error"  # 100 % less the mean reciprocal rank
TOLD = ("r@1", "r@25", "mrr")


def model_inputs(batch: dict[str, Any], device: torch.device) -> dict[str, Tensor]:
    """What `AudioScoreModel.forward` takes, of a collated batch."""
    pixels = batch["pixel_values"].to(device, non_blocking=True).float() / 255
    return {"input_features": batch["input_features"].to(device, non_blocking=True), "pixel_values": pixels}


@torch.inference_mode()
def validate_pairs(model: nn.Module, sets: Sequence[ValidationPairs], *, batch_size: int = 32) -> dict[str, float]:
    """`r@1/LABEL`, `r@25/LABEL` and `mrr/LABEL` in percent, means of both directions, and `median_rank/LABEL` of
    excerpts that look for snippets, for each set; `retrieval_error`: 100 less the mean mrr of the monitored sets.

    The model's mode is restored afterwards.
    """
    results: dict[str, float] = {}
    was_training = model.training
    model.eval()
    for entry in sets:
        audio, score = _embedded(model, entry.pairs, batch_size)
        there = ranking_scores(audio, score, ids=entry.contents)
        back = ranking_scores(score, audio, ids=entry.contents)
        results |= {f"{name}/{entry.label}": 50 * (there[name] + back[name]) for name in TOLD}
        results[f"median_rank/{entry.label}"] = there["median_rank"]
    model.train(was_training)
    monitored = [results[f"mrr/{entry.label}"] for entry in sets if entry.monitor]
    if monitored:
        results[MONITOR] = 100 - sum(monitored) / len(monitored)
    return results


@torch.inference_mode()
def refit(model: nn.Module, pairs: Sequence[Pair], *, batch_size: int = 32) -> None:
    """Fit a model's projection "cca" to pairs (at least more than its vectors have numbers); its mode is restored."""
    was_training = model.training
    model.eval()
    codes = [
        (model.audio_codes(inputs["input_features"]), model.score_codes(inputs["pixel_values"]))  # type: ignore[operator]
        for inputs in _batches(model, pairs, batch_size)
    ]
    audio, score = (torch.cat(part) for part in zip(*codes, strict=True))
    model.refit_cca(audio, score)  # type: ignore[operator]
    model.train(was_training)


def _embedded(model: nn.Module, pairs: Sequence[Pair], batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    outputs = [model(**inputs) for inputs in _batches(model, pairs, batch_size)]
    audio, score = (torch.cat([output[name] for output in outputs]) for name in ("audio_embeds", "score_embeds"))
    return audio.cpu().numpy(), score.cpu().numpy()


def _batches(model: nn.Module, pairs: Sequence[Pair], batch_size: int) -> Iterator[dict[str, Tensor]]:
    device = next(model.parameters()).device
    for start in range(0, len(pairs), batch_size):
        stop = min(start + batch_size, len(pairs))
        yield model_inputs(collate([pairs[place] for place in range(start, stop)]), device)
