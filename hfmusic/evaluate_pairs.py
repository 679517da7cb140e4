"""Embeddings of audio and scores, measured on renditions (`hfmusic evaluate audio-sheet-embedding dist/sheet-audio`).

Three protocols of paper 003: pairs found among all candidates, pieces identified by votes, recordings followed.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import hfmusic
from hfmusic.embed_pairs import (
    PART_SECONDS,
    Excerpts,
    Followed,
    PairEmbedder,
    Pairs,
    embed_split,
    evenly,
    follow_split,
    unique_pairs,
)
from hfmusic.metrics.alignment import alignment_scores
from hfmusic.metrics.ranking import KS, ranking_scores
from hfmusic.retrieval.identify import NEIGHBOURS, Matches
from hfmusic.retrieval.identify import identify as identified
from hfmusic.retrieval.likeness import Likeness

if TYPE_CHECKING:
    from hfmusic.hub import Loaded

FOLLOWED = 30  # renditions that are aligned
QUERIES = {"recording": "whole recordings", "part": f"{PART_SECONDS:.0f} s of them"}
IN_LINE = "_in_line"  # behind the name of a kind of query
DIRECTIONS = {"audio_to_sheet": "audio to sheet", "sheet_to_audio": "sheet to audio"}
TOLD = (*(f"r@{k}" for k in KS), "median_rank", "mrr")


@dataclass(frozen=True)
class PairReport:
    """What came out of a split.

    Attributes:
        pairs, unique: how many the split has, and how many of them differ from each other.
        retrieval: by direction, scores of `ranking_scores` on the candidates that were measured.
        ranks: by kind of query, each rendition's: the rank of its piece among `pieces`; by votes, and with `IN_LINE`
            by votes and matches in line.
        alignment: by method, scores of `alignment_scores`; none where nothing was followed.
    """

    pairs: int
    unique: int
    retrieval: dict[str, dict[str, float]]
    ranks: dict[str, np.ndarray]
    pieces: int
    alignment: dict[str, dict[str, float]]


def evaluate_pairs(
    model: str | Path | Loaded,
    data: str | Path,
    *,
    split: str = "test",
    n: int | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    name: str | None = None,
) -> list[dict[str, Any]]:
    """Measure an embedding of audio and scores on renditions; prints its tables to stderr.

    Pairs are ranked among `n` candidates, all different from each other and evenly spread over the split, in both
    directions. Pieces are identified among all of the split, from whole recordings and from 20 seconds of each.
    Recordings are followed in the unrolled score by plain DTW, 30 of them, evenly spread.

    Args:
        model: a name or path as `hfmusic.load` takes, or what it returned.
        data: renditions, as `read_sheet_audio` takes them.
        n: candidates. None: all that differ.
        out: a `metrics.json` to write; numbers of other data in it are kept, of the same data replaced.
        seed: draws the 20 seconds.
        name: what the rows call the model. None: what was given, or where it was loaded from.

    Returns:
        Rows as `hfmusic.evaluate.evaluate`'s, with unit "1" (shares, and page widths of 835 pixels) or "rank"; those of
        retrieval and identification also say how many `candidates` there were and what `chance` gives.

    Raises:
        ValueError: no such model or data, no pair in it, a damaged rendition, or n below 1.
    """
    from hfmusic.evaluate import write_metrics
    from hfmusic.hub import load

    if n is not None and n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    loaded = load(str(model), runtime="torch") if isinstance(model, str | Path) else model
    report = measure_split(loaded, data, split=split, n=n, seed=seed, followed=FOLLOWED)
    print(report_table(report), file=sys.stderr)
    called = name or (str(model) if isinstance(model, str | Path) else str(model.model.name_or_path))
    about = about_rows(called, data, split=split, n=n, seed=seed)
    rows = [{**row, **about} for row in report_rows(report)]
    if out is not None:
        write_metrics(out, rows)
    return rows


def measure_split(
    loaded: Loaded,
    data: str | Path,
    *,
    split: str = "test",
    n: int | None = None,
    seed: int = 0,
    followed: int | None = FOLLOWED,
) -> PairReport:
    """All three protocols on a split; `followed` renditions are aligned, 0: none, None: all.

    Raises:
        ValueError: as `evaluate_pairs`.
    """
    embedder = PairEmbedder(loaded)
    pairs = embed_split(embedder, data, split, seed=seed)
    paths = follow_split(embedder, data, split, count=followed) if followed != 0 else []
    places = list(unique_pairs(pairs))
    ranks, pieces = identify(pairs)
    return PairReport(
        pairs=sum(len(one.score) for one in pairs),
        unique=len(places),
        retrieval=retrieve(pairs, [places[at] for at in evenly(len(places), n)]),
        ranks=ranks,
        pieces=pieces,
        alignment=follow_scores(paths),
    )


def retrieve(pairs: Sequence[Pairs], places: Sequence[tuple[int, int]]) -> dict[str, dict[str, float]]:
    """Scores of some pairs, (rendition, pair) each, among each other, by direction."""
    audio = np.stack([pairs[number].audio[place] for number, place in places])
    score = np.stack([pairs[number].score[place] for number, place in places])
    return {"audio_to_sheet": ranking_scores(audio, score), "sheet_to_audio": ranking_scores(score, audio)}


def identify(pairs: Sequence[Pairs], *, neighbours: int = NEIGHBOURS) -> tuple[dict[str, np.ndarray], int]:
    """The rank of each rendition's piece, by kind of query, and the number of pieces.

    The snippets of a piece (of its first rendition) are its entries in the index. Each excerpt of a query votes for the
    pieces of its nearest entries, as in paper 003; "..._in_line" ranks as `hfmusic find` does, by votes, by how many
    excerpts have a match on one line of quarters against seconds, and by likeness along such lines. Pieces of as many
    votes as the right one count before it.
    """
    first: dict[str, Pairs] = {}
    for one in pairs:
        if len(one.score):
            first.setdefault(one.piece, one)
    number_of = {piece: number for number, piece in enumerate(first)}
    entries = np.concatenate([one.score for one in first.values()])
    places = np.zeros(len(entries), [("piece", np.int64), ("quarter", np.float64)])
    places["piece"] = np.repeat(np.arange(len(first)), [len(one.score) for one in first.values()])
    places["quarter"] = np.concatenate([one.quarters for one in first.values()])
    ranks: dict[str, list[int]] = {kind + way: [] for kind in QUERIES for way in ("", IN_LINE)}
    for one in pairs:
        number = number_of.get(one.piece)  # None: no pair of the piece is in the index
        for kind in QUERIES:
            excerpts: Excerpts = getattr(one, kind)
            similarities, nearest = _nearest(excerpts.vectors, entries, neighbours)
            votes = np.bincount(places["piece"][nearest].ravel(), minlength=len(first)).astype(np.float64)
            ranks[kind].append(len(first) + 1 if number is None else int(np.sum(votes >= votes[number])))
            matches = Matches.of(excerpts.seconds, similarities, nearest, places)
            likeness = Likeness(excerpts.vectors, excerpts.seconds, entries, places)
            found = [one.piece for one in identified(matches, likeness=likeness, top=len(first))]
            ranks[kind + IN_LINE].append(found.index(number) + 1 if number in found else len(first) + 1)
    return {kind: np.array(found) for kind, found in ranks.items()}, len(first)


def _nearest(queries: np.ndarray, entries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` entries most similar to each query, in no order: similarities and places, (K, count) each."""
    count, similar = min(count, len(entries)), queries @ entries.T
    places = np.argpartition(-similar, count - 1, axis=1)[:, :count]
    return np.take_along_axis(similar, places, axis=1), places


def follow_scores(followed: Sequence[Followed]) -> dict[str, dict[str, float]]:
    """Scores of alignments, by method."""
    methods = followed[0].errors if followed else {}
    return {method: alignment_scores([one.errors[method] for one in followed]) for method in methods}


def report_rows(report: PairReport) -> list[dict[str, Any]]:
    """Rows {metric, value, unit, n, scale, candidates, chance}; the last two where they mean something."""
    rows: list[dict[str, Any]] = []
    for direction, scores in report.retrieval.items():
        count = int(scores["candidates"])
        about = {"n": count, "scale": f"{count} of {report.unique} different pairs", "candidates": count}
        for name in TOLD:
            unit = "rank" if name == "median_rank" else "1"
            row = {"metric": f"{direction}_{name}", "value": scores[name], "unit": unit}
            rows.append({**row, **about, "chance": scores[f"chance_{name}"]})
    for kind, ranks in report.ranks.items():
        about = {"n": len(ranks), "scale": "full", "candidates": report.pieces}
        for k in (1, 5):
            row = {"metric": f"identify_{kind}_r@{k}", "value": float(np.mean(ranks <= k)), "unit": "1"}
            rows.append({**row, **about, "chance": min(1.0, k / report.pieces)})
    for method, scores in report.alignment.items():
        about = {"n": int(scores["pieces"]), "scale": f"{int(scores['pieces'])} of {_count(report)} renditions"}
        for name in ("median", "lower_quartile", "upper_quartile", "within_0.05"):
            rows.append({"metric": f"align_{method}_{name}", "value": scores[name], "unit": "1", **about})
    return rows


def _count(report: PairReport) -> int:
    return len(report.ranks["recording"])


def report_table(report: PairReport) -> str:
    """The three protocols as plain text."""
    lines = [f"{report.pairs} pairs, {report.unique} different ones", f"{'':20}" + "".join(f"{n:>13}" for n in TOLD)]
    for direction, scores in report.retrieval.items():
        lines.append(f"{DIRECTIONS[direction]:20}" + "".join(f"{scores[name]:>13.4f}" for name in TOLD))
    chance = next(iter(report.retrieval.values()))
    lines.append(f"{'chance of ' + str(int(chance['candidates'])):20}" + _chances(chance))
    for kind, ranks in report.ranks.items():
        counts = ", ".join(f"{int(np.sum(ranks == rank))} at rank {rank}" for rank in (1, 2, 3))
        way = ", by matches in line" if kind.endswith(IN_LINE) else ", by votes"
        lines.append(
            f"{QUERIES[kind.removesuffix(IN_LINE)]}{way}: of {len(ranks)} among {report.pieces} pieces {counts}"
        )
    for method, scores in report.alignment.items():
        quartiles = f"{scores['lower_quartile']:.4f} to {scores['upper_quartile']:.4f}"
        lines.append(f"alignment error ({method}): median {scores['median']:.4f} page widths, quartiles {quartiles}")
    return "\n".join(lines)


def _chances(scores: Mapping[str, float]) -> str:
    return "".join(f"{scores[f'chance_{name}']:>13.4f}" for name in TOLD)


def about_rows(
    name: str, data: str | Path, *, split: str, n: int | None, seed: int, image: str = "sheet"
) -> dict[str, Any]:
    """What each row says beside its number."""
    words = ["hfmusic", "evaluate", name, str(data), "--split", split, *(["--n", str(n)] if n is not None else [])]
    return {
        "dataset": Path(data).resolve().name,
        "split": split,
        "seed": seed,
        "command": shlex.join([*words, "--seed", str(seed)]),
        "date": datetime.now(UTC).date().isoformat(),
        "version": hfmusic.__version__,
        "image": image,
        "method": "default",
        "model": name,
    }
