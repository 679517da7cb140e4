"""What an embedding trains and validates on: pairs cut from cached rows or rolls and spectrograms, damaged as they are
drawn."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from hfmusic.data.batching import BatchStream
from hfmusic.data.staves import spread
from hfmusic.models.processing_audio_roll import AudioRollProcessor
from hfmusic.training.config import TrainingConfig, TrainingData, ValidationData
from hfmusic.training.data import read_ids
from hfmusic.training.pair_augment import PairAugmentConfig, cut_excerpt, cut_snippet, damage_snippet, keeps
from hfmusic.training.pair_batches import PairBatches
from hfmusic.training.pair_cache import CachedRendition, PairCache, geometry_of, pair_cache
from hfmusic.training.pair_model import Processor
from hfmusic.training.recording_data import start_worker
from hfmusic.training.roll_cache import CachedRolls, RollCache, cut_roll, roll_cache

logger = logging.getLogger(__name__)
Cache = PairCache | RollCache


class Pair(TypedDict):
    """`features` float32 (frames, bands); `pixels` uint8 (rows, columns) of a snippet or a roll; `id` of the rendition,
    for messages."""

    id: str
    features: np.ndarray
    pixels: np.ndarray


@dataclass(frozen=True)
class PairSet:
    """One training set: those pairs of a cache that are taken."""

    data: TrainingData
    cache: Cache
    taken: np.ndarray


class TrainingPairs(Dataset[Pair]):
    """Pairs by `(index, serial)`: damage follows from the seed and the serial."""

    def __init__(self, sets: Sequence[PairSet], processor: Processor, config: TrainingConfig) -> None:
        self.sets, self.processor, self.config = list(sets), processor, config
        self.starts = np.concatenate([[0], np.cumsum([len(entry.taken) for entry in self.sets])])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, key: tuple[int, int]) -> Pair:
        index, serial = key
        rng = np.random.default_rng([self.config.seed, 1, serial])
        return self._cut(index, self.config.pair_augment, rng)

    def _cut(self, index: int, augment: PairAugmentConfig, rng: np.random.Generator) -> Pair:
        number = int(np.searchsorted(self.starts, index, side="right")) - 1
        entry = self.sets[number]
        return cut_pair(entry.cache, int(entry.taken[index - int(self.starts[number])]), self.processor, augment, rng)

    def sample(self, count: int) -> Sequence[Pair]:
        """Up to so many pairs, spread evenly over all, undamaged; cut when they are asked for."""
        return _Plain(self, spread(len(self), count))

    def batches(self) -> PairBatches:
        """The batches of the recipe."""
        caches = [(entry.cache, entry.taken) for entry in self.sets]
        owners = [cache.owners[taken] for cache, taken in caches]
        rows, renditions = (np.cumsum([0, *sizes[:-1]]) for sizes in self._sizes())  # numbers over all sets
        return PairBatches(
            rows=np.concatenate(
                [
                    np.array([one.row for one in cache.renditions])[owner] + first
                    for (cache, _), owner, first in zip(caches, owners, rows, strict=True)
                ]
            ),
            renditions=np.concatenate([owner + first for owner, first in zip(owners, renditions, strict=True)]),
            **{
                name: np.concatenate([getattr(cache, name)[taken] for cache, taken in caches])
                for name in ("xs", "frames", "contents")
            },
            groups=[np.arange(start, stop) for start, stop in zip(self.starts[:-1], self.starts[1:], strict=True)],
            repeats=[entry.data.weight for entry in self.sets],
            batch_size=self.config.batch_size,
            config=self.config.pairs,
            seed=self.config.seed,
        )

    def _sizes(self) -> tuple[list[int], list[int]]:
        """Rows and renditions of each set."""
        rows = [entry.cache.rows for entry in self.sets]
        return rows, [len(entry.cache.renditions) for entry in self.sets]


class _Plain(Sequence[Pair]):
    """Pairs without damage."""

    def __init__(self, pairs: TrainingPairs, chosen: np.ndarray) -> None:
        self.pairs, self.chosen = pairs, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, place: Any) -> Any:
        return self.pairs._cut(int(self.chosen[place]), PairAugmentConfig(), np.random.default_rng(0))


def cut_pair(
    cache: Cache,
    place: int,
    processor: Processor,
    augment: PairAugmentConfig,
    rng: np.random.Generator,
) -> Pair:
    """Pair `place` of a cache, damaged; without damage what the processor cuts."""
    owner = int(cache.owners[place])
    if isinstance(cache, RollCache) or isinstance(processor, AudioRollProcessor):
        assert isinstance(cache, RollCache) and isinstance(processor, AudioRollProcessor)
        features, pixels = cut_roll(cache, place, processor, augment, rng)
        return Pair(id=cache.renditions[owner].id, features=features, pixels=pixels)
    geometry = geometry_of(processor)
    row, x = cache.row(cache.renditions[owner].row), float(cache.xs[place]) * geometry.image_scale
    pixels = damage_snippet(cut_snippet(row, x, geometry, augment, rng), augment, rng)
    spectrogram, middle = cache.spectrogram(owner), int(cache.frames[place])
    features = cut_excerpt(spectrogram, middle, geometry, augment, rng)
    return Pair(id=cache.renditions[owner].id, features=features, pixels=pixels)


def open_cache(dataset: str, split: str, processor: Processor, cache_dir: str) -> Cache:
    """The pairs of a split for a processor, of images or of rolls; see `pair_cache` and `roll_cache`."""
    if isinstance(processor, AudioRollProcessor):
        return roll_cache(dataset, split, processor, cache_dir)
    return pair_cache(dataset, split, processor, cache_dir)


def training_pairs(config: TrainingConfig, processor: Processor) -> TrainingPairs:
    """Open (or make) the caches of a recipe's training sets.

    Raises:
        ValueError: nothing to train on in a set, or what `pair_cache` refuses.
    """
    return TrainingPairs([_pair_set(config, data, processor) for data in config.train], processor, config)


def _pair_set(config: TrainingConfig, data: TrainingData, processor: Processor) -> PairSet:
    cache = open_cache(data.path, data.split, processor, config.cache_dir)
    kept = [place for place in _chosen(cache, data) if keeps(config.pair_augment, cache.renditions[place])][: data.n]
    taken = np.flatnonzero(np.isin(cache.owners, kept))
    if not len(taken):
        raise ValueError(f"nothing to train on in {data.path} {data.split}: no rendition is taken")
    pieces = len({cache.renditions[place].row for place in kept})
    told = (data.path, data.split, pieces, len(kept), len(cache.renditions), len(taken))
    logger.info("%s %s: %d pieces, %d of %d renditions, %d pairs", *told)
    return PairSet(data, cache, taken)


def _chosen(cache: Cache, data: TrainingData | ValidationData) -> list[int]:
    """Places of the renditions that `ids` and `prefix` leave."""
    listed = None if data.ids is None else set(read_ids(data.ids))
    renditions: Sequence[CachedRendition | CachedRolls] = cache.renditions
    return [
        place
        for place, entry in enumerate(renditions)
        if entry.id.startswith(data.prefix) and (listed is None or entry.id in listed)
    ]


def collate(pairs: Sequence[Pair]) -> dict[str, Any]:
    """`input_features` float32 (B, 1, frames, bands), `pixel_values` uint8 (B, 1, rows, columns), `ids`."""
    return {
        "input_features": torch.from_numpy(np.stack([pair["features"] for pair in pairs])[:, None]),
        "pixel_values": torch.from_numpy(np.stack([pair["pixels"] for pair in pairs])[:, None]),
        "ids": [pair["id"] for pair in pairs],
    }


def pair_loader(
    pairs: TrainingPairs, config: TrainingConfig, *, start: int = 0, rank: int = 0, world: int = 1
) -> DataLoader[Any]:
    """Endless batches from optimizer step `start` on. Draws nothing from the global random state."""
    return DataLoader(
        pairs,
        batch_sampler=BatchStream(pairs.batches(), start=start, rank=rank, world=world),
        collate_fn=collate,
        num_workers=config.num_workers,
        worker_init_fn=start_worker if config.num_workers else None,
        generator=torch.Generator().manual_seed(config.seed),
        pin_memory=torch.cuda.is_available(),
        prefetch_factor=2 if config.num_workers else None,
    )


@dataclass(frozen=True)
class ValidationPairs:
    """Pairs to measure on, undamaged; those with the same `contents` count as one."""

    label: str
    monitor: bool
    pairs: list[Pair]
    contents: list[int]


def validation_pairs(config: TrainingConfig, processor: Processor) -> list[ValidationPairs]:
    """Open the caches of a recipe's validation sets, `n` pairs of each spread evenly over it.

    Raises:
        ValueError: nothing to validate on in a set, or what `pair_cache` refuses.
    """
    sets = []
    for data in config.validation:
        cache = open_cache(data.path, data.split, processor, config.cache_dir)
        pool = np.flatnonzero(np.isin(cache.owners, _chosen(cache, data)))
        _, firsts = np.unique(cache.contents[pool], return_index=True)
        pool = pool[np.sort(firsts)]
        if not len(pool):
            raise ValueError(f"nothing to validate on in {data.path} {data.split}: no rendition is taken")
        plain, rng = PairAugmentConfig(), np.random.default_rng(0)
        chosen = [int(pool[place]) for place in spread(len(pool), data.n)]
        pairs = [cut_pair(cache, place, processor, plain, rng) for place in chosen]
        sets.append(ValidationPairs(data.label, data.monitor, pairs, [int(cache.contents[one]) for one in chosen]))
    return sets
