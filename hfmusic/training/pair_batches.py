"""Batches of pairs: several of one piece, which are hard to tell apart, and never two that are one place.

The order of pairs is a function of (seed, epoch), as of `BucketedBatches`, so that a training resumes exactly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PairConfig:
    """How batches of pairs are made, and what follows the training.

    Attributes:
        per_piece: pairs of a piece that stand in a batch together, where it has so many.
        apart_pixels: two pairs of a batch are at least so far apart on the page, in pixels, or on other pages.
        apart_frames: and at least so far in one recording, in frames.
        refit: training pairs on which the projection "cca" is fitted before the export.
        validation_refit: and before each validation.
    """

    per_piece: int = 4
    apart_pixels: int = 8
    apart_frames: int = 2
    refit: int = 25_000
    validation_refit: int = 2_000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"pairs.{name} must be at least 1, got {value}")


class PairBatches:
    """Batches of pairs by index.

    Args:
        rows: of each pair, the picture it is cut from.
        renditions: of each pair, the recording.
        xs, frames: where in them.
        contents: of each pair a number that pairs share whose music is the same.
        groups: pairs of each dataset, one index array each.
        repeats: times each pair of a group is seen in an epoch.
        batch_size: pairs a batch; smaller only where all that is left would be a false negative.
    """

    def __init__(
        self,
        *,
        rows: np.ndarray,
        renditions: np.ndarray,
        xs: np.ndarray,
        frames: np.ndarray,
        contents: np.ndarray,
        groups: Sequence[np.ndarray],
        repeats: Sequence[float],
        batch_size: int,
        config: PairConfig,
        seed: int = 0,
    ) -> None:
        self.rows, self.config, self.batch_size, self.seed = np.asarray(rows), config, batch_size, seed
        self.groups, self.repeats = [np.asarray(group) for group in groups], list(repeats)
        cells = np.asarray(xs, np.float64) // config.apart_pixels, np.asarray(frames) // config.apart_frames
        self.places = list(zip(self.rows.tolist(), cells[0].astype(int).tolist(), strict=True))
        self.times = list(zip(np.asarray(renditions).tolist(), cells[1].astype(int).tolist(), strict=True))
        self.contents = np.asarray(contents).tolist()
        counts = [round(len(group) * times) for group, times in zip(self.groups, self.repeats, strict=True)]
        if not sum(counts):
            raise ValueError(f"nothing to train on: sets of {[len(group) for group in self.groups]} pairs")
        self.batches = max(1, sum(counts) // batch_size)

    def __len__(self) -> int:
        """Batches in every epoch."""
        return self.batches

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch, each an array of indices; what does not fill one waits for another epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        waiting = deque(self._runs(rng))
        batches = []
        for _ in range(self.batches):
            batches.append(self._fill(waiting))
        return [batches[place] for place in rng.permutation(len(batches))]

    def _runs(self, rng: np.random.Generator) -> list[int]:
        """The epoch's pairs in an order where a few of one row follow each other."""
        drawn = np.concatenate(
            [self._draw(group, times, rng) for group, times in zip(self.groups, self.repeats, strict=True)]
        )
        shuffled = rng.permutation(drawn)
        together = shuffled[np.argsort(self.rows[shuffled], kind="stable")]
        edges = np.flatnonzero(np.diff(self.rows[together], prepend=-1))
        size, runs = self.config.per_piece, []
        for first, last in zip(edges, [*edges[1:], len(together)], strict=True):
            runs += [together[at : min(at + size, last)] for at in range(first, last, size)]
        return [int(pair) for place in rng.permutation(len(runs)) for pair in runs[place]]

    @staticmethod
    def _draw(group: np.ndarray, repeats: float, rng: np.random.Generator) -> np.ndarray:
        whole, rest = divmod(round(len(group) * repeats), max(1, len(group)))
        return np.concatenate([np.tile(group, whole), rng.permutation(group)[:rest]])

    def _fill(self, waiting: deque[int]) -> np.ndarray:
        """Take a batch from those that wait; the refused wait in front."""
        taken: list[int] = []
        refused: list[int] = []
        places: set[tuple[int, int]] = set()
        times: set[tuple[int, int]] = set()
        contents: set[int] = set()
        while waiting and len(taken) < self.batch_size:
            pair = waiting.popleft()
            row, cell = self.places[pair]
            rendition, moment = self.times[pair]
            near = any((row, cell + step) in places or (rendition, moment + step) in times for step in (-1, 0, 1))
            if near or self.contents[pair] in contents:
                refused.append(pair)
                continue
            taken.append(pair)
            places.add((row, cell))
            times.add((rendition, moment))
            contents.add(self.contents[pair])
        waiting.extendleft(reversed(refused))
        return np.array(taken, np.int64)
