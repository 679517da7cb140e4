"""Ranks of the right candidate as an `evaluate` metric: `evaluate.load("spaces/metric_retrieval")`.

`ranking.py` beside it is hfmusic/metrics/ranking.py as it is; this file needs nothing else of hfmusic.
"""

from __future__ import annotations

from typing import Any

import datasets
import evaluate

from .ranking import KS, ranking_scores

DESCRIPTION = "Recall at k, median rank and mean reciprocal rank of the right one of N candidates, and their chance."
INPUTS = """
Args:
    predictions: vectors of the queries, one list of numbers each.
    references: vectors of their right candidates, in the same order; each query is compared with all of them.
    ids: names of the candidates; rows with the same name are one candidate, which counts once. None: all are different.
    ks: where recall is measured ([1, 5, 10, 25]).

Returns:
    r@K (0 to 1), median_rank, mrr, candidates, queries, and chance_r@K, chance_median_rank and chance_mrr.

Examples:
    >>> metric = evaluate.load("spaces/metric_retrieval")
    >>> scores = metric.compute(predictions=[[1.0, 0.0], [0.0, 1.0]], references=[[1.0, 0.1], [0.1, 1.0]])
    >>> scores["r@1"], scores["median_rank"], scores["chance_r@1"]
    (1.0, 1.0, 0.5)
"""
CITATION = """
@inproceedings{dorfer2017learning,
  title={Learning Audio--Sheet Music Correspondences for Score Identification and Offline Alignment},
  author={Dorfer, Matthias and Arzt, Andreas and Widmer, Gerhard},
  booktitle={Proceedings of the 18th International Society for Music Information Retrieval Conference},
  year={2017}
}
"""


class Retrieval(evaluate.Metric):
    """See `INPUTS`."""

    def _info(self) -> evaluate.MetricInfo:
        vectors = datasets.List(datasets.Value("float32"))
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": vectors, "references": vectors}),
        )

    def _compute(
        self,
        predictions: list[list[float]],
        references: list[list[float]],
        ids: list[Any] | None = None,
        ks: list[int] | None = None,
    ) -> dict[str, float]:
        for name, rows in (("predictions", predictions), ("references", references)):
            if len({len(row) for row in rows}) > 1:
                raise ValueError(f"{name} must be vectors of one size, got {sorted({len(row) for row in rows})}")
        return ranking_scores(predictions, references, ids=ids, ks=tuple(ks or KS))
