"""Error rates of a model on prepared staves, decoded greedily, while it trains."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from hfmusic.data.collate import StaveCollator, StaveItem, model_inputs
from hfmusic.metrics.sequence import sequence_error_rate, symbol_error_rate
from hfmusic.training.data import ValidationStaves


def collapse(path: np.ndarray, blank: int) -> list[int]:
    """Ids a CTC path spells: repeats joined, blanks dropped.

    >>> collapse(np.array([9, 3, 3, 9, 3, 5]), blank=9)
    [3, 3, 5]
    """
    changes = np.flatnonzero(np.diff(path, prepend=-1))
    return [int(index) for index in path[changes] if index != blank]


@torch.inference_mode()
def greedy_ids(
    model: nn.Module, features: list[np.ndarray], *, blank: int, batch_size: int = 32, modality: str = "image"
) -> list[list[int]]:
    """Ids read from features, uint8 (H, W) each, in batches as they come (order them by width).

    `model` is a `CRNNForCTC`, in evaluation mode.
    """
    device = next(model.parameters()).device
    collate, found = StaveCollator(), []
    for start in range(0, len(features), batch_size):
        items = [
            StaveItem(id="", features=np.asarray(one), labels=np.zeros(0, np.int64), modality=modality)
            for one in features[start : start + batch_size]
        ]
        inputs = model_inputs(collate(items), device)
        inputs.pop("labels")
        logits = model(**inputs).logits
        lengths = model.output_lengths(inputs["attention_mask"]).tolist()  # type: ignore[operator]
        best = logits.argmax(-1).cpu().numpy()
        found += [collapse(path[:length], blank) for path, length in zip(best, lengths, strict=True)]
    return found


def validate(
    model: nn.Module, sets: list[ValidationStaves], tokens: tuple[str, ...], *, batch_size: int = 32
) -> dict[str, float]:
    """`ser/LABEL` and `sequence_error_rate/LABEL`, percent, for each set, and `ser`: the mean of the monitored sets.

    The model's mode is restored afterwards.
    """
    results: dict[str, float] = {}
    was_training = model.training
    model.eval()
    for entry in sets:
        ids = greedy_ids(model, entry.features, blank=len(tokens), batch_size=batch_size, modality=entry.modality)
        predictions = [[tokens[index] for index in sequence] for sequence in ids]
        results[f"ser/{entry.label}"] = symbol_error_rate(entry.references, predictions)
        results[f"sequence_error_rate/{entry.label}"] = sequence_error_rate(entry.references, predictions)
    model.train(was_training)
    monitored = [results[f"ser/{entry.label}"] for entry in sets if entry.monitor]
    if monitored:
        results["ser"] = sum(monitored) / len(monitored)
    return results
