"""How like a recording is to whole pieces: all its excerpts against all their snippets, along straight lines.

Votes see only the nearest snippets of an excerpt, and where many pieces are alike these are of any. Here pieces that
are likely are compared whole: of each half minute, the line of quarters against seconds counts along which excerpts and
snippets are most alike. A long piece has more lines, and some are like everything: what the best line of the same
excerpts in reverse order comes to is taken off, in part. Cosines count by their exponentials: what is much alike counts
for far more than what is a little alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TEMPOS = 0.4 * 1.09 ** np.arange(28)  # quarters a second that are tried: 24 to 246 a minute
WINDOW = 30.0  # seconds that a tempo is taken to hold
TEMPERATURE = 0.2  # cosines are divided by it (chosen on validation pieces among 0.07, 0.1, 0.14, 0.2 and as they are)
BACKWARD = 0.75  # of the likeness backward (likewise among 0, 0.25, 0.5, 0.75 and 1)
_BETWEEN = int(WINDOW * TEMPOS[-1]) + 1  # quarters of nothing between two pieces: no line reaches over them


@dataclass(frozen=True)
class Likeness:
    """Excerpts of a recording, and the snippets of an index.

    Attributes:
        queries, seconds: vectors (Q, d) of the excerpts, of length 1, and when they are, ascending (Q,).
        vectors, places: of the snippets, (n, d) and (n,) with fields "piece" and "quarter", in any order.
    """

    queries: np.ndarray
    seconds: np.ndarray
    vectors: np.ndarray
    places: np.ndarray

    def of(self, pieces: Sequence[int]) -> np.ndarray:
        """How like the excerpts are to what is written where the best lines of a piece pass, less `BACKWARD` of the
        same backward, (P,): means of exp((cosine - 1) / `TEMPERATURE`), at most 1."""
        rows = np.flatnonzero(np.isin(self.places["piece"], pieces))  # an index may hold a million
        grids = [self._grid(rows[self.places["piece"][rows] == piece]) for piece in pieces]
        nothing = np.zeros((len(self.queries), _BETWEEN), np.float32)
        joined = np.concatenate([part for grid in grids for part in (nothing, grid)] + [nothing], axis=1)
        begins = np.cumsum([0, *(_BETWEEN + grid.shape[1] for grid in grids)])[:-1]
        windows = np.floor((self.seconds - self.seconds[0]) / WINDOW)
        total = np.zeros(len(grids))
        for number in np.unique(windows):
            grid, seconds = joined[windows == number], self.seconds[windows == number]
            total += _best_lines(grid, seconds - seconds[0], begins)
            total -= BACKWARD * _best_lines(grid[::-1], seconds[-1] - seconds[::-1], begins)
        return total / len(self.queries)

    def _grid(self, rows: np.ndarray) -> np.ndarray:
        """Of each excerpt and quarter of a piece, the snippets `rows`, how alike the most similar is there, or beside
        it, (Q, quarters)."""
        rows = rows[np.argsort(self.places["quarter"][rows], kind="stable")]
        quarters = np.maximum(self.places["quarter"][rows], 0).astype(np.int64)
        occupied, begins = np.unique(quarters, return_index=True)
        cosines = self.queries @ np.asarray(self.vectors[rows], np.float32).T
        similar = np.exp((cosines - 1) / np.float32(TEMPERATURE))
        grid = np.zeros((len(self.queries), int(quarters[-1]) + 3), np.float32)
        grid[:, occupied + 1] = np.maximum.reduceat(similar, begins, axis=1)
        return np.maximum(np.maximum(grid[:, :-2], grid[:, 1:-1]), grid[:, 2:])


def _best_lines(grid: np.ndarray, seconds: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """The largest sum along a line of any tempo, of each piece, (P,).

    Args:
        grid: (K, quarters), pieces after each other, each after `_BETWEEN` quarters of nothing that begin at `begins`.
        seconds: (K,), from 0 to `WINDOW`.
    """
    best = np.full(len(begins), -np.inf)
    for steps in (seconds * TEMPOS[:, None]).astype(np.int64):
        sums = np.zeros(grid.shape[1] - _BETWEEN, np.float32)
        for row, step in zip(grid, steps.tolist(), strict=True):
            sums += row[step : step + len(sums)]
        best = np.maximum(best, np.maximum.reduceat(sums, begins))
    return best
