"""Features of staves to training batches: padding, masks and labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
import torch


class StaveItem(TypedDict):
    """`features` uint8 (height, width), ink = 255; `labels` int (length,); `id` for messages."""

    id: str
    features: np.ndarray
    labels: np.ndarray


class StaveCollator:
    """Pad items to the widest: the keyword arguments of `CRNNForCTC.forward`, and `ids`.

    Returns `input_features` float32 (B, 1, H, W) in 0..1, right padded with 0 (paper); `attention_mask` int64 (B, W),
    1 = real; `labels` int64 (B, L) padded with -100. W is a multiple of `pad_multiple`, so that few shapes occur.
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
            "input_features": torch.from_numpy(features).float().div_(255),
            "attention_mask": torch.from_numpy(mask),
            "labels": torch.from_numpy(labels),
            "ids": [item["id"] for item in items],
        }


def frames_needed(labels: Sequence[int] | np.ndarray) -> int:
    """Least frames CTC needs to spell labels: one each, and a blank between equal neighbours.

    >>> frames_needed([5, 5, 7])
    4
    """
    labels = np.asarray(labels)
    return len(labels) + int((labels[1:] == labels[:-1]).sum())
