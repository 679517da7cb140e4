"""Length-bucketed batches: little padding, an order that follows from seed and epoch alone.

The order of items is a function of (seed, epoch), so a position in training is two integers and resuming is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np


class BucketedBatches:
    """Batches of similar width: shuffle, cut into mega-buckets, sort each by width, cut into batches, shuffle those.

    Args:
        widths: width of each item, any unit, shape (n,).
        groups: items of each group, one index array a group; a group may be drawn from more or less often.
        kinds: what each group's items are; a batch holds items of one kind. None: all of one.
        repeats: times each item of a group is seen in an epoch, one a group; 0.5 takes a random half each epoch.
        batch_size: items a batch; an epoch's last batch may be smaller.
        mega_batches: batches a mega-bucket: more means less padding and less random batches; 1 turns buckets off.
    """

    def __init__(
        self,
        widths: Sequence[int] | np.ndarray,
        groups: Sequence[np.ndarray],
        repeats: Sequence[float],
        *,
        kinds: Sequence[str] | None = None,
        batch_size: int,
        mega_batches: int = 50,
        seed: int = 0,
    ) -> None:
        if batch_size < 1 or mega_batches < 1:
            raise ValueError(f"batch_size and mega_batches must be at least 1, got {batch_size} and {mega_batches}")
        self.widths = np.asarray(widths)
        self.groups, self.repeats = [np.asarray(group) for group in groups], list(repeats)
        self.batch_size, self.mega_batches, self.seed = batch_size, mega_batches, seed
        kinds = list(kinds) if kinds is not None else [""] * len(self.groups)
        members = {kind: [place for place, own in enumerate(kinds) if own == kind] for kind in dict.fromkeys(kinds)}
        self.parts = list(members.values())
        self.items_per_epoch = sum(self._count(*pair) for pair in zip(self.groups, self.repeats, strict=True))
        if self.items_per_epoch < 1:
            raise ValueError(f"nothing to train on: groups of {[len(group) for group in self.groups]} items")

    @staticmethod
    def _count(group: np.ndarray, repeats: float) -> int:
        return round(len(group) * repeats)

    def __len__(self) -> int:
        """Batches in every epoch."""
        counts = [sum(self._count(self.groups[place], self.repeats[place]) for place in part) for part in self.parts]
        return sum(-(-count // self.batch_size) for count in counts)

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch, each an array of item indices."""
        rng = np.random.default_rng([self.seed, epoch])
        batches: list[np.ndarray] = []
        for part in self.parts:
            drawn = [self._draw(self.groups[place], self.repeats[place], rng) for place in part]
            batches += self._bucketed(rng.permutation(np.concatenate(drawn)))
        return [batches[index] for index in rng.permutation(len(batches))]

    def _bucketed(self, items: np.ndarray) -> list[np.ndarray]:
        mega = self.batch_size * self.mega_batches
        batches: list[np.ndarray] = []
        for start in range(0, len(items), mega):
            bucket = items[start : start + mega]
            if self.mega_batches > 1:
                bucket = bucket[np.argsort(self.widths[bucket], kind="stable")]
            batches += [bucket[at : at + self.batch_size] for at in range(0, len(bucket), self.batch_size)]
        return batches

    def _draw(self, group: np.ndarray, repeats: float, rng: np.random.Generator) -> np.ndarray:
        count = self._count(group, repeats)
        if len(group) == 0:
            return group
        whole, rest = divmod(count, len(group))
        return np.concatenate([np.tile(group, whole), rng.permutation(group)[:rest]])


class Batches(Protocol):
    """Batches of items whose order follows from the epoch; as many in every one."""

    batch_size: int

    def __len__(self) -> int:
        """Batches in every epoch."""

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch, each an array of item indices."""


class BatchStream:
    """Endless batches of `(item, serial)` keys from a position on: what a DataLoader takes as `batch_sampler`.

    `serial` counts all items ever drawn: it seeds the item's augmentation. With several processes, process
    `rank` of `world` takes every world-th batch.
    """

    def __init__(self, batches: Batches, *, start: int = 0, rank: int = 0, world: int = 1) -> None:
        self.batches, self.start, self.rank, self.world = batches, start, rank, world

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        position = self.start * self.world + self.rank
        epoch, order = -1, []
        while True:
            if position // len(self.batches) != epoch:
                epoch = position // len(self.batches)
                order = self.batches.epoch(epoch)
            serial = position * self.batches.batch_size
            yield [(int(item), serial + slot) for slot, item in enumerate(order[position % len(self.batches)])]
            position += self.world
