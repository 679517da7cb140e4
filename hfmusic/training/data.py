"""What a recipe trains and validates on: cached features, labels, and the loader of augmented batches."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from hfmusic.data.augment import AugmentConfig, augment
from hfmusic.data.batching import BatchStream, BucketedBatches
from hfmusic.data.collate import StaveCollator, StaveItem, frames_needed
from hfmusic.data.feature_cache import Extractor, FeatureCache, feature_cache
from hfmusic.data.spectrum_augment import SpectrumAugmentConfig, augment_spectrum
from hfmusic.data.staves import spread
from hfmusic.symbolic.vocabulary import load_vocabulary
from hfmusic.training.config import TrainingConfig, TrainingData

logger = logging.getLogger(__name__)
FramesOfWidth = Callable[[int], int]
Extractors = Mapping[str, Extractor]  # by modality


@dataclass(frozen=True)
class LabelledCaches:
    """One training set: the clean and the distorted features of the same staves, and their labels. Sounds are clean.

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
        audio_augmentation: SpectrumAugmentConfig = SpectrumAugmentConfig(probability=0.0),
        seed: int,
        width_stride: int,
        batch_size: int = 1,
    ) -> None:
        self.sets, self.augmentation, self.seed, self.width_stride = list(sets), augmentation, seed, width_stride
        self.audio_augmentation, self.batch_size = audio_augmentation, batch_size
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
        if entry.data.modality == "audio":
            features = augment_spectrum(cache[place], self.audio_augmentation, rng, min_width=least, stretch=stretch)
        else:
            features = augment(cache[place], self.augmentation, rng, min_width=least, stretch=stretch)
        return StaveItem(id=cache.ids[place], features=features, labels=labels, modality=entry.data.modality)

    def batches(self, config: TrainingConfig) -> BucketedBatches:
        """The bucketed batches of a recipe over these items."""
        groups = [np.arange(start, stop) for start, stop in zip(self.starts[:-1], self.starts[1:], strict=True)]
        return BucketedBatches(
            np.concatenate([entry.widths for entry in self.sets]),
            groups,
            [entry.data.weight for entry in self.sets],
            kinds=[entry.data.modality for entry in self.sets],
            batch_size=config.batch_size,
            mega_batches=config.mega_batches,
            seed=config.seed,
        )


def training_staves(
    config: TrainingConfig, extract: Extractors, frames_of_width: FramesOfWidth, *, width_stride: int
) -> TrainingStaves:
    """Open (or build) the caches of a recipe's training sets.

    Staves without features, with tokens outside the vocabulary, or with more symbols than the model has frames are
    left out and counted in the log.
    """
    sets = [_labelled(config, data, extract, frames_of_width) for data in config.train]
    return TrainingStaves(
        sets,
        config.augment,
        audio_augmentation=config.audio_augment,
        seed=config.seed,
        width_stride=width_stride,
        batch_size=config.batch_size,
    )


def open_cache(config: TrainingConfig, extract: Extractors, path: str, split: str, image: str) -> FeatureCache:
    """The feature cache of one split and column with a recipe's processor."""
    modality = "audio" if image == "audio" else "image"
    if modality not in extract:
        raise ValueError(f"the recipe's model takes {' and '.join(extract)}, but {path} is to be used for its {image}")
    return feature_cache(
        path,
        extract[modality],
        description=json.dumps(config.audio_processor if modality == "audio" else config.processor, sort_keys=True),
        cache_dir=config.cache_dir,
        split=split,
        image=image,
        encoding=config.vocabulary,
        num_proc=config.num_proc,
    )


def _labelled(
    config: TrainingConfig, data: TrainingData, extract: Extractors, frames_of_width: FramesOfWidth
) -> LabelledCaches:
    vocabulary = load_vocabulary(config.vocabulary)
    clean, distorted = _caches(config, data, extract)
    places: dict[str, list[int]] = {}
    texts: dict[str, str] = {}
    for column, cache in enumerate((clean, distorted)):
        for row, stave in enumerate(cache.ids if cache else ()):
            places.setdefault(stave, [-1, -1])[column] = row
            texts[stave] = cache.texts[row]  # type: ignore[union-attr]
    listed = places if data.ids is None else [stave for stave in read_ids(data.ids) if stave in places]
    wanted = [stave for stave in listed if stave.startswith(data.prefix)]
    rows: list[list[int]] = []
    labels, widths, unknown, narrow, wide = [], [], 0, 0, 0
    for stave in wanted:
        if len(rows) == data.n:
            break
        place = places[stave]
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
        if data.max_width is not None and max(sizes) > data.max_width:
            wide += 1
            continue
        rows.append(place)
        labels.append(label)
        widths.append(max(sizes))
    failed = sum(len(cache.failed) for cache in (clean, distorted) if cache)
    message = "%s %s: %d staves; left out: %d without features, %d with unknown tokens, %d too narrow, %d too wide"
    logger.info(message, data.path, data.split, len(rows), failed, unknown, narrow, wide)
    if not rows:
        raise ValueError(
            f"nothing to train on in {data.path} {data.split}: {failed} without features, {unknown} unknown"
        )
    return LabelledCaches(data, clean, distorted, np.asarray(rows), labels, np.asarray(widths))


def _caches(
    config: TrainingConfig, data: TrainingData, extract: Extractors
) -> tuple[FeatureCache | None, FeatureCache | None]:
    """The clean and the distorted features, None where none of them are used."""
    if data.modality == "audio":
        return open_cache(config, extract, data.path, data.split, "audio"), None
    share = data.distorted_probability
    clean = open_cache(config, extract, data.path, data.split, "image") if share < 1 else None
    return clean, open_cache(config, extract, data.path, data.split, "distorted") if share > 0 else None


def read_ids(path: str) -> list[str]:
    """The ids of a list, one a line."""
    try:
        return Path(path).read_text(encoding="utf-8").split()
    except OSError as error:
        raise ValueError(f"ids must be a text file of ids, got {path!r} ({error.strerror})") from None


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
    modality: str = "image"


def validation_staves(config: TrainingConfig, extract: Extractors) -> list[ValidationStaves]:
    """Open the caches of a recipe's validation sets, `n` staves of each spread evenly over it."""
    sets = []
    for data in config.validation:
        cache = open_cache(config, extract, data.path, data.split, data.image)
        rows = np.arange(len(cache))
        if data.ids is not None:
            known = set(read_ids(data.ids))
            rows = np.asarray([row for row, stave in enumerate(cache.ids) if stave in known], dtype=np.int64)
        if not len(rows):
            failed = len(cache.failed)
            raise ValueError(f"nothing to validate on in {data.path} {data.split}: {failed} without features")
        chosen = sorted(rows[spread(len(rows), data.n)].tolist(), key=lambda row: int(cache.widths[row]))
        references = [cache.texts[row].split() for row in chosen]
        sets.append(
            ValidationStaves(data.label, data.monitor, [cache[row] for row in chosen], references, data.modality)
        )
    return sets
