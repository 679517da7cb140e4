"""How high the right one of N candidates ranks: recall at k, median rank and mean reciprocal rank, with their chance.

Queries and candidates are vectors, compared by their cosine; query i belongs to candidate i. Rules:

- Different candidates with the same vector tie, and a tie counts against the query: its rank is the number of
  candidates at least as similar to it as the right one. A network that gives one vector for all has no hits, not all.
- Rows with the same id are the same candidate (an image that occurs twice, a note's head in two renditions): it counts
  once, and is as similar to a query as the most similar of its rows.

This file stands alone: it travels with the metric's Space.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

KS = (1, 5, 10, 25)
CHUNK = 1024  # queries at a time: N similarities each, never N x N


def ranking_scores(
    queries: Any, candidates: Any, *, ids: Sequence[Any] | None = None, ks: Sequence[int] = KS
) -> dict[str, float]:
    """Scores of N queries (N, d) whose right candidates are the rows of `candidates` (N, d).

    Args:
        ids: of the candidates; see above. None: each row is a candidate of its own.
        ks: of the recalls.

    Returns:
        "r@K" (0..1), "median_rank" (from 1), "mrr" (0..1), the number of "candidates" and of "queries", and
        "chance_r@K", "chance_median_rank" and "chance_mrr": what similarities drawn by lot give on average.

    Raises:
        ValueError: no rows, not as many of both, of other lengths, or numbers that are not finite.

    >>> scores = ranking_scores([[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.1], [0.1, 2.0]])
    >>> scores["r@1"], scores["median_rank"], scores["chance_r@1"]
    (1.0, 1.0, 0.5)
    """
    found = ranks(queries, candidates, ids=ids)
    count = len(found) if ids is None else len(set(ids))
    scores = {f"r@{k}": float(np.mean(found <= k)) for k in ks}
    scores |= {"median_rank": float(np.median(found)), "mrr": float(np.mean(1 / found))}
    return {**scores, "candidates": count, "queries": len(found), **chance_scores(count, ks)}


def ranks(queries: Any, candidates: Any, *, ids: Sequence[Any] | None = None) -> np.ndarray:
    """The rank of each query's right candidate, int64 (N,) from 1 (arguments and errors as `ranking_scores`'s).

    >>> ranks([[1, 0], [1, 0.2]], [[1, 0.1], [0, 1]]).tolist(), ranks([[1, 0]] * 3, [[1, 0]] * 3).tolist()
    ([1, 2], [3, 3, 3])
    """
    query, candidate = _unit(queries, "queries"), _unit(candidates, "candidates")
    if query.shape != candidate.shape:
        raise ValueError(f"each query needs its candidate of as many numbers, got {query.shape} and {candidate.shape}")
    names: Any = np.arange(len(query)) if ids is None else ids
    if len(names) != len(candidate):
        raise ValueError(f"{len(candidate)} candidates need as many ids, got {len(names)}")
    group = np.unique(np.asarray(names), return_inverse=True)[1].reshape(-1)
    order = np.argsort(group, kind="stable")
    firsts = np.searchsorted(group[order], np.arange(group.max() + 1))
    found = []
    for start in range(0, len(query), CHUNK):
        alike = query[start : start + CHUNK] @ candidate[order].T
        best = np.maximum.reduceat(alike, firsts, axis=1) if len(firsts) < len(order) else alike
        right = np.take_along_axis(best, group[start : start + CHUNK, None], axis=1)
        found.append((best >= right).sum(axis=1))
    return np.concatenate(found)


def chance_scores(candidates: int, ks: Sequence[int] = KS) -> dict[str, float]:
    """What ranks drawn by lot from N candidates give: k/N, (N + 1)/2, and the Nth harmonic number over N.

    >>> chance_scores(4, ks=(1, 5))
    {'chance_r@1': 0.25, 'chance_r@5': 1.0, 'chance_median_rank': 2.5, 'chance_mrr': 0.5208333333333333}
    """
    if candidates < 1:
        raise ValueError(f"there must be at least one candidate, got {candidates}")
    recalls = {f"chance_r@{k}": min(1.0, k / candidates) for k in ks}
    harmonic = float(np.sum(1 / np.arange(1, candidates + 1)))
    return {**recalls, "chance_median_rank": (candidates + 1) / 2, "chance_mrr": harmonic / candidates}


def _unit(rows: Any, name: str) -> np.ndarray:
    """Float32 (N, d) of length 1; a row of zeros stays one."""
    vectors = np.asarray(rows, dtype=np.float32)
    if vectors.ndim != 2 or not vectors.size:
        raise ValueError(f"{name} must be numbers (N, d), at least one, got shape {vectors.shape}")
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise ValueError(f"{name} must be finite numbers, row {int(np.argmin(np.isfinite(lengths)))} is not")
    return (vectors / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
