"""Pictures of staves to the input of a CTC model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from transformers import BaseImageProcessor, BatchFeature

from .image_features import StaffFeatures, staff_features
from .image_reading import grey_pixels, open_picture

Picture = Image.Image | np.ndarray | str | Path


class StaffImageProcessor(BaseImageProcessor):
    """Staff pictures -> `input_features` float32 (B, 1, height, W), ink = 1, right padded with 0.

    Args:
        height, mode, staff_space, max_width: see `staff_features`. The defaults are paper 000's.
        pad_multiple: W is a multiple of this; of the model's stride, so that frames and columns line up.
    """

    model_input_names = ["input_features", "attention_mask"]
    _auto_class = "AutoImageProcessor"

    def __init__(
        self,
        height: int = 256,
        mode: str = "height",
        staff_space: float = 7.0,
        max_width: int = 16384,
        pad_multiple: int = 8,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if mode not in ("height", "staff"):
            raise ValueError(f'mode must be "height" or "staff", got {mode!r}')
        if min(height, max_width, pad_multiple) < 1 or staff_space <= 0:
            raise ValueError(
                "height, staff_space, max_width and pad_multiple must be positive, "
                f"got {height}, {staff_space}, {max_width} and {pad_multiple}"
            )
        self.height, self.mode, self.staff_space = height, mode, staff_space
        self.max_width, self.pad_multiple = max_width, pad_multiple

    def features(self, image: Picture) -> StaffFeatures:
        """One picture: a PIL image, pixels (see `grey_pixels`) or a file.

        Raises:
            ValueError: what was given is no picture, or no staff is in it.
        """
        if isinstance(image, str | Path):
            image = open_picture(image)
        options: dict[str, Any] = {"mode": self.mode, "staff_space": self.staff_space, "max_width": self.max_width}
        return staff_features(grey_pixels(_as_array(image)), height=self.height, **options)

    def preprocess(
        self, images: Picture | Sequence[Picture], return_tensors: str | None = None, **_: Any
    ) -> BatchFeature:
        """One picture or several, to a batch.

        Returns:
            `input_features` (B, 1, height, W) float32; `attention_mask` (B, W) int64, 1 = real columns;
            `geometry` (B, 2) float32: column x of item b was pixel `x / geometry[b, 0] + geometry[b, 1]`.

        Raises:
            ValueError: a picture that cannot be read; in a batch its place is named.
        """
        single = not isinstance(images, list | tuple)
        pictures: list[Any] = [images] if single else list(images)  # type: ignore[arg-type]
        if not pictures:
            raise ValueError("at least one picture is needed, got none")
        found = []
        for number, picture in enumerate(pictures):
            try:
                found.append(self.features(picture))
            except ValueError as error:
                raise error if len(pictures) == 1 else type(error)(f"picture {number}: {error}") from None
        return BatchFeature(self._padded(found), tensor_type=return_tensors)

    def _padded(self, items: list[StaffFeatures]) -> dict[str, np.ndarray]:
        width = max(item.values.shape[1] for item in items)
        width = -(-width // self.pad_multiple) * self.pad_multiple
        features = np.zeros((len(items), 1, self.height, width), np.float32)
        mask = np.zeros((len(items), width), np.int64)
        for row, item in enumerate(items):
            real = item.values.shape[1]
            features[row, 0, :, :real] = item.values
            mask[row, :real] = 1
        geometry = np.array([(item.scale_x, item.offset_x) for item in items], np.float32)
        return {"input_features": features, "attention_mask": mask, "geometry": geometry}


def _as_array(image: Any) -> Any:
    """A tensor's array; anything else as it is."""
    return image.detach().cpu().numpy() if hasattr(image, "detach") else image
