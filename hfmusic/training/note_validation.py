"""How well a transcriber finds notes, while it trains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from hfmusic.metrics.notes import mean_scores, note_scores
from hfmusic.models.note_decoding import NoteEvent
from hfmusic.training.front_end import FrontEnd
from hfmusic.training.recording_data import ValidationRecordings

MONITOR = "note_error"  # 100 % less the note F1
TOLD = ("note_f1", "frame_f1", "note_offset_f1")


@torch.inference_mode()
def validate_notes(
    model: nn.Module, sets: Sequence[ValidationRecordings], front_end: FrontEnd, *, batch_size: int = 4
) -> dict[str, float]:
    """`note_f1/LABEL`, `frame_f1/LABEL` and `note_offset_f1/LABEL` in percent, means over recordings, and
    `validation_loss/LABEL` for each set; `note_error`: 100 less the mean note F1 of the monitored sets.

    Notes are decoded with the processor's thresholds. The model's mode is restored afterwards.
    """
    results: dict[str, float] = {}
    was_training = model.training
    model.eval()
    for entry in sets:
        scores, losses = [], []
        for start in range(0, len(entry.features), batch_size):
            part = slice(start, start + batch_size)
            found, loss = _hear(model, entry.features[part], entry.notes[part], front_end)
            scores += [note_scores(wanted, got) for wanted, got in zip(entry.notes[part], found, strict=True)]
            losses.append(loss * len(found))
        means = mean_scores(scores)
        results |= {f"{name}/{entry.label}": 100 * means[name] for name in TOLD}
        results[f"validation_loss/{entry.label}"] = sum(losses) / len(scores)
    model.train(was_training)
    monitored = [results[f"note_f1/{entry.label}"] for entry in sets if entry.monitor]
    if monitored:
        results[MONITOR] = 100 - sum(monitored) / len(monitored)
    return results


def _hear(
    model: nn.Module, features: Sequence[np.ndarray], notes: Sequence[Sequence[NoteEvent]], front_end: FrontEnd
) -> tuple[list[list[NoteEvent]], float]:
    """Notes found in a batch, and its loss."""
    device = next(model.parameters()).device
    lengths, longest = [len(one) for one in features], max(map(len, features))
    labels = [front_end.labels(wanted, longest) for wanted in notes]
    output = model(
        input_features=torch.from_numpy(np.stack([_grown(one, longest) for one in features])[:, None]).to(device),
        attention_mask=torch.tensor([[int(frame < one) for frame in range(longest)] for one in lengths]).to(device),
        labels={name: torch.from_numpy(np.stack([one[name] for one in labels])).to(device) for name in labels[0]},
    )
    maps = {name: values.cpu().numpy() for name, values in output.probabilities().items()}
    found = [
        front_end.processor.decode({name: values[row, :length] for name, values in maps.items()})
        for row, length in enumerate(lengths)
    ]
    return found, float(output.loss)


def _grown(features: np.ndarray, frames: int) -> np.ndarray:
    return np.pad(features, ((0, frames - len(features)), (0, 0)))
