"""Nearest vectors by FAISS: all of them compared while they are few, an inverted file when they are many.

Vectors are of length 1, similarity is their dot product (the cosine). The inverted file (IVF) keeps 16-bit vectors in
some 2 sqrt(n) cells; how many cells a query looks into is found out by comparing with exact search.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

EXACT_UP_TO = 100_000
RECALL = 0.993  # of exact search, that the number of cells is chosen for
QUERY_COSINE = 0.7  # of a query to what it looks for: a drawn vector with noise stands for an excerpt
_TUNED_BY = 200  # queries
_STEP = 1.25  # from one number of cells that is tried to the next
_POINTS_A_CELL = 64  # vectors that a cell's centre is computed of, at most
_ROUNDS = 8  # of k-means
_BATCH = 100_000

Found = tuple[np.ndarray, np.ndarray]  # similarities float32 (Q, k), and int64 (Q, k) of vectors; -1: there are no more


def exact(vectors: np.ndarray, queries: np.ndarray, k: int) -> Found:
    """The k most similar of float vectors (n, d) to each of queries (Q, d), best first: numbers of rows."""
    faiss = _faiss()
    count = min(k, len(vectors))
    if not count or not len(queries):
        return _none(len(queries), k)
    best = faiss.ResultHeap(nq=len(queries), k=count, keep_max=True)
    asked = np.ascontiguousarray(queries, np.float32)
    for first in range(0, len(vectors), _BATCH):
        some = np.ascontiguousarray(vectors[first : first + _BATCH], np.float32)
        similarity, row = faiss.knn(asked, some, min(count, len(some)), metric=faiss.METRIC_INNER_PRODUCT)
        best.add_result(similarity, np.where(row < 0, row, row + first))
    best.finalize()
    missing = _none(len(queries), k - count)
    return np.concatenate([best.D, missing[0]], axis=1), np.concatenate([best.I, missing[1]], axis=1)


def _none(queries: int, k: int) -> Found:
    return np.full((queries, k), -np.inf, np.float32), np.full((queries, k), -1, np.int64)


class InvertedFile:
    """Vectors under ids of their own, in cells; `cells` of them are looked into."""

    def __init__(self, index: Any, cells: int) -> None:
        self._index, self.cells = index, cells

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @classmethod
    def build(cls, vectors: np.ndarray, ids: np.ndarray, *, seed: int = 0) -> InvertedFile:
        """Of float vectors (n, d) and their ids int64 (n,); the centres of the cells are drawn by the seed."""
        faiss = _faiss()
        size = vectors.shape[1]
        count = max(1, min(round(2 * len(vectors) ** 0.5), len(vectors) // 40))
        quantizer = faiss.IndexFlatIP(size)
        index = faiss.IndexIVFScalarQuantizer(
            quantizer, size, count, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
        )
        index.cp.niter, index.cp.seed, index.cp.spherical = _ROUNDS, seed, True
        index.cp.min_points_per_centroid = 1
        rng = np.random.default_rng(seed)
        drawn = rng.permutation(len(vectors))[: count * _POINTS_A_CELL]
        index.train(np.ascontiguousarray(vectors[np.sort(drawn)], np.float32))
        made = cls(index, min(8, count))
        made.add(vectors, ids)
        made.tune(vectors, ids, rng)
        return made

    def add(self, vectors: np.ndarray, ids: np.ndarray) -> None:
        """Vectors (n, d) under new ids."""
        for first in range(0, len(vectors), _BATCH):
            some = np.ascontiguousarray(vectors[first : first + _BATCH], np.float32)
            self._index.add_with_ids(some, np.ascontiguousarray(ids[first : first + _BATCH], np.int64))

    def remove(self, ids: np.ndarray) -> None:
        """Takes the vectors of these ids out."""
        self._index.remove_ids(np.ascontiguousarray(ids, np.int64))

    def search(self, queries: np.ndarray, k: int, *, cells: int | None = None) -> Found:
        """As `exact`, but for the few that other cells hold: ids instead of rows."""
        parameters = _faiss().SearchParametersIVF(nprobe=cells or self.cells)
        found: Found = self._index.search(np.ascontiguousarray(queries, np.float32), k, params=parameters)
        return found

    def tune(self, vectors: np.ndarray, ids: np.ndarray, rng: np.random.Generator, *, k: int = 25) -> float:
        """Sets `cells` to the fewest, in steps of a quarter, that reach `RECALL` of exact search; gives it."""
        queries = noisy(vectors[rng.integers(0, len(vectors), _TUNED_BY)], rng)
        wanted = ids[exact(vectors, queries, k)[1]]
        self.cells, found = min(4, self._index.nlist), 0.0
        while True:
            found = recall(self.search(queries, k)[1], wanted)
            if found >= RECALL or self.cells >= self._index.nlist:
                return found
            self.cells = min(math.ceil(_STEP * self.cells), self._index.nlist)

    def to_bytes(self) -> bytes:
        """As a file holds it."""
        data: bytes = _faiss().serialize_index(self._index).tobytes()
        return data

    @classmethod
    def read(cls, path: Path, cells: int) -> InvertedFile:
        """From a file that `to_bytes` filled.

        Raises:
            ValueError: FAISS does not read it.
        """
        try:
            return cls(_faiss().read_index(str(path)), cells)
        except RuntimeError:
            raise ValueError(f"{path}: FAISS does not read this file") from None


def noisy(vectors: np.ndarray, rng: np.random.Generator, cosine: float = QUERY_COSINE) -> np.ndarray:
    """Unit vectors turned in random directions until their cosine to what they were is this."""
    vectors = np.asarray(vectors, np.float32)
    noise = rng.standard_normal(vectors.shape).astype(np.float32)
    noise -= np.sum(noise * vectors, axis=1, keepdims=True) * vectors
    noise /= np.maximum(np.linalg.norm(noise, axis=1, keepdims=True), 1e-9)
    turned: np.ndarray = np.float32(cosine) * vectors + np.float32((1 - cosine**2) ** 0.5) * noise
    return turned


def recall(found: np.ndarray, wanted: np.ndarray) -> float:
    """The share of wanted neighbours (Q, k) that are among the found ones.

    >>> recall(np.array([[1, 2, 3]]), np.array([[3, 2, 9]]))
    0.6666666666666666
    """
    same = (found[:, :, None] == wanted[:, None, :]).any(axis=1)
    return float(same[wanted >= 0].mean()) if (wanted >= 0).any() else 1.0


def _faiss() -> Any:
    import faiss

    return faiss
