"""Batches of pairs: several of one piece, which are hard to tell apart, and never two that are one place.

The order of pairs is a function of (seed, epoch), as of `BucketedBatches`, so that a training resumes exactly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_FAR = 1 << 32


@dataclass(frozen=True)
class PairConfig:
    """How batches of pairs are made, and what follows the training.

    Attributes:
        per_piece: pairs of a piece that stand in a batch together, where it has so many.
        apart_pixels: two pairs of a batch are at least so far apart on the page, in pixels, or on other pages. Beside
            rolls: in steps.
        apart_frames: and at least so far in one recording, in frames. Beside rolls: in steps.
        unique: False: a batch may hold the same music, or the same place, several times (paper 004's code).
        refit: training pairs on which the projection "cca" is fitted before the export.
        validation_refit: and before each validation.
    """

    per_piece: int = 4
    apart_pixels: int = 8
    apart_frames: int = 2
    unique: bool = True
    refit: int = 25_000
    validation_refit: int = 2_000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name != "unique" and value < 1:
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
        # Arrays of one number a pair: there may be millions.
        self.places = _cells(self.rows, np.asarray(xs, np.float64) // config.apart_pixels)
        self.times = _cells(np.asarray(renditions), np.asarray(frames) // config.apart_frames)
        self.contents = np.asarray(contents)
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
        places: set[int] = set()
        times: set[int] = set()
        contents: set[int] = set()
        while waiting and len(taken) < self.batch_size:
            pair = waiting.popleft()
            place, moment, content = int(self.places[pair]), int(self.times[pair]), int(self.contents[pair])
            near = any(place + step in places or moment + step in times for step in (-1, 0, 1))
            if self.config.unique and (near or content in contents):
                refused.append(pair)
                continue
            taken.append(pair)
            places.add(place)
            times.add(moment)
            contents.add(content)
        waiting.extendleft(reversed(refused))
        return np.array(taken, np.int64)


def _cells(owners: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """One number, int64 (n,), for each cell of an owner's: neighbours differ by 1, those of two owners by far more."""
    return np.asarray(owners, np.int64) * _FAR + cells.astype(np.int64)
