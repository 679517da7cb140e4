"""A new front learns from a trained one (hints; A. Romero et al., FitNets, ICLR 2015).

While a training is young, the front of the new network is taught to give the frames that the teacher's front gives for
the same pictures: every frame tells what is in it, where CTC would first have to find out. What follows the fronts
(LSTMs and output layer, usually the teacher's by `transfer`) is left alone until CTC takes over.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def check_teacher(student: Any, teacher: Any) -> None:
    """Raises:
    ValueError: a teacher whose frames have another rate or size, or that lacks one of the student's modalities.
    """
    ours, theirs = student.config, teacher.config
    for name in ("width_stride", "input_height"):
        if getattr(ours, name) != getattr(theirs, name):
            raise ValueError(
                f"imitate.source must have {name} {getattr(ours, name)} as the network has, got {getattr(theirs, name)}"
            )
    missing = [modality for modality in ours.modalities if modality not in theirs.modalities]
    if missing:
        raise ValueError(f"imitate.source must take {missing[0]}, it takes {', '.join(theirs.modalities)}")
    sizes = [model.crnn.recurrent[0].forward_lstm.input_size for model in (student, teacher)]
    if sizes[0] != sizes[1]:
        raise ValueError(f"imitate.source must give frames of {sizes[0]} features, it gives {sizes[1]}")


def imitation_loss(student: nn.Module, teacher: nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
    """Part of the variance of the teacher's frames that the student's miss: a scalar, 0 when they are equal.

    Args:
        student, teacher: `CRNNForCTC` or `R2CRNNForCTC` that `check_teacher` accepts; the teacher in inference mode.
        inputs: `input_features` (B, 1, H, W), `attention_mask` (B, W) and `modality`.
    """
    features, mask, modality = inputs["input_features"], inputs["attention_mask"], inputs["modality"]
    columns = mask.long().sum(dim=1)
    with torch.no_grad():
        wanted = teacher.crnn.fronts[modality](features, columns).float()  # type: ignore[union-attr,operator,index]
    got = student.crnn.fronts[modality](features, columns).float()  # type: ignore[union-attr,operator,index]
    frames = student.config.output_length(columns).unsqueeze(1)  # type: ignore[union-attr,operator]
    real = torch.arange(got.shape[1], device=got.device) < frames
    wanted, got = wanted[real], got[real]
    return (got - wanted).square().mean() / wanted.var(dim=0, correction=0).mean().clamp(min=1e-8)
