"""Batches: padding, masks, labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hfmusic.data.collate import StaveCollator, StaveItem, frames_needed, model_inputs


def item(width: int, labels: list[int]) -> StaveItem:
    return StaveItem(
        id=str(width), features=np.full((4, width), 255, np.uint8), labels=np.array(labels, np.int64), modality="image"
    )


def test_a_batch_by_hand() -> None:
    batch = StaveCollator(pad_multiple=4)([item(3, [7, 8]), item(6, [9])])
    assert batch["input_features"].shape == (2, 1, 4, 8) and batch["input_features"].dtype == torch.uint8
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 0, 0]]
    assert batch["labels"].tolist() == [[7, 8], [9, -100]]
    assert batch["ids"] == ["3", "6"] and batch["modality"] == "image"
    assert batch["input_features"][0, 0, :, 3:].sum() == 0


def test_model_inputs_are_floats_up_to_one() -> None:
    inputs = model_inputs(StaveCollator()([item(3, [7])]))
    assert set(inputs) == {"input_features", "attention_mask", "labels", "modality"}
    assert inputs["input_features"].dtype == torch.float32
    assert inputs["input_features"].max() == 1.0 and inputs["input_features"].sum() == 12.0


def test_a_batch_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one item, got none"):
        StaveCollator()([])


@pytest.mark.parametrize(("labels", "frames"), [([], 0), ([4], 1), ([4, 4], 3), ([4, 5, 4], 3), ([1, 1, 1], 5)])
def test_frames_a_label_needs(labels: list[int], frames: int) -> None:
    assert frames_needed(labels) == frames
