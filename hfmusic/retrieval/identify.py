"""Which piece a recording is of: its excerpts' nearest snippets vote, and agree on where in the piece they are.

Paper 003: each excerpt gives its 25 nearest snippets, each a vote for its piece. Added: matches of one performance lie
on a line of quarters against seconds. How many of the excerpts the best line of a piece passes tells a piece that was
played from one that is only like it, and where in it the recording begins. The likeliest are then compared whole
(`hfmusic.retrieval.likeness`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from .likeness import TEMPOS, WINDOW, Likeness

NEIGHBOURS = 25
_LIKENESS_WEIGHT = 1000.0  # beside shares of votes and of excerpts in line: these decide where none was sought
_LOOKED_AT = 20  # pieces of most votes that lines are sought for, and that are compared whole
_TOLERANCE = 2.0  # quarters to both sides of a line

Ranking = Literal["both", "votes"]


@dataclass(frozen=True)
class Matches:
    """The nearest snippets of a recording's excerpts, one row each: excerpt (0 ...), its second, piece, quarter and
    similarity of the snippet, and the snippet's row in the index.
    """

    excerpts: np.ndarray
    seconds: np.ndarray
    pieces: np.ndarray
    quarters: np.ndarray
    similarities: np.ndarray
    rows: np.ndarray
    count: int  # of excerpts

    @classmethod
    def of(cls, seconds: np.ndarray, similarities: np.ndarray, rows: np.ndarray, places: np.ndarray) -> Matches:
        """Of what an index found: seconds (Q,) of the excerpts, similarities and rows (Q, k), the index's places."""
        excerpt, rank = np.nonzero(rows >= 0)
        row = rows[excerpt, rank]
        own = places[row]
        quarters = own["quarter"].astype(np.float64)
        return cls(
            excerpt, np.asarray(seconds)[excerpt], own["piece"], quarters, similarities[excerpt, rank], row, len(rows)
        )

    def where(self, chosen: np.ndarray) -> Matches:
        """Some of them."""
        names = ("excerpts", "seconds", "pieces", "quarters", "similarities", "rows")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})


@dataclass(frozen=True)
class Candidate:
    """A piece that a recording may be of.

    Attributes:
        piece: number of the piece.
        votes, share: of all votes.
        aligned: share of the excerpts that have a match on the piece's line.
        seconds, quarter: of the first match on the line: where the recording is in the piece.
        tempo: quarters a minute along the line.
        best: row of the index of the most similar snippet on the line, `best_seconds` where it is heard, `similarity`.
        likeness: see `Likeness`; 0 where pieces are not compared.
        confidence: 0 to 1.
    """

    piece: int
    votes: int
    share: float
    aligned: float
    seconds: float
    quarter: float
    tempo: float
    best: int
    best_seconds: float
    similarity: float
    likeness: float = 0.0
    confidence: float = 0.0

    @property
    def shares(self) -> float:
        """Of the votes, and of the excerpts in line."""
        return self.share + self.aligned

    @property
    def score(self) -> float:
        """What candidates are ranked by."""
        return self.shares + _LIKENESS_WEIGHT * self.likeness


@dataclass(frozen=True)
class Confidence:
    """How sure the first of the candidates is: a logistic function of five numbers.

    The defaults were chosen on 20-second parts of 12 songs, noise and other songs (chroma); benchmarks/confidence.md
    fits weights to 30. A model's config may hold its own, `confidence`, fitted by benchmarks/confidence.py.

    Attributes:
        bias: added to the sum of the weights times the numbers.
        aligned: of the share of excerpts on the best line.
        margin: of how far its shares of votes and of excerpts in line are above those of the second piece, as a share.
        lead: of how much more like it the recording is than the second piece.
        share: of its share of the votes.
        similarity: of its best snippet's cosine.
        sure_from: the least confidence that is called sure.
    """

    bias: float = -5.5
    aligned: float = 8.0
    margin: float = 2.0
    lead: float = 0.0
    share: float = 0.0
    similarity: float = 0.0
    sure_from: float = 0.5

    def of(self, numbers: Mapping[str, float]) -> float:
        """0 to 1."""
        total = self.bias + sum(getattr(self, name) * value for name, value in numbers.items())
        return 1 / (1 + math.exp(-min(max(total, -60.0), 60.0)))


def identify(
    matches: Matches,
    *,
    likeness: Likeness | None = None,
    confidence: Confidence | None = None,
    top: int = 10,
    ranking: Ranking = "both",
) -> list[Candidate]:
    """The pieces that a recording may be of, best first; none where nothing matched.

    The confidence of the first is that of `Confidence`; the others have its share by their scores.

    Args:
        likeness: what pieces are compared by; None: they are not.
        ranking: "votes" as the paper, or "both": those of most votes and excerpts on the best line, by likeness.
    """
    votes = np.bincount(matches.pieces)
    order = np.argsort(-votes, kind="stable")[: max(_LOOKED_AT, top)]
    found = [_candidate(matches, int(piece), int(votes[piece])) for piece in order if votes[piece]]
    if not found:
        return []
    if ranking == "both":
        found.sort(key=lambda one: -one.score)
        if likeness is not None:
            found[:_LOOKED_AT] = _compared(found[:_LOOKED_AT], likeness)
    sure = (confidence or Confidence()).of(evidence(found))
    rest, best = min(sure, 1 - sure), max(found[0].score, 1e-9)
    others = [replace(one, confidence=rest * max(0.0, one.score) / best) for one in found[1:top]]
    return [replace(found[0], confidence=sure), *others]


def evidence(candidates: list[Candidate]) -> dict[str, float]:
    """The numbers that `Confidence` weighs, of candidates in their order."""
    first, *others = candidates
    shares, likeness = (others[0].shares, others[0].likeness) if others else (0.0, 0.0)
    return {
        "aligned": first.aligned,
        "margin": (first.shares - shares) / max(first.shares, 1e-9),
        "lead": first.likeness - likeness,
        "share": first.share,
        "similarity": first.similarity,
    }


def _compared(candidates: list[Candidate], likeness: Likeness) -> list[Candidate]:
    """With their likeness, best first."""
    values = likeness.of([one.piece for one in candidates])
    found = [replace(one, likeness=float(value)) for one, value in zip(candidates, values, strict=True)]
    return sorted(found, key=lambda one: -one.score)


def _candidate(matches: Matches, piece: int, votes: int) -> Candidate:
    own = matches.where(matches.pieces == piece)
    aligned, line, tempo = 0, np.zeros(len(own.rows), bool), 0.0
    begin = float(own.seconds.min())
    for first in np.arange(begin, float(own.seconds.max()) + 1e-6, WINDOW):
        inside = (own.seconds >= first) & (own.seconds < first + WINDOW)
        passed, on_line = _best_line(own, inside)
        if aligned == 0 and passed:
            tempo = float(np.polyfit(own.seconds[on_line], own.quarters[on_line], 1)[0])
        aligned += passed
        line |= on_line
    on = own.where(line if line.any() else np.ones(len(own.rows), bool))
    start, best = int(np.argmin(on.seconds)), int(np.argmax(on.similarities))
    return Candidate(
        piece=piece,
        votes=votes,
        share=votes / len(matches.rows),
        aligned=aligned / matches.count,
        seconds=float(on.seconds[start]),
        quarter=float(on.quarters[start]),
        tempo=60 * tempo,
        best=int(on.rows[best]),
        best_seconds=float(on.seconds[best]),
        similarity=float(on.similarities[best]),
    )


def _best_line(own: Matches, inside: np.ndarray) -> tuple[int, np.ndarray]:
    """How many excerpts the best line passes beyond the first, and which of all matches are on it."""
    nowhere = np.zeros(len(inside), bool)
    rows = np.nonzero(inside)[0]
    if len(np.unique(own.excerpts[rows])) < 2:
        return 0, nowhere
    offsets = own.quarters[rows] - TEMPOS[:, None] * own.seconds[rows]
    bins = np.floor(offsets / _TOLERANCE).astype(np.int64)
    bins -= bins.min()
    width, excerpts = int(bins.max()) + 2, int(own.excerpts.max()) + 1
    both = np.stack([bins, bins + 1])  # each match in two neighbouring bins: lines are not cut by a bin's edge
    cells = (np.arange(len(TEMPOS))[:, None] * width + both) * excerpts + own.excerpts[rows]
    counts = np.bincount(np.unique(cells) // excerpts)
    line = int(np.argmax(counts))
    on = ((cells // excerpts) == line).any(axis=(0, 1))
    nowhere[rows[on]] = True
    return int(counts[line]) - 1, nowhere


def fit_confidence(rows: list[dict[str, float]], right: list[bool], *, rounds: int = 50) -> Confidence:
    """Weights by logistic regression (Newton's method, with a little ridge), of `evidence` and whether it was right.

    Raises:
        ValueError: no examples of either kind.
    """
    wanted = np.asarray(right, np.float64)
    if not len(rows) or wanted.min() == wanted.max():
        raise ValueError(
            f"confidence is fitted on right and wrong answers, got {int(wanted.sum())} of {len(rows)} right"
        )
    names = list(rows[0])
    inputs = np.array([[1.0, *(row[name] for name in names)] for row in rows])
    weights, ridge = np.zeros(inputs.shape[1]), np.diag([1e-6] + [0.1] * len(names))
    for _ in range(rounds):
        told = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (told - wanted) + ridge @ weights
        curvature = (inputs * (told * (1 - told))[:, None]).T @ inputs + ridge
        weights = weights - np.linalg.solve(curvature, slope)
    return Confidence(float(weights[0]), **dict(zip(names, map(float, weights[1:]), strict=True)))
