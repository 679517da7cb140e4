"""Embeddings of audio and piano rolls, measured (`hfmusic evaluate audio-midi-embedding dist/pianoroll-audio`).

Paper 004's measures: R@k, MRR and MR of the right roll among all that differ, and how much of the right roll the
nearest one has (TM), where the right one is in the base and where it is not.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hfmusic.embed_rolls import RollPairs, embed_rolls
from hfmusic.evaluate_pairs import about_rows
from hfmusic.hearing.roll_space import RollSpace
from hfmusic.metrics.ranking import CHUNK, chance_scores, ranking_scores, ranks
from hfmusic.metrics.rolls import roll_overlap

if TYPE_CHECKING:
    from hfmusic.hub import Loaded

DIRECTIONS = {"audio_to_roll": "audio to roll", "roll_to_audio": "roll to audio"}
TOLD = ("r@1", "r@5", "r@25", "median_rank", "mrr")
MOST_COMPARED = 5000  # candidates: the best of each base is looked for among all pairs of rolls
BASES = {
    "": "the right roll is in the base",
    "_without_roll": "it is not",
    "_without_roll_best": "it is not, the best that is there",
    "_without_work": "nor any of its piece",
    "_without_work_best": "nor any of its piece, the best that is there",
    "_of_all": "the base is all rolls of the split",
    "_of_all_without_roll": "the base is all of them but the right one",
}


@dataclass(frozen=True)
class RollReport:
    """What came out of a split.

    Attributes:
        windows, unique, candidates: in which something sounds, different rolls among them, and those measured.
        retrieval: by direction, scores of `ranking_scores`.
        overlap: by what the base is (keys of `BASES`), scores of `roll_overlap`, and those of `chance`: a roll drawn
            by lot. "best": of the roll that is most like the right one, whatever the model says.
        composers: of each composer the share of audio to roll: {"r@1", "mrr", "n"}.
    """

    windows: int
    unique: int
    candidates: int
    retrieval: dict[str, dict[str, float]]
    overlap: dict[str, dict[str, float]]
    composers: dict[str, dict[str, float]]


def evaluate_rolls(
    model: str | Path | Loaded,
    data: str | Path,
    *,
    split: str = "test",
    n: int | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    name: str | None = None,
) -> list[dict[str, Any]]:
    """Measure an embedding of audio and piano rolls; prints its tables to stderr.

    Args:
        model: a name or path as `hfmusic.load` takes, or what it returned.
        data: renditions, or recordings with their notes, as `read_rolls` takes them.
        n: candidates, different rolls, evenly spread over the split. None: all that differ.
        out: a `metrics.json` to write; numbers of other data in it are kept, of the same data replaced.
        seed: draws the rolls of chance.
        name: what the rows call the model. None: what was given, or where it was loaded from.

    Returns:
        Rows as `hfmusic.evaluate.evaluate`'s, with unit "1" or "rank", how many `candidates` there were, and what
        `chance` gives.

    Raises:
        ValueError: no such model or data, no roll in it, a damaged rendition, or n below 1.
    """
    from hfmusic.evaluate import write_metrics
    from hfmusic.hearing.roll_space import ModelSpace
    from hfmusic.hub import load

    if n is not None and n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    loaded = load(str(model), runtime="torch") if isinstance(model, str | Path) else model
    called = name or (str(model) if isinstance(model, str | Path) else str(loaded.model.name_or_path))
    report = measure_rolls(ModelSpace(loaded, called), data, split=split, n=n, seed=seed, whole=True)
    print(report_table(report), file=sys.stderr)
    about = about_rows(called, data, split=split, n=n, seed=seed, image="roll")
    rows = [{**row, **about} for row in report_rows(report)]
    if out is not None:
        write_metrics(out, rows)
    return rows


def measure_rolls(
    space: RollSpace,
    data: str | Path,
    *,
    split: str = "test",
    n: int | None = None,
    seed: int = 0,
    first_step: int = 0,
    whole: bool = False,
) -> RollReport:
    """All measures on a split; arguments and errors as `embed_rolls`'s."""
    return roll_report(embed_rolls(space, data, split, n=n, first_step=first_step, whole=whole), seed=seed)


def roll_report(pairs: RollPairs, *, seed: int = 0) -> RollReport:
    """All measures of some candidates."""
    return RollReport(
        windows=pairs.windows,
        unique=pairs.unique,
        candidates=len(pairs.rolls),
        retrieval={
            "audio_to_roll": ranking_scores(pairs.audio, pairs.score),
            "roll_to_audio": ranking_scores(pairs.score, pairs.audio),
        },
        overlap=overlap_scores(pairs, seed=seed),
        composers=_by_composer(pairs),
    )


def overlap_scores(pairs: RollPairs, *, seed: int = 0) -> dict[str, dict[str, float]]:
    """How much the roll nearest to each sound is like the right one, by what the base is (keys of `BASES`), and by
    chance.

    The base is the candidates, without the right roll, or without all of its composition (left out where there is one
    only); and all rolls of the split, most of which begin a few steps before or after others.
    """
    parts = [_found(pairs, slice(start, start + CHUNK)) for start in range(0, len(pairs.rolls), CHUNK)]
    found = {base: np.concatenate([part[base] for part in parts]) for base in parts[0]}
    found["chance"] = pairs.rolls[np.random.default_rng(seed).integers(0, len(pairs.rolls), len(pairs.rolls))]
    rolls = np.unpackbits(pairs.rolls, axis=1)
    return {base: roll_overlap(rolls, np.unpackbits(those, axis=1)) for base, those in found.items()}


def _found(pairs: RollPairs, some: slice) -> dict[str, np.ndarray]:
    """The rolls nearest to the sounds of some candidates, packed, by what the base is."""
    alike = pairs.audio[some] @ pairs.score.T
    found = {"": pairs.rolls[alike.argmax(axis=1)]}
    numbers = np.arange(len(pairs.rolls))
    own = {"_without_roll": numbers[some, None] == numbers, "_without_work": pairs.works[some, None] == pairs.works}
    measures = {"": alike}
    if len(numbers) <= MOST_COMPARED:
        measures["_best"] = _jaccard(pairs.rolls[some], pairs.rolls)
    for base, left_out in own.items():
        if not left_out.all(axis=1).any():
            for which, values in measures.items():
                found[base + which] = pairs.rolls[np.where(left_out, -np.inf, values).argmax(axis=1)]
    if pairs.base:
        alike = pairs.audio[some] @ pairs.base.score.T
        found["_of_all"] = pairs.base.rolls[alike.argmax(axis=1)]
        np.put_along_axis(alike, pairs.base.places[some, None], -np.inf, axis=1)
        found["_of_all_without_roll"] = pairs.base.rolls[alike.argmax(axis=1)]
    return found


def _jaccard(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The Jaccard index (n, m) of packed rolls, none of which is empty."""
    one, other = (np.unpackbits(rolls, axis=1).astype(np.float32) for rolls in (some, others))
    both = one @ other.T
    return np.asarray(both / (one.sum(axis=1)[:, None] + other.sum(axis=1) - both))


def _by_composer(pairs: RollPairs) -> dict[str, dict[str, float]]:
    """Ranks among all candidates, whoever wrote them."""
    found = ranks(pairs.audio, pairs.score)
    scores = {}
    for composer in np.unique(pairs.composers).tolist():
        own = found[pairs.composers == composer]
        scores[composer] = {"r@1": float(np.mean(own <= 1)), "mrr": float(np.mean(1 / own)), "n": len(own)}
    return scores


def report_rows(report: RollReport) -> list[dict[str, Any]]:
    """Rows {metric, value, unit, n, scale, candidates, chance}."""
    count = report.candidates
    about = {"n": count, "scale": f"{count} of {report.unique} different rolls", "candidates": count}
    rows: list[dict[str, Any]] = []
    for direction, scores in report.retrieval.items():
        for name in TOLD:
            row = {"metric": f"{direction}_{name}", "value": scores[name]}
            row["unit"] = "rank" if name == "median_rank" else "1"
            rows.append({**row, **about, "chance": scores[f"chance_{name}"]})
    for base in BASES:
        if base in report.overlap:
            row = {"metric": f"tm{base}", "value": report.overlap[base]["tm"], "unit": "1"}
            rows.append({**row, **about, "chance": report.overlap["chance"]["tm"]})
    chance = chance_scores(count, (1,))
    for composer, scores in report.composers.items():
        for name in ("r@1", "mrr") * bool(composer):
            row = {"metric": f"audio_to_roll_{name}_{composer}", "value": scores[name], "unit": "1"}
            rows.append({**row, **about, "n": int(scores["n"]), "chance": chance[f"chance_{name}"]})
    return rows


def report_table(report: RollReport) -> str:
    """All of it as plain text."""
    chance = report.retrieval["audio_to_roll"]
    lines = [
        f"{report.windows} windows, {report.unique} different rolls",
        _line("", dict(zip(TOLD, TOLD, strict=True))),
    ]
    lines += [_line(DIRECTIONS[name], scores) for name, scores in report.retrieval.items()]
    lines.append(_line(f"chance of {report.candidates}", {name: chance[f"chance_{name}"] for name in TOLD}))
    lot = report.overlap["chance"]["tm"]
    for base, words in BASES.items():
        if base in report.overlap:
            lines.append(f"TM where {words}: {report.overlap[base]['tm']:.4f} (a roll drawn by lot: {lot:.4f})")
    for composer, scores in report.composers.items():
        told = f"R@1 {scores['r@1']:.4f}, MRR {scores['mrr']:.4f} of {scores['n']:.0f}"
        lines += [f"{composer}: {told}"] * bool(composer)
    return "\n".join(lines)


def _line(title: str, values: Mapping[str, Any]) -> str:
    cells = (values[name] for name in TOLD)
    return f"{title:20}" + "".join(f"{one:>13}" if isinstance(one, str) else f"{one:>13.4f}" for one in cells)
