"""Dynamic time warping, row by row: the whole matrix, a band of it, with free ends and with jumps.

A row's costs are squared distances of feature vectors, made when the row's turn comes, so that memory holds one byte a
cell (which step led there) and no matrix of floats. The steps within a row are a running minimum:
D[j] = S[j] + min over k <= j of (best[k] - S[k]), with S the running sum of the row's costs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

MAX_CELLS = 400_000_000  # a byte each
_START, _DIAGONAL, _DOWN, _ACROSS, _JUMP = range(5)


@dataclass(frozen=True)
class Steps:
    """What a step costs, times the cost of the cell it leads to: (1, 1), (1, 0) and (0, 1)."""

    diagonal: float = 1.0
    down: float = 1.0
    across: float = 1.0


PLAIN = Steps()  # paper 003
BALANCED = Steps(diagonal=2.0)  # each frame of either side is paid once, whichever way it is passed


@dataclass(frozen=True)
class Ends:
    """What it costs to leave out a row or a column before the path begins or after it ends; infinite: none may be."""

    row: float = np.inf
    column: float = np.inf

    def cost(self, rows: np.ndarray | int, columns: np.ndarray | int) -> np.ndarray:
        """Of leaving out so many rows and columns."""
        with np.errstate(invalid="ignore"):
            skipped_rows = np.where(np.equal(rows, 0), 0.0, np.multiply(rows, self.row))
            skipped_columns = np.where(np.equal(columns, 0), 0.0, np.multiply(columns, self.column))
        return skipped_rows + skipped_columns


@dataclass(frozen=True)
class Jumps:
    """Where the path may leap over columns: from any of `sources` to any of `targets`, each time for `penalty`."""

    sources: np.ndarray
    targets: np.ndarray
    penalty: float


@dataclass(frozen=True)
class Path:
    """The cells of the best path.

    Attributes:
        rows, columns: int (K,); both grow by 0 or 1 from cell to cell but where the path jumps.
        cost: of the whole path, with what was left out.
        mean: of the path's cells.
        breaks: indexes of cells that were jumped to.
    """

    rows: np.ndarray
    columns: np.ndarray
    cost: float
    mean: float = 0.0
    breaks: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def pieces(self) -> list[Path]:
        """The path cut where it jumps: each piece is one passage through the columns."""
        cuts = [0, *self.breaks.tolist(), len(self.rows)]
        return [
            Path(self.rows[first:last], self.columns[first:last], self.cost, self.mean)
            for first, last in zip(cuts, cuts[1:], strict=False)
        ]


Band = tuple[np.ndarray, np.ndarray]  # of each row the first column, and the one after the last; neither ever falls


def warp(
    rows: np.ndarray,
    columns: np.ndarray,
    *,
    steps: Steps = PLAIN,
    band: Band | None = None,
    ends: Ends | None = None,
    jumps: Jumps | None = None,
) -> Path:
    """The cheapest path through the squared distances of two sequences of feature vectors.

    Args:
        rows, columns: float (N, d) and (M, d). Of unit vectors the cost is twice the cosine distance.
        band: the only cells that are looked at.
        ends: leaving out rows and columns at both ends; by default the path goes from corner to corner.
        jumps: leaps over columns.

    Raises:
        ValueError: an empty sequence, sequences of other sizes, a band that no path goes through, or more than
            400 million cells.

    >>> path = warp(np.array([[0.0], [1.0], [1.0], [2.0]]), np.array([[0.0], [1.0], [2.0]]))
    >>> path.rows.tolist(), path.columns.tolist(), path.cost
    ([0, 1, 2, 3], [0, 1, 1, 2], 0.0)
    """
    rows, columns = np.asarray(rows, np.float32), np.asarray(columns, np.float32)
    if not len(rows) or not len(columns) or rows.shape[1:] != columns.shape[1:]:
        raise ValueError(f"two sequences of vectors are aligned, got arrays of shapes {rows.shape} and {columns.shape}")
    first, last = band or (np.zeros(len(rows), np.int64), np.full(len(rows), len(columns)))
    cells = int(np.sum(last - first))
    if cells > MAX_CELLS:
        raise ValueError(f"the alignment would hold {cells / 1e6:.0f} million cells, at most {MAX_CELLS // 10**6}")
    search = _Search(rows, columns, steps, (first, last), ends or Ends(), jumps)
    return search.path()


class _Search:
    """The rows that were done: their steps, and where a path had best end."""

    def __init__(
        self, rows: np.ndarray, columns: np.ndarray, steps: Steps, band: Band, ends: Ends, jumps: Jumps | None
    ) -> None:
        self._rows, self._columns, self._weights = rows, columns, steps
        self._squares = np.einsum("nd,nd->n", columns, columns)
        self._first, self._last = band
        self._ends, self._jumps = ends, jumps
        self._offsets = np.concatenate([[0], np.cumsum(self._last - self._first)])
        self._steps = np.zeros(int(self._offsets[-1]), np.uint8)
        self._from = np.zeros(len(rows), np.int64)  # of each row the column that its jump leaves
        self._end = (np.inf, 0, 0)
        self._totals = np.full(len(columns) + 1, np.inf)  # of the row before, one place to the right
        self._at = np.arange(len(columns))

    def path(self) -> Path:
        for row in range(len(self._rows)):
            self._do(row)
        if not np.isfinite(self._end[0]):
            raise ValueError("no path leads through the band from end to end")
        return self._back()

    def _do(self, row: int) -> None:
        first, last = int(self._first[row]), int(self._last[row])
        costs = self._costs(row, first, last)
        weights, before = self._weights, self._totals
        best = before[first:last] + weights.diagonal * costs
        code = np.full(last - first, _DIAGONAL, np.uint8)
        _take(best, code, before[first + 1 : last + 1] + weights.down * costs, _DOWN)
        if row == 0 or np.isfinite(self._ends.row):
            _take(best, code, self._ends.cost(row, self._at[first:last]) + costs, _START)
        if self._jumps is not None and row:
            self._leap(row, first, last, costs, best, code)
        sums = np.cumsum(weights.across * costs)
        offsets = best - sums
        least = np.minimum.accumulate(offsets)
        code[least < offsets] = _ACROSS
        totals = least + sums
        before[self._first[row - 1] if row else 0 : first + 1] = np.inf
        before[first + 1 : last + 1] = totals
        self._steps[self._offsets[row] : self._offsets[row + 1]] = code
        if row == len(self._rows) - 1 or np.isfinite(self._ends.row):
            self._leave(row, first, totals)

    def _costs(self, row: int, first: int, last: int) -> np.ndarray:
        vector = self._rows[row]
        products = self._columns[first:last] @ vector
        return np.maximum(self._squares[first:last] + float(vector @ vector) - 2 * products, 0).astype(np.float64)

    def _leap(self, row: int, first: int, last: int, costs: np.ndarray, best: np.ndarray, code: np.ndarray) -> None:
        assert self._jumps is not None
        leaving = self._totals[self._jumps.sources + 1]
        place = int(np.argmin(leaving))
        targets = self._jumps.targets
        targets = targets[(targets >= first) & (targets < last)] - first
        total = leaving[place] + self._jumps.penalty + self._weights.diagonal * costs[targets]
        better = targets[total < best[targets]]
        best[better] = total[total < best[targets]]
        code[better] = _JUMP
        self._from[row] = self._jumps.sources[place]

    def _leave(self, row: int, first: int, totals: np.ndarray) -> None:
        left_out = self._ends.cost(
            len(self._rows) - 1 - row, len(self._columns) - 1 - self._at[first : first + len(totals)]
        )
        place = int(np.argmin(totals + left_out))
        total = float(totals[place] + left_out[place])
        if total < self._end[0]:
            self._end = (total, row, first + place)

    def _back(self) -> Path:
        cost, row, column = self._end
        cells, breaks = [], []
        while True:
            cells.append((row, column))
            code = self._steps[self._offsets[row] + column - self._first[row]]
            if code == _START:
                break
            if code == _JUMP:
                breaks.append(len(cells))
                row, column = row - 1, int(self._from[row])
                continue
            row, column = row - (code != _ACROSS), column - (code != _DOWN)
        found = np.array(cells[::-1], np.int64)
        apart = self._rows[found[:, 0]] - self._columns[found[:, 1]]
        mean = float(np.mean(np.einsum("nd,nd->n", apart, apart)))
        return Path(found[:, 0], found[:, 1], float(cost), mean, len(cells) - np.array(breaks[::-1], np.int64))


def _take(best: np.ndarray, code: np.ndarray, other: np.ndarray, name: int) -> None:
    """Keeps the cheaper of two ways to each cell."""
    better = other < best
    best[better] = other[better]
    code[better] = name
