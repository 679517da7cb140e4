"""What a recipe trains and validates on: cached features, labels, and the loader of augmented batches."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from hfmusic.data.augment import AugmentConfig, augment
from hfmusic.data.batching import BatchStream, BucketedBatches
from hfmusic.data.collate import StaveCollator, StaveItem, frames_needed
from hfmusic.data.feature_cache import Extractor, FeatureCache, feature_cache
from hfmusic.data.staves import spread
from hfmusic.symbolic.vocabulary import load_vocabulary
from hfmusic.training.config import TrainingConfig, TrainingData

logger = logging.getLogger(__name__)
FramesOfWidth = Callable[[int], int]


@dataclass(frozen=True)
class LabelledCaches:
    """One training set: the clean and the distorted features of the same staves, and their labels.

    `rows[i]` is the item's row in `clean` and in `distorted`, -1 where it has none.
    """

    data: TrainingData
    clean: FeatureCache | None
    distorted: FeatureCache | None
    rows: np.ndarray
    labels: list[np.ndarray]
    widths: np.ndarray


class TrainingStaves(Dataset[StaveItem]):
    """Items by `(index, serial)`: which of clean and distorted, and the damage, follow from the seed and the serial."""

    def __init__(
        self,
        sets: Sequence[LabelledCaches],
        augmentation: AugmentConfig,
        *,
        seed: int,
        width_stride: int,
        batch_size: int = 1,
    ) -> None:
        self.sets, self.augmentation, self.seed, self.width_stride = list(sets), augmentation, seed, width_stride
        self.batch_size = batch_size
        self.starts = np.concatenate([[0], np.cumsum([len(entry.labels) for entry in self.sets])])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, key: tuple[int, int]) -> StaveItem:
        index, serial = key
        rng = np.random.default_rng([self.seed, 1, serial])
        # one stretch for a batch: its items were chosen for their like widths, and padding costs time
        stretch = np.random.default_rng([self.seed, 2, serial // self.batch_size]).uniform(-1, 1)
        number = int(np.searchsorted(self.starts, index, side="right")) - 1
        entry, row = self.sets[number], index - int(self.starts[number])
        clean, distorted = entry.rows[row]
        use_distorted = rng.random() < entry.data.distorted_probability
        use_distorted = (use_distorted and distorted >= 0) or clean < 0
        cache = entry.distorted if use_distorted else entry.clean
        assert cache is not None
        place = int(distorted if use_distorted else clean)
        labels = entry.labels[row]
        # one column of outputs more than needed: the frames of a width round down
        least = (frames_needed(labels) + 1) * self.width_stride
        features = augment(cache[place], self.augmentation, rng, min_width=least, stretch=stretch)
        return StaveItem(id=cache.ids[place], features=features, labels=labels)

    def batches(self, config: TrainingConfig) -> BucketedBatches:
        """The bucketed batches of a recipe over these items."""
        groups = [np.arange(start, stop) for start, stop in zip(self.starts[:-1], self.starts[1:], strict=True)]
        return BucketedBatches(
            np.concatenate([entry.widths for entry in self.sets]),
            groups,
            [entry.data.weight for entry in self.sets],
            batch_size=config.batch_size,
            mega_batches=config.mega_batches,
            seed=config.seed,
        )


def training_staves(
    config: TrainingConfig, extract: Extractor, frames_of_width: FramesOfWidth, *, width_stride: int
) -> TrainingStaves:
    """Open (or build) the caches of a recipe's training sets.

    Staves without features, with tokens outside the vocabulary, or with more symbols than the model has frames are
    left out and counted in the log.
    """
    sets = [_labelled(config, data, extract, frames_of_width) for data in config.train]
    return TrainingStaves(
        sets, config.augment, seed=config.seed, width_stride=width_stride, batch_size=config.batch_size
    )


def open_cache(config: TrainingConfig, extract: Extractor, path: str, split: str, image: str) -> FeatureCache:
    """The feature cache of one split and image column with a recipe's processor."""
    return feature_cache(
        path,
        extract,
        description=json.dumps(config.processor, sort_keys=True),
        cache_dir=config.cache_dir,
        split=split,
        image=image,
        encoding=config.vocabulary,
        num_proc=config.num_proc,
    )


def _labelled(
    config: TrainingConfig, data: TrainingData, extract: Extractor, frames_of_width: FramesOfWidth
) -> LabelledCaches:
    vocabulary = load_vocabulary(config.vocabulary)
    clean = open_cache(config, extract, data.path, data.split, "image") if data.distorted_probability < 1 else None
    distorted = (
        open_cache(config, extract, data.path, data.split, "distorted") if data.distorted_probability > 0 else None
    )
    places: dict[str, list[int]] = {}
    texts: dict[str, str] = {}
    for column, cache in enumerate((clean, distorted)):
        for row, stave in enumerate(cache.ids if cache else ()):
            places.setdefault(stave, [-1, -1])[column] = row
            texts[stave] = cache.texts[row]  # type: ignore[union-attr]
    rows, labels, widths, unknown, narrow = [], [], [], 0, 0
    for stave, place in places.items():
        try:
            label = np.asarray(vocabulary.encode(texts[stave].split()), dtype=np.int64)
        except ValueError:
            unknown += 1
            continue
        sizes = [
            int(cache.widths[row]) for cache, row in zip((clean, distorted), place, strict=True) if cache and row >= 0
        ]
        if frames_of_width(min(sizes)) < frames_needed(label) or len(label) == 0:
            narrow += 1
            continue
        rows.append(place)
        labels.append(label)
        widths.append(max(sizes))
    failed = sum(len(cache.failed) for cache in (clean, distorted) if cache)
    message = "%s %s: %d staves; left out: %d images without features, %d staves with unknown tokens, %d too narrow"
    logger.info(message, data.path, data.split, len(rows), failed, unknown, narrow)
    if not rows:
        raise ValueError(
            f"nothing to train on in {data.path} {data.split}: {failed} without features, {unknown} unknown"
        )
    return LabelledCaches(data, clean, distorted, np.asarray(rows), labels, np.asarray(widths))


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)
    os.nice(5)


def training_loader(
    staves: TrainingStaves, config: TrainingConfig, *, start: int = 0, rank: int = 0, world: int = 1
) -> DataLoader[Any]:
    """Endless batches from optimizer step `start` on. Draws nothing from the global random state."""
    stream = BatchStream(staves.batches(config), start=start, rank=rank, world=world)
    return DataLoader(
        staves,
        batch_sampler=stream,
        collate_fn=StaveCollator(),
        num_workers=config.num_workers,
        worker_init_fn=_start_worker if config.num_workers else None,
        generator=torch.Generator().manual_seed(config.seed),
        pin_memory=torch.cuda.is_available(),
        prefetch_factor=4 if config.num_workers else None,
    )


@dataclass(frozen=True)
class ValidationStaves:
    """`features` views uint8 (H, W) and the reference tokens beside them, by ascending width."""

    label: str
    monitor: bool
    features: list[np.ndarray]
    references: list[list[str]]


def validation_staves(config: TrainingConfig, extract: Extractor) -> list[ValidationStaves]:
    """Open the caches of a recipe's validation sets, `n` staves of each spread evenly over it."""
    sets = []
    for data in config.validation:
        cache = open_cache(config, extract, data.path, data.split, data.image)
        if not len(cache):
            failed = len(cache.failed)
            raise ValueError(f"nothing to validate on in {data.path} {data.split}: {failed} images without features")
        chosen = sorted(spread(len(cache), data.n).tolist(), key=lambda row: int(cache.widths[row]))
        references = [cache.texts[row].split() for row in chosen]
        sets.append(ValidationStaves(data.label, data.monitor, [cache[row] for row in chosen], references))
    return sets
