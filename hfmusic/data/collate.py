"""Features of staves to training batches: padding, masks and labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
import torch


class StaveItem(TypedDict):
    """`features` uint8 (height, width), ink = 255; `labels` int (length,); `id` for messages; `modality`: "image" or
    "audio", the same for all items of a batch."""

    id: str
    features: np.ndarray
    labels: np.ndarray
    modality: str


class StaveCollator:
    """Pad items to the widest: the keyword arguments of `CRNNForCTC.forward`, `ids` and `modality`.

    Returns `input_features` uint8 (B, 1, H, W), ink = 255, right padded with 0 (paper); `attention_mask` int64 (B, W),
    1 = real; `labels` int64 (B, L) padded with -100. W is a multiple of `pad_multiple`, so that few shapes occur.
    Pixels stay bytes on their way from the worker to the device; `model_inputs` makes them floats there.
    """

    def __init__(self, pad_multiple: int = 8) -> None:
        self.pad_multiple = pad_multiple

    def __call__(self, items: Sequence[StaveItem]) -> dict[str, Any]:
        if not items:
            raise ValueError("a batch needs at least one item, got none")
        width = max(item["features"].shape[1] for item in items)
        width = -(-width // self.pad_multiple) * self.pad_multiple
        height, length = items[0]["features"].shape[0], max(len(item["labels"]) for item in items)
        features = np.zeros((len(items), 1, height, width), np.uint8)
        mask = np.zeros((len(items), width), np.int64)
        labels = np.full((len(items), length), -100, np.int64)
        for row, item in enumerate(items):
            real = item["features"].shape[1]
            features[row, 0, :, :real] = item["features"]
            mask[row, :real] = 1
            labels[row, : len(item["labels"])] = item["labels"]
        return {
            "input_features": torch.from_numpy(features),
            "attention_mask": torch.from_numpy(mask),
            "labels": torch.from_numpy(labels),
            "ids": [item["id"] for item in items],
            "modality": items[0]["modality"],
        }


def model_inputs(batch: dict[str, Any], device: torch.device | str = "cpu") -> dict[str, Any]:
    """Keyword arguments of a model from a collated batch, on its device: features float32 in 0..1, channels last."""
    inputs: dict[str, Any] = {
        name: value.to(device, non_blocking=True) for name, value in batch.items() if isinstance(value, torch.Tensor)
    }
    features = inputs["input_features"].to(memory_format=torch.channels_last)
    return inputs | {"input_features": features.float().div_(255), "modality": batch["modality"]}


def frames_needed(labels: Sequence[int] | np.ndarray) -> int:
    """Least frames CTC needs to spell labels: one each, and a blank between equal neighbours.

    >>> frames_needed([5, 5, 7])
    4
    """
    labels = np.asarray(labels)
    return len(labels) + int((labels[1:] == labels[:-1]).sum())
