"""What a transcriber trains and validates on: crops of recordings, damaged as they are drawn, and their notes."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from hfmusic.data.batching import BatchStream, BucketedBatches
from hfmusic.data.staves import spread
from hfmusic.models.note_decoding import NoteEvent
from hfmusic.training.config import TrainingConfig, TrainingData, ValidationData
from hfmusic.training.data import read_ids
from hfmusic.training.front_end import FrontEnd
from hfmusic.training.sound_augment import augment_sound, change_speed, draw_reference, draw_speed
from hfmusic.training.sound_cache import SoundCache, loudness, sound_cache

logger = logging.getLogger(__name__)


class Crop(TypedDict):
    """`features` float32 (frames, bins); `labels`: each map float32 (frames, 88); `id` for messages."""

    id: str
    features: np.ndarray
    labels: dict[str, np.ndarray]


@dataclass(frozen=True)
class CropSet:
    """One training set. Row i is part `rows[i, 1]` of `rows[i, 2]` equal parts of recording `rows[i, 0]`."""

    data: TrainingData
    cache: SoundCache
    rows: np.ndarray


class TrainingCrops(Dataset[Crop]):
    """Crops by `(index, serial)`: place, damage and labels follow from the seed and the serial."""

    def __init__(self, sets: Sequence[CropSet], front_end: FrontEnd, config: TrainingConfig) -> None:
        self.sets, self.front_end, self.config = list(sets), front_end, config
        self.frames = front_end.frames(config.crop.seconds)
        self.starts = np.concatenate([[0], np.cumsum([len(entry.rows) for entry in self.sets])])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, key: tuple[int, int]) -> Crop:
        index, serial = key
        rng = np.random.default_rng([self.config.seed, 1, serial])
        number = int(np.searchsorted(self.starts, index, side="right")) - 1
        entry = self.sets[number]
        recording, part, parts = entry.rows[index - int(self.starts[number])].tolist()
        damage, front_end = self.config.sound_augment, self.front_end
        speed, length = draw_speed(damage, rng), self.frames * front_end.hop_length
        taken = int(np.ceil(length * speed))
        places = max(0, int(entry.cache.lengths[recording]) - taken) // front_end.hop_length
        start = min(places, int((part + rng.random()) / parts * (places + 1))) * front_end.hop_length
        plain = change_speed(entry.cache.sound(recording, start, start + taken), speed, length)
        below = softer_by(plain, entry.cache, recording) + draw_reference(damage, rng)
        sound = augment_sound(plain, front_end.sampling_rate, damage, rng)
        features = front_end.features(sound, self.frames, below_db=below)
        begin = start / front_end.sampling_rate
        notes = entry.cache.notes_of(recording)
        near = (notes[:, 1] > begin - 0.1) & (notes[:, 0] < begin + taken / front_end.sampling_rate + 0.1)
        labels = front_end.labels(note_events(notes[near], 1 / speed), self.frames, start_seconds=begin / speed)
        return Crop(id=entry.cache.ids[recording], features=features, labels=labels)

    def batches(self) -> BucketedBatches:
        """The batches of the recipe over these crops; all are of one length, so there are no buckets."""
        groups = [np.arange(start, stop) for start, stop in zip(self.starts[:-1], self.starts[1:], strict=True)]
        weights = [entry.data.weight for entry in self.sets]
        size = self.config.batch_size
        return BucketedBatches(
            np.ones(len(self)), groups, weights, batch_size=size, mega_batches=1, seed=self.config.seed
        )


def softer_by(sound: np.ndarray, cache: SoundCache, recording: int) -> float:
    """How far in dB the loudest moment of a crop lies below its recording's, 0..80. Of silence 0."""
    here, there = loudness(sound, cache.sampling_rate), cache.levels[recording]
    return min(80.0, max(0.0, 20 * float(np.log10(there / here)))) if here > 0 and there > 0 else 0.0


def note_events(notes: np.ndarray, stretch: float = 1.0) -> list[NoteEvent]:
    """Rows of a cache's notes, their times multiplied by `stretch`."""
    return [NoteEvent(on * stretch, off * stretch, int(pitch), int(loud)) for on, off, pitch, loud in notes.tolist()]


def training_crops(config: TrainingConfig, front_end: FrontEnd) -> TrainingCrops:
    """Open (or make) the caches of a recipe's training sets."""
    return TrainingCrops([_crop_set(config, data, front_end) for data in config.train], front_end, config)


def _crop_set(config: TrainingConfig, data: TrainingData, front_end: FrontEnd) -> CropSet:
    cache = _cache(config, data, front_end)
    chosen = _chosen(cache, data)[: data.n]
    if not chosen:
        raise ValueError(f"nothing to train on in {data.path} {data.split}: no recording is taken")
    seconds = cache.lengths / front_end.sampling_rate
    rows = []
    for recording in chosen:
        parts = 1 if config.crop.per_track else max(1, round(float(seconds[recording]) / config.crop.seconds))
        rows += [(recording, part, parts) for part in range(parts)]
    hours = seconds[chosen].sum() / 3600
    logger.info("%s %s: %d recordings, %.2f hours, %d crops", data.path, data.split, len(chosen), hours, len(rows))
    return CropSet(data, cache, np.asarray(rows, np.int64))


def _cache(config: TrainingConfig, data: TrainingData | ValidationData, front_end: FrontEnd) -> SoundCache:
    return sound_cache(data.path, data.split, sampling_rate=front_end.sampling_rate, cache_dir=config.cache_dir)


def _chosen(cache: SoundCache, data: TrainingData | ValidationData) -> list[int]:
    """Places of the recordings that `ids` and `prefix` leave, in the order of the data or of the list."""
    places = {name: place for place, name in enumerate(cache.ids)}
    listed = cache.ids if data.ids is None else [name for name in read_ids(data.ids) if name in places]
    return [places[name] for name in listed if name.startswith(data.prefix)]


def collate(crops: Sequence[Crop]) -> dict[str, Any]:
    """`input_features` float32 (B, 1, frames, bins), `labels`: each map float32 (B, frames, 88), `ids`."""
    return {
        "input_features": torch.from_numpy(np.stack([crop["features"] for crop in crops])[:, None]),
        "labels": {
            name: torch.from_numpy(np.stack([crop["labels"][name] for crop in crops])) for name in crops[0]["labels"]
        },
        "ids": [crop["id"] for crop in crops],
    }


def start_worker(_: int) -> None:
    torch.set_num_threads(1)
    os.nice(5)


def crop_loader(
    crops: TrainingCrops, config: TrainingConfig, *, start: int = 0, rank: int = 0, world: int = 1
) -> DataLoader[Any]:
    """Endless batches from optimizer step `start` on. Draws nothing from the global random state."""
    return DataLoader(
        crops,
        batch_sampler=BatchStream(crops.batches(), start=start, rank=rank, world=world),
        collate_fn=collate,
        num_workers=config.num_workers,
        worker_init_fn=start_worker if config.num_workers else None,
        generator=torch.Generator().manual_seed(config.seed),
        pin_memory=torch.cuda.is_available(),
        prefetch_factor=4 if config.num_workers else None,
    )


@dataclass(frozen=True)
class ValidationRecordings:
    """Beginnings of recordings: `features` float32 (frames, bins) and `notes` beside them."""

    label: str
    monitor: bool
    ids: list[str]
    features: list[np.ndarray]
    notes: list[list[NoteEvent]]


def validation_recordings(config: TrainingConfig, front_end: FrontEnd) -> list[ValidationRecordings]:
    """Open the caches of a recipe's validation sets, `n` recordings of each spread evenly over it."""
    sets = []
    for data in config.validation:
        cache = _cache(config, data, front_end)
        places = _chosen(cache, data)
        if not places:
            raise ValueError(f"nothing to validate on in {data.path} {data.split}: no recording is taken")
        chosen = [places[one] for one in spread(len(places), data.n).tolist()]
        pairs = [_beginning(cache, place, front_end, config.crop.validation_seconds) for place in chosen]
        label = data.name or f"{Path(data.path).name}-{data.split}"
        ids = [cache.ids[place] for place in chosen]
        sets.append(
            ValidationRecordings(label, data.monitor, ids, *(list(column) for column in zip(*pairs, strict=True)))
        )
    return sets


def _beginning(
    cache: SoundCache, place: int, front_end: FrontEnd, seconds: float
) -> tuple[np.ndarray, list[NoteEvent]]:
    """The first seconds of a recording: features and notes, which are cut at the end."""
    length = int(cache.lengths[place])
    frames = max(1, min(front_end.frames(seconds), length // front_end.hop_length))
    sound = cache.sound(place, 0, frames * front_end.hop_length)
    end = len(sound) / front_end.sampling_rate
    notes = cache.notes_of(place)
    notes = notes[notes[:, 0] < end].copy()
    notes[:, 1] = np.minimum(notes[:, 1], end)
    return front_end.features(sound, frames), note_events(notes)
